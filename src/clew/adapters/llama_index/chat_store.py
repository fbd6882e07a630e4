"""The chat store."""

from collections.abc import Callable
from typing import TypeVar
from uuid import UUID

from llama_index.core.base.llms.types import ChatMessage
from llama_index.core.storage.chat_store.base_db import AsyncDBChatStore, MessageStatus
from pydantic import PrivateAttr

from clew import ACTIVE, InvalidRequestError, Message, Session, SessionStatus, Store
from clew.adapters.by_name import ByName, settled, title_of
from clew.adapters.handle import AnyStore, Handle
from clew.adapters.listing import Listing
from clew.adapters.llama_index import queue
from clew.adapters.llama_index.messages import decode, encode

SOURCE = "llama-index"

T = TypeVar("T")


class ClewChatStore(AsyncDBChatStore):
    """The messages of LlamaIndex's `Memory` in a clew store: each key is a session with the source "llama-index".

    Every method that changes something is one transaction. Messages that two writers add at once are all there,
    whatever else is archived or deleted meanwhile; of two that set all messages the last one holds. Nothing is ever
    lost: what is deleted or replaced is missing from the newest state only, and the earlier ones stay in the session's
    tree. A status of None stands for both.

    A session that is marked deleted in clew is not found: its key has no messages and is not listed. Until it is
    restored or purged a message for it is ConflictError; that of a process that has not read it since is kept.

    What clew refuses is its own error: InvalidRequestError for a message that would not come back equal, and for a key
    that no store takes; CorruptStateError where what is stored cannot be read.
    """

    _handle: Handle = PrivateAttr()
    _sessions: ByName = PrivateAttr()
    _listing: Listing = PrivateAttr()

    def __init__(self, store: AnyStore) -> None:
        """`store` is a `clew.Store`, a `clew.AsyncStore`, or a URL or path as `clew.open` takes it."""
        super().__init__()
        self._handle = Handle(store)
        self._sessions = ByName(SOURCE, with_deleted=False)
        self._listing = Listing(SOURCE)

    @classmethod
    def class_name(cls) -> str:
        """The name that LlamaIndex knows the class by."""
        return "ClewChatStore"

    def close(self) -> None:
        """Close the store if it was opened here, for a URL or path."""
        self._handle.close()

    async def get_messages(
        self,
        key: str,
        status: MessageStatus | None = MessageStatus.ACTIVE,
        limit: int | None = None,
        offset: int | None = None,
    ) -> list[ChatMessage]:
        """The messages of one status, oldest first: the oldest `limit` after the oldest `offset`.

        Archived messages are not read to get at the active ones. An unknown key has none.
        """
        start = _count(offset, "offset") or 0
        stop = None if limit is None else start + _count(limit, "limit")
        archived = _is_archived(status)

        def get(store: Store, session: UUID) -> list[ChatMessage]:
            found = queue.read(store, session)
            return _read(store, found, found.places(archived)[start:stop])

        return await self._handle.run(self._look, key, get, [])

    async def count_messages(self, key: str, status: MessageStatus | None = MessageStatus.ACTIVE) -> int:
        """How many messages of one status there are. No message is read."""
        archived = _is_archived(status)
        return await self._handle.run(
            self._look, key, lambda store, session: len(queue.read(store, session).places(archived)), 0
        )

    async def add_message(self, key: str, message: ChatMessage, status: MessageStatus = MessageStatus.ACTIVE) -> None:
        """Add a message at the end."""
        await self.add_messages(key, [message], status)

    async def add_messages(
        self, key: str, messages: list[ChatMessage], status: MessageStatus = MessageStatus.ACTIVE
    ) -> None:
        """Add messages at the end, all or none of them. No messages are no change."""
        archived, new = _is_added_archived(status), encode(messages)
        if new:
            await self._handle.run(self._add, key, new, archived)

    async def set_messages(
        self, key: str, messages: list[ChatMessage], status: MessageStatus = MessageStatus.ACTIVE
    ) -> None:
        """Go on with these messages instead of all there are, archived ones too. Only what is new is stored."""
        archived, new = _is_added_archived(status), encode(messages)
        await self._handle.run(self._set, key, new, archived)

    async def delete_message(self, key: str, idx: int) -> ChatMessage | None:
        """Go on without one message; it is returned, or None where there is none of this number.

        `idx` is its place among all messages of the key, archived ones too, from 0.
        """
        if isinstance(idx, bool) or not isinstance(idx, int):
            raise InvalidRequestError(f"idx must be a whole number, not {type(idx).__name__}")

        def delete(store: Store, session: UUID) -> ChatMessage | None:
            found = queue.read(store, session)
            if not 0 <= idx < found.length:
                return None
            deleted = _read(store, found, [idx])[0]
            queue.remove(store, found, [idx])
            return deleted

        return await self._handle.run(self._change, key, delete, None)

    async def delete_messages(self, key: str, status: MessageStatus | None = None) -> None:
        """Go on without the messages of one status, or without any."""
        archived = _is_archived(status)

        def delete(store: Store, session: UUID) -> None:
            found = queue.read(store, session)
            places = found.places(archived)
            if places:
                queue.remove(store, found, places)

        await self._handle.run(self._change, key, delete, None)

    async def delete_oldest_messages(self, key: str, n: int) -> list[ChatMessage]:
        """Go on without the oldest `n` active messages; they are returned."""
        return await self._take_oldest(key, n, queue.remove)

    async def archive_oldest_messages(self, key: str, n: int) -> list[ChatMessage]:
        """Archive the oldest `n` active messages; they are returned. No message is written."""
        return await self._take_oldest(key, n, queue.archive)

    async def get_keys(self) -> list[str]:
        """The keys that have messages, in the order of their last changes, newest first."""
        return await self._handle.run(self._keys)

    def _keys(self, store: Store) -> list[str]:
        pages = self._listing.pages(store, status=SessionStatus.ACTIVE)
        return [found.source_id for page in pages for found in page if found.message_count and found.source_id]

    async def _take_oldest(
        self, key: str, n: int, take: Callable[[Store, queue.Queue, list[int]], None]
    ) -> list[ChatMessage]:
        wanted = _count(n, "n")

        def oldest(store: Store, session: UUID) -> list[ChatMessage]:
            found = queue.read(store, session)
            places = found.places(False)[:wanted]
            if not places:
                return []
            taken = _read(store, found, places)
            take(store, found, places)
            return taken

        return await self._handle.run(self._change, key, oldest, [])

    def _look(self, store: Store, key: str, call: Callable[[Store, UUID], T], empty: T) -> T:
        return self._sessions.look(store, key, lambda session: call(store, session), empty)

    def _change(self, store: Store, key: str, call: Callable[[Store, UUID], T], empty: T) -> T:
        """The same for what holds only if nobody writes in between: then it is done again."""
        return self._look(store, key, lambda store, session: settled(lambda: call(store, session)), empty)

    def _add(self, store: Store, key: str, new: list[Message], archived: bool) -> None:
        def add(session: UUID) -> None:
            if archived:
                settled(lambda: queue.add(store, queue.read(store, session), new))
            else:
                store.append(session, new)

        self._sessions.change(store, key, add, lambda id: _make(store, key, new, archived, id))

    def _set(self, store: Store, key: str, new: list[Message], archived: bool) -> None:
        metadata = queue.state(range(len(new)) if archived else ())
        self._sessions.change(
            store,
            key,
            lambda session: store.create_checkpoint(session, new, metadata=metadata, parent_id=ACTIVE),
            lambda id: _make(store, key, new, archived, id),
        )


def _make(store: Store, key: str, new: list[Message], archived: bool, id: UUID) -> Session:
    metadata = queue.state(range(len(new)) if archived else ())
    return store.ensure_session(SOURCE, key, title_of(new, key), messages=new, metadata=metadata, id=id)


def _read(store: Store, found: queue.Queue, places: list[int]) -> list[ChatMessage]:
    return [] if found.checkpoint is None else decode(queue.messages(store, found, places), found.checkpoint)


def _is_archived(status: MessageStatus | None) -> bool | None:
    try:
        return None if status is None else MessageStatus(status) is MessageStatus.ARCHIVED
    except ValueError:
        raise InvalidRequestError(f"status must be active or archived, not {status!r}") from None


def _is_added_archived(status: MessageStatus) -> bool:
    archived = _is_archived(status)
    if archived is None:
        raise InvalidRequestError("status must be active or archived: a message has one of them")
    return archived


def _count(value: int | None, name: str) -> int:
    if value is None:
        return 0
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise InvalidRequestError(f"{name} must be a whole number, none or more, not {value!r}")
    return value
