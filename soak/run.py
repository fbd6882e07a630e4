"""Breaks things on purpose for a quarter of an hour, and prints what was tried, what was measured, and what went wrong.

    python soak/run.py                everything
    python soak/run.py --quick        a little of everything, to see that it works
    python soak/run.py --only NAME    one part, or several
    python soak/run.py --seed N       other choices: by default the day's number, so that every day tries others

The exit code is 1 where a promise was broken. What was broken is told with the seed that shows it again.
"""

import argparse
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent)]  # so that this runs as a script, and finds the tests whose code it shares

from soak import api, colours, crashes, damage, failover, full_disks, imports, inputs, servers  # noqa: E402
from soak.plan import Plan  # noqa: E402

PARTS: dict[str, Callable[[Plan], Iterator[str]]] = {
    "kills": crashes.kills,
    "power": crashes.power_losses,
    "processes": crashes.processes,
    "full": full_disks.full_disks,
    "damage": damage.damaged_files,
    "arguments": inputs.arguments,
    "commands": inputs.commands,
    "files": inputs.files,
    "imports": imports.imports,
    "api": api.api,
    "colours": colours.colours,
    "failover": failover.failover,
    "servers": servers.servers,
}


def main() -> int:
    """Do what is asked for; the exit code."""
    arguments = _arguments()
    broken = []
    print(f"seed {arguments.seed}", flush=True)
    # Beside the checkout's other files, because the folder for temporary files is in memory on many machines.
    with tempfile.TemporaryDirectory(prefix=".run-", dir=HERE) as folder:
        for name in arguments.only or PARTS:
            part = Path(folder, name)
            part.mkdir()
            if not _do(name, Plan(part, arguments.seed, arguments.quick)):
                broken.append(name)
    print(f"BROKEN: {', '.join(broken)}" if broken else "Every promise was kept.")
    return 1 if broken else 0


def _do(name: str, plan: Plan) -> bool:
    """Do one part; whether all went well."""
    print(f"\n{name}", flush=True)
    began = time.perf_counter()
    try:
        for line in PARTS[name](plan):
            print(f"  {line}", flush=True)
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            raise
        print(f"BROKEN with --seed {plan.seed}: {type(error).__name__}: {str(error)[:2_000]}", flush=True)
        traceback.print_exc()
        return False
    finally:
        print(f"  {time.perf_counter() - began:.0f} s", flush=True)
    return True


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Break things on purpose.")
    parser.add_argument("--quick", action="store_true", help="a little of everything, which proves nothing")
    parser.add_argument("--only", action="append", choices=PARTS, metavar="NAME", help=", ".join(PARTS))
    parser.add_argument("--seed", type=int, default=int(time.time() // 86_400), help="other choices")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
