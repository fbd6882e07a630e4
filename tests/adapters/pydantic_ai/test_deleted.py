"""A conversation that was marked deleted in clew: nobody is told of it, and nothing is added that nobody would see."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from pydantic_ai_harness.step_persistence import RunRecord, StepPersistence, continue_run
from tests.adapters.pydantic_ai.talk import answering, snapshot, turn, turns

import clew
from clew.adapters.pydantic_ai import ClewMessageHistory, ClewStepStore

Run = Callable[[Any], Any]


def _deleted(store: clew.Store, name: str = "c") -> UUID:
    id = store.find_session_summary("pydantic-ai", name).id
    store.delete_session(id)
    return id


def test_a_history_marked_deleted_is_empty_and_takes_nothing_until_it_is_restored(store: clew.Store):
    known = ClewMessageHistory(store, "c")
    known.append(turn(0))
    id = _deleted(store)
    for history in (known, ClewMessageHistory(store, "c"), ClewMessageHistory(store, str(id))):
        assert history.load() == []
        for write in (history.append, history.save):
            with pytest.raises(clew.ConflictError, match=f"{id}.*marked deleted"):
                write(turn(1))
        with pytest.raises(clew.NotFoundError, match="no messages yet"):
            history.fork()
    assert len(store.list_sessions()) == 1
    store.restore_session(id)
    known.append(turn(1))
    assert known.load() == turns(2)


def test_a_history_goes_on_for_who_has_not_read_it_since_it_was_marked(file_store: clew.Store):
    history = ClewMessageHistory(file_store, "c")
    history.append(turn(0))
    id = _deleted(file_store)
    history.append(turn(1))
    file_store.restore_session(id)
    assert history.load() == turns(2)


def test_runs_of_a_conversation_marked_deleted_are_not_listed(store: clew.Store, run: Run):
    steps = ClewStepStore(store)
    run(steps.register_run(RunRecord(run_id="r1", conversation_id="c")))
    run(steps.register_run(RunRecord(run_id="r2", conversation_id="d")))
    id = _deleted(store)
    for seen in (steps, ClewStepStore(store)):
        assert run(seen.list_runs(conversation_id="c")) == []
        assert [record.run_id for record in run(seen.list_runs())] == ["r2"]
    store.restore_session(id)
    assert [record.run_id for record in run(steps.list_runs(conversation_id="c"))] == ["r1"]
    assert len(run(steps.list_runs())) == 2


def test_no_run_begins_in_a_conversation_marked_deleted(file_store: clew.Store, run: Run):
    steps = ClewStepStore(file_store)
    run(answering(StepPersistence(store=steps)).run("one", conversation_id="c"))
    [first] = run(steps.list_runs())
    id = _deleted(file_store)
    before = file_store.get_session_summary(id)
    for seen in (steps, ClewStepStore(file_store)):
        with pytest.raises(clew.ConflictError, match=f"{id}.*marked deleted"):
            run(answering(StepPersistence(store=seen)).run("two", conversation_id="c"))
    assert file_store.get_session_summary(id) == before
    assert len(run(continue_run(steps, run_id=first.run_id))) == 2  # who has a run's id can go on with it


def test_a_run_that_has_begun_is_kept_to_its_end(file_store: clew.Store, run: Run):
    run(ClewStepStore(file_store).register_run(RunRecord(run_id="r1", conversation_id="c")))
    _deleted(file_store)
    steps = ClewStepStore(file_store)
    run(steps.save_snapshot(snapshot(turns(1), conversation_id="c")))
    assert run(continue_run(steps, run_id="r1")) == turns(1)


def test_a_conversation_marked_deleted_can_be_purged_and_begun_again(file_store: clew.Store, run: Run):
    steps, history = ClewStepStore(file_store), ClewMessageHistory(file_store, "c")
    run(steps.register_run(RunRecord(run_id="r1", conversation_id="c")))
    history.append(turn(0))
    file_store.purge_session(_deleted(file_store))
    run(steps.register_run(RunRecord(run_id="r2", conversation_id="c")))
    assert [record.run_id for record in run(steps.list_runs())] == ["r2"]
    assert ClewMessageHistory(file_store, "c").load() == []
