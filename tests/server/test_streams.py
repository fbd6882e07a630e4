"""Answers that are told bit by bit: what is refused before they begin, and when they end."""

import asyncio
import json
import logging
from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

import httpx2
import pytest
from tests.server.asking import asked, got

from clew import Role, Store, UnauthorizedError, Visibility
from clew.backend import ForbiddenError
from clew.server import create_app
from clew.server.callers import ANYBODY, Caller
from clew.server.routes import health
from clew.server.routes.changes import change_events
from clew.server.served import Serving


def holder(store: Store, name: str, role: Role = Role.READ) -> Serving:
    """The store as far as it is open to a new key."""
    made = store.create_key(name, role)
    return Serving(store).to(Caller(key=made.key, token=made.token))


def told(serving: Serving, session_id: UUID | None, meanwhile: Callable[[], object]) -> int:
    """How many changes are told before the stream ends; after each something happens."""

    async def listen() -> int:
        count = 0
        async for _ in change_events(serving, session_id, 0):
            count += 1
            meanwhile()
        return count

    return asyncio.run(asyncio.wait_for(listen(), 30))


class TestEvents:
    @pytest.mark.parametrize("headers", [{}, {"last-event-id": "0"}])
    def test_a_session_that_one_may_not_see_is_not_there_before_the_stream_begins(
        self, store: Store, headers: dict[str, str], caplog: pytest.LogCaptureFixture
    ) -> None:
        hidden = store.create_session("mine", owner="Ada")
        token = store.create_key("Bob", Role.READ).token
        app = create_app(store)
        for id in (hidden.id, uuid4()):
            answer = got(app, f"/v1/events?session_id={id}", authorization=f"Bearer {token}", **headers)
            assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")
        assert not [record for record in caplog.records if record.levelno >= logging.ERROR]

    def test_a_stream_ends_when_its_session_is_shown_to_others_no_more(self, store: Store) -> None:
        session = store.create_session("for all", owner="Ada", visibility=Visibility.PUBLIC)
        serving = holder(store, "Bob")
        hide = lambda: store.update_session(session.id, visibility=Visibility.PRIVATE)  # noqa: E731
        assert told(serving, session.id, hide) == 1

    def test_a_stream_ends_when_its_session_is_purged(self, store: Store) -> None:
        session = store.create_session("mine", owner="Bob")
        assert told(holder(store, "Bob"), session.id, lambda: store.purge_session(session.id)) == 1

    def test_a_stream_ends_when_its_key_is_revoked(self, store: Store) -> None:
        session = store.create_session("mine", owner="Bob")
        serving = holder(store, "Bob")
        revoke = lambda: store.revoke_key(store.list_keys()[0].id)  # noqa: E731
        assert told(serving, session.id, revoke) == 1

    def test_a_stream_of_who_needed_no_key_ends_when_the_store_gets_its_first(self, store: Store) -> None:
        store.create_session("before")

        def lock() -> None:
            store.create_key("Ada", Role.ADMIN)
            store.create_session("after")

        assert told(Serving(store), None, lock) == 1

    def test_nor_are_they_let_in_once_that_key_is_revoked(self, store: Store) -> None:
        serving = Serving(store)
        serving.check_caller()
        store.revoke_key(store.create_key("Ada", Role.ADMIN).key.id)
        with pytest.raises(UnauthorizedError):
            serving.check_caller()


class TestWaiting:
    @pytest.mark.parametrize("seconds", ["nan", "-1", "-inf", "-0.001"])
    def test_a_time_that_is_none_is_refused(self, store: Store, seconds: str) -> None:
        answer = got(create_app(store), f"/v1/changes/wait?seconds={seconds}")
        assert (answer.status_code, answer.json()["error"]["key"]) == (400, "INVALID_REQUEST")
        assert "seconds must be a number from 0 on" in answer.json()["error"]["message"]

    @pytest.mark.parametrize("seconds", ["0", "-0", "1e-3", "inf"])
    def test_any_other_is_taken(self, store: Store, seconds: str) -> None:
        assert got(create_app(store), f"/v1/changes/wait?heard=-1&seconds={seconds}").status_code == 200


class TestMaintenance:
    @pytest.mark.parametrize(("method", "path"), [("GET", "/v1/verify"), ("POST", "/v1/compact")])
    def test_whoever_is_no_admin_is_refused_before_anything_is_told(self, store: Store, method: str, path: str) -> None:
        app = create_app(store)
        answers = {
            role: asked(app, (method, path), authorization=f"Bearer {store.create_key('Ada', role).token}")[0]
            for role in Role
        }
        assert {role: answer.status_code for role, answer in answers.items()} == {
            Role.READ: 403,
            Role.WRITE: 403,
            Role.ADMIN: 200,
        }
        assert answers[Role.WRITE].json() == got(app, "/v1/keys", authorization=_bearer(store)).json()
        assert json.loads(answers[Role.ADMIN].text.splitlines()[-1]) == {"done": True}

    def test_the_whole_store_is_open_to_admins_and_while_there_is_no_key(self, store: Store) -> None:
        Serving(store).check_admin()
        holder(store, "Ada", Role.ADMIN).check_admin()
        with pytest.raises(ForbiddenError):
            holder(store, "Bob", Role.WRITE).check_admin()
        with pytest.raises(UnauthorizedError) as nobody:
            Serving(store).to(ANYBODY).check_admin()
        assert not isinstance(nobody.value, ForbiddenError)


def _bearer(store: Store) -> str:
    return f"Bearer {store.create_key('Cleo', Role.WRITE).token}"


class TestDescription:
    def test_it_is_made_once_for_an_application(self, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
        made = []

        def describe(app: Any) -> dict[str, Any]:
            made.append(app)
            return {"openapi": len(made)}

        monkeypatch.setattr(health, "describe", describe)
        one, other = create_app(store), create_app(store)
        answers: list[httpx2.Response] = asked(one, *[("GET", "/openapi.json")] * 3)
        assert [answer.json() for answer in answers] == [{"openapi": 1}] * 3
        assert {answer.headers["content-type"] for answer in answers} == {"application/json"}
        assert got(other, "/openapi.json").json() == {"openapi": 2}
