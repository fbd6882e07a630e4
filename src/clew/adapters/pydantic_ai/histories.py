"""Writing whole histories, of which only what is new is encoded and stored.

The framework hands over the whole history with every snapshot, and `StepPersistence` hands over copies: the same
objects never come twice. So a message counts as known where it is the same object, or has the same mark: its bytes in a
form that is written twenty times as fast as the framework's JSON.
"""

import threading
from collections import OrderedDict
from collections.abc import Hashable, Sequence
from contextlib import suppress
from itertools import compress, count
from operator import is_not
from typing import Any, Generic, TypeVar
from uuid import UUID

import msgspec
import pydantic
from pydantic_ai.messages import ModelMessage

from clew import Checkpoint, ConflictError, SessionStatus, Store
from clew.adapters.by_name import AnySession
from clew.adapters.pydantic_ai.messages import first_prompt, to_stored

SOURCE = "pydantic-ai"
"""The `source` of the sessions; their `source_id` is the id of the conversation."""

_REMEMBERED_BYTES = 32 * 1024 * 1024
_TAIL = 16  # of the messages that are the same objects, those at the end may have been changed in place

_any: pydantic.TypeAdapter[Any] = pydantic.TypeAdapter(Any)
_encode = msgspec.msgpack.Encoder(enc_hook=lambda value: _any.dump_python(value, mode="json")).encode

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Recent(Generic[K, V]):
    """The values last used, by key, up to what they weigh together. Safe to share between threads."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._weight = 0
        self._values: OrderedDict[K, tuple[V, int]] = OrderedDict()
        self._mutex = threading.Lock()

    def get(self, key: K) -> V | None:
        with self._mutex:
            if key not in self._values:
                return None
            self._values.move_to_end(key)
            return self._values[key][0]

    def put(self, key: K, value: V, weight: int = 1) -> V:
        with self._mutex:
            self._drop(key)
            self._values[key] = value, weight
            self._weight += weight
            while self._weight > self._limit:
                self._drop(next(iter(self._values)))
        return value

    def forget(self, key: K) -> None:
        with self._mutex:
            self._drop(key)

    def clear(self) -> None:
        with self._mutex:
            self._values.clear()
            self._weight = 0

    def _drop(self, key: K) -> None:
        if key in self._values:
            self._weight -= self._values.pop(key)[1]


class _Known:
    """A history that is stored: the mark of each message, and the objects, unless they are never the same.

    The objects are let go where a later history takes its place.
    """

    def __init__(self, marks: list[bytes | None], objects: Sequence[ModelMessage] | None, size: int) -> None:
        self.marks = marks
        self.objects = objects
        self.size = size

    def in_common(self, messages: Sequence[ModelMessage]) -> int:
        """How many of the messages, from the start, are stored."""
        length = min(len(self.marks), len(messages))
        objects = self.objects or ()
        same = next(compress(count(), map(is_not, objects, messages)), min(len(objects), length))
        if objects and not same:
            self.objects = None
        for place in range(max(0, same - _TAIL), length):
            found = mark(messages[place])
            if found is None or found != self.marks[place]:
                return place
        return length

    def followed_by(self, same: int, messages: Sequence[ModelMessage]) -> "_Known":
        """What is known once these messages are stored, of which so many are the same."""
        marks = [mark(message) for message in messages[same:]]
        size = _size(marks) + (self.size if same == len(self.marks) else _size(self.marks[:same]))
        objects = None if self.objects is None else list(messages)
        self.objects = None if self.objects is None else ()
        return _Known([*self.marks[:same], *marks], objects, size)


class Histories:
    """Writes histories into sessions, and remembers what the last ones were."""

    def __init__(self, *, by_identity: bool) -> None:
        """With `by_identity` a message that is the same object counts as unchanged, but for the last ones."""
        # With the session's id, which is never given twice: a run that is purged and begun again has the same ids.
        self._known: Recent[tuple[UUID, UUID], _Known] = Recent(_REMEMBERED_BYTES)
        self._objects: Sequence[ModelMessage] | None = () if by_identity else None

    def write(
        self,
        store: Store,
        session_id: UUID,
        parent_id: UUID,
        messages: Sequence[ModelMessage],
        *,
        metadata: dict[str, Any],
        id: UUID,
    ) -> Checkpoint:
        """A checkpoint with this history under another one, of which only what that one lacks is sent and stored.

        Where this process does not know the parent, everything is encoded once, and the store finds what is new. The
        metadata gets a `kept` where not all of the parent's messages, or nobody knows how many, are taken over, and the
        id of the parent that this is said of: it has another one when that is deleted.
        """
        metadata = {**metadata, "parent": str(parent_id)}
        known = self._known.get((session_id, parent_id))
        if known is None:
            known, same = _Known([], self._objects, 0), 0
            stored = to_stored(messages)
            metadata = {**metadata, "kept": 0}
            checkpoint = store.create_checkpoint(session_id, stored, parent_id=parent_id, metadata=metadata, id=id)
        else:
            same = known.in_common(messages)
            stored = to_stored(messages[same:], same)
            kept = None if same == len(known.marks) else same
            metadata = metadata if kept is None else {**metadata, "kept": kept}
            checkpoint = store.append(session_id, stored, parent_id=parent_id, after=kept, metadata=metadata, id=id)
        after = known.followed_by(same, messages)
        self._known.put((session_id, checkpoint.id), after, after.size)
        return checkpoint

    def entitle(self, store: Store, session_id: UUID, messages: Sequence[ModelMessage]) -> None:
        """Name a session that nobody has named yet after its first prompt."""
        title = first_prompt(messages)
        session = store.get_session_summary(session_id)
        if title and session.title == session.source_id:
            with suppress(ConflictError):  # somebody writes to it meanwhile; the next process may try
                store.update_session(session_id, title=title, if_revision=session.revision)

    def know_empty(self, checkpoint: Checkpoint) -> None:
        """A checkpoint has no messages."""
        self._known.put((checkpoint.session_id, checkpoint.id), _Known([], self._objects, 0), 0)

    def know_same(self, checkpoint: Checkpoint) -> None:
        """A checkpoint has the messages of its parent."""
        session_id, parent_id = checkpoint.session_id, checkpoint.parent_id
        known = None if parent_id is None else self._known.get((session_id, parent_id))
        if known is not None:
            self._known.put((session_id, checkpoint.id), known, known.size)


def not_deleted(session: AnySession) -> AnySession:
    """A session to write to; ConflictError where it is marked deleted: nobody would see what is added."""
    if session.status is SessionStatus.DELETED:
        raise ConflictError(f"session {session.id} ({session.title}) is marked deleted: restore or purge it in clew")
    return session


def mark(message: ModelMessage) -> bytes | None:
    """Bytes that are equal where messages are stored alike; None of what only the framework can write."""
    try:
        return _encode(message)
    except (TypeError, ValueError, OverflowError, RecursionError, msgspec.MsgspecError):
        return None


def _size(marks: Sequence[bytes | None]) -> int:
    return sum(64 + len(one or b"") for one in marks)
