"""The messages of one key as they are in a store: a list, of which some are archived.

Both kinds stand in one conversation, in the order in which they came, so that it can be read and searched whole. Which
of them are archived is in the metadata of the state, as the places from which and up to which they stand: archiving
writes no message. Every change is one write of a checkpoint, so what was taken away stays reachable in the tree.
"""

from collections.abc import Iterable
from typing import Any, NamedTuple
from uuid import UUID

from clew import CorruptStateError, Message, Store
from clew.adapters.by_name import present

ARCHIVED = "archived"
"""The key in the metadata of a state."""


class Queue(NamedTuple):
    """What there is at one moment: how many messages there are, and the places of the archived ones."""

    session: UUID
    checkpoint: UUID | None
    length: int
    archived: frozenset[int]
    metadata: dict[str, Any]

    def places(self, archived: bool | None) -> list[int]:
        """Where the messages of one kind stand, or, for None, all of them."""
        return [place for place in range(self.length) if archived is None or (place in self.archived) is archived]


def read(store: Store, session: UUID) -> Queue:
    """The queue of a session, without its messages. NotFoundError where the session is marked deleted."""
    summary = present(store.get_session_summary(session))
    if summary.active_checkpoint_id is None:
        return Queue(session, None, 0, frozenset(), {})
    metadata = _metadata(store, session, summary.active_checkpoint_id)
    archived = _places(metadata.get(ARCHIVED, []), summary.message_count, summary.active_checkpoint_id)
    return Queue(session, summary.active_checkpoint_id, summary.message_count, archived, metadata)


def messages(store: Store, queue: Queue, places: list[int]) -> list[Message]:
    """The messages at some places, which are in order."""
    if queue.checkpoint is None or not places:
        return []
    first, last = places[0], places[-1]
    span = store.get_messages(queue.checkpoint, start=first, stop=last + 1)
    return [span[place - first] for place in places]


def add(store: Store, queue: Queue, new: list[Message]) -> None:
    """Add messages that are archived from the start, if nobody has written since the queue was read."""
    stop = queue.length + len(new)
    _write(store, queue, new, None, queue.archived | set(range(queue.length, stop)))


def archive(store: Store, queue: Queue, places: list[int]) -> None:
    """Archive the messages at some places, on the same condition."""
    _write(store, queue, [], None, queue.archived | set(places))


def remove(store: Store, queue: Queue, places: list[int]) -> None:
    """Go on without the messages at some places, on the same condition. What stood behind them is written again."""
    gone, first = set(places), places[0]
    stay = [place for place in range(first, queue.length) if place not in gone]
    moved = {first + index for index, place in enumerate(stay) if place in queue.archived}
    before = {place for place in queue.archived if place < first}
    _write(store, queue, messages(store, queue, stay), first, before | moved)


def state(archived: Iterable[int], metadata: dict[str, Any] | None = None) -> dict[str, Any] | None:
    """The metadata of a state with messages archived at these places."""
    ranges: list[list[int]] = []
    for place in sorted(archived):
        if ranges and ranges[-1][1] == place:
            ranges[-1][1] = place + 1
        else:
            ranges.append([place, place + 1])
    others = {key: value for key, value in (metadata or {}).items() if key != ARCHIVED}
    return {**others, ARCHIVED: ranges} if ranges else others or None


def _write(store: Store, queue: Queue, new: list[Message], after: int | None, archived: Iterable[int]) -> None:
    metadata = state(archived, queue.metadata)
    store.append(queue.session, new, after=after, metadata=metadata, if_active=queue.checkpoint)


def _metadata(store: Store, session: UUID, checkpoint: UUID) -> dict[str, Any]:
    # The newest is nearly always the active one, and of a list no messages are read.
    newest = store.list_checkpoints(session, order="-created", with_metadata=True, limit=1).items
    if newest and newest[0].id == checkpoint and newest[0].damage is None:
        found = newest[0].metadata
    else:
        found = store.get_checkpoint(checkpoint).state.metadata
    if found is not None and not isinstance(found, dict):
        raise CorruptStateError(f"the metadata of checkpoint {checkpoint} is no object", checkpoint)
    return found or {}


def _places(ranges: Any, count: int, checkpoint: UUID) -> frozenset[int]:
    places: set[int] = set()
    try:
        for start, stop in ranges:
            if not 0 <= start < stop <= count:
                raise ValueError((start, stop))
            places.update(range(start, stop))
    except (TypeError, ValueError) as error:
        told = f"what checkpoint {checkpoint} says of archived messages cannot be right"
        raise CorruptStateError(told, checkpoint) from error
    return frozenset(places)
