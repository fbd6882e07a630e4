"""Examines damaged copies in a process of its own, so that a crash is seen and ends nothing else.

    python -m tests.faults.examiner ORIGINAL SEED...

It prints the verdict on each copy; the first that is missing is that of the copy at which the process ended.
"""

import resource
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec
from tests.faults.damage import Verdict, examine
from tests.faults.original import Original
from tests.faults.processes import ROOT

_SECONDS = 60
_BYTES = 4 * 1024**3


def main() -> None:
    """Examine the copies of the seeds given."""
    resource.setrlimit(resource.RLIMIT_AS, (_BYTES, resource.RLIM_INFINITY))
    original = Original(Path(sys.argv[1]))
    for seed in map(int, sys.argv[2:]):
        signal.alarm(_SECONDS)  # ends a process that does not come back
        sys.stdout.write(f"{msgspec.json.encode(examine(original, seed)).decode()}\n")
        sys.stdout.flush()


def examine_apart(original: Path, seeds: Sequence[int]) -> list[Verdict]:
    """The verdict on the copy of each seed; a process that ends before it is done is a verdict too."""
    verdicts: list[Verdict] = []
    while len(verdicts) < len(seeds):
        rest = [str(seed) for seed in seeds[len(verdicts) :]]
        ran = subprocess.run(
            [sys.executable, "-W", "error", "-m", "tests.faults.examiner", str(original), *rest],
            cwd=ROOT, capture_output=True, text=True, check=False,
        )  # fmt: skip
        told = [line for line in ran.stdout.splitlines() if line.startswith("{")]
        verdicts += [msgspec.json.decode(line, type=Verdict) for line in told]
        if len(told) < len(rest):
            wrong = f"the process ended with {ran.returncode}: {ran.stderr[-2_000:]}"
            verdicts.append(Verdict(int(rest[len(told)]), wrong=wrong))
    return verdicts


if __name__ == "__main__":
    main()
