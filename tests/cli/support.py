"""Running the command: inside the test's process, in one of its own, and in one that has a terminal."""

import errno
import json
import os
import re
import sqlite3
import struct
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID

from click.testing import CliRunner, Result

import clew
from clew.cli.app import cli

START = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
COMMAND = (sys.executable, "-m", "clew")
AGENT_SESSION, AGENT_CHECKPOINT, AGENT_BROKEN = (str(UUID(int=number, version=4)) for number in (1, 2, 3))

_ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def minute(number: int) -> datetime:
    """A moment, later for a greater number."""
    return START + timedelta(minutes=number)


def texts(count: int) -> list[dict[str, Any]]:
    """As many messages of the user, numbered from 1."""
    return [{"role": "user", "content": f"m{number}"} for number in range(1, count + 1)]


class Command:
    """The command over one store."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def open(self) -> clew.Store:
        return clew.open(self.path)

    def create(self, title: str = "a title", **arguments: Any) -> clew.Session:
        with self.open() as store:
            return store.create_session(title, **arguments)

    def sessions(self) -> list[clew.SessionSummary]:
        with self.open() as store:
            return store.list_sessions().items

    def messages(self, session: object) -> list[dict[str, Any]]:
        with self.open() as store:
            return store.get_active_checkpoint(str(session)).state.messages

    def run(self, *arguments: object, input: str | bytes | None = None) -> Result:
        return CliRunner().invoke(cli, ["--store", str(self.path), *map(str, arguments)], input=input)

    def output(self, *arguments: object, input: str | bytes | None = None) -> str:
        """What a command that succeeds prints."""
        result = self.run(*arguments, input=input)
        assert (result.exit_code, result.stderr) == (0, ""), result.output
        return result.stdout

    def lines(self, *arguments: object, input: str | bytes | None = None) -> list[str]:
        return self.output(*arguments, input=input).splitlines()

    def json(self, *arguments: object, input: str | bytes | None = None) -> Any:
        return json.loads(self.output(*arguments, "--json", input=input))

    def error(self, *arguments: object, input: str | bytes | None = None) -> tuple[int, str]:
        """The exit code and the error of a command that fails."""
        result = self.run(*arguments, input=input)
        assert result.stdout == ""
        return result.exit_code, result.stderr

    def json_error(self, *arguments: object, input: str | bytes | None = None) -> tuple[int, str, str]:
        """The exit code of a command that fails, with the code and the text of its error."""
        exit_code, line = self.error(*arguments, "--json", input=input)
        assert line.count("\n") == 1
        assert line.endswith("\n")
        told = json.loads(line)
        assert line.startswith('{"error":"')
        assert line.endswith(f'","code":"{told["code"]}"}}\n')
        assert list(told) == ["error", "code"]
        return exit_code, told["code"], told["error"]


class Screen(NamedTuple):
    """What a terminal was sent, and how the process ended."""

    raw: str
    exit_code: int

    @property
    def lines(self) -> list[str]:
        """The lines without colours and movements of the cursor."""
        return _ANSI.sub("", self.raw).replace("\r\n", "\n").splitlines()


def environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment of a process of its own: nothing in it says how to print."""
    left_out = (
        "CLEW_URL", "COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "PYTHONIOENCODING",
        "PYTHONUNBUFFERED",
    )  # fmt: skip
    kept = {name: value for name, value in os.environ.items() if name not in left_out}
    return {**kept, "PYTHONUTF8": "1", "TERM": "xterm-256color", "PYTHONWARNINGS": "error", **(extra or {})}


def run_process(
    *arguments: object, input: bytes | None = None, env: Mapping[str, str] | None = None, **options: Any
) -> "subprocess.CompletedProcess[bytes]":
    """The command as a process of its own, its output in pipes."""
    options = {"capture_output": True, **options}
    return subprocess.run(
        [*COMMAND, *map(str, arguments)], input=input, env=environment(env), timeout=60, check=False, **options
    )


def run_in_terminal(
    *arguments: object,
    columns: int = 80,
    typed: bytes = b"",
    when: bytes = b"",
    env: Mapping[str, str] | None = None,
) -> Screen:
    """The command with a terminal of this width of its own; `typed` is typed when the terminal has shown `when`."""
    import fcntl
    import pty
    import termios

    controller, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
    process = subprocess.Popen(
        [*COMMAND, *map(str, arguments)],
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        env=environment(env),
        start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),  # so that what is typed can interrupt it
    )
    os.close(terminal)
    try:
        shown = _read_terminal(controller, when)
        if typed:
            os.write(controller, typed)
        return Screen((shown + _read_terminal(controller)).decode(), process.wait(timeout=60))
    finally:
        os.close(controller)
        process.kill()
        process.wait()


def _read_terminal(controller: int, until: bytes | None = None) -> bytes:
    """What a terminal is sent, up to where it has been sent `until`, or until the last process lets go of it."""
    shown = b""
    try:
        while until is None or until not in shown:
            part = os.read(controller, 65536)
            if not part:
                break
            shown += part
    except OSError as error:
        if error.errno != errno.EIO:  # how Linux says that the other side is closed
            raise
    return shown


def json_lines(messages: Sequence[object]) -> str:
    return "".join(json.dumps(message) + "\n" for message in messages)


def write_agent_store(path: Path, title: str) -> None:
    """A store of the Stakpak agent: one session, with a checkpoint that can be read and one that cannot."""
    at = "2026-01-02T03:04:05+00:00"
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.executescript(
            """
            CREATE TABLE sessions (id TEXT PRIMARY KEY, title TEXT NOT NULL, agent_id TEXT, visibility TEXT NOT NULL,
                status TEXT, cwd TEXT, created_at TEXT NOT NULL, updated_at TEXT NOT NULL);
            CREATE TABLE checkpoints (id TEXT PRIMARY KEY, session_id TEXT NOT NULL, status TEXT,
                execution_depth INTEGER, parent_id TEXT, state TEXT, created_at TEXT NOT NULL,
                updated_at TEXT NOT NULL);
            """
        )
        session = (AGENT_SESSION, title, at, at)
        connection.execute("INSERT INTO sessions VALUES (?, ?, NULL, 'PRIVATE', 'ACTIVE', '/repo', ?, ?)", session)
        for id, state in ((AGENT_CHECKPOINT, json.dumps({"messages": texts(2)})), (AGENT_BROKEN, "{broken \x1b[31m")):
            checkpoint = (id, AGENT_SESSION, state, at, at)
            connection.execute("INSERT INTO checkpoints VALUES (?, ?, NULL, NULL, NULL, ?, ?, ?)", checkpoint)
