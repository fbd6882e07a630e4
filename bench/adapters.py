"""The adapters beside the stores that their frameworks ship: each pair in an environment where the framework is.

`make adapters` makes these environments. A measurement here runs a script there as a process and shows what it printed.
"""

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from bench.measure import Lab
from bench.targets import Finding, Measured, Table

ROOT = Path(__file__).resolve().parent.parent
_FINDINGS = msgspec.json.Decoder(tuple[list[Measured], list[Table]])


def beside(name: str) -> Callable[[Lab], Iterator[Finding]]:
    """The measurement of one adapter, by the name of its extra."""

    def measure(lab: Lab) -> Iterator[Finding]:
        python = ROOT / ".venv" / "adapters" / name / "bin" / "python"
        if not python.exists():
            note = f"Not measured: `make adapters` makes the environment of {name}."
            yield Table(f"Adapter: {name}", ["measured"], [["nothing"]], note)
            return
        script = ROOT / "bench" / f"adapter_{name.replace('-', '_')}.py"
        command = [str(python), str(script), str(lab.folder), *(["--quick"] if lab.quick else [])]
        answer = subprocess.run(command, stdout=subprocess.PIPE, check=True)
        measured, tables = _FINDINGS.decode(answer.stdout)
        yield from measured
        yield from tables

    return measure


def tell(measure: Callable[[Lab], Iterator[Finding]]) -> None:
    """What such a script does: measure in the folder that it is given, and print the findings."""
    folder, quick = Path(sys.argv[1]), "--quick" in sys.argv[2:]
    findings = list(measure(Lab(folder, quick)))
    measured = [finding for finding in findings if isinstance(finding, Measured)]
    tables = [finding for finding in findings if isinstance(finding, Table)]
    sys.stdout.buffer.write(msgspec.json.encode((measured, tables)))
