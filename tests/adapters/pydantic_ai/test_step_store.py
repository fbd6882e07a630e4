"""The promises of a step store: runs, events, tool effects, snapshots."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from pydantic_ai.messages import ModelRequest, ModelResponse, TextPart, UserPromptPart
from pydantic_ai_harness.step_persistence import (
    RunRecord,
    StepEvent,
    StepStore,
    ToolEffectRecord,
    continue_run,
    fork_run,
)
from tests.adapters.pydantic_ai.talk import at, snapshot, tool_turn, turn, turns

import clew
from clew.adapters.pydantic_ai import ClewStepStore

Run = Callable[[Any], Any]


def record(run_id: str = "r1", **more: Any) -> RunRecord:
    return RunRecord(run_id=run_id, started_at=more.pop("started_at", at(0)), **more)


def effect(call: str = "c1", status: Any = "started", run_id: str = "r1", **more: Any) -> ToolEffectRecord:
    return ToolEffectRecord(tool_call_id=call, tool_name="add", run_id=run_id, status=status, **more)


def event(kind: Any = "run_started", run_id: str = "r1", **more: Any) -> StepEvent:
    return StepEvent(run_id=run_id, kind=kind, step_index=more.pop("step_index", 0), timestamp=at(0), **more)


def test_it_is_a_step_store(file_steps: ClewStepStore):
    assert isinstance(file_steps, StepStore)


class TestRuns:
    def test_a_record_comes_back_with_every_field(self, steps: ClewStepStore, run: Run):
        full = record(
            conversation_id="c", parent_run_id="p", agent_name="a", metadata={"k": "naïve\0"}, registration_id="reg"
        )
        run(steps.register_run(full))
        run(steps.register_run(record("bare")))
        assert run(steps.get_run(run_id="r1")) == full
        assert run(ClewStepStore(steps._handle.store).get_run(run_id="bare")) == record("bare")

    def test_what_is_not_there_is_none_or_empty(self, steps: ClewStepStore, run: Run):
        assert run(steps.get_run(run_id="r1")) is None
        assert run(steps.list_runs()) == []
        assert run(steps.list_runs(conversation_id="c", parent_run_id="p")) == []
        assert run(steps.list_events(run_id="r1")) == []
        assert run(steps.latest_snapshot(run_id="r1", include_interrupted=True)) is None
        assert run(steps.list_snapshots(run_id="r1")) == []
        assert run(steps.get_tool_effect(run_id="r1", tool_call_id="c1")) is None
        assert run(steps.list_unresolved_tool_effects(run_id="r1")) == []
        assert run(steps.get_run(run_id="\0\ud800")) is None

    def test_a_run_id_is_registered_once(self, steps: ClewStepStore, run: Run):
        run(steps.register_run(record(registration_id="one")))
        with pytest.raises(clew.ConflictError, match="registered already"):
            run(steps.register_run(record(registration_id="two")))
        assert run(steps.get_run(run_id="r1")).registration_id == "one"

    def test_the_same_registration_again_changes_nothing(self, steps: ClewStepStore, run: Run):
        run(steps.register_run(record(registration_id="one")))
        run(ClewStepStore(steps._handle.store).register_run(record(registration_id="one")))
        assert len(run(steps.list_runs())) == 1

    def test_runs_are_listed_by_the_time_they_started(self, steps: ClewStepStore, run: Run):
        for name, second in (("late", 3), ("early", 1), ("middle", 2)):
            run(steps.register_run(record(name, started_at=at(second), conversation_id=f"conversation of {name}")))
        assert [one.run_id for one in run(steps.list_runs())] == ["early", "middle", "late"]

    def test_both_filters_have_to_hold(self, steps: ClewStepStore, run: Run):
        for name, conversation, parent in (("a", "x", "p"), ("b", "x", "q"), ("c", "y", "p"), ("d", None, None)):
            run(steps.register_run(record(name, conversation_id=conversation, parent_run_id=parent)))

        def names(**filters: str) -> list[str]:
            return [one.run_id for one in run(steps.list_runs(**filters))]

        assert names(conversation_id="x") == ["a", "b"]
        assert names(parent_run_id="p") == ["a", "c"]
        assert names(parent_run_id="p", conversation_id="x") == ["a"]
        assert names(parent_run_id="p", conversation_id="z") == []

    def test_many_runs_are_listed_over_several_pages(
        self, file_steps: ClewStepStore, run: Run, monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.setattr("clew.adapters.pydantic_ai.runs._PAGE", 3)
        for number in range(8):
            run(file_steps.register_run(record(f"r{number}", conversation_id="c", started_at=at(number))))
        wanted = [f"r{number}" for number in range(8)]
        assert [one.run_id for one in run(file_steps.list_runs())] == wanted
        assert [one.run_id for one in run(file_steps.list_runs(conversation_id="c"))] == wanted

    def test_the_session_of_a_delegate_is_under_that_of_its_parent(self, steps: ClewStepStore, run: Run):
        store = steps._handle.store
        run(steps.register_run(record("above", conversation_id="one")))
        run(steps.register_run(record("below", conversation_id="two", parent_run_id="above", agent_name="helper")))
        below = store.find_session("pydantic-ai", "two")
        assert below.parent_session_id == store.find_session("pydantic-ai", "one").id
        assert below.metadata == {"agent_name": "helper"}

    def test_a_run_may_be_registered_after_it_was_written_to(self, steps: ClewStepStore, run: Run):
        run(steps.append_event(event(conversation_id="c")))
        assert run(steps.get_run(run_id="r1")) is None
        assert run(steps.list_runs()) == []
        run(steps.register_run(record(conversation_id="c")))
        assert [one.run_id for one in run(steps.list_runs(conversation_id="c"))] == ["r1"]
        with pytest.raises(clew.ConflictError):
            run(steps.register_run(record(conversation_id="c", agent_name="other")))

    def test_a_run_is_in_one_conversation(self, file_steps: ClewStepStore, run: Run):
        run(file_steps.append_event(event(conversation_id="c")))
        with pytest.raises(clew.ConflictError, match="not in this conversation"):
            run(file_steps.register_run(record(conversation_id="other")))

    @pytest.mark.parametrize("bad", ["", "nul\0", "half \ud800", "x" * 901])
    def test_an_id_that_no_store_can_keep_is_refused_before_anything_is_written(
        self, file_steps: ClewStepStore, run: Run, bad: str
    ):
        for write in (
            file_steps.register_run(record(bad)),
            file_steps.register_run(record("r", conversation_id=bad)),
            file_steps.append_event(event(run_id=bad)),
        ):
            with pytest.raises(clew.InvalidRequestError):
                run(write)
        assert len(file_steps._handle.store.list_sessions()) == 0

    def test_namespaces_do_not_see_each_others_runs(self, file_store: clew.Store, run: Run):
        one, two = ClewStepStore(file_store, namespace="one"), ClewStepStore(file_store, namespace="two")
        run(one.register_run(record("r", conversation_id="a", agent_name="one")))
        run(two.register_run(record("r", conversation_id="b", agent_name="two")))
        run(one.save_snapshot(snapshot(turns(1), "r")))
        assert [found.agent_name for found in run(one.list_runs())] == ["one"]
        assert run(two.get_run(run_id="r")).agent_name == "two"
        assert run(two.latest_snapshot(run_id="r")) is None

    def test_the_runs_of_a_copied_session_are_listed_once(self, file_steps: ClewStepStore, run: Run):
        run(file_steps.register_run(record(conversation_id="c")))
        store = file_steps._handle.store
        store.copy_session(store.find_session("pydantic-ai", "c").id, source="pydantic-ai", source_id="copy")
        assert len(run(file_steps.list_runs())) == 1


class TestEvents:
    def test_events_come_back_with_every_field_in_order(self, steps: ClewStepStore, run: Run):
        events = [
            event("tool_call_started", step_index=step, tool_call_id="c", tool_name="t", error="e", metadata={"k": "v"},
                  conversation_id="c", parent_run_id="p", agent_name="a", idempotency_key=f"{step}:x")
            for step in range(12)
        ]  # fmt: skip
        for one in events:
            run(steps.append_event(one))
        assert run(steps.list_events(run_id="r1")) == events

    def test_an_event_with_a_known_key_changes_nothing(self, steps: ClewStepStore, run: Run):
        first = event("run_started", idempotency_key="0:0:run_started:")
        run(steps.append_event(first))
        run(ClewStepStore(steps._handle.store).append_event(first))
        run(steps.append_event(event("run_failed", idempotency_key="0:0:run_started:")))
        assert run(steps.list_events(run_id="r1")) == [first]

    def test_keys_belong_to_their_run(self, file_steps: ClewStepStore, run: Run):
        for name in ("r1", "r2"):
            run(file_steps.append_event(event(run_id=name, idempotency_key="k")))
        assert len(run(file_steps.list_events(run_id="r2"))) == 1

    def test_equal_events_without_a_key_are_all_kept(self, steps: ClewStepStore, run: Run):
        for _ in range(3):
            run(steps.append_event(event()))
        assert run(steps.list_events(run_id="r1")) == [event()] * 3

    @pytest.mark.parametrize("key", ["", "a/b", "#", "nul\0", "half \ud800", "x" * 5000, "配置", " ", "\n"])
    def test_any_text_is_a_key(self, file_steps: ClewStepStore, run: Run, key: str):
        for _ in range(2):
            run(file_steps.append_event(event(idempotency_key=key)))
            run(file_steps.record_tool_effect(effect(key or "c")))
        run(file_steps.append_event(event(idempotency_key=key + "!")))
        assert [one.idempotency_key for one in run(file_steps.list_events(run_id="r1"))] == [key, key + "!"]
        assert run(file_steps.get_tool_effect(run_id="r1", tool_call_id=key or "c")).tool_call_id == (key or "c")

    def test_another_process_goes_on_after_the_events_that_are_there(self, steps: ClewStepStore, run: Run):
        kinds = ["run_started", "model_request_started", "model_request_failed", "run_failed"]
        for number, kind in enumerate(kinds):
            writer = steps if number < 2 else ClewStepStore(steps._handle.store)
            run(writer.append_event(event(kind)))
        assert [one.kind for one in run(steps.list_events(run_id="r1"))] == kinds

    def test_another_process_goes_on_after_them_where_some_were_repeated(self, file_steps: ClewStepStore, run: Run):
        first, last = event(idempotency_key="k"), event("model_request_started", idempotency_key="l")
        for one in (first, first, first, last):
            run(file_steps.append_event(one))
        for kind in ("model_request_failed", "run_failed"):
            run(ClewStepStore(file_steps._handle.store).append_event(event(kind)))
        kinds = ["run_started", "model_request_started", "model_request_failed", "run_failed"]
        assert [one.kind for one in run(file_steps.list_events(run_id="r1"))] == kinds

    def test_a_run_that_is_registered_again_goes_on_after_its_events(self, file_steps: ClewStepStore, run: Run):
        kinds = ["run_started", "model_request_started", "run_failed"]
        for kind in kinds:
            run(file_steps.register_run(record()))
            run(file_steps.append_event(event(kind)))
        assert [one.kind for one in run(file_steps.list_events(run_id="r1"))] == kinds

    def test_a_field_of_another_type_is_refused(self, file_steps: ClewStepStore, run: Run):
        for bad in (event("no_such_kind"), event(metadata={"k": 1}), event(step_index="x")):
            with pytest.raises(clew.InvalidRequestError):
                run(file_steps.append_event(bad))
        assert run(file_steps.list_events(run_id="r1")) == []


class TestToolEffects:
    def test_an_effect_comes_back_with_every_field(self, steps: ClewStepStore, run: Run):
        full = effect(status="failed", started_at=at(1), ended_at=at(2), idempotency_key="k", effect_summary="s\0")
        run(steps.record_tool_effect(full))
        assert run(steps.get_tool_effect(run_id="r1", tool_call_id="c1")) == full

    def test_the_last_record_of_a_call_counts(self, steps: ClewStepStore, run: Run):
        for status in ("started", "completed", "started", "failed"):
            run(steps.record_tool_effect(effect(status=status)))
        assert run(steps.get_tool_effect(run_id="r1", tool_call_id="c1")).status == "failed"

    def test_calls_without_an_end_are_unresolved_in_the_order_they_began(self, steps: ClewStepStore, run: Run):
        for second, name in enumerate(("z", "done", "a", "failed")):
            run(steps.record_tool_effect(effect(name, started_at=at(second))))
        run(steps.record_tool_effect(effect("done", "completed")))
        run(steps.record_tool_effect(effect("failed", "failed")))
        assert [one.tool_call_id for one in run(steps.list_unresolved_tool_effects(run_id="r1"))] == ["z", "a"]

    def test_the_same_call_id_in_two_runs_is_two_calls(self, steps: ClewStepStore, run: Run):
        run(steps.record_tool_effect(effect(run_id="r1")))
        run(steps.record_tool_effect(effect(run_id="r2", status="completed")))
        assert run(steps.get_tool_effect(run_id="r1", tool_call_id="c1")).status == "started"
        assert run(steps.list_unresolved_tool_effects(run_id="r2")) == []


class TestSnapshots:
    def test_a_snapshot_comes_back_with_every_field(self, steps: ClewStepStore, run: Run):
        full = snapshot(turns(2), step_index=3, conversation_id="c", parent_run_id="p", agent_name="a",
                        state="interrupted", idempotency_key="0:3:interrupted")  # fmt: skip
        run(steps.save_snapshot(full))
        run(steps.save_snapshot(snapshot([], "empty")))
        for reader in (steps, ClewStepStore(steps._handle.store)):
            assert run(reader.latest_snapshot(run_id="r1", include_interrupted=True)) == full
            assert run(reader.latest_snapshot(run_id="empty")) == snapshot([], "empty")

    def test_the_latest_is_the_one_written_last(self, steps: ClewStepStore, run: Run):
        for step in (0, 5, 2):
            run(steps.save_snapshot(snapshot(turns(1), step_index=step)))
        assert run(steps.latest_snapshot(run_id="r1")).step_index == 2
        assert [one.step_index for one in run(steps.list_snapshots(run_id="r1"))] == [0, 5, 2]

    def test_an_interrupted_snapshot_is_only_for_those_who_ask(self, steps: ClewStepStore, run: Run):
        run(steps.save_snapshot(snapshot(turns(1), step_index=1)))
        run(steps.save_snapshot(snapshot(turns(2), step_index=2, state="interrupted")))
        assert run(steps.latest_snapshot(run_id="r1")).step_index == 1
        assert run(steps.latest_snapshot(run_id="r1", include_interrupted=True)).step_index == 2
        assert [one.step_index for one in run(steps.list_snapshots(run_id="r1"))] == [1]
        both = run(steps.list_snapshots(run_id="r1", include_interrupted=True))
        assert [one.messages for one in both] == [turns(1), turns(2)]

    def test_only_an_interrupted_snapshot_is_nothing_to_continue(self, steps: ClewStepStore, run: Run):
        run(steps.save_snapshot(snapshot(turns(1), state="interrupted")))
        assert run(steps.latest_snapshot(run_id="r1")) is None
        with pytest.raises(LookupError, match="no continuable snapshot"):
            run(continue_run(steps, run_id="r1"))
        assert run(continue_run(steps, run_id="r1", include_interrupted=True)) == turns(1)

    def test_continue_and_fork_give_the_messages(self, steps: ClewStepStore, run: Run):
        run(steps.save_snapshot(snapshot(turns(3))))
        assert run(continue_run(steps, run_id="r1")) == run(fork_run(steps, run_id="r1")) == turns(3)

    def test_a_key_is_saved_once_and_never_comes_back_as_the_newest(self, steps: ClewStepStore, run: Run):
        older = snapshot(turns(1), step_index=1, idempotency_key="0:1:complete")
        newer = snapshot(turns(2), step_index=1, idempotency_key="1:1:complete")
        broken = snapshot(turns(2), step_index=1, idempotency_key="1:1:interrupted", state="interrupted")
        for one in (older, newer, broken, older, newer):
            run(steps.save_snapshot(one))
        again = ClewStepStore(steps._handle.store)
        run(again.save_snapshot(older))
        run(again.save_snapshot(snapshot(turns(5), step_index=9, idempotency_key="0:1:complete")))
        assert run(steps.list_snapshots(run_id="r1", include_interrupted=True)) == [older, newer, broken]
        assert run(again.latest_snapshot(run_id="r1")) == newer

    def test_equal_snapshots_without_a_key_are_all_kept(self, file_steps: ClewStepStore, run: Run):
        for _ in range(2):
            run(file_steps.save_snapshot(snapshot(turns(1))))
        assert run(file_steps.list_snapshots(run_id="r1")) == [snapshot(turns(1))] * 2

    def test_a_history_may_shrink_change_and_grow_again(self, steps: ClewStepStore, run: Run):
        changed = [*turns(3)[:2], *turn(7), *turn(8)]
        histories = [turns(3), turns(1), changed, [], turns(4), tool_turn()]
        for step, messages in enumerate(histories):
            run(steps.save_snapshot(snapshot(messages, step_index=step)))
        assert [one.messages for one in run(steps.list_snapshots(run_id="r1"))] == histories

    def test_a_snapshot_whose_next_one_was_deleted_is_listed_with_its_own_messages(
        self, file_steps: ClewStepStore, run: Run
    ):
        summed_up = [*turns(1), *turn(7)]
        for messages in (turns(4), summed_up, [*summed_up, *turn(8)]):
            run(file_steps.save_snapshot(snapshot(messages)))
        between = run(file_steps.list_checkpoints(run_id="r1"))[1]
        file_steps._handle.store.delete_checkpoints(between.session_id, between.id)
        listed = [one.messages for one in run(file_steps.list_snapshots(run_id="r1"))]
        assert listed == [turns(4), [*summed_up, *turn(8)]]

    def test_an_object_that_was_changed_in_place_is_stored_as_it_is_now(self, file_steps: ClewStepStore, run: Run):
        messages = turns(2)
        run(file_steps.save_snapshot(snapshot(messages)))
        messages[1].parts[0].content = "changed"  # type: ignore[union-attr, misc]
        run(file_steps.save_snapshot(snapshot(messages)))
        assert run(file_steps.latest_snapshot(run_id="r1")).messages[1].parts[0].content == "changed"

    def test_a_number_is_not_taken_for_another_type_that_python_calls_equal(self, file_steps: ClewStepStore, run: Run):
        for value in (1, True, 1.0):
            message = ModelRequest(parts=[UserPromptPart("x", timestamp=at(0))], metadata={"n": value})
            run(file_steps.save_snapshot(snapshot([message, *turns(1)])))
            stored = run(file_steps.latest_snapshot(run_id="r1")).messages[0].metadata["n"]
            assert type(stored) is type(value)

    def test_snapshots_are_listed_over_several_pages(
        self, file_steps: ClewStepStore, run: Run, monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.setattr("clew.adapters.pydantic_ai.snapshots._PAGE", 3)
        for number in range(8):
            run(file_steps.save_snapshot(snapshot(turns(number), step_index=number)))
        assert [len(one.messages) for one in run(file_steps.list_snapshots(run_id="r1"))] == list(range(0, 16, 2))

    def test_listing_reads_the_messages_of_a_run_once(
        self, file_steps: ClewStepStore, run: Run, monkeypatch: pytest.MonkeyPatch
    ):
        for number in range(6):
            run(file_steps.save_snapshot(snapshot(turns(number))))
        reads: list[Any] = []
        read = clew.Store.get_messages

        def counted(*args: Any, **more: Any) -> list[clew.Message]:
            reads.append(args)
            return read(*args, **more)

        monkeypatch.setattr(clew.Store, "get_messages", counted)
        assert len(run(file_steps.list_snapshots(run_id="r1"))) == 6
        assert len(reads) == 1

    def test_what_others_append_to_the_conversation_is_no_snapshot(self, file_steps: ClewStepStore, run: Run):
        for key in (None, "0:0:complete"):
            name = f"run with {key}"
            run(file_steps.save_snapshot(snapshot(turns(1), name, conversation_id=name, idempotency_key=key)))
            store = file_steps._handle.store
            store.append(store.find_session("pydantic-ai", name).id, [{"role": "user", "content": "by hand"}])
            assert len(run(file_steps.list_snapshots(run_id=name))) == 1
            assert run(file_steps.latest_snapshot(run_id=name)).messages == turns(1)

    def test_a_state_that_is_none_is_refused(self, file_steps: ClewStepStore, run: Run):
        with pytest.raises(clew.InvalidRequestError):
            run(file_steps.save_snapshot(snapshot(turns(1), state="half")))
        assert len(file_steps._handle.store.list_sessions()) == 0


class TestInTheStore:
    def test_runs_of_a_conversation_share_one_session_and_its_messages(self, steps: ClewStepStore, run: Run):
        for number in range(1, 4):
            run(steps.register_run(record(f"r{number}", conversation_id="c")))
            run(steps.save_snapshot(snapshot(turns(number), f"r{number}", conversation_id="c")))
        store = steps._handle.store
        [session] = store.list_sessions()
        assert (session.source, session.source_id, session.message_count) == ("pydantic-ai", "c", 6)
        assert session.title == "question 0"
        line = store.ancestry(session.active_checkpoint_id or "")
        assert [one.message_count for one in line] == [6, 4, 4, 2, 2, 0, 0]

    def test_only_new_messages_are_encoded_and_sent(
        self, file_steps: ClewStepStore, run: Run, monkeypatch: pytest.MonkeyPatch
    ):
        sent: list[int] = []
        append = clew.Store.append

        def counted(store: clew.Store, session: Any, messages: Any, **more: Any) -> Any:
            sent.append(len(messages))
            return append(store, session, messages, **more)

        monkeypatch.setattr(clew.Store, "append", counted)
        monkeypatch.setattr(clew.Store, "create_checkpoint", None)
        for number in range(1, 5):
            run(file_steps.register_run(record(f"r{number}", conversation_id="c")))
            run(file_steps.save_snapshot(snapshot(turns(number), f"r{number}", conversation_id="c")))
        pending = snapshot([*turns(4)[:-1], *tool_turn()], "r4", conversation_id="c")
        run(file_steps.save_snapshot(pending))
        assert sent == [0, 2, 0, 2, 0, 2, 0, 2, 2]
        assert run(file_steps.latest_snapshot(run_id="r4")) == pending

    def test_a_title_that_somebody_gave_stays(self, file_steps: ClewStepStore, run: Run):
        run(file_steps.register_run(record(conversation_id="c")))
        store = file_steps._handle.store
        store.update_session(store.find_session("pydantic-ai", "c").id, title="mine")
        run(file_steps.save_snapshot(snapshot(turns(1), conversation_id="c")))
        assert store.find_session("pydantic-ai", "c").title == "mine"

    def test_pruning_checkpoints_keeps_records_and_events(self, file_steps: ClewStepStore, run: Run):
        for number in range(1, 4):
            run(file_steps.register_run(record(f"r{number}", conversation_id="c")))
            run(file_steps.append_event(event(run_id=f"r{number}")))
            run(file_steps.save_snapshot(snapshot(turns(number), f"r{number}", conversation_id="c")))
        store = file_steps._handle.store
        assert store.apply_prune(store.plan_prune(keep_checkpoints=1)).checkpoints > 0
        assert len(run(file_steps.list_runs(conversation_id="c"))) == 3
        assert len(run(file_steps.list_events(run_id="r1"))) == 1
        assert run(file_steps.latest_snapshot(run_id="r3")).messages == turns(3)
        run(file_steps.save_snapshot(snapshot(turns(4), "r3", conversation_id="c")))
        run(file_steps.save_snapshot(snapshot(turns(4), "r1", conversation_id="c")))
        assert run(file_steps.latest_snapshot(run_id="r1")).messages == turns(4)

    def test_a_run_whose_session_was_purged_begins_anew(self, steps: ClewStepStore, run: Run):
        run(steps.register_run(record(conversation_id="c")))
        run(steps.save_snapshot(snapshot(turns(1), conversation_id="c")))
        store = steps._handle.store
        store.purge_session(store.find_session("pydantic-ai", "c").id)
        assert run(steps.get_run(run_id="r1")) is None
        run(steps.save_snapshot(snapshot(turns(2), conversation_id="c")))
        run(steps.register_run(record("r2", conversation_id="c")))
        assert run(steps.latest_snapshot(run_id="r1")).messages == turns(2)

    def test_a_run_that_another_process_began_anew_after_a_purge_is_known_anew(
        self, file_steps: ClewStepStore, run: Run
    ):
        first = snapshot(turns(3), conversation_id="c", idempotency_key="0:0:complete")
        run(file_steps.register_run(record(conversation_id="c")))
        run(file_steps.save_snapshot(first))
        store = file_steps._handle.store
        store.purge_session(store.find_session("pydantic-ai", "c").id)
        other = snapshot([*turn(7), *turn(8), *turn(9)], conversation_id="c", idempotency_key="0:0:complete")
        another = ClewStepStore(store)
        run(another.register_run(record(conversation_id="c")))
        run(another.save_snapshot(other))
        run(file_steps.save_snapshot(snapshot(turns(4), conversation_id="c", idempotency_key="1:1:complete")))
        assert [one.messages for one in run(file_steps.list_snapshots(run_id="r1"))] == [other.messages, turns(4)]

    def test_any_snapshot_can_be_forked_and_labelled(self, steps: ClewStepStore, run: Run):
        for number in range(1, 4):
            run(steps.save_snapshot(snapshot(turns(number), step_index=number)))
        first, *_ = run(steps.list_checkpoints(run_id="r1"))
        assert (first.metadata["step_index"], first.message_count) == (1, 2)
        store = steps._handle.store
        fork = store.fork_session(first.session_id, checkpoint_id=first.id)
        store.set_label(first.id, "before the mistake")
        assert len(store.get_messages(fork.active_checkpoint.id)) == 2  # type: ignore[union-attr]
        assert len(run(steps.list_snapshots(run_id="r1"))) == 3

    def test_what_it_opened_is_closed(self, tmp_path: Any, run: Run):
        own = ClewStepStore(tmp_path / "own.db")
        run(own.register_run(record()))
        own.close()
        with pytest.raises(clew.UnavailableError):
            run(own.get_run(run_id="r1"))

    def test_an_async_store_does_too(self, tmp_path: Any, run: Run):
        async def write() -> RunRecord | None:
            async with clew.open_async(tmp_path / "a.db") as store:
                steps = ClewStepStore(store)
                await steps.register_run(record())
                return await steps.get_run(run_id="r1")

        assert run(write()) == record()


class TestAtOnce:
    def test_runs_of_one_conversation_at_once_are_branches(self, steps: ClewStepStore, run: Run):
        async def talk(name: str) -> None:
            await steps.register_run(record(name, conversation_id="c"))
            for number in range(1, 4):
                prompt = ModelRequest(parts=[UserPromptPart(name, timestamp=at(0))])
                await steps.save_snapshot(snapshot([prompt, *turns(number)], name, conversation_id="c"))
                await steps.append_event(event(run_id=name))

        async def all_at_once() -> None:
            await asyncio.gather(*(talk(f"r{number}") for number in range(6)))

        run(all_at_once())
        assert len(run(steps.list_runs(conversation_id="c"))) == 6
        for number in range(6):
            found = run(steps.list_snapshots(run_id=f"r{number}"))
            assert [len(one.messages) for one in found] == [3, 5, 7]
            assert {one.messages[0].parts[0].content for one in found} == {f"r{number}"}
            assert len(run(steps.list_events(run_id=f"r{number}"))) == 3

    def test_a_run_id_that_many_register_at_once_is_one_of_theirs(self, steps: ClewStepStore, run: Run):
        async def all_at_once() -> list[Any]:
            stores = [ClewStepStore(steps._handle.store) for _ in range(6)]
            records = [record(registration_id=str(number)) for number in range(6)]
            calls = [one.register_run(two) for one, two in zip(stores, records, strict=True)]
            return await asyncio.gather(*calls, return_exceptions=True)

        results = run(all_at_once())
        assert [type(result) for result in results if result is not None] == [clew.ConflictError] * 5
        assert run(steps.get_run(run_id="r1")).registration_id == str(results.index(None))

    def test_events_of_one_run_at_once_are_all_kept(self, steps: ClewStepStore, run: Run):
        async def all_at_once() -> None:
            stores = [steps, ClewStepStore(steps._handle.store)]
            await asyncio.gather(*(stores[number % 2].append_event(event(error=str(number))) for number in range(20)))

        run(all_at_once())
        found = run(steps.list_events(run_id="r1"))
        assert sorted(int(one.error) for one in found) == list(range(20))

    def test_a_cancelled_write_is_done_when_the_cancellation_comes_out(self, file_steps: ClewStepStore, run: Run):
        async def cancelled() -> None:
            task = asyncio.ensure_future(file_steps.save_snapshot(snapshot(turns(50))))
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            found = await file_steps.latest_snapshot(run_id="r1")
            assert found is None or found.messages == turns(50)
            await file_steps.save_snapshot(snapshot(turns(51)))

        run(cancelled())
        assert run(file_steps.latest_snapshot(run_id="r1")).messages == turns(51)


def test_messages_that_cannot_be_kept_leave_the_run_as_it_was(file_steps: ClewStepStore, run: Run):
    run(file_steps.save_snapshot(snapshot(turns(1))))
    bad = ModelResponse(parts=[TextPart("x")], metadata={"x": float("nan")}, timestamp=at(0))
    with pytest.raises(clew.InvalidRequestError):
        run(file_steps.save_snapshot(snapshot([*turns(1), bad])))
    assert run(file_steps.list_snapshots(run_id="r1")) == [snapshot(turns(1))]
