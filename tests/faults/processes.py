"""Writing processes as seen from outside: started together, killed, and heard to the end."""

import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

import msgspec
from tests.faults.histories import Told
from tests.faults.writer import Line, Orders, history

ROOT = Path(__file__).resolve().parents[2]
TIME_LIMIT = 240


class Writer:
    """A process that follows orders, waiting to begin."""

    def __init__(self, orders: Orders, *, lines: int | None = None) -> None:
        """Where `lines` is given, it is killed once it has told that many lines after "ready"."""
        self.orders = orders
        self.seconds: list[float] = []
        self._lines = lines
        self._told = {name: history(orders, name) for name in orders.actors}
        self._process = subprocess.Popen(
            [sys.executable, "-W", "error", "-m", "tests.faults.writer", msgspec.json.encode(orders)],
            cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        self._listening = threading.Thread(target=self._listen)

    @property
    def histories(self) -> list[Told]:
        """What its actors told."""
        return list(self._told.values())

    def begin(self) -> None:
        """Let it begin, as soon as it is ready."""
        assert self._process.stdout is not None
        assert self._process.stdin is not None
        ready = self._process.stdout.readline()
        assert ready == b"ready\n", self._errors()
        self._process.stdin.write(b"go\n")
        self._process.stdin.flush()
        self._listening.start()

    def end(self) -> None:
        """Wait for its end; AssertionError where that was not the one it was to have."""
        self._listening.join(TIME_LIMIT)
        assert not self._listening.is_alive()
        errors = self._errors()
        may_die = self._lines is not None or self.orders.last_change is not None
        assert self._process.wait(TIME_LIMIT) in ([0, -9] if may_die else [0]), errors

    def close(self) -> None:
        """Whatever happened, leave nothing behind."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            assert pipe is not None
            pipe.close()

    def _listen(self) -> None:
        assert self._process.stdout is not None
        for number, line in enumerate(self._process.stdout):
            if number == self._lines:
                self._process.kill()
            if line.startswith(b"["):
                self._hear(msgspec.json.decode(line, type=Line))

    def _hear(self, line: Line) -> None:
        told = self._told[line.actor]
        if line.made is None:
            told.begun = line.number + 1
        else:
            told.made.append(line.made)
            self.seconds.append(line.seconds)

    def _errors(self) -> str:
        assert self._process.stderr is not None
        return self._process.stderr.read().decode()


def run_together(writers: Sequence[Writer]) -> None:
    """Let all begin at the same time, and wait for them all."""
    try:
        for writer in writers:
            writer.begin()
        for writer in writers:
            writer.end()
    finally:
        for writer in writers:
            writer.close()
