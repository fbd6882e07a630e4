"""What tasks have written that no checkpoint has yet, early and late."""

from typing import Any

import pytest
from langgraph.checkpoint.serde.types import ERROR, INTERRUPT, RESUME
from tests.adapters.langgraph.support import Thread, checkpoint, session_of, thread

from clew import NotFoundError, Store, UnavailableError
from clew.adapters.langgraph import ClewSaver
from clew.adapters.langgraph.waiting import Early, Waiting

METADATA: Any = {"source": "loop", "step": 1, "parents": {}}


def test_writes_that_come_before_their_checkpoint_wait_for_it(store: Store) -> None:
    saver = ClewSaver(store)
    saver.put_writes(thread(checkpoint_id="1"), [("a", 1), ("b", [2])], "task")
    assert saver.get_tuple(thread()) is None
    assert list(saver.list(None)) == []
    saver.put(thread(), checkpoint({}, id="1"), METADATA, {})
    found = ClewSaver(store).get_tuple(thread())
    assert found is not None
    assert found.pending_writes == [("task", "a", 1), ("task", "b", [2])]


def test_writes_come_in_the_order_of_path_task_and_place(store: Store) -> None:
    saver = ClewSaver(store)
    there = Thread(saver).put({})
    for task, path in (("9", "a, 2"), ("1", "a, 10"), ("5", ""), ("2", "a, 10")):
        saver.put_writes(there, [("c", n) for n in range(11)], task, path)
    found = saver.get_tuple(there)
    assert found is not None
    assert found.pending_writes is not None
    assert [(task, n) for task, _, n in found.pending_writes] == [(t, n) for t in "5129" for n in range(11)]


def test_what_a_task_has_written_stays_and_how_it_went_is_replaced(store: Store) -> None:
    saver = ClewSaver(store)
    there = Thread(saver).put({})
    for attempt in (1, 2):
        saver.put_writes(there, [("a", attempt)], "task")
        saver.put_writes(there, [(INTERRUPT, (attempt,)), (RESUME, [attempt])], "task")
        saver.put_writes(there, [(ERROR, ValueError(f"attempt {attempt}"))], "task")
    found = saver.get_tuple(there)
    assert found is not None
    assert found.pending_writes is not None
    assert {channel: value for _, channel, value in found.pending_writes} == {
        "a": 1, INTERRUPT: (2,), RESUME: [2], ERROR: "ValueError('attempt 2')",
    }  # fmt: skip


def test_writes_that_come_late_bring_no_deleted_thread_back(store: Store) -> None:
    saver, other = ClewSaver(store), ClewSaver(store)
    there = Thread(saver).put({"a": 1})
    below = Thread(saver, "thread", "below").put({"a": 1})
    Thread(other).values()
    saver.delete_thread("thread")
    for place in (there, below):
        other.put_writes(place, [("a", 2)], "task")
    assert store.list_sessions(source="langgraph").items == []
    assert other.get_tuple(there) is None
    assert list(other.list(None)) == []
    other.delete_thread("thread")
    with pytest.raises(NotFoundError, match="deleted"):
        other.put_writes(there, [("a", 2)], "task")


def test_early_writes_wait_for_the_first_checkpoint_whichever_it_is(store: Store) -> None:
    saver = ClewSaver(store)
    for attempt in (1, 2):
        saver.put_writes(thread(checkpoint_id="2"), [("a", attempt)], "task")
        saver.put_writes(thread(checkpoint_id="2"), [(INTERRUPT, (attempt,))], "task")
    saver.put_writes(thread(checkpoint_id="2", checkpoint_ns="below"), [("a", 3)], "task")
    assert store.list_sessions(source="langgraph").items == []
    root = saver.put(thread(), checkpoint({}, id="1"), METADATA, {})
    assert list(store.list_waiting(session_of(store).id)) == ["2"]
    ClewSaver(store).put(root, checkpoint({}, id="2"), METADATA, {})
    found = ClewSaver(store).get_tuple(thread(checkpoint_id="2"))
    assert found is not None
    assert found.pending_writes == [("task", INTERRUPT, (2,)), ("task", "a", 1)]
    saver.put(thread(checkpoint_ns="below"), checkpoint({}, id="2"), METADATA, {})
    below = saver.get_tuple(thread(checkpoint_ns="below"))
    assert below is not None
    assert below.pending_writes == [("task", "a", 3)]
    assert saver._memory.waiting.of("thread") == []


def test_early_writes_whose_session_somebody_else_has_just_made_are_stored(
    file_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    saver, other = ClewSaver(file_store), ClewSaver(file_store)
    add = saver._memory.waiting.add

    def overtaken(*args: Any) -> None:
        other.put(thread(), checkpoint({}, id="1"), METADATA, {})
        add(*args)

    monkeypatch.setattr(saver._memory.waiting, "add", overtaken)
    saver.put_writes(thread(checkpoint_id="1"), [("a", 1)], "task")
    found = other.get_tuple(thread())
    assert found is not None
    assert found.pending_writes == [("task", "a", 1)]


def test_early_writes_that_could_not_be_stored_are_stored_when_the_put_is_made_again(
    file_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    saver, made = ClewSaver(file_store), checkpoint({}, id="1")
    saver.put_writes(thread(checkpoint_id="1"), [("a", 1)], "task")

    def unavailable(*args: Any, **said: Any) -> None:
        raise UnavailableError("not now")

    with monkeypatch.context() as broken:
        broken.setattr(file_store, "attach", unavailable)
        with pytest.raises(UnavailableError):
            saver.put(thread(), made, METADATA, {})
    saver.put(thread(), made, METADATA, {})
    found = saver.get_tuple(thread())
    assert found is not None
    assert found.pending_writes == [("task", "a", 1)]


def test_no_more_waits_than_a_number_of_bytes_and_what_has_waited_longest_goes() -> None:
    waiting = Waiting(max_bytes=10)
    for name in ("a", "b", "b", "c"):
        waiting.add(name, Early("1", {"write": b"1234"}, "keep"))
    assert [len(waiting.of(name)) for name in "abc"] == [0, 0, 1]
    waiting.remove("c", waiting.of("c")[0])
    waiting.add("d", Early("1", {"write": b"1234567890"}, "keep"))
    assert len(waiting.of("d")) == 1
    assert waiting.forget("d") == ["1"]
    assert waiting.of("d") == []
