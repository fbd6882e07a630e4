"""What a saver, and the clones of it that graphs make, know between calls."""

import threading
from collections import Counter, OrderedDict, deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from clew.adapters.by_name import ByName
from clew.adapters.known import Known
from clew.adapters.langgraph.layouts import Layouts
from clew.adapters.langgraph.names import SOURCE
from clew.adapters.langgraph.waiting import Waiting

MAX_THREADS = 10_000
MAX_SUSPECTS = 1_000

_FIXED = (str, int, float, bool, bytes, type(None))
"""What nobody can change where it stands."""


class Memory:
    """Safe to share between threads."""

    def __init__(self) -> None:
        self.names = ByName(SOURCE)
        self.known = Known()
        self.layouts = Layouts()
        self.waiting = Waiting()
        self._suspects: OrderedDict[str, deque[Any]] = OrderedDict()
        self._deleted: OrderedDict[str, str] = OrderedDict()
        self._under_way: Counter[tuple[str, str]] = Counter()
        self._mutex = threading.Lock()

    def suspect(self, source_id: str, values: Iterable[Any]) -> None:
        """Remember the items that a node has written: it may have changed one of them where it stands."""
        found = [item for value in values for item in _items(value)]
        if not found:
            return
        with self._mutex:
            self._suspects.setdefault(source_id, deque(maxlen=MAX_SUSPECTS)).extend(found)
            if len(self._suspects) > MAX_THREADS:
                self._suspects.popitem(last=False)

    def suspects(self, source_id: str) -> list[Any]:
        """The items that have been written in a namespace since it was last asked."""
        with self._mutex:
            return list(self._suspects.pop(source_id, ()))

    @contextmanager
    def putting(self, source_id: str, checkpoint: str) -> Iterator[None]:
        """While a checkpoint is being put."""
        key = (source_id, checkpoint)
        with self._mutex:
            self._under_way[key] += 1
        try:
            yield
        finally:
            with self._mutex:
                self._under_way[key] -= 1
                self._under_way += Counter()  # without those that are done

    def is_being_put(self, source_id: str, checkpoint: str) -> bool:
        """Whether a put of the checkpoint has not ended yet, in this process."""
        with self._mutex:
            return (source_id, checkpoint) in self._under_way

    def remember_deleted(self, thread: str, newest: str) -> None:
        """That a thread was deleted when this was the largest id of its checkpoints."""
        with self._mutex:
            self._deleted[thread] = max(newest, self._deleted.get(thread, ""))
            if len(self._deleted) > MAX_THREADS:
                self._deleted.popitem(last=False)

    def was_deleted(self, thread: str, checkpoint: str) -> bool:
        """Whether a checkpoint was of a thread that has been deleted, as far as this process knows."""
        with self._mutex:
            return checkpoint <= self._deleted.get(thread, "")


def _items(value: Any) -> Iterable[Any]:
    """What may be an item of a list: the value, what is in it, and what is in the lists of a whole state."""
    found = [value]
    for held in value.values() if type(value) is dict else [value]:
        if isinstance(held, list | tuple):
            found += held
    return [item for item in found if type(item) not in _FIXED]
