"""The store for programs that await. Written by tools/generate_aio.py from `clew.store`: do not edit.

SQLite is synchronous by nature, so each awaited method runs the plain one in a thread: one call, one hop.
"""

import asyncio
import os
from collections.abc import Callable, Generator, Iterable, Mapping
from datetime import datetime
from functools import partial
from types import TracebackType
from typing import Any, ParamSpec, Self, TypeVar

from clew import limits
from clew.backend import Durability
from clew.errors import UnavailableError
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
from clew.store import Id, Store, open
from clew.threads import Threads

P = ParamSpec("P")
T = TypeVar("T")


def open_async(
    url: str | os.PathLike[str] | None = None,
    *,
    durability: Durability = "full",
    busy_timeout: float = limits.DEFAULT_BUSY_TIMEOUT,
    read_only: bool = False,
) -> "AsyncStore":
    """The store at `url` (see `clew.open`), for use with ``async with`` or ``await``.

    It is opened, in a thread, when it is entered, awaited or first used.
    """

    def opener() -> Store:
        return open(url, durability=durability, busy_timeout=busy_timeout, read_only=read_only)

    return AsyncStore(opener)


class AsyncStore:
    """Sessions and their checkpoints, awaited: the methods of `clew.Store`. Made by `clew.open_async`.

    Cancelling an awaited write does not undo it: once its thread has begun it is carried out. The state of a checkpoint
    that a write returns is read where it is first touched, in the thread that touches it.
    """

    def __init__(self, opener: Callable[[], Store]) -> None:
        """A store that `opener` opens when it is first needed."""
        self._opener = opener
        self._store: Store | None = None
        self._opening: asyncio.Task[Store] | None = None
        self._threads = Threads(limits.ASYNC_THREADS)

    @classmethod
    def over(cls, store: Store) -> "AsyncStore":
        """The awaited face of an open store; closing either closes both."""
        face = cls(lambda: store)
        face._store = store
        return face

    @property
    def sync(self) -> Store:
        """The same store, for plain calls. Opens it where that has not been done, in the calling thread."""
        if self._store is None:
            self._store = self._opener()
            self._store._aio = self
        return self._store

    async def __aenter__(self) -> Self:
        await self._opened()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    def __await__(self) -> Generator[Any, None, "AsyncStore"]:
        return self.__aenter__().__await__()

    async def close(self) -> None:
        """Finish what is under way and let go of the data. A second call does nothing; any other call then raises."""
        if self._store is None and (self._opening is None or self._opening.done()):  # never opened, or it failed
            self._opener = _refuse_to_open
            return
        store = await self._opened()
        await self._run(store.close)

    def _stop_threads(self) -> None:
        self._threads.stop()

    async def create_session(
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
        store = await self._opened()
        return await self._run(
            store.create_session,
            title,
            messages=messages,
            metadata=metadata,
            visibility=visibility,
            cwd=cwd,
            source=source,
            source_id=source_id,
            parent_session_id=parent_session_id,
            session_metadata=session_metadata,
            id=id,
            checkpoint_id=checkpoint_id,
            created_at=created_at,
        )

    async def ensure_session(
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
        store = await self._opened()
        return await self._run(
            store.ensure_session,
            source,
            source_id,
            title,
            messages=messages,
            metadata=metadata,
            visibility=visibility,
            cwd=cwd,
            parent_session_id=parent_session_id,
            session_metadata=session_metadata,
            id=id,
            checkpoint_id=checkpoint_id,
            created_at=created_at,
        )

    async def get_session(self, id: Id) -> Session:
        """The session with its active checkpoint; a deleted one too."""
        store = await self._opened()
        return await self._run(store.get_session, id)

    async def find_session(self, source: str, source_id: str) -> Session:
        """The session that another program knows by this name, with its active checkpoint."""
        store = await self._opened()
        return await self._run(store.find_session, source, source_id)

    async def list_sessions(
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
        store = await self._opened()
        return await self._run(
            store.list_sessions,
            limit=limit,
            offset=offset,
            cursor=cursor,
            search=search,
            status=status,
            visibility=visibility,
            cwd=cwd,
            source=source,
            parent_session_id=parent_session_id,
            metadata=metadata,
            count=count,
        )

    async def update_session(
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
        store = await self._opened()
        return await self._run(
            store.update_session,
            id,
            title=title,
            visibility=visibility,
            status=status,
            cwd=cwd,
            metadata=metadata,
            if_revision=if_revision,
            updated_at=updated_at,
        )

    async def delete_session(self, id: Id) -> None:
        """Mark a session deleted. Everything of it stays until it is purged; `restore_session` undoes this."""
        store = await self._opened()
        return await self._run(store.delete_session, id)

    async def restore_session(self, id: Id) -> None:
        """Undo `delete_session`."""
        store = await self._opened()
        return await self._run(store.restore_session, id)

    async def purge_session(self, id: Id) -> None:
        """Remove a session for good: every byte of it that no fork of it needs. This cannot be undone.

        UnavailableError where a reader kept the bytes in the write-ahead log until the time limit; the session is
        purged all the same, and the message says so.
        """
        store = await self._opened()
        return await self._run(store.purge_session, id)

    async def fork_session(
        self, session_id: Id, *, checkpoint_id: Id | Active = ACTIVE, title: str | None = None
    ) -> Session:
        """A new session that begins with the state of a checkpoint of another one. Nothing is copied.

        It takes over the title (unless one is given), visibility, cwd and metadata; `parent_session_id` and
        `forked_from` say where it comes from.
        """
        store = await self._opened()
        return await self._run(store.fork_session, session_id, checkpoint_id=checkpoint_id, title=title)

    async def create_checkpoint(
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
        store = await self._opened()
        return await self._run(
            store.create_checkpoint,
            session_id,
            messages,
            metadata=metadata,
            parent_id=parent_id,
            label=label,
            id=id,
            if_active=if_active,
            created_at=created_at,
        )

    async def append(
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
        store = await self._opened()
        return await self._run(
            store.append,
            session_id,
            messages,
            metadata=metadata,
            parent_id=parent_id,
            label=label,
            id=id,
            if_active=if_active,
            created_at=created_at,
        )

    async def get_checkpoint(self, id: Id) -> Checkpoint:
        """The checkpoint with its state. CorruptStateError, naming it, where the stored bytes are damaged."""
        store = await self._opened()
        return await self._run(store.get_checkpoint, id)

    async def get_active_checkpoint(self, session_id: Id) -> Checkpoint:
        """The checkpoint that the session resumes from."""
        store = await self._opened()
        return await self._run(store.get_active_checkpoint, session_id)

    async def list_checkpoints(
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
        store = await self._opened()
        return await self._run(
            store.list_checkpoints, session_id, limit=limit, offset=offset, cursor=cursor, metadata=metadata
        )

    async def get_messages(
        self, checkpoint_id: Id, *, start: int | None = None, stop: int | None = None
    ) -> list[Message]:
        """The messages from `start` to `stop`, as a Python slice has it, negative ones too. Nothing else is read."""
        store = await self._opened()
        return await self._run(store.get_messages, checkpoint_id, start=start, stop=stop)

    async def set_active_checkpoint(self, session_id: Id, checkpoint_id: Id) -> Session:
        """Resume from this checkpoint of the session from now on: rewind, or switch to another branch.

        Nothing is deleted. A checkpoint of another session is NotFoundError.
        """
        store = await self._opened()
        return await self._run(store.set_active_checkpoint, session_id, checkpoint_id)

    async def diff(self, checkpoint_a: Id, checkpoint_b: Id) -> Diff:
        """How two checkpoints differ, of one session or of two."""
        store = await self._opened()
        return await self._run(store.diff, checkpoint_a, checkpoint_b)

    async def backend_info(self) -> BackendInfo:
        """Where the data is kept, without secrets."""
        store = await self._opened()
        return await self._run(store.backend_info)

    async def _opened(self) -> Store:
        if self._store is not None:
            return self._store
        if self._opening is None or self._opening.done():  # not tried yet, or failed
            self._opening = asyncio.ensure_future(self._run(lambda: self.sync))
        # Shielded: others may wait for the same opening.
        return await asyncio.shield(self._opening)

    async def _run(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        return await self._threads.run(partial(call, *args, **kwargs))


def _refuse_to_open() -> Store:
    raise UnavailableError("the store is closed")
