"""What every answer tells browsers."""

from typing import Any

import pytest
from tests.server.asking import got, spoken

from clew import Role, Store
from clew.server import create_app
from clew.server.headers import SafeHeaders

SAFE = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}
POLICY = "default-src 'none'; frame-ancestors 'none'"


def answering(headers: list[tuple[bytes, bytes]], **scope: Any) -> dict[bytes, bytes]:
    """The headers that an answer with these has in the end."""

    async def app(_scope: Any, _receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b""})

    said = spoken(SafeHeaders(app), scope)[0]["headers"]
    assert len({name for name, _ in said}) == len(said)  # none is there twice
    return dict(said)


@pytest.mark.parametrize(
    ("path", "status"),
    [("/v1/sessions", 200), ("/healthz", 200), ("/nothing", 404), ("/v1/changes?after=x", 400), ("/openapi.json", 200)],
)
def test_every_answer_of_the_api_has_them_errors_too(store: Store, path: str, status: int) -> None:
    answer = got(create_app(store), path)
    assert answer.status_code == status
    assert {name: answer.headers[name] for name in SAFE} == SAFE
    if path.startswith("/v1/"):
        assert answer.headers["content-security-policy"] == POLICY


def test_who_is_not_let_in_or_asks_too_often_gets_them_too(store: Store) -> None:
    store.create_key("Ada", Role.ADMIN)
    app = create_app(store)
    for status in [401] * 10 + [429]:
        answer = got(app, authorization="Bearer wrong")
        assert answer.status_code == status
        assert SAFE.items() <= dict(answer.headers).items()
        assert answer.headers["content-security-policy"] == POLICY


def test_what_an_answer_says_itself_is_left_as_it_is() -> None:
    own = [(b"Content-Security-Policy", b"default-src 'self'"), (b"cache-control", b"max-age=60")]
    headers = answering(own, path="/v1/sessions")
    assert set(own) <= headers.items()
    assert b"content-security-policy" not in headers
    assert headers[b"x-frame-options"] == b"DENY"


def test_what_is_stored_is_kept_by_no_browser_and_no_proxy() -> None:
    assert answering([], path="/v1/sessions")[b"cache-control"] == b"no-store"
    assert b"cache-control" not in answering([], path="/static/style.css")


def test_that_only_tls_will_do_is_said_over_tls_alone() -> None:
    assert b"strict-transport-security" in answering([], scheme="https")
    assert b"strict-transport-security" not in answering([], scheme="http")
