"""Measures clew and prints the numbers next to the targets.

    python bench/run.py                everything, about ten minutes
    python bench/run.py --quick        smaller numbers of everything, to see that it works
    python bench/run.py --only NAME    one measurement, or several
    python bench/run.py --record …     and bring docs/scaling.md up to date, as far as it was measured

A run of everything writes bench/results.md, and records too.

A missed target is printed as missed. The exit code is 1 only where something was wrong, such as a write that got lost.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))  # so that this runs as a script and its modules import one another

from bench import (  # noqa: E402
    adapters,
    layouts,
    over_http,
    postgres,
    postgres_bytes,
    postgres_crowd,
    reads,
    report,
    search,
    sizing,
    trees,
    writers,
    writes,
)
from bench.measure import Lab  # noqa: E402
from bench.targets import Finding, Table  # noqa: E402

MEASUREMENTS: dict[str, Callable[[Lab], Iterator[Finding]]] = {
    "append-late": writes.append_late,
    "append-floor": writes.append_floor,
    "size": reads.size,
    "load": reads.load,
    "tail": reads.tail,
    "branches": writes.branches,
    "many-branches": trees.many_branches,
    "attachments": trees.attachments,
    "full-list": writes.full_list,
    "async-writers": writers.async_writers,
    "list": reads.listing,
    "upkeep": trees.upkeep,
    "search": search.search,
    "layout-writes": layouts.write_times,
    "layout-footprint": layouts.footprint,
    "layout-lists": layouts.lists,
    "contention": writers.contention,
    "http": over_http.requests,
    "http-load": over_http.load,
    "postgres-floor": postgres.append_floor,
    "postgres-late": postgres.append_late,
    "postgres-load": postgres.load,
    "postgres-list": postgres.listing,
    "postgres-writers": postgres_crowd.writers,
    "postgres-watch": postgres_crowd.watch,
    "postgres-bytes": postgres_bytes.footprint,
    "postgres-langgraph": postgres.beside_langgraph,
    "langgraph": adapters.beside("langgraph"),
    "openai-agents": adapters.beside("openai-agents"),
    "pydantic-ai": adapters.beside("pydantic-ai"),
    "google-adk": adapters.beside("google-adk"),
}


def main() -> int:
    """Measure what is asked for; the exit code."""
    arguments = _arguments()
    names = arguments.only or list(MEASUREMENTS)
    print(report.machine(), end="\n\n")
    # Beside the checkout's other files, because the folder for temporary files is in memory on many machines.
    with tempfile.TemporaryDirectory(prefix=".run-", dir=HERE) as folder:
        findings = [finding for name in names for finding in _measure(name, Lab(Path(folder), arguments.quick))]
    print(f"\n{report.render(findings)}\n\n{report.summary(findings)}")
    if arguments.quick:
        print("Quick: the sessions, lists and files were smaller than the names say.")
    if not (arguments.only or arguments.quick):
        (HERE / "results.md").write_text(report.document(findings), encoding="utf-8")
    if not arguments.quick and (arguments.record or not arguments.only):
        sizing.record(findings)
    wrong = [finding.wrong for finding in findings if isinstance(finding, Table) and finding.wrong]
    for problem in wrong:
        print(f"WRONG: {problem}")
    return 1 if wrong else 0


def _measure(name: str, lab: Lab) -> list[Finding]:
    began = time.perf_counter()
    print(f"{name} …", end=" ", flush=True)
    findings = list(MEASUREMENTS[name](lab))
    print(f"{time.perf_counter() - began:.1f} s")
    return findings


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measure clew.")
    parser.add_argument("--quick", action="store_true", help="smaller numbers, which prove nothing")
    parser.add_argument("--only", action="append", choices=MEASUREMENTS, metavar="NAME", help=", ".join(MEASUREMENTS))
    parser.add_argument("--record", action="store_true", help="write what docs/scaling.md counts with")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
