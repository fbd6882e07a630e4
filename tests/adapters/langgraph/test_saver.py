"""What the saver promises beside the suite: branches, late calls, lists while writing, and what a step costs."""

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage
from langgraph.checkpoint.base.id import uuid6
from tests.adapters.langgraph.support import Counting, Thread, checkpoint, said, session_of, thread

import clew
from clew import ConflictError, NotFoundError, Store
from clew.adapters.langgraph import ClewSaver
from clew.adapters.langgraph.names import Place, place_of_source

METADATA: Any = {"source": "loop", "step": 1, "parents": {}}


def stored_messages(store: Store, name: str = "thread") -> list[Any]:
    active = session_of(store, name).active_checkpoint
    assert active is not None
    return active.state.messages


# Branches, and several writers.


def test_two_writers_from_one_parent_make_two_branches_and_both_stay(store: Store) -> None:
    first, second = ClewSaver(store), ClewSaver(store)
    root = Thread(first).put({"messages": [HumanMessage("root")]})
    ours = Thread(first).put({"messages": [HumanMessage("root"), AIMessage("ours")]}, parent=root)
    theirs = Thread(second).put({"messages": [HumanMessage("root"), AIMessage("theirs")]}, parent=root)
    for saver in (first, second, ClewSaver(store)):
        assert said(Thread(saver).values(ours)) == ["root", "ours"]
        assert said(Thread(saver).values(theirs)) == ["root", "theirs"]
        assert len(list(saver.list(thread()))) == 3
        found = saver.get_tuple(theirs)
        assert found is not None
        assert found.parent_config == root
    assert len(store.branches(session_of(store).id)) >= 2


def test_many_threads_write_through_one_saver(store: Store) -> None:
    saver = ClewSaver(store)

    def run(name: str) -> None:
        written = Thread(saver, name)
        messages: list[BaseMessage] = []
        for turn in range(10):
            messages = [*messages, HumanMessage(f"{name} {turn}")]
            written.put({"messages": messages})

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(run, [f"thread {n}" for n in range(8)]))
    for n in range(8):
        values = Thread(ClewSaver(store), f"thread {n}").values()
        assert said(values) == [f"thread {n} {turn}" for turn in range(10)]


def test_many_threads_begin_one_thread_at_once(store: Store) -> None:
    begin = threading.Barrier(6)

    def run(n: int) -> None:
        begin.wait()
        Thread(ClewSaver(store), "one", "below").put({"n": n})

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(run, range(6)))
    assert len(list(ClewSaver(store).list(thread("one")))) == 6
    assert len(store.list_sessions(source="langgraph").items) == 2


def test_the_newest_is_the_one_with_the_largest_id(store: Store) -> None:
    saver = ClewSaver(store)
    ids = [str(uuid6()) for _ in range(3)]
    for id in (ids[1], ids[2], ids[0]):
        saver.put(thread(), checkpoint({"id": id}, id=id), METADATA, {"id": 1})
    assert Thread(saver).values() == {"id": ids[2]}
    assert [item.checkpoint["id"] for item in saver.list(thread())] == [ids[2], ids[1], ids[0]]


def test_the_same_call_again_changes_nothing_and_another_of_its_id_is_an_error(store: Store) -> None:
    saver, fresh = ClewSaver(store), ClewSaver(store)
    root = saver.put(thread(), checkpoint({"a": 1}, id="1"), METADATA, {"a": 1})
    made = checkpoint({"a": (1,), "messages": [HumanMessage("x")]}, 2, id="2")
    for each in (saver, saver, fresh):
        assert each.put(root, made, METADATA, {"a": 2, "messages": 2})["configurable"]["checkpoint_id"] == "2"
    with pytest.raises(ConflictError):
        fresh.put(root, {**made, "channel_values": {"a": 2}}, METADATA, {"a": 2})
    with pytest.raises(ConflictError):
        fresh.put(thread(), made, METADATA, {"a": 2, "messages": 2})
    assert len(list(fresh.list(thread()))) == 2


# Late calls.


def test_a_late_put_does_not_bring_a_deleted_thread_back(store: Store) -> None:
    saver, other = ClewSaver(store), ClewSaver(store)
    there: Any = None
    for late in (saver, other):
        written = Thread(saver)
        there = written.put({"messages": [HumanMessage("private")]})
        Thread(other).values()
        saver.delete_thread("thread")
        with pytest.raises(NotFoundError):
            Thread(late).put({"messages": [HumanMessage("private"), AIMessage("late")]}, parent=there)
        assert saver.get_tuple(thread()) is None
        assert other.get_tuple(there) is None
        assert list(saver.list(thread())) == list(other.list(None)) == []
    with pytest.raises(NotFoundError, match="deleted"):
        saver.put_writes(there, [("messages", AIMessage("late"))], "task")
    assert store.list_sessions(source="langgraph").items == []


def test_a_thread_of_another_owner_is_neither_listed_nor_deleted(file_store: Store) -> None:
    saver = ClewSaver(file_store)
    Thread(saver).put({"turn": 1}, run_id="run")
    mine = file_store.find_session("langgraph", "thread")
    hers = file_store.create_session(
        "hers", source="langgraph", source_id="thread", session_metadata=mine.metadata, owner="Ada"
    )
    theirs = file_store.append(hers.id, [], metadata={"run_id": "run"})
    assert len(list(saver.list(None))) == len(list(saver.list(thread()))) == 1
    saver.delete_for_runs(["run"])
    saver.delete_thread("thread")
    assert [session.id for session in file_store.list_sessions()] == [hers.id]
    assert file_store.get_active_checkpoint(hers.id).id == theirs.id


def test_a_deleted_thread_can_begin_anew(store: Store) -> None:
    saver, other = ClewSaver(store), ClewSaver(store)
    for turn in range(3):
        there = Thread((saver, other)[turn % 2]).put({"turn": turn})
        saver.put_writes(there, [("turn", turn)], "task")
        for each in (saver, other):
            found = each.get_tuple(thread())
            assert found is not None
            assert found.checkpoint["channel_values"] == {"turn": turn}
            assert found.parent_config is None
            assert found.pending_writes == [("task", "turn", turn)]
        (saver, other)[turn % 2].delete_thread("thread")


def test_a_namespace_can_begin_in_a_thread_that_another_process_has_deleted(store: Store) -> None:
    saver, other = ClewSaver(store), ClewSaver(store)
    Thread(saver).put({"a": 1})
    other.delete_thread("thread")
    Thread(saver, "thread", "below").put({"a": 2})
    assert Thread(other, "thread", "below").values() == {"a": 2}
    assert Thread(other).saver.get_tuple(thread()) is None


def test_deleting_leaves_no_byte_of_a_thread(tmp_path: Any) -> None:
    with ClewSaver(tmp_path / "clew.db") as saver:
        for namespace in ("", "below"):
            written = Thread(saver, "thread", namespace)
            there = written.put({"messages": [HumanMessage("confidential " * 3)], "channel": "confidential" * 9})
            saver.put_writes(there, [("channel", "confidential" * 8)], "task")
        Thread(saver, "other").put({"messages": [HumanMessage("stays")]})
        saver.delete_thread("thread")
        assert said(Thread(saver, "other").values()) == ["stays"]
    assert not any(b"confidential" in file.read_bytes() for file in tmp_path.iterdir())


def test_a_parent_that_was_never_there_is_an_error(store: Store) -> None:
    saver = ClewSaver(store)
    with pytest.raises(NotFoundError):
        saver.put(thread(checkpoint_id="nowhere"), checkpoint({"a": 1}), METADATA, {"a": 1})
    Thread(saver).put({"a": 1})
    with pytest.raises(NotFoundError):
        saver.put(thread(checkpoint_id="nowhere"), checkpoint({"a": 1}), METADATA, {"a": 1})
    assert len(list(saver.list(thread()))) == 1


# Lists.


def test_a_thread_can_be_written_to_while_it_is_listed(store: Store) -> None:
    saver = ClewSaver(store)
    written = Thread(saver)
    for turn in range(5):
        written.put({"turn": turn})
    seen = []
    for item in saver.list(thread()):
        seen.append(item.checkpoint["channel_values"]["turn"])
        written.put({"turn": -1})
    assert seen == [4, 3, 2, 1, 0]
    assert len(list(saver.list(thread()))) == 10


def test_a_list_has_the_messages_of_each_checkpoint(store: Store) -> None:
    saver = ClewSaver(store)
    written = Thread(saver)
    expected: list[list[str]] = []
    messages: list[BaseMessage] = []
    for turn in range(70):
        messages = [*messages[: -1 if turn % 9 == 8 else None], HumanMessage(f"m{turn}")]
        written.put({"messages": messages, "turn": turn})
        expected.insert(0, [str(message.content) for message in messages])
    branch = Thread(saver).put({"messages": messages[:3], "turn": 70}, parent=None)
    expected.insert(0, [str(message.content) for message in messages[:3]])
    for each in (saver, ClewSaver(store)):
        found = list(each.list(thread()))
        assert [said(item.checkpoint["channel_values"]) for item in found] == expected
        assert [item.parent_config for item in found[2:]][:-1] == [item.config for item in found[3:]]
        assert found[0].config == branch
    lists = [item.checkpoint["channel_values"]["messages"] for item in saver.list(thread(), limit=2)]
    lists[0].clear()
    assert len(lists[1]) > 3


def test_a_list_reads_pages_and_not_each_checkpoint(file_store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    saver, messages = ClewSaver(file_store), [HumanMessage("m")]
    written = Thread(saver)
    for turn in range(40):
        messages = [*messages, HumanMessage(f"{turn}")]
        written.put({"messages": messages, "long": "x" * 100})
    counting = Counting(file_store, monkeypatch)
    assert len(list(saver.list(thread(checkpoint_ns="")))) == 40
    assert len(list(saver.list(thread(checkpoint_ns=""), filter={"step": 3}))) == 1
    assert len(counting.calls) <= 8


def test_a_list_of_a_thread_has_all_its_namespaces_and_filters_by_any_metadata(store: Store) -> None:
    saver = ClewSaver(store)
    for name, namespace in (("a", ""), ("a", "x|y#z"), ("a#x", ""), ("b", "")):
        Thread(saver, name, namespace).put({"n": 1}, who=name, where=namespace, pair=(1, 2))
    found = {
        (i.config["configurable"]["thread_id"], i.config["configurable"]["checkpoint_ns"]) for i in saver.list(None)
    }
    assert found == {("a", ""), ("a", "x|y#z"), ("a#x", ""), ("b", "")}
    assert len(list(saver.list({"configurable": {"thread_id": "a"}}))) == 2
    assert len(list(saver.list(thread("a", checkpoint_ns="x|y#z")))) == 1
    assert len(list(saver.list(None, filter={"who": "a"}))) == 2
    assert len(list(saver.list(None, filter={"pair": (1, 2), "where": "x|y#z"}))) == 1
    assert list(saver.list(None, filter={"who": "nobody"})) == []
    assert len(list(saver.list(None, filter={"nothing": None}))) == 4
    assert list(saver.list(None, limit=0)) == []


@pytest.mark.parametrize(
    "place", [Place("t", "", None), Place("%#/\0\ud800", "a|b:1#%002F", None), Place("", "x", None)]
)
def test_names_of_sessions_can_be_read_back(place: Place) -> None:
    assert place_of_source(place.source_id) == place


# What a step costs, and what is taken for the same.


def test_a_step_writes_what_is_new_in_one_write_and_reads_nothing(
    file_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    saver, messages = ClewSaver(file_store), []
    written = Thread(saver)
    big = {"big": {"x": "y" * 10_000}}
    messages = [HumanMessage(f"{n}") for n in range(100)]
    written.put({"messages": messages, **big})
    counting = Counting(file_store, monkeypatch)
    for n in range(10):
        messages = [*messages, HumanMessage(f"new {n}"), AIMessage("y")]
        there = written.put({"messages": messages, **big}, changed=["messages"])
        saver.put_writes(there, [("messages", messages[-1])], "task")
    assert counting.calls == ["append", "attach"] * 10
    assert counting.given == [2] * 10


def test_another_process_goes_on_from_what_is_there_and_writes_what_is_new(
    file_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = Thread(ClewSaver(file_store))
    there = written.put({"messages": [HumanMessage(f"{n}") for n in range(100)]})
    counting = Counting(file_store, monkeypatch)
    fresh = Thread(ClewSaver(file_store))
    copied = [HumanMessage(f"{n}") for n in range(100)]
    fresh.put({"messages": [*copied, AIMessage("new")]}, parent=there)
    assert counting.given == [1]
    assert len(Thread(ClewSaver(file_store)).values()["messages"]) == 101


def test_a_thread_of_n_steps_costs_n(tmp_path: Any) -> None:
    sizes = []
    for steps in (200, 400):
        path = tmp_path / f"{steps}.db"
        messages: list[BaseMessage] = []
        with ClewSaver(path) as saver:
            written = Thread(saver)
            for n in range(steps):
                messages = [*messages, HumanMessage(f"{n} " + "x" * 300)]
                written.put({"messages": messages})
        sizes.append(path.stat().st_size)
    assert sizes[1] < 2.3 * sizes[0]
    assert sizes[1] < 400 * 1_800


def test_what_this_process_has_written_is_not_read_again(file_store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    saver = ClewSaver(file_store)
    written, messages = Thread(saver), [HumanMessage("")]
    for n in range(1, 4):
        messages = [HumanMessage(str(m)) for m in range(n)]
        written.put({"messages": messages, "log": [*range(n)], "big": "x" * 100})
    counting = Counting(file_store, monkeypatch)
    values = written.values()
    assert values == {"messages": messages, "log": [0, 1, 2], "big": "x" * 100}
    assert counting.calls == ["list_checkpoints"]
    values["messages"][0].content = "changed"
    values["log"].clear()
    assert written.values()["messages"] == messages
    assert written.values()["log"] == [0, 1, 2]


def test_what_another_process_has_written_or_deleted_is_seen(store: Store) -> None:
    saver, other = ClewSaver(store), ClewSaver(store)
    for turn in range(3):
        messages = [HumanMessage(f"{turn} {n}") for n in range(turn + 1)]
        written = Thread((saver, other)[turn % 2])
        written.put({"messages": messages})
        for each in (saver, other):
            assert Thread(each).values() == {"messages": messages}
    other.delete_thread("thread")
    assert saver.get_tuple(thread()) is None


def test_a_label_that_somebody_has_moved_names_what_it_names_now(file_store: Store) -> None:
    saver = ClewSaver(file_store)
    written = Thread(saver)
    written.put({"messages": [HumanMessage("first")]})
    label = written.put({"messages": [HumanMessage("second")]})["configurable"]["checkpoint_id"]
    first, second = file_store.list_checkpoints(session_of(file_store).id, order="label").items
    file_store.set_label(second.id, None)
    file_store.set_label(first.id, label)
    assert said(written.values()) == ["first"]


def test_a_message_changed_where_it_stands_is_found_after_a_put_that_failed(
    file_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    saver = ClewSaver(file_store)
    written, messages = Thread(saver), [HumanMessage(f"{n}") for n in range(40)]
    written.put({"messages": messages})
    messages[0].content = "changed"
    saver.put_writes(written.newest, [("messages", messages[0])], "task")

    def unavailable(*args: Any, **said: Any) -> None:
        raise clew.UnavailableError("not now")

    with monkeypatch.context() as broken:
        broken.setattr(file_store, "append", unavailable)
        with pytest.raises(clew.UnavailableError):
            written.put({"messages": messages})
    written.version -= 1
    written.put({"messages": messages})
    assert said(Thread(ClewSaver(file_store)).values())[0] == "changed"


@pytest.mark.parametrize("at", [0, 50, 99])
def test_a_message_changed_where_it_stands_between_runs_is_found_wherever_it_is(file_store: Store, at: int) -> None:
    saver = ClewSaver(file_store)
    written = Thread(saver)
    written.put({"messages": [HumanMessage(f"{n}") for n in range(100)]})
    messages = Thread(saver).values()["messages"]
    messages[at].content = "changed"
    written.put({"messages": messages}, source="input")
    assert said(Thread(ClewSaver(file_store)).values())[at] == "changed"
    assert said(Thread(ClewSaver(file_store)).values()).count("changed") == 1


def test_a_message_near_the_end_changed_by_a_step_is_found(file_store: Store) -> None:
    saver = ClewSaver(file_store)
    written, messages = Thread(saver), [HumanMessage(f"{n}") for n in range(100)]
    written.put({"messages": messages})
    messages[90].additional_kwargs["changed"] = True
    before = written.newest
    written.put({"messages": messages})
    assert Thread(ClewSaver(file_store)).values()["messages"][90].additional_kwargs == {"changed": True}
    assert Thread(ClewSaver(file_store)).values(before)["messages"][90].additional_kwargs == {}


def test_a_channel_that_is_gone_does_not_come_back(store: Store) -> None:
    saver = ClewSaver(store)
    written = Thread(saver)
    written.put({"a": 1, "messages": [HumanMessage("x")], "big": "x" * 1000})
    first = written.newest
    written.put({"a": 2})
    assert Thread(ClewSaver(store)).values() == {"a": 2}
    written.put({"messages": []})
    assert Thread(ClewSaver(store)).values() == {"messages": []}
    assert len(Thread(ClewSaver(store)).values(first)) == 3


def test_a_conversation_can_be_read_and_found(file_store: Store) -> None:
    call = {"name": "look", "args": {"at": 1}, "id": "c", "type": "tool_call"}
    written = Thread(ClewSaver(file_store))
    written.put({"__start__": {"messages": []}})
    written.put({"messages": [HumanMessage("Why is\nthe sky blue?"), AIMessage("Let me look.", tool_calls=[call])]})
    (summary,) = file_store.list_sessions(source="langgraph")
    assert (summary.title, summary.source_id) == ("Why is the sky blue?", "thread")
    assert summary.metadata == {"thread_id": "thread", "checkpoint_ns": ""}
    user, assistant = stored_messages(file_store)
    assert (user["role"], user["content"]) == ("user", "Why is\nthe sky blue?")
    assert assistant["tool_calls"] == [
        {"id": "c", "type": "function", "function": {"name": "look", "arguments": '{"at":1}'}}
    ]
    assert [s.metadata["step"] for s in file_store.list_checkpoints(summary.id, order="label", with_metadata=True)] == [
        1,
        2,
    ]


def test_a_title_that_somebody_gave_stays(file_store: Store) -> None:
    written = Thread(ClewSaver(file_store))
    written.put({"a": 1})
    file_store.update_session(session_of(file_store).id, title="mine")
    written.put({"messages": [HumanMessage("hello")]})
    assert session_of(file_store).title == "mine"


# Removing and copying.


def test_what_goes_on_from_a_deleted_run_keeps_its_whole_state(store: Store) -> None:
    saver = ClewSaver(store)
    written = Thread(saver)
    root = written.put({"messages": [HumanMessage("1")]}, run_id="a")
    written.put({"messages": [HumanMessage("1"), AIMessage("2")]}, run_id="b")
    written.put({"messages": [HumanMessage("1"), AIMessage("2"), AIMessage("3")]}, run_id="c")
    saver.delete_for_runs(["b", "nothing"])
    for each in (saver, ClewSaver(store)):
        found = each.get_tuple(thread())
        assert found is not None
        assert said(found.checkpoint["channel_values"]) == ["1", "2", "3"]
        assert found.parent_config == root
        assert [item.parent_config for item in each.list(thread())] == [root, None]
    written.put({"messages": [HumanMessage("1"), AIMessage("2"), AIMessage("3"), AIMessage("4")]})
    assert said(Thread(ClewSaver(store)).values()) == ["1", "2", "3", "4"]


def test_a_title_goes_with_the_run_that_it_is_from(file_store: Store) -> None:
    saver = ClewSaver(file_store)
    Thread(saver).put({"messages": [HumanMessage("private")]}, run_id="a")
    assert session_of(file_store).title == "private"
    saver.delete_for_runs(["a"])
    assert session_of(file_store).title == "thread"


def test_a_copy_goes_on_by_itself(store: Store) -> None:
    saver = ClewSaver(store)
    for namespace in ("", "below"):
        written = Thread(saver, "thread", namespace)
        written.put({"messages": [HumanMessage("1")]})
        written.put({"messages": [HumanMessage("1"), AIMessage("2")]})
        saver.put_writes(written.newest, [("messages", 1)], "task")
    saver.copy_thread("thread", "copy")
    with pytest.raises(ConflictError):
        saver.copy_thread("thread", "copy")
    (newest, older) = saver.list(thread("copy", checkpoint_ns=""))
    assert newest.parent_config == older.config
    assert newest.pending_writes == [("task", "messages", 1)]
    assert newest.parent_config["configurable"]["thread_id"] == "copy"
    messages = newest.checkpoint["channel_values"]["messages"]
    Thread(saver, "copy").put({"messages": [*messages, AIMessage("3")]}, parent=newest.config)
    saver.delete_thread("thread")
    assert said(Thread(saver, "copy").values()) == ["1", "2", "3"]
    assert said(Thread(saver, "copy", "below").values()) == ["1", "2"]
    assert len(list(saver.list({"configurable": {"thread_id": "copy"}}))) == 5
    saver.delete_thread("copy")
    assert list(saver.list(None)) == []


def test_pruning_by_an_unknown_strategy_is_an_error(file_store: Store) -> None:
    with pytest.raises(clew.InvalidRequestError):
        ClewSaver(file_store).prune(["thread"], strategy="newest")


def test_a_clone_of_a_saver_knows_what_it_knows(file_store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    saver = ClewSaver(file_store)
    messages = [HumanMessage("1")]
    there = Thread(saver).put({"messages": messages})
    counting = Counting(file_store, monkeypatch)
    Thread(saver.with_allowlist([("a", "B")])).put({"messages": [*messages, AIMessage("2")]}, parent=there)
    assert counting.calls == ["append"]


def test_a_list_that_is_replaced_each_step_does_not_rewrite_one_that_grows(
    file_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    there, grown = Thread(ClewSaver(file_store)), [HumanMessage(str(n)) for n in range(20)]
    there.put({"scratch": [HumanMessage("first")], "messages": list(grown)})
    there.put({"scratch": [HumanMessage("second")], "messages": list(grown)})
    counting = Counting(file_store, monkeypatch)
    for number in range(5):
        grown.append(HumanMessage(f"more {number}"))
        there.put({"scratch": [HumanMessage(f"other {number}")], "messages": list(grown)})
        assert there.values() == {"scratch": [HumanMessage(f"other {number}")], "messages": grown}
    assert max(counting.given) == 2


def test_a_list_ends_before_a_checkpoint_of_which_no_thread_is_named(store: Store) -> None:
    there = Thread(ClewSaver(store))
    configs = [there.put({"a": n}) for n in range(3)]
    before: Any = {"configurable": {"checkpoint_id": configs[2]["configurable"]["checkpoint_id"]}}
    assert [item.config for item in there.saver.list(thread(), before=before)] == configs[1::-1]
