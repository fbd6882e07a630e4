"""What is no clew server: refused with words that help, and the vendor's own service as far as it goes."""

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest
from tests.support.http_server import LiveServer, live_server, served

import clew
from clew import (
    InvalidRequestError,
    NotFoundError,
    RateLimitedError,
    SessionStatus,
    Store,
    UnauthorizedError,
    UnavailableError,
)
from clew.remote import open_backend as open_remote
from clew.server import create_app
from clew.testing.contract.base import active, ids, users

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


class Vendor:
    """The eight endpoints and nothing else, without a word about clew, and the requests that came."""

    def __init__(self, app: Any) -> None:
        self._app = app
        self.keys: set[str] = set()
        self.asked: list[str] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        headers = dict(scope["headers"])
        self.keys.add(headers.get(b"authorization", b"").decode())
        self.asked.append(f"{scope['method']} {scope['path']}")

        async def sent(message: Any) -> None:
            if "headers" in message:
                message = {**message, "headers": [pair for pair in message["headers"] if pair[0] != b"clew-server"]}
            await send(message)

        await self._app(scope, receive, sent)


@pytest.fixture(scope="module")
def vendors_server() -> Iterator[tuple[Vendor, LiveServer]]:
    vendors: list[Vendor] = []

    def around(app: Any) -> Vendor:
        vendors.append(Vendor(app))
        return vendors[0]

    with live_server(around) as server:
        yield vendors[0], server


class TestTheVendorsService:
    @pytest.fixture
    def behind(self) -> Iterator[Store]:
        with clew.open(":memory:") as store:
            yield store

    @pytest.fixture
    def vendor(self, vendors_server: tuple[Vendor, LiveServer]) -> Vendor:
        vendor, _ = vendors_server
        vendor.asked.clear()
        return vendor

    @pytest.fixture
    def store(self, vendors_server: tuple[Vendor, LiveServer], vendor: Vendor, behind: Store) -> Iterator[Store]:
        _, server = vendors_server
        server.switch.put(behind._backend, behind._clock)
        with clew.open(server.url, api_key=KEY) as store:
            yield store

    def test_sessions_and_checkpoints_work(self, store: Store, behind: Store, vendor: Vendor) -> None:
        made = store.create_session("Talk", messages=users("a"), metadata={"k": 1}, visibility="PUBLIC", cwd="/r")
        step = store.append(made.id, users("b"))
        full = store.create_checkpoint(made.id, users("xy"), parent_id=active(made).id, metadata={"m": 2})
        assert store.get_checkpoint(step.id).state == behind.get_checkpoint(step.id).state
        assert (step.state.messages, step.state.metadata) == (users("ab"), {"k": 1})
        assert (full.parent_id, full.state.messages) == (active(made).id, users("xy"))
        assert store.get_session(made.id).active_checkpoint == full
        assert ids(store.list_checkpoints(made.id)) == [active(made).id, step.id, full.id]
        assert store.update_session(made.id, title="Renamed").title == "Renamed"
        assert store.get_messages(step.id, start=-1) == users("b")
        store.delete_session(made.id)
        assert ids(store.list_sessions(status="DELETED")) == [made.id]
        assert store.get_session(made.id).status == SessionStatus.DELETED
        assert vendor.keys == {f"Bearer {KEY}"}

    def test_lists_go_on_to_their_end(self, store: Store) -> None:
        made = [store.create_session(str(number)).id for number in range(5)]
        found, cursor = [], None
        while True:
            page = store.list_sessions(limit=2, cursor=cursor)
            found += ids(page)
            cursor = page.next_cursor
            if cursor is None:
                break
        assert found == made[::-1]

    @pytest.mark.parametrize(
        "call",
        [
            lambda store, id: store.ensure_session("tool", "1"),
            lambda store, id: store.create_session("", id=id),
            lambda store, id: store.create_session("", session_metadata={"k": 1}),
            lambda store, id: store.find_session("tool", "1"),
            lambda store, id: store.list_sessions(cwd="/r"),
            lambda store, id: store.list_sessions(count=True),
            lambda store, id: store.update_session(id, cwd="/r"),
            lambda store, id: store.update_session(id, title="x", if_revision=1),
            lambda store, id: store.restore_session(id),
            lambda store, id: store.purge_session(id),
            lambda store, id: store.fork_session(id),
            lambda store, id: store.append(id, [], label="l"),
            lambda store, id: store.append(id, [], attachments={"f": b"1"}),
            lambda store, id: store.append(id, [], if_active=id),
            lambda store, id: store.attach(id, {"f": b"1"}),
            lambda store, id: store.set_active_checkpoint(id, id),
            lambda store, id: store.list_checkpoints([id, store.get_active_checkpoint(id).id]),
            lambda store, id: store.list_checkpoints(id, order="label"),
            lambda store, id: list(store.verify()),
            lambda store, id: store.compact(),
            lambda store, id: store.last_change(),
            lambda store, id: store.watch(),
            lambda store, id: store.list_keys(),
        ],
    )
    def test_what_it_lacks_is_refused_by_name_and_never_sent(
        self, store: Store, vendor: Vendor, call: Callable[[Store, Any], Any]
    ) -> None:
        made = store.create_session("")
        vendor.asked.clear()
        with pytest.raises(InvalidRequestError, match=r"the (server|service) at http://127.0.0.1:\d+ (has|knows) no "):
            call(store, made.id)
        assert not [asked for asked in vendor.asked if not asked.startswith("GET /v1/sessions")]

    def test_what_is_missing_there_is_not_found(self, store: Store) -> None:
        with pytest.raises(NotFoundError, match="Session 00000000-0000-0000-0000-000000000001 not found"):
            store.get_session("00000000-0000-0000-0000-000000000001")


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
