"""The sessions of a framework by the names that it has for them, and what a new one is called."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import Any, TypeVar
from uuid import UUID, uuid4

from clew import ConflictError, Message, NotFoundError, Session, SessionStatus, SessionSummary, Store

T = TypeVar("T")
AnySession = TypeVar("AnySession", Session, SessionSummary)

MAX_KNOWN = 10_000
"""How many names are remembered with their ids: finding a session by its name is a read of its own."""

_TITLE_CHARS = 80
_MOST_ATTEMPTS = 100


class ByName:
    """The sessions of one source and owner. Safe to share between threads."""

    def __init__(self, source: str, *, owner: str | None = None, with_deleted: bool = True) -> None:
        """`source` is what clew calls the framework, `owner` as for `Store.find_session`.

        Without `with_deleted` a session that is marked deleted is not found, and none is made in its place. Whether one
        that was found before has been marked since, `present` tells whoever reads it.
        """
        self.source = source
        self.owner = owner
        self._with_deleted = with_deleted
        self._ids: OrderedDict[str, UUID] = OrderedDict()
        self._mutex = threading.Lock()

    def look(self, store: Store, name: str, call: Callable[[UUID], T], empty: T) -> T:
        """What `call` returns for the id of the session; `empty` where nobody has made it."""
        known = self._known(name)
        if known is not None:
            try:
                return call(known)
            except NotFoundError:  # purged, and perhaps made anew
                self._forget(name)
        try:
            found = store.find_session_summary(self.source, name, owner=self.owner)
        except NotFoundError:
            return empty
        if not self._with_deleted and found.status is SessionStatus.DELETED:
            return empty
        self._remember(name, found.id)
        return call(found.id)

    def change(self, store: Store, name: str, call: Callable[[UUID], object], make: Callable[[UUID], Session]) -> None:
        """`call` with the id of the session. Where there is none, `make` makes it, with the id that it is given.

        `make` writes what `call` would have written; where somebody else was first, `call` writes it. ConflictError
        where the session is marked deleted and that hides it.
        """
        if self.look(store, name, lambda session: (call(session), True)[1], False):
            return
        new = uuid4()
        made = make(new)
        if not self._with_deleted and made.status is SessionStatus.DELETED:
            raise ConflictError(
                f"session {made.id} ({name!r:.80}) is marked deleted in clew: restore or purge it there"
            )
        self._remember(name, made.id)
        if made.id != new:
            call(made.id)

    def _known(self, name: str) -> UUID | None:
        with self._mutex:
            return self._ids.get(name)

    def _remember(self, name: str, id: UUID) -> None:
        with self._mutex:
            self._ids[name] = id
            if len(self._ids) > MAX_KNOWN:
                self._ids.popitem(last=False)

    def _forget(self, name: str) -> None:
        with self._mutex:
            self._ids.pop(name, None)


def present(found: AnySession) -> AnySession:
    """What was found; NotFoundError where it is marked deleted."""
    if found.status is SessionStatus.DELETED:
        raise NotFoundError(f"session {found.id} is marked deleted")
    return found


def settled(attempt: Callable[[], T]) -> T:
    """What an attempt returns that nobody overtook. One that was overtaken is made again from what is there then.

    After a hundred times, each of them somebody else's write that went through, the ConflictError comes out.
    """
    for _ in range(_MOST_ATTEMPTS - 1):
        try:
            return attempt()
        except ConflictError:
            continue
    return attempt()


def title_of(messages: Iterable[Message], otherwise: str) -> str:
    """The beginning of what the user said first, in one line."""
    for message in messages:
        if message.get("role") == "user":
            spoken = one_line(" ".join(_texts(message.get("content"))))
            if spoken:
                return spoken
    return one_line(otherwise)


def one_line(text: str) -> str:
    """The beginning of a text as a title. A store takes no NUL and no lone surrogate in one."""
    words = " ".join("".join(char if char.isprintable() else " " for char in text[: 10 * _TITLE_CHARS]).split())
    return words if len(words) <= _TITLE_CHARS else words[: _TITLE_CHARS - 1] + "…"


def _texts(content: Any) -> list[str]:
    parts = content if isinstance(content, list) else [content]
    found = [part.get("text") if isinstance(part, dict) else part for part in parts]
    return [text for text in found if isinstance(text, str)]
