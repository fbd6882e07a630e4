"""What reading costs, and what damage and marks of deletion do to it."""

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from google.adk.errors.already_exists_error import AlreadyExistsError
from google.adk.sessions.base_session_service import GetSessionConfig
from tests.adapters.google_adk.support import APP, USER, Service, said, texts

import clew
from clew.adapters.google_adk import listing


class Counting:
    """A store that counts the calls of it, and the messages that are read."""

    def __init__(self, store: clew.Store) -> None:
        self._store = store
        self.calls: Counter[str] = Counter()
        self.messages = 0

    @property
    def aio(self) -> Any:
        return self

    async def _submit(self, call: Any, *args: Any, **kwargs: Any) -> Any:
        return call(self, *args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._store, name)

        def call(*args: Any, **kwargs: Any) -> Any:
            self.calls[name] += 1
            result = method(*args, **kwargs)
            if name == "get_messages":
                self.messages += len(result)
            return result

        return call


def counted(service: Service, store: clew.Store) -> Counting:
    counting = Counting(store)
    service.awaited._handle.store = counting  # type: ignore[assignment]
    return counting


def test_the_newest_events_are_read_and_no_others(file_store: clew.Store) -> None:
    service = Service(file_store)
    session = service.create("s", state={"k": 1})
    for number in range(30):
        service.append(session, said(str(number)))
    counting = counted(service, file_store)
    newest = service.read("s", config=GetSessionConfig(num_recent_events=3))
    assert (texts(newest), newest.state) == (["27", "28", "29"], {"k": 1})
    assert counting.messages == 3
    assert "get_session" not in counting.calls
    assert "get_checkpoint" not in counting.calls


def test_an_event_costs_one_write_and_no_reading_of_others(file_store: clew.Store) -> None:
    service = Service(file_store)
    session = service.create("s")
    service.append(session, said("the title"))
    counting = counted(service, file_store)
    service.append(session, said("more", "agent"))
    assert counting.calls == {"append": 1}
    counting.calls.clear()
    service.change(session, k=1)
    assert counting.calls == {"list_checkpoints": 1, "append": 1}


def test_sessions_and_states_of_another_owner_are_not_listed(file_store: clew.Store) -> None:
    service = Service(file_store)
    service.create("s", state={"n": 1, "user:n": 1})
    for mine in list(file_store.list_sessions(source="google-adk")):
        file_store.create_session(
            "hers", source="google-adk", source_id=mine.source_id, session_metadata=mine.metadata, owner="Ada"
        )
    assert [(session.id, session.state) for session in service.list(user_id=None)] == [("s", {"n": 1, "user:n": 1})]


def test_a_list_costs_pages_not_sessions(file_store: clew.Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listing, "PAGE", 10)
    service = Service(file_store)
    for number in range(25):
        session = service.create(f"s{number}", user_id=f"u{number % 5}", state={"n": number, "user:n": number % 5})
        service.append(session, said("Hello", timestamp=1000.0 - number))
    counting = counted(service, file_store)
    found = service.list(user_id=None)
    assert [session.id for session in found] == [f"s{number}" for number in reversed(range(25))]
    assert all(session.state["user:n"] == session.state["n"] % 5 for session in found)
    assert counting.calls == {"list_sessions": 5, "list_checkpoints": 3, "find_session": 1}


def test_a_list_costs_the_same_where_sessions_are_long(file_store: clew.Store) -> None:
    service, earlier = Service(file_store), ""
    for name, length in (("short", 1), ("long", 30), ("gone back", 30)):
        session = service.create(name)
        for number in range(length):
            service.change(session, n=number)
            if number == 3:
                earlier = session._storage_update_marker.partition(":")[2]
    file_store.set_active_checkpoint(file_store.get_checkpoint(earlier).session_id, earlier)
    counting = counted(service, file_store)
    assert {session.id: session.state["n"] for session in service.list()} == {"short": 0, "long": 29, "gone back": 3}
    assert counting.calls == {"list_sessions": 1, "list_checkpoints": 1, "find_session": 2}


def test_a_session_that_a_list_shows_takes_events_though_it_was_written_to_meanwhile(
    file_store: clew.Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    service, elsewhere = Service(file_store), Service(file_store)
    session = service.create("s", state={"n": 0})
    between(monkeypatch, lambda: elsewhere.change(session, n=1))
    (found,) = service.list()
    assert found.state == {"n": 1}
    service.change(found, n=2)
    assert service.read("s").state == {"n": 2}


def test_a_session_that_is_deleted_while_it_is_listed_hides_no_other(
    store: clew.Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    service, elsewhere = Service(store), Service(store)
    for name in ("a", "b", "c"):
        service.create(name)
    between(monkeypatch, lambda: elsewhere.delete("b"))
    assert sorted(session.id for session in service.list()) == ["a", "c"]


def between(monkeypatch: pytest.MonkeyPatch, write: Callable[[], object]) -> None:
    """Somebody writes once sessions have been listed, before their states are read."""
    named = listing.named

    def overtaken(*args: Any, **kwargs: Any) -> Any:
        found = list(named(*args, **kwargs))
        write()
        return iter(found)

    monkeypatch.setattr(listing, "named", overtaken)


def test_a_session_without_an_active_checkpoint_is_corrupt(file_store: clew.Store) -> None:
    service = Service(file_store)
    service.create("s")
    (stored,) = file_store.list_sessions()
    assert stored.active_checkpoint_id is not None
    file_store.delete_checkpoints(stored.id, [stored.active_checkpoint_id])
    with pytest.raises(clew.CorruptStateError):
        service.list()


def test_an_event_of_one_who_read_a_session_before_it_was_marked_deleted_is_kept(file_store: clew.Store) -> None:
    service = Service(file_store)
    session = service.create("s")
    (stored,) = file_store.list_sessions()
    file_store.delete_session(stored.id)
    service.append(session, said("Hello"))
    assert service.get("s") is None
    file_store.restore_session(stored.id)
    assert texts(service.read("s")) == ["Hello"]


def test_a_session_marked_deleted_is_not_there_until_it_is_restored(store: clew.Store) -> None:
    service = Service(store)
    service.append(service.create("s"), said("Hello"))
    stored = store.list_sessions(search="Hello").items[0]
    store.delete_session(stored.id)
    assert service.get("s") is None
    assert service.get("s", config=GetSessionConfig(num_recent_events=1)) is None
    assert service.list() == []
    with pytest.raises(AlreadyExistsError):
        service.create("s")
    store.restore_session(stored.id)
    assert texts(service.read("s")) == ["Hello"]


def test_a_deleted_session_is_gone_for_good(store: clew.Store) -> None:
    service = Service(store)
    service.append(service.create("s"), said("Hello"))
    service.delete("s")
    assert list(store.list_sessions(status="DELETED")) == []
    assert list(store.list_sessions(search="Hello")) == []
    assert service.create("s").events == []


def test_sessions_of_others_in_the_store_are_left_alone(file_store: clew.Store) -> None:
    file_store.create_session("mine", messages=[{"role": "user", "content": "Hello"}])
    file_store.create_session("another's", source="another", source_id="s", session_metadata={"app_name": APP})
    service = Service(file_store)
    service.create("s")
    assert [session.id for session in service.list(user_id=None)] == ["s"]


def test_what_clew_shows_of_a_session(file_store: clew.Store) -> None:
    service = Service(file_store)
    session = service.create("s-1")
    stored = file_store.list_sessions().items[0]
    assert (stored.title, stored.source) == (f"{APP}: s-1", "google-adk")
    assert stored.metadata == {"kind": "session", "app_name": APP, "user_id": USER, "session_id": "s-1"}
    service.append(session, said("What is\nthe weather?"))
    service.append(session, said("Sunny.", "agent"))
    service.append(session, said("Thanks."))
    stored = file_store.get_session_summary(stored.id)
    assert stored.title == "What is the weather?"
    messages = file_store.get_session(stored.id).active_checkpoint.state.messages  # type: ignore[union-attr]
    assert [(m["role"], m["content"]) for m in messages] == [
        ("user", "What is\nthe weather?"),
        ("assistant", "Sunny."),
        ("user", "Thanks."),
    ]


def test_a_state_that_is_no_object_is_corrupt(file_store: clew.Store) -> None:
    service = Service(file_store)
    service.create("s")
    stored = file_store.list_sessions().items[0]
    file_store.append(stored.id, [], metadata=["no object"])
    newest = GetSessionConfig(num_recent_events=1)
    for call in (lambda: service.get("s"), lambda: service.get("s", config=newest), service.list):
        with pytest.raises(clew.CorruptStateError):
            call()


def test_a_name_that_is_none_is_corrupt(file_store: clew.Store) -> None:
    service = Service(file_store)
    metadata = {"kind": "session", "app_name": APP, "user_id": USER}
    file_store.create_session("x", source="google-adk", source_id="no JSON", session_metadata=metadata)
    with pytest.raises(clew.CorruptStateError):
        service.list()


def test_ids_that_are_no_text_are_refused(file_store: clew.Store) -> None:
    with pytest.raises(clew.InvalidRequestError, match="user_id"):
        Service(file_store).create("s", user_id=1)
    assert file_store.list_sessions().total == 0
