"""Turns between processes: bounded waits, no place lost, and nothing held by accident."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import clew
from clew.sqlite.turnstile import Turnstile

pytest.importorskip("fcntl")

HOLDER = """
import sys, time
from clew.sqlite.turnstile import Turnstile
turnstile = Turnstile(sys.argv[1])
turnstile.acquire(time.monotonic() + 60)
print("held", flush=True)
sys.stdin.readline()
turnstile.release()
print("released", flush=True)
sys.stdin.readline()
"""


class Holder:
    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process
        self.expect("held")

    def expect(self, word: str) -> None:
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == f"{word}\n"

    def release(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        self.expect("released")

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()


@contextmanager
def another_process_holding(path: Path) -> Iterator[Holder]:
    command = [sys.executable, "-c", HOLDER, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield Holder(process)
        process.kill()


def soon() -> float:
    return time.monotonic() + 60


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store.db"


@pytest.fixture
def turnstile(path: Path) -> Iterator[Turnstile]:
    turnstile = Turnstile(str(path))
    yield turnstile
    turnstile.close()


def test_a_free_turn_is_had_at_once_and_again(turnstile: Turnstile) -> None:
    for _ in range(3):
        turnstile.acquire(time.monotonic())
        turnstile.release()


def test_waiting_for_another_process_has_a_limit(path: Path, turnstile: Turnstile) -> None:
    with another_process_holding(path), pytest.raises(clew.UnavailableError, match="locked by another process"):
        turnstile.acquire(time.monotonic() + 0.01)


def test_a_turn_comes_when_the_other_process_releases_it(path: Path, turnstile: Turnstile) -> None:
    with another_process_holding(path) as holder:
        with pytest.raises(clew.UnavailableError):
            turnstile.acquire(time.monotonic() + 0.01)
        holder.release()
        turnstile.acquire(soon())
        turnstile.release()


def test_a_turn_comes_when_the_other_process_dies(path: Path, turnstile: Turnstile) -> None:
    with another_process_holding(path) as holder:
        holder.kill()
        turnstile.acquire(soon())
        turnstile.release()


def test_a_turn_that_nobody_waits_for_any_more_is_let_go(path: Path, turnstile: Turnstile) -> None:
    with another_process_holding(path) as holder:
        with pytest.raises(clew.UnavailableError):
            turnstile.acquire(time.monotonic() + 0.01)
        holder.release()
        with another_process_holding(path) as third:  # would wait for ever were the turn kept
            third.release()


def test_the_lock_file_is_private_and_beside_the_database(path: Path, turnstile: Turnstile) -> None:
    assert turnstile.path == f"{path}-lock"
    assert Path(turnstile.path).stat().st_mode & 0o077 == 0


def test_a_write_waits_for_its_turn_and_reads_do_not(path: Path) -> None:
    with clew.open(path, busy_timeout=0.05) as store:
        store.create_session("before")
        with another_process_holding(path) as holder:
            with pytest.raises(clew.UnavailableError, match="locked by another process"):
                store.create_session("during")
            assert store.list_sessions().total == 1
            holder.release()
            store.create_session("after")
        assert store.list_sessions().total == 2
