"""The checkpoints of workflows."""

from collections.abc import Callable, Collection, Iterator
from typing import Any, TypeVar
from uuid import UUID, uuid5

from agent_framework import WorkflowCheckpoint, WorkflowCheckpointException

from clew import CheckpointSummary, ConflictError, CorruptStateError, Message, NotFoundError, Session, Store
from clew.adapters.agent_framework import parts
from clew.adapters.by_name import ByName, one_line, present
from clew.adapters.handle import AnyStore, Handle

SOURCE = "agent-framework-workflow"

_ID = "checkpoint_id"
"""The key in the metadata of a state."""

_NAMESPACE = UUID("5b0f3f0e-7c0b-5d0a-9c55-3c8f5c1b7a10")
_PAGE = 50

T = TypeVar("T")


class ClewCheckpointStorage:
    """The framework's `CheckpointStorage` over a clew store.

    Each workflow is a session with the source "agent-framework-workflow", named by the workflow. A checkpoint's id is
    its id in clew, where it is the text of a UUID as those of the framework are, and its parent the one that it names
    as previous. Runs of one workflow that save at once are branches of its tree.

    What is stored is limited, as in the framework's `FileCheckpointStorage`, to types that may be read again.
    """

    def __init__(self, store: AnyStore, *, allowed_checkpoint_types: Collection[str] = ()) -> None:
        """`store` is a `clew.Store`, a `clew.AsyncStore`, or a URL or path as `clew.open` takes it.

        `allowed_checkpoint_types` are types of the application that checkpoints may hold, as "module:qualname", beside
        the framework's own, those registered with it, and Python's plain ones.
        """
        self._handle = Handle(store)
        self._sessions = ByName(SOURCE, with_deleted=False)
        self._allowed = frozenset(allowed_checkpoint_types)

    def close(self) -> None:
        """Close the store if it was opened here, for a URL or path."""
        self._handle.close()

    async def save(self, checkpoint: WorkflowCheckpoint) -> str:
        """Store a checkpoint and return its id. Saving the same one again changes nothing.

        WorkflowCheckpointException where it holds what could not be read again; where the id is taken by another
        checkpoint, since one that is stored never changes; and where the workflow's session is marked deleted in clew:
        until it is restored or purged it takes no more.
        """
        encoded, told = self._encoded(checkpoint)
        name, id, previous = checkpoint.workflow_name, checkpoint.checkpoint_id, checkpoint.previous_checkpoint_id

        def write(store: Store, session: UUID) -> None:
            more: dict[str, Any] = {"metadata": {_ID: id}, "attachments": encoded, "id": _clew_id(id)}
            try:
                store.append(session, [told], parent_id=None if previous is None else _clew_id(previous), **more)
            except NotFoundError:  # it was deleted, or is of another workflow
                store.append(session, [told], parent_id=None, **more)

        def save(store: Store) -> None:
            def make(new: UUID) -> Session:
                session = store.ensure_session(SOURCE, name, one_line(name), id=new)
                if session.id == new:
                    write(store, new)
                return session

            self._sessions.change(store, name, lambda session: write(store, session), make)

        try:
            await self._handle.run(save)
        except ConflictError as error:
            stored = await self._handle.run(_find, id)
            if stored == encoded:  # the same, whose previous one has gone since
                return id
            why = str(error) if stored is None else "another one with this ID is stored already"
            raise WorkflowCheckpointException(f"Checkpoint {id} cannot be saved: {why}") from error
        return id

    async def load(self, checkpoint_id: str) -> WorkflowCheckpoint:
        """The checkpoint. WorkflowCheckpointException where there is none of this id."""
        found = await self._handle.run(_find, checkpoint_id)
        if found is None:
            raise WorkflowCheckpointException(f"No checkpoint found with ID {checkpoint_id}")
        return parts.decode(found, self._allowed, _clew_id(checkpoint_id))

    async def list_checkpoints(self, *, workflow_name: str) -> list[WorkflowCheckpoint]:
        """The checkpoints of a workflow in the order in which they were saved."""

        def read(store: Store, session: UUID) -> list[WorkflowCheckpoint]:
            found = _checkpoints(store, session, with_attachments="")
            return [parts.decode(item.attachments or {}, self._allowed, item.id) for item in found]

        return await self._look(workflow_name, read, [])

    async def delete(self, checkpoint_id: str) -> bool:
        """Remove a checkpoint for good; whether there was one. Those that name it as their previous one stay."""
        return await self._handle.run(_delete, checkpoint_id)

    async def get_latest(self, *, workflow_name: str) -> WorkflowCheckpoint | None:
        """The checkpoint that was saved last, whatever the clocks said; None where there is none.

        It is the active one of the session: after it was deleted the nearest before it, and after a rewind that one.
        """

        def read(store: Store, session: UUID) -> WorkflowCheckpoint | None:
            found = _latest(store, session)
            return None if found is None else parts.decode(found[1], self._allowed, found[0])

        return await self._look(workflow_name, read, None)

    async def list_checkpoint_ids(self, *, workflow_name: str) -> list[str]:
        """The ids of the checkpoints of a workflow in the order in which they were saved."""

        def read(store: Store, session: UUID) -> list[str]:
            return [item.metadata[_ID] for item in _checkpoints(store, session)]

        return await self._look(workflow_name, read, [])

    async def _look(self, workflow_name: str, read: Callable[[Store, UUID], T], empty: T) -> T:
        return await self._handle.run(
            lambda store: self._sessions.look(store, workflow_name, lambda session: read(store, session), empty)
        )

    def _encoded(self, checkpoint: WorkflowCheckpoint) -> tuple[dict[str, bytes], Message]:
        try:
            encoded, told = parts.encode(checkpoint), parts.described(checkpoint)
            parts.decode(encoded, self._allowed, None)
        except WorkflowCheckpointException:
            raise
        except Exception as error:  # whatever an object does that is pickled
            why = f"Checkpoint {checkpoint.checkpoint_id} cannot be stored so that it could be read again: {error}"
            raise WorkflowCheckpointException(why) from error
        return encoded, told


def _clew_id(checkpoint_id: str) -> UUID:
    """The id of a checkpoint in clew: the same where it is a UUID, else one that is made from it."""
    try:
        found = UUID(checkpoint_id)
    except ValueError:
        found = None
    if found is not None and str(found) == checkpoint_id:
        return found
    return uuid5(_NAMESPACE, checkpoint_id.encode("unicode_escape").decode())


def _find(store: Store, checkpoint_id: str) -> dict[str, Any] | None:
    """The attachments of the checkpoint of a workflow; None where there is none of this id."""
    id = _clew_id(checkpoint_id)
    try:
        found = store.get_attachments(id)[id]
    except NotFoundError:
        return None
    if parts.HEAD not in found or parts.name_of(found, id) != checkpoint_id:
        return None
    return dict(found)


def _delete(store: Store, checkpoint_id: str) -> bool:
    if _find(store, checkpoint_id) is None:
        return False
    id = _clew_id(checkpoint_id)
    try:
        store.delete_checkpoints(store.get_checkpoint_summary(id).session_id, id)
    except NotFoundError:  # somebody else deleted it meanwhile
        return False
    return True


def _latest(store: Store, session: UUID) -> tuple[UUID, dict[str, Any]] | None:
    """The id and the attachments of the active checkpoint, or of the nearest before it that is of the workflow."""
    active = present(store.get_session_summary(session)).active_checkpoint_id
    if active is None:
        return None
    found = store.get_attachments(active)[active]
    if parts.HEAD in found:
        return active, dict(found)
    before = [summary.id for summary in store.ancestry(active)[1:]]
    heads = store.get_attachments(before, prefix=parts.HEAD) if before else {}
    nearest = next((id for id in before if parts.HEAD in heads[id]), None)
    return None if nearest is None else (nearest, dict(store.get_attachments(nearest)[nearest]))


def _checkpoints(store: Store, session: UUID, with_attachments: str | None = None) -> Iterator[CheckpointSummary]:
    """The checkpoints of a workflow, oldest first, without those that others wrote: the first is one of them."""
    present(store.get_session_summary(session))
    cursor = None
    while True:
        page = store.list_checkpoints(
            session, with_metadata=True, with_attachments=with_attachments, limit=_PAGE, cursor=cursor
        )
        for item in page:
            if item.damage is not None:
                raise CorruptStateError(f"checkpoint {item.id}: {item.damage}", item.id)
            named = item.metadata.get(_ID) if isinstance(item.metadata, dict) else None
            if isinstance(named, str) and _clew_id(named) == item.id:
                yield item
        cursor = page.next_cursor
        if cursor is None:
            return
