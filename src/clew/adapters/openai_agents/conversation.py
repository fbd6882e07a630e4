"""The items of one session of the SDK as they are in a store.

An item is a message, unchanged. Every change is one write of a checkpoint: taking items away too, so that what was
taken away stays reachable in the session's tree.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeVar
from uuid import UUID, uuid4

from clew import ConflictError, NotFoundError, Store
from clew.adapters.by_name import settled, title_of
from clew.adapters.openai_agents.branches import BRANCH, MAIN

T = TypeVar("T")
Item = dict[str, Any]

SOURCE = "openai-agents"

_PAGE = 500


class Tail(NamedTuple):
    """The newest items, and where they were found: `first` is the index of the first of them in the conversation."""

    session: UUID
    checkpoint: UUID
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

    def items(self, store: Store, limit: int | None) -> list[Item]:
        """The newest `limit` items, oldest first; all of them for None and for what is negative."""
        return self._read(store, lambda session: _newest(store, session, limit), [])

    def tail(self, store: Store, count: int) -> Tail | None:
        """The newest `count` items with their place, None where there is no session yet."""
        return self._read(store, lambda session: _tail(store, session, count), None)

    def append(self, store: Store, items: list[Item]) -> None:
        """Add items at the end, all or none of them; the first ones make the session."""
        known = self._id or self._find(store)
        if known is not None:
            try:
                store.append(known, items)
                return
            except NotFoundError:  # purged since it was found
                self._id = None
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
        self._id = session.id
        if session.id != new:  # somebody else made it in between
            store.append(session.id, items)

    def pop(self, store: Store) -> Item | None:
        """Take the last item away and return it; None where there is none."""
        return self._read(store, lambda session: settled(lambda: _pop(store, session)), None)

    def clear(self, store: Store) -> None:
        """Go on from no items at all."""
        self._read(store, lambda session: _replace(store, session, 0, []), None)

    def replace(self, store: Store, items: list[Item]) -> None:
        """Go on from these items instead of those there are."""
        if self._read(store, lambda session: _replace(store, session, 0, items), None) is None:
            self.append(store, items)

    def purge(self, store: Store) -> None:
        """Remove the session for good."""
        self._read(store, store.purge_session, None)
        self._id = None

    def change(self, store: Store, call: Callable[[Store, UUID], T]) -> T:
        """`call` with the id of the session, which there must be."""
        result = self._read(store, lambda session: [call(store, session)], None)
        if result is None:
            raise NotFoundError(f"the session {self.name!r} has no items yet")
        return result[0]

    def look(self, store: Store, call: Callable[[Store, UUID], T], empty: T) -> T:
        """The same for what reads: `empty` where there is no session yet."""
        return self._read(store, lambda session: call(store, session), empty)

    def _read(self, store: Store, call: Callable[[UUID], T], empty: T) -> T:
        if self._id is not None:
            try:
                return call(self._id)
            except NotFoundError:
                self._id = None  # purged, and perhaps made anew; whatever else was not found is looked for once more
        found = self._find(store)
        return empty if found is None else call(found)

    def _find(self, store: Store) -> UUID | None:
        try:
            self._id = store.find_session(SOURCE, self.name, owner=self._owner).id
        except NotFoundError:
            return None
        return self._id


def replace_tail(store: Store, tail: Tail, start: int, items: list[Item], prune: Callable[[Item], bool] | None) -> bool:
    """Put `items` in the place of what begins at `start` in a tail, if nobody has written since it was read.

    What the conversation begins with is left out as far as `prune` says so.
    """
    first = tail.first + start
    pruned = 0 if prune is None else _leading(store, tail.checkpoint, first, prune)
    try:
        if pruned:
            kept = store.get_messages(tail.checkpoint, start=pruned, stop=first)
            _replace(store, tail.session, 0, [*kept, *items], tail.checkpoint)
        else:
            _replace(store, tail.session, first, items, tail.checkpoint)
    except (ConflictError, NotFoundError):
        return False
    return True


def _newest(store: Store, session: UUID, limit: int | None) -> list[Item]:
    if limit is None or limit < 0:
        active = store.get_session(session).active_checkpoint
        return [] if active is None else active.state.messages
    checkpoint = store.get_session_summary(session).active_checkpoint_id if limit else None
    return [] if checkpoint is None else store.get_messages(checkpoint, start=-limit)


def _tail(store: Store, session: UUID, count: int) -> Tail | None:
    summary = store.get_session_summary(session)
    if summary.active_checkpoint_id is None:
        return None
    first = max(0, summary.message_count - count)
    items = store.get_messages(summary.active_checkpoint_id, start=first)
    return Tail(session, summary.active_checkpoint_id, first, items)


def _pop(store: Store, session: UUID) -> Item | None:
    tail = _tail(store, session, 1)
    if tail is None or not tail.items:
        return None
    _replace(store, session, tail.first, [], tail.checkpoint)
    return tail.items[0]


def _replace(store: Store, session: UUID, after: int, items: list[Item], if_active: UUID | None = None) -> bool:
    """Go on from the first `after` items, and then these."""
    store.append(session, items, after=after, if_active=if_active)
    return True


def _leading(store: Store, checkpoint: UUID, stop: int, wanted: Callable[[Item], bool]) -> int:
    """How many items at the beginning, up to `stop`, are wanted one after the other."""
    count = 0
    while count < stop:
        page = store.get_messages(checkpoint, start=count, stop=min(count + _PAGE, stop))
        for item in page:
            if not wanted(item):
                return count
            count += 1
    return count


def _is_object(item: Any) -> bool:
    """Whether an item can be one: the store refuses others, by their place."""
    return isinstance(item, dict)
