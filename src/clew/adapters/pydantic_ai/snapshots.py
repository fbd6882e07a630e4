"""Snapshots of runs, each a checkpoint of the conversation's session."""

from collections.abc import Iterator, Sequence
from typing import Any
from uuid import UUID, uuid4

from pydantic_ai.messages import ModelMessage
from pydantic_ai_harness.step_persistence import ContinuableSnapshot

from clew import CheckpointSummary, ConflictError, NotFoundError, Store
from clew.adapters.pydantic_ai.histories import Histories
from clew.adapters.pydantic_ai.messages import from_stored
from clew.adapters.pydantic_ai.records import from_fields, to_fields
from clew.adapters.pydantic_ai.runs import Run, Runs, sound

_SNAPSHOT = {"pydantic_ai": "snapshot"}
_PAGE = 1000


class Snapshots:
    """Writes snapshots, each under the one before of its run, or under the run's anchor; and reads them."""

    def __init__(self, runs: Runs, histories: Histories) -> None:
        self._runs = runs
        self._histories = histories

    def save(self, store: Store, snapshot: ContinuableSnapshot) -> None:
        metadata = {**_SNAPSHOT, **to_fields(snapshot, "messages")}
        key = snapshot.idempotency_key
        id = uuid4() if key is None else self._id_of(snapshot.run_id, key)
        if key is None:
            metadata["id"] = str(id)
        run = self._runs.ensure(store, snapshot.run_id, snapshot.conversation_id)
        if run.head is None:
            last = next(self._newest(store, run, snapshot.run_id, True, 1), None)
            run.head = run.anchor if last is None else last.id
        try:
            checkpoint = self._histories.write(
                store, run.session_id, run.head, snapshot.messages, metadata=metadata, id=id
            )
        except ConflictError:
            if not _is_there(store, id):
                raise
            return  # it was saved before
        run.head = checkpoint.id
        if run.is_untitled:
            run.is_untitled = False
            self._histories.entitle(store, run.session_id, snapshot.messages)

    def latest(self, store: Store, run_id: str, include_interrupted: bool) -> ContinuableSnapshot | None:
        run = self._runs.find(store, run_id)
        found = None if run is None else next(self._newest(store, run, run_id, include_interrupted, 1), None)
        return None if found is None else _snapshot(found, _messages(store, found.id))

    def read_all(self, store: Store, run_id: str, include_interrupted: bool) -> list[ContinuableSnapshot]:
        found = self.checkpoints(store, run_id, include_interrupted)
        histories = _histories(store, found)
        return [_snapshot(one, histories[one.id]) for one in found]

    def checkpoints(self, store: Store, run_id: str, include_interrupted: bool) -> list[CheckpointSummary]:
        run = self._runs.find(store, run_id)
        return [] if run is None else [*self._newest(store, run, run_id, include_interrupted, _PAGE)][::-1]

    def _newest(
        self, store: Store, run: Run, run_id: str, include_interrupted: bool, page: int
    ) -> Iterator[CheckpointSummary]:
        """The snapshots of a run, the newest first, read so many at a time."""
        wanted = {**_SNAPSHOT, "run_id": run_id, **({} if include_interrupted else {"state": "complete"})}
        cursor = None
        while True:
            found = store.list_checkpoints(
                run.session_id, order="-created", metadata=wanted, with_metadata=True, limit=page, cursor=cursor
            )
            yield from (one for one in sound(found.items) if self._is_written_here(one))
            cursor = found.next_cursor
            if cursor is None:
                return

    def _is_written_here(self, checkpoint: CheckpointSummary) -> bool:
        """Whether it is a snapshot itself, and no checkpoint that took over the metadata of one, as `append` does."""
        metadata = checkpoint.metadata
        key = metadata.get("idempotency_key")
        own = metadata.get("id") if key is None else str(self._id_of(metadata["run_id"], key))
        return own == str(checkpoint.id)

    def _id_of(self, run_id: str, key: str) -> UUID:
        return self._runs.id_of("snapshot", run_id, key)


def _histories(store: Store, found: Sequence[CheckpointSummary]) -> dict[UUID, list[ModelMessage]]:
    """The messages of snapshots. Of those that follow one another only the last is read: it has the others in it."""
    by_id = {one.id: one for one in found}
    histories: dict[UUID, list[ModelMessage]] = {}
    for one in reversed(found):
        history = histories.setdefault(one.id, []) if one.message_count == 0 else histories.get(one.id)
        if history is None:
            history = histories[one.id] = _messages(store, one.id)
        above = None if one.parent_id is None else by_id.get(one.parent_id)
        if above is not None and _goes_on(one, above):
            histories.setdefault(above.id, history[: above.message_count])
    return histories


def _goes_on(one: CheckpointSummary, above: CheckpointSummary) -> bool:
    """Whether a snapshot begins with all messages of the one above it, as far as is known."""
    is_said_of_it = one.metadata.get("parent") == str(above.id)
    return is_said_of_it and one.metadata.get("kept", above.message_count) == above.message_count


def _messages(store: Store, checkpoint_id: UUID) -> list[ModelMessage]:
    return from_stored(store.get_messages(checkpoint_id), checkpoint_id)


def _snapshot(checkpoint: CheckpointSummary, messages: list[ModelMessage]) -> ContinuableSnapshot:
    known: dict[str, Any] = {key: value for key, value in checkpoint.metadata.items() if key not in _OWN}
    snapshot = from_fields(ContinuableSnapshot, known, checkpoint.id, messages=[])
    snapshot.messages = messages
    return snapshot


def _is_there(store: Store, checkpoint_id: UUID) -> bool:
    try:
        store.get_checkpoint_summary(checkpoint_id)
    except NotFoundError:
        return False
    return True


_OWN = frozenset({"pydantic_ai", "id", "kept", "parent"})
"""Of a snapshot's metadata, what is no field of it."""
