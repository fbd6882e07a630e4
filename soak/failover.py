"""A primary that is killed under load."""

from collections.abc import Iterator
from random import Random

from tests.faults.failover import fail_over_under_load

from soak.plan import Plan

_AFTER = 40


def failover(plan: Plan) -> Iterator[str]:
    """One pair of servers after the other, whose primary is killed at another moment each time."""
    for seed in plan.seeds(plan.some(6, 1)):
        yield str(fail_over_under_load(Random(seed).randrange(1, 150), _AFTER))
