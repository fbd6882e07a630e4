"""schemathesis as a process of its own, asking a live server for everything that its description allows, and more.

A process, because its plugin takes two seconds of every run of pytest that loads it.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from tests.support.http_server import served

import clew
from clew import Role, limits
from clew.server import create_app

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
NOTHING_FOUND = "No issues found"


def probe(*options: str) -> str:
    """What it says at its end; AssertionError where it found something."""
    with clew.open(":memory:") as store, _patient(), served(create_app(store)) as url:
        told = _run(url, store.create_key("tester", Role.ADMIN).token, *options)
        assert next(iter(store.verify()), None) is None
    return told


@contextmanager
def _patient() -> Iterator[None]:
    """Wrong keys are refused as such however many come: that none is let in is one of the things to find out."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(limits, "WRONG_KEYS_A_MINUTE", 10**9)
        yield


def _run(url: str, token: str, *options: str) -> str:
    # One worker: threads that compile code at the same time crash the parser of Python 3.11 now and then.
    command = [
        sys.executable, "-m", "schemathesis.cli", "--config-file", str(HERE / "schemathesis.toml"), "run",
        f"{url}/openapi.json", "--header", f"Authorization: Bearer {token}", "--workers", "1", "--no-color",
        "--continue-on-failure", *options,
    ]  # fmt: skip
    with TemporaryDirectory() as folder:  # where it leaves what it remembers
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        ran = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, f"{ran.stdout[-20_000:]}{ran.stderr[-2_000:]}"
    assert NOTHING_FOUND in ran.stdout, ran.stdout[-2_000:]
    return ran.stdout
