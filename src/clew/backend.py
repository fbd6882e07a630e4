"""The seam: what a store needs of the place where its data lives.

Every method is one transaction: all of it happens or none. Values arrive checked and encoded (messages and metadata
as JSON text, times as microseconds since 1970 in UTC); what comes back are the values of `clew.model`, with states
that are decoded when first touched. Whatever fails raises a `clew.errors.StorageError`; an error is never an empty
answer.

Rules that hold for every method and are not repeated:

* A session or checkpoint that does not exist is NotFoundError, with the texts of `session_not_found` and
  `checkpoint_not_found`.
* Every change of a session or its tree adds one to the session's `revision` and moves `updated_at` to the later of the
  time given and the `updated_at` it had, so neither ever goes back. A call that changes nothing moves neither.
* A deleted session is readable and writable; only `purge_session` removes anything.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Literal, Protocol
from uuid import UUID

import msgspec

from clew.errors import ConflictError, InternalError, InvalidRequestError, NotFoundError
from clew.model import (
    KEEP,
    Active,
    BackendInfo,
    Checkpoint,
    CheckpointSummary,
    Keep,
    MigrationStatus,
    Page,
    Session,
    SessionStatus,
    SessionSummary,
    Visibility,
)

Durability = Literal["full", "normal"]
"""What a write survives once it has returned: a loss of power, or a crash of the program."""


class NewSession(msgspec.Struct, frozen=True, kw_only=True):
    """A session to create together with its root checkpoint."""

    id: UUID
    checkpoint_id: UUID
    title: str
    bodies: Sequence[bytes]
    metadata: bytes | None
    session_metadata: bytes | None
    visibility: Visibility
    cwd: str | None
    source: str | None
    source_id: str | None
    parent_session_id: UUID | None
    created_at: int | None
    now: int
    fingerprint: bytes | None


class Prefix(msgspec.Struct, frozen=True, kw_only=True):
    """The first `count` messages of a conversation, the chain of whose hashes is `chain`.

    The conversation was remembered as one with the chain `whole`.
    """

    count: int
    chain: bytes
    whole: bytes


class StalePrefixError(InternalError):
    """A parent is not the conversation that was remembered: its id was purged and given away again. Ask without."""


class NewCheckpoint(msgspec.Struct, frozen=True, kw_only=True):
    """A checkpoint to write.

    `bodies` is what comes after the parent's messages; where `full`, it is the whole conversation, or, with a `prefix`,
    what comes after that much of the parent's.

    `fingerprint` is set where the caller chose the id: see `Backend.write_checkpoint`.
    """

    id: UUID
    bodies: Sequence[bytes]
    full: bool
    prefix: Prefix | None
    parent: UUID | Active | None
    metadata: bytes | Keep | None
    label: str | None
    if_active: UUID | None
    created_at: int | None
    now: int
    fingerprint: bytes | None


class NewFork(msgspec.Struct, frozen=True, kw_only=True):
    """A session to begin at a state of another session; `title` None takes over the other's."""

    id: UUID
    checkpoint_id: UUID
    source_checkpoint: UUID | Active
    title: str | None
    now: int


class SessionChanges(msgspec.Struct, frozen=True, kw_only=True):
    """What to change in a session; KEEP leaves a field alone. `updated_at` is an importer's, else None."""

    title: str | Keep = KEEP
    visibility: Visibility | Keep = KEEP
    status: SessionStatus | Keep = KEEP
    cwd: str | Keep | None = KEEP
    metadata: bytes | Keep | None = KEEP
    if_revision: int | None = None
    updated_at: int | None = None
    now: int


class SessionQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which sessions to list; None lets any through.

    `search` is a part of the title, `metadata` a JSON object whose keys the session's metadata must have, and equal.
    """

    limit: int
    offset: int = 0
    cursor: str | None = None
    search: str | None = None
    status: SessionStatus | None = None
    visibility: Visibility | None = None
    cwd: str | None = None
    source: str | None = None
    parent_session_id: UUID | None = None
    metadata: bytes | None = None
    count: bool = False


class CheckpointQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which checkpoints of a session to list."""

    limit: int
    offset: int = 0
    cursor: str | None = None
    metadata: bytes | None = None


class Backend(ABC):
    """A place where sessions live. Safe to use from many threads at once."""

    @abstractmethod
    def create_session(self, new: NewSession, *, ensure: bool = False) -> Session:
        """Write the session and its root checkpoint.

        With `ensure`, a session of that (source, source_id) is returned as it is where there is one. An id that exists
        with the same fingerprint returns what is stored; any other taken id or source name is ConflictError. A missing
        parent session is NotFoundError.
        """

    @abstractmethod
    def get_session(self, session_id: UUID) -> Session:
        """The session with its active checkpoint, whose bytes have been read and checked."""

    @abstractmethod
    def find_session(self, source: str, source_id: str) -> Session:
        """The session another program knows by this name."""

    @abstractmethod
    def list_sessions(self, query: SessionQuery) -> Page[SessionSummary]:
        """Newest `updated_at` first, ties by descending id.

        `total` is filled where the only filter is the status, or where `query.count`. A malformed cursor is
        InvalidRequestError.
        """

    @abstractmethod
    def update_session(self, session_id: UUID, changes: SessionChanges) -> Session:
        """Apply all changes. ConflictError where `if_revision` is not the session's revision."""

    @abstractmethod
    def purge_session(self, session_id: UUID) -> None:
        """Remove the session, and every byte that no other session of its family needs."""

    @abstractmethod
    def fork_session(self, session_id: UUID, new: NewFork) -> Session:
        """A new session of the same family whose root holds the state of a checkpoint of `session_id`."""

    @abstractmethod
    def write_checkpoint(self, session_id: UUID, new: NewCheckpoint) -> Checkpoint:
        """Write a checkpoint and make it active, in O(messages that the parent lacks).

        In this order: a checkpoint with `new.id` and the same fingerprint is returned as stored (with another one, or
        with none, ConflictError); `if_active` must be the active checkpoint, else ConflictError; the parent must belong
        to the session, else NotFoundError; the label must be free in the session, else ConflictError; where there is a
        `prefix`, the chain of the parent must be its `whole`, else StalePrefixError. ACTIVE is read
        inside the transaction. A time that clew gives is never before that of an earlier checkpoint of the session.
        """

    @abstractmethod
    def get_checkpoint(self, checkpoint_id: UUID) -> Checkpoint:
        """The checkpoint with its state, whose bytes have been read and checked: CorruptStateError where damaged."""

    @abstractmethod
    def list_checkpoints(self, session_id: UUID, query: CheckpointQuery) -> Page[CheckpointSummary]:
        """Oldest first, in the order in which they were written."""

    @abstractmethod
    def get_messages(self, checkpoint_id: UUID, start: int | None, stop: int | None) -> list[bytes]:
        """The bodies of a slice (Python's meaning, negative indices too), reading nothing outside it."""

    @abstractmethod
    def get_ancestry(self, checkpoint_id: UUID) -> list[UUID]:
        """The checkpoint, its parent, and so on to the root."""

    @abstractmethod
    def set_active_checkpoint(self, session_id: UUID, checkpoint_id: UUID, now: int) -> Session:
        """Resume from this checkpoint of the session from now on."""

    @abstractmethod
    def info(self) -> BackendInfo:
        """Where the data lives, without secrets."""

    @abstractmethod
    def close(self) -> None:
        """Let go of every resource; a second call does nothing. Any other call after it is UnavailableError."""


class Migratable(Protocol):
    """A backend with a schema of its own."""

    def migration_status(self) -> MigrationStatus:
        """The versions applied and pending."""

    def migrate(self) -> list[int]:
        """Apply what is pending, each migration in a transaction of its own, and return the versions."""

    def roll_back(self, *, discard: bool) -> int | None:
        """Undo the newest migration and return its version, None where none is applied.

        InvalidRequestError where that would discard sessions and `discard` does not say so.
        """

    def close(self) -> None:
        """Let go of every resource."""


def session_not_found(session_id: UUID) -> NotFoundError:
    return NotFoundError(f"Session {session_id} not found")


def checkpoint_not_found(checkpoint_id: UUID) -> NotFoundError:
    return NotFoundError(f"Checkpoint {checkpoint_id} not found")


def source_not_found(source: str, source_id: str) -> NotFoundError:
    return NotFoundError(f"Session {source_id!r} of source {source!r} not found")


def id_taken(kind: str, taken: UUID) -> ConflictError:
    return ConflictError(f"{kind} id {taken} is taken by another write")


def source_taken(source: str, source_id: str) -> ConflictError:
    return ConflictError(f"a session {source_id!r} of source {source!r} exists already")


def label_taken(label: str) -> ConflictError:
    return ConflictError(f"label {label!r} is taken in this session")


def not_active(expected: UUID) -> ConflictError:
    return ConflictError(f"checkpoint {expected} is no longer the active one")


def revision_moved(expected: int, actual: int) -> ConflictError:
    return ConflictError(f"the session is at revision {actual}, not {expected}")


def bad_cursor() -> InvalidRequestError:
    return InvalidRequestError("cursor is not one that this list returned")
