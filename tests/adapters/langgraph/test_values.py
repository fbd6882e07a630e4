"""Whatever a graph holds comes back equal and of the same types, or is refused when it is put."""

import re
from collections import Counter, OrderedDict, defaultdict, deque
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from langchain_core.messages import (
    AIMessage,
    AIMessageChunk,
    ChatMessage,
    FunctionMessage,
    HumanMessage,
    RemoveMessage,
    SystemMessage,
    ToolMessage,
)
from langgraph.checkpoint.serde.encrypted import EncryptedSerializer
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from langgraph.types import Interrupt, Send
from pydantic import BaseModel
from tests.adapters.langgraph.support import Reversing, Thread

import clew
from clew import Store
from clew.adapters.langgraph import ClewSaver, UnkeepableError
from clew.adapters.langgraph.differences import difference

CALL = {"name": "look", "args": {"at": [1, {"deep": None}]}, "id": "call-1", "type": "tool_call"}


class Own(BaseModel):
    """A type that LangGraph does not know."""

    held: Any = None


@dataclass
class Plain:
    """Another one."""

    held: Any = None


MESSAGES = [
    HumanMessage("hi"),
    HumanMessage("hi", id="1", name="ann", additional_kwargs={}),
    HumanMessage([{"type": "text", "text": "hi"}, "there"]),
    HumanMessage("more", something="extra"),
    AIMessage("", tool_calls=[CALL], usage_metadata={"input_tokens": 1, "output_tokens": 2, "total_tokens": 3}),
    AIMessage("x", response_metadata={"logprobs": [0.5, -1e300]}, invalid_tool_calls=[]),
    AIMessage("x", tool_calls=[{**CALL, "args": {"é\0": "\U0001f600"}}, {**CALL, "id": None}]),
    AIMessageChunk("part", id="run-1", tool_call_chunks=[{"name": "f", "args": '{"a', "id": "c", "index": 0}]),
    SystemMessage("be good"),
    ToolMessage("result", tool_call_id="call-1", artifact={"big": [1, 2]}, status="error"),
    ToolMessage("result", tool_call_id="call-1", artifact=(1, 2)),
    FunctionMessage("result", name="f"),
    ChatMessage("hm", role="critic"),
    RemoveMessage(id="3"),
    HumanMessage("nul \0 and \ud800 alone"),
    HumanMessage("x", additional_kwargs={"a": (1, 2), "b": float("nan"), 3: "three"}),
    {"role": "user", "content": "plain", "more": [1, 2.5, None, True]},
    {"role": "user", "content": ("a", "tuple")},
    {"role": "user", "langgraph": "in the way"},
    AIMessage("x", tool_calls=[{**CALL, "args": {"pair": "\ud83d\ude00"}}]),
    {"role": "\ud800", "content": "\ud800"},
]

VALUES: list[Any] = [
    datetime(2026, 10, 25, 2, 30, fold=1, tzinfo=ZoneInfo("Europe/Rome")),
    None, True, 0, -1, 2**80, -(2**80), 1.5, float("inf"), "", "nul \0", "\ud800 alone", "\ud83d\ude00 pair", b"\0\xff",
    bytearray(b"x"), [], {}, (), (1, [2, (3,)]), {"a": (1,)}, {1: "one", "1": "text"}, {(1, 2): 3}, {1, 2},
    frozenset({1}), deque([1, 2]), defaultdict(list, {"a": [1]}), defaultdict(int), Counter("aab"),
    OrderedDict(b=1, a=2), datetime(2026, 1, 2, tzinfo=UTC), UUID(int=5), Decimal("1.50"), re.compile("a+"),
    Path("/a"), [Send("node", {"state": (1, 2)})], (Interrupt(value={"ask": ("x",)}, id="i"),),
    {"messages": [HumanMessage("in a dict")]}, {"messages": [HumanMessage("\ud800", additional_kwargs={"t": (1,)})]},
    "x" * 100_000, ["words"] * 10_000, {"deep": {"er": [{"and": ["deeper", {}]}]}},
]  # fmt: skip


@pytest.mark.parametrize("message", MESSAGES)
def test_a_message_comes_back_as_it_is(file_store: Store, message: Any) -> None:
    Thread(ClewSaver(file_store)).put({"messages": [message]})
    (back,) = Thread(ClewSaver(file_store)).values()["messages"]
    assert not difference(message, back)
    assert type(back) is type(message)
    if not isinstance(message, dict) and message.additional_kwargs == message.additional_kwargs.copy():
        assert back.__pydantic_extra__ == message.__pydantic_extra__
        assert list(back.__dict__) == list(message.__dict__)


@pytest.mark.parametrize("message", MESSAGES[:12])
def test_a_message_that_json_can_hold_comes_back_with_the_same_fields_set(file_store: Store, message: Any) -> None:
    Thread(ClewSaver(file_store)).put({"messages": [message]})
    (back,) = Thread(ClewSaver(file_store)).values()["messages"]
    assert back == message
    assert back.model_fields_set == message.model_fields_set
    assert back.model_dump() == message.model_dump()
    assert repr(back) == repr(message)


def test_what_comes_back_can_be_changed_without_changing_what_is_stored(file_store: Store) -> None:
    saver = ClewSaver(file_store)
    Thread(saver).put({"messages": [AIMessage("x", tool_calls=[CALL])]})
    back = Thread(saver).values()["messages"]
    back[0].content = "changed"
    back[0].tool_calls[0]["args"]["at"] = None
    back.append(HumanMessage("more"))
    assert Thread(saver).values()["messages"] == [AIMessage("x", tool_calls=[CALL])]


@pytest.mark.parametrize("value", VALUES, ids=map(str, range(len(VALUES))))
def test_a_value_comes_back_as_it_is(file_store: Store, value: Any) -> None:
    saver = ClewSaver(file_store)
    there = Thread(saver).put({"channel": value, "list": [value]})
    saver.put_writes(there, [("channel", value)], "task")
    found = ClewSaver(file_store).get_tuple(there)
    assert found is not None
    back = found.checkpoint["channel_values"]
    assert not difference(value, back["channel"])
    assert not difference([value], back["list"])
    assert found.pending_writes is not None
    assert not difference(value, found.pending_writes[0][2])


def test_awkward_values_come_back_from_every_kind_of_store(store: Store) -> None:
    values = {"nul\0name": "nul \0", "nan": [float("nan")], "pair": "\ud83d\ude00 \ud800", "t": (1,), "b": b"\0\xff"}
    messages = [HumanMessage("nul \0 and \ud800"), AIMessage("\0", tool_calls=[CALL])]
    there = Thread(ClewSaver(store), "thr\0ead#%/\ud800").put(
        {**values, "messages": messages}, said="\0 \ud800", n=(1,)
    )
    found = ClewSaver(store).get_tuple(there)
    assert found is not None
    assert not difference({**values, "messages": messages}, found.checkpoint["channel_values"])
    assert found.metadata["said"] == "\0 \ud800"  # type: ignore[typeddict-item]
    assert found.metadata["n"] == (1,)  # type: ignore[typeddict-item]
    assert found.config == there
    assert [item.config for item in ClewSaver(store).list(None)] == [there]


@pytest.mark.parametrize(
    "value",
    [object(), Own(held=1), Plain(1), [Own()], {"a": (Own(),)}, lambda: None, {"x": {Plain: 1}}],
    ids=map(str, range(7)),
)
def test_what_cannot_be_kept_is_refused_and_nothing_is_stored(file_store: Store, value: Any) -> None:
    saver = ClewSaver(file_store)
    written = Thread(saver)
    with pytest.raises(UnkeepableError, match="channel"):
        written.put({"channel": value})
    with pytest.raises(TypeError):
        saver.put_writes(Thread(saver).config | {}, [("channel", value)], "task")
    assert list(saver.list(None)) == []
    assert list(file_store.list_sessions()) == []


def test_a_type_of_ones_own_comes_back_once_it_is_named(file_store: Store) -> None:
    value = {"own": Own(held=[1]), "plain": Plain(2)}
    with pytest.raises(UnkeepableError, match=rf"'own'.*{Own.__module__}.*with_allowlist"):
        Thread(ClewSaver(file_store)).put({"channel": value})
    named = ClewSaver(file_store).with_allowlist([(__name__, "Own"), (__name__, "Plain")])
    Thread(named).put({"channel": value})
    assert Thread(named).values() == {"channel": value}
    serde = JsonPlusSerializer(allowed_msgpack_modules=[(__name__, "Own"), (__name__, "Plain")])
    assert Thread(ClewSaver(file_store, serde=serde)).values() == {"channel": value}


def test_what_a_named_type_would_lose_is_refused(file_store: Store) -> None:
    named = ClewSaver(file_store).with_allowlist([(__name__, "Own")])
    with pytest.raises(UnkeepableError, match=r"held.*tuple.*list"):
        Thread(named).put({"channel": Own(held=(1, 2))})


def test_nothing_that_is_stored_is_called_by_its_name_unless_it_is_safe(file_store: Store) -> None:
    """CVE-2026-28277: bytes that name os.getenv are run by a serializer that takes any name."""
    saver = ClewSaver(file_store)
    there = Thread(saver).put({"channel": {1: "serde"}})
    import ormsgpack

    crafted = ormsgpack.packb(ormsgpack.Ext(0, ormsgpack.packb(("os", "getenv", "HOME"))))
    session = file_store.find_session("langgraph", "thread")
    label = there["configurable"]["checkpoint_id"]
    file_store.attach(session.id, {"channel/channel": b"smsgpack\0" + crafted}, label=label, on_conflict="replace")
    assert Thread(saver).values() == {"channel": "HOME"}


@pytest.mark.parametrize("name", ["checkpoint", "channel/channel", "write/task/0"])
def test_damaged_bytes_are_an_error_and_never_an_empty_answer(file_store: Store, name: str) -> None:
    saver = ClewSaver(file_store)
    there = Thread(saver).put({"channel": {"long": "x" * 100}})
    saver.put_writes(there, [("channel", 1)], "task")
    session = file_store.find_session("langgraph", "thread")
    label = there["configurable"]["checkpoint_id"]
    for damage in (b"", b"?", b"j{", b"smsgpack\0\xc1", b"tmsgpack\0\x92\xa1?\x01"):
        file_store.attach(session.id, {name: damage}, label=label, on_conflict="replace")
        with pytest.raises(clew.CorruptStateError):
            ClewSaver(file_store).get_tuple(there)
        with pytest.raises(clew.CorruptStateError):
            list(ClewSaver(file_store).list(there))


def test_with_a_serializer_that_encrypts_nothing_that_is_said_is_in_clear(store: Store) -> None:
    serde = EncryptedSerializer(Reversing(), JsonPlusSerializer(allowed_msgpack_modules=None))
    saver = ClewSaver(store, serde=serde)
    written = Thread(saver)
    messages = [HumanMessage("a secret"), AIMessage("secret too", tool_calls=[CALL])]
    written.put({"messages": messages, "channel": "secret", "number": 7}, user="secret", run_id="run")
    there = written.put({"messages": [*messages, HumanMessage("secret three")], "channel": "secret", "number": 7})
    saver.put_writes(there, [("channel", "secret")], "task")
    session = store.find_session("langgraph", "thread")
    assert session.active_checkpoint is not None
    everything = [session.active_checkpoint.state.messages_json, session.title.encode()]
    for summary in store.list_checkpoints(session.id, with_metadata=True, with_attachments=""):
        everything += [repr(summary.metadata).encode(), *(summary.attachments or {}).values()]
    assert not [data for data in everything if b"secret" in data]
    fresh = ClewSaver(store, serde=serde)
    assert Thread(fresh).values()["messages"] == [*messages, HumanMessage("secret three")]
    assert [t.metadata["step"] for t in fresh.list(written.config, filter={"user": "secret"})] == [1]
    assert len(store.get_messages(session.active_checkpoint.id)) == 3


def test_a_time_comes_back_in_its_time_zone_and_not_in_an_offset(file_store: Store) -> None:
    moment = datetime(2026, 10, 25, 2, 30, fold=1, tzinfo=ZoneInfo("Europe/Rome"))
    Thread(ClewSaver(file_store)).put({"at": moment})
    back = Thread(ClewSaver(file_store)).values()["at"]
    assert (back.isoformat(), back.fold, back.tzinfo) == (moment.isoformat(), 1, ZoneInfo("Europe/Rome"))
