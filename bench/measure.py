"""How time is measured: side by side, medians, on a real disk."""

import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import clew

Action = Callable[[], Callable[[], object]]
"""Prepares a call and returns it; only the call is timed."""

Durability = Literal["full", "normal"]


def interleaved(rounds: int, *actions: Action) -> list[float]:
    """The median seconds of each action.

    Every round does each of them once and begins with another one, so that whatever else the machine does meanwhile
    hits all of them alike and none always follows the same other one.
    """
    samples: list[list[float]] = [[] for _ in actions]
    for number in range(rounds):
        for step in range(len(actions)):
            place = (number + step) % len(actions)
            samples[place].append(seconds_of(actions[place]()))
    return [statistics.median(times) for times in samples]


def seconds_of(call: Callable[[], object]) -> float:
    """How long a call takes. What it returns is let go after the clock has stopped."""
    began = time.perf_counter()
    result = call()
    seconds = time.perf_counter() - began
    del result
    return seconds


class Lab:
    """Where the measurements of one run are made, and how thorough they are."""

    def __init__(self, folder: Path, quick: bool) -> None:
        self.folder = folder
        self.quick = quick

    def some(self, thorough: int, quick: int) -> int:
        """A number of rounds, sessions or turns."""
        return quick if self.quick else thorough

    @contextmanager
    def store(self, name: str, durability: Durability = "full") -> Iterator[clew.Store]:
        """A store in a file of its own, which is removed afterwards."""
        path = self.folder / f"{name}.db"
        try:
            with clew.open(path, durability=durability) as store:
                yield store
        finally:
            self.remove(path)

    def remove(self, path: Path) -> None:
        """Remove a database with what lies beside it, so that a run never needs the disk space of two measurements."""
        for file in path.parent.glob(f"{path.name}*"):
            file.unlink()
