"""The store for programs that await. Written by tools/generate_aio.py from `clew.store`: do not edit.

SQLite is synchronous by nature, so each awaited method runs the plain one in a thread: one call, one hop.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Generator, Iterable, Iterator, Mapping
from contextlib import closing
from datetime import datetime, timedelta
from functools import partial
from types import TracebackType
from typing import Any, Concatenate, ParamSpec, Self, TypeVar, cast
from uuid import UUID

from clew import limits
from clew.backend import Children, Durability, OnConflict, Order, Report
from clew.conversation.repair import Answers, Dangling
from clew.errors import UnavailableError
from clew.model import (
    ACTIVE,
    KEEP,
    Active,
    ApiKey,
    Attachment,
    AttachmentInfo,
    BackendInfo,
    Change,
    Checkpoint,
    CheckpointSummary,
    Diff,
    Keep,
    Label,
    Message,
    NewKey,
    Page,
    Role,
    Same,
    SearchHit,
    Session,
    SessionStatus,
    SessionSummary,
    Visibility,
)
from clew.reports import Backup, Compaction, Finding, Flaw, Moved, Pruned, PrunePlan, SessionStats, StoreStats
from clew.store import Id, Store, open
from clew.threads import Threads

P = ParamSpec("P")
T = TypeVar("T")

_END: Any = object()


def open_async(
    url: str | os.PathLike[str] | None = None,
    *,
    durability: Durability = "full",
    busy_timeout: float = limits.DEFAULT_BUSY_TIMEOUT,
    read_only: bool = False,
    api_key: str | None = None,
) -> "AsyncStore":
    """The store at `url` (see `clew.open`), for use with ``async with`` or ``await``.

    It is opened, in a thread, when it is entered, awaited or first used.
    """

    def opener() -> Store:
        return open(url, durability=durability, busy_timeout=busy_timeout, read_only=read_only, api_key=api_key)

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

    async def run(self, call: Callable[Concatenate[Store, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call `call(store, …)` with the plain store in a thread: several calls of it, and one hop.

        Each of these is a transaction of its own, as ever. Cancelling does not stop what has begun.
        """
        store = await self._opened()
        return await self._run(call, store, *args, **kwargs)

    def _submit(
        self, call: Callable[Concatenate[Store, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> "asyncio.Future[T]":
        """What `run` does, with a store that is open, as a future that cannot be cancelled: see `Threads.run`."""
        return self._threads.run(partial(call, self.sync, *args, **kwargs), enduring=True)

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
        owner: str | None = None,
        id: Id | None = None,
        checkpoint_id: Id | None = None,
        created_at: datetime | None = None,
    ) -> Session:
        """Create a session and its root checkpoint, which becomes the active one.

        `messages` and `metadata` (any JSON value) are the root's state; `session_metadata` is a JSON object of the
        session's own. (`source`, `source_id`) is the name another program knows it by, unique among those of its
        `owner`: whose session it is, None where that is nobody's business, as in a store that one person uses. `id`
        makes the call safe to repeat: the same call again returns what is stored. `checkpoint_id` (the root's) and
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
            owner=owner,
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
        owner: str | None = None,
        id: Id | None = None,
        checkpoint_id: Id | None = None,
        created_at: datetime | None = None,
    ) -> Session:
        """The session that another program knows by this name, created as by `create_session` where there is none.

        Found or made in one transaction: of two callers one makes it and both get it. A session that is found stays as
        it is, whatever the other arguments say; those of another `owner` are others, whatever their names.
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
            owner=owner,
            id=id,
            checkpoint_id=checkpoint_id,
            created_at=created_at,
        )

    async def get_session(self, id: Id) -> Session:
        """The session with its active checkpoint; a deleted one too."""
        store = await self._opened()
        return await self._run(store.get_session, id)

    async def get_session_summary(self, id: Id) -> SessionSummary:
        """The session as lists show it, without its state; a deleted one too.

        CorruptStateError where its row cannot be trusted; its `damage` says what else of it cannot be read.
        """
        store = await self._opened()
        return await self._run(store.get_session_summary, id)

    async def find_session(self, source: str, source_id: str, *, owner: str | None = None) -> Session:
        """The session that another program knows by this name, with its active checkpoint.

        Only among those of `owner`, or, where that is None, among those of nobody.
        """
        store = await self._opened()
        return await self._run(store.find_session, source, source_id, owner=owner)

    async def find_session_summary(self, source: str, source_id: str, *, owner: str | None = None) -> SessionSummary:
        """The session that `find_session` finds, without its state, as `get_session_summary` has it."""
        store = await self._opened()
        return await self._run(store.find_session_summary, source, source_id, owner=owner)

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
        source_id: str | None = None,
        parent_session_id: Id | None = None,
        metadata: Mapping[str, Any] | None = None,
        owner: str | None = None,
        count: bool = False,
    ) -> Page[SessionSummary]:
        """Sessions, newest `updated_at` first, ties by descending id. A filter that is None lets everything through.

        `search` is a part of the title, in any case; `metadata` are top-level keys of the session's metadata that must
        be equal. `cwd` is the working directory of a session, or one that it had before `move_directory` changed it.
        `source_id`, only with a `source`, is the name that this program knows a session by: one of each owner
        may have it, and no other session is looked at. The page's `total` is there where the only filter is the status,
        or with `count`. Its `next_cursor` leads to the next page: a session that does not change meanwhile is seen
        exactly once, one that changes moves to the front of the list and is not seen again.
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
            source_id=source_id,
            parent_session_id=parent_session_id,
            metadata=metadata,
            owner=owner,
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
        owner: str | Keep | None = KEEP,
        if_revision: int | None = None,
        updated_at: datetime | None = None,
    ) -> Session:
        """Change what is given, all of it or nothing; KEEP leaves a field as it is.

        With `if_revision` only while that is the session's revision, else ConflictError; so is a new `owner` who has
        another session of the same (`source`, `source_id`). `updated_at` is for importers: kept as given, though it
        never moves the session back in the list. What changes nothing adds no revision.
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
            owner=owner,
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

    async def purge_session(self, id: Id, *, if_revision: int | None = None) -> None:
        """Remove a session for good: every byte of it that no other session of its family needs. This cannot be undone.

        With `if_revision` only while that is the session's revision, else ConflictError. UnavailableError where a
        reader kept the bytes in the write-ahead log until the time limit; the session is purged all the same, and the
        message says so. CorruptStateError where another session of the family is damaged: the session is purged, and
        what it shared is left.
        """
        store = await self._opened()
        return await self._run(store.purge_session, id, if_revision=if_revision)

    async def fork_session(
        self,
        session_id: Id,
        *,
        checkpoint_id: Id | Label | Active = ACTIVE,
        title: str | None = None,
        owner: str | Keep | None = KEEP,
        id: Id | None = None,
    ) -> Session:
        """A new session that begins with the state of a checkpoint of another one. Nothing is copied.

        It takes over title and owner (unless one is given), visibility, cwd and metadata, and its root has the
        attachments of the checkpoint; `parent_session_id` and `forked_from` say where it comes from. `id` makes the
        call safe to repeat: the same call again returns what is stored.
        """
        store = await self._opened()
        return await self._run(
            store.fork_session, session_id, checkpoint_id=checkpoint_id, title=title, owner=owner, id=id
        )

    async def copy_session(
        self,
        session_id: Id,
        *,
        source: str | None = None,
        source_id: str | None = None,
        title: str | None = None,
        owner: str | Keep | None = KEEP,
        id: Id | None = None,
    ) -> Session:
        """A new session with the whole tree of another one: every checkpoint, label and attachment. Content is shared.

        Ids are new; times, metadata and which checkpoint is active are kept, and title and owner unless one is given.
        (`source`, `source_id`) is the name of the copy in another program; ConflictError where it is taken. `id` makes
        the call safe to repeat: the same call again returns what is stored.
        """
        store = await self._opened()
        return await self._run(
            store.copy_session, session_id, source=source, source_id=source_id, title=title, owner=owner, id=id
        )

    async def create_checkpoint(
        self,
        session_id: Id,
        messages: Iterable[Message],
        *,
        metadata: Any = None,
        parent_id: Id | Label | Active | None = None,
        label: str | None = None,
        move: bool = False,
        attachments: Mapping[str, bytes | Same] | None = None,
        id: Id | None = None,
        if_active: Id | Label | None = None,
        created_at: datetime | None = None,
    ) -> Checkpoint:
        """Write a state given in full, and make it the active checkpoint. Only what the parent lacks is stored.

        `parent_id` None makes a new root; it may also be a `Label`. `label` names the checkpoint, uniquely in the
        session: where another one has it, ConflictError, or with `move` that one loses it. `attachments` are bytes by
        name, kept beside it; SAME takes what the parent has under the name. `id` makes the call safe to repeat: the
        same call again returns what is stored, and moves no label; another call with the id is ConflictError. With
        `if_active`, only while that is the active checkpoint, or while the active one has that `Label`, else
        ConflictError. `created_at` is for importers.
        """
        store = await self._opened()
        return await self._run(
            store.create_checkpoint,
            session_id,
            messages,
            metadata=metadata,
            parent_id=parent_id,
            label=label,
            move=move,
            attachments=attachments,
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
        parent_id: Id | Label | Active | None = ACTIVE,
        after: int | None = None,
        label: str | None = None,
        move: bool = False,
        attachments: Mapping[str, bytes | Same] | None = None,
        id: Id | None = None,
        if_active: Id | Label | None = None,
        created_at: datetime | None = None,
    ) -> Checkpoint:
        """Add messages to a checkpoint (the active one, unless told otherwise), and make the result active.

        The active checkpoint is read inside the write: of two callers that append at once, neither loses a message.
        With `after` only the first so many of the parent's messages are taken over, as in a Python slice: -1 replaces
        the last one, and without `messages` drops it. Nothing is sent or copied for that, and the parent stays as it
        is. More than the parent has is InvalidRequestError. `metadata` KEEP takes over the parent's. The other
        arguments are as for `create_checkpoint`.
        """
        store = await self._opened()
        return await self._run(
            store.append,
            session_id,
            messages,
            metadata=metadata,
            parent_id=parent_id,
            after=after,
            label=label,
            move=move,
            attachments=attachments,
            id=id,
            if_active=if_active,
            created_at=created_at,
        )

    async def get_checkpoint(self, id: Id) -> Checkpoint:
        """The checkpoint with its state. CorruptStateError, naming it, where the stored bytes are damaged."""
        store = await self._opened()
        return await self._run(store.get_checkpoint, id)

    async def get_checkpoint_summary(self, id: Id) -> CheckpointSummary:
        """The checkpoint without its state. CorruptStateError where what it says cannot be trusted."""
        store = await self._opened()
        return await self._run(store.get_checkpoint_summary, id)

    async def get_active_checkpoint(self, session_id: Id) -> Checkpoint:
        """The checkpoint that the session resumes from."""
        store = await self._opened()
        return await self._run(store.get_active_checkpoint, session_id)

    async def get_messages(
        self,
        checkpoint_id: Id | Label | Active,
        *,
        session_id: Id | None = None,
        start: int | None = None,
        stop: int | None = None,
    ) -> list[Message]:
        """The messages from `start` to `stop`, as a Python slice has it, negative ones too. Nothing else is read.

        A `Label`, or ACTIVE, is of the session `session_id`; which checkpoint that is and its messages are one read.
        NotFoundError where nothing has the label, or no checkpoint is active.
        """
        store = await self._opened()
        return await self._run(store.get_messages, checkpoint_id, session_id=session_id, start=start, stop=stop)

    async def diff(self, checkpoint_a: Id, checkpoint_b: Id) -> Diff:
        """How two checkpoints differ, of one session or of two."""
        store = await self._opened()
        return await self._run(store.diff, checkpoint_a, checkpoint_b)

    async def list_checkpoints(
        self,
        session_ids: Id | Iterable[Id],
        *,
        order: Order = "created",
        active: bool = False,
        before_label: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        with_metadata: bool = False,
        with_attachments: str | None = None,
        limit: int = limits.DEFAULT_PAGE,
        offset: int = 0,
        cursor: str | None = None,
    ) -> Page[CheckpointSummary]:
        """The checkpoints of one session, or of several.

        `order` is "created" (in which they were written; of several sessions, by their time), "label" (by code point;
        only those that have one), or either with a minus, the other way round. With `active` only the active one of
        each session is listed, which costs the same however many it has; where a session's own row is damaged, the item
        has `damage`, and CorruptStateError where nobody can tell which one is active. `before_label` leaves out labels
        from that one on, `metadata` are top-level keys of the state's metadata that must be equal. With `with_metadata`
        and `with_attachments` (how their names begin; "" for all) each item has its metadata and attachments, read in
        one query for the whole page. The page's `total` is there where nothing filters.
        """
        store = await self._opened()
        return await self._run(
            store.list_checkpoints,
            session_ids,
            order=order,
            active=active,
            before_label=before_label,
            metadata=metadata,
            with_metadata=with_metadata,
            with_attachments=with_attachments,
            limit=limit,
            offset=offset,
            cursor=cursor,
        )

    async def find_checkpoint(self, session_id: Id, label: str) -> Checkpoint:
        """The checkpoint of the session that has this label, with its state."""
        store = await self._opened()
        return await self._run(store.find_checkpoint, session_id, label)

    async def find_checkpoints(
        self,
        *,
        metadata: Mapping[str, Any] | None,
        source: str | None = None,
        owner: str | None = None,
        with_attachments: str | None = None,
        limit: int = limits.DEFAULT_PAGE,
        cursor: str | None = None,
    ) -> Page[CheckpointSummary]:
        """The checkpoints of every session whose state's metadata has these top-level keys with equal values.

        Each item has its metadata, and attachments as in `list_checkpoints`. `source` and `owner` look only at
        sessions of theirs. Every checkpoint of these is looked at: there is no index of what metadata may hold.
        """
        store = await self._opened()
        return await self._run(
            store.find_checkpoints,
            metadata=metadata,
            source=source,
            owner=owner,
            with_attachments=with_attachments,
            limit=limit,
            cursor=cursor,
        )

    async def children(self, checkpoint_id: Id) -> list[CheckpointSummary]:
        """The checkpoints whose parent it is, oldest first."""
        store = await self._opened()
        return await self._run(store.children, checkpoint_id)

    async def ancestry(self, checkpoint_id: Id) -> list[CheckpointSummary]:
        """The checkpoint itself, its parent, and so on to the root."""
        store = await self._opened()
        return await self._run(store.ancestry, checkpoint_id)

    async def branches(self, session_id: Id) -> list[CheckpointSummary]:
        """The leaves of the session's tree, newest first: each ends a branch."""
        store = await self._opened()
        return await self._run(store.branches, session_id)

    async def set_label(self, checkpoint_id: Id, label: str | None, *, move: bool = False) -> CheckpointSummary:
        """Give a checkpoint a label, in place of the one it has; None takes it away.

        A label is unique in its session: where another checkpoint has it, ConflictError, or with `move` that one loses
        it. What was attached to the label while nothing had it becomes the checkpoint's.
        """
        store = await self._opened()
        return await self._run(store.set_label, checkpoint_id, label, move=move)

    async def set_active_checkpoint(
        self, session_id: Id, checkpoint_id: Id | Label, *, updated_at: datetime | None = None
    ) -> Session:
        """Resume from this checkpoint of the session from now on: rewind, or switch to another branch.

        Nothing is deleted. A checkpoint of another session is NotFoundError. `updated_at` is for importers: when that
        was, if not now; it never moves the session back in the list.
        """
        store = await self._opened()
        return await self._run(store.set_active_checkpoint, session_id, checkpoint_id, updated_at=updated_at)

    async def delete_checkpoints(
        self, session_id: Id, ids: Id | Iterable[Id], *, children: Children = "reparent", if_revision: int | None = None
    ) -> Session:
        """Delete checkpoints of a session with their attachments. Messages that no other needs go with them.

        Children of a deleted checkpoint go to its nearest ancestor that stays; with `children` "delete" all descendants
        are deleted too, and with "refuse" a child that would stay is ConflictError. Where the active checkpoint is
        deleted, its nearest ancestor that stays becomes active, else the newest checkpoint. An id that is not of the
        session is NotFoundError, and nothing is deleted.
        """
        store = await self._opened()
        return await self._run(store.delete_checkpoints, session_id, ids, children=children, if_revision=if_revision)

    async def attach(
        self,
        session_id: Id,
        items: Mapping[str, bytes],
        *,
        checkpoint_id: Id | None = None,
        label: str | None = None,
        on_conflict: OnConflict = "error",
        updated_at: datetime | None = None,
    ) -> None:
        """Keep bytes beside a checkpoint of the session, by name: the active one, unless told otherwise.

        With `label` they are for the checkpoint of that label, which may come later: until then they wait for it. A
        value that is an `Attachment` has its content type kept. Attaching the same again changes nothing; where a name
        has other content, ConflictError, or with `on_conflict` "keep" it stays and with "replace" it is replaced; then
        all items are attached or none. The same content is stored once, however many checkpoints have it. `updated_at`
        is for importers: when that was, if not now; it never moves the session back in the list.
        """
        store = await self._opened()
        return await self._run(
            store.attach,
            session_id,
            items,
            checkpoint_id=checkpoint_id,
            label=label,
            on_conflict=on_conflict,
            updated_at=updated_at,
        )

    async def detach(
        self, session_id: Id, names: str | Iterable[str], *, checkpoint_id: Id | None = None, label: str | None = None
    ) -> None:
        """Take attachments away from a checkpoint, chosen as in `attach`, or what waits for a label that nothing has.

        All of them or none: a name that is not there is NotFoundError. `compact` gives their space back.
        """
        store = await self._opened()
        return await self._run(store.detach, session_id, names, checkpoint_id=checkpoint_id, label=label)

    async def list_waiting(self, session_id: Id) -> dict[str, list[AttachmentInfo]]:
        """What has been attached to labels that no checkpoint of the session has yet, by label."""
        store = await self._opened()
        return await self._run(store.list_waiting, session_id)

    async def get_attachments(
        self, checkpoint_ids: Id | Iterable[Id], *, prefix: str = ""
    ) -> dict[UUID, dict[str, Attachment]]:
        """The attachments of checkpoints by id and name, in the order of the names.

        Read in one query for all, and one more for each that is long. Only those whose names begin with `prefix`. A
        checkpoint without any has an empty dict.
        """
        store = await self._opened()
        return await self._run(store.get_attachments, checkpoint_ids, prefix=prefix)

    async def list_attachments(self, checkpoint_id: Id, *, prefix: str = "") -> list[AttachmentInfo]:
        """Name, size and content type of the attachments of a checkpoint, in the order of the names."""
        store = await self._opened()
        return await self._run(store.list_attachments, checkpoint_id, prefix=prefix)

    async def get_attachment(
        self, checkpoint_id: Id, name: str, *, start: int | None = None, stop: int | None = None
    ) -> Attachment:
        """One attachment, or its bytes from `start` to `stop` as a Python slice has it.

        Of a long attachment little more is read than the slice. One that is not there is NotFoundError.
        """
        store = await self._opened()
        return await self._run(store.get_attachment, checkpoint_id, name, start=start, stop=stop)

    async def verify(self, *, progress: Report | None = None) -> AsyncIterator[Finding]:
        """Check everything that is stored, and yield what is wrong as it is found. Repairs nothing.

        Every message and attachment is hashed again, every timeline, parent, length, pointer, label and count checked,
        and the backend's own check of its files made. `progress` is told how far it has come. Others may write
        meanwhile.
        """
        store = await self._opened()
        async for item in self._iterate(store.verify, progress=progress):
            yield item

    async def backup(
        self,
        path: str | os.PathLike[str],
        *,
        overwrite: bool = False,
        verify: bool = True,
        progress: Report | None = None,
    ) -> Backup:
        """Copy the whole store, as of one moment, into a new file (0600), while others go on writing.

        The copy is read back and checked before it appears at `path`; one in which something is wrong is
        CorruptStateError and not kept, unless `verify` is False. A file that is there already is InvalidRequestError,
        unless `overwrite`; a database that is in use with a write-ahead log is so in any case.
        """
        store = await self._opened()
        return await self._run(store.backup, path, overwrite=overwrite, verify=verify, progress=progress)

    async def compact(self, *, progress: Report | None = None) -> Compaction:
        """Give back the space of what has been deleted, purged or replaced. Readers go on.

        Everything is written anew in one step, in which nobody else can write: writers wait for its end, or, where the
        store is large, run into their time limit (`busy_timeout`) and have to try again.

        UnavailableError where a reader kept the old bytes from being cut off until the time limit: the store is compact
        all the same, and its files shrink once that reader is done. CorruptStateError where something is damaged: the
        store is compact, and nothing was deleted of what shares content with that.
        """
        store = await self._opened()
        return await self._run(store.compact, progress=progress)

    async def plan_prune(
        self,
        *,
        deleted_longer_than: timedelta | None = None,
        inactive_longer_than: timedelta | None = None,
        keep_last: int | None = None,
        keep_checkpoints: int | None = None,
    ) -> PrunePlan:
        """What `apply_prune` would remove. Changes nothing.

        Sessions to purge: those that are deleted and have not changed for `deleted_longer_than`, and those of any
        status that have not changed for `inactive_longer_than`; never any of the `keep_last` sessions that changed last
        of those that are not deleted. Alone, without an age, `keep_last` plans to purge all the others, deleted ones
        among them. Of the sessions that stay, `keep_checkpoints` plans to delete all checkpoints but the last ones
        written, those that have a label, and the active one. A damaged session stays as it is, and counts for none of
        the last. InvalidRequestError where no rule is given.
        """
        store = await self._opened()
        return await self._run(
            store.plan_prune,
            deleted_longer_than=deleted_longer_than,
            inactive_longer_than=inactive_longer_than,
            keep_last=keep_last,
            keep_checkpoints=keep_checkpoints,
        )

    async def apply_prune(self, plan: PrunePlan) -> Pruned:
        """Purge the sessions and delete the checkpoints of a plan. This cannot be undone.

        A session that has changed since the plan was made is left alone, and told in the result. So is a reader that
        kept the purged bytes in the write-ahead log until the time limit (`Pruned.log_held`).
        """
        store = await self._opened()
        return await self._run(store.apply_prune, plan)

    async def last_change(self) -> int:
        """The number of the newest change, which `watch` can go on from."""
        store = await self._opened()
        return await self._run(store.last_change)

    async def watch(
        self, session_id: Id | None = None, *, after: int | None = None, idle_timeout: float | None = None
    ) -> AsyncIterator[Change]:
        """Yield changes of every session, or of one, as they happen, whoever makes them.

        Begins after the change with the number `after`: the `sequence` of the last one that was seen, or 0 for
        everything there is; None is from now on. Nothing is missed in between, though several changes of a session
        close together come as one, with the newest revision; what comes again after going on is the same change.
        Ends when nothing has changed for `idle_timeout` seconds, None never. InvalidRequestError where `after` is
        beyond the newest change, as in a store that was put back from a backup; UnavailableError once the store is
        closed, or where a server is away for longer than the time limit of a call: go on from the last number then.
        """
        store = await self._opened()
        async for item in self._follow(store.watch, session_id, after=after, idle_timeout=idle_timeout):
            yield item

    async def update_search_index(self, *, progress: Report | None = None) -> None:
        """Index what was written since the last search, so that the next one need not.

        Every search does that by itself: this is for who has written very much and wants to see how far it has come,
        which `progress` is told; over HTTP it is not. Others read and write meanwhile. A read-only store has nothing
        to do.
        """
        store = await self._opened()
        return await self._run(store.update_search_index, progress=progress)

    async def search(
        self,
        query: str,
        *,
        session_id: Id | None = None,
        role: str | None = None,
        tool: str | None = None,
        cwd: str | os.PathLike[str] | None = None,
        source: str | None = None,
        owner: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        status: SessionStatus | str | None = SessionStatus.ACTIVE,
        limit: int = limits.DEFAULT_HITS,
        cursor: str | None = None,
    ) -> Page[SearchHit]:
        """Messages of every session, branch and checkpoint that say something, the best first.

        All words must be there, without differences of case and diacritics. `"a phrase"` is words in a row, `pre*` how
        a word begins, `a OR b` either, `NOT a` or `-a` what must not be there, `( )` a group. Whatever else is typed is
        words: nothing is a syntax error, and a query without a word to look for finds nothing. Texts, tool calls and
        what came of them are searched; bytes that are written as text are not.

        A filter that is None lets everything through. `role` and `tool` (called, or answering) are of the message,
        `session_id`, `cwd`, `source`, `owner` and `status` of its session, `since` and `until` (not included) of the
        checkpoint that first has it. A message that forks and copies share is one hit: see `SearchHit`.

        What was written before the call is found. The page's `next_cursor` leads to the next one, with the same query
        and filters: no message comes twice and none is left out, whatever is written or deleted meanwhile. What is
        written after the first page is not on those that follow. The first search after much was written takes its
        time, because it indexes that; others read and write meanwhile.
        """
        store = await self._opened()
        return await self._run(
            store.search,
            query,
            session_id=session_id,
            role=role,
            tool=tool,
            cwd=cwd,
            source=source,
            owner=owner,
            since=since,
            until=until,
            status=status,
            limit=limit,
            cursor=cursor,
        )

    async def create_key(self, name: str, role: Role | str) -> NewKey:
        """Make an API key for whoever is called `name`: the owner of the sessions that are created with it.

        Several keys may have one name. The token in the result is told this once: what is stored is its SHA-256.
        """
        store = await self._opened()
        return await self._run(store.create_key, name, role)

    async def list_keys(self) -> list[ApiKey]:
        """Every API key, revoked ones too, oldest first."""
        store = await self._opened()
        return await self._run(store.list_keys)

    async def revoke_key(self, id: Id) -> ApiKey:
        """Let the holder of an API key in no more, from now on and for good."""
        store = await self._opened()
        return await self._run(store.revoke_key, id)

    async def authenticate(self, token: str) -> ApiKey:
        """The API key that has this token; UnauthorizedError where none has, or it has been revoked.

        Reads once, and about once a minute of use moves `last_used_at`, where the store can be written to.
        """
        store = await self._opened()
        return await self._run(store.authenticate, token)

    async def validate(self, session_id: Id, *, checkpoint_id: Id | Label | Active = ACTIVE) -> list[Flaw]:
        """What model providers refuse of a conversation, in the order of its messages; nothing is changed.

        Tool calls without result, results without call or not right after it, ids that are used twice, and messages
        that say nothing; where providers differ, what any of them refuses. The codes are ``interrupted`` (a call at the
        end that has no result, or not yet), ``call_without_result``, ``result_without_call``, ``result_before_call``,
        ``result_separated``, ``duplicate_call``, ``duplicate_result``, ``missing_id``, ``empty_content`` and
        ``empty_tool_calls``.
        """
        store = await self._opened()
        return await self._run(store.validate, session_id, checkpoint_id=checkpoint_id)

    async def repair(
        self,
        session_id: Id,
        *,
        checkpoint_id: Id | Label | Active = ACTIVE,
        dangling: Dangling = "interrupt",
        results: Answers = "user",
        if_active: Id | None = None,
    ) -> Checkpoint | None:
        """Write a checkpoint whose conversation providers take, and make it active; None where nothing is wrong.

        With `dangling` "interrupt" a tool call without result gets one that says that it was interrupted, with "drop"
        the call goes. `results` says how calls in blocks are answered where the conversation does not show it: in
        blocks of the "user", in those of a "tool" message, or by "messages" of the role tool. A result that stands
        elsewhere is moved to its call, one that answers nothing is left out, ids that are used twice are replaced, and
        what says nothing is left out. The new checkpoint is a child of the one that is repaired, which stays as it is,
        and shares with it the messages before the first that changes; metadata and attachments are taken over.
        ConflictError, and nothing is written, where another checkpoint has become active meanwhile, or is not
        `if_active`.

        InvalidRequestError for a session whose program keeps a form of its own in its messages, under a key of the name
        of the source with _ for -, and would not read one without; a fork of it can be repaired, for everything else
        that reads conversations.
        """
        store = await self._opened()
        return await self._run(
            store.repair,
            session_id,
            checkpoint_id=checkpoint_id,
            dangling=dangling,
            results=results,
            if_active=if_active,
        )

    async def session_stats(self, session_id: Id, *, checkpoint_id: Id | Label | Active = ACTIVE) -> SessionStats:
        """What is in the conversation of a checkpoint, by default the active one: that branch, and no other.

        Tool calls are counted in every form that messages come in (OpenAI's chat and Responses, Anthropic's blocks),
        and tokens and cost where messages carry them. The messages are read some at a time.
        """
        store = await self._opened()
        return await self._run(store.session_stats, session_id, checkpoint_id=checkpoint_id)

    async def store_stats(self, *, owner: str | None = None) -> StoreStats:
        """What is in the store, or what the sessions of an `owner` have: sessions, sizes, activity by day."""
        store = await self._opened()
        return await self._run(store.store_stats, owner=owner)

    async def move_directory(
        self,
        old: str | os.PathLike[str],
        new: str | os.PathLike[str],
        *,
        owner: str | None = None,
        dry_run: bool = False,
    ) -> Moved:
        """Change the `cwd` of every session that is in the directory `old`, or below it, to where that is in `new`.

        All of them or none, whatever their status; with `owner` only those of one. Lists with `cwd` find them by their
        old directory too. Each gets one revision more, and keeps its `updated_at`, and so its place in lists. Names
        are compared as they are written, letter by letter, from one separator to the next; the file system is not
        looked at. With `dry_run` nothing is changed: the result is what would be.
        """
        store = await self._opened()
        return await self._run(store.move_directory, old, new, owner=owner, dry_run=dry_run)

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

    async def _iterate(self, call: Callable[P, Iterator[T]], *args: P.args, **kwargs: P.kwargs) -> AsyncIterator[T]:
        """The items of an iterator, each brought by a thread."""
        iterator = await self._run(call, *args, **kwargs)
        while (item := await self._run(next, iterator, _END)) is not _END:
            yield item

    async def _follow(self, call: Callable[P, Iterator[T]], *args: P.args, **kwargs: P.kwargs) -> AsyncIterator[T]:
        """The same of an iterator that waits for what happens: its thread is none of those that others need."""
        threads = Threads(1)
        try:
            iterator = await threads.run(partial(call, *args, **kwargs))
            with closing(cast(Generator[T, None, None], iterator)):
                while (item := await threads.run(partial(next, iterator, _END))) is not _END:
                    yield item
        finally:
            threads.stop()


def _refuse_to_open() -> Store:
    raise UnavailableError("the store is closed")
