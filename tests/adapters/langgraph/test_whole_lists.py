"""A task that hands over a whole list, of which its checkpoint has the beginning, costs what is new of it."""

from pathlib import Path
from typing import Any, TypedDict

import pytest
from langchain_core.messages import AIMessage, HumanMessage
from langgraph.checkpoint.serde.encrypted import EncryptedSerializer
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from langgraph.graph import END, START, StateGraph
from tests.adapters.langgraph.support import Reversing, Thread, checkpoint, thread

import clew
from clew import CorruptStateError, Store
from clew.adapters.langgraph import ClewSaver

LISTS: list[list[Any]] = [
    [HumanMessage(f"message {n}", id=str(n)) for n in range(30)],
    ["awkward \ud800", ("a", 1), {"deep": {1}}, None, b"\xff", float("inf"), *range(20)],
]


class Whole(TypedDict, total=False):
    """A state with a list that its node puts together."""

    log: list[Any]


def logging(steps: int) -> Any:
    """A graph that goes round so often, and hands over its whole log each time."""

    def step(state: Whole) -> Any:
        held = state.get("log", [])
        return {"log": [*held, f"{len(held)} " + "x" * 200]}

    graph = StateGraph(Whole)
    graph.add_node("step", step)
    graph.add_edge(START, "step")
    graph.add_conditional_edges("step", lambda state: END if len(state["log"]) >= steps else "step")
    return graph


def written(saver: ClewSaver, held: list[Any], value: list[Any]) -> Any:
    """A checkpoint that shares a list, of which a task has written another."""
    there = Thread(saver)
    there.put({"list": held[:5]})
    config = there.put({"list": held})
    saver.put_writes(config, [("list", value), ("other", list(value))], "task")
    return config


def pending(store: Store, config: Any, **said: Any) -> Any:
    found = ClewSaver(store, **said).get_tuple(config)
    assert found is not None
    return found.pending_writes


def size_of_write(store: Store) -> int:
    """The bytes of the first write of the newest checkpoint."""
    active = store.find_session("langgraph", "thread").active_checkpoint
    assert active is not None
    return store.list_attachments(active.id, prefix="write/")[0].size


@pytest.mark.parametrize("held", LISTS)
def test_a_write_that_goes_on_from_the_list_of_its_checkpoint_comes_back_whole(store: Store, held: list[Any]) -> None:
    for value in ([*held, "more"], held, held[:7], [*held[:7], "other", *held[8:]], ["other"], []):
        config = written(ClewSaver(store), held, value)
        assert pending(store, config) == [("task", "list", value), ("task", "other", value)]
        listed = [item.pending_writes for item in ClewSaver(store).list(thread(), limit=1)]
        assert listed == [pending(store, config)]


def test_a_write_that_goes_on_from_the_list_of_its_checkpoint_keeps_what_is_new(file_store: Store) -> None:
    written(ClewSaver(file_store), LISTS[0], [*LISTS[0], AIMessage("more")])
    assert size_of_write(file_store) < 400


def test_a_write_stays_whole_when_what_its_checkpoint_came_from_is_deleted(store: Store) -> None:
    saver = ClewSaver(store)
    config = written(saver, LISTS[0], [*LISTS[0], "more"])
    saver.copy_thread("thread", "copy")
    saver.prune(["thread"])
    assert pending(store, config)[0] == ("task", "list", [*LISTS[0], "more"])
    assert pending(store, thread("copy"))[0] == ("task", "list", [*LISTS[0], "more"])


def test_an_item_that_a_task_changed_where_it_stands_is_written_as_it_is_then(file_store: Store) -> None:
    held = [HumanMessage(f"message {n}") for n in range(30)]
    there = Thread(ClewSaver(file_store))
    config = there.put({"list": held})
    held[3].content = "changed"
    there.saver.put_writes(config, [("list", held)], "task")
    assert pending(file_store, config) == [("task", "list", held)]


def test_a_write_through_a_serializer_that_encrypts_goes_on_from_a_list_too(file_store: Store) -> None:
    serde = EncryptedSerializer(Reversing(), JsonPlusSerializer())
    config = written(ClewSaver(file_store, serde=serde), LISTS[0], [*LISTS[0], "more"])
    assert pending(file_store, config, serde=serde)[0] == ("task", "list", [*LISTS[0], "more"])


def test_the_history_of_a_channel_has_whole_writes(store: Store) -> None:
    saver = ClewSaver(store)
    config = written(saver, LISTS[0], [*LISTS[0], "more"])
    after = Thread(saver).put({}, parent=config)
    found = ClewSaver(store).get_delta_channel_history(config=after, channels=["list"])
    assert found["list"] == {"writes": [("task", "list", [*LISTS[0], "more"])], "seed": LISTS[0]}


def test_a_write_that_goes_on_from_a_list_that_is_not_there_is_an_error(file_store: Store) -> None:
    config = Thread(ClewSaver(file_store)).put({"list": ["short"]})
    session = file_store.find_session("langgraph", "thread").id
    damaged = {"write/task/0": b'["", "task", 0, "list", 5]\nj[]'}
    file_store.attach(session, damaged, label=config["configurable"]["checkpoint_id"])
    with pytest.raises(CorruptStateError, match="'list'"):
        pending(file_store, config)


@pytest.mark.parametrize("held", LISTS)
def test_a_long_list_that_comes_before_its_checkpoint_waits_for_it(file_store: Store, held: list[Any]) -> None:
    there = Thread(ClewSaver(file_store))
    parent = there.put({"list": held[:5]})
    made = checkpoint({"list": held}, 2)
    config = thread(checkpoint_ns="", checkpoint_id=made["id"])
    there.saver.put_writes(config, [("list", [*held, "more"])], "task")
    there.saver.put_writes(config, [("list", "too late"), ("short", 1)], "task")
    metadata: Any = {"source": "loop", "step": 2, "parents": {}}
    there.saver.put(parent, made, metadata, made["channel_versions"])
    assert pending(file_store, config) == [("task", "list", [*held, "more"]), ("task", "short", 1)]
    assert size_of_write(file_store) < 100


def test_a_long_list_that_comes_after_a_checkpoint_of_another_process_does_not_wait(store: Store) -> None:
    config = Thread(ClewSaver(store)).put({"list": LISTS[0]})
    ClewSaver(store).put_writes(config, [("list", [*LISTS[0], "more"])], "task")
    assert pending(store, config) == [("task", "list", [*LISTS[0], "more"])]


def test_a_long_list_whose_checkpoint_never_comes_does_not_wait_beyond_the_next(file_store: Store) -> None:
    there = Thread(ClewSaver(file_store))
    there.put({"list": LISTS[0]})
    skipped = checkpoint({}, 2)["id"]
    there.saver.put_writes(thread(checkpoint_ns="", checkpoint_id=skipped), [("list", LISTS[0])], "task")
    there.put({"list": LISTS[0]})
    assert list(file_store.list_waiting(file_store.find_session("langgraph", "thread").id)) == [skipped]


@pytest.mark.parametrize("durability", ["sync", "async", "exit"])
def test_a_graph_of_n_steps_that_hands_over_its_whole_list_costs_n(tmp_path: Path, durability: Any) -> None:
    sizes = []
    for steps in (100, 200):
        path = tmp_path / f"{steps}.db"
        with ClewSaver(path) as saver:
            graph = logging(steps).compile(checkpointer=saver)
            config = {**thread(), "recursion_limit": 1_000}
            assert len(graph.invoke({"log": []}, config, durability=durability)["log"]) == steps
        with clew.open(path) as store:
            assert len(logging(steps).compile(checkpointer=ClewSaver(store)).get_state(thread()).values["log"]) == steps
        sizes.append(path.stat().st_size)
    assert sizes[1] < 2.3 * sizes[0]
