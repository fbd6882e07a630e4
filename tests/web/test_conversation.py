"""Messages of any shape, as blocks and as HTML."""

import base64
import json
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.web.html_check import Made, check_harmless
from tests.web.test_markdown import ALLOWED as IN_TEXTS
from tests.web.test_markdown import HOSTILE

from clew.display.blocks import (
    HEAD_LINES,
    MAX_OUTPUT_CHARS,
    MAX_OUTPUT_LINES,
    MAX_TEXT_CHARS,
    TAIL_LINES,
    Call,
    Folded,
    Image,
    Result,
    Text,
    cut,
    image_of,
    image_type,
    is_image_url,
    whole,
)
from clew.display.conversation import Shown, Unreadable, converse, preview, read, show
from clew.display.markdown import PAGE_COST
from clew.server.callers import LOCAL
from clew.server.web.addresses import StepAddress
from clew.server.web.moments import from_clock
from clew.server.web.pages import rendered
from clew.server.web.windows import Window
from clew.testing.contract.base import missing

PNG = b"\x89PNG\r\n\x1a\n" + bytes(40)
PNG_URL = "data:image/png;base64," + base64.b64encode(PNG).decode()

ALLOWED = IN_TEXTS | {
    "article": {"class", "id", "tabindex"}, "bdi": {"class"}, "details": {"class"}, "header": set(), "h3": set(),
    "img": {"src", "alt", "loading"}, "summary": set(),
    "a": {
        "aria-label", "class", "href", "hx-get", "hx-swap", "hx-target", "hx-trigger", "data-first", "data-told", "rel",
        "title",
    },
    "div": {"aria-label", "class", "dir", "id", "role", "tabindex"},
}  # fmt: skip
"""What a window of messages is made of."""

CALL = {"id": "c1", "type": "function", "function": {"name": "run", "arguments": '{"command": "ls", "n": 1}'}}


def html_of(messages: list[Any], first: int = 1) -> str:
    """Messages as the page has them."""
    window = Window(converse(messages, first), first, first + len(messages) - 1, first + len(messages) - 1)
    address = StepAddress(missing(), missing())
    return rendered("window.html", LOCAL, from_clock(0), window=window, address=address, side="later").content.decode()


def made_of(*messages: Any) -> Made:
    return check_harmless(html_of(list(messages)), ALLOWED)


def conversed(messages: list[Any], first: int = 1) -> list[Any]:
    """The same as values."""
    return [*converse(messages, first)]


def blocks_of(message: Any) -> list[Any]:
    return show(message, 1).blocks


class TestChat:
    def test_a_text_is_markdown(self) -> None:
        shown: Any = show({"role": "user", "content": "a *b*"}, 3)
        assert (shown.number, shown.role, shown.look, shown.name) == (3, "user", "user", "")
        assert [block.html for block in shown.blocks] == ["<p>a <em>b</em></p>\n"]

    def test_parts_are_shown_in_their_order(self) -> None:
        parts = [{"type": "text", "text": "a"}, {"type": "image_url", "image_url": {"url": PNG_URL}}, "b"]
        blocks = blocks_of({"role": "user", "content": parts})
        assert [(block.kind, block.number) for block in blocks] == [("text", 0), ("image", 1), ("text", 2)]

    def test_a_call_has_its_name_and_its_arguments_line_by_line(self) -> None:
        (call,) = blocks_of({"role": "assistant", "content": None, "tool_calls": [CALL]})
        assert (call.id, call.name, call.preview) == ("c1", "run", "ls")
        assert "&#34;command&#34;: &#34;ls&#34;,\n" in call.arguments.html

    def test_arguments_that_are_no_json_are_shown_as_they_are(self) -> None:
        call = {"id": "c", "function": {"name": "f", "arguments": '{"a": '}}
        (shown,) = blocks_of({"role": "assistant", "tool_calls": [call]})
        assert shown.arguments.html == "<pre>\n{&#34;a&#34;: </pre>"

    def test_a_result_stands_with_its_call(self) -> None:
        shown = conversed(
            [{"role": "assistant", "tool_calls": [CALL]}, {"role": "tool", "tool_call_id": "c1", "content": "out"}], 7
        )
        assert [message.number for message in shown] == [7]
        (answer,) = shown[0].blocks[0].answers
        assert (answer.message, answer.is_first, answer.result.blocks[0].html) == (8, True, "<pre>\nout</pre>")

    def test_a_result_without_its_call_stands_alone(self) -> None:
        shown = conversed([{"role": "tool", "tool_call_id": "c1", "content": "out"}])
        assert isinstance(shown[0].blocks[0], Result)
        assert "of call c1" in made_of({"role": "tool", "tool_call_id": "c1", "content": "out"}).text

    def test_a_result_belongs_to_the_newest_call_of_its_id(self) -> None:
        call, result = (
            {"role": "assistant", "tool_calls": [CALL]},
            {"role": "tool", "tool_call_id": "c1", "content": "x"},
        )
        shown = conversed([call, result, call, result])
        assert [[answer.message for answer in message.blocks[0].answers] for message in shown] == [[2], [4]]

    def test_output_is_no_markdown_and_has_no_colours(self) -> None:
        (result,) = blocks_of({"role": "tool", "tool_call_id": "c", "content": "# *a*\n\x1b[31mred\x1b[0m"})
        assert result.blocks[0].html == "<pre>\n# *a*\nred</pre>"

    def test_thinking_is_folded(self) -> None:
        blocks = blocks_of({"role": "assistant", "reasoning_content": "hm", "content": "yes"})
        assert [(block.kind, getattr(block, "heading", "")) for block in blocks] == [
            ("folded", "Thinking"),
            ("text", ""),
        ]

    def test_every_other_field_is_among_the_details(self) -> None:
        message = {"role": "assistant", "content": "a", "usage": {"total": 31}, "x-new": "field"}
        details = blocks_of(message)[-1]
        assert details.heading == "Details"
        assert all(word in details.blocks[0].html for word in ("usage", "31", "x-new", "field"))

    @pytest.mark.parametrize("content", [None, "", []])
    def test_an_empty_message_says_so(self, content: Any) -> None:
        assert "This message is empty." in made_of({"role": "assistant", "content": content}).text

    @pytest.mark.parametrize("content", [None, ""])
    def test_an_empty_result_says_so(self, content: Any) -> None:
        assert "Nothing came back." in made_of({"role": "tool", "tool_call_id": "c", "content": content}).text

    def test_the_first_words_tell_a_message(self) -> None:
        assert preview({"role": "user", "content": "a\nb"}) == "user: a b"
        assert preview({"role": "assistant", "tool_calls": [CALL, CALL]}) == "assistant: run, run"
        assert preview({"role": "user", "content": [{"type": "image_url", "image_url": {"url": PNG_URL}}]}) == "user: "
        assert preview({}) == "(no role): "


class TestOtherForms:
    def test_anthropics_calls_results_and_thinking(self) -> None:
        asked = [
            {"type": "thinking", "thinking": "hm", "signature": "s1"},
            {"type": "tool_use", "id": "t1", "name": "read", "input": {"path": "/x"}},
        ]
        answered = [
            {"type": "tool_result", "tool_use_id": "t1", "is_error": True, "content": [{"type": "text", "text": "no"}]}
        ]
        shown = conversed([{"role": "assistant", "content": asked}, {"role": "user", "content": answered}])
        assert [message.number for message in shown] == [1]
        thinking, signature, call = shown[0].blocks
        assert isinstance(thinking, Folded)
        assert isinstance(signature, Folded)
        assert "s1" in str(signature.blocks[0])
        assert isinstance(call, Call)
        assert (call.answers[0].result.failed, call.answers[0].message) == (True, 2)

    def test_two_results_of_one_message_have_one_anchor(self) -> None:
        calls = [{"type": "tool_use", "id": id, "name": "f", "input": {}} for id in "ab"]
        results = [{"type": "tool_result", "tool_use_id": id, "content": id} for id in "ab"]
        html = html_of([{"role": "assistant", "content": calls}, {"role": "user", "content": results}])
        assert html.count('id="m2"') == 1

    def test_results_beside_words_stay_where_they_were_said(self) -> None:
        call = {"role": "assistant", "content": [{"type": "tool_use", "id": "a", "name": "f", "input": {}}]}
        said = {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "a", "content": "x"}, "and now"]}
        assert [message.number for message in conversed([call, said])] == [1, 2]

    def test_anthropics_picture(self) -> None:
        source = {"type": "base64", "media_type": "image/png", "data": base64.b64encode(PNG).decode()}
        assert blocks_of({"role": "user", "content": [{"type": "image", "source": source}]}) == [Image(0)]

    def test_a_type_that_says_nothing_is_no_detail(self) -> None:
        message = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "a"}]}
        assert [block.kind for block in blocks_of(message)] == ["text"]
        for more in ({"type": "other"}, {"id": "m1"}):
            assert [block.kind for block in blocks_of(message | more)] == ["text", "folded"]

    def test_messages_without_a_role(self) -> None:
        messages = [
            {"type": "reasoning", "summary": [{"type": "summary_text", "text": "hm"}]},
            {"type": "function_call", "call_id": "z", "name": "f", "arguments": '{"a": 1}'},
            {"type": "function_call_output", "call_id": "z", "output": "done"},
        ]
        shown = conversed(messages)
        assert [(message.number, message.look) for message in shown] == [(1, "assistant"), (2, "assistant")]
        assert shown[1].blocks[0].answers[0].message == 3


ODD: list[dict[str, Any]] = [
    {}, {"role": None}, {"role": ""}, {"role": 5, "content": 5}, {"role": ["a"], "type": {}}, {"role": {"a": 1}},
    {"content": None}, {"content": [None, 1, [], {}, {"type": None}, {"type": ["text"]}, {"type": "text"}]},
    {"role": "user", "content": {"text": "x"}}, {"role": "tool", "tool_call_id": 7, "content": {"a": 1}},
    {"role": "tool", "tool_call_id": None}, {"role": "tool", "tool_call_id": "", "content": ""},
    {"role": "assistant", "tool_calls": {"a": 1}}, {"role": "assistant", "tool_calls": [None, 1, {}, {"function": 3}]},
    {"role": "assistant", "tool_calls": [{"id": {"a": 1}, "function": {"name": [1], "arguments": {"a": [1]}}}]},
    {"role": "assistant", "function_call": {"name": "f", "arguments": 7}}, {"role": "assistant", "reasoning": 5},
    {"role": "user", "content": [{"type": "image_url", "image_url": 7}, {"type": "image_url"}]},
    {"role": "user", "content": [{"type": "image", "source": {"type": "url", "url": "https://a.example/x.png"}}]},
    {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "https://a.example/x.png"}}]},
    {"role": "user", "content": [{"type": "tool_result"}, {"type": "tool_use"}, {"type": "thinking", "thinking": 1}]},
    {"type": "function_call"}, {"type": "function_call_output", "output": {"a": 1}},
    {"type": "reasoning", "summary": 4},
    {"role": "\ud800", "content": "\udfff", "name": "\0"}, {"role": "x" * 100_000},
]  # fmt: skip

names = st.sampled_from([
    "role", "content", "type", "text", "name", "tool_calls", "tool_call_id", "function", "arguments", "id", "image_url",
    "url", "source", "data", "media_type", "thinking", "input", "tool_use_id", "is_error", "output", "call_id",
    "summary", "reasoning", "refusal", "function_call", "<b>", "hx-get",
])  # fmt: skip
kinds = st.sampled_from([
    "text", "input_text", "image_url", "image", "tool_use", "tool_result", "thinking", "function_call", "reasoning",
    "function_call_output", "user", "assistant", "tool",
])  # fmt: skip
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(max_size=20)
    | st.sampled_from(HOSTILE),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names, inner, max_size=4),
    max_leaves=12,
)
objects = st.dictionaries(
    names, values | kinds | st.lists(st.dictionaries(names, values | kinds, max_size=5), max_size=3)
)


EXAMPLES = settings(max_examples=60, deadline=None)


class TestAnyShape:
    @pytest.mark.parametrize("message", ODD, ids=lambda message: repr(message)[:60])
    def test_an_odd_message_is_shown(self, message: dict[str, Any]) -> None:
        made_of(message)
        preview(message)

    @EXAMPLES
    @given(st.lists(objects, max_size=4))
    def test_any_object_is_shown_and_harmless(self, messages: list[dict[str, Any]]) -> None:
        check_harmless(html_of(messages), ALLOWED)

    @EXAMPLES
    @given(objects)
    def test_no_text_is_left_out(self, message: dict[str, Any]) -> None:
        message = json.loads(json.dumps(message).replace("\\ud", "\\u0d"))
        marked = _marked(message)
        in_full = [leaf.value for leaf in read(marked.message)[1]]  # the page has the beginnings of those that are long
        text = "\n".join([made_of(marked.message).text, *in_full])
        assert [mark for mark in marked.marks if mark not in text] == []

    @EXAMPLES
    @given(objects)
    def test_a_text_has_the_same_number_however_it_is_read(self, message: dict[str, Any]) -> None:
        numbers = [text.number for text in _texts(show(message, 1))]
        assert sorted(numbers) == sorted({*numbers})
        assert len(read(message)[1]) >= len(numbers)

    def test_values_in_values_without_end_are_shown(self) -> None:
        deep: Any = "end"
        for _ in range(250):
            deep = [{"type": "tool_result", "tool_use_id": "a", "content": deep}]
        assert "tool_result" in made_of({"role": "user", "content": deep}).text

    def test_damage_is_shown_as_such(self) -> None:
        made = made_of(
            {"role": "user", "content": "a"},
            Unreadable("message 1 <b> does not match"),
            {"role": "user", "content": "c"},
        )
        assert "message 1 <b> does not match" in made.text
        assert [attributes["id"] for tag, attributes in made.tags if tag == "article"] == ["m1", "m2", "m3"]


class _Marked:
    """A message in which every text that is no name of a type is a mark of its own."""

    def __init__(self) -> None:
        self.marks: list[str] = []
        self.message: Any = None

    def mark(self, value: Any, key: str = "") -> Any:
        if isinstance(value, dict):
            return {name: self.mark(item, name) for name, item in value.items()}
        if isinstance(value, list):
            return [self.mark(item) for item in value]
        if isinstance(value, str) and key not in ("type", "role", "media_type"):
            self.marks.append(f"mark{len(self.marks)}mark")
            return self.marks[-1]
        return value


def _marked(message: Any) -> _Marked:
    found = _Marked()
    found.message = found.mark(message)
    return found


def _texts(shown: Shown) -> list[Text]:
    found: list[Text] = []
    left: list[Any] = [*shown.blocks]
    while left:
        block = left.pop()
        if isinstance(block, Text):
            found.append(block)
        elif isinstance(block, Call):
            left += [block.arguments, *([block.more] if block.more else [])]
        elif isinstance(block, (Folded, Result)):
            left += block.blocks
    return found


class TestCutting:
    @pytest.mark.parametrize(
        ("text", "shown", "lines", "is_cut"),
        [
            ("a\nb", "a\nb", 2, False),
            ("a\nb\nc", "a\nb", 3, True),
            ("a\nb\n", "a\nb\n", 3, False),
            ("a\nb\n\n \n", "a\nb\n\n \n", 5, False),
            ("x" * 10, "x" * 10, 1, False),
            ("x" * 11, "x" * 10, 1, True),
            ("x" * 9 + "\ny\nz", "x" * 9 + "\n", 3, True),
            ("", "", 1, False),
        ],
    )
    def test_a_text_is_cut_by_lines_and_characters(self, text: str, shown: str, lines: int, is_cut: bool) -> None:
        assert cut(text, 2, 10) == (shown, lines, is_cut)

    def test_long_output_is_cut_and_there_in_full(self) -> None:
        output = "line\n" * 1_000
        message = {"role": "tool", "tool_call_id": "c", "content": output}
        text = blocks_of(message)[0].blocks[0]
        assert (text.is_cut, text.lines, text.chars) == (True, 1_001, 5_000)
        assert text.html.count("line\n") + text.html.count("line<") == HEAD_LINES + TAIL_LINES
        assert '<p class="gap">… 960 lines …</p>' in text.html
        assert whole(read(message)[1][text.number]).html.count("line") == 1_000

    @pytest.mark.parametrize("lines", range(MAX_OUTPUT_LINES - 1, MAX_OUTPUT_LINES + 4))
    @pytest.mark.parametrize("end", ["", "\n", "\n\n  \n"])
    def test_of_output_the_beginning_and_the_end_are_shown_once(self, lines: int, end: str) -> None:
        written = "\n".join(f"<{number}>" for number in range(lines)) + end
        shown = blocks_of({"role": "tool", "tool_call_id": "c", "content": written})[0].blocks[0]
        numbers = [int(found) for found in re.findall(r"&lt;(\d+)&gt;", shown.html)]
        if lines <= MAX_OUTPUT_LINES:
            assert (numbers, shown.is_cut) == (list(range(lines)), False)
        else:
            kept = [*range(HEAD_LINES), *range(lines - TAIL_LINES, lines)]
            assert (numbers, shown.is_cut) == (kept, True)
            left = lines - len(kept)
            assert f"… {left} line{'' if left == 1 else 's'} …" in shown.html

    @given(st.text(st.sampled_from("ab\n "), min_size=MAX_OUTPUT_CHARS - 50, max_size=2 * MAX_OUTPUT_CHARS))
    @settings(max_examples=30, deadline=None)
    def test_nothing_of_an_output_is_shown_twice(self, written: str) -> None:
        shown = blocks_of({"role": "tool", "tool_call_id": "c", "content": written})[0].blocks[0]
        texts = [part.removeprefix("\n") for part in re.findall("<pre>(.*?)</pre>", shown.html, re.DOTALL)]
        assert written.startswith(texts[0])
        assert sum(map(len, texts)) <= len(written)
        if shown.is_cut:
            assert len(texts) == 2
            assert written.rstrip().endswith(texts[1])

    def test_one_endless_line_is_cut(self) -> None:
        html = html_of([{"role": role, "content": "x" * 5_000_000} for role in ("user", "tool")])
        assert len(html) < MAX_TEXT_CHARS + MAX_OUTPUT_CHARS + 5_000


def test_the_markdown_of_all_messages_of_a_page_has_one_limit() -> None:
    text = "*a* " * 2_500
    html = html_of([{"role": "user", "content": text}] * 100)
    as_markdown = html.count('<div class="prose" dir="auto"><p>')
    assert as_markdown == PAGE_COST // len(text)
    assert html.count('<div class="prose" dir="auto"><pre>') == 100 - as_markdown


class TestPictures:
    @pytest.mark.parametrize(
        ("data", "found"),
        [
            (PNG, "image/png"), (b"\xff\xd8\xff\xe0", "image/jpeg"), (b"GIF89a", "image/gif"), (b"GIF87a", "image/gif"),
            (b"RIFF\0\0\0\0WEBPVP8 ", "image/webp"), (b"RIFF\0\0\0\0WAVE", None), (b"<svg>", None), (b"", None),
            (b"<script>", None), (b" \x89PNG\r\n\x1a\n", None),
        ],
    )  # fmt: skip
    def test_the_bytes_say_what_a_picture_is(self, data: bytes, found: str | None) -> None:
        assert image_type(data) == found

    @pytest.mark.parametrize(
        "url",
        [
            "data:image/svg+xml;base64,PHN2Zz4=", "data:text/html;base64,PGI+", "https://a.example/x.png", "",
            "data:image/png;base64," + base64.b64encode(b"<script>alert(1)</script>" * 3).decode(),
            "data:image/png;base64,!!!", "data:image/jpeg;base64," + base64.b64encode(PNG).decode(),
            "data:image/png,x", "data:image/png;base64",
        ],
    )  # fmt: skip
    def test_what_is_no_picture_is_shown_as_text(self, url: str) -> None:
        assert not is_image_url(url)
        made = made_of({"role": "user", "content": [{"type": "image_url", "image_url": {"url": url}}]})
        assert not [tag for tag, _ in made.tags if tag == "img"]
        assert url in made.text

    def test_a_picture_is_served_from_here(self) -> None:
        made = made_of({"role": "user", "content": [{"type": "image_url", "image_url": {"url": PNG_URL}}]})
        (source,) = [attributes["src"] for tag, attributes in made.tags if tag == "img"]
        assert str(source).endswith("/messages/1/parts/0")
        assert image_of(PNG_URL) == (PNG, "image/png")

    def test_a_picture_that_breaks_off_is_not_served(self) -> None:
        assert image_of(PNG_URL[:-3]) is None
