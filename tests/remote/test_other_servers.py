"""What is no clew server is refused with words that help."""

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from tests.support.http_server import LiveServer, served

import clew
from clew import (
    InvalidRequestError,
    NotFoundError,
    RateLimitedError,
    Store,
    UnauthorizedError,
    UnavailableError,
)
from clew.remote import open_backend as open_remote
from clew.server import create_app
from clew.testing.contract.base import users

KEY = "clew_a-secret"

App = Callable[[Any, Any, Any], Awaitable[None]]


def answering(status: int, body: bytes, **headers: str) -> App:
    """An application that always says the same."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        given = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
        await send({"type": "http.response.start", "status": status, "headers": given})
        await send({"type": "http.response.body", "body": body})

    return app


FAILURE = json.dumps({"error": {"key": "UNAUTHORIZED", "message": "Unauthorized: invalid API key"}}).encode()

NOT_CLEW: dict[str, tuple[App, type[Exception], str]] = {
    "a web page": (answering(200, b"<html>", content_type="text/html"), UnavailableError, "text/html"),
    "nothing": (answering(200, b""), UnavailableError, "does not answer as a clew server does"),
    "other JSON": (answering(200, b'{"hello":1}'), UnavailableError, "does not answer as a clew server does"),
    "a page that is missing": (answering(404, b"<html>", content_type="text/html"), UnavailableError, "no server of"),
    "a redirect": (answering(301, b"", location="https://elsewhere/"), UnavailableError, "redirect"),
    "a broken server": (answering(500, b"oops"), UnavailableError, "status 500"),
    "a refusal": (answering(401, b""), UnauthorizedError, "is the API key right"),
    "a refusal in JSON": (answering(401, FAILURE), UnauthorizedError, "invalid API key"),
    "a proxy that refuses": (answering(403, b"<html>"), UnauthorizedError, "status 403"),
}


class TestWhatIsNoServerOfSessions:
    @pytest.mark.parametrize(("app", "error", "text"), NOT_CLEW.values(), ids=NOT_CLEW)
    def test_it_is_refused_when_it_is_opened(self, app: App, error: type[Exception], text: str) -> None:
        with served(app) as url, pytest.raises(error, match=text) as caught:
            clew.open(url, api_key=KEY)
        assert KEY not in f"{caught.value!r} {caught.value.__cause__!r}"

    def test_where_nothing_listens_it_is_unavailable(self) -> None:
        with served(answering(200, b"")) as url:
            pass
        with pytest.raises(UnavailableError, match="cannot be reached"):
            clew.open(url, busy_timeout=0)

    @pytest.mark.parametrize(
        "url",
        ["https://", "http://user:pw@host", "https://host?key=1", "https://host#x", "http://host:99999", "http://["],
    )
    def test_an_address_that_leads_nowhere_is_refused(self, url: str) -> None:
        with pytest.raises(InvalidRequestError):
            clew.open(url)


ACCOUNT = json.dumps(dict.fromkeys(("username", "id", "first_name", "last_name", "email"), "")).encode()


class InTurn:
    """Applications that answer one after the other, the last one again and again."""

    def __init__(self, *apps: App) -> None:
        self._apps = list(apps)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            app = self._apps.pop(0) if len(self._apps) > 1 else self._apps[0]
            await app(scope, receive, send)


class TestServersThatAreBusy:
    def test_what_is_asked_again_is_asked_when_the_server_says(self) -> None:
        busy = [answering(502, b"a proxy"), answering(504, b""), answering(429, b"", retry_after="0")]
        with served(InTurn(*busy, answering(200, ACCOUNT))) as url, clew.open(url, busy_timeout=30) as store:
            assert store.backend_info().endpoint == url

    @pytest.mark.parametrize("headers", [{}, {"retry_after": "3600"}, {"retry_after": "Mon, 23 Nov 2026 00:00:00 GMT"}])
    def test_who_would_wait_too_long_is_told_so(self, headers: dict[str, str]) -> None:
        with served(answering(429, b"", **headers)) as url, pytest.raises(RateLimitedError, match="429"):
            clew.open(url)


class TestKeys:
    @pytest.mark.parametrize("key", ["", "two words", "ünïcode", "line\nbreak", 1, b"bytes"])
    def test_what_cannot_be_a_key_is_refused_and_not_repeated(self, http_server: LiveServer, key: Any) -> None:
        with pytest.raises(InvalidRequestError, match="api_key") as caught:
            clew.open(http_server.url, api_key=key)
        assert not key or str(key) not in str(caught.value)

    def test_a_key_is_for_servers_only(self) -> None:
        with pytest.raises(InvalidRequestError, match="api_key"):
            clew.open(":memory:", api_key=KEY)

    def test_the_key_is_in_nothing_that_is_shown(
        self, http_server: LiveServer, behind: Store, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        caplog.set_level(logging.DEBUG)
        monkeypatch.setenv("CLEW_API_KEY", KEY)
        with clew.open(http_server.url) as store:
            with pytest.raises(NotFoundError) as caught:
                store.get_session("00000000-0000-0000-0000-000000000000")
            shown = [repr(store), repr(store._backend), repr(vars(store._backend)), repr(store.backend_info())]
        assert caplog.text
        assert KEY not in f"{shown} {caplog.text} {caught.value!r} {caught.value.__cause__!r}"


def test_a_read_only_store_sends_no_write(http_server: LiveServer, behind: Store) -> None:
    made = behind.create_session("", messages=users("a"))
    with Store(open_remote(http_server.url, busy_timeout=30, read_only=True)) as store:
        assert store.get_session(made.id) == made
        with pytest.raises(InvalidRequestError, match="read-only"):
            store.append(made.id, [])


async def _titles(url: str) -> list[str]:
    async with clew.open_async(url, api_key=KEY) as store:
        return [item.title for item in await store.list_sessions()]


def test_a_store_over_http_is_awaited_like_any_other(http_server: LiveServer, behind: Store) -> None:
    behind.create_session("awaited")
    assert asyncio.run(_titles(http_server.url)) == ["awaited"]


def test_whatever_path_a_server_has_is_kept(behind: Store) -> None:
    inner = create_app(behind)

    async def below(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            path = scope["raw_path"].removeprefix(b"/team/clew")
            assert path != scope["raw_path"]
            scope = {**scope, "raw_path": path}
        await inner(scope, receive, send)

    with served(below) as url, clew.open(f"{url}/team/clew/") as store:
        assert store.create_session("here").title == "here"
        assert store.backend_info().endpoint == f"{url}/team/clew"
        assert next(iter(store.verify()), None) is None
