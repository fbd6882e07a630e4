"""The checkpoints of workflows, as the framework's own storages have them."""

import asyncio
import subprocess
import sys
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from uuid import uuid4

import msgspec
import pytest
from agent_framework import InMemoryCheckpointStorage, WorkflowCheckpoint, WorkflowCheckpointException
from tests.adapters.agent_framework.support import FLOW, WHOLE_READS, active_of, run, session_of, watched, workflow

import clew
from clew.adapters.agent_framework import ClewCheckpointStorage

SOURCE = "agent-framework-workflow"

RESUME = """
import asyncio, sys
sys.path.insert(0, sys.argv[2])
from clew.adapters.agent_framework import ClewCheckpointStorage
from tests.adapters.agent_framework.support import FLOW, workflow

async def main():
    storage = ClewCheckpointStorage(sys.argv[1])
    ids = await storage.list_checkpoint_ids(workflow_name=FLOW)
    print(*(await workflow(storage).run(checkpoint_id=ids[1])).get_outputs())
    storage.close()

asyncio.run(main())
"""


class Colour(StrEnum):
    RED = "red"


@dataclass
class Order:
    number: int
    colour: Colour


ALLOWED = [f"{__name__}:Colour", f"{__name__}:Order"]


def checkpoint(state=None, name=FLOW, **fields) -> WorkflowCheckpoint:
    return WorkflowCheckpoint(workflow_name=name, graph_signature_hash="hash", state=state or {}, **fields)


@pytest.fixture
def storage(store: clew.Store) -> ClewCheckpointStorage:
    return ClewCheckpointStorage(store)


@pytest.fixture
def on_file(file_store: clew.Store) -> ClewCheckpointStorage:
    return ClewCheckpointStorage(file_store, allowed_checkpoint_types=ALLOWED)


def ids(storage: ClewCheckpointStorage, name: str = FLOW) -> list[str]:
    return run(storage.list_checkpoint_ids(workflow_name=name))


def latest(storage: ClewCheckpointStorage, name: str = FLOW) -> str | None:
    found = run(storage.get_latest(workflow_name=name))
    return None if found is None else found.checkpoint_id


class TestAWorkflow:
    def test_is_resumed_by_a_new_object(self, store):
        assert run(workflow(ClewCheckpointStorage(store)).run("hello")).get_outputs() == ["HELLO 1!"]

        storage = ClewCheckpointStorage(store)
        first, second, third = ids(storage)
        assert run(workflow(storage).run(checkpoint_id=first)).get_outputs() == ["HELLO 1!"]
        assert run(workflow(storage).run(checkpoint_id=second)).get_outputs() == ["HELLO 1!"]
        assert run(workflow(storage).run(checkpoint_id=third)).get_outputs() == []

    def test_is_resumed_by_another_process(self, file_store, tmp_path, request):
        run(workflow(ClewCheckpointStorage(file_store)).run("hello"))

        command = [sys.executable, "-c", RESUME, str(tmp_path / "clew.db"), str(request.config.rootpath)]
        assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "HELLO 1!\n"

    def test_leaves_a_tree_of_its_runs(self, store):
        storage = ClewCheckpointStorage(store)
        run(workflow(storage).run("hello"))
        first, second, third = ids(storage)
        run(workflow(storage).run(checkpoint_id=second))
        run(workflow(storage).run("again"))

        assert [str(one.id) for one in store.ancestry(third)] == [third, second, first]
        assert sorted(str(one.id) for one in store.children(second)) == sorted([third, ids(storage)[3]])
        assert len(store.branches(session_of(store, FLOW, SOURCE).id)) >= 3

    def test_can_be_read_in_clew(self, store):
        run(workflow(ClewCheckpointStorage(store)).run("hello"))

        told = [message["content"] for message in active_of(store, FLOW, SOURCE).state.messages]
        assert [line.splitlines()[0] for line in told] == ["Iteration 0", "Iteration 1", "Iteration 2"]
        assert "loud: hello" in told[0]
        assert told[1].endswith("loud → all: HELLO 1")
        assert session_of(store, FLOW, SOURCE).title == FLOW


class TestSavingAndLoading:
    def test_comes_back_equal_and_as_a_copy(self, storage):
        given = checkpoint(
            {"a": [1, 2.5, None, True, "ä\0"], "_executor_state": {"x": {"n": 1}, "y": {}}},
            previous_checkpoint_id=str(uuid4()),
            iteration_count=3,
            metadata={"k": {"v": [1]}},
            messages={"x": [{"data": "hello"}]},
        )
        assert run(storage.save(given)) == given.checkpoint_id

        found = run(storage.load(given.checkpoint_id))
        assert found == given
        assert found.state is not given.state
        assert run(storage.list_checkpoints(workflow_name=FLOW)) == [given]
        assert run(storage.get_latest(workflow_name=FLOW)) == given

    @pytest.mark.parametrize(
        "value",
        [
            (1, 2),
            {1: "a", "1": "b"},
            {2: "a"},
            {"$encoded": 1},
            Colour.RED,
            Order(1, Colour.RED),
            {1, 2},
            b"\0",
            Decimal("1.10"),
            10**40,
            float("inf"),
            "\ud800",
            "\ud83d\ude00",
            {"\ud800": 1},
            {},
            [],
        ],
        ids=ascii,
    )
    def test_values_keep_their_types(self, on_file, value):
        given = checkpoint({"value": value, "_executor_state": {"x": value}})
        run(on_file.save(given))

        state = run(on_file.load(given.checkpoint_id)).state
        for found in (state["value"], state["_executor_state"]["x"]):
            assert (type(found), found) == (type(value), value)

    @pytest.mark.parametrize("executors", [None, {}, [1], {1: "a"}, (1,)], ids=repr)
    def test_whatever_the_state_of_the_executors_is(self, on_file, executors):
        given = checkpoint({"_executor_state": executors})
        run(on_file.save(given))
        assert run(on_file.load(given.checkpoint_id)) == given

    @pytest.mark.parametrize(
        "id", ["mine", "A" * 500, "ä/ö", "\0", "\ud800", "F6E1DDFF-677C-4DC3-BD95-9B1A8B038F62", ""], ids=ascii
    )
    def test_an_id_may_be_any_text(self, on_file, id):
        given = checkpoint(checkpoint_id=id)
        run(on_file.save(given))
        assert run(on_file.load(id)) == given
        assert ids(on_file) == [id]
        assert run(on_file.delete(id)) is True

    def test_every_attachment_is_json(self, on_file, file_store):
        run(on_file.save(checkpoint({"a": float("inf"), "b": "\ud800", "_executor_state": {"x": (float("nan"),)}})))

        id = active_of(file_store, FLOW, SOURCE).id
        for name, part in file_store.get_attachments(id)[id].items():
            assert msgspec.json.decode(part) is not None, name
            assert part.content_type == "application/json"

    def test_ids_that_differ_are_two(self, on_file, file_store):
        small, large = "f6e1ddff-677c-4dc3-bd95-9b1a8b038f62", "F6E1DDFF-677C-4DC3-BD95-9B1A8B038F62"
        given = [checkpoint({"n": number}, checkpoint_id=id) for number, id in enumerate((small, large))]
        for one in given:
            run(on_file.save(one))
        assert [run(on_file.load(id)) for id in (small, large)] == given

        in_clew = str(active_of(file_store, FLOW, SOURCE).id)
        with pytest.raises(WorkflowCheckpointException, match="No checkpoint found"):
            run(on_file.load(in_clew))
        assert run(on_file.delete(in_clew)) is False

    def test_an_unknown_id_is_the_error_of_the_framework(self, storage):
        for id in (str(uuid4()), "mine"):
            with pytest.raises(WorkflowCheckpointException, match="No checkpoint found"):
                run(storage.load(id))

    def test_a_checkpoint_of_something_else_is_none(self, on_file, file_store):
        other = file_store.create_session("talk", messages=[{"role": "user", "content": "x"}]).active_checkpoint.id
        with pytest.raises(WorkflowCheckpointException):
            run(on_file.load(str(other)))
        assert run(on_file.delete(str(other))) is False
        assert file_store.get_checkpoint_summary(other).message_count == 1

    def test_saving_again_changes_nothing(self, storage):
        previous = str(uuid4())
        given = checkpoint({"a": 1}, previous_checkpoint_id=previous)
        run(storage.save(given))
        run(storage.save(given))
        assert ids(storage) == [given.checkpoint_id]

    def test_a_stored_checkpoint_never_changes(self, storage):
        given = checkpoint({"a": 1})
        run(storage.save(given))
        with pytest.raises(WorkflowCheckpointException, match="stored already") as raised:
            run(storage.save(checkpoint({"a": 2}, checkpoint_id=given.checkpoint_id)))
        assert isinstance(raised.value.__cause__, clew.ConflictError)
        assert run(storage.load(given.checkpoint_id)) == given

    def test_what_could_not_be_read_again_is_refused(self, file_store):
        storage = ClewCheckpointStorage(file_store)
        for value in (Order(1, Colour.RED), lambda: None, (storage,)):
            with pytest.raises(WorkflowCheckpointException):
                run(storage.save(checkpoint({"value": value})))
        circular: list[object] = []
        circular.append(circular)
        with pytest.raises(WorkflowCheckpointException):
            run(storage.save(checkpoint({"value": circular})))
        assert file_store.list_sessions().items == []

    def test_types_that_are_not_allowed_are_not_read(self, on_file, file_store):
        given = checkpoint({"value": Order(1, Colour.RED)})
        run(on_file.save(given))
        for call in (
            lambda: ClewCheckpointStorage(file_store).load(given.checkpoint_id),
            lambda: ClewCheckpointStorage(file_store).list_checkpoints(workflow_name=FLOW),
            lambda: ClewCheckpointStorage(file_store).get_latest(workflow_name=FLOW),
        ):
            with pytest.raises(WorkflowCheckpointException, match="Order"):
                run(call())

    def test_a_name_that_no_store_takes_is_refused(self, storage):
        with pytest.raises(clew.InvalidRequestError, match="source_id"):
            run(storage.save(checkpoint(name="a\0b")))


class TestLists:
    def test_are_those_of_the_workflow_in_the_order_of_saving(self, storage):
        given = [checkpoint(), checkpoint(name="other"), checkpoint()]
        for one in given:
            run(storage.save(one))

        assert run(storage.list_checkpoints(workflow_name=FLOW)) == [given[0], given[2]]
        assert ids(storage) == [given[0].checkpoint_id, given[2].checkpoint_id]
        assert ids(storage, "other") == [given[1].checkpoint_id]

    def test_of_an_unknown_workflow_are_empty(self, storage):
        assert ids(storage, "nobody") == []
        assert run(storage.list_checkpoints(workflow_name="nobody")) == []
        assert run(storage.get_latest(workflow_name="nobody")) is None

    def test_that_are_longer_than_a_page_are_whole(self, on_file, monkeypatch):
        monkeypatch.setattr("clew.adapters.agent_framework.checkpoints._PAGE", 2)
        given = [checkpoint() for _ in range(5)]
        for one in given:
            run(on_file.save(one))
        assert run(on_file.list_checkpoints(workflow_name=FLOW)) == given

    def test_leave_out_what_somebody_wrote_by_hand(self, on_file, file_store):
        given = checkpoint()
        run(on_file.save(given))
        file_store.append(session_of(file_store, FLOW, SOURCE).id, [{"role": "user", "content": "a note"}])

        assert run(on_file.list_checkpoints(workflow_name=FLOW)) == [given]
        assert run(on_file.get_latest(workflow_name=FLOW)) == given


class TestTheLatest:
    def test_is_the_one_saved_last_whatever_the_clock_said(self, storage):
        new = checkpoint(timestamp="2026-06-01T00:00:00+00:00")
        old = checkpoint(timestamp="2020-01-01T00:00:00+00:00", previous_checkpoint_id=new.checkpoint_id)
        run(storage.save(new))
        run(storage.save(old))
        assert latest(storage) == old.checkpoint_id

    def test_after_a_delete_is_the_nearest_before_it(self, storage):
        first = checkpoint()
        second = checkpoint(previous_checkpoint_id=first.checkpoint_id)
        for one in (first, second):
            run(storage.save(one))
        assert run(storage.delete(second.checkpoint_id)) is True
        assert latest(storage) == first.checkpoint_id
        assert run(storage.delete(first.checkpoint_id)) is True
        assert latest(storage) is None

    def test_after_a_rewind_is_where_it_went(self, storage, store):
        first, second = checkpoint(), checkpoint()
        run(storage.save(first))
        run(storage.save(second))
        store.set_active_checkpoint(session_of(store, FLOW, SOURCE).id, first.checkpoint_id)
        assert latest(storage) == first.checkpoint_id


class TestDeleting:
    def test_says_whether_there_was_one(self, storage):
        given = checkpoint()
        run(storage.save(given))
        assert run(storage.delete(given.checkpoint_id)) is True
        assert run(storage.delete(given.checkpoint_id)) is False
        assert run(storage.delete("mine")) is False

    def test_leaves_those_that_came_after(self, storage):
        chain = [checkpoint({"a": 1})]
        for _ in range(2):
            chain.append(checkpoint({"a": 1}, previous_checkpoint_id=chain[-1].checkpoint_id))
        for one in chain:
            run(storage.save(one))
        run(storage.delete(chain[1].checkpoint_id))
        assert run(storage.list_checkpoints(workflow_name=FLOW)) == [chain[0], chain[2]]

    def test_a_checkpoint_whose_previous_one_is_gone_is_saved(self, storage):
        first = checkpoint()
        second = checkpoint(previous_checkpoint_id=first.checkpoint_id)
        run(storage.save(first))
        run(storage.delete(first.checkpoint_id))
        run(storage.save(second))
        assert latest(storage) == second.checkpoint_id

    def test_a_workflow_marked_deleted_is_not_found_and_takes_no_checkpoints(self, storage, store):
        first = checkpoint()
        run(storage.save(first))
        session = session_of(store, FLOW, SOURCE).id
        other = ClewCheckpointStorage(store)
        assert latest(other) == first.checkpoint_id
        store.delete_session(session)
        assert latest(other) is None
        for each in (storage, ClewCheckpointStorage(store)):
            assert ids(each) == run(each.list_checkpoints(workflow_name=FLOW)) == []
            with pytest.raises(WorkflowCheckpointException, match="marked deleted"):
                run(each.save(checkpoint()))
        store.restore_session(session)
        assert ids(storage) == [first.checkpoint_id]

    def test_a_purged_workflow_begins_anew(self, storage, store):
        run(storage.save(checkpoint()))
        store.purge_session(session_of(store, FLOW, SOURCE).id)
        assert ids(storage) == []
        given = checkpoint()
        run(storage.save(given))
        assert ids(storage) == [given.checkpoint_id]


class TestCosts:
    def test_loading_and_the_latest_read_one_checkpoint(self, on_file, file_store):
        chain = [checkpoint()]
        for _ in range(20):
            chain.append(checkpoint(previous_checkpoint_id=chain[-1].checkpoint_id))
        for one in chain:
            run(on_file.save(one))

        with watched(file_store) as calls:
            run(on_file.load(chain[-1].checkpoint_id))
            run(on_file.get_latest(workflow_name=FLOW))

        assert [name for name, _, _ in calls] == ["get_attachments", "get_session_summary", "get_attachments"]

    def test_saving_sends_one_checkpoint_and_one_message(self, on_file, file_store):
        first = checkpoint()
        run(on_file.save(first))
        with watched(file_store) as calls:
            run(on_file.save(checkpoint(previous_checkpoint_id=first.checkpoint_id)))
        assert [(name, len(args[1])) for name, args, _ in calls] == [("append", 1)]

    def test_an_executor_that_did_not_change_costs_no_bytes(self, on_file, file_store, tmp_path):
        big = {"text": "".join(map(chr, range(200, 60_000, 2))).encode("utf-8", "replace").hex()}
        given = checkpoint({"_executor_state": {"a": big, "b": 0}})
        run(on_file.save(given))
        before = stored_bytes(file_store)
        for number in range(10):
            given = checkpoint({"_executor_state": {"a": big, "b": number}}, previous_checkpoint_id=given.checkpoint_id)
            run(on_file.save(given))
        assert stored_bytes(file_store) - before < len(big["text"])

    def test_a_list_is_read_by_pages(self, on_file, file_store):
        for _ in range(12):
            run(on_file.save(checkpoint()))
        with watched(file_store) as calls:
            run(on_file.list_checkpoints(workflow_name=FLOW))
            ids(on_file)
        assert [name for name, _, _ in calls] == ["get_session_summary", "list_checkpoints"] * 2
        assert not WHOLE_READS & {name for name, _, _ in calls}


def stored_bytes(store: clew.Store) -> int:
    """How large the file is, with its log written into it."""
    store.compact()
    path = store.backend_info().store_path
    assert path is not None
    return Path(path).stat().st_size


class TestDamage:
    @pytest.mark.parametrize("part", ["checkpoint", "state", "messages", "executor/000000"])
    @pytest.mark.parametrize("bytes_", [b"", b"{", b"1", b"\xff", None], ids=repr)
    def test_what_cannot_be_read_is_an_error_and_not_left_out(self, on_file, file_store, part, bytes_):
        given = checkpoint({"_executor_state": {"a": 1}})
        run(on_file.save(given))
        session = session_of(file_store, FLOW, SOURCE).id
        if bytes_ is None:
            file_store.detach(session, part, checkpoint_id=given.checkpoint_id)
        else:
            file_store.attach(session, {part: bytes_}, checkpoint_id=given.checkpoint_id, on_conflict="replace")

        with pytest.raises(clew.CorruptStateError) as raised:
            run(on_file.list_checkpoints(workflow_name=FLOW))
        assert str(raised.value.checkpoint_id) == given.checkpoint_id
        with pytest.raises((clew.CorruptStateError, WorkflowCheckpointException)):
            run(on_file.load(given.checkpoint_id))

    def test_a_damaged_row_is_an_error_and_no_shorter_list(self, on_file, file_store, monkeypatch):
        run(on_file.save(checkpoint()))
        found = file_store.list_checkpoints(session_of(file_store, FLOW, SOURCE).id).items[-1]
        damaged = clew.Page([msgspec.structs.replace(found, damage="its row is damaged")])
        monkeypatch.setattr(file_store, "list_checkpoints", lambda *args, **filters: damaged)

        with pytest.raises(clew.CorruptStateError, match="its row is damaged"):
            ids(on_file)


class TestTwoWriters:
    def test_runs_at_once_are_branches_and_all_is_there(self, store):
        async def both() -> list[object]:
            storage, other = ClewCheckpointStorage(store), ClewCheckpointStorage(store)
            return await asyncio.gather(workflow(storage).run("a"), workflow(other).run("b"))

        asyncio.run(both())

        storage = ClewCheckpointStorage(store)
        assert len(ids(storage)) == 6
        chains = [store.ancestry(leaf.id) for leaf in store.branches(session_of(store, FLOW, SOURCE).id)]
        assert sorted(len(chain) for chain in chains if len(chain) > 1) == [3, 3]

    def test_it_is_what_the_framework_keeps_in_memory(self, on_file):
        memory = InMemoryCheckpointStorage()
        given = [checkpoint({"n": number}) for number in range(4)]
        for one in given:
            run(on_file.save(one))
            run(memory.save(one))
        run(on_file.delete(given[1].checkpoint_id))
        run(memory.delete(given[1].checkpoint_id))

        assert ids(on_file) == run(memory.list_checkpoint_ids(workflow_name=FLOW))
        assert run(on_file.list_checkpoints(workflow_name=FLOW)) == run(memory.list_checkpoints(workflow_name=FLOW))
        assert run(on_file.get_latest(workflow_name=FLOW)) == run(memory.get_latest(workflow_name=FLOW))
