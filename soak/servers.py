"""A server that is killed and asked to end under load."""

from collections.abc import Iterator

from tests.faults.servers import Outcome, restart_under_load

from soak.plan import Plan

_RESTARTS = 10


def servers(plan: Plan) -> Iterator[str]:
    """One store after the other, whose server ends at other moments each time."""
    outcomes = []
    for number in plan.rounds(plan.some(75, 5)):
        path = plan.folder / f"{number}.db"
        outcomes.append(restart_under_load(path, plan.seeds(number + 1)[-1], plan.some(_RESTARTS, 3)))
    yield str(
        Outcome(
            kills=sum(outcome.kills for outcome in outcomes),
            stops=sum(outcome.stops for outcome in outcomes),
            acknowledged=sum(outcome.acknowledged for outcome in outcomes),
            failures=sum(outcome.failures for outcome in outcomes),
        )
    )
