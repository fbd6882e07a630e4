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
from collections.abc import Callable, Iterator, Sequence
from typing import Literal, Protocol
from uuid import UUID

import msgspec

from clew.errors import (
    ConflictError,
    CorruptStateError,
    InternalError,
    InvalidRequestError,
    NotFoundError,
    UnauthorizedError,
)
from clew.model import (
    KEEP,
    Active,
    ApiKey,
    Attachment,
    AttachmentInfo,
    BackendInfo,
    Change,
    Checkpoint,
    CheckpointSummary,
    Keep,
    Label,
    MigrationStatus,
    Page,
    Role,
    Same,
    SearchHit,
    Session,
    SessionStatus,
    SessionSummary,
    Visibility,
)
from clew.reports import Backup, Compaction, Finding, Moved, Progress, StoreStats

Durability = Literal["full", "normal"]
"""What a write survives once it has returned: a loss of power, or a crash of the program."""

Place = UUID | Label | Active
"""A checkpoint of a session: by id, by label, or the active one."""

OnConflict = Literal["error", "keep", "replace"]
"""What becomes of an attachment whose name is taken by other bytes."""

Order = Literal["created", "-created", "label", "-label"]
"""How checkpoints are listed; a minus turns the order round."""

Children = Literal["reparent", "delete", "refuse"]
"""What becomes of the checkpoints under a deleted one: they go to its parent, go with it, or forbid it."""

Report = Callable[[Progress], None]
"""Told how far a long call has come."""


class NewSession(msgspec.Struct, frozen=True, kw_only=True):
    """A session to create together with its root checkpoint.

    For a session that comes from another store: `checkpoint_id` None makes it without one, `parent_may_be_missing` lets
    it name a parent that is not here, and `forked_from` is the checkpoint that it began as there.
    """

    id: UUID
    checkpoint_id: UUID | None
    title: str
    bodies: Sequence[bytes]
    metadata: bytes | None
    session_metadata: bytes | None
    visibility: Visibility
    cwd: str | None
    source: str | None
    source_id: str | None
    parent_session_id: UUID | None
    parent_may_be_missing: bool = False
    forked_from: UUID | None = None
    owner: str | None = None
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


class ForbiddenError(UnauthorizedError):
    """The caller is known, and may not do this."""


class StalePrefixError(InternalError):
    """A parent is not the conversation that was remembered: its id was purged and given away again. Ask without."""


class NewAttachment(msgspec.Struct, frozen=True, kw_only=True):
    """Named bytes to keep beside a checkpoint; SAME are those that the parent has under the name."""

    name: str
    data: bytes | Same
    content_type: str | None = None


class NewAttachments(msgspec.Struct, frozen=True, kw_only=True):
    """Attachments for a checkpoint that exists, or for a label, whose checkpoint may come later."""

    items: Sequence[NewAttachment]
    place: Place
    on_conflict: OnConflict
    now: int


class NewCheckpoint(msgspec.Struct, frozen=True, kw_only=True):
    """A checkpoint to write.

    `bodies` is what comes after the parent's messages, or after the first `after` of them (see `messages_kept`); where
    `full`, it is the whole conversation, or, with a `prefix`, what comes after that much of the parent's.

    `fingerprint` is set where the caller chose the id: see `Backend.write_checkpoint`. For a checkpoint that comes from
    another store: `updated_at` is when it changed there, and without `activate` the active checkpoint stays the same.
    `move` takes the label from the checkpoint of the session that has it.
    """

    id: UUID
    bodies: Sequence[bytes]
    full: bool
    prefix: Prefix | None
    parent: Place | None
    after: int | None = None
    metadata: bytes | Keep | None
    label: str | None
    move: bool = False
    attachments: Sequence[NewAttachment] = ()
    if_active: UUID | Label | None
    activate: bool = True
    created_at: int | None
    updated_at: int | None = None
    now: int
    fingerprint: bytes | None


class NewFork(msgspec.Struct, frozen=True, kw_only=True):
    """A session to begin at a state of another session; `title` None and `owner` KEEP take over the other's.

    `created_at` None is `now`. With `checkpoint_id` None it has no checkpoint, but is of the family all the same.
    """

    id: UUID
    checkpoint_id: UUID | None
    source_checkpoint: Place
    title: str | None
    owner: str | Keep | None = KEEP
    created_at: int | None = None
    now: int
    fingerprint: bytes | None = None


class NewCopy(msgspec.Struct, frozen=True, kw_only=True):
    """A session to make with the whole tree of another one; `title` None and `owner` KEEP take over the other's."""

    id: UUID
    title: str | None
    source: str | None
    source_id: str | None
    owner: str | Keep | None = KEEP
    now: int
    fingerprint: bytes | None = None


class SessionChanges(msgspec.Struct, frozen=True, kw_only=True):
    """What to change in a session; KEEP leaves a field alone. `updated_at` is an importer's, else None."""

    title: str | Keep = KEEP
    visibility: Visibility | Keep = KEEP
    status: SessionStatus | Keep = KEEP
    cwd: str | Keep | None = KEEP
    metadata: bytes | Keep | None = KEEP
    owner: str | Keep | None = KEEP
    if_revision: int | None = None
    updated_at: int | None = None
    now: int


class SessionQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which sessions to list; None lets any through.

    `search` is a part of the title, `metadata` a JSON object whose keys the session's metadata must have, and equal.
    `source_id` comes with a `source`.
    """

    limit: int
    offset: int = 0
    cursor: str | None = None
    search: str | None = None
    status: SessionStatus | None = None
    visibility: Visibility | None = None
    cwd: str | None = None
    source: str | None = None
    source_id: str | None = None
    parent_session_id: UUID | None = None
    metadata: bytes | None = None
    owner: str | None = None
    count: bool = False


class DirectoryMove(msgspec.Struct, frozen=True, kw_only=True):
    """A directory to look for in the `cwd` of sessions, of one owner or of any, and what comes in its place."""

    old: str
    new: str
    owner: str | None = None
    dry_run: bool = False


class NewApiKey(msgspec.Struct, frozen=True, kw_only=True):
    """An API key to keep; `digest` is the SHA-256 of its token, which no backend gets to see."""

    id: UUID
    name: str
    role: Role
    digest: bytes
    now: int


class CheckpointQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which checkpoints of some sessions to list, and what to tell of each.

    `metadata` is a JSON object as in `SessionQuery`, for the metadata of the state. Ordered by label, or before one,
    only checkpoints that have a label are listed, and with `active` only the active one of each session.
    `with_attachments` is how the names of the attachments to read begin.
    """

    session_ids: Sequence[UUID]
    limit: int
    order: Order = "created"
    active: bool = False
    before_label: str | None = None
    offset: int = 0
    cursor: str | None = None
    metadata: bytes | None = None
    with_metadata: bool = False
    with_attachments: str | None = None


class CheckpointSearch(msgspec.Struct, frozen=True, kw_only=True):
    """Which checkpoints of all sessions to find: by the metadata of their state, and the session's source and owner."""

    metadata: bytes | None
    source: str | None
    owner: str | None = None
    limit: int
    cursor: str | None = None
    with_attachments: str | None = None


class MessageSearch(msgspec.Struct, frozen=True, kw_only=True):
    """Which messages to find: those with a text that `text` looks for (see `clew.search.query`); None lets any through.

    `since` and `until` bound when the checkpoint was created in which a message is shown, the latter not included.
    """

    text: str
    limit: int
    cursor: str | None = None
    session_id: UUID | None = None
    role: str | None = None
    tool: str | None = None
    cwd: str | None = None
    source: str | None = None
    owner: str | None = None
    since: int | None = None
    until: int | None = None
    status: SessionStatus | None = None


class Changes(msgspec.Struct, frozen=True, kw_only=True):
    """The last change of each of some sessions, in order, and up to where nothing is missing.

    `decided` is what to ask for next: every change up to it has been told. Items beyond it have it as their `sequence`
    and will be told again. `more` where the limit cut the list.
    """

    items: Sequence[Change]
    decided: int
    more: bool


class Watcher(ABC):
    """Tells when to look for changes. Made before the first look."""

    @abstractmethod
    def wait(self, timeout: float) -> None:
        """Return once something may have changed since the `wait` before this one, or since the watcher was made.

        After `timeout` seconds at the latest. UnavailableError where the store is closed.
        """

    @abstractmethod
    def close(self) -> None:
        """Let go of every resource."""


class Backend(ABC):
    """A place where sessions live. Safe to use from many threads at once."""

    @abstractmethod
    def create_session(self, new: NewSession, *, ensure: bool = False) -> Session:
        """Write the session and its root checkpoint.

        With `ensure`, a session of that (owner, source, source_id) is returned as it is where there is one. An id that
        exists with the same fingerprint returns what is stored; any other taken id or source name is ConflictError. A
        source name is taken within its owner, no owner being one of them. A missing parent session is NotFoundError.
        """

    @abstractmethod
    def get_session(self, session_id: UUID) -> Session:
        """The session with its active checkpoint, whose bytes have been read and checked."""

    @abstractmethod
    def get_session_summary(self, session_id: UUID) -> SessionSummary:
        """The session as lists show it, in one query that reads no state.

        CorruptStateError where its row is damaged; its `damage` is that of its metadata or active checkpoint.
        """

    @abstractmethod
    def find_session(self, source: str, source_id: str, owner: str | None = None) -> Session:
        """The session of this owner, or of none, that another program knows by this name."""

    @abstractmethod
    def find_session_summary(self, source: str, source_id: str, owner: str | None = None) -> SessionSummary:
        """The session that `find_session` finds, as `get_session_summary` returns it: no state is read."""

    @abstractmethod
    def list_sessions(self, query: SessionQuery) -> Page[SessionSummary]:
        """Newest `updated_at` first, ties by descending id.

        With `query.cwd` also those that were in the directory before `move_directory` changed theirs.

        Those of one owner, or of one (`source`, `source_id`), are found without looking at others.

        `total` is filled where the only filter is the status, or where `query.count`. A malformed cursor is
        InvalidRequestError.
        """

    @abstractmethod
    def update_session(self, session_id: UUID, changes: SessionChanges) -> Session:
        """Apply all changes. ConflictError where `if_revision` is not the session's revision.

        ConflictError too where another session of the new owner has the source name.
        """

    @abstractmethod
    def purge_session(self, session_id: UUID, if_revision: int | None = None, *, erase: bool = True) -> bool:
        """Remove the session, and every byte that no other session of its family needs.

        False where something else of the family is damaged: then what the session shared with it is left, because
        nothing is deleted on the word of a damaged row.

        ConflictError where `if_revision` is not the session's revision. UnavailableError, with the session removed all
        the same, where its bytes cannot be erased from every file within the time limit. Without `erase` that is left
        to `erase_purged`.
        """

    @abstractmethod
    def erase_purged(self) -> bool:
        """Erase what sessions purged without `erase` have left in any file. Removes nothing that is still stored.

        False where others kept these bytes there until the time limit: the next purge erases them too.
        """

    @abstractmethod
    def fork_session(self, session_id: UUID, new: NewFork) -> Session:
        """A new session of the same family whose root holds the state of a checkpoint of `session_id`.

        The root has the attachments of that checkpoint too. An id that exists with the same fingerprint returns what is
        stored; any other taken id is ConflictError.
        """

    @abstractmethod
    def copy_session(self, session_id: UUID, new: NewCopy) -> Session:
        """A new session of the same family with the same tree: ids are new, everything else is as it was.

        Labels, attachments (those of labels to come too), times, metadata and which checkpoint is active are kept; the
        `parent_session_id` is `session_id`, and the status ACTIVE. An id that exists with the same fingerprint returns
        what is stored; any other taken id, or source name, is ConflictError.
        """

    @abstractmethod
    def write_checkpoint(self, session_id: UUID, new: NewCheckpoint) -> Checkpoint:
        """Write a checkpoint and, if it says so, make it active, in O(messages that the parent lacks).

        In this order: a checkpoint with `new.id` and the same fingerprint is returned as stored (with another one, or
        with none, ConflictError); `if_active` must be the active checkpoint, or a label that this one has, else
        ConflictError; the parent must belong to the session, else NotFoundError; the label must be free in the session,
        else ConflictError, or with `move` the checkpoint that has it loses it, as in `set_label`; `after` must not be
        beyond the parent's messages, else InvalidRequestError; where there is a `prefix`, the chain of the parent must
        be its `whole`, else StalePrefixError. ACTIVE is read inside the transaction. A time that clew gives is never
        before that of an earlier checkpoint of the session.

        `after` reads none of the parent's messages: a damaged one is found when the new checkpoint is read, if not now.

        The checkpoint gets the attachments given, and those that were attached to its label before it came: where both
        have a name with other bytes, ConflictError. SAME where the parent has no attachment of the name is
        NotFoundError.
        """

    @abstractmethod
    def get_checkpoint(self, checkpoint_id: UUID) -> Checkpoint:
        """The checkpoint with its state, whose bytes have been read and checked: CorruptStateError where damaged."""

    @abstractmethod
    def get_checkpoint_summary(self, checkpoint_id: UUID) -> CheckpointSummary:
        """The checkpoint without its state, in one query: CorruptStateError where its row is damaged."""

    @abstractmethod
    def find_checkpoint(self, session_id: UUID, label: str) -> Checkpoint:
        """The checkpoint of the session that has this label, as `get_checkpoint` returns it."""

    @abstractmethod
    def list_checkpoints(self, query: CheckpointQuery) -> Page[CheckpointSummary]:
        """The checkpoints of the sessions, in a number of queries that does not depend on how many there are.

        "created" is the order in which they were written; of several sessions, that of `created_at`, and in one session
        that in which they were written where the times are equal. "label" is the order of the labels' code points, ties
        by session. A session that does not exist is NotFoundError. `total` is filled where nothing filters.

        `active` filters, and looks at no other checkpoint. Where the row of a session is damaged, what is listed as its
        active checkpoint has `damage`; where nothing can be, CorruptStateError.
        """

    @abstractmethod
    def store_stats(self, owner: str | None) -> StoreStats:
        """What is in the store, or what the sessions of an owner have, as of one moment.

        Content that is reached by nobody, or by the sessions of others alone, does not count.
        """

    @abstractmethod
    def move_directory(self, move: DirectoryMove) -> Moved:
        """Change the `cwd` of every session that is in the directory or below it, all of them or none.

        A session gets one revision more, keeps its `updated_at`, and is listed by its old `cwd` too, as are its forks
        and copies from then on. A damaged session is left as it is, and told. What would be longer than a `cwd` may be
        is InvalidRequestError. With `dry_run` nothing is changed.
        """

    @abstractmethod
    def find_checkpoints(self, search: CheckpointSearch) -> Page[CheckpointSummary]:
        """Checkpoints of every session, in a fixed order, with their metadata."""

    @abstractmethod
    def search(self, search: MessageSearch) -> Page[SearchHit]:
        """Messages of every session, branch and checkpoint that have what is looked for, the best first.

        What was written before the call is found. A message that several sessions of a family share is one hit: in the
        session that wrote it, or, where that is not searched, in the oldest that has it and is. Role and tool are
        compared without differences of case. No text is an error: one without a word to look for finds nothing.

        A cursor leads on behind the hit that was last: what is written meanwhile is not among the pages that follow.
        Where a backend does not compare all matches with each other, "the best first" is meant of so many of the newest
        at a time as it compares. A session that does not exist is NotFoundError, a malformed cursor
        InvalidRequestError. CorruptStateError where the index is damaged, never an empty answer.
        """

    @abstractmethod
    def update_search_index(self, report: Report | None) -> None:
        """Index what was written and is not indexed yet, as the next search would. Errors as of `search`.

        A backend that only reads has nothing to do.
        """

    @abstractmethod
    def list_children(self, checkpoint_id: UUID) -> list[CheckpointSummary]:
        """The checkpoints whose parent it is, oldest first."""

    @abstractmethod
    def list_ancestry(self, checkpoint_id: UUID) -> list[CheckpointSummary]:
        """The checkpoint, its parent, and so on to the root."""

    @abstractmethod
    def list_branches(self, session_id: UUID) -> list[CheckpointSummary]:
        """The checkpoints of the session that have no child, newest first."""

    @abstractmethod
    def set_label(self, checkpoint_id: UUID, label: str | None, now: int, *, move: bool) -> CheckpointSummary:
        """Give the checkpoint this label, or take its label away.

        Where another checkpoint of the session has the label, ConflictError, or with `move` that one loses it. What was
        attached to the label before becomes the checkpoint's, as in `write_checkpoint`.
        """

    @abstractmethod
    def delete_checkpoints(
        self, session_id: UUID, ids: Sequence[UUID], children: Children, now: int, if_revision: int | None = None
    ) -> Session:
        """Delete checkpoints with their attachments, and what of the family nothing reaches any more.

        Every id must be of a checkpoint of the session, else NotFoundError. With `children` "reparent" a child goes to
        the nearest ancestor that stays, with "delete" all descendants go too, with "refuse" a child that would stay is
        ConflictError. Where the active checkpoint goes, its nearest ancestor that stays becomes active, else the newest
        checkpoint, else none. ConflictError where `if_revision` is not the session's revision. Where something of the
        family is damaged, what nothing reaches any more stays until `compact` finds it whole.
        """

    @abstractmethod
    def get_messages(
        self, place: Place, start: int | None, stop: int | None, session_id: UUID | None = None
    ) -> list[bytes]:
        """The bodies of a slice (Python's meaning, negative indices too), reading nothing outside it.

        A label or ACTIVE comes with the `session_id` that it is of, an id without. Where nothing has the label, or no
        checkpoint is active, NotFoundError.
        """

    @abstractmethod
    def get_descent(self, checkpoint_id: UUID) -> list[UUID]:
        """The checkpoint, its parent, and so on to the root, and on from the checkpoint that a fork began as."""

    @abstractmethod
    def set_active_checkpoint(self, session_id: UUID, place: Place, now: int) -> Session:
        """Resume from this checkpoint of the session from now on."""

    def arriving(self) -> "Backend":
        """The same data, for what comes from another store: what is written has the times that are given with it.

        So it has in any case, unless a server stands before the data that goes by its own clock. Not to be closed.
        """
        return self

    # -- attachments

    @abstractmethod
    def attach(self, session_id: UUID, new: NewAttachments) -> None:
        """Keep the items beside the checkpoint; for a label that nothing has yet, until a checkpoint gets it.

        A name that has the same bytes and content type already is left as it is; one that has others is ConflictError,
        or as `on_conflict` says. A checkpoint that exists has `updated_at` moved.
        """

    @abstractmethod
    def detach(self, session_id: UUID, place: Place, names: Sequence[str], now: int) -> None:
        """Take attachments away from a checkpoint, or from a label that nothing has: all of them or none.

        A name that is not there is NotFoundError.
        """

    @abstractmethod
    def list_waiting(self, session_id: UUID) -> dict[str, list[AttachmentInfo]]:
        """What is attached to labels that no checkpoint of the session has, by label, in the order of the names."""

    @abstractmethod
    def get_waiting(self, session_id: UUID, label: str) -> dict[str, Attachment]:
        """The same of one label with the bytes, checked; empty where nothing waits for it."""

    @abstractmethod
    def get_attachments(self, checkpoint_ids: Sequence[UUID], prefix: str) -> dict[UUID, dict[str, Attachment]]:
        """The attachments of each checkpoint whose names begin with `prefix`, in the order of the names."""

    @abstractmethod
    def list_attachments(self, checkpoint_id: UUID, prefix: str) -> list[AttachmentInfo]:
        """The same of one checkpoint without the bytes, which are not read."""

    @abstractmethod
    def get_attachment(self, checkpoint_id: UUID, name: str, start: int | None, stop: int | None) -> Attachment:
        """A slice of the bytes (Python's meaning), checked, reading little more of a long one than the slice."""

    # -- changes

    @abstractmethod
    def last_change(self) -> int:
        """The number of a change up to which every change is there: what is committed later has a greater one."""

    @abstractmethod
    def list_changes(self, after: int, session_id: UUID | None, limit: int, owner: str | None = None) -> Changes:
        """The last change of every session, or of one, or of those of an owner, that has changed after a number.

        Of an owner's no purges: what is gone is nobody's.
        InvalidRequestError where the number is beyond all that changes can have had.
        """

    @abstractmethod
    def open_watcher(self) -> Watcher:
        """Begin to wait for changes."""

    # -- API keys

    @abstractmethod
    def create_key(self, new: NewApiKey) -> ApiKey:
        """Keep an API key."""

    @abstractmethod
    def list_keys(self) -> list[ApiKey]:
        """Every API key, revoked ones too, oldest first. A damaged one hides no other."""

    @abstractmethod
    def find_key(self, digest: bytes) -> ApiKey | None:
        """The API key whose token has this SHA-256, revoked or not, in one query: None where there is none.

        What was committed before the call counts, by whatever process. CorruptStateError where its row is damaged.
        """

    @abstractmethod
    def use_key(self, key_id: UUID, now: int) -> ApiKey:
        """Move `last_used_at` to `now`, never back; a revoked key stays as it is. NotFoundError where there is none."""

    @abstractmethod
    def revoke_key(self, key_id: UUID, now: int) -> ApiKey:
        """Let the key in no more from now on; one that is revoked stays as it is. NotFoundError where there is none.

        A damaged key can be revoked too, and no longer counts as damaged then.
        """

    # -- looking after the data

    @abstractmethod
    def verify(self, report: Report | None) -> Iterator[Finding]:
        """Check everything that is stored, and yield what is wrong. Changes nothing.

        Every message and attachment is hashed again; every timeline, parent, length, pointer and count is checked. Not
        one transaction: what is compared with each other is of one moment.
        """

    @abstractmethod
    def backup(self, path: str, *, overwrite: bool, verify: bool, report: Report | None) -> Backup:
        """Copy everything, as of one moment, to a new file at `path`, while others write.

        The file appears whole or not at all. InvalidRequestError where there is one already, unless `overwrite`, or
        where the backend has no file to copy; CorruptStateError where `verify` finds something in the copy.
        """

    @abstractmethod
    def compact(self, report: Report | None) -> Compaction:
        """Give back the space of what has been deleted and of content that nothing refers to any more.

        CorruptStateError, once all else is done, where something is damaged: nothing of its family has been deleted.
        """

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


def no_active_checkpoint(session_id: UUID) -> NotFoundError:
    return NotFoundError(f"Session {session_id} has no active checkpoint")


def session_missing() -> InvalidRequestError:
    return InvalidRequestError("session_id is missing: a label or ACTIVE is of a session")


def label_not_found(label: str) -> NotFoundError:
    return NotFoundError(f"Checkpoint with label {label!r} not found")


def attachment_not_found(name: str, checkpoint_id: UUID | None) -> NotFoundError:
    if checkpoint_id is None:
        return NotFoundError(f"Attachment {name!r} not found")
    return NotFoundError(f"Attachment {name!r} of checkpoint {checkpoint_id} not found")


def source_not_found(source: str, source_id: str) -> NotFoundError:
    return NotFoundError(f"Session {source_id!r} of source {source!r} not found")


def key_not_found(key_id: UUID) -> NotFoundError:
    return NotFoundError(f"API key {key_id} not found")


def unknown_key() -> UnauthorizedError:
    return UnauthorizedError("the API key is not known, or has been revoked")


def id_taken(kind: str, taken: UUID) -> ConflictError:
    return ConflictError(f"{kind} id {taken} is taken by another write")


def source_taken(source: str, source_id: str) -> ConflictError:
    return ConflictError(f"a session {source_id!r} of source {source!r} exists already")


def label_taken(label: str) -> ConflictError:
    return ConflictError(f"label {label!r} is taken in this session")


def attachment_taken(name: str) -> ConflictError:
    return ConflictError(f"attachment {name!r} is there already, with other content")


def purged_in_part(session_id: UUID) -> CorruptStateError:
    return CorruptStateError(
        f"session {session_id} is purged, but what it shared with others is left, because some of that is damaged; "
        "`verify` says what"
    )


def beyond_changes(after: int, newest: int) -> InvalidRequestError:
    return InvalidRequestError(f"after is {after}, but the newest change is {newest}: was the store put back?")


def messages_kept(after: int | None, length: int) -> int:
    """How many of a parent's `length` messages a checkpoint takes over; a negative `after` leaves out that many."""
    if after is None:
        return length
    if not -length <= after <= length:
        raise InvalidRequestError(f"after is {after}, but the parent has {length:,} messages")
    return after if after >= 0 else length + after


def has_children(checkpoint_id: UUID) -> ConflictError:
    return ConflictError(f"checkpoint {checkpoint_id} has children that would stay")


def not_active(expected: UUID | Label) -> ConflictError:
    if isinstance(expected, Label):
        return ConflictError(f"the active checkpoint does not have the label {expected.name!r}")
    return ConflictError(f"checkpoint {expected} is no longer the active one")


def revision_moved(expected: int, actual: int) -> ConflictError:
    return ConflictError(f"the session is at revision {actual}, not {expected}")


def bad_cursor() -> InvalidRequestError:
    return InvalidRequestError("cursor is not one that this list returned")
