"""A disk that loses its power: of what was not synced, any part may be there and any part may not.

A file is what was last synced, and the changes since. When the power goes, each sector has seen some of these changes,
in order, and which ones has nothing to do with the sectors beside it; so has the length of the file. A removed file may
be back, until something else was synced. A file that was made exists.
"""

from enum import Enum
from random import Random
from typing import NamedTuple

SECTOR = 512


class Kind(Enum):
    """What happens to a file."""

    WRITE = "write"
    TRUNCATE = "truncate"
    SYNC = "sync"
    REMOVE = "remove"


class Change(NamedTuple):
    """Something that happened to a file: `at` is where it was written, or how long it is afterwards."""

    kind: Kind
    file: str
    at: int = 0
    data: bytes = b""


class Loss(Enum):
    """What a loss of power does to what was not synced."""

    NOTHING_KEPT = "nothing is kept"
    ALL_KEPT = "all is kept"
    TORN = "torn"


class File:
    """One file: its synced bytes, and what has happened since."""

    def __init__(self) -> None:
        self._synced = b""
        self._since: list[Change] = []

    def change(self, change: Change) -> None:
        """Take note of a write or a truncation."""
        self._since.append(change)

    def sync(self) -> None:
        """Everything so far is safe."""
        self._synced = self.after(Loss.ALL_KEPT, Random(0))
        self._since = []

    def after(self, loss: Loss, dice: Random) -> bytes:
        """What is there after a loss of power."""
        if loss is Loss.NOTHING_KEPT:
            return self._synced
        if loss is Loss.ALL_KEPT:
            return _changed(self._synced, self._since)
        return self._torn(dice)

    def _torn(self, dice: Random) -> bytes:
        lengths = [len(self._synced)]
        touching: dict[int, list[Change]] = {}
        for change in self._since:
            lengths.append(_length_after(lengths[-1], change))
            for sector in _sectors(change, max(lengths)):
                touching.setdefault(sector, []).append(change)
        content = bytearray(self._synced.ljust(max(lengths), b"\0"))
        for sector, changes in touching.items():
            begin, end = sector * SECTOR, (sector + 1) * SECTOR
            seen = changes[: dice.randint(0, len(changes))]
            content[begin:end] = _changed_sector(bytes(content[begin:end]), begin, seen)
        return bytes(content[: dice.choice(lengths)])


class Disk:
    """Files by their names."""

    def __init__(self, *names: str) -> None:
        self._files = {name: File() for name in names}
        self._removed: dict[str, File] = {}

    def apply(self, change: Change) -> None:
        """Something happens."""
        if change.kind is Kind.REMOVE:
            self._removed[change.file] = self._files.pop(change.file, File())
            return
        if change.file not in self._files:
            self._removed.pop(change.file, None)
            self._files[change.file] = File()
        if change.kind is Kind.SYNC:
            self._files[change.file].sync()
            self._removed.clear()
        else:
            self._files[change.file].change(change)

    def after(self, loss: Loss, dice: Random) -> dict[str, bytes]:
        """What is there after a loss of power."""
        back = {name: file for name, file in self._removed.items() if loss is not Loss.ALL_KEPT and dice.random() < 0.5}
        return {name: file.after(loss, dice) for name, file in {**back, **self._files}.items()}


def _changed(content: bytes, changes: list[Change]) -> bytes:
    """`content` after all of the changes."""
    changed = bytearray(content)
    for change in changes:
        if change.kind is Kind.TRUNCATE:
            changed = changed[: change.at].ljust(change.at, b"\0")
        else:
            changed.extend(bytes(max(0, change.at + len(change.data) - len(changed))))
            changed[change.at : change.at + len(change.data)] = change.data
    return bytes(changed)


def _changed_sector(content: bytes, begin: int, changes: list[Change]) -> bytes:
    """One sector, which lies at `begin`, after changes that touch it."""
    changed = bytearray(content)
    for change in changes:
        if change.kind is Kind.TRUNCATE:
            kept = max(0, change.at - begin)
            changed[kept:] = bytes(len(changed[kept:]))
        else:
            first, beyond = max(change.at, begin), min(change.at + len(change.data), begin + len(changed))
            changed[first - begin : beyond - begin] = change.data[first - change.at : beyond - change.at]
    return bytes(changed)


def _length_after(length: int, change: Change) -> int:
    return change.at if change.kind is Kind.TRUNCATE else max(length, change.at + len(change.data))


def _sectors(change: Change, length: int) -> range:
    """The sectors that a change touches in a file that is at most so long."""
    end = length if change.kind is Kind.TRUNCATE else change.at + len(change.data)
    return range(change.at // SECTOR, -(-end // SECTOR))
