"""Events as messages: what comes back, what a reader sees, and what is refused."""

import json
import typing
from typing import Any

import pydantic
import pytest
from google.adk.events import Event, EventActions
from google.genai import types
from tests.adapters.google_adk.support import Service, changing, said

import clew
from clew.adapters.google_adk.events import EVENT, to_event, to_message

LONG = "a long text " * 100


def content_of(*parts: types.Part, role: str = "model") -> types.Content:
    return types.Content(role=role, parts=list(parts))


def called(name: str, args: Any, id: str | None = None) -> types.Part:
    return types.Part(function_call=types.FunctionCall(id=id, name=name, args=args))


def answered(name: str, response: Any, id: str | None = None) -> types.Part:
    return types.Part(function_response=types.FunctionResponse(id=id, name=name, response=response))


PARTS = {
    "a text": [types.Part(text=LONG)],
    "an empty text": [types.Part(text="")],
    "several texts": [types.Part(text="one"), types.Part(text=LONG), types.Part(text="one")],
    "a thought and a signature": [
        types.Part(text=LONG, thought=True, thought_signature=b"\xff\x00"),
        types.Part(text="x"),
    ],
    "a call": [called("f", {"q": LONG, "n": None, "f": 1.0, "i": 2**70}, "1")],
    "a call without arguments": [called("f", None), called("g", {})],
    "text and calls": [types.Part(text="I look"), called("f", {"a": [1]}, "1"), called("f", {"a": [2]}, "2")],
    "a result": [answered("f", {"result": LONG}, "1")],
    "several results": [answered("f", {"r": 1}, "1"), answered("g", {"r": None}), answered("h", None, "3")],
    "an image": [types.Part(text="see"), types.Part.from_bytes(data=bytes(range(256)), mime_type="image/png")],
    "a sound": [types.Part.from_bytes(data=b"\xff>?", mime_type="audio/wav"), types.Part(text="listen")],
    "a file": [types.Part.from_uri(file_uri="gs://bucket/file", mime_type="text/plain")],
    "code": [
        types.Part(executable_code=types.ExecutableCode(code="print(1)", language=types.Language.PYTHON)),
        types.Part(code_execution_result=types.CodeExecutionResult(outcome=types.Outcome.OUTCOME_OK, output="1\n")),
    ],
    "nothing": [],
    "a part of nothing": [types.Part()],
    "half of a character, and NUL": [types.Part(text="\ud83d and \0"), called("f", {"\0": "\udc00"})],
}


@pytest.mark.parametrize("parts", PARTS.values(), ids=PARTS)
@pytest.mark.parametrize("author", ["user", "agent"])
def test_an_event_comes_back_equal(parts: list[types.Part], author: str) -> None:
    event = said(
        "", author, content=content_of(*parts), actions=EventActions(state_delta={"n": None, "d": {"x": None}})
    )
    before = event.model_copy(deep=True)
    message = to_message(event)
    assert event == before
    stored = json.loads(json.dumps(message))
    back = to_event(stored)
    assert back == event
    assert back.model_dump() == event.model_dump()
    assert json.dumps(message).count(LONG) <= 1


def test_an_event_without_content_comes_back_equal() -> None:
    for event in (
        changing({"k": {"nested": [None, True]}}),
        Event(author="agent", content=types.Content(role="model")),
    ):
        assert to_event(to_message(event)) == event


def test_every_kind_of_event_comes_back_through_a_store(store: clew.Store) -> None:
    service = Service(store)
    session = service.create("s")
    for parts in PARTS.values():
        service.append(session, said("", "agent", content=content_of(*parts)))
    back = service.read("s")
    assert back.events == session.events
    assert [event.model_dump() for event in back.events] == [event.model_dump() for event in session.events]


def test_no_field_of_an_event_has_a_value_where_none_was_given() -> None:
    """What is None is left out of the stored event: the same, as long as None is what such a field begins with."""
    seen: set[type[pydantic.BaseModel]] = set()

    def types_in(annotation: Any) -> set[Any]:
        return {annotation}.union(*(types_in(inner) for inner in typing.get_args(annotation)))

    def walk(model: type[pydantic.BaseModel]) -> None:
        seen.add(model)
        for name, field in model.model_fields.items():
            inner = types_in(field.annotation)
            assert type(None) not in inner or (field.default is None and field.default_factory is None), (model, name)
            for each in inner:
                if isinstance(each, type) and issubclass(each, pydantic.BaseModel) and each not in seen:
                    walk(each)

    walk(Event)
    assert len(seen) > 40


def test_a_conversation_reads_as_a_chat() -> None:
    assert shown(said("Hello")) == {"role": "user", "content": "Hello"}
    assert shown(said("Hello, Ada", "helper")) == {"role": "assistant", "name": "helper", "content": "Hello, Ada"}
    both = content_of(types.Part(text="I look"), called("weather", {"city": "Rome"}, "c1"))
    assert shown(said("", "helper", content=both)) == {
        "role": "assistant",
        "name": "helper",
        "content": "I look",
        "tool_calls": [
            {"id": "c1", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Rome"}'}}
        ],
    }
    result = content_of(answered("weather", {"sky": "blue"}, "c1"), role="user")
    assert shown(said("", "helper", content=result)) == {
        "role": "tool",
        "tool_call_id": "c1",
        "content": '{"sky": "blue"}',
    }
    several = content_of(answered("f", {"r": 1}, "c1"), answered("f", {"r": 2}, "c2"), role="user")
    assert shown(said("", "helper", content=several))["content"] == [
        {"type": "tool_result", "tool_use_id": "c1", "content": '{"r": 1}'},
        {"type": "tool_result", "tool_use_id": "c2", "content": '{"r": 2}'},
    ]


def test_thoughts_images_and_files_are_blocks() -> None:
    parts = [
        types.Part(text="hm", thought=True),
        types.Part.from_bytes(data=b"\xff\xfe?", mime_type="image/png"),
        types.Part.from_bytes(data=b"\xff", mime_type="audio/wav"),
        types.Part.from_uri(file_uri="gs://file", mime_type="text/plain"),
    ]
    assert shown(said("", "helper", content=content_of(*parts)))["content"] == [
        {"type": "thinking", "thinking": "hm"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,//4/"}},
        {"type": "file", "text": "[audio/wav]"},
        {"type": "file", "text": "[gs://file]"},
    ]


def shown(event: Event) -> clew.Message:
    return {key: value for key, value in to_message(event).items() if key != EVENT}


@pytest.mark.parametrize(
    "event",
    [
        said("", content=content_of(called("f", {"n": float("nan")}))),
        said("", content=content_of(called("f", {"\ud800": 1}))),
        said("x", custom_metadata={"n": float("inf")}),
        said("x", error_message="half a character: \ud800"),
        changing({"k": lambda: None}),
        changing({"k": object()}),
        changing({"k": float("nan")}),
        changing({"k": {"\ud800": 1}}),
        changing({"app:k": {"deep": [object()]}}),
        changing({"user:k": b"\xff"}),
    ],
    ids=[
        "nan in a call",
        "half a key in a call",
        "infinity",
        "half a character",
        "function",
        "object",
        "nan",
        "half a key",
        "object of the app",
        "bytes",
    ],
)
@pytest.mark.filterwarnings("ignore::UserWarning:pydantic")  # its serializer tells of what it does not know
def test_what_cannot_come_back_is_refused_and_changes_nothing(file_store: clew.Store, event: Event) -> None:
    service = Service(file_store)
    session = service.create("s", state={"k": 1, "app:k": 2})
    with pytest.raises(clew.InvalidRequestError):
        service.append(session, event)
    assert (session.events, session.state) == ([], {"k": 1, "app:k": 2})
    assert service.read("s") == session
    service.append(session, said("go on"))
    for scope in file_store.list_sessions(search="state of"):
        assert scope.metadata is not None
        assert scope.metadata["pending"] == []


def test_a_state_that_json_has_no_form_for_makes_no_session(file_store: clew.Store) -> None:
    service = Service(file_store)
    with pytest.raises(clew.InvalidRequestError, match=r"state\['app:k'\]"):
        service.create("s", state={"app:k": object()})
    with pytest.raises(clew.InvalidRequestError):
        service.create("s", state={"app:ok": 1, "n": float("nan")})
    with pytest.raises(clew.InvalidRequestError):
        service.create("s" * 2000, state={"app:ok": 1})
    assert service.get("s") is None
    assert service.create("t").state == {}


def test_an_event_of_a_type_with_more_fields_is_refused() -> None:
    class Special(Event):
        special: str = "x"

    with pytest.raises(clew.InvalidRequestError, match="Special"):
        to_message(Special(author="user"))


def _without(key: str) -> dict[str, Any]:
    return {name: value for name, value in to_message(said("Hello")).items() if name != key}


@pytest.mark.parametrize(
    "message",
    [
        {"role": "user", "content": "Hello"},
        {**to_message(said("Hello")), EVENT: "text"},
        {**to_message(said("Hello")), EVENT: {"author": 1}},
        _without("content"),
        {**to_message(said("Hello")), "content": ["Hello"]},
        {**to_message(said("Hello")), "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]},
        {**to_message(said("", content=content_of(called("f", {})))), "tool_calls": []},
        {**to_message(said("", content=content_of(answered("f", {})))), "content": "{"},
    ],
    ids=["no event", "text", "no author", "nothing said", "no block", "two texts", "no calls", "half a result"],
)
def test_a_message_that_is_no_event_is_corrupt(file_store: clew.Store, message: clew.Message) -> None:
    service = Service(file_store)
    session = service.create("s")
    checkpoint = session._storage_update_marker.partition(":")[2]
    stored = file_store.get_checkpoint(checkpoint).session_id
    file_store.append(stored, [message])
    with pytest.raises(clew.CorruptStateError):
        service.get("s")
