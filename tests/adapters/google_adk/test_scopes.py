"""The states of apps and users: changed with an event of one session, whoever dies in between or writes beside it."""

import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from google.adk.sessions import Session
from tests.adapters.google_adk.support import APP, Death, Dying, Service, changing, said

import clew
from clew.adapters.google_adk import scopes
from clew.adapters.google_adk.names import app_scope

DELTA = {"app:a": 1, "user:u": 2, "k": 3}
MOST_WRITES = 12


def killed_at(store: clew.Store, lives: int, session: Session, delta: dict[str, Any]) -> bool:
    """Whether a process that appends an event dies before its n-th write."""
    dying = Service(store)
    dying.awaited._handle.store = Killed(store, lives)  # type: ignore[assignment]
    try:
        dying.append(session, changing(delta))
    except Death:
        return True
    return False


class Killed(Dying):
    """A `Dying` store whose calls are awaited like those of the one that it stands for."""

    @property
    def aio(self) -> Any:
        return self

    async def _submit(self, call: Any, *args: Any, **kwargs: Any) -> Any:
        return call(self, *args, **kwargs)


def test_an_event_and_what_it_changes_in_all_scopes_are_there_together_wherever_its_writer_dies(
    store: clew.Store,
) -> None:
    outcomes = set()
    for lives in range(MOST_WRITES):
        service = Service(store, app=f"app {lives}")
        session = service.create("s", state={"app:a": 0, "user:u": 0, "k": 0})
        died = killed_at(store, lives, session.model_copy(deep=True), DELTA)
        service = Service(store, app=f"app {lives}")
        is_there = len(service.read("s").events) == 1
        expected = DELTA if is_there else {"app:a": 0, "user:u": 0, "k": 0}
        assert service.read("s").state == expected
        assert [listed.state for listed in service.list()] == [expected]
        assert service.user_state() == {"u": expected["user:u"]}
        assert service.create("other").state == {"app:a": expected["app:a"], "user:u": expected["user:u"]}
        outcomes.add((died, is_there))
        if not died:
            break
    assert outcomes == {(True, False), (True, True), (False, True)}


@pytest.mark.parametrize("lives", range(8))
def test_a_change_that_its_writer_did_not_live_to_make_never_undoes_a_later_one(
    file_store: clew.Store, lives: int
) -> None:
    service = Service(file_store)
    session, other = service.create("s"), service.create("other")
    killed_at(file_store, lives, session, {"app:a": "first", "user:u": "first"})
    service.change(other, app__a="second", user__u="second")
    again = service.read("s")
    service.append(again, said("go on"))
    service.change(again, app__b=1, user__b=1)
    assert service.read("s").state == {"app:a": "second", "user:u": "second", "app:b": 1, "user:b": 1}
    assert pending(file_store) == []


@pytest.mark.parametrize("lives", range(6))
def test_a_session_and_what_it_begins_with_in_all_scopes_are_there_together_wherever_its_maker_dies(
    file_store: clew.Store, lives: int
) -> None:
    service = Service(file_store)
    service.create("other", state={"app:a": 0})
    dying = Service(file_store)
    dying.awaited._handle.store = Killed(file_store, lives)  # type: ignore[assignment]
    with suppress(Death):
        dying.create("s", state=DELTA)
    made = service.get("s")
    assert service.create("third").state == ({"app:a": 0} if made is None else {"app:a": 1, "user:u": 2})
    assert made is None or made.state == DELTA


def test_what_was_announced_and_never_written_is_forgotten(file_store: clew.Store) -> None:
    service = Service(file_store)
    session = service.create("s", state={"app:a": 0, "user:u": 0})
    assert killed_at(file_store, 2, session.model_copy(deep=True), DELTA)
    assert len(pending(file_store)) == 2
    service.append(session, said("another event instead"))
    service.change(service.create("other"), app__b=1, user__b=1)
    assert pending(file_store) == []
    assert service.read("s").state == {"app:a": 0, "user:u": 0, "app:b": 1, "user:b": 1}


def test_what_a_dead_writer_changed_outlives_its_session(file_store: clew.Store) -> None:
    service = Service(file_store)
    session = service.create("s")
    assert killed_at(file_store, 5, session, {"app:a": 1, "user:u": 2})
    assert len(pending(file_store)) == 2
    service.delete("s")
    assert service.create("other").state == {"app:a": 1, "user:u": 2}


def test_what_a_dead_writer_changed_outlives_the_pruning_of_its_event_once_it_was_read(file_store: clew.Store) -> None:
    service = Service(file_store)
    session = service.create("s")
    assert killed_at(file_store, 5, session, {"app:a": 1, "user:u": 2})
    again = service.read("s")
    assert pending(file_store) == []
    for number in range(3):
        service.append(again, said(str(number)))
    assert file_store.apply_prune(file_store.plan_prune(keep_checkpoints=1)).checkpoints > 0
    assert service.read("s").state == {"app:a": 1, "user:u": 2}


def test_what_a_dead_writer_changed_is_read_where_nothing_can_be_written(tmp_path: Path) -> None:
    with clew.open(tmp_path / "clew.db") as store:
        session = Service(store).create("s")
        assert killed_at(store, 5, session, {"app:a": 1, "user:u": 2})
    with clew.open(tmp_path / "clew.db", read_only=True) as store:
        assert Service(store).read("s").state == {"app:a": 1, "user:u": 2}
        assert len(pending(store)) == 2


def test_an_event_counts_even_where_the_store_fails_after_it(file_store: clew.Store) -> None:
    service = Service(file_store)
    session = service.create("s")
    scope = file_store.update_session

    def failing(*args: Any, **kwargs: Any) -> Any:
        if len(session.events) == 0 and (kwargs.get("metadata") or {}).get("pending") == []:
            raise clew.UnavailableError("gone")
        return scope(*args, **kwargs)

    file_store.update_session = failing  # type: ignore[method-assign]
    service.change(session, app__a=1)
    assert len(session.events) == 1
    assert service.read("s").state == {"app:a": 1}
    assert service.create("other", user_id="another").state == {"app:a": 1}


def test_writers_of_one_scope_at_once_lose_nothing(store: clew.Store) -> None:
    workers, each = 4, 3
    service = Service(store)
    sessions = [service.create(f"s{worker}", user_id=f"u{worker}") for worker in range(workers)]
    failures: list[BaseException] = []

    def work(worker: int) -> None:
        try:
            own = Service(store)
            for number in range(each):
                own.append(sessions[worker], changing({f"app:{worker}.{number}": number, "app:last": worker}))
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(worker,)) for worker in range(workers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    state = service.create("after").state
    assert {f"app:{w}.{n}" for w in range(workers) for n in range(each)} == state.keys() - {"app:last"}
    assert pending(store) == []


@pytest.mark.parametrize(
    "broken",
    [
        {"state": [], "pending": []},
        {"state": {}},
        {"state": {}, "pending": [{"checkpoint": "x", "delta": {}}]},
        {"state": {}, "pending": [1]},
    ],
)
def test_a_scope_that_cannot_be_read_is_corrupt(file_store: clew.Store, broken: dict[str, Any]) -> None:
    service = Service(file_store)
    session = service.create("s", state={"app:a": 1})
    scope = file_store.find_session("google-adk", app_scope(APP).source_id)
    file_store.update_session(scope.id, metadata={**app_scope(APP).metadata, **broken})
    for call in (lambda: service.get("s"), service.list, lambda: service.change(session, app__b=1)):
        with pytest.raises(clew.CorruptStateError):
            call()


def test_names_of_any_characters_are_apart(store: clew.Store) -> None:
    """Whatever the ids are made of, they are no parts of each other's."""
    names = ['a","b', "a", "ä\0\ud800", "", '["x"]', "%", "'"]
    for user in names:
        service = Service(store, user=user)
        service.create("s", state={"user:me": [user], "k": user})
    for user in names:
        service = Service(store, user=user)
        assert service.read("s").state == {"user:me": [user], "k": user}
        assert [(listed.user_id, listed.state["k"]) for listed in service.list()] == [(user, user)]
        assert service.user_state() == {"me": [user]}
    everybody = Service(store).list(user_id=None)
    assert {listed.user_id: listed.state["user:me"] for listed in everybody} == {user: [user] for user in names}


@pytest.mark.parametrize(
    ("user", "state"),
    [
        ("u" * 2_000, {"app:a": 1, "user:u": 2}),
        ("ada", {"app:a": 1, "user:u": "x" * (clew.limits.MAX_METADATA_BYTES + 1)}),
        ("ada", {"app:a": 1, "user:u": 2, "k": "x" * (clew.limits.MAX_METADATA_BYTES + 1)}),
    ],
    ids=["user id too long", "state of the user too large", "state of the session too large"],
)
def test_a_session_that_is_refused_leaves_nothing_announced(
    file_store: clew.Store, user: str, state: dict[str, Any]
) -> None:
    service = Service(file_store)
    for _ in range(3):
        with pytest.raises(clew.InvalidRequestError):
            service.create("s", user_id=user, state=state)
    assert pending(file_store) == []
    assert service.create("s").state == {}


def pending(store: clew.Store) -> list[Any]:
    """What is announced in any scope and not made."""
    summaries = store.list_sessions(source="google-adk")
    return [change for summary in summaries for change in (summary.metadata or {}).get("pending", [])]


def test_a_scope_that_nobody_wrote_is_empty(file_store: clew.Store) -> None:
    assert scopes.read(file_store, app_scope(APP)) == {}
    assert not scopes.has_pending(file_store, app_scope(APP))
    assert file_store.list_sessions().total == 0
