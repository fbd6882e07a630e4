"""A request sent again with its `Idempotency-Key` gets the answer it had, and is not carried out again."""

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx2
import pytest
from tests.server.asking import asked, spoken

from clew import Session, Store, limits
from clew.server import create_app
from clew.server.callers import LOCAL, name_caller
from clew.server.idempotency import Repeats
from clew.testing.contract.base import users

KEY = {"Idempotency-Key": "once"}


@pytest.fixture(autouse=True)
def a_key_of_its_own(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """The server remembers for the whole run."""
    monkeypatch.setitem(KEY, "Idempotency-Key", request.node.nodeid)


@pytest.fixture
def talk(store: Store) -> Session:
    return store.create_session("talk", messages=users("a"))


def append(client: httpx2.Client, talk: Session, text: str = "b", **headers: str) -> httpx2.Response:
    return client.post(f"/v1/sessions/{talk.id}/append", json={"messages": users(text)}, headers={**KEY, **headers})


def test_a_repeated_request_gets_its_answer_again_and_changes_nothing(
    client: httpx2.Client, store: Store, talk: Session
) -> None:
    first, again = append(client, talk), append(client, talk)
    assert first.headers.pop("x-request-id") != again.headers.pop("x-request-id")  # each request has its own
    assert (again.status_code, again.content, again.headers) == (first.status_code, first.content, first.headers)
    assert store.get_session(talk.id).revision == 2


def test_without_a_key_every_request_is_carried_out(client: httpx2.Client, store: Store, talk: Session) -> None:
    for _ in range(2):
        client.post(f"/v1/sessions/{talk.id}/append", json={"messages": users("b")})
    assert store.get_session(talk.id).revision == 3


def test_a_key_with_another_body_is_a_conflict(client: httpx2.Client, store: Store, talk: Session) -> None:
    append(client, talk)
    other = append(client, talk, "c")
    assert (other.status_code, other.json()["error"]["key"]) == (409, "CONFLICT")
    assert store.get_session(talk.id).revision == 2


def test_a_key_belongs_to_an_address_and_to_who_asks(client: httpx2.Client, store: Store, talk: Session) -> None:
    other = store.create_session("other", messages=users("a"))
    for token in [store.create_key("Ada", "admin").token for _ in range(2)]:
        append(client, talk, Authorization=f"Bearer {token}")
        append(client, talk, Cookie=f"clew_key={token}")  # whoever it is: how they say so is all the same
        append(client, other, Authorization=f"Bearer {token}")
    assert (store.get_session(talk.id).revision, store.get_session(other.id).revision) == (3, 3)


def test_a_refusal_is_remembered_too(client: httpx2.Client, store: Store, talk: Session) -> None:
    wrong = {"messages": [], "label": "x"}
    path = f"/v1/sessions/{talk.id}/append"
    store.append(talk.id, [], label="x")
    assert client.post(path, json=wrong, headers=KEY).status_code == 409
    store.set_label(store.get_active_checkpoint(talk.id).id, None)
    assert client.post(path, json=wrong, headers=KEY).status_code == 409


def test_what_the_server_failed_to_do_is_tried_again(
    client: httpx2.Client, store: Store, talk: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise RuntimeError("once")

    with monkeypatch.context() as patch:
        patch.setattr(store._backend, "write_checkpoint", fail)
        assert append(client, talk).status_code == 500
    assert append(client, talk).status_code == 201
    assert store.get_session(talk.id).revision == 2


def test_a_request_that_is_still_under_way_is_waited_for(
    client: httpx2.Client, store: Store, talk: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    write, begun, go_on = store._backend.write_checkpoint, threading.Event(), threading.Event()

    def slowly(*arguments: Any) -> Any:
        begun.set()
        assert go_on.wait(30)
        return write(*arguments)

    monkeypatch.setattr(store._backend, "write_checkpoint", slowly)
    with ThreadPoolExecutor() as threads:
        first = threads.submit(append, client, talk)
        assert begun.wait(30)
        again = threads.submit(append, client, talk)
        go_on.set()
        assert first.result().content == again.result().content
    assert store.get_session(talk.id).revision == 2


@pytest.mark.parametrize("name", ["MAX_KEPT_ANSWERS", "MAX_KEPT_ANSWER_BYTES", "KEPT_ANSWER_SECONDS"])
def test_answers_are_kept_neither_for_ever_nor_without_limit(
    client: httpx2.Client, store: Store, talk: Session, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(limits, name, 0 if name != "KEPT_ANSWER_SECONDS" else -1.0)
    for _ in range(2):
        assert append(client, talk).status_code == 201
    assert store.get_session(talk.id).revision == 3


def test_a_key_has_a_limit(client: httpx2.Client, talk: Session) -> None:
    answer = append(client, talk, **{"Idempotency-Key": "k" * 256})
    assert (answer.status_code, answer.json()["error"]["key"]) == (400, "INVALID_REQUEST")


def test_being_asked_to_come_back_later_is_no_answer_to_keep() -> None:
    """A store that is itself behind a server may be asked to slow down."""
    statuses = [429, 201]

    async def busy(_scope: Any, _receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": statuses.pop(0), "headers": []})
        await send({"type": "http.response.body", "body": b""})

    app = Repeats(busy, 100)
    scope = dict(name_caller({"method": "POST", "headers": [(b"idempotency-key", b"1")]}, LOCAL))
    assert [spoken(app, scope)[0]["status"] for _ in range(3)] == [429, 201, 201]


def test_whoever_has_no_key_has_nothing_kept_and_takes_no_room(
    store: Store, talk: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "MAX_KEPT_ANSWERS", 1)
    app, token = create_app(store), store.create_key("Ada", "admin").token

    def append_again() -> None:
        headers = {"authorization": f"Bearer {token}", "idempotency-key": "1"}
        asked(app, ("POST", f"/v1/sessions/{talk.id}/append"), content='{"messages":[{}]}', **headers)

    append_again()
    for number in range(3):
        asked(app, ("POST", "/logout"), **{"idempotency-key": str(number)})
    append_again()
    assert store.get_session(talk.id).revision == 2


def test_a_key_for_another_form_of_the_answer_is_a_conflict(client: httpx2.Client, talk: Session) -> None:
    append(client, talk)
    assert append(client, talk, Accept="application/msgpack").status_code == 409


def test_what_is_kept_is_not_looked_through_for_each_request(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = 0

    def counted(kept: Any) -> bool:
        nonlocal asked
        asked += 1
        return False

    async def done(_scope: Any, _receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 201, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    monkeypatch.setattr("clew.server.idempotency._is_old", counted)
    app = Repeats(done, 100)
    for number in range(200):
        headers = [(b"idempotency-key", str(number).encode())]
        spoken(app, dict(name_caller({"method": "POST", "headers": headers}, LOCAL)))
    assert asked <= 3 * 200
