"""A part of a conversation: what is read of it, and what comes before and after."""

from typing import NamedTuple
from uuid import UUID

from clew.display.conversation import Shown, Unreadable, converse
from clew.errors import CorruptStateError
from clew.model import Message
from clew.store import Store

WINDOW = 100
"""Messages that are read and shown at once."""


class Window(NamedTuple):
    """Messages of a conversation of `total`, numbered from `first` to `last`."""

    messages: list[Shown]
    first: int
    last: int
    total: int

    @property
    def end(self) -> int:
        """The number of the first message of the last window."""
        return max(1, self.total - WINDOW + 1)

    @property
    def earlier(self) -> tuple[int, int] | None:
        """The numbers of the first and the last of the messages before these."""
        return (max(1, self.first - WINDOW), self.first - 1) if self.first > 1 else None

    @property
    def later(self) -> tuple[int, int] | None:
        """The same of those after them."""
        return (self.last + 1, min(self.total, self.last + WINDOW)) if self.last < self.total else None


def read_window(store: Store, checkpoint_id: UUID, total: int, first: int, last: int) -> Window:
    """The messages from number `first` to `last`, as many of them as there are, and no more than `WINDOW`."""
    first = max(1, first)
    last = min(total, last, first + WINDOW - 1)
    return Window(converse(_read(store, checkpoint_id, first, last), first), first, max(last, first - 1), total)


def _read(store: Store, checkpoint_id: UUID, first: int, last: int) -> list[Message | Unreadable]:
    if last < first:
        return []
    try:
        return [*store.get_messages(checkpoint_id, start=first - 1, stop=last)]
    except CorruptStateError:
        return [_read_one(store, checkpoint_id, number) for number in range(first, last + 1)]


def _read_one(store: Store, checkpoint_id: UUID, number: int) -> Message | Unreadable:
    """A message among which one at least is damaged; so each is read by itself."""
    try:
        found = store.get_messages(checkpoint_id, start=number - 1, stop=number)
    except CorruptStateError as error:
        return Unreadable(error.message)
    return found[0] if found else Unreadable(f"message {number} is missing")
