"""What a caller may do with a store.

A key with the role admin is not limited. With write a caller does as they like with sessions of their own, with read
they read these. What is public may be read by whoever knows its id. A session that a caller may not see is answered
like one that is not there.

The limits are a backend before the backend, so there is no way around them: a method of the seam that is forgotten here
is an abstract one, and nothing can be served.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar
from uuid import UUID

import msgspec

from clew.backend import (
    Backend,
    Changes,
    CheckpointQuery,
    CheckpointSearch,
    Children,
    DirectoryMove,
    ForbiddenError,
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
    Watcher,
    checkpoint_not_found,
    id_taken,
    session_not_found,
)
from clew.errors import NotFoundError, UnauthorizedError
from clew.model import (
    KEEP,
    ApiKey,
    Attachment,
    AttachmentInfo,
    BackendInfo,
    Checkpoint,
    CheckpointSummary,
    Keep,
    Page,
    Role,
    SearchHit,
    Session,
    SessionStatus,
    SessionSummary,
    Visibility,
)
from clew.reports import Backup, Compaction, Finding, Moved, StoreStats
from clew.server.callers import Caller

T = TypeVar("T")


def no_key() -> UnauthorizedError:
    """What somebody is told who may not come in as nobody."""
    return UnauthorizedError("an API key is needed: Authorization: Bearer KEY")


def no_admin(caller: Caller) -> UnauthorizedError:
    """What a caller is told who asks for what concerns the whole store, and is no admin."""
    return no_key() if caller.role is None else ForbiddenError("this needs an API key with the role admin")


def _is_public(session: SessionSummary) -> bool:
    """Whether it may be read by whoever knows its id: not once its owner has deleted it."""
    return session.visibility is Visibility.PUBLIC and session.status is SessionStatus.ACTIVE


class Rights(Backend):
    """A backend, as far as it is open to a caller who is no admin."""

    def __init__(self, backend: Backend, caller: Caller) -> None:
        self._backend = backend
        self._caller = caller

    # -- who may what

    def _see(self, session_id: UUID) -> SessionSummary:
        """A session that the caller may read. Of one with a damaged row nobody knows whose it is: that is said."""
        try:
            session = self._backend.get_session_summary(session_id)
        except NotFoundError:
            raise self._unseen(session_not_found(session_id)) from None
        if not self._is_own(session.owner) and not _is_public(session):
            raise self._unseen(session_not_found(session_id))
        return session

    def _see_checkpoint(self, checkpoint_id: UUID) -> SessionSummary:
        """The session of a checkpoint that the caller may read."""
        try:
            return self._see(self._backend.get_checkpoint_summary(checkpoint_id).session_id)
        except NotFoundError:
            raise self._unseen(checkpoint_not_found(checkpoint_id)) from None

    def _change(self, session_id: UUID) -> None:
        """For what changes a session."""
        self._check_writes()
        self._check_own(self._see(session_id))

    def _change_checkpoint(self, checkpoint_id: UUID) -> None:
        """For what changes something of a checkpoint."""
        self._check_writes()
        self._check_own(self._see_checkpoint(checkpoint_id))

    def _unseen(self, error: NotFoundError) -> UnauthorizedError | NotFoundError:
        """Whoever has no key is told that they need one, be there such a session or not."""
        return no_key() if self._caller.role is None else error

    def _is_own(self, owner: str | None) -> bool:
        return owner is not None and owner == self._caller.owner

    def _check_own(self, session: SessionSummary) -> None:
        if not self._is_own(session.owner):
            raise ForbiddenError("this session belongs to somebody else: it may be read, and forked")

    def _check_writes(self) -> None:
        self._check_known()
        if self._caller.role is Role.READ:
            raise ForbiddenError("this API key has the role read")

    def _check_known(self) -> None:
        if self._caller.role is None:
            raise no_key()

    def _refuse(self) -> UnauthorizedError:
        """For what concerns the whole store."""
        return no_admin(self._caller)

    def _own(self, owner: str | Keep | None) -> str | None:
        """Whose a session is that the caller asks for: theirs, unless they ask for another's."""
        if owner is not None and owner is not KEEP and owner != self._caller.owner:
            raise ForbiddenError("only an API key with the role admin may name another owner")
        return self._caller.owner

    # -- sessions

    def create_session(self, new: NewSession, *, ensure: bool = False) -> Session:
        self._check_writes()
        if new.parent_session_id is not None and not new.parent_may_be_missing:
            self._see(new.parent_session_id)
        new = msgspec.structs.replace(new, owner=self._own(new.owner))
        return self._made(self._backend.create_session(new, ensure=ensure))

    def fork_session(self, session_id: UUID, new: NewFork) -> Session:
        self._check_writes()
        self._see(session_id)
        new = msgspec.structs.replace(new, owner=self._own(new.owner))
        return self._made(self._backend.fork_session(session_id, new))

    def copy_session(self, session_id: UUID, new: NewCopy) -> Session:
        self._check_writes()
        self._see(session_id)
        new = msgspec.structs.replace(new, owner=self._own(new.owner))
        return self._made(self._backend.copy_session(session_id, new))

    def _made(self, session: Session) -> Session:
        """What was made now, or by the same call before: but not where that was somebody else's call."""
        if not self._is_own(session.owner):
            raise id_taken("session", session.id)
        return session

    def get_session(self, session_id: UUID) -> Session:
        self._see(session_id)
        return self._backend.get_session(session_id)

    def get_session_summary(self, session_id: UUID) -> SessionSummary:
        return self._see(session_id)

    def find_session(self, source: str, source_id: str, owner: str | None = None) -> Session:
        self._check_known()
        return self._backend.find_session(source, source_id, self._own(owner))

    def find_session_summary(self, source: str, source_id: str, owner: str | None = None) -> SessionSummary:
        self._check_known()
        return self._backend.find_session_summary(source, source_id, self._own(owner))

    def list_sessions(self, query: SessionQuery) -> Page[SessionSummary]:
        self._check_known()
        return self._backend.list_sessions(msgspec.structs.replace(query, owner=self._own(query.owner)))

    def store_stats(self, owner: str | None) -> StoreStats:
        self._check_known()
        return self._backend.store_stats(self._own(owner))

    def move_directory(self, move: DirectoryMove) -> Moved:
        if move.dry_run:
            self._check_known()
        else:
            self._check_writes()
        return self._backend.move_directory(msgspec.structs.replace(move, owner=self._own(move.owner)))

    def update_session(self, session_id: UUID, changes: SessionChanges) -> Session:
        self._change(session_id)
        if changes.owner is not KEEP and not self._is_own(changes.owner):
            raise ForbiddenError("only an API key with the role admin may give a session away")
        return self._backend.update_session(session_id, changes)

    def purge_session(self, session_id: UUID, if_revision: int | None = None, *, erase: bool = True) -> bool:
        self._change(session_id)
        return self._backend.purge_session(session_id, if_revision, erase=erase)

    def erase_purged(self) -> bool:
        raise self._refuse()

    # -- checkpoints

    def write_checkpoint(self, session_id: UUID, new: NewCheckpoint) -> Checkpoint:
        self._change(session_id)
        return self._backend.write_checkpoint(session_id, new)

    def get_checkpoint(self, checkpoint_id: UUID) -> Checkpoint:
        self._see_checkpoint(checkpoint_id)
        return self._backend.get_checkpoint(checkpoint_id)

    def get_checkpoint_summary(self, checkpoint_id: UUID) -> CheckpointSummary:
        self._see_checkpoint(checkpoint_id)
        return self._backend.get_checkpoint_summary(checkpoint_id)

    def find_checkpoint(self, session_id: UUID, label: str) -> Checkpoint:
        self._see(session_id)
        return self._backend.find_checkpoint(session_id, label)

    def list_checkpoints(self, query: CheckpointQuery) -> Page[CheckpointSummary]:
        self._check_each(query.session_ids, self._see)
        return self._backend.list_checkpoints(query)

    def find_checkpoints(self, search: CheckpointSearch) -> Page[CheckpointSummary]:
        self._check_known()
        return self._backend.find_checkpoints(msgspec.structs.replace(search, owner=self._own(search.owner)))

    def search(self, search: MessageSearch) -> Page[SearchHit]:
        """Messages of the caller's sessions, or of one that they may see."""
        if search.session_id is None:
            self._check_known()
            return self._backend.search(msgspec.structs.replace(search, owner=self._own(search.owner)))
        self._see(search.session_id)
        return self._backend.search(search)

    def update_search_index(self, report: Report | None) -> None:
        self._check_known()
        self._backend.update_search_index(report)

    def list_children(self, checkpoint_id: UUID) -> list[CheckpointSummary]:
        self._see_checkpoint(checkpoint_id)
        return self._backend.list_children(checkpoint_id)

    def list_ancestry(self, checkpoint_id: UUID) -> list[CheckpointSummary]:
        self._see_checkpoint(checkpoint_id)
        return self._backend.list_ancestry(checkpoint_id)

    def list_branches(self, session_id: UUID) -> list[CheckpointSummary]:
        self._see(session_id)
        return self._backend.list_branches(session_id)

    def get_descent(self, checkpoint_id: UUID) -> list[UUID]:
        """As far as the caller may see: what a session was forked from may be somebody else's by now."""
        session = self._see_checkpoint(checkpoint_id)
        descent = self._backend.get_descent(checkpoint_id)
        seen = 0
        while session.forked_from is not None:
            seen += len(self._backend.list_ancestry(descent[seen]))
            if seen >= len(descent):
                break
            try:
                session = self._see_checkpoint(descent[seen])
            except (NotFoundError, UnauthorizedError):
                return descent[:seen]
        return descent

    def set_label(self, checkpoint_id: UUID, label: str | None, now: int, *, move: bool) -> CheckpointSummary:
        self._change_checkpoint(checkpoint_id)
        return self._backend.set_label(checkpoint_id, label, now, move=move)

    def delete_checkpoints(
        self, session_id: UUID, ids: Sequence[UUID], children: Children, now: int, if_revision: int | None = None
    ) -> Session:
        self._change(session_id)
        return self._backend.delete_checkpoints(session_id, ids, children, now, if_revision)

    def get_messages(
        self, place: Place, start: int | None, stop: int | None, session_id: UUID | None = None
    ) -> list[bytes]:
        if isinstance(place, UUID):
            self._see_checkpoint(place)
        if session_id is not None:
            self._see(session_id)
        return self._backend.get_messages(place, start, stop, session_id)

    def set_active_checkpoint(self, session_id: UUID, place: Place, now: int) -> Session:
        self._change(session_id)
        return self._backend.set_active_checkpoint(session_id, place, now)

    # -- attachments

    def attach(self, session_id: UUID, new: NewAttachments) -> None:
        self._change(session_id)
        self._backend.attach(session_id, new)

    def detach(self, session_id: UUID, place: Place, names: Sequence[str], now: int) -> None:
        self._change(session_id)
        self._backend.detach(session_id, place, names, now)

    def list_waiting(self, session_id: UUID) -> dict[str, list[AttachmentInfo]]:
        self._see(session_id)
        return self._backend.list_waiting(session_id)

    def get_waiting(self, session_id: UUID, label: str) -> dict[str, Attachment]:
        self._see(session_id)
        return self._backend.get_waiting(session_id, label)

    def get_attachments(self, checkpoint_ids: Sequence[UUID], prefix: str) -> dict[UUID, dict[str, Attachment]]:
        self._check_each(checkpoint_ids, self._see_checkpoint)
        return self._backend.get_attachments(checkpoint_ids, prefix)

    def list_attachments(self, checkpoint_id: UUID, prefix: str) -> list[AttachmentInfo]:
        self._see_checkpoint(checkpoint_id)
        return self._backend.list_attachments(checkpoint_id, prefix)

    def get_attachment(self, checkpoint_id: UUID, name: str, start: int | None, stop: int | None) -> Attachment:
        self._see_checkpoint(checkpoint_id)
        return self._backend.get_attachment(checkpoint_id, name, start, stop)

    def _check_each(self, ids: Sequence[UUID], see: Callable[[UUID], SessionSummary]) -> None:
        if not ids:
            self._check_known()
        for id in dict.fromkeys(ids):
            see(id)

    # -- changes

    def last_change(self) -> int:
        self._check_known()
        return self._backend.last_change()

    def list_changes(self, after: int, session_id: UUID | None, limit: int, owner: str | None = None) -> Changes:
        """Those of the caller's sessions, or of one that they may see. That one of theirs was purged is not told."""
        if session_id is None:
            self._check_known()
            return self._backend.list_changes(after, None, limit, self._own(owner))
        self._see(session_id)
        return self._backend.list_changes(after, session_id, limit, owner)

    def open_watcher(self) -> Watcher:
        self._check_known()
        return self._backend.open_watcher()

    # -- the whole store

    def create_key(self, new: NewApiKey) -> ApiKey:
        raise self._refuse()

    def list_keys(self) -> list[ApiKey]:
        raise self._refuse()

    def find_key(self, digest: bytes) -> ApiKey | None:
        raise self._refuse()

    def use_key(self, key_id: UUID, now: int) -> ApiKey:
        raise self._refuse()

    def revoke_key(self, key_id: UUID, now: int) -> ApiKey:
        raise self._refuse()

    def verify(self, report: Report | None) -> Iterator[Finding]:
        raise self._refuse()

    def backup(self, path: str, *, overwrite: bool, verify: bool, report: Report | None) -> Backup:
        raise self._refuse()

    def compact(self, report: Report | None) -> Compaction:
        raise self._refuse()

    def info(self) -> BackendInfo:
        return self._backend.info()

    def close(self) -> None:
        """The backend is not the caller's to close."""
