"""Processes killed while they write, again and again, on one store that has to stay what it was."""

from collections.abc import Sequence
from pathlib import Path
from random import Random

from tests.faults.expected import World, same
from tests.faults.histories import Told, check
from tests.faults.processes import Writer, run_together
from tests.faults.wholeness import Times, Whole, check_file
from tests.faults.writer import Orders

import clew

ACTORS = 3
STEPS = 40
_LINES = 2 * ACTORS * STEPS
_CHANGES = 8 * ACTORS * STEPS


class Killing:
    """One store, and all that was written to it in the rounds before."""

    def __init__(self, path: Path, seed: int) -> None:
        self._path = path
        self._seed = seed
        self._dice = Random(seed)
        self._rounds = 0
        self._world: World = {}
        self._times: Times = {}
        self.acknowledged = 0
        self.interrupted = 0
        """Steps that had begun, and that nobody heard the end of."""

    def kill_once(self) -> None:
        """Kill a process at some moment, open the store, and hold it against everything written so far.

        By turns at any moment, and while it changes its files, which is a small part of its time.
        """
        histories = self._write_until_killed()
        # Nobody is there who could hold a lock, so nothing may have to be waited for.
        with clew.open(self._path, busy_timeout=0) as store:
            whole = Whole(store)
            check(whole, [history for history in histories if history.begun])
            self._check_earlier_rounds(whole)
            _check_writable(store)
        check_file(self._path)
        self._world, self._times = whole.world, whole.times
        self.acknowledged += sum(len(history.made) for history in histories)
        self.interrupted += sum(history.begun - len(history.made) for history in histories)

    def _write_until_killed(self) -> Sequence[Told]:
        self._rounds += 1
        from_within = self._rounds % 2 == 0
        orders = Orders(
            path=str(self._path),
            seed=self._seed * 1_000 + self._rounds,
            actors=[f"{self._rounds}-{number}" for number in range(ACTORS)],
            steps=STEPS,
            durability=self._dice.choice(["full", "normal"]),
            last_change=self._dice.randrange(1, _CHANGES) if from_within else None,
        )
        writer = Writer(orders, lines=None if from_within else self._dice.choice([0, self._dice.randrange(_LINES)]))
        run_together([writer])
        return writer.histories

    def _check_earlier_rounds(self, whole: Whole) -> None:
        for id, kept in self._world.items():
            assert same(whole.world[id], kept)
        for id, times in self._times.items():
            assert whole.times[id] == times


def _check_writable(store: clew.Store) -> None:
    session = store.create_session("after", messages=[{"role": "user"}])
    step = store.append(session.id, [{"role": "assistant"}])
    assert store.get_messages(step.id) == [{"role": "user"}, {"role": "assistant"}]
    store.purge_session(session.id)
