"""A process that is killed while it writes loses nothing that it was told is written."""

from pathlib import Path

from tests.faults.actors import make_shared, perform, small_pieces
from tests.faults.histories import Told, check
from tests.faults.kills import Killing
from tests.faults.wholeness import Whole

import clew

KILLS = 6


def test_every_acknowledged_write_survives_a_kill_and_nothing_is_half_there(tmp_path: Path) -> None:
    killing = Killing(tmp_path / "agent.db", seed=1)
    for _ in range(KILLS):
        killing.kill_once()
    assert killing.acknowledged > 0


def test_a_store_that_nothing_happens_to_is_what_its_history_says(tmp_path: Path) -> None:
    """What the other tests compare with is right where there is no fault."""
    history = Told("actor", seed=1, shared=True)
    actor = history.actor()
    with small_pieces(), clew.open(tmp_path / "agent.db", durability="normal") as store:
        make_shared(store, seed=1)
        for number in range(150):
            step = actor.next()
            history.begun += 1
            history.made.append(perform(store, step))
            actor.done(step, history.made[-1])
            if number % 10 == 9:
                check(Whole(store), [history])
