"""Killed processes, losses of power, and crowds."""

from collections.abc import Iterator

from tests.faults.crowds import WRITERS, Outcome, write_together
from tests.faults.kills import Killing
from tests.faults.power import crashes, record, some_moments, survive

from soak.plan import Plan

_KILLS_OF_A_STORE = 8
_MOMENTS = 40
_STEPS = 150
_CROWD_STEPS = 120
_CROWD_SECONDS = 60


def kills(plan: Plan) -> Iterator[str]:
    """A writing process is killed again and again; a new store after every few kills."""
    count, acknowledged, interrupted = plan.some(200, 8), 0, 0
    for number in range(count // _KILLS_OF_A_STORE):
        killing = Killing(plan.folder / f"{number}.db", plan.seeds(count)[number])
        for _ in range(_KILLS_OF_A_STORE):
            killing.kill_once()
        acknowledged += killing.acknowledged
        interrupted += killing.interrupted
    yield f"{count} kills: {acknowledged:,} acknowledged writes, all there; {interrupted:,} writes were cut off"


def power_losses(plan: Plan) -> Iterator[str]:
    """Recordings of one and of several writers, each cut off at many moments in every way."""
    for durability in ("full", "normal"):
        for actors in (1, 3):
            losses = 0
            for seed in plan.seeds(plan.some(4, 1)):
                recording = record(seed, steps=_STEPS // actors, actors=actors, durability=durability)
                for crash in crashes(recording, some_moments(recording, plan.some(_MOMENTS, 5))):
                    survive(recording, crash, durable=durability == "full")
                    losses += 1
            yield f"durability {durability}, {actors} writing: {losses:,} losses of power survived"


def processes(plan: Plan) -> Iterator[str]:
    """One crowd after the other, each with a process that is killed."""
    outcomes = []
    for number in plan.rounds(plan.some(_CROWD_SECONDS, 3)):
        path = plan.folder / f"{number}.db"
        seed = plan.seeds(number + 1)[-1]
        outcomes.append(write_together(path, seed, _CROWD_STEPS, killed_after=_killed_after(number)))
    all_of_them = Outcome(
        seconds=sorted(seconds for outcome in outcomes for seconds in outcome.seconds),
        checkpoints=sum(outcome.checkpoints for outcome in outcomes),
    )
    yield f"{len(outcomes)} crowds, {all_of_them.checkpoints:,} checkpoints, counts exact, no error; {all_of_them}"


def _killed_after(number: int) -> int:
    """After how many of its lines a process is killed, another time in every crowd."""
    return 1 + (number * 97) % (2 * WRITERS * _CROWD_STEPS)
