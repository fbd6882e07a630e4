"""Damaged copies of a store."""

from collections.abc import Iterator

from tests.faults.examiner import examine_apart
from tests.faults.harm import build

from soak.plan import Plan


def damaged_files(plan: Plan) -> Iterator[str]:
    """Copies damaged by chance, each read by every method; AssertionError where one crashed or told what is not so."""
    path = plan.folder / "agent.db"
    build(path)
    verdicts = examine_apart(path, plan.seeds(plan.some(800, 20)))
    returned, refused = sum(verdict.returned for verdict in verdicts), sum(verdict.refused for verdict in verdicts)
    yield f"{len(verdicts):,} damaged copies: {returned:,} reads right, {refused:,} refused"
    yield f"{sum(verdict.judged for verdict in verdicts):,} of them with only content damaged: all else was read"
    wrong = {verdict.seed: verdict.wrong for verdict in verdicts if verdict.wrong}
    for seed, why in wrong.items():
        yield f"WRONG in copy {seed}: {why}"
    assert not wrong, f"{len(wrong)} of {len(verdicts)} copies"
