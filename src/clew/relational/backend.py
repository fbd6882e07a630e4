"""What the backends over tables share: each method of the seam is one function run in one transaction."""

from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import TypeVar
from uuid import UUID

from clew.backend import (
    Backend,
    Changes,
    CheckpointQuery,
    CheckpointSearch,
    Children,
    DirectoryMove,
    MessageSearch,
    NewApiKey,
    NewAttachments,
    NewCheckpoint,
    NewCopy,
    NewFork,
    NewSession,
    Place,
    Report,
    SessionChanges,
    SessionQuery,
)
from clew.model import (
    ApiKey,
    Attachment,
    AttachmentInfo,
    Checkpoint,
    CheckpointSummary,
    Page,
    SearchHit,
    Session,
    SessionSummary,
    State,
)
from clew.relational import (
    attachments,
    checkpoints,
    directories,
    indexing,
    keys,
    searching,
    sessions,
    statistics,
    trees,
)
from clew.relational import changes as changes_since
from clew.relational.trails import Trails
from clew.relational.transaction import Transaction
from clew.reports import Moved, Progress, StoreStats

T = TypeVar("T")

Work = Callable[[Transaction], T]
"""Something to do in a transaction. It may run more than once, after a rollback, so it changes nothing else."""


class RelationalBackend(Backend):
    """The seam but for what depends on where the tables are."""

    def __init__(self) -> None:
        self._trails = Trails()

    @abstractmethod
    def _read(self, work: Work[T], checkpoint_id: UUID | None = None) -> T:
        """Run `work` in a transaction that only reads; what is damaged is said to be of the checkpoint."""

    @abstractmethod
    def _write(self, work: Work[T], *, written: Work[T | None] | None = None, repeatable: bool = False) -> T:
        """Run `work` in a transaction that is committed when this returns.

        Where a connection is lost while that is under way, nobody knows whether it was committed. `repeatable` work may
        be done twice with the result of once. Of other work `written` finds out: inside the next transaction it gives
        the result where there is one already, else None.
        """

    def last_change(self) -> int:
        return self._read(changes_since.last_change)

    def list_changes(self, after: int, session_id: UUID | None, limit: int, owner: str | None = None) -> Changes:
        return self._read(lambda db: changes_since.list_changes(db, after, session_id, limit, owner))

    def _deferred(self, checkpoint_id: UUID) -> State:
        return State.deferred(lambda: self._read(lambda db: checkpoints.load_state(db, checkpoint_id), checkpoint_id))

    def create_session(self, new: NewSession, *, ensure: bool = False) -> Session:
        return self._write(
            lambda db: sessions.create_session(db, new, ensure=ensure, deferred=self._deferred),
            written=lambda db: sessions.load_if_there(db, new.id, self._deferred),
            repeatable=new.fingerprint is not None,
        )

    def get_session(self, session_id: UUID) -> Session:
        return self._read(lambda db: sessions.load_session(db, session_id))

    def get_session_summary(self, session_id: UUID) -> SessionSummary:
        return self._read(lambda db: sessions.load_summary(db, session_id))

    def find_session(self, source: str, source_id: str, owner: str | None = None) -> Session:
        def find(db: Transaction) -> Session:
            return sessions.load_session(db, sessions.find_session_id(db, source, source_id, owner))

        return self._read(find)

    def find_session_summary(self, source: str, source_id: str, owner: str | None = None) -> SessionSummary:
        def find(db: Transaction) -> SessionSummary:
            return sessions.load_summary(db, sessions.find_session_id(db, source, source_id, owner))

        return self._read(find)

    def list_sessions(self, query: SessionQuery) -> Page[SessionSummary]:
        return self._read(lambda db: sessions.list_sessions(db, query))

    def update_session(self, session_id: UUID, changes: SessionChanges) -> Session:
        return self._write(lambda db: sessions.update_session(db, session_id, changes, self._deferred))

    def fork_session(self, session_id: UUID, new: NewFork) -> Session:
        return self._write(
            lambda db: sessions.fork_session(db, session_id, new, self._deferred),
            written=lambda db: sessions.load_if_there(db, new.id, self._deferred),
            repeatable=new.fingerprint is not None,
        )

    def copy_session(self, session_id: UUID, new: NewCopy) -> Session:
        return self._write(
            lambda db: sessions.copy_session(db, session_id, new, self._deferred),
            written=lambda db: sessions.load_if_there(db, new.id, self._deferred),
            repeatable=new.fingerprint is not None,
        )

    def write_checkpoint(self, session_id: UUID, new: NewCheckpoint) -> Checkpoint:
        cuts = attachments.cut_all(new.attachments)
        return self._write(
            lambda db: checkpoints.write_checkpoint(db, session_id, new, cuts, self._deferred, self._trails),
            written=lambda db: checkpoints.load_if_there(db, session_id, new.id, self._deferred),
            repeatable=new.fingerprint is not None,
        )

    def get_checkpoint(self, checkpoint_id: UUID) -> Checkpoint:
        return self._read(lambda db: checkpoints.load_checkpoint(db, checkpoint_id), checkpoint_id)

    def get_checkpoint_summary(self, checkpoint_id: UUID) -> CheckpointSummary:
        return self._read(lambda db: trees.load_summary(db, checkpoint_id), checkpoint_id)

    def find_checkpoint(self, session_id: UUID, label: str) -> Checkpoint:
        return self._read(lambda db: checkpoints.load_labelled(db, session_id, label))

    def list_checkpoints(self, query: CheckpointQuery) -> Page[CheckpointSummary]:
        return self._read(lambda db: trees.list_checkpoints(db, query))

    def find_checkpoints(self, search: CheckpointSearch) -> Page[CheckpointSummary]:
        return self._read(lambda db: trees.find_checkpoints(db, search))

    def search(self, search: MessageSearch) -> Page[SearchHit]:
        def look(db: Transaction) -> Page[SearchHit] | indexing.Plan:
            work = indexing.plan(db)
            return searching.find(db, search) if work is None else work

        found = self._read(look)
        if isinstance(found, Page):
            return found
        self._index_all(found)
        return self._read(lambda db: searching.find(db, search))

    def update_search_index(self, report: Report | None) -> None:
        self._index_all(self._read(indexing.plan), report)

    def _index_all(self, work: indexing.Plan | None, report: Report | None = None) -> None:
        """Bring the search index up to date, in short transactions."""
        while work is not None and not self._carry_out(work, report):
            work = self._read(indexing.plan)

    def _carry_out(self, work: indexing.Plan, report: Report | None) -> bool:
        """Whether the plan could be carried out; else the index has become another one meanwhile."""
        done = 0
        while True:
            at = self._index(lambda db: indexing.index_batch(db, work, done))  # noqa: B023 - run at once
            if at is None:
                return False
            done = at
            if report is not None:
                report(Progress(done=done, total=len(work.families), unit="sessions indexed"))
            if done == len(work.families):
                return True

    def _index(self, work: Work[T]) -> T:
        """Run `work`, which changes the search index and nothing else, as `_write` does."""
        return self._write(work, repeatable=True)

    def list_children(self, checkpoint_id: UUID) -> list[CheckpointSummary]:
        return self._read(lambda db: trees.list_children(db, checkpoint_id), checkpoint_id)

    def list_ancestry(self, checkpoint_id: UUID) -> list[CheckpointSummary]:
        return self._read(lambda db: trees.list_ancestry(db, checkpoint_id), checkpoint_id)

    def list_branches(self, session_id: UUID) -> list[CheckpointSummary]:
        return self._read(lambda db: trees.list_branches(db, session_id))

    def set_label(self, checkpoint_id: UUID, label: str | None, now: int, *, move: bool) -> CheckpointSummary:
        return self._write(lambda db: trees.set_label(db, checkpoint_id, label, now, move=move))

    def delete_checkpoints(
        self, session_id: UUID, ids: Sequence[UUID], children: Children, now: int, if_revision: int | None = None
    ) -> Session:
        return self._write(
            lambda db: trees.delete_checkpoints(db, session_id, ids, children, now, if_revision, self._deferred)
        )

    def get_messages(
        self, place: Place, start: int | None, stop: int | None, session_id: UUID | None = None
    ) -> list[bytes]:
        checkpoint_id = place if isinstance(place, UUID) else None
        return self._read(lambda db: checkpoints.load_slice(db, place, start, stop, session_id), checkpoint_id)

    def get_descent(self, checkpoint_id: UUID) -> list[UUID]:
        return self._read(lambda db: trees.list_descent(db, checkpoint_id), checkpoint_id)

    def set_active_checkpoint(self, session_id: UUID, place: Place, now: int) -> Session:
        return self._write(lambda db: sessions.set_active_checkpoint(db, session_id, place, now, self._deferred))

    def attach(self, session_id: UUID, new: NewAttachments) -> None:
        cuts = attachments.cut_all(new.items)
        self._write(lambda db: attachments.attach(db, session_id, new, cuts))

    def detach(self, session_id: UUID, place: Place, names: Sequence[str], now: int) -> None:
        self._write(lambda db: attachments.detach(db, session_id, place, names, now))

    def list_waiting(self, session_id: UUID) -> dict[str, list[AttachmentInfo]]:
        return self._read(lambda db: attachments.list_waiting(db, session_id))

    def get_waiting(self, session_id: UUID, label: str) -> dict[str, Attachment]:
        return self._read(lambda db: attachments.load_waiting(db, session_id, label))

    def get_attachments(self, checkpoint_ids: Sequence[UUID], prefix: str) -> dict[UUID, dict[str, Attachment]]:
        return self._read(lambda db: attachments.load_attachments(db, checkpoint_ids, prefix))

    def list_attachments(self, checkpoint_id: UUID, prefix: str) -> list[AttachmentInfo]:
        return self._read(lambda db: attachments.list_attachments(db, checkpoint_id, prefix), checkpoint_id)

    def get_attachment(self, checkpoint_id: UUID, name: str, start: int | None, stop: int | None) -> Attachment:
        return self._read(lambda db: attachments.load_slice(db, checkpoint_id, name, start, stop), checkpoint_id)

    def store_stats(self, owner: str | None) -> StoreStats:
        return self._read(lambda db: statistics.store_stats(db, owner))

    def move_directory(self, move: DirectoryMove) -> Moved:
        if move.dry_run:
            return self._read(lambda db: directories.find(db, move))
        return self._write(lambda db: directories.move(db, move))

    def create_key(self, new: NewApiKey) -> ApiKey:
        return self._write(lambda db: keys.create_key(db, new), written=lambda db: keys.load_if_there(db, new.id))

    def list_keys(self) -> list[ApiKey]:
        return self._read(keys.list_keys)

    def find_key(self, digest: bytes) -> ApiKey | None:
        return self._read(lambda db: keys.find_key(db, digest))

    def use_key(self, key_id: UUID, now: int) -> ApiKey:
        return self._write(lambda db: keys.use_key(db, key_id, now), repeatable=True)

    def revoke_key(self, key_id: UUID, now: int) -> ApiKey:
        return self._write(lambda db: keys.revoke_key(db, key_id, now), repeatable=True)
