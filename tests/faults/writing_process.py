"""A process that writes until it is told to end, and tells of each append that was acknowledged."""

import subprocess
import sys
import threading
from typing import Any, Generic, TypeVar

import msgspec
from tests.faults.processes import ROOT

_TIME_LIMIT = 90  # seconds

T = TypeVar("T")


class WritingProcess(Generic[T]):
    """A module of this folder, run with its orders, and what it told.

    It says "ready" when it begins, and from then on a `kind` in JSON for each append, a line each.
    """

    def __init__(self, module: str, orders: Any, kind: type[T]) -> None:
        self.acknowledged: list[T] = []
        self.actors: list[str] = orders.actors
        self._kind = kind
        self._process = subprocess.Popen(
            [sys.executable, "-W", "error", "-m", f"tests.faults.{module}", msgspec.json.encode(orders)],
            cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        self._is_ready = threading.Event()
        self._listening = threading.Thread(target=self._listen)
        self._listening.start()

    def check_writing(self) -> None:
        """AssertionError where the process has ended, or has not begun in time."""
        assert self._is_ready.wait(_TIME_LIMIT)
        assert self._process.poll() is None, self._errors()

    def end(self) -> None:
        """Let it end, once it has heard of each append that it began."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        assert self._process.wait(_TIME_LIMIT) == 0, self._errors()
        self._listening.join()

    def close(self) -> None:
        """Whatever happened, leave nothing behind."""
        self._process.kill()
        self._process.wait()
        self._listening.join()
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            assert pipe is not None
            pipe.close()

    def _listen(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._is_ready.set()
            if line.startswith(b"["):
                self.acknowledged.append(msgspec.json.decode(line, type=self._kind))
        self._is_ready.set()  # it has ended, which `check_writing` tells

    def _errors(self) -> str:
        assert self._process.stderr is not None
        return self._process.stderr.read().decode()
