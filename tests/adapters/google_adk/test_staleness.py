"""Writers of one session: who is refused, and who is not. Revisions decide, clocks never."""

import asyncio

import pytest
from google.adk.errors import StaleSessionError
from google.adk.errors.already_exists_error import AlreadyExistsError
from google.adk.sessions import Session
from google.adk.sessions.base_session_service import GetSessionConfig
from tests.adapters.google_adk.support import APP, USER, Service, changing, said, texts

import clew


@pytest.mark.parametrize("moved", [-100.0, 0.0, 100.0], ids=["earlier", "same time", "later"])
def test_of_two_who_read_the_same_the_second_is_stale(store: clew.Store, moved: float) -> None:
    service = Service(store)
    first = service.create("s")
    second = first.model_copy(deep=True)
    service.append(first, said("first", timestamp=first.last_update_time + 1))
    event = changing({"k": 1, "app:k": 2}, timestamp=first.last_update_time + moved)
    with pytest.raises(StaleSessionError, match="modified in storage") as caught:
        service.append(second, event)
    assert isinstance(caught.value.__cause__, clew.ConflictError)
    assert second.events == []
    stored = service.read("s")
    assert (texts(stored), stored.state) == (["first"], {})
    service.append(stored, event)
    assert service.read("s").state == {"k": 1, "app:k": 2}


def test_nobody_is_stale_who_was_the_last_to_write(store: clew.Store) -> None:
    service = Service(store)
    session = service.create("s")
    for number in range(3):
        service.append(session, said(f"own {number}"))
        service.append(service.read("s"), said(f"fresh {number}"))
        session = service.list()[0]
    assert len(service.read("s").events) == 6


def test_what_moves_no_event_makes_nobody_stale(file_store: clew.Store) -> None:
    service = Service(file_store)
    session = service.create("s")
    service.append(session, said("Hello"))
    other = service.create("other")
    service.change(other, app__k=1, user__k=2)
    stored = file_store.list_sessions(search="Hello").items[0]
    file_store.update_session(stored.id, title="Another title")
    service.append(session, said("go on"))


def test_order_is_that_of_appending_when_clocks_go_back_or_stand(store: clew.Store) -> None:
    service = Service(store)
    session = service.create("s")
    for number, moment in enumerate([50.0, 40.0, 40.0, 40.0, 60.0, 10.0]):
        service.append(session, said(str(number), timestamp=moment))
    back = service.read("s")
    assert texts(back) == list("012345")
    assert back.last_update_time == 10.0
    assert texts(service.read("s", config=GetSessionConfig(num_recent_events=2))) == ["4", "5"]
    assert texts(service.read("s", config=GetSessionConfig(after_timestamp=40.0))) == list("01234")


@pytest.mark.parametrize("moment", [-1e9, 0.0, 1e18, 1e300], ids=["before 1970", "zero", "no year", "huge"])
def test_times_that_no_calendar_has_are_kept(file_store: clew.Store, moment: float) -> None:
    service = Service(file_store)
    session = service.create("s")
    service.append(session, said("when?", timestamp=moment))
    service.append(session, said("then", timestamp=moment))
    assert service.read("s") == session
    assert session.last_update_time == moment
    assert [listed.id for listed in service.list()] == ["s"]


def test_one_object_takes_events_of_many_tasks_at_once(store: clew.Store) -> None:
    service = Service(store)
    session = service.create("s")

    async def main() -> None:
        await asyncio.gather(*(service.awaited.append_event(session, said(str(n))) for n in range(12)))

    asyncio.run(main())
    back = service.read("s")
    assert sorted(texts(back), key=int) == [str(n) for n in range(12)]
    assert session.events == back.events


def by_hand(session: Session, **changes: object) -> Session:
    """A session as a program would make it, or have it from JSON: nothing says where it was read."""
    made = Session.model_validate_json(session.model_dump_json()).model_copy(update=changes)
    assert made._storage_update_marker is None
    return made


def test_a_session_made_by_hand_is_current_where_it_ends_with_the_stored_event(store: clew.Store) -> None:
    service = Service(store)
    session = service.create("s")
    service.append(Session(id="s", app_name=APP, user_id=USER), said("one"))
    session = service.read("s")
    service.append(by_hand(session, last_update_time=0.0), said("two"))
    with pytest.raises(StaleSessionError):
        service.append(by_hand(session, last_update_time=9e9), said("three"))
    with pytest.raises(StaleSessionError):
        service.append(Session(id="s", app_name=APP, user_id=USER), said("three"))
    session = service.read("s")
    service.append(by_hand(session, events=[]), said("three"))
    assert texts(service.read("s")) == ["one", "two", "three"]


def test_a_mark_of_another_service_is_stale(file_store: clew.Store) -> None:
    service = Service(file_store)
    session = service.create("s")
    session._storage_update_marker = "2026-01-01T00:00:00.000000+00:00"
    with pytest.raises(StaleSessionError, match="not read from clew"):
        service.append(session, said("Hello"))


def test_an_event_whose_answer_was_lost_is_appended_once(store: clew.Store) -> None:
    """Its writer never learned that it was stored, and appends it again from what it knows."""
    service = Service(store)
    session = service.create("s", state={"app:n": 0})
    knows = session.model_copy(deep=True)
    event = changing({"app:n": 1, "k": 1})
    service.append(session, event)
    service.change(service.create("other"), app__n=2)
    service.append(knows, event)
    assert len(knows.events) == 1
    assert service.read("s").events == [event]
    assert service.read("s").state == {"app:n": 2, "k": 1}
    service.append(knows, said("go on"))
    service.append(knows, knows.events[-1])
    assert len(service.read("s").events) == len(knows.events) == 2


def test_another_event_of_the_same_id_is_refused(store: clew.Store) -> None:
    service = Service(store)
    session = service.create("s")
    service.append(session, said("one", id="e"))
    with pytest.raises(AlreadyExistsError, match="e"):
        service.append(session, said("two", id="e"))
    service.append(session, said("three"))
    assert texts(service.read("s")) == ["one", "three"]


def test_a_session_made_anew_is_another_one(file_store: clew.Store) -> None:
    service, elsewhere = Service(file_store), Service(file_store)
    session = service.create("s")
    service.append(session, said("old"))
    elsewhere.delete("s")
    elsewhere.append(elsewhere.create("s"), said("new"))
    with pytest.raises(StaleSessionError):
        service.append(session, said("more"))
    assert texts(service.read("s")) == ["new"]
    assert texts(service.read("s", config=GetSessionConfig(num_recent_events=5))) == ["new"]


def test_going_back_in_clew_is_a_write(file_store: clew.Store) -> None:
    service = Service(file_store)
    session = service.create("s")
    service.change(session, k=1)
    first = session._storage_update_marker.partition(":")[2]
    service.change(session, k=2)
    stored = file_store.get_checkpoint(first).session_id
    file_store.set_active_checkpoint(stored, first)
    assert service.read("s").state == {"k": 1}
    assert service.read("s", config=GetSessionConfig(num_recent_events=1)).state == {"k": 1}
    assert [listed.state for listed in service.list()] == [{"k": 1}]
    with pytest.raises(StaleSessionError):
        service.append(session, said("too late"))
    again = service.read("s")
    service.change(again, j=3)
    assert service.read("s").state == {"k": 1, "j": 3}
