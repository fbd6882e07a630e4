"""A server asked for whatever its description allows, and for what it does not."""

import re
from collections.abc import Iterator

from tests.server.probing import probe

from soak.plan import Plan


def api(plan: Plan) -> Iterator[str]:
    """One run of schemathesis after the other, each with other choices; AssertionError where one found something."""
    for seed in plan.seeds(plan.some(2, 1)):
        told = probe("--seed", str(seed), "--max-examples", str(plan.some(30, 1)))
        (asked,) = re.findall(r"(\d+) generated, \d+ passed", told)
        yield f"{int(asked):,} requests with seed {seed}: every answer as it is described"
