"""The promises of the exports for people."""

import re
from html.parser import HTMLParser
from typing import Any

import pytest
from tests.exporters.support import CHAT, PNG, written

from clew import Store
from clew.errors import InvalidRequestError, NotFoundError

BAD = (
    "</pre></details></style><script>alert(1)</script><img src=x onerror=alert(2)> [x](javascript:alert(3)) \x1b \u202e"
)
LOADS = {"src", "href", "srcset", "action", "data", "poster", "background", "xlink:href"}


class Seen(HTMLParser):
    """Every tag of a page, and the text of it."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def html(store: Store, session: Any, **options: Any) -> Seen:
    return Seen(written(store, "html", sessions=session.id, **options).decode())


def test_the_page_shows_everything_and_loads_nothing(store: Store) -> None:
    session = store.create_session("A title", cwd="/r/x", messages=CHAT)
    page = html(store, session)
    for words in ("A title", "/r/x", "Be brief.", "It is red.", "m-1", "a\nb\nc\nd", "no such file", "5 in, 2 out"):
        assert words in page.text
    loaded = {value for _, attrs in page.tags for name, value in attrs.items() if name in LOADS}
    assert f"data:image/png;base64,{PNG}" in loaded
    assert all(value.startswith(("data:image/png", "#")) for value in loaded if value)
    (policy,) = (attrs["content"] for _, attrs in page.tags if attrs.get("http-equiv") == "Content-Security-Policy")
    assert str(policy).startswith("default-src 'none'; img-src data:;")
    assert "url(" not in written(store, "html", sessions=session.id).decode()
    assert any(attrs.get("name") == "viewport" for _, attrs in page.tags)


@pytest.mark.parametrize("role", ["user", "tool", "assistant", BAD])
def test_nothing_that_is_stored_runs_or_breaks_out_of_the_page(store: Store, role: str) -> None:
    call = {"id": BAD, "type": BAD, "function": {"name": BAD, "arguments": BAD}}
    message = {"role": role, "name": BAD, "content": BAD, "tool_calls": [call], "reasoning_content": BAD, BAD: BAD}
    answer = {"role": "tool", "tool_call_id": BAD, "content": [{"type": "image_url", "image_url": {"url": BAD}}]}
    session = store.create_session(BAD, cwd="/" + BAD, messages=[message, answer])
    page = html(store, session, all_branches=True)
    assert not {tag for tag, _ in page.tags} & {"script", "iframe", "object", "img", "link", "form", "base"}
    assert not [name for _, attrs in page.tags for name in attrs if name.startswith("on")]
    assert not [value for _, attrs in page.tags for value in attrs.values() if "javascript:" in (value or "").lower()]
    assert sum(tag == "style" for tag, _ in page.tags) == 1
    assert "\x1b" not in page.text
    assert "\u202e" not in page.text


@pytest.mark.parametrize("format", ["html", "markdown"])
def test_the_result_of_a_tool_can_be_shortened_and_nothing_else_is(store: Store, format: str) -> None:
    session = store.create_session("t", messages=[{"role": "user", "content": "q\nr\ns\nt"}, *CHAT])
    text = written(store, format, sessions=session.id, result_lines=2).decode()
    assert "a\nb\n… 2 more lines …" in text
    assert "q" in text
    assert not re.search("^d$", text, re.MULTILINE)
    with pytest.raises(InvalidRequestError):
        written(store, format, sessions=session.id, result_lines=0)


def test_other_branches_are_listed_and_lead_to_their_own_part(store: Store) -> None:
    session = store.create_session("t", messages=CHAT[:2])
    first = store.list_checkpoints(session.id).items[0]
    active = store.append(session.id, CHAT[2:])
    store.append(session.id, [{"role": "user", "content": "another way"}], parent_id=first.id, label="side")
    store.set_active_checkpoint(session.id, active.id)
    page = html(store, session, all_branches=True)
    ids = {attrs.get("id") for _, attrs in page.tags}
    assert {value.removeprefix("#") for _, attrs in page.tags if (value := attrs.get("href"))} <= ids
    assert {"b1", "b1-m3", "m7"} <= ids
    assert "side" in page.text
    text = written(store, "markdown", sessions=session.id, all_branches=True).decode()
    assert "- **Branch 1:** side, after message 2" in text
    assert text.index("# Branch 1: side") < text.index("another way")
    assert "another way" not in written(store, "markdown", sessions=session.id).decode()


def test_markdown_has_headings_folds_and_results_beside_their_calls(store: Store) -> None:
    session = store.create_session("A *title*", messages=CHAT)
    text = written(store, "markdown", sessions=session.id).decode()
    assert text.startswith("# A \\*title\\*\n")
    assert re.findall("^## (.*)$", text, re.MULTILINE) == [
        "1. system", "2. user", "3. assistant", "6. assistant", "7. user",
    ]  # fmt: skip
    assert text.count("<details>") == text.count("</details>")
    assert "<summary>Tool call: <code>cat</code>  (failed)</summary>" in text.replace("</code> (", "</code>  (")
    assert "(a picture)" in text


def test_what_is_folded_in_markdown_cannot_end_the_fold(store: Store) -> None:
    bad = "```\n</details>\n"
    session = store.create_session("t", messages=[{**CHAT[2], "reasoning_content": bad}, {**CHAT[3], "content": bad}])
    text = written(store, "markdown", sessions=session.id).decode()
    outside = re.sub(r"^(`{3,})\n.*?^\1$", "", text, flags=re.DOTALL | re.MULTILINE)
    assert outside.count("<details>") == outside.count("</details>")


@pytest.mark.parametrize(
    ("written_text", "shown"),
    [
        ("so:\n```py\nprint(1)", "so:\n```py\nprint(1)\n```"),
        ("~~~~\n```\n~~~\nx", "~~~~\n```\n~~~\nx\n~~~~"),
        ("```\na<b>\n```\ndone", "```\na<b>\n```\ndone"),
        ("- a\n  ```\n  <b>", "- a\n  ```\n  <b>"),
        ("<!-- hidden", "&lt;!-- hidden"),
        ("</details><script>x</script>", "&lt;/details>&lt;script>x&lt;/script>"),
        ("`Vec<String>` and 1 < 2, <https://example.com>", "`Vec<String>` and 1 < 2, <https://example.com>"),
        ("``` `<i>` ``` <i>", "``` `<i>` ``` &lt;i>"),
        ("\\<script>", "\\&lt;script>"),
    ],
)
def test_what_somebody_wrote_in_markdown_does_not_reach_into_what_follows(
    store: Store, written_text: str, shown: str
) -> None:
    messages = [{"role": "user", "content": written_text}, {"role": "assistant", "content": "next"}]
    session = store.create_session("t", messages=messages)
    text = written(store, "markdown", sessions=session.id).decode()
    assert text.endswith(f"## 1. user\n\n{shown}\n\n## 2. assistant\n\nnext\n")


def test_a_session_that_is_not_there_is_an_error(store: Store) -> None:
    with pytest.raises(NotFoundError):
        written(store, "html", sessions="00000000-0000-4000-8000-000000000000")
