"""Runs a coverage-guided fuzzer over one target, as a process of its own.

    python -m soak.fuzz TARGET [OPTION OF LIBFUZZER]... FOLDER

The folder holds the inputs to begin with, and those that reached something new.
"""

import importlib
import sys
from typing import Any


def main() -> None:
    """Fuzz until the time limit among the options."""
    name = sys.argv.pop(1)
    # By its name, because it is no part of the environment that types are checked in.
    fuzzer: Any = importlib.import_module("atheris")
    with fuzzer.instrument_imports(include=["clew"]):
        from tests.faults.import_files import TARGETS
    target = TARGETS[name]

    def run(data: bytes) -> None:
        target(data)

    fuzzer.Setup(sys.argv, run)
    fuzzer.Fuzz()


if __name__ == "__main__":
    main()
