"""How much a run does, where, and from which seed."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple


class Plan(NamedTuple):
    """One part's folder, the seed of all its choices, and how thorough it is."""

    folder: Path
    seed: int
    quick: bool

    def some(self, thorough: int, quick: int) -> int:
        """A number of rounds, copies or seconds."""
        return quick if self.quick else thorough

    def rounds(self, seconds: float) -> Iterator[int]:
        """The numbers from 0 on, until so many seconds have passed."""
        end, number = time.monotonic() + seconds, 0
        while number == 0 or time.monotonic() < end:
            yield number
            number += 1

    def seeds(self, count: int) -> range:
        """As many seeds, others for every seed of the run."""
        return range(self.seed * 1_000_000, self.seed * 1_000_000 + count)
