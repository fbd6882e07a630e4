"""Processes that write one file together, readers among them, one of which is killed on the way."""

from pathlib import Path

import msgspec
from tests.faults.histories import check
from tests.faults.processes import Writer, run_together
from tests.faults.wholeness import Whole, check_file
from tests.faults.writer import Orders

import clew

PROCESSES = 4
WRITERS = 3
READERS = 1


class Outcome(msgspec.Struct, frozen=True):
    """What a crowd did: how long each acknowledged write took, in order, and how many checkpoints there are."""

    seconds: list[float]
    checkpoints: int

    def percentile(self, part: float) -> float:
        """The seconds that this part of the writes stayed within."""
        return self.seconds[min(int(len(self.seconds) * part), len(self.seconds) - 1)]

    def __str__(self) -> str:
        shown = {"median": 0.5, "90 %": 0.9, "99 %": 0.99, "longest": 1.0}
        times = ", ".join(f"{name} {self.percentile(part) * 1e3:.1f} ms" for name, part in shown.items())
        return f"{len(self.seconds):,} writes: {times}"


def write_together(path: Path, seed: int, steps: int, *, killed_after: int) -> Outcome:
    """Let a crowd write; AssertionError where anything is not there, is there twice, or went wrong.

    The first process is killed after it has told that many lines.
    """
    writers = [
        Writer(_orders(path, seed, number, steps), lines=None if number else killed_after)
        for number in range(PROCESSES)
    ]
    run_together(writers)
    with clew.open(path, busy_timeout=0) as store:
        whole = Whole(store)
    histories = [history for writer in writers for history in writer.histories]
    check(whole, histories)
    check_file(path)
    for history in histories[WRITERS:]:
        assert len(history.made) == history.begun == steps
    return Outcome(
        seconds=sorted(seconds for writer in writers for seconds in writer.seconds),
        checkpoints=sum(len(kept.points) for kept in whole.world.values()),
    )


def _orders(path: Path, seed: int, number: int, steps: int) -> Orders:
    return Orders(
        path=str(path),
        seed=seed,
        actors=[f"{seed}-{number}-{thread}" for thread in range(WRITERS)],
        steps=steps,
        readers=READERS,
        compacts=False,
    )
