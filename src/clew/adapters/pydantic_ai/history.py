"""The message history of a plain `Agent.run`, kept in a conversation of a clew store."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID, uuid4

from pydantic_ai.messages import ModelMessage

from clew import Checkpoint, InvalidRequestError, Label, NotFoundError, Session, SessionStatus, Store
from clew.adapters.handle import AnyStore, Handle
from clew.adapters.pydantic_ai.histories import SOURCE, Histories, not_deleted
from clew.adapters.pydantic_ai.messages import from_stored, to_stored

_HISTORY = {"pydantic_ai": "history"}


class ClewMessageHistory:
    """The messages of one conversation, for `Agent.run(message_history=...)`.

    ::

        history = ClewMessageHistory("agent.db", "conversation-1")
        result = await agent.run("And then?", message_history=await history.aload())
        await history.asave(result)

    Every `save` is a checkpoint of the session, with which `load(at=...)`, `rewind` and `fork` work; only
    its new messages are stored. Each method has an awaited one, with an `a` before its name. Errors are those of clew.
    """

    def __init__(self, store: AnyStore, conversation_id: str) -> None:
        """`store` is a `Store`, an `AsyncStore`, a URL or a path.

        `conversation_id` is any text, or the id of a session of this adapter, such as a fork. What nobody has written
        to yet is empty, and begins with the first write. So is what was marked deleted in clew, but it takes no writes
        until it is restored or purged (ConflictError), except of an object that has not read it since.
        """
        self._handle = Handle(store)
        self._histories = Histories(by_identity=False)
        self._conversation_id = conversation_id
        self._session_id: UUID | None = None
        self._head: UUID | None = None
        self._is_cut = False
        self._is_untitled = False

    @property
    def conversation_id(self) -> str:
        """What this history was made with."""
        return self._conversation_id

    def close(self) -> None:
        """Close the store where it was opened here, from a URL or path."""
        self._handle.close()

    def load(self, limit: int | None = None, *, at: UUID | str | Label | None = None) -> list[ModelMessage]:
        """The messages of the active checkpoint, or of `at`: a checkpoint's id, or a `Label`.

        With `limit` only the last so many. What a model must see together, such as a tool call and its result, may be
        cut apart by that; and the next run is kept by `append`, because `save` would keep it without what was cut off.
        """
        return self._load(self._handle.store, limit, at)

    async def aload(self, limit: int | None = None, *, at: UUID | str | Label | None = None) -> list[ModelMessage]:
        """`load`, awaited."""
        return await self._handle.run(self._load, limit, at)

    def save(self, result: Any) -> Checkpoint:
        """Keep the whole history of a run: its result, or its messages.

        It continues what this object has loaded or saved last, also where somebody else has written meanwhile: then
        each has a branch, nothing is lost, and the one saved last is active. Where the history was changed, such as
        by a processor that leaves out or sums up, it is kept as it is now; what was before stays in its checkpoint.
        """
        return self._save(self._handle.store, result)

    async def asave(self, result: Any) -> Checkpoint:
        """`save`, awaited."""
        return await self._handle.run(self._save, result)

    def append(self, messages: Sequence[ModelMessage]) -> Checkpoint:
        """Add messages, such as `result.new_messages()`, to the active checkpoint, whoever has written that.

        Of two writers at once neither loses a message: the one goes on after the other.
        """
        return self._append(self._handle.store, messages)

    async def aappend(self, messages: Sequence[ModelMessage]) -> Checkpoint:
        """`append`, awaited."""
        return await self._handle.run(self._append, messages)

    def rewind(self, to: UUID | str | Label) -> None:
        """Go on from an earlier checkpoint, or another branch, from now on. Nothing is deleted."""
        self._rewind(self._handle.store, to)

    async def arewind(self, to: UUID | str | Label) -> None:
        """`rewind`, awaited."""
        await self._handle.run(self._rewind, to)

    def fork(self, *, at: UUID | str | Label | None = None, title: str | None = None) -> "ClewMessageHistory":
        """A new conversation that begins with the active checkpoint, or with `at`. Nothing is copied."""
        return self._fork(self._handle.store, at, title)

    async def afork(self, *, at: UUID | str | Label | None = None, title: str | None = None) -> "ClewMessageHistory":
        """`fork`, awaited."""
        return await self._handle.run(self._fork, at, title)

    def _load(self, store: Store, limit: int | None, at: UUID | str | Label | None) -> list[ModelMessage]:
        if limit is not None and limit < 0:
            raise InvalidRequestError("limit must not be negative")
        session = self._find(store)
        self._session_id = None if session is None else session.id
        if session is None:
            if at is not None:
                raise self._unknown()
            self._head, self._is_cut = None, False
            return []
        head = _place(store, session, at)
        active = session.active_checkpoint
        if limit is None and active is not None and active.id == head:
            stored = active.state.messages  # read already, with the session
        else:
            stored = store.get_messages(head, start=None if limit is None else -limit) if limit != 0 else []
        self._head, self._is_cut = head, limit is not None
        return from_stored(stored, head)

    def _save(self, store: Store, result: Any) -> Checkpoint:
        messages: Sequence[ModelMessage] = result.all_messages() if hasattr(result, "all_messages") else result
        if self._is_cut:
            raise InvalidRequestError("the history was loaded with a limit: append the new messages instead")
        session_id = self._begun(store)
        head = self._head or _place(store, store.get_session(session_id), None)
        checkpoint = self._histories.write(store, session_id, head, messages, metadata=_HISTORY, id=uuid4())
        return self._written(store, checkpoint, messages)

    def _append(self, store: Store, messages: Sequence[ModelMessage]) -> Checkpoint:
        stored = to_stored(messages)
        return self._written(store, store.append(self._begun(store), stored, metadata=_HISTORY), messages)

    def _written(self, store: Store, checkpoint: Checkpoint, messages: Sequence[ModelMessage]) -> Checkpoint:
        self._head = checkpoint.id
        if self._is_untitled:
            self._is_untitled = False
            self._histories.entitle(store, checkpoint.session_id, messages)
        return checkpoint

    def _rewind(self, store: Store, to: UUID | str | Label) -> None:
        session = self._known(store)
        self._head, self._is_cut = _place(store, session, to), False
        store.set_active_checkpoint(session.id, self._head)

    def _fork(self, store: Store, at: UUID | str | Label | None, title: str | None) -> "ClewMessageHistory":
        session = self._known(store)
        fork = store.fork_session(session.id, checkpoint_id=_place(store, session, at), title=title)
        return ClewMessageHistory(store, str(fork.id))

    def _find(self, store: Store) -> Session | None:
        """The session of this conversation; None where there is none, or one that is marked deleted."""
        session = self._named(store)
        return None if session is None or session.status is SessionStatus.DELETED else session

    def _named(self, store: Store) -> Session | None:
        """The session by the framework's name of it, else by its own id, marked deleted or not."""
        try:
            return store.find_session(SOURCE, self._conversation_id)
        except NotFoundError:
            pass
        try:
            return store.get_session(self._conversation_id)
        except (NotFoundError, InvalidRequestError):  # nothing there, or no UUID at all
            return None

    def _known(self, store: Store) -> Session:
        session = self._find(store)
        if session is None:
            raise self._unknown()
        return session

    def _unknown(self) -> NotFoundError:
        return NotFoundError(f"conversation {self._conversation_id!r} has no messages yet")

    def _begun(self, store: Store) -> UUID:
        """The id of the session, which begins here where there is none."""
        if self._session_id is None:
            name = self._conversation_id
            session = not_deleted(self._named(store) or store.ensure_session(SOURCE, name, name))
            self._session_id, self._is_untitled = session.id, session.title == session.source_id
        return self._session_id


def _place(store: Store, session: Session, at: UUID | str | Label | None) -> UUID:
    """The id of a checkpoint of the session: the active one, unless told otherwise."""
    if isinstance(at, Label):
        return store.find_checkpoint(session.id, at.name).id
    if at is not None:
        summary = store.get_checkpoint_summary(at)
        if summary.session_id != session.id:
            raise NotFoundError(f"checkpoint {at} is none of this conversation")
        return summary.id
    if session.active_checkpoint is None:
        raise NotFoundError(f"session {session.id} has no active checkpoint")
    return session.active_checkpoint.id
