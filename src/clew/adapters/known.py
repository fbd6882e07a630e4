"""What an adapter knows of the lists that it has stored, so that the next list is not encoded again from its start.

A framework hands over its whole list at every step, and nearly all of it are the objects of the step before. How much
of it is stored already is found by looking whether they are the same objects. An object that was changed in place is
the same object all the same; so those near the end, where programs change things, and those that the caller names are
encoded again and compared with what is stored.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Collection, Hashable, Sequence
from itertools import compress, count
from operator import is_not
from typing import Any, NamedTuple

Encode = Callable[[Any], bytes]
"""The bytes that an item is stored as: equal bytes, equal item."""

MAX_BYTES = 64 * 1024 * 1024
TAIL = 16
"""How many of the last items that are the same objects are compared by their bytes too."""

_ITEM_BYTES = 64  # what an item takes beside its bytes, at the least


class _Stored(NamedTuple):
    items: list[Any]
    bodies: list[bytes]
    size: int


class Known:
    """The lists last stored, by any key, up to a number of bytes. Safe to share between threads.

    It holds the items themselves: an object that is let go could give its place in memory to another one.
    """

    def __init__(self, max_bytes: int = MAX_BYTES) -> None:
        """`max_bytes` are those of the encoded items; what was used longest ago is forgotten first."""
        self._max_bytes = max_bytes
        self._bytes = 0
        self._lists: OrderedDict[Hashable, _Stored] = OrderedDict()
        self._mutex = threading.Lock()

    def __contains__(self, key: Hashable) -> bool:
        with self._mutex:
            return key in self._lists

    def remember(
        self, key: Hashable, items: Sequence[Any], bodies: Sequence[bytes], *, after: tuple[Hashable, int] | None = None
    ) -> None:
        """Remember that `items` are stored under `key`, as `bodies`.

        With `after`, a key and a number, the first so many bodies are those remembered under that key, and `bodies` are
        the rest. That list, which this one most likely replaces, becomes the first to go; where it is forgotten
        already, so is this one.
        """
        with self._mutex:
            before = None if after is None else self._lists.get(after[0])
            if after is not None and before is None:
                return
            self._drop(key)
            stored = _joined(before, 0 if after is None else after[1], items, bodies)
            if stored.size > self._max_bytes:
                return
            self._lists[key] = stored
            self._bytes += stored.size
            if after is not None and after[0] in self._lists:
                self._lists.move_to_end(after[0], last=False)
            while self._bytes > self._max_bytes:
                self._drop(next(iter(self._lists)))

    def unchanged(
        self,
        key: Hashable,
        items: Sequence[Any],
        encode: Encode,
        *,
        thorough: bool = False,
        suspects: Collection[Any] = (),
    ) -> int | None:
        """How many of `items`, from the start, are as they are stored under `key`; None where nothing is known of it.

        An item counts that is the same object, or has the same bytes. `thorough` compares the bytes of all of them;
        otherwise those of the last `TAIL` that are the same objects, and of the `suspects` among them.
        """
        with self._mutex:
            stored = self._lists.get(key)
            if stored is None:
                return None
            self._lists.move_to_end(key)
        length = min(len(stored.items), len(items))
        same = 0 if thorough else _first(map(is_not, stored.items, items), length)
        to_compare = [*_places(suspects, items, same), *range(max(0, same - TAIL), same), *range(same, length)]
        return next((place for place in to_compare if encode(items[place]) != stored.bodies[place]), length)

    def bodies(self, key: Hashable) -> list[bytes] | None:
        """The bytes of the items stored under `key`, not to be changed; None where nothing is known of it."""
        with self._mutex:
            stored = self._lists.get(key)
            return None if stored is None else stored.bodies

    def forget(self, key: Hashable) -> None:
        """Know nothing of a key any more."""
        with self._mutex:
            self._drop(key)

    def _drop(self, key: Hashable) -> None:
        dropped = self._lists.pop(key, None)
        if dropped is not None:
            self._bytes -= dropped.size


def _joined(before: _Stored | None, kept: int, items: Sequence[Any], bodies: Sequence[bytes]) -> _Stored:
    if before is None:
        return _Stored(list(items), list(bodies), _size(bodies))
    size = before.size if kept == len(before.bodies) else _size(before.bodies[:kept])
    return _Stored(list(items), [*before.bodies[:kept], *bodies], size + _size(bodies))


def _size(bodies: Sequence[bytes]) -> int:
    return sum(map(len, bodies)) + _ITEM_BYTES * len(bodies)


def _first(marks: Any, otherwise: int) -> int:
    """The place of the first mark that is true."""
    return next(compress(count(), marks), otherwise)


def _places(suspects: Collection[Any], items: Sequence[Any], stop: int) -> list[int]:
    """Where before `stop` the suspects are, in order."""
    if not suspects:
        return []
    ids = {id(suspect) for suspect in suspects}
    return list(compress(range(stop), map(ids.__contains__, map(id, items))))
