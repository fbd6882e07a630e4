"""The history of an agent's sessions."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from agent_framework import HistoryProvider, Message

from clew import InvalidRequestError, Session, Store
from clew import Message as Stored
from clew.adapters.agent_framework.messages import decode, encode
from clew.adapters.agent_framework.overlap import new_part
from clew.adapters.by_name import ByName, present, settled, title_of
from clew.adapters.handle import AnyStore, Handle

SOURCE = "agent-framework"
DEFAULT_SOURCE_ID = "clew"


class ClewHistoryProvider(HistoryProvider):
    """The messages of an agent's sessions in a clew store: each is a session with the source "agent-framework".

    Two runs of one session that save at once are both kept, one after the other. What a batch has in common with the
    history is stored once, as the framework's own providers have it, and for that only as much of the history is read
    as the batch is long. Writing a batch is one transaction.

    Errors are clew's: InvalidRequestError for a message that would not come back equal, or a session id that no store
    takes; CorruptStateError where what is stored cannot be read.
    """

    def __init__(
        self,
        store: AnyStore,
        source_id: str = DEFAULT_SOURCE_ID,
        *,
        load_messages: bool = True,
        store_inputs: bool = True,
        store_context_messages: bool = False,
        store_context_from: set[str] | None = None,
        store_outputs: bool = True,
        skip_excluded: bool = False,
    ) -> None:
        """`store` is a `clew.Store`, a `clew.AsyncStore`, or a URL or path as `clew.open` takes it.

        `source_id` and what follows are as for any provider of the framework. Providers of different `source_id` have
        histories of their own: the source of those sessions is "agent-framework:SOURCE_ID". With `skip_excluded`
        messages that compaction has marked as excluded are stored, but not loaded.
        """
        super().__init__(
            source_id,
            load_messages=load_messages,
            store_inputs=store_inputs,
            store_context_messages=store_context_messages,
            store_context_from=store_context_from,
            store_outputs=store_outputs,
        )
        self.skip_excluded = skip_excluded
        self._handle = Handle(store)
        source = SOURCE if source_id == DEFAULT_SOURCE_ID else f"{SOURCE}:{source_id}"
        self._sessions = ByName(source, with_deleted=False)

    def close(self) -> None:
        """Close the store if it was opened here, for a URL or path."""
        self._handle.close()

    async def get_messages(
        self, session_id: str | None, *, state: dict[str, Any] | None = None, **kwargs: Any
    ) -> list[Message]:
        """All messages of a session, oldest first. `state` is not used.

        None where nobody has saved any, and where the session is marked deleted in clew.
        """
        messages = await self._handle.run(self._load, _name(session_id))
        if self.skip_excluded:
            return [message for message in messages if not message.additional_properties.get("_excluded", False)]
        return messages

    async def save_messages(
        self,
        session_id: str | None,
        messages: Sequence[Message],
        *,
        state: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        """Add what is new of these messages, all of it or nothing. The first ones make the session.

        ConflictError where the session is marked deleted in clew: until it is restored or purged it takes no more.
        """
        name, given = _name(session_id), encode(messages)
        if given:
            await self._handle.run(self._save, name, given)

    def _load(self, store: Store, name: str) -> list[Message]:
        return self._sessions.look(store, name, lambda session: _read(store, session), [])

    def _save(self, store: Store, name: str, given: list[Stored]) -> None:
        def make(id: UUID) -> Session:
            return store.ensure_session(self._sessions.source, name, title_of(given, name), messages=given, id=id)

        self._sessions.change(store, name, lambda session: settled(lambda: _append(store, session, given)), make)


def _read(store: Store, session: UUID) -> list[Message]:
    active = present(store.get_session(session)).active_checkpoint
    return [] if active is None else decode(active.state.messages, active.id)


def _append(store: Store, session: UUID, given: list[Stored]) -> None:
    """Add what is new, if nobody has written since what is there was looked at."""
    found = present(store.get_session_summary(session))
    active = found.active_checkpoint_id
    tail = [] if active is None else store.get_messages(active, start=-len(given))
    new = new_part(tail, found.message_count, given)
    if new:
        store.append(session, new, if_active=active)


def _name(session_id: str | None) -> str:
    if not session_id:
        raise InvalidRequestError("session_id is missing: a history is that of a session")
    return session_id
