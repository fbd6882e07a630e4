"""What every session service of ADK owes its callers, over each store: the promises of the suite of ADK's own."""

import time

import pytest
from google.adk.errors.already_exists_error import AlreadyExistsError
from google.adk.errors.session_not_found_error import SessionNotFoundError
from google.adk.events import Event, EventActions
from google.adk.sessions.base_session_service import GetSessionConfig
from google.adk.tools.tool_confirmation import ToolConfirmation
from google.genai import types
from tests.adapters.google_adk.support import Service, changing, said, texts

import clew


@pytest.fixture
def service(store: clew.Store) -> Service:
    return Service(store)


def test_a_session_that_is_not_there_is_none(service: Service) -> None:
    assert service.get("nobody") is None


def test_a_created_session_is_read_back_equal_and_deleted(service: Service) -> None:
    before = time.time()
    made = service.create(state={"key": "value"})
    assert (made.app_name, made.user_id, made.state, made.events) == ("weather", "ada", {"key": "value"}, [])
    assert before - 1e-6 <= made.last_update_time <= time.time()
    assert service.read(made.id) == made
    service.delete(made.id)
    assert service.get(made.id) is None
    service.delete(made.id)


def test_created_sessions_are_listed_with_their_states(service: Service) -> None:
    for number in range(5):
        service.create(f"s{number}", state={"number": number, "app:shared": "yes"})
    assert {session.id: session.state for session in service.list()} == {
        f"s{number}": {"number": number, "app:shared": "yes"} for number in range(5)
    }


def test_the_list_begins_with_what_was_written_to_longest_ago(service: Service) -> None:
    for name in ("a", "b", "c"):
        service.create(name)
    first = service.read("a")
    service.append(first, said("late", timestamp=first.last_update_time + 10))
    assert [session.id for session in service.list()] == ["b", "c", "a"]
    assert [session.last_update_time for session in service.list()][-1] == pytest.approx(
        first.last_update_time, abs=1e-6
    )
    service.append(service.read("c"), said("at the same time", timestamp=first.last_update_time))
    assert [session.id for session in service.list()] == ["b", "a", "c"]


def test_a_list_of_all_users_merges_the_state_of_each(service: Service) -> None:
    service.create("one", user_id="u1", state={"k": 1, "user:name": "Ada"})
    service.create("two", user_id="u1", state={"k": 2})
    service.create("three", user_id="u2", state={"k": 3})
    assert {session.id: session.state for session in service.list(user_id=None)} == {
        "one": {"k": 1, "user:name": "Ada"},
        "two": {"k": 2, "user:name": "Ada"},
        "three": {"k": 3},
    }
    assert [session.id for session in service.list(user_id="u2")] == ["three"]
    assert service.list(user_id="") == []
    assert service.list(app_name="another") == []


def test_listed_sessions_have_no_events(service: Service) -> None:
    service.append(service.create("s"), said("Hello"))
    assert [session.events for session in service.list()] == [[]]


def test_app_state_is_shared_by_all_users(service: Service) -> None:
    first = service.create("s1", user_id="u1", state={"app:k1": "v1"})
    service.change(first, app__k2="v2")
    assert service.create("s2", user_id="u2").state == {"app:k1": "v1", "app:k2": "v2"}
    assert service.read("s1", user_id="u1").state == {"app:k1": "v1", "app:k2": "v2"}
    assert service.create("s3", app_name="another").state == {}


def test_user_state_is_shared_by_the_sessions_of_the_user(service: Service) -> None:
    first = service.create("s1", user_id="u1", state={"user:k1": "v1"})
    service.change(first, user__k2="v2")
    assert service.create("s1b", user_id="u1").state == {"user:k1": "v1", "user:k2": "v2"}
    assert service.create("s2", user_id="u2").state == {}


def test_session_state_is_the_sessions_own(service: Service) -> None:
    first = service.create("s1", state={"k1": "v1"})
    service.change(first, k2="v2")
    assert service.read("s1").state == {"k1": "v1", "k2": "v2"}
    assert service.create("s2").state == {}


def test_an_object_in_a_delta_replaces_the_stored_one(service: Service) -> None:
    session = service.create("s", state={"profile": {"name": "ada", "role": "admin"}})
    service.change(session, profile={"name": "bob"})
    assert service.read("s").state == session.state == {"profile": {"name": "bob"}}


def test_none_in_a_delta_is_stored(service: Service) -> None:
    session = service.create("s", state={"flag": True})
    service.change(session, flag=None)
    assert service.read("s").state == session.state == {"flag": None}


def test_booleans_stay_booleans_beside_another_delta(service: Service) -> None:
    session = service.create("s", state={"flag": False})
    service.change(session, new=True)
    state = service.read("s").state
    assert (state["flag"], state["new"]) == (False, True)
    assert isinstance(state["flag"], bool)


def test_an_object_in_a_delta_of_the_app_replaces_the_stored_one(service: Service) -> None:
    session = service.create("s", state={"app:cfg": {"name": "ada", "role": "admin"}})
    service.change(session, app__cfg={"name": "bob"})
    assert service.create("s2", user_id="u2").state == session.state == {"app:cfg": {"name": "bob"}}


def test_none_in_a_delta_of_the_user_is_stored(service: Service) -> None:
    session = service.create("s", state={"user:pref": "dark"})
    service.change(session, user__pref=None)
    assert service.create("s2").state == session.state == {"user:pref": None}


def test_temporary_state_is_in_the_session_at_hand_and_nowhere_else(service: Service) -> None:
    session = service.create("s", state={"temp:at first": 1})
    event = service.change(session, temp__k1="v1", k="v2")
    assert (session.state["temp:k1"], session.state["k"]) == ("v1", "v2")
    assert event.actions.state_delta == {"k": "v2"}
    stored = service.read("s")
    assert stored.state == {"k": "v2"}
    assert stored.events[0].actions.state_delta == {"k": "v2"}


def test_temporary_state_of_one_event_is_there_for_the_next(service: Service) -> None:
    session = service.create("s")
    service.change(session, temp__output="one")
    service.append(session, said("two", "agent"))
    assert session.state == {"temp:output": "one"}


def test_users_have_sessions_of_the_same_id(service: Service) -> None:
    service.append(service.create("s", user_id="u1"), said("Hello"))
    service.create("s", user_id="u2")
    assert service.read("s", user_id="u2").events == []
    assert texts(service.read("s", user_id="u1")) == ["Hello"]


def test_an_id_is_taken_once(service: Service) -> None:
    service.create("s", state={"keep": 1})
    for again in ("s", "  s\n"):
        with pytest.raises(AlreadyExistsError):
            service.create(again, state={"keep": 2, "app:other": 1, "user:other": 1})
    assert service.read("s").state == {"keep": 1}


def test_white_space_around_an_id_does_not_count(service: Service) -> None:
    assert service.create("order-42\n", state={"cart": "book"}).id == "order-42"
    for name in ("order-42\n", "order-42"):
        assert service.read(name).state == {"cart": "book"}
    service.delete(" order-42")
    assert service.get("order-42") is None


def test_an_id_of_white_space_is_none(service: Service) -> None:
    assert service.create("   ").id.strip()
    assert service.create("").id.strip()


def test_bytes_in_an_event_come_back(service: Service) -> None:
    content = types.Content(role="user", parts=[types.Part.from_bytes(data=b"\x00\xff?>", mime_type="image/png")])
    entry = types.SearchEntryPoint(sdk_blob=b"\xfe\x00blob")
    event = said("", content=content, grounding_metadata=types.GroundingMetadata(search_entry_point=entry))
    service.append(service.create("s"), event)
    assert service.read("s").events == [event]


def test_an_event_with_everything_comes_back(service: Service) -> None:
    session = service.create("s")
    event = Event(
        invocation_id="invocation",
        author="user",
        content=types.Content(role="user", parts=[types.Part(text="text")]),
        turn_complete=True,
        partial=False,
        actions=EventActions(
            artifact_delta={"file": 0}, transfer_to_agent="agent", escalate=True, state_delta={"a": None, "b": [1.5]}
        ),
        long_running_tool_ids={"tool1", "tool2"},
        error_code="code",
        error_message="message",
        interrupted=True,
        grounding_metadata=types.GroundingMetadata(web_search_queries=["query"]),
        usage_metadata=types.GenerateContentResponseUsageMetadata(prompt_token_count=1, total_token_count=2),
        citation_metadata=types.CitationMetadata(),
        custom_metadata={"key": {"nothing": None}},
        timestamp=1700000000.123,
        input_transcription=types.Transcription(text="in", finished=True),
        output_transcription=types.Transcription(text="out", finished=True),
    )
    service.append(session, event)
    assert service.read("s") == session


def test_requested_confirmations_of_tools_come_back(service: Service) -> None:
    asked = ToolConfirmation(hint="hint", confirmed=False, payload={"album": "album_1"})
    event = Event(
        invocation_id="i", author="user", actions=EventActions(requested_tool_confirmations={"call_1": asked})
    )
    service.append(service.create("s"), event)
    assert service.read("s").events[0].actions.requested_tool_confirmations == {"call_1": asked}


@pytest.mark.parametrize("moved", [10, 0.1234567, -1e6])
def test_the_time_of_a_session_is_that_of_its_last_event(service: Service, moved: float) -> None:
    session = service.create("s")
    event = said("now", timestamp=session.last_update_time + moved)
    service.append(session, event)
    assert session.last_update_time == service.read("s").last_update_time == event.timestamp
    newest = service.read("s", config=GetSessionConfig(num_recent_events=0))
    assert newest.last_update_time == event.timestamp


def test_a_configuration_chooses_events(service: Service) -> None:
    session = service.create("s")
    for number in range(1, 6):
        service.append(session, said(str(number), timestamp=float(number)))

    def chosen(**config: float) -> list[str]:
        return texts(service.read("s", config=GetSessionConfig(**config)))

    assert chosen() == ["1", "2", "3", "4", "5"]
    assert chosen(num_recent_events=3) == ["3", "4", "5"]
    assert chosen(num_recent_events=9) == ["1", "2", "3", "4", "5"]
    assert chosen(num_recent_events=0) == []
    assert chosen(after_timestamp=4.0) == ["4", "5"]
    assert chosen(after_timestamp=0.0) == ["1", "2", "3", "4", "5"]
    assert chosen(after_timestamp=2.0, num_recent_events=2) == ["4", "5"]
    assert chosen(after_timestamp=2.0, num_recent_events=0) == []
    assert chosen(after_timestamp=6.0) == []
    with pytest.raises(ValueError, match="num_recent_events"):
        chosen(num_recent_events=-1)


def test_a_session_read_in_part_takes_events(service: Service) -> None:
    session = service.create("s", state={"k": 1})
    for word in ("one", "two", "three"):
        service.append(session, said(word))
    for count in (0, 1):
        part = service.read("s", config=GetSessionConfig(num_recent_events=count))
        assert part.state == {"k": 1}
        service.append(part, said(f"after {count}"))
    assert texts(service.read("s")) == ["one", "two", "three", "after 0", "after 1"]


def test_partial_events_are_not_stored(service: Service) -> None:
    session = service.create("s")
    event = said("half", partial=True, actions=EventActions(state_delta={"k": 1, "temp:t": 2}))
    assert service.append(session, event) is event
    assert (session.events, session.state, service.read("s").events) == ([], {}, [])


def test_an_event_of_a_session_that_is_gone_is_refused(service: Service) -> None:
    session = service.create("s")
    service.delete("s")
    with pytest.raises(SessionNotFoundError):
        service.change(session, k=1, app__k=2, user__k=3)
    assert service.get("s") is None
    assert service.create("s2").state == {}


def test_user_state_is_read_without_a_session(service: Service) -> None:
    assert service.user_state() == {}
    session = service.create("s", state={"user:a": 1, "app:b": 2, "c": 3})
    assert service.user_state() == {"a": 1}
    service.change(session, user__a=None, user__d={"x": 1})
    assert service.user_state() == {"a": None, "d": {"x": 1}}
    assert service.user_state(user_id="another") == service.user_state(app_name="another") == {}
    service.delete("s")
    assert service.user_state() == {"a": None, "d": {"x": 1}}
    service.user_state()["a"] = "changed"
    assert service.user_state()["a"] is None


def test_times_around_a_change_of_clocks_come_back(service: Service) -> None:
    # The last hour of summer time in Europe, once more, and the first in America.
    session = service.create("s")
    for moment in (1761440400.5, 1761444000.5, 1741503600.0):
        service.append(session, said("tick", timestamp=moment))
        assert service.read("s").last_update_time == session.last_update_time == moment


def test_deltas_of_all_scopes_in_one_event_are_all_there(service: Service) -> None:
    session = service.create("s")
    service.append(session, changing({"app:a": 1, "user:u": 2, "s": 3, "temp:t": 4}))
    assert session.state == {"app:a": 1, "user:u": 2, "s": 3, "temp:t": 4}
    assert service.read("s").state == {"app:a": 1, "user:u": 2, "s": 3}
