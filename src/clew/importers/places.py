"""Where the steps of a session have come to be, in little memory: a session may have a million of them."""

import hashlib
from array import array
from typing import NamedTuple
from uuid import UUID

DIGEST_BYTES = 16
_KEY_BYTES = 8


class Place(NamedTuple):
    """Where a step is: its checkpoint, and the digest of the way to it.

    Of the `total` messages of the checkpoint, `length` lead to the step. The first `start` of them are from before the
    checkpoint's own steps; less than 0 where it restarts.
    """

    checkpoint: UUID
    length: int
    digest: bytes
    total: int
    start: int

    @property
    def is_end(self) -> bool:
        """Whether the checkpoint has nothing after it."""
        return self.length == self.total


class Places:
    """The place of every step by its key. A key takes the same memory however long it is: about 150 bytes a step."""

    def __init__(self) -> None:
        self._rows: dict[int, int] = {}
        self._counts = array("q")
        self._checkpoints = array("q")  # rows of `_ids`
        self._digests = bytearray()
        self._ids = bytearray()
        self._totals = array("q")
        self._starts = array("q")

    def set(self, checkpoint: UUID, steps: dict[str, tuple[int, bytes]], *, total: int, start: int) -> None:
        """These steps are in this checkpoint: each with the number of messages up to it, and its digest."""
        number = len(self._totals)
        self._ids += checkpoint.bytes
        self._totals.append(total)
        self._starts.append(start)
        for key, (count, digest) in steps.items():
            self._rows[_short(key)] = len(self._counts)
            self._counts.append(count)
            self._checkpoints.append(number)
            self._digests += digest.ljust(DIGEST_BYTES, b"\0")

    def get(self, key: str) -> Place | None:
        """The place of a step, None where it is not known."""
        row = self._rows.get(_short(key))
        if row is None:
            return None
        number = self._checkpoints[row]
        id = UUID(bytes=_item(self._ids, number))
        return Place(id, self._counts[row], _item(self._digests, row), self._totals[number], self._starts[number])


def _item(packed: bytearray, row: int) -> bytes:
    return bytes(packed[row * DIGEST_BYTES : (row + 1) * DIGEST_BYTES])


def _short(key: str) -> int:
    digest = hashlib.blake2b(key.encode(errors="surrogatepass"), digest_size=_KEY_BYTES)
    return int.from_bytes(digest.digest())
