"""Markdown of messages: what it becomes, what it cannot become, and what it may cost."""

import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.web.html_check import check_harmless

from clew.display.highlight import CLASSES, MAX_CHARS, highlighted
from clew.display.markdown import MAX_COST, Budget, cost, to_html
from clew.display.visible import one_line, visible, without_colours

ALLOWED = {
    "a": {"href", "rel", "title"}, "blockquote": set(), "br": set(), "code": set(), "del": set(),
    "div": {"class", "tabindex", "role", "aria-label"}, "em": set(), "hr": set(), "li": set(), "ol": {"start"},
    "p": {"class"}, "pre": {"class"}, "s": set(), "span": {"class"}, "strong": set(), "table": set(), "tbody": set(),
    "td": set(), "th": set(), "thead": set(), "tr": set(), "ul": set(),
}  # fmt: skip
"""Written down here again, so that what is added to the sanitizer's list is added on purpose."""

HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<svg onload=alert(1)></svg>",
    "<style>*{display:none}</style>",
    '<a href="javascript:alert(1)">x</a>',
    "[x](javascript:alert(1))",
    "[x](JaVaScRiPt:alert(1))",
    "[x](java\nscript:alert(1))",
    "[x](&#106;avascript:alert(1))",
    "[x](&#x6A&#x61vascript:alert(1))",
    "[x](vbscript:msgbox(1))",
    "[x](data:text/html;base64,PHNjcmlwdD4=)",
    "![x](data:image/svg+xml;base64,PHN2Zz4=)",
    "![x](https://evil.example/pixel.png)",
    '![x](https://evil.example/p.png "t\\" onerror=alert(1)")',
    "<javascript:alert(1)>",
    "[x]: javascript:alert(1)\n\n[x]",
    "[x](//evil.example)",
    "[x](/logout)",
    "[x](#main)",
    '[x](https://a.example "onmouseover=alert(1)")',
    '[x](https://a.example/"onmouseover="alert(1))',
    '```python" onload="alert(1)\n<script>alert(1)</script>\n```',
    "```<script>\nx\n```",
    "`<script>alert(1)</script>`",
    "|<script>|\n|-|\n|<img onerror=x>|",
    '<div id="status" hx-get="/x" hx-trigger="load" data-hx-on="x" onclick="x">',
    "<!-- comment --><![CDATA[x]]><?php x ?><!doctype x>",
    "&lt;script&gt;alert(1)&lt;/script&gt;",
    "{{7*7}} ${7*7} {% include 'base.html' %}",
    "\ud800 \udfff \0 \x1b[31m \u202e",
    "<math><mtext><table><mglyph><style><img src onerror=alert(1)>",
    '<noscript><p title="</noscript><img src=x onerror=alert(1)>">',
    "</div></article></main><h1>x</h1>",
]


N = 40_000

DEAR = {
    "quotes": ">" * N,
    "spaced quotes": "> " * (N // 2),
    "brackets": "[" * N,
    "few brackets": "[" * (N // 12),
    "pictures": "![" * (N // 2),
    "links": "[a](b" * (N // 5),
    "closed": "](" * (N // 2),
    "references": "[a]: " + "b" * 100 + "\n\n" + "[a]" * (N // 3),
    "emphasis": "*a **b " * (N // 7),
    "underscores": "_a_" * (N // 3),
    "backticks": "".join("`" * count + " " for count in range(1, 280)),
    "lists": "- " * (N // 2),
    "lines": "a\n" * (N // 5),
    "table": "|a|b|\n|-|-|\n" + "|x|y|\n" * (N // 12),
    "wide table": "|" + "a|" * 1_000 + "\n|" + "-|" * 1_000 + "\n" + "a\n" * (N // 2),
    "fences": "```python\nx = 1\n```\n" * (N // 60),
    "entities": "&" * N,
    "angles": "<a " * (N // 3),
    "strikes": "~~a " * (N // 4),
    "nested": "\n".join("  " * depth + "- a" for depth in range(280)),
}
"""Texts that take long, some of them beyond what is taken."""


class TestForm:
    def test_text_headings_lists_and_tables(self) -> None:
        html = to_html("# One\n\n*a* **b** ~~c~~\n\n1. d\n\n|e|f|\n|-|-|\n|g|h|\n")
        made = check_harmless(html, ALLOWED)
        assert [tag for tag, _ in made.tags] == [
            "p", "p", "em", "strong", "s", "ol", "li", "div", "table", "thead", "tr", "th", "th", "tbody", "tr", "td",
            "td",
        ]  # fmt: skip

    def test_a_heading_is_no_part_of_the_outline_of_the_page(self) -> None:
        assert to_html("## Two") == '<p class="h2">Two</p>\n'

    def test_a_link_leads_out_without_telling_where_from(self) -> None:
        html = to_html("[x](https://a.example) <mailto:a@b.example>")
        assert html.count('rel="noopener noreferrer nofollow"') == 2
        assert 'href="https://a.example"' in html
        assert 'href="mailto:a@b.example"' in html

    def test_a_picture_becomes_a_link(self) -> None:
        html = to_html("![a *cat*](https://a.example/cat.png)")
        assert "<img" not in html
        assert '<a href="https://a.example/cat.png" rel="noopener noreferrer nofollow">a cat (image)</a>' in html

    def test_a_picture_in_a_link_is_its_words(self) -> None:
        made = check_harmless(to_html("[![cat](https://a.example/c.png)](https://b.example)"), ALLOWED)
        assert [attributes["href"] for tag, attributes in made.tags if tag == "a"] == ["https://b.example"]
        assert made.text.strip() == "cat"

    def test_code_of_a_known_language_is_coloured_by_classes(self) -> None:
        html = to_html("```python\nreturn '<b>'\n```")
        assert '<span class="k">return</span>' in html
        assert "&lt;b&gt;" in html
        assert "style=" not in html

    @pytest.mark.parametrize("language", ["nothing", "<script>", "PyThOn3 {.x}", "../../etc"])
    def test_code_of_a_language_that_is_not_known_has_its_name_before_it(self, language: str) -> None:
        made = check_harmless(to_html(f"```{language}\na < b\n```"), ALLOWED)
        assert made.text.strip() == f"{language}\na < b"

    @pytest.mark.parametrize("fence", ["```", "~~~", "``` "])
    def test_code_without_a_language_begins_with_its_first_line(self, fence: str) -> None:
        assert to_html(f"{fence}\na < b\n{fence}") == '<pre class="code"><code>a &lt; b\n</code></pre>\n'

    def test_a_line_ends_where_it_was_ended(self) -> None:
        assert to_html("12:01 start\n12:02 stop\n\n- a\n  b") == (
            "<p>12:01 start<br>\n12:02 stop</p>\n<ul>\n<li>a<br>\nb</li>\n</ul>\n"
        )

    def test_long_code_stays_plain(self) -> None:
        assert "<span" in highlighted("x = 1\n" * 10, "python")
        assert "<span" not in highlighted("x = 1\n" * MAX_CHARS, "python")
        assert "<span" not in highlighted("x = " + "1" * 2_000, "python")


class TestHarmless:
    @pytest.mark.parametrize("text", HOSTILE)
    def test_hostile_text_is_text(self, text: str) -> None:
        check_harmless(to_html(text), ALLOWED)

    def test_what_looks_like_html_is_seen(self) -> None:
        assert check_harmless(to_html("a <script>alert(1)</script> b"), ALLOWED).text.strip() == (
            "a <script>alert(1)</script> b"
        )

    @pytest.mark.parametrize(
        "link", ["javascript:x", "data:text/html,x", "vbscript:x", "file:///etc", "//e.example", "/x"]
    )
    def test_a_link_that_may_not_be_is_its_source(self, link: str) -> None:
        made = check_harmless(to_html(f"[words]({link})"), ALLOWED)
        assert made.text.strip() == f"[words]({link})"
        assert not [tag for tag, _ in made.tags if tag == "a"]

    def test_classes_are_only_those_of_the_style_sheet(self) -> None:
        html = to_html("# a\n\n```python\n" + "class A: pass\n" * 3 + "```\n\n|a|\n|-|\n")
        for _, attributes in check_harmless(html, ALLOWED).tags:
            for name in (attributes.get("class") or "").split():
                assert name in {"code", "table", "h1", *CLASSES}

    @given(st.text(alphabet=st.sampled_from("<>&\"'`*_[]()!#|-=:/ \n\tajscripton\0\ud800\u202ex1.~\\")))
    def test_any_text_is_harmless(self, text: str) -> None:
        check_harmless(to_html(text), ALLOWED)

    @given(
        st.lists(st.sampled_from(HOSTILE), max_size=4),
        st.lists(st.sampled_from(["", "\n", "> ", "- ", "`", "[", "](", "|"]), min_size=4),
    )
    def test_any_mixture_is_harmless(self, texts: list[str], glue: list[str]) -> None:
        check_harmless(to_html("".join(a + b for a, b in zip(glue, [*texts, ""], strict=False))), ALLOWED)


class TestNothingIsHidden:
    @pytest.mark.parametrize(
        "text",
        [
            "> " * 40 + "words",
            "- " * 40 + "words",
            "1. " * 40 + "words",
            "[//]: # (words)",
            '[a]: https://a.example "words"',
            "<!-- words -->",
            "```python words\nx\n```",
            "```words\nx\n```",
            "**" * 50 + "words",
            "[" * 50 + "words" + "](https://a.example)" * 50,
            "|a|\n|-|\n|b|words|\n",
            "> |a|b|\n> |-|-|\n> |c|d|words\n",
        ],
    )
    def test_words_are_seen_wherever_they_stand(self, text: str) -> None:
        assert "words" in check_harmless(to_html(text), ALLOWED).text

    @pytest.mark.parametrize(
        "text", ["\u202e", "&#x202e;", "&#8238;", "`\u202e`", "```\n\u202e\n```", "[\u202e](https://a.example)"]
    )
    def test_what_turns_the_direction_is_seen(self, text: str) -> None:
        made = check_harmless(to_html(text), ALLOWED)
        assert "\u202e" not in made.text
        assert "[U+202E]" in made.text


class TestCost:
    """Counted, not timed: how many functions are called, and how much comes out."""

    @pytest.mark.parametrize("text", DEAR.values(), ids=list(DEAR))
    def test_no_text_takes_more_work_than_its_cost_says(self, text: str) -> None:
        calls, html = _counted(text)
        assert calls < 25 * min(cost(text), MAX_COST)
        assert len(html) < 10 * min(cost(text), MAX_COST) + 6 * len(text)

    @pytest.mark.parametrize("text", ["a" * 10_000_000, ">" * 10_000_000, "[" * 100_000, "word " * 30_000])
    def test_a_text_beyond_the_limit_is_preformatted(self, text: str) -> None:
        calls, html = _counted(text)
        assert html.startswith("<pre>")
        assert calls < 100
        assert len(html) < 5 * len(text)

    def test_the_cost_is_never_less_than_the_length(self) -> None:
        assert all(cost(text) >= len(text) for text in DEAR.values())

    def test_a_page_has_a_budget_for_all_its_texts(self) -> None:
        budget = Budget(1_000)
        text = "*a* " * 100
        assert "<em>" in to_html(text, budget)
        assert "<em>" in to_html(text, budget)
        assert to_html(text, budget).startswith("<pre>")
        assert "<em>" in to_html("*small*", budget)

    def test_what_people_write_is_read_as_markdown(self) -> None:
        text = "# Title\n\nSome words with a [link](https://a.example) and `code`.\n\n```python\nx = 1\n```\n\n" * 100
        assert "<pre>" not in to_html(text)


def _counted(text: str) -> tuple[int, str]:
    """How many functions were called while a text was made HTML."""
    calls = 0

    def count(frame: Any, event: str, argument: Any) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        html = to_html(text)
    finally:
        sys.setprofile(before)
    return calls, html


class TestVisible:
    def test_characters_that_would_not_be_seen_are(self) -> None:
        assert visible("a\x00\x1b[1m\x7f\x9b\u202eb\u2066\ud800\U000e0041\ta\r\nb\rc") == (
            "a␀␛[1m␡[U+009B][U+202E]b[U+2066][U+D800][U+E0041]\ta\nb\nc"
        )

    def test_other_scripts_stay_as_they_are(self) -> None:
        text = "שלום مرحبا 👩‍👩‍👧 é ﷽ \u200f"
        assert visible(text) == text

    def test_a_line_is_cut_with_an_ellipsis(self) -> None:
        assert one_line(" a\n b\t c ") == "a b c"
        assert one_line("x" * 300, 10) == "x" * 9 + "…"
        assert one_line(" " * 1_000 + "x", 10).endswith("…")

    def test_colours_of_a_terminal_are_left_out(self) -> None:
        assert without_colours("\x1b[1;31mred\x1b[0m \x1b]0;title\x07") == "red \x1b]0;title\x07"

    @given(st.text(st.characters(codec=None)))
    def test_any_text_can_be_sent(self, text: str) -> None:
        visible(text).encode()
