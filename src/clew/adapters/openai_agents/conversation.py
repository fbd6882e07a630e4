"""The items of one session of the SDK as they are in a store.

An item is a message, unchanged. Every change is one write of a checkpoint: taking items away too, so that what was
taken away stays reachable in the session's tree.
"""

from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, NamedTuple, TypeVar
from uuid import UUID, uuid4

from clew import ACTIVE, ConflictError, NotFoundError, SessionStatus, SessionSummary, Store
from clew.adapters.by_name import present, settled, title_of
from clew.adapters.openai_agents.tips import BRANCH, MAIN, Tip, begun, go_on, look, write

T = TypeVar("T")
Item = dict[str, Any]

SOURCE = "openai-agents"

_PAGE = 500


class Tail(NamedTuple):
    """The newest items, and where they were found: `first` is the index of the first of them in the conversation."""

    session: UUID
    tip: Tip
    first: int
    items: list[Item]


class Conversation:
    """The session that the SDK knows by a name. Its methods get the store as their first argument."""

    def __init__(
        self, name: str, *, title: str | None, owner: str | None, session_metadata: Mapping[str, Any] | None
    ) -> None:
        self.name = name
        self._title = title
        self._owner = owner
        self._session_metadata = session_metadata
        self._id: UUID | None = None
        self._tip: Tip | None = None  # as this object left it, or one of its branch; the store says whether it still is

    def items(self, store: Store, limit: int | None) -> list[Item]:
        """The newest `limit` items, oldest first; all of them for None and for what is negative."""
        return self._read(store, lambda session: _newest(store, session, limit), [])

    def tail(self, store: Store, count: int) -> Tail | None:
        """The newest `count` items with their place, None where there is no session yet."""
        return self._read(store, lambda session: _tail(store, session, count), None)

    def append(self, store: Store, items: list[Item]) -> None:
        """Add items at the end, all or none of them; the first ones make the session.

        ConflictError where it is marked deleted.
        """
        try:
            if self._read(store, lambda session: self._write(store, session, items), False):
                return
        except NotFoundError:  # purged since it was found
            self._forget()
        new = uuid4()
        session = store.ensure_session(
            SOURCE,
            self.name,
            self._title if self._title is not None else title_of(filter(_is_object, items), self.name),
            messages=items,
            metadata={BRANCH: MAIN},
            session_metadata=self._session_metadata,
            owner=self._owner,
            id=new,
        )
        if session.status is SessionStatus.DELETED:
            raise self._hidden(session.id)
        self._id = session.id
        if session.id != new or session.active_checkpoint is None:  # somebody else made it in between
            self._write(store, session.id, items)
        else:
            self._tip = begun(session.active_checkpoint.id, len(items))

    def pop(self, store: Store) -> Item | None:
        """Take the last item away and return it; None where there is none."""
        return self._read(store, lambda session: settled(lambda: self._pop(store, session)), None)

    def clear(self, store: Store) -> None:
        """Go on from no items at all."""
        self._read(store, lambda session: self._write(store, session, [], after=0), False)

    def replace(self, store: Store, items: list[Item]) -> None:
        """Go on from these items instead of those there are."""
        if not self._read(store, lambda session: self._write(store, session, items, after=0), False):
            self.append(store, items)

    def replace_tail(
        self, store: Store, tail: Tail, start: int, items: list[Item], prune: Callable[[Item], bool] | None
    ) -> bool:
        """Put `items` in the place of what begins at `start` in a tail, if nobody has written since it was read.

        What the conversation begins with is left out as far as `prune` says so.
        """
        first = tail.first + start
        try:
            pruned = 0 if prune is None else _leading(store, tail, first, prune)
            kept = _slice(store, tail, pruned, first) if pruned else []
            self._tip = go_on(store, tail.session, [*kept, *items], tail.tip, alone=True, after=0 if pruned else first)
        except (ConflictError, NotFoundError):
            return False
        return True

    def purge(self, store: Store) -> None:
        """Remove the session for good, one that is marked deleted too."""
        with suppress(NotFoundError):
            store.purge_session(self._summary(store).id)
        self._forget()

    def change(self, store: Store, call: Callable[[Store, UUID], T]) -> T:
        """`call` with the id of the session, which there must be; ConflictError where it is marked deleted."""
        self._tip = None  # the call may go on from there
        result = self._read(store, lambda session: [call(store, session)], None)
        if result is None:
            raise self._missing(store)
        return result[0]

    def look(self, store: Store, call: Callable[[Store, UUID], T], empty: T) -> T:
        """The same for what reads: `empty` where there is no session yet."""
        return self._read(store, lambda session: call(store, session), empty)

    def _read(self, store: Store, call: Callable[[UUID], T], empty: T) -> T:
        if self._id is not None:
            try:
                return call(self._id)
            except NotFoundError:
                # Purged, and perhaps made anew, or marked deleted; whatever else was not found is looked for once more.
                self._forget()
        found = self._find(store)
        return empty if found is None else call(found)

    def _find(self, store: Store) -> UUID | None:
        try:
            self._id = present(self._summary(store)).id
        except NotFoundError:
            return None
        return self._id

    def _summary(self, store: Store) -> SessionSummary:
        """The session as a list has it, marked deleted or not."""
        return store.find_session_summary(SOURCE, self.name, owner=self._owner)

    def _missing(self, store: Store) -> Exception:
        """Why there is nothing to change."""
        try:
            return self._hidden(self._summary(store).id)
        except NotFoundError:
            return NotFoundError(f"the session {self.name!r} has no items yet")

    def _hidden(self, session: UUID) -> Exception:
        return ConflictError(f"session {session} ({self.name!r:.80}) is marked deleted in clew: restore or purge it")

    def _forget(self) -> None:
        self._id = self._tip = None

    def _write(self, store: Store, session: UUID, items: list[Item], **where: int) -> bool:
        self._tip = write(store, session, items, self._tip, **where)
        return True

    def _pop(self, store: Store, session: UUID) -> Item | None:
        tail = _tail(store, session, 1)
        if tail is None or not tail.items:
            return None
        self._tip = go_on(store, session, [], tail.tip, alone=True, after=tail.first)
        return tail.items[0]


def _newest(store: Store, session: UUID, limit: int | None) -> list[Item]:
    if limit is None or limit < 0:
        active = present(store.get_session(session)).active_checkpoint
        return [] if active is None else active.state.messages
    if limit == 0:
        return []
    if present(store.get_session_summary(session)).active_checkpoint_id is None:
        return []
    return store.get_messages(ACTIVE, session_id=session, start=-limit)


def _tail(store: Store, session: UUID, count: int) -> Tail | None:
    tip = look(store, session)
    if tip.checkpoint is None:
        return None
    first = max(0, tip.length - count)
    return Tail(session, tip, first, store.get_messages(tip.checkpoint, start=first))


def _slice(store: Store, tail: Tail, start: int, stop: int) -> list[Item]:
    """Items of the conversation that a tail is of."""
    return [] if tail.tip.checkpoint is None else store.get_messages(tail.tip.checkpoint, start=start, stop=stop)


def _leading(store: Store, tail: Tail, stop: int, wanted: Callable[[Item], bool]) -> int:
    """How many items at the beginning, up to `stop`, are wanted one after the other."""
    count = 0
    while count < stop:
        page = _slice(store, tail, count, min(count + _PAGE, stop))
        for item in page:
            if not wanted(item):
                return count
            count += 1
    return count


def _is_object(item: Any) -> bool:
    """Whether an item can be one: the store refuses others, by their place."""
    return isinstance(item, dict)
