"""Channels that LangGraph puts together from what was written to them."""

import asyncio
from typing import Annotated, Any, TypedDict

import pytest
from langchain_core.messages import AIMessage, HumanMessage
from langgraph.channels.delta import DeltaChannel
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.checkpoint.serde.types import _DeltaSnapshot
from langgraph.graph import START, StateGraph
from langgraph.graph.message import _messages_delta_reducer
from tests.adapters.langgraph.support import Thread, said, thread, user

from clew import Store
from clew.adapters.langgraph import ClewSaver


def history(saver: ClewSaver, config: Any, *channels: str) -> Any:
    """The same by either method."""
    found = saver.get_delta_channel_history(config=config, channels=channels)
    assert asyncio.run(saver.aget_delta_channel_history(config=config, channels=channels)) == found
    return found


def steps(saver: ClewSaver, number: int, **first: Any) -> list[Any]:
    """Checkpoints, of which each has a write to the channel; the first one has these values."""
    written, configs = Thread(saver), []
    for n in range(number):
        configs.append(written.put(first if n == 0 else {}))
        saver.put_writes(configs[-1], [("d", n)], f"task {n}")
    return configs


def values(entry: Any) -> list[Any]:
    return [value for _, _, value in entry["writes"]]


def test_no_channels_have_no_history(store: Store) -> None:
    assert history(ClewSaver(store), thread()) == {}


def test_a_thread_that_is_not_there_has_an_empty_history(store: Store) -> None:
    assert history(ClewSaver(store), thread(), "d") == {"d": {"writes": []}}


def test_writes_come_oldest_first_without_those_of_the_checkpoint_itself(store: Store) -> None:
    configs = steps(ClewSaver(store), 4)
    entry = history(ClewSaver(store), configs[3], "d")["d"]
    assert values(entry) == [0, 1, 2]
    assert "seed" not in entry


def test_the_walk_ends_at_the_nearest_value_and_its_own_writes_count(store: Store) -> None:
    saver = ClewSaver(store)
    configs = steps(saver, 2)
    written = Thread(saver)
    configs.append(written.put({"d": _DeltaSnapshot([1])}, parent=configs[-1]))
    saver.put_writes(configs[-1], [("d", "after the value")], "task")
    configs.append(written.put({}, parent=configs[-1]))
    entry = history(ClewSaver(store), configs[-1], "d")["d"]
    assert values(entry) == ["after the value"]
    assert entry["seed"] == _DeltaSnapshot([1])


def test_channels_are_told_apart_and_each_ends_where_it_does(store: Store) -> None:
    saver = ClewSaver(store)
    configs = steps(saver, 3, e=[HumanMessage("kept as a message")])
    saver.put_writes(configs[1], [("e", 7), ("other", 8)], "more")
    found = history(ClewSaver(store), configs[2], "d", "e", "nothing")
    assert values(found["d"]) == [0, 1]
    assert values(found["e"]) == [7]
    assert said({"messages": found["e"]["seed"]}) == ["kept as a message"]
    assert found["nothing"] == {"writes": []}


def test_only_the_branch_of_the_checkpoint_counts(store: Store) -> None:
    saver = ClewSaver(store)
    configs = steps(saver, 3)
    fork = Thread(saver).put({}, parent=configs[0])
    saver.put_writes(fork, [("d", "fork")], "task")
    tip = Thread(saver).put({}, parent=fork)
    assert values(history(ClewSaver(store), tip, "d")["d"]) == [0, "fork"]
    assert values(history(ClewSaver(store), configs[2], "d")["d"]) == [0, 1]


def test_writes_of_one_step_come_in_the_order_in_which_a_run_applies_them(store: Store) -> None:
    saver = ClewSaver(store)
    there = Thread(saver).put({})
    saver.put_writes(there, [("d", "b0"), ("d", "b1")], "1", "b")
    saver.put_writes(there, [("d", "a0")], "2", "a")
    saver.put_writes(there, [("d", "none")], "3")
    tip = Thread(saver).put({}, parent=there)
    assert values(history(ClewSaver(store), tip, "d")["d"]) == ["none", "a0", "b0", "b1"]


def test_the_newest_checkpoint_is_meant_where_none_is_named(store: Store) -> None:
    steps(ClewSaver(store), 3)
    assert values(history(ClewSaver(store), thread(), "d")["d"]) == [0, 1]


def test_a_long_walk_goes_over_pages_and_clocks_that_went_back(file_store: Store) -> None:
    saver = ClewSaver(file_store)
    written = Thread(saver)
    there: Any = thread()
    for n in range(120):
        made = {"v": 4, "id": f"{(n * 7) % 120:04}", "ts": "", "channel_values": {}, "channel_versions": {},
                "versions_seen": {}}  # fmt: skip
        there = saver.put(there, made, {"source": "loop", "step": n, "parents": {}}, {})  # type: ignore[arg-type]
        saver.put_writes(there, [("d", n)], "task")
    assert values(history(ClewSaver(file_store), there, "d")["d"]) == list(range(119))
    assert written.saver is saver


class Delta(TypedDict):
    """A conversation that is kept as what was written to it."""

    messages: Annotated[list[Any], DeltaChannel(_messages_delta_reducer, snapshot_frequency=5)]


def delta_graph(saver: Any) -> Any:
    graph = StateGraph(Delta)
    graph.add_node("answer", lambda state: {"messages": [AIMessage(f"answer {len(state['messages'])}")]})
    graph.add_edge(START, "answer")
    return graph.compile(checkpointer=saver)


@pytest.mark.parametrize("durability", ["sync", "async", "exit"])
def test_a_graph_with_a_delta_channel_is_as_in_memory(store: Store, durability: Any) -> None:
    states = []
    for saver in (ClewSaver(store), InMemorySaver()):
        for turn in range(6):
            delta_graph(saver).invoke(user(f"q{turn}"), thread(), durability=durability)
        fresh = delta_graph(ClewSaver(store) if isinstance(saver, ClewSaver) else saver)
        states.append([said(s.values) for s in fresh.get_state_history(thread()) if s.values.get("messages")])
    assert states[0] == states[1]
    assert len(states[0][0]) == 12


def test_pruning_keeps_what_a_delta_channel_is_made_of(store: Store) -> None:
    saver = ClewSaver(store)
    for turn in range(6):
        delta_graph(saver).invoke(user(f"q{turn}"), thread())
    before = delta_graph(saver).get_state(thread()).values
    number = len(list(saver.list(thread())))
    saver.prune(["thread"])
    assert delta_graph(ClewSaver(store)).get_state(thread()).values == before
    assert 1 < len(list(saver.list(thread()))) < number
