"""`clew serve` in a process of its own, to be asked, stopped and killed."""

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2

TIME_LIMIT = 60.0  # seconds


class ServerProcess:
    """A server that has begun to listen. What it logs goes into a file: no pipe can fill up and hold it back."""

    def __init__(self, *arguments: object) -> None:
        """`arguments` are those of `clew serve`; without --port it is one that is free."""
        given = [str(argument) for argument in arguments]
        place = [] if {"--port", "--uds"} & set(given) else ["--port", "0"]
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - it is there for as long as the process
        environment = {name: value for name, value in os.environ.items() if not name.startswith("CLEW_")}
        self.process = subprocess.Popen(
            [sys.executable, "-W", "error", "-m", "clew", "serve", *given, *place, "--json"],
            stdout=subprocess.PIPE, stderr=self._log, env=environment,
        )  # fmt: skip
        self.start: dict[str, Any] = self._started()

    @property
    def url(self) -> str:
        """Where it listens."""
        return str(self.start["listening"][0])

    @property
    def pid(self) -> int:
        """The number of the process."""
        return self.process.pid

    def signal(self, number: int) -> None:
        """Send it a signal."""
        self.process.send_signal(number)

    def wait(self) -> int:
        """Its exit code, once it has ended."""
        return self.process.wait(TIME_LIMIT)

    def stop(self) -> int:
        """Ask it to end; its exit code."""
        self.signal(signal.SIGTERM)
        return self.wait()

    def kill(self) -> None:
        """End it, without it being able to do anything about it."""
        self.process.kill()
        self.process.wait()

    def log(self) -> str:
        """What it has written to standard error."""
        self._log.seek(0)
        return self._log.read().decode()

    def close(self) -> None:
        """Whatever happened, leave nothing behind."""
        self.kill()
        assert self.process.stdout is not None
        self.process.stdout.close()
        self._log.close()

    def _started(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        lines = []
        while (line := self.process.stdout.readline()) not in (b"}\n", b""):
            lines.append(line)
        if not line:
            code, told = self.process.wait(TIME_LIMIT), self.log()
            self.close()
            raise AssertionError(f"it ended with {code}: {told}")
        started: dict[str, Any] = json.loads(b"".join([*lines, line]))
        return started


@contextmanager
def serving(*arguments: object) -> Iterator[ServerProcess]:
    """A server that runs until it is no longer needed."""
    server = ServerProcess(*arguments)
    try:
        yield server
    finally:
        server.close()


@contextmanager
def asking(server: ServerProcess, **options: Any) -> Iterator[httpx2.Client]:
    """A plain HTTP client of it."""
    with httpx2.Client(base_url=server.url, timeout=TIME_LIMIT, **{"verify": False, **options}) as client:
        yield client


def certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 that vouches for itself, and its key."""
    cert, key = folder / "cert.pem", folder / "key.pem"
    subprocess.run(
        [
            "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
            "-days", "2", "-subj", "/CN=clew", "-addext", "subjectAltName=IP:127.0.0.1",
            "-keyout", str(key), "-out", str(cert),
        ],
        check=True, capture_output=True, timeout=TIME_LIMIT,
    )  # fmt: skip
    return cert, key
