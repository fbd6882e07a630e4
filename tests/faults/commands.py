"""The command line with any words: it ends with an exit code that is documented, and never with a traceback."""

import subprocess
import sys
import traceback
from collections.abc import Iterator
from contextlib import chdir
from pathlib import Path
from random import Random
from typing import NamedTuple

import click
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.faults import import_files
from tests.faults.junk import CHECKPOINT, OTHER, SESSION

import clew
from clew.cli.app import cli
from clew.testing.contract.base import contents

EXIT_CODES = {0, 1, 2, 130, 141}
_STORE = "agent.db"
_UNTIL_STOPPED = {"serve", "watch"}
"""Commands that go on until somebody stops them, so that a run of theirs would never end."""
_FILES = ("messages.json", "agent.db", "junk", "folder", "missing", "-")
_WORDS = [
    str(SESSION), str(OTHER), str(CHECKPOINT), "00000000", "0000", "zzzz", "user", "assistant", "PUBLIC", "1", "0",
    "-1", "9" * 20, "1h", "name", "--", "--json", "--help", "--yes", "stakpak", "messages", "status", "up", *_FILES,
]  # fmt: skip


class Run(NamedTuple):
    """What came of a run of the command."""

    exit_code: int
    stderr: str
    crash: str


def words() -> st.SearchStrategy[list[str]]:
    """A command and what could follow it: its own options with values likely and not, and words that are none."""
    return st.sampled_from(sorted(_commands().keys() - _UNTIL_STOPPED)).flatmap(_line)


def _commands() -> dict[str, click.Command]:
    """Every command by the words that call it."""
    found: dict[str, click.Command] = {}
    waiting: list[tuple[str, click.Command]] = [("", cli)]
    while waiting:
        name, command = waiting.pop()
        found[name] = command
        if isinstance(command, click.Group):
            context = click.Context(command)
            for part in command.list_commands(context):
                below = command.get_command(context, part)
                assert below is not None
                waiting.append((f"{name} {part}".strip(), below))
    return found


def _line(name: str) -> st.SearchStrategy[list[str]]:
    options = [option for parameter in _commands()[name].params for option in parameter.opts if option.startswith("-")]
    # Of a store elsewhere nothing is known, and a command that names one would make it.
    chosen = [option for option in options if option != "--store"] or ["--json"]
    word = st.sampled_from(_WORDS) | st.sampled_from(_WORDS) | st.sampled_from(chosen) | _text()
    return st.lists(word, max_size=6).map(lambda rest: [*name.split(), *rest])


def _text() -> st.SearchStrategy[str]:
    """Text that is no place outside the folder of the test."""
    return st.text(st.characters(exclude_categories=()), max_size=12).filter(
        lambda text: not text.startswith(("/", "~")) and ".." not in text
    )


def _input() -> st.SearchStrategy[bytes]:
    seeds = st.sampled_from([b"", b"y\n", b'[{"role":"user"}]', b"text", *import_files.message_seeds()])
    return st.binary(max_size=50) | st.tuples(seeds, st.integers(0, 2**32)).map(
        lambda drawn: import_files.mutated(drawn[0], Random(drawn[1]))
    )


def run_with_anything(folder: Path, how: settings) -> None:
    """Run commands with any words and any bytes in a folder of its own; AssertionError where one ends as none may."""

    @how
    @given(words(), _input(), _input())
    def run(arguments: list[str], typed: bytes, read: bytes) -> None:
        for file in _STORE, f"{_STORE}-wal", f"{_STORE}-shm":
            Path(file).unlink(missing_ok=True)
        Path("messages.json").write_bytes(read)
        _fill()
        check_run(arguments, typed)

    with chdir(folder):
        Path("folder").mkdir()
        Path("junk").write_bytes(bytes(range(256)))
        run()


def check_run(arguments: list[str], typed: bytes) -> None:
    """Run one command over the store of this folder, and look at how it ends."""
    before = _contents()
    ran = run_here(arguments, typed)
    assert not ran.crash, ran.crash
    assert ran.exit_code in EXIT_CODES, ran
    assert "Traceback" not in ran.stderr, ran.stderr
    assert "Internal error" not in ran.stderr, ran.stderr
    assert "internal_error" not in ran.stderr, ran.stderr
    if ran.exit_code == 2:
        assert _contents() == before


def run_here(arguments: list[str], typed: bytes) -> Run:
    """The command inside this process."""
    result = CliRunner().invoke(cli, ["--store", _STORE, *arguments], input=typed)
    crash = "" if result.exception is None or isinstance(result.exception, SystemExit) else _trace(result.exception)
    return Run(result.exit_code, result.stderr, crash)


def run_apart(arguments: list[str], typed: bytes, folder: Path) -> Run:
    """The command as a process of its own."""
    ran = subprocess.run(
        [sys.executable, "-W", "error", "-m", "clew", "--store", _STORE, *arguments],
        cwd=folder, input=typed, capture_output=True, timeout=60, check=False,
    )  # fmt: skip
    return Run(ran.returncode, ran.stderr.decode(errors="replace"), "")


def _fill() -> None:
    with clew.open(_STORE, durability="normal") as store:
        store.create_session("first", messages=[{"role": "user"}], id=SESSION, checkpoint_id=CHECKPOINT)
        store.append(SESSION, [{"role": "assistant"}], id=OTHER, label="name")


def _contents() -> str:
    with clew.open(_STORE) as store:
        return contents(store)


def _trace(error: BaseException) -> str:
    return "".join(traceback.format_exception(error))


def process_lines() -> Iterator[tuple[list[str], bytes]]:
    """A few commands for processes of their own: bytes that are no messages, and words that are no arguments."""
    yield ["append", str(SESSION), "junk"], b""
    yield ["append", str(SESSION)], b"\xff\xfe[{"
    yield ["new", "\x1b[31m", "--messages", "messages.json", "--json"], b""
    yield ["import", "messages", "messages.json"], b""
    yield ["import", "stakpak", "junk", "--json"], b""
    yield ["show", "0000", "--limit", "-9"], b""
