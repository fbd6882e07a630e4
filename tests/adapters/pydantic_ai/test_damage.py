"""Damage is an error, and never a shorter answer."""

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic_ai_harness.step_persistence import RunRecord, StepEvent, ToolEffectRecord
from tests.adapters.pydantic_ai.talk import snapshot, turns

import clew
from clew.adapters.pydantic_ai import ClewMessageHistory, ClewStepStore

Run = Callable[[Any], Any]


@pytest.fixture
def path(tmp_path: Path, run: Run) -> Path:
    """A store with one run, closed."""

    async def fill(steps: ClewStepStore) -> None:
        await steps.register_run(RunRecord(run_id="r1", conversation_id="c", agent_name="the agent"))
        for number in range(3):
            await steps.append_event(StepEvent(run_id="r1", kind="run_started", step_index=0, error=f"event {number}"))
            await steps.save_snapshot(snapshot(turns(number + 1), step_index=number, conversation_id="c"))
        effect = ToolEffectRecord(tool_call_id="c1", tool_name="the tool", run_id="r1", status="started")
        await steps.record_tool_effect(effect)

    with clew.open(tmp_path / "damaged.db") as store:
        run(fill(ClewStepStore(store)))
    return tmp_path / "damaged.db"


def spoil(path: Path, part: str) -> None:
    """Turn the first letter of a stored text into another one."""
    with sqlite3.connect(path) as connection:
        changed = connection.execute(
            "UPDATE content SET body = replace(CAST(body AS TEXT), ?, ?) WHERE instr(CAST(body AS TEXT), ?)",
            (part, "X" + part[1:], part),
        )
        assert changed.rowcount > 0
    connection.close()


READS: dict[str, tuple[str, Callable[[ClewStepStore], Any]]] = {
    "a message": ("answer 1", lambda steps: steps.latest_snapshot(run_id="r1")),
    "a message in a list": ("answer 1", lambda steps: steps.list_snapshots(run_id="r1")),
    "a snapshot": ('"step_index":2', lambda steps: steps.list_snapshots(run_id="r1")),
    "a snapshot that is not the last": ('"step_index":0', lambda steps: steps.list_checkpoints(run_id="r1")),
    "a record": ("the agent", lambda steps: steps.get_run(run_id="r1")),
    "a record in a list": ("the agent", lambda steps: steps.list_runs()),
    "a record in a conversation": ("the agent", lambda steps: steps.list_runs(conversation_id="c")),
    "an event": ("event 1", lambda steps: steps.list_events(run_id="r1")),
    "a tool effect": ("the tool", lambda steps: steps.get_tool_effect(run_id="r1", tool_call_id="c1")),
    "an unresolved tool effect": ("the tool", lambda steps: steps.list_unresolved_tool_effects(run_id="r1")),
}


@pytest.mark.parametrize("damaged", READS)
def test_damaged_bytes_are_an_error(path: Path, run: Run, damaged: str):
    part, read = READS[damaged]
    spoil(path, part)
    with clew.open(path) as store, pytest.raises(clew.CorruptStateError):
        run(read(ClewStepStore(store)))


def test_a_damaged_message_is_an_error_for_a_plain_agent_too(path: Path):
    spoil(path, "answer 1")
    with clew.open(path) as store, pytest.raises(clew.CorruptStateError):
        ClewMessageHistory(store, "c").load()


@pytest.mark.parametrize("junk", [b"{", b"[]", b"{}", b'{"kind": "no such", "step_index": 0}', b"\xff"])
def test_what_is_no_event_is_an_error(file_steps: ClewStepStore, run: Run, junk: bytes):
    run(file_steps.append_event(StepEvent(run_id="r1", kind="run_started", step_index=0, idempotency_key="k")))
    store = file_steps._handle.store
    [anchor] = store.list_checkpoints(store.find_session("pydantic-ai", "r1").id, order="label").items
    store.attach(anchor.session_id, {"event/key/k": junk}, checkpoint_id=anchor.id, on_conflict="replace")
    with pytest.raises(clew.CorruptStateError):
        run(file_steps.list_events(run_id="r1"))


def test_what_is_no_message_of_the_framework_is_an_error(file_steps: ClewStepStore, run: Run):
    history = ClewMessageHistory(file_steps._handle.store, "c")
    history.save(turns(1))
    store = file_steps._handle.store
    session = store.find_session("pydantic-ai", "c")
    store.append(session.id, [{"role": "tool", "content": "x", "tool_call_id": "c"}])
    with pytest.raises(clew.CorruptStateError, match="none of Pydantic AI"):
        history.load()
