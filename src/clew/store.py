"""The store: what clew promises, whichever backend keeps the data.

Policy is here and only here: what is refused and with which words, defaults, ids, the clock, what a repeated call
means, and what is remembered between calls. Backends get checked and encoded values and do one transaction each.
"""

import os
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self
from uuid import UUID

import msgspec

from clew import checks, limits
from clew.backend import (
    Backend,
    CheckpointQuery,
    Durability,
    NewCheckpoint,
    NewFork,
    NewSession,
    Prefix,
    SessionChanges,
    SessionQuery,
    StalePrefixError,
)
from clew.errors import NotFoundError
from clew.hashing import EMPTY_CHAIN, content_hash, extend_chain, fingerprint
from clew.ids import new_id, to_id, to_optional_id
from clew.messages import decode_messages, encode_messages, encode_metadata, message_list
from clew.model import (
    ACTIVE,
    KEEP,
    Active,
    BackendInfo,
    Checkpoint,
    CheckpointSummary,
    Diff,
    Keep,
    Message,
    Page,
    Session,
    SessionStatus,
    SessionSummary,
    Visibility,
)
from clew.opening import open_url
from clew.prefix_cache import Conversation, PrefixCache, pack_messages, shared_prefix
from clew.times import now_micros, to_micros

if TYPE_CHECKING:
    from clew.aio import AsyncStore

Id = UUID | str
"""An id: a UUID, or its text."""


def open(
    url: str | os.PathLike[str] | None = None,
    *,
    durability: Durability = "full",
    busy_timeout: float = limits.DEFAULT_BUSY_TIMEOUT,
    read_only: bool = False,
) -> "Store":
    """Open a store.

    `url` is a path, ``sqlite:///path``, ``:memory:`` (private, gone when it is closed), or None for ``$CLEW_URL``,
    else a file in the platform's directory for the data of programs. Missing directories are made (0700), and the
    file (0600).

    With `durability` "full" a write that has returned survives a loss of power; with "normal" it survives a crash of
    the program, and the store stays whole in any case. `busy_timeout` is how many seconds a call waits for other
    writers before it raises UnavailableError. A `read_only` store must exist and refuses every write.

    UnavailableError where the file cannot be opened, is no database, is another program's, or is from a newer clew.
    """
    return Store(open_url(url, durability=durability, busy_timeout=busy_timeout, read_only=read_only))


class Store:
    """Sessions and their checkpoints. Made by `clew.open`; safe to use from many threads at once.

    Every method raises a `clew.StorageError` for whatever fails; a session or checkpoint that does not exist is
    NotFoundError, an argument that no store could take InvalidRequestError. Nothing is changed by a call that raises.
    """

    def __init__(self, backend: Backend, *, clock: Callable[[], int] = now_micros) -> None:
        """A store over `backend`; `clock` gives microseconds since 1970 in UTC."""
        self._backend = backend
        self._clock = clock
        self._written = PrefixCache(limits.PREFIX_CACHE_BYTES)
        self._aio: AsyncStore | None = None

    @property
    def aio(self) -> "AsyncStore":
        """The same open store, for use with ``await``."""
        if self._aio is None:
            from clew.aio import AsyncStore

            self._aio = AsyncStore.over(self)
        return self._aio

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Finish what is under way and let go of the data. A second call does nothing; any other call then raises."""
        self._backend.close()
        if self._aio is not None:
            self._aio._stop_threads()

    # -- sessions

    def create_session(
        self,
        title: str,
        *,
        messages: Iterable[Message] = (),
        metadata: Any = None,
        visibility: Visibility | str = Visibility.PRIVATE,
        cwd: str | os.PathLike[str] | None = None,
        source: str | None = None,
        source_id: str | None = None,
        parent_session_id: Id | None = None,
        session_metadata: Mapping[str, Any] | None = None,
        id: Id | None = None,
        checkpoint_id: Id | None = None,
        created_at: datetime | None = None,
    ) -> Session:
        """Create a session and its root checkpoint, which becomes the active one.

        `messages` and `metadata` (any JSON value) are the root's state; `session_metadata` is a JSON object of the
        session's own. (`source`, `source_id`) is the name another program knows it by, unique in the store.
        `id` makes the call safe to repeat: the same call again returns what is stored. `checkpoint_id` (the root's) and
        `created_at` are for importers. ConflictError where the id or the source name is taken.
        """
        return self._create_session(
            False, title, messages, metadata, visibility, cwd, source, source_id, parent_session_id, session_metadata,
            id, checkpoint_id, created_at,
        )  # fmt: skip

    def ensure_session(
        self,
        source: str,
        source_id: str,
        title: str = "",
        *,
        messages: Iterable[Message] = (),
        metadata: Any = None,
        visibility: Visibility | str = Visibility.PRIVATE,
        cwd: str | os.PathLike[str] | None = None,
        parent_session_id: Id | None = None,
        session_metadata: Mapping[str, Any] | None = None,
        id: Id | None = None,
        checkpoint_id: Id | None = None,
        created_at: datetime | None = None,
    ) -> Session:
        """The session that another program knows by this name, created as by `create_session` where there is none.

        Found or made in one transaction: of two callers one makes it and both get it. A session that is found stays as
        it is, whatever the other arguments say.
        """
        return self._create_session(
            True, title, messages, metadata, visibility, cwd, source, source_id, parent_session_id, session_metadata,
            id, checkpoint_id, created_at,
        )  # fmt: skip

    def get_session(self, id: Id) -> Session:
        """The session with its active checkpoint; a deleted one too."""
        return self._backend.get_session(to_id(id, "id"))

    def find_session(self, source: str, source_id: str) -> Session:
        """The session that another program knows by this name, with its active checkpoint."""
        return self._backend.find_session(*checks.source_name(source, source_id))

    def list_sessions(
        self,
        *,
        limit: int = limits.DEFAULT_PAGE,
        offset: int = 0,
        cursor: str | None = None,
        search: str | None = None,
        status: SessionStatus | str | None = None,
        visibility: Visibility | str | None = None,
        cwd: str | os.PathLike[str] | None = None,
        source: str | None = None,
        parent_session_id: Id | None = None,
        metadata: Mapping[str, Any] | None = None,
        count: bool = False,
    ) -> Page[SessionSummary]:
        """Sessions, newest `updated_at` first, ties by descending id. A filter that is None lets everything through.

        `search` is a part of the title, in any case; `metadata` are top-level keys of the session's metadata that must
        be equal. The page's `total` is there where the only filter is the status, or with `count`. Its `next_cursor`
        leads to the next page: a session that does not change meanwhile is seen exactly once, one that changes moves to
        the front of the list and is not seen again.
        """
        checks.page(limit, offset, cursor)
        return self._backend.list_sessions(
            SessionQuery(
                limit=limit,
                offset=offset,
                cursor=cursor,
                search=checks.optional_search(search),
                status=checks.optional_status(status),
                visibility=checks.optional_visibility(visibility),
                cwd=checks.optional_cwd(cwd),
                source=checks.optional_source(source),
                parent_session_id=to_optional_id(parent_session_id, "parent_session_id"),
                metadata=checks.optional_filter(metadata),
                count=bool(count),
            )
        )

    def update_session(
        self,
        id: Id,
        *,
        title: str | Keep = KEEP,
        visibility: Visibility | str | Keep = KEEP,
        status: SessionStatus | str | Keep = KEEP,
        cwd: str | os.PathLike[str] | Keep | None = KEEP,
        metadata: Mapping[str, Any] | Keep | None = KEEP,
        if_revision: int | None = None,
        updated_at: datetime | None = None,
    ) -> Session:
        """Change what is given, all of it or nothing; KEEP leaves a field as it is.

        With `if_revision` only while that is the session's revision, else ConflictError. `updated_at` is for importers:
        kept as given, though it never moves the session back in the list. What changes nothing adds no revision.
        """
        changes = SessionChanges(
            title=KEEP if title is KEEP else checks.title(title),
            visibility=KEEP if visibility is KEEP else checks.visibility(visibility),
            status=KEEP if status is KEEP else checks.status(status),
            cwd=KEEP if cwd is KEEP else checks.optional_cwd(cwd),
            metadata=KEEP if metadata is KEEP else checks.session_metadata(metadata, "metadata"),
            if_revision=checks.optional_revision(if_revision),
            updated_at=None if updated_at is None else to_micros(updated_at, "updated_at"),
            now=self._clock(),
        )
        return self._backend.update_session(to_id(id, "id"), changes)

    def delete_session(self, id: Id) -> None:
        """Mark a session deleted. Everything of it stays until it is purged; `restore_session` undoes this."""
        self._set_status(id, SessionStatus.DELETED)

    def restore_session(self, id: Id) -> None:
        """Undo `delete_session`."""
        self._set_status(id, SessionStatus.ACTIVE)

    def purge_session(self, id: Id) -> None:
        """Remove a session for good: every byte of it that no fork of it needs. This cannot be undone.

        UnavailableError where a reader kept the bytes in the write-ahead log until the time limit; the session is
        purged all the same, and the message says so.
        """
        self._backend.purge_session(to_id(id, "id"))

    def fork_session(self, session_id: Id, *, checkpoint_id: Id | Active = ACTIVE, title: str | None = None) -> Session:
        """A new session that begins with the state of a checkpoint of another one. Nothing is copied.

        It takes over the title (unless one is given), visibility, cwd and metadata; `parent_session_id` and
        `forked_from` say where it comes from.
        """
        new = NewFork(
            id=new_id(),
            checkpoint_id=new_id(),
            source_checkpoint=ACTIVE if checkpoint_id is ACTIVE else to_id(checkpoint_id, "checkpoint_id"),
            title=None if title is None else checks.title(title),
            now=self._clock(),
        )
        return self._backend.fork_session(to_id(session_id, "session_id"), new)

    # -- checkpoints

    def create_checkpoint(
        self,
        session_id: Id,
        messages: Iterable[Message],
        *,
        metadata: Any = None,
        parent_id: Id | Active | None = None,
        label: str | None = None,
        id: Id | None = None,
        if_active: Id | None = None,
        created_at: datetime | None = None,
    ) -> Checkpoint:
        """Write a state given in full, and make it the active checkpoint. Only what the parent lacks is stored.

        `parent_id` None makes a new root. `label` names it, uniquely in the session. `id` makes the call safe to
        repeat: the same call again returns what is stored, another call with the id is ConflictError. With
        `if_active`, only while that is the active checkpoint, else ConflictError. `created_at` is for importers.
        """
        session = to_id(session_id, "session_id")
        given = message_list(messages)
        parent = checks.parent(parent_id)
        packed = pack_messages(given)
        known = self._written.conversation(parent) if isinstance(parent, UUID) else None
        prefix = None if known is None or packed is None else shared_prefix(known, given, packed)
        count, chain = (0, EMPTY_CHAIN) if prefix is None else (prefix.count, prefix.chain)
        bodies = encode_messages(given[count:], count)
        new = self._new_checkpoint(bodies, metadata, parent, label, id, if_active, created_at, full=True, prefix=prefix)
        if id is not None:
            new = _fingerprinted("create_checkpoint", session, extend_chain(chain, bodies), new)
        try:
            checkpoint = self._backend.write_checkpoint(session, new)
        except StalePrefixError:
            self._written.forget(to_id(parent_id, "parent_id"))
            return self.create_checkpoint(
                session, given, metadata=metadata, parent_id=parent_id, label=label, id=id, if_active=if_active,
                created_at=created_at,
            )  # fmt: skip
        if packed is not None:
            self._remember(checkpoint, packed, known, prefix, bodies)
        return checkpoint

    def append(
        self,
        session_id: Id,
        messages: Iterable[Message],
        *,
        metadata: Any = KEEP,
        parent_id: Id | Active | None = ACTIVE,
        label: str | None = None,
        id: Id | None = None,
        if_active: Id | None = None,
        created_at: datetime | None = None,
    ) -> Checkpoint:
        """Add messages to a checkpoint (the active one, unless told otherwise), and make the result active.

        The active checkpoint is read inside the write: of two callers that append at once, neither loses a message.
        `metadata` KEEP takes over the parent's. The other arguments are as for `create_checkpoint`.
        """
        session = to_id(session_id, "session_id")
        bodies = encode_messages(message_list(messages))
        new = self._new_checkpoint(
            bodies, metadata, checks.parent(parent_id), label, id, if_active, created_at, full=False
        )
        if id is not None:
            new = _fingerprinted("append", session, extend_chain(EMPTY_CHAIN, bodies), new)
        return self._backend.write_checkpoint(session, new)

    def get_checkpoint(self, id: Id) -> Checkpoint:
        """The checkpoint with its state. CorruptStateError, naming it, where the stored bytes are damaged."""
        return self._backend.get_checkpoint(to_id(id, "id"))

    def get_active_checkpoint(self, session_id: Id) -> Checkpoint:
        """The checkpoint that the session resumes from."""
        checkpoint = self.get_session(session_id).active_checkpoint
        if checkpoint is None:
            raise NotFoundError("No active checkpoint")
        return checkpoint

    def list_checkpoints(
        self,
        session_id: Id,
        *,
        limit: int = limits.DEFAULT_PAGE,
        offset: int = 0,
        cursor: str | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> Page[CheckpointSummary]:
        """The checkpoints of a session, oldest first, in the order in which they were written.

        `metadata` are top-level keys of the state's metadata that must be equal.
        """
        checks.page(limit, offset, cursor)
        query = CheckpointQuery(limit=limit, offset=offset, cursor=cursor, metadata=checks.optional_filter(metadata))
        return self._backend.list_checkpoints(to_id(session_id, "session_id"), query)

    def get_messages(self, checkpoint_id: Id, *, start: int | None = None, stop: int | None = None) -> list[Message]:
        """The messages from `start` to `stop`, as a Python slice has it, negative ones too. Nothing else is read."""
        id = to_id(checkpoint_id, "checkpoint_id")
        bodies = self._backend.get_messages(
            id, checks.optional_index(start, "start"), checks.optional_index(stop, "stop")
        )
        return decode_messages(bodies, id)

    def set_active_checkpoint(self, session_id: Id, checkpoint_id: Id) -> Session:
        """Resume from this checkpoint of the session from now on: rewind, or switch to another branch.

        Nothing is deleted. A checkpoint of another session is NotFoundError.
        """
        return self._backend.set_active_checkpoint(
            to_id(session_id, "session_id"), to_id(checkpoint_id, "checkpoint_id"), self._clock()
        )

    def diff(self, checkpoint_a: Id, checkpoint_b: Id) -> Diff:
        """How two checkpoints differ, of one session or of two."""
        a, b = to_id(checkpoint_a, "checkpoint_a"), to_id(checkpoint_b, "checkpoint_b")
        state_a, state_b = self.get_checkpoint(a).state, self.get_checkpoint(b).state
        common = _common_prefix(state_a.raw.bodies, state_b.raw.bodies)
        descent_of_b = set(self._backend.get_ancestry(b))
        return Diff(
            checkpoint_a=a,
            checkpoint_b=b,
            common=common,
            only_a=state_a.messages[common:],
            only_b=state_b.messages[common:],
            ancestor_id=next((id for id in self._backend.get_ancestry(a) if id in descent_of_b), None),
            metadata_a=state_a.metadata,
            metadata_b=state_b.metadata,
            metadata_changed=state_a.raw.metadata != state_b.raw.metadata,
        )

    def backend_info(self) -> BackendInfo:
        """Where the data is kept, without secrets."""
        return self._backend.info()

    # -- inside

    def _create_session(
        self,
        ensure: bool,
        title: str,
        messages: Iterable[Message],
        metadata: Any,
        visibility: Visibility | str,
        cwd: str | os.PathLike[str] | None,
        source: str | None,
        source_id: str | None,
        parent_session_id: Id | None,
        session_metadata: Mapping[str, Any] | None,
        id: Id | None,
        checkpoint_id: Id | None,
        created_at: datetime | None,
    ) -> Session:
        if ensure or source is not None or source_id is not None:
            source, source_id = checks.source_name(source, source_id)
        new = NewSession(
            id=to_optional_id(id, "id") or new_id(),
            checkpoint_id=to_optional_id(checkpoint_id, "checkpoint_id") or new_id(),
            title=checks.title(title),
            bodies=encode_messages(message_list(messages)),
            metadata=encode_metadata(metadata),
            session_metadata=checks.session_metadata(session_metadata, "session_metadata"),
            visibility=checks.visibility(visibility),
            cwd=checks.optional_cwd(cwd),
            source=source,
            source_id=source_id,
            parent_session_id=to_optional_id(parent_session_id, "parent_session_id"),
            created_at=None if created_at is None else to_micros(created_at),
            now=self._clock(),
            fingerprint=None,
        )
        if id is not None:
            new = msgspec.structs.replace(new, fingerprint=_session_fingerprint(new))
        return self._backend.create_session(new, ensure=ensure)

    def _set_status(self, id: Id, status: SessionStatus) -> None:
        self._backend.update_session(to_id(id, "id"), SessionChanges(status=status, now=self._clock()))

    def _remember(
        self,
        checkpoint: Checkpoint,
        packed: bytes,
        parent: Conversation | None,
        prefix: Prefix | None,
        bodies: list[bytes],
    ) -> None:
        """Remember a conversation that is `prefix` of its parent's, and then `bodies`."""
        messages, hashes, chain = decode_messages(bodies), [content_hash(body) for body in bodies], EMPTY_CHAIN
        if parent is not None and prefix is not None:
            messages = [*parent.messages[: prefix.count], *messages]
            chain, hashes = prefix.chain, [*parent.hashes[: prefix.count], *hashes]
        conversation = Conversation(packed, messages, hashes, extend_chain(chain, bodies))
        self._written.remember(checkpoint.id, conversation, checkpoint.parent_id)

    def _new_checkpoint(
        self,
        bodies: list[bytes],
        metadata: Any,
        parent: UUID | Active | None,
        label: str | None,
        id: Id | None,
        if_active: Id | None,
        created_at: datetime | None,
        *,
        full: bool,
        prefix: Prefix | None = None,
    ) -> NewCheckpoint:
        return NewCheckpoint(
            id=new_id() if id is None else to_id(id, "id"),
            bodies=bodies,
            full=full,
            prefix=prefix,
            parent=parent,
            metadata=KEEP if metadata is KEEP else encode_metadata(metadata),
            label=None if label is None else checks.label(label),
            if_active=None if if_active is None else to_id(if_active, "if_active"),
            created_at=None if created_at is None else to_micros(created_at),
            now=self._clock(),
            fingerprint=None,
        )


def _fingerprinted(operation: str, session: UUID, chain: bytes, new: NewCheckpoint) -> NewCheckpoint:
    """`new` with the fingerprint of the call that asked for it; `chain` is that of the messages given."""
    parts = (operation, session, chain, _spelled(new.metadata), _spelled(new.parent), new.label)
    return msgspec.structs.replace(new, fingerprint=fingerprint(*parts))


def _session_fingerprint(new: NewSession) -> bytes:
    return fingerprint(
        "create_session", new.title, extend_chain(EMPTY_CHAIN, new.bodies), new.metadata, new.session_metadata,
        new.visibility, new.cwd, new.source, new.source_id, new.parent_session_id,
    )  # fmt: skip


def _spelled(value: Any) -> Any:
    """A value for a fingerprint, in which KEEP and ACTIVE are no text that a caller could give."""
    return [value.name] if value is KEEP or value is ACTIVE else value


def _common_prefix(a: list[bytes], b: list[bytes]) -> int:
    for index, (left, right) in enumerate(zip(a, b, strict=False)):
        if left != right:
            return index
    return min(len(a), len(b))
