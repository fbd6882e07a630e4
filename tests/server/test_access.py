"""Who is let in."""

import asyncio
import threading
from typing import Any
from uuid import UUID
from weakref import WeakKeyDictionary

import httpx2
import pytest

from clew import Role, Store
from clew.server import create_app
from clew.server.callers import Caller
from clew.server.routes.changes import change_events
from clew.server.served import Serving

APPS: WeakKeyDictionary[Store, Any] = WeakKeyDictionary()
"""The application of each store: making one takes half a second."""

PATHS = ["/v1/sessions", "/v1/keys", "/v1/account", "/v1/events", "/nothing"]


def ask(
    store: Store,
    path: str = "/v1/sessions",
    client: str = "127.0.0.1",
    method: str = "GET",
    body: str = "",
    **headers: str,
) -> httpx2.Response:
    """The answer to a request that comes from an address."""

    async def asked() -> httpx2.Response:
        app = APPS.get(store) or APPS.setdefault(store, create_app(store))
        through = httpx2.ASGITransport(app=app, client=(client, 1))
        async with httpx2.AsyncClient(transport=through, base_url="http://localhost:8080", verify=False) as http:
            return await http.request(method, path, headers=headers, content=body.encode())

    return asyncio.run(asked())


@pytest.mark.parametrize("authorization", [None, "Bearer", "Bearer wrong", "Basic YTpi", "clew_x"])
def test_without_a_key_of_the_store_nothing_is_answered(store: Store, authorization: str | None) -> None:
    store.create_key("Ada", Role.ADMIN)
    for path in PATHS:
        answer = ask(store, path, **({} if authorization is None else {"authorization": authorization}))
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == "Bearer"
        assert "Unauthorized" in answer.json()["error"]["message"]
        assert "wrong" not in answer.text


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/openapi.json"])
def test_whether_it_runs_and_what_can_be_asked_is_told_to_everybody(store: Store, path: str) -> None:
    store.create_key("Ada", Role.ADMIN)
    assert ask(store, path, client="192.0.2.1").status_code == 200


def test_a_key_of_an_admin_is_let_in_from_anywhere_until_it_is_revoked(store: Store) -> None:
    made = store.create_key("Ada", Role.ADMIN)
    given = {"client": "192.0.2.1", "host": "clew.example", "authorization": f"bearer {made.token}"}
    assert ask(store, **given).status_code == 200
    assert ask(store, "/v1/account", **given).json()["username"] == "Ada"
    store.revoke_key(made.key.id)
    assert ask(store, **given).status_code == 401


@pytest.mark.parametrize("role", Role)
def test_a_key_is_let_in_by_header_and_by_cookie(store: Store, role: Role) -> None:
    made = store.create_key("Bob", role)
    for given in ({"authorization": f"Bearer {made.token}"}, {"cookie": f"theme=dark; clew_key={made.token}"}):
        assert ask(store, "/v1/account", client="192.0.2.1", **given).json()["username"] == "Bob"
        if "cookie" in given:
            for other in ('prefs={"x":1}', "foo bar", 'a="x', "=", "clew_key2=x"):
                assert ask(store, "/v1/account", cookie=f"{other}; {given['cookie']}").status_code == 200
    assert ask(store, cookie="clew_key=wrong").status_code == 401


def test_what_a_role_may_not_do_is_403_in_words_that_the_agent_knows(store: Store) -> None:
    made = store.create_key("Bob", Role.READ)
    answer = ask(store, "/v1/keys", authorization=f"Bearer {made.token}")
    assert (answer.status_code, answer.json()["error"]["key"]) == (403, "FORBIDDEN")
    assert "Unauthorized" in answer.json()["error"]["message"]


def test_whoever_has_no_key_reads_what_is_public_and_cannot_tell_what_else_there_is(store: Store) -> None:
    store.create_key("Ada", Role.ADMIN)
    public, private = (store.create_session("Talk", visibility=kind, owner="Ada") for kind in ("PUBLIC", "PRIVATE"))
    assert ask(store, f"/v1/sessions/{public.id}", client="192.0.2.1").json()["session"]["title"] == "Talk"
    assert ask(store, f"/v1/sessions/{public.id}", authorization="Bearer wrong").status_code == 401
    assert ask(store, f"/v1/sessions/{public.id}/append", method="POST", body='{"messages":[]}').status_code == 401
    answers = [ask(store, f"/v1/sessions/{id}") for id in (private.id, UUID(int=7))]
    assert [answer.status_code for answer in answers] == [401, 401]
    assert answers[0].content == answers[1].content


def test_of_those_without_a_key_only_some_are_worked_on_at_once_and_nobody_else_waits_for_them(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = store.create_key("Ada", Role.ADMIN).token
    public = store.create_session("Talk", visibility="PUBLIC", owner="Ada")
    begun, go_on, read = threading.Semaphore(0), threading.Event(), store._backend.get_session

    def read_slowly(session_id: UUID) -> Any:
        begun.release()
        assert go_on.wait(30)
        return read(session_id)

    monkeypatch.setattr(store._backend, "get_session", read_slowly)
    monkeypatch.setattr("clew.server.access._AT_ONCE", 2)
    app = create_app(store)

    async def asked() -> list[int]:
        through = httpx2.ASGITransport(app=app, client=("192.0.2.1", 1))
        async with httpx2.AsyncClient(transport=through, base_url="http://localhost:8080", verify=False) as http:
            path = f"/v1/sessions/{public.id}"
            slow = [asyncio.create_task(http.get(path)) for _ in range(2)]
            for _ in slow:
                assert await asyncio.to_thread(begun.acquire, timeout=30)
            refused = await http.get(path)
            others = [
                await http.get("/login"),
                await http.get("/v1/account", headers={"authorization": f"Bearer {token}"}),
            ]
            go_on.set()
            return [one.status_code for one in [*await asyncio.gather(*slow), refused, *others]]

    assert asyncio.run(asked()) == [200, 200, 429, 200, 200]


@pytest.mark.parametrize("given", [{"authorization": "Bearer wrong"}, {}])
def test_a_key_that_was_revoked_does_not_open_the_store_to_this_machine_again(
    store: Store, given: dict[str, str]
) -> None:
    store.revoke_key(store.create_key("Ada", Role.ADMIN).key.id)
    assert ask(store, **given).status_code == 401


@pytest.mark.parametrize(
    "header", ["x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "forwarded", "via", "x-real-ip"]
)
def test_while_there_is_no_key_a_proxy_on_this_machine_lets_nobody_in(store: Store, header: str) -> None:
    assert ask(store, **{header: "127.0.0.1"}).status_code == 401


def test_a_link_from_another_site_may_be_followed_to_this_machine_and_nothing_more(store: Store) -> None:
    link = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}
    assert ask(store, **link).status_code == 200
    assert ask(store, **{**link, "sec-fetch-mode": "no-cors", "sec-fetch-dest": "image"}).status_code == 401
    assert ask(store, method="POST", **link).status_code == 401


@pytest.mark.parametrize(
    "headers", [{"origin": "http://evil.example"}, {"origin": "null"}, {"sec-fetch-site": "cross-site"}]
)
def test_a_page_of_another_site_cannot_use_the_key_of_a_browser_that_has_logged_in(
    store: Store, headers: dict[str, str]
) -> None:
    cookie = f"clew_key={store.create_key('Ada', Role.ADMIN).token}"
    path, body = "/v1/sessions", '{"title":"Forged"}'
    assert ask(store, path, method="POST", body=body, cookie=cookie, **headers).status_code == 401
    assert store.list_sessions().items == []
    assert ask(store, path, method="POST", body=body, cookie=cookie, origin="http://localhost:8080").is_success


def test_a_browser_without_a_key_is_sent_to_where_it_can_log_in(store: Store) -> None:
    store.create_key("Ada", Role.ADMIN)
    answer = ask(store, "/?search=a%20b", accept="text/html,*/*")
    assert (answer.status_code, answer.headers["location"]) == (303, "/login?next=/%3Fsearch%3Da%2520b")
    assert ask(store, "/v1/sessions", accept="text/html").status_code == 401


def test_a_stream_ends_when_the_key_of_who_listens_is_revoked(store: Store) -> None:
    made = store.create_key("Ada", Role.READ)
    serving = Serving(store).to(Caller(key=made.key, token=made.token))
    store.create_session("", owner="Ada")

    async def told() -> list[Any]:
        events = []
        async for event in change_events(serving, None, 0):
            events.append(event)
            store.revoke_key(made.key.id)
        return events

    assert len(asyncio.run(told())) == 1


@pytest.mark.parametrize("client", ["127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1"])
def test_while_there_is_no_key_programs_of_this_machine_are_let_in(store: Store, client: str) -> None:
    assert ask(store, client=client, authorization="Bearer whatever").status_code == 200


@pytest.mark.parametrize("client", ["192.0.2.1", "10.0.0.1", "::ffff:192.0.2.1", "2001:db8::1", "localhost.example"])
def test_while_there_is_no_key_no_other_machine_is(store: Store, client: str) -> None:
    assert ask(store, client=client).status_code == 401


@pytest.mark.parametrize(
    "headers",
    [
        {"host": "evil.example"},
        {"host": "127.0.0.1.evil.example:80"},
        {"host": ""},
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": "http://localhost:81"},
    ],
)
def test_a_page_of_another_site_is_never_let_in_without_a_key(store: Store, headers: dict[str, str]) -> None:
    assert ask(store, **headers).status_code == 401
    assert ask(store, origin="http://localhost:8080").status_code == 200
