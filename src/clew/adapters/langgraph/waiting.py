"""Writes of tasks for checkpoints that are not there yet.

A graph may hand over what the first tasks of a thread have written before the first checkpoint is there. So may a task
that is late, when the thread has been deleted; nobody can tell one from the other. Neither is of use to anybody before
there is a checkpoint to which it belongs: so it waits in memory for the put that makes the session. A long list waits
for its checkpoint itself, which most likely has the beginning of it. A process that ends meanwhile loses what no
checkpoint could have led to.
"""

import threading
from collections import OrderedDict
from collections.abc import Mapping
from typing import Literal, NamedTuple

from clew.adapters.langgraph.names import place_of_source

MAX_BYTES = 64 * 1024 * 1024
"""How much waits at the most. What has waited longest goes: the put that it waits for will hardly come."""


class Early(NamedTuple):
    """The writes of one call."""

    label: str
    items: dict[str, bytes]
    on_conflict: Literal["keep", "replace"]
    bodies: Mapping[str, list[bytes]] = {}
    """Of the long lists among them, of which the checkpoint may have the beginning: what tells of each item whether."""

    @property
    def size(self) -> int:
        """How many bytes they take."""
        return sum(map(len, self.items.values())) + sum(len(body) for held in self.bodies.values() for body in held)


class Waiting:
    """By the name of the session to come. Safe to share between threads."""

    def __init__(self, max_bytes: int = MAX_BYTES) -> None:
        self._max_bytes = max_bytes
        self._bytes = 0
        self._writes: OrderedDict[str, list[Early]] = OrderedDict()
        self._mutex = threading.Lock()

    def add(self, source_id: str, early: Early) -> None:
        """Writes that came after those that wait already."""
        with self._mutex:
            self._writes.setdefault(source_id, []).append(early)
            self._bytes += early.size
            while self._bytes > self._max_bytes:
                _, gone = self._writes.popitem(last=False)
                self._bytes -= sum(each.size for each in gone)

    def of(self, source_id: str) -> list[Early]:
        """What waits for a session, in the order in which it came."""
        with self._mutex:
            return list(self._writes.get(source_id, ()))

    def remove(self, source_id: str, early: Early) -> None:
        """It has been stored."""
        with self._mutex:
            left = self._writes.get(source_id, [])
            if any(each is early for each in left):
                self._bytes -= early.size
                self._writes[source_id] = [each for each in left if each is not early]
            if not self._writes.get(source_id):
                self._writes.pop(source_id, None)

    def forget(self, thread: str) -> list[str]:
        """Let go of what waits for a thread that is deleted; the ids of the checkpoints that it was for."""
        with self._mutex:
            names = [name for name in self._writes if place_of_source(name).thread == thread]
            gone = [early for name in names for early in self._writes.pop(name)]
            self._bytes -= sum(early.size for early in gone)
            return [early.label for early in gone]
