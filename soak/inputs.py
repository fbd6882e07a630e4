"""Hostile input: arguments of the library, words and bytes for the command line, and files to import."""

import importlib.util
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from random import Random

from tests.faults.commands import run_with_anything
from tests.faults.hostile import call_with_anything, quietly
from tests.faults.import_files import TARGETS, mutated, seeds
from tests.faults.junk import METHODS
from tests.faults.processes import ROOT

from soak.plan import Plan

_FUZZER = "atheris"
_MEGABYTES = 1_024
_LONGEST = 20_000


def arguments(plan: Plan) -> Iterator[str]:
    """Every method of the library with any arguments."""
    examples, wrong = plan.some(120, 5), []
    for method in METHODS:
        try:
            call_with_anything(method, plan.folder, quietly(examples, varied=True))
        except Exception as error:
            wrong.append(f"{method}: {type(error).__name__}: {error} {getattr(error, '__notes__', '')}")
            yield f"WRONG in {wrong[-1]}"
    assert not wrong, f"{len(wrong)} of {len(METHODS)} methods"
    yield f"{len(METHODS)} methods, up to {examples} calls each: right or refused, and then unchanged"


def commands(plan: Plan) -> Iterator[str]:
    """The command line with any words and any bytes."""
    os.environ["HOME"] = str(plan.folder / "home")
    os.environ.pop("CLEW_URL", None)
    os.environ.pop("XDG_DATA_HOME", None)
    examples = plan.some(1_500, 20)
    run_with_anything(plan.folder, quietly(examples, varied=True))
    yield f"{examples:,} runs of the command: an exit code that is documented, never a traceback"


def files(plan: Plan) -> Iterator[str]:
    """Files to import: changed seeds, then what a fuzzer comes to by watching which lines are reached."""
    for target in TARGETS:
        for seed in plan.seeds(plan.some(1_000, 20)):
            dice = Random(seed)
            TARGETS[target](mutated(dice.choice(seeds(target)), dice))
    yield f"{len(TARGETS)} kinds of files, {plan.some(1_000, 20):,} changed ones of each: read or refused"
    if importlib.util.find_spec(_FUZZER) is None:
        yield f"the fuzzer {_FUZZER} is not installed here: skipped"
        return
    for target in TARGETS:
        yield f"{target}: {_fuzz(plan, target, plan.some(30, 3))}"


def _fuzz(plan: Plan, target: str, seconds: int) -> str:
    """The fuzzer's last word on one target; AssertionError where it came upon something."""
    corpus = plan.folder / target
    corpus.mkdir()
    for number, seed in enumerate(seeds(target)):
        (corpus / str(number)).write_bytes(seed)
    ran = subprocess.run(
        [
            sys.executable, "-m", "soak.fuzz", target, f"-max_total_time={seconds}", f"-rss_limit_mb={_MEGABYTES}",
            f"-max_len={_LONGEST}", f"-seed={plan.seed}", f"-artifact_prefix={plan.folder}/", "-verbosity=0",
            "-print_final_stats=1", str(corpus),
        ],
        cwd=ROOT, capture_output=True, check=False,
    )  # fmt: skip
    told = ran.stderr.decode(errors="replace").splitlines()
    assert ran.returncode == 0, "\n".join(
        [*told[-40:], *(f"{file.name}: {file.read_bytes()!r}" for file in _found(plan))]
    )
    runs = next((line.split()[-1] for line in told if "number_of_executed_units" in line), "?")
    return f"{runs} runs of the fuzzer in {seconds} s, {len(list(corpus.iterdir()))} kinds of input found"


def _found(plan: Plan) -> list[Path]:
    """The inputs that a fuzzer has left behind."""
    return [path for path in plan.folder.iterdir() if path.is_file()]
