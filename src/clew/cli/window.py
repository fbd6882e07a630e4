"""Which messages `show` shows: those of a role, then a window counted from the newest.

Only what is needed is read: without a role the window itself, with one every message once, a part at a time.
"""

from collections import deque
from collections.abc import Callable, Iterator
from typing import NamedTuple

from clew import limits
from clew.model import Message

Read = Callable[[int, int], list[Message]]
"""Reads the messages from one position to another, the second not included."""

_PART = 256


class Window(NamedTuple):
    """Some of `total` messages in their order; `first` is the place of the first of them, from 0."""

    messages: list[Message]
    first: int
    total: int


def bounds(total: int, limit: int, offset: int) -> tuple[int, int]:
    """Where a window of `limit` messages (0: of all) begins and ends that leaves out the `offset` newest."""
    end = max(0, total - offset)
    return (0 if limit == 0 else max(0, end - limit)), end


def read_window(read: Read, count: int, *, role: str | None, limit: int, offset: int) -> Window:
    """The window over `count` messages, or over those of a role."""
    if role is not None:
        return _window_of_role(read, count, role, limit, offset)
    start, end = bounds(count, limit, offset)
    return Window(read(start, end) if start < end else [], start, count)


def has_role(message: Message, role: str) -> bool:
    """Whether a message is of the role; a developer's message is one of the system."""
    own = str(message.get("role")).lower()
    return own == role or (role == "system" and own == "developer")


def _window_of_role(read: Read, count: int, role: str, limit: int, offset: int) -> Window:
    # The newest `offset + limit` hold the window, and no more of them are kept.
    kept: deque[Message] = deque(maxlen=None if limit == 0 else min(limit + offset, limits.MAX_COUNT))
    total = 0
    for message in _parts(read, count):
        if has_role(message, role):
            kept.append(message)
            total += 1
    start, end = bounds(total, limit, offset)
    dropped = total - len(kept)
    return Window([kept[index - dropped] for index in range(start, end)], start, total)


def _parts(read: Read, count: int) -> Iterator[Message]:
    for start in range(0, count, _PART):
        yield from read(start, min(start + _PART, count))
