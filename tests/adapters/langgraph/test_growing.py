"""Lists that grow share the messages of their session, whatever their items are."""

import pickle
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pytest
from langchain_core.documents import Document
from langchain_core.messages import AIMessage, HumanMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.checkpoint.serde.encrypted import EncryptedSerializer
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from langgraph.graph import START, StateGraph
from pydantic import BaseModel
from tests.adapters.langgraph.support import Counting, Reversing, State, Thread, session_of, thread, user

from clew import Store
from clew.adapters.langgraph import ClewSaver
from clew.adapters.langgraph.differences import difference
from clew.adapters.langgraph.forms import whole
from clew.cli.rendering import message_lines
from clew.cli.rendering import preview as line_of
from clew.display.conversation import preview, show


class Own(BaseModel):
    """A model of a program's own."""

    held: Any = None


@dataclass
class Plain:
    """A dataclass of a program's own."""

    held: Any = None


ITEMS: dict[str, Callable[[int], Any]] = {
    "text": lambda n: f"line {n}",
    "awkward text": lambda n: f"nul \0 and \ud800 {n}",
    "number": lambda n: n / 7,
    "large number": lambda n: 2**80 + n,
    "not a number": lambda n: float("nan"),
    "dict": lambda n: {"url": f"https://{n}", "score": n, "content": {"deep": [n]}},
    "dict in the way": lambda n: {"langgraph": n},
    "tuple": lambda n: ("a", n, ("b",)),
    "list": lambda n: [n, [n]],
    "set": lambda n: {n},
    "bytes": lambda n: bytes([n]),
    "document": lambda n: Document(page_content=f"page {n}", metadata={"source": "book"}),
    "model": lambda n: Own(held=[n]),
    "dataclass": lambda n: Plain(held=n),
    "anything": lambda n: [f"line {n}", HumanMessage(f"m{n}"), {"a": (n,)}, None, b"\xff", Own(held=1)][n % 6],
}


def saver_of(store: Store) -> ClewSaver:
    return ClewSaver(store).with_allowlist([(__name__, "Own"), (__name__, "Plain")])


def kept_as(store: Store, config: Any) -> tuple[list[Any], set[str]]:
    """The messages of the session at a checkpoint, and the attachments that hold channels."""
    label = config["configurable"]["checkpoint_id"]
    found = store.find_checkpoint(session_of(store).id, label)
    names = {info.name for info in store.list_attachments(found.id, prefix="channel/")}
    return found.state.messages, names


@pytest.mark.parametrize("kind", ITEMS)
def test_a_list_that_grows_is_shared_and_its_items_come_back_as_they_were(
    file_store: Store, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    written, configs = Thread(saver_of(file_store)), []
    held: list[Any] = []
    counting = Counting(file_store, monkeypatch)
    for n in range(6):
        held = [*held, ITEMS[kind](n)]
        configs.append(written.put({"held": held}))
    assert counting.given == [0, 2, 1, 1, 1, 1]
    for length, config in enumerate(configs, 1):
        for saver in (written.saver, saver_of(file_store)):
            assert not difference(held[:length], Thread(saver).values(config)["held"])
    listed = [item.checkpoint["channel_values"]["held"] for item in saver_of(file_store).list(thread())]
    assert not difference([held[:length] for length in range(6, 0, -1)], listed)


def test_steps_that_add_to_a_list_cost_what_they_add(tmp_path: Path) -> None:
    sizes = []
    for steps in (150, 300):
        path = tmp_path / f"{steps}.db"
        held: list[Any] = []
        with ClewSaver(path) as saver:
            written = Thread(saver)
            for n in range(steps):
                held = [*held, {"found": f"{n} " + "x" * 500}]
                written.put({"held": held})
        sizes.append(path.stat().st_size)
    assert sizes[1] < 2.3 * sizes[0]
    assert sizes[1] < 300 * 2_200


def test_a_graph_that_logs_has_the_history_of_the_saver_in_memory(store: Store) -> None:
    def step(state: State) -> Any:
        n = len(state.get("log", []))
        return {"log": [f"log {n}"], "notes": [{"n": n}], "messages": [AIMessage(f"a{n}", id=f"a{n}")]}

    histories = []
    for saver in (ClewSaver(store), InMemorySaver()):
        graph = StateGraph(State)
        graph.add_node("step", step)
        graph.add_edge(START, "step")
        for turn in range(4):
            said = {"messages": [HumanMessage(f"q{turn}", id=f"q{turn}")]}
            graph.compile(checkpointer=saver).invoke(said, thread())
        fresh = ClewSaver(store) if isinstance(saver, ClewSaver) else saver
        histories.append([s.values for s in graph.compile(checkpointer=fresh).get_state_history(thread())])
    assert histories[0] == histories[1]
    active = session_of(store).active_checkpoint
    assert active is not None
    channels = [message["langgraph"]["channel"] for message in active.state.messages]
    assert {name: channels.count(name) for name in ("log", "notes", "messages")} == {
        "log": 4,
        "notes": 4,
        "messages": 8,
    }


def test_a_list_that_never_grew_stays_an_attachment(file_store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    written = Thread(ClewSaver(file_store))
    counting = Counting(file_store, monkeypatch)
    for held in (["a", "b"], ["a", "b"], ["c", "d", "e"], ["a", "c", "d", "e"], ["a", "c"], [], ["x"], ["x"]):
        assert kept_as(file_store, written.put({"held": held})) == ([], {"channel/held"})
        assert Thread(ClewSaver(file_store)).values() == {"held": held}
    assert set(counting.given) == {0}


def test_a_shared_list_that_is_replaced_is_an_attachment_until_it_grows_again(store: Store) -> None:
    written, configs = Thread(ClewSaver(store)), []
    lists = [["a"], ["a", "b"], ["a"], ["a", "c", "d"], ["x"], [], ["y"], ["y", "z"], ["y", "z"]]
    shared = [False, True, True, True, False, False, False, True, True]
    for n, held in enumerate(lists):
        messages = [HumanMessage(f"{m}") for m in range(n + 1)]
        configs.append(written.put({"held": list(held), "messages": messages}))
        assert ("channel/held" not in kept_as(store, configs[-1])[1]) is shared[n]
    for saver in (written.saver, ClewSaver(store)):
        assert [Thread(saver).values(config)["held"] for config in configs] == lists
        assert [len(Thread(saver).values(config)["messages"]) for config in configs] == list(range(1, 10))
    assert list(store.verify()) == []


def test_a_list_that_starts_anew_each_turn_does_not_rewrite_one_that_grows(
    file_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    written, messages = Thread(ClewSaver(file_store)), [HumanMessage(str(n)) for n in range(40)]
    given = []
    for turn in range(6):
        counting = Counting(file_store, monkeypatch)
        for step in range(3):
            messages = [*messages, HumanMessage(f"{turn} {step}")]
            written.put({"scratch": [f"{turn} {n}" for n in range(step + 1)], "messages": messages})
        given.append(sum(counting.given))
    assert max(given[2:]) <= 12
    assert written.values()["messages"] == messages


def test_a_process_that_begins_finds_that_a_list_has_grown(file_store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    counting = Counting(file_store, monkeypatch)
    newest: Any = None
    for n in range(1, 5):
        written = Thread(ClewSaver(file_store))
        written.version = n
        newest = written.put({"held": [{"n": m} for m in range(n)]}, parent=newest)
    assert counting.given == [0, 2, 1, 1]
    assert Thread(ClewSaver(file_store)).values() == {"held": [{"n": n} for n in range(4)]}


def test_a_thread_of_the_earlier_form_is_read_and_goes_on(file_store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """As it was written when only lists of messages were shared: the envelope says nothing of lists in attachments."""
    envelope = {
        "checkpoint": {"v": 4, "id": "1", "ts": "", "channel_versions": {"log": 1, "messages": 1}, "versions_seen": {}},
        "order": ["messages", "log", "n"], "inline": {"n": 5}, "lists": ["messages"],
        "parent": None, "parent_id": None, "kept": 0,
    }  # fmt: skip
    call = {"id": "c", "type": "function", "function": {"name": "look", "arguments": '{"at":1}'}}
    forms: list[Any] = [
        {"role": "user", "content": "hi", "langgraph": {"channel": "messages", "class": "HumanMessage", "id": "h"}},
        {"role": "assistant", "content": "", "tool_calls": [call],
         "langgraph": {"channel": "messages", "class": "AIMessage"}},
        {"role": "note", "content": 1, "tool_calls": "odd", "langgraph": {"channel": "messages"}},
    ]  # fmt: skip
    session = file_store.ensure_session("langgraph", "thread", "thread", session_metadata={"thread_id": "thread"})
    attached = {"checkpoint": b"j" + msgspec.json.encode(envelope), "channel/log": b'j["a"]'}
    file_store.create_checkpoint(
        session.id, forms, metadata={"source": "loop", "step": 1, "parents": {}}, label="1", attachments=attached
    )
    said = AIMessage("", tool_calls=[{"name": "look", "args": {"at": 1}, "id": "c", "type": "tool_call"}])
    messages = [HumanMessage("hi", id="h"), said, {"role": "note", "content": 1, "tool_calls": "odd"}]
    written = Thread(ClewSaver(file_store))
    assert written.values() == {"messages": messages, "log": ["a"], "n": 5}
    written.newest, written.version = thread(checkpoint_id="1"), 1
    counting = Counting(file_store, monkeypatch)
    for log in (["a", "b"], ["a", "b", "c"], ["a", "b", "c", "d"]):
        written.put({"messages": messages, "log": log})
        assert Thread(ClewSaver(file_store)).values() == {"messages": messages, "log": log}
    assert counting.given == [0, 3, 1]


def test_items_that_are_no_messages_can_be_read_by_people(file_store: Store) -> None:
    written = Thread(ClewSaver(file_store))
    items: list[Any] = ["a line", {"url": "x", "n": 1}, Document(page_content="a page"), ("a", 1), "\ud800"]
    written.put({"function_call": items[:1]})
    stored, _ = kept_as(file_store, written.put({"function_call": items}))
    texts = ["\n".join(str(getattr(line, "text", line)) for line in message_lines(m, 1)) for m in stored]
    assert texts[0] == "\n[1] channel/function_call\n    a line"
    assert texts[1] == '\n[1] channel/function_call\n    {"url":"x","n":1}'
    assert "page_content='a page'" in texts[2]
    assert texts[3].endswith("    ('a', 1)")
    assert texts[4].endswith("    ?")
    for message in stored:
        assert line_of(message).startswith("channel/function_call: ")
        assert preview(message).startswith("channel/function_call: ")
        assert show(message, 1).blocks


def test_the_text_of_an_item_does_not_say_where_it_is_in_memory() -> None:
    class Silent:
        pass

    assert whole(Silent(), "held", "", is_open=True) == whole(Silent(), "held", "", is_open=True)


class Pickling:
    """A serializer that takes what LangGraph's does not."""

    def dumps_typed(self, obj: Any) -> tuple[str, bytes]:
        return "pickle", pickle.dumps(obj)

    def loads_typed(self, data: tuple[str, bytes]) -> Any:
        return pickle.loads(data[1])


def test_a_serializer_that_takes_more_keeps_more(file_store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    written: Any = Thread(ClewSaver(file_store, serde=Pickling()))
    counting = Counting(file_store, monkeypatch)
    for n in range(1, 4):
        written.put({"held": [Own(held=m) for m in range(n)]})
    assert counting.given == [0, 2, 1]
    fresh = ClewSaver(file_store, serde=Pickling())
    assert Thread(fresh).values() == {"held": [Own(held=m) for m in range(3)]}


def test_an_encrypted_list_grows_by_what_is_new_in_every_process(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    serde = EncryptedSerializer(Reversing(), JsonPlusSerializer(allowed_msgpack_modules=None))
    counting = Counting(store, monkeypatch)
    values: dict[str, Any] = {"held": [], "messages": []}
    newest: Any = None
    for n in range(1, 5):
        written = Thread(ClewSaver(store, serde=serde))
        written.version = n
        values = values if newest is None else written.values()
        values = {
            "held": [*values["held"], f"secret {n}"],
            "messages": [*values["messages"], HumanMessage(f"secret {n}")],
        }
        newest = written.put(values, parent=newest)
    assert counting.given == [1, 3, 2, 2]
    stored, _ = kept_as(store, newest)
    assert b"secret" not in msgspec.json.encode(stored)
    assert Thread(ClewSaver(store, serde=serde)).values() == values


def test_an_item_that_a_node_changes_where_it_stands_is_stored_as_it_is_then(store: Store) -> None:
    saver = ClewSaver(store)
    written = Thread(saver)
    held = [{"n": n} for n in range(40)]
    written.put({"held": held[:1]})
    written.put({"held": held})
    before = written.newest
    held[0]["n"] = -1
    saver.put_writes(before, [("held", [held[0]])], "task")
    written.put({"held": held})
    assert Thread(ClewSaver(store)).values()["held"][0] == {"n": -1}
    assert Thread(ClewSaver(store)).values(before)["held"][0] == {"n": 0}


def test_the_title_comes_with_the_first_messages_even_where_another_list_was_first(file_store: Store) -> None:
    written = Thread(ClewSaver(file_store))
    written.put({"log": ["a"]})
    written.put({"log": ["a", "b"]})
    written.put({"log": ["a", "b", "c"], **user("Why is it slow?")})
    assert session_of(file_store).title == "Why is it slow?"


def test_two_lists_whose_last_items_change_each_step_cost_what_has_changed(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = Thread(ClewSaver(store))
    held = {name: [HumanMessage(f"{name} {n}") for n in range(20)] for name in ("messages", "ui")}
    there.put(dict(held))
    counting = Counting(store, monkeypatch)
    for step in range(5):
        held = {name: [*items[:-1], HumanMessage(f"{name} after {step}")] for name, items in held.items()}
        there.put(dict(held))
        assert Thread(ClewSaver(store)).values() == held
    assert counting.given[1:] == [2, 2, 2, 2]
    for step in range(5):
        held = {name: [*items[:-1], AIMessage("last"), AIMessage(f"new {step}")] for name, items in held.items()}
        there.put(dict(held))
        assert Thread(ClewSaver(store)).values() == held
    assert max(counting.given[5:]) <= 5
