"""A disk without room: a clear error, everything there stays readable, and writing goes on when there is room."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.faults.layers import below
from tests.faults.processes import ROOT
from tests.faults.space import Failing, Filling, Writing, check_refusal

import clew

WRITES = range(0, 40, 3)


@pytest.mark.parametrize("durability", ["full", "normal"])
def test_a_write_without_room_changes_nothing_and_succeeds_once_there_is_room(tmp_path: Path, durability) -> None:
    disk = Filling()
    with below(disk, autocheckpoint=20), clew.open(tmp_path / "agent.db", durability=durability) as store:
        writing = Writing(store, 1)
        for room in WRITES:
            disk.left = room
            check_refusal(writing.until_refused(), disk.words)
            writing.check()
            disk.left = None
            assert writing.step() is None
            writing.check()
    assert disk.refused >= len(WRITES)


@pytest.mark.parametrize("room", range(12))
def test_a_new_store_on_a_full_disk_says_why_not_and_opens_once_there_is_room(tmp_path: Path, room: int) -> None:
    disk = Filling()
    with below(disk):
        disk.left = room
        with pytest.raises(clew.UnavailableError) as refusal:
            clew.open(tmp_path / "agent.db")
        check_refusal(refusal.value, disk.words)
        disk.left = None
        with clew.open(tmp_path / "agent.db") as store:
            writing = Writing(store, room)
            assert writing.step() is None
            writing.check()


def test_a_sync_that_fails_is_an_error_and_loses_no_other_write(tmp_path: Path) -> None:
    disk = Failing()
    with below(disk, autocheckpoint=0), clew.open(tmp_path / "agent.db") as store:
        writing = Writing(store, 3)
        for room in range(8):
            disk.left = room
            check_refusal(writing.until_refused(), disk.words)
            writing.check()
            disk.left = None
            assert writing.step() is None
            writing.check()
    assert disk.refused >= 8


@pytest.mark.skipif(not hasattr(os, "setsid"), reason="there is no limit on the size of files here")
@pytest.mark.parametrize("room", [0, 1_000, 50_000])
def test_a_file_that_may_not_grow_is_written_again_once_it_may(tmp_path: Path, room: int) -> None:
    limited = [sys.executable, "-W", "error", "-m", "tests.faults.limited", str(tmp_path / "agent.db"), "1", str(room)]
    ran = subprocess.run(limited, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert ran.returncode == 0, ran.stderr
