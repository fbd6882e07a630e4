"""What a saver remembers of checkpoints, so that the next one need not read its parent."""

import threading
from collections import Counter, OrderedDict
from collections.abc import Sequence
from typing import Any, NamedTuple
from uuid import UUID

MAX_LAYOUTS = 256

Key = tuple[UUID, str]
"""A session, and LangGraph's id of a checkpoint."""


class Layout(NamedTuple):
    """How a checkpoint is laid out in the store."""

    id: UUID
    versions: dict[str, Any]
    """The versions of its channels."""
    attached: frozenset[str]
    """The channels that are attachments."""
    lists: frozenset[str]
    """The channels whose items are messages of the session."""
    marks: dict[str, list[Any]]
    """Of the attachments that hold a list: what tells whether another list begins with it."""
    channels: Sequence[str] | None
    """The channel of each message; None where all are of one."""
    length: int
    step: Any

    def prefix(self, kept: dict[str, int]) -> tuple[int, dict[str, int]]:
        """How many messages stay where so many items of each channel do, and how many of each channel are among them.

        The first message that does not stay ends them all: what comes after it has to be written again.
        """
        if self.channels is None:
            only = next(iter(self.lists), None)
            count = 0 if only is None else min(kept.get(only, 0), self.length)
            return count, ({} if only is None else {only: count})
        if sum(kept.get(channel, 0) for channel in self.lists) == self.length:
            return self.length, dict(kept)
        seen: Counter[str] = Counter()
        for place, channel in enumerate(self.channels):
            if seen[channel] >= kept.get(channel, 0):
                return place, dict(seen)
            seen[channel] += 1
        return self.length, dict(seen)

    def count_of(self, channel: str) -> int:
        """How many messages are of a channel."""
        if self.channels is None:
            return self.length if channel in self.lists else 0
        return sum(map(channel.__eq__, self.channels))


class Layouts:
    """The layouts last used. Safe to share between threads."""

    def __init__(self) -> None:
        self._layouts: OrderedDict[Key, Layout] = OrderedDict()
        self._mutex = threading.Lock()

    def get(self, key: Key) -> Layout | None:
        """The layout, where it is remembered."""
        with self._mutex:
            return self._layouts.get(key)

    def remember(self, key: Key, layout: Layout) -> None:
        """Remember a layout."""
        with self._mutex:
            self._layouts[key] = layout
            self._layouts.move_to_end(key)
            if len(self._layouts) > MAX_LAYOUTS:
                self._layouts.popitem(last=False)


def channels_of(items: Sequence[str]) -> Sequence[str] | None:
    """The channels of messages, None where they are all of one."""
    return items if len(set(items)) > 1 else None
