"""The step store of pydantic-ai-harness over clew."""

from collections.abc import Callable
from typing import TypeVar

from pydantic_ai_harness.step_persistence import ContinuableSnapshot, RunRecord, StepEvent, ToolEffectRecord

from clew import CheckpointSummary, NotFoundError, Store
from clew.adapters.handle import AnyStore, Handle
from clew.adapters.pydantic_ai.histories import Histories
from clew.adapters.pydantic_ai.ledger import Ledger
from clew.adapters.pydantic_ai.runs import Runs
from clew.adapters.pydantic_ai.snapshots import Snapshots

T = TypeVar("T")


class ClewStepStore:
    """Keeps in a clew store what `StepPersistence` writes: runs, events, snapshots, tool effects.

    ::

        agent = Agent(model, capabilities=[StepPersistence(store=ClewStepStore("agent.db"))])

    A conversation is a session, and each snapshot a checkpoint of it, of which only the messages that are new are
    stored: a conversation of n turns costs n. Runs of one conversation at once, in one process or in several, are
    branches of its session, and none loses anything; the snapshot written last is the active checkpoint.

    A write that is repeated with its `idempotency_key` changes nothing. Errors are those of clew; data that cannot be
    read is CorruptStateError and never left out.
    """

    def __init__(self, store: AnyStore, *, namespace: str = "") -> None:
        """`store` is a `Store`, an `AsyncStore`, a URL or a path.

        A run's id stands for one run in the whole store. Programs that choose run ids of their own and share a store
        without sharing runs have each a `namespace`.
        """
        self._handle = Handle(store)
        histories = Histories(by_identity=True)
        self._runs = Runs(namespace, histories)
        self._ledger = Ledger(self._runs)
        self._snapshots = Snapshots(self._runs, histories)

    def close(self) -> None:
        """Close the store where it was opened here, from a URL or path."""
        self._handle.close()

    async def register_run(self, record: RunRecord) -> None:
        """Keep the record of a run that begins. ConflictError where its id is registered with another record."""
        await self._handle.run(self._again, record.run_id, self._runs.register, record)

    async def get_run(self, *, run_id: str) -> RunRecord | None:
        """The record of a run, None where it is not registered."""
        return await self._handle.run(self._runs.record, run_id)

    async def list_runs(
        self, *, parent_run_id: str | None = None, conversation_id: str | None = None
    ) -> list[RunRecord]:
        """The records of the runs that both filters let through, by the time they started.

        Those of a conversation are found in its session; without one, every checkpoint of this adapter is looked at.
        """
        return await self._handle.run(self._runs.select, parent_run_id, conversation_id)

    async def append_event(self, event: StepEvent) -> None:
        """Add an event to its run. One whose `idempotency_key` the run has already changes nothing."""
        await self._handle.run(self._again, event.run_id, self._ledger.append_event, event)

    async def list_events(self, *, run_id: str) -> list[StepEvent]:
        """The events of a run in the order in which they were added."""
        return await self._handle.run(self._ledger.list_events, run_id)

    async def save_snapshot(self, snapshot: ContinuableSnapshot) -> None:
        """Keep a snapshot as a checkpoint. One whose `idempotency_key` the run has already changes nothing.

        InvalidRequestError where a message would not come back as the framework's own JSON has it.
        """
        await self._handle.run(self._again, snapshot.run_id, self._snapshots.save, snapshot)

    async def latest_snapshot(self, *, run_id: str, include_interrupted: bool = False) -> ContinuableSnapshot | None:
        """The snapshot of a run that was written last: of those that are complete, unless told otherwise."""
        return await self._handle.run(self._snapshots.latest, run_id, include_interrupted)

    async def list_snapshots(self, *, run_id: str, include_interrupted: bool = False) -> list[ContinuableSnapshot]:
        """The snapshots of a run in the order in which they were written. They share message objects."""
        return await self._handle.run(self._snapshots.read_all, run_id, include_interrupted)

    async def list_checkpoints(self, *, run_id: str, include_interrupted: bool = False) -> list[CheckpointSummary]:
        """The same as checkpoints of the clew store, without their messages: what to fork, label or compare."""
        return await self._handle.run(self._snapshots.checkpoints, run_id, include_interrupted)

    async def record_tool_effect(self, record: ToolEffectRecord) -> None:
        """Keep what became of a tool call, in place of what was known of it. Of two writers at once the last counts."""
        await self._handle.run(self._again, record.run_id, self._ledger.record_tool_effect, record)

    async def get_tool_effect(self, *, run_id: str, tool_call_id: str) -> ToolEffectRecord | None:
        """What is known of a tool call, None where nothing is."""
        return await self._handle.run(self._ledger.get_tool_effect, run_id, tool_call_id)

    async def list_unresolved_tool_effects(self, *, run_id: str) -> list[ToolEffectRecord]:
        """The tool calls of a run that have begun and of which no end is known, by the time they began."""
        return await self._handle.run(self._ledger.list_unresolved, run_id)

    def _again(self, store: Store, run_id: str, write: Callable[[Store, T], object], record: T) -> None:
        """Write, and once more where what this process knew of the run is gone from the store."""
        try:
            write(store, record)
        except NotFoundError:
            self._runs.forget(run_id)
            write(store, record)
