"""Disks without room: simulated, by a limit on files, and a real one where mounting is permitted."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.faults.layers import below
from tests.faults.processes import ROOT
from tests.faults.space import NO_SPACE, Failing, Filling, Refusing, Writing, check_refusal, filled

import clew
from soak.plan import Plan

_DISK_BYTES = 3_000_000
_TIMES_FULL = 8


def full_disks(plan: Plan) -> Iterator[str]:
    """Each kind of a disk without room."""
    yield _simulated(plan, Filling(), "writes without room")
    yield _simulated(plan, Failing(), "syncs that fail", autocheckpoint=0)
    yield _limited(plan)
    yield _mounted(plan)


def _simulated(plan: Plan, disk: Refusing, what: str, autocheckpoint: int = 20) -> str:
    with below(disk, autocheckpoint=autocheckpoint), clew.open(plan.folder / f"{disk.__class__.__name__}.db") as store:
        writing = Writing(store, plan.seed)
        try:
            for room in range(plan.some(150, 10)):
                _refuse_once(disk, writing, room % 40)
        finally:
            disk.left = None
    return f"{disk.refused:,} {what}: nothing lost, written again afterwards"


def _refuse_once(disk: Refusing, writing: Writing, room: int) -> None:
    disk.left = room
    check_refusal(writing.until_refused(), disk.words)
    writing.check()
    disk.left = None
    assert writing.step() is None


def _limited(plan: Plan) -> str:
    count = plan.some(60, 3)
    for seed in plan.seeds(count):
        path, room = plan.folder / f"limited-{seed}.db", str(seed * 7_919 % 50_000)
        ran = subprocess.run(
            [sys.executable, "-W", "error", "-m", "tests.faults.limited", str(path), str(seed), room],
            cwd=ROOT, capture_output=True, text=True, timeout=300, check=False,
        )  # fmt: skip
        assert ran.returncode == 0, f"seed {seed}, room {room}: {ran.stderr}"
    return f"{count} processes whose files may not grow: a clear error each, written again once they may"


def _mounted(plan: Plan) -> str:
    mount = plan.folder / "disk"
    mount.mkdir()
    options = ["-t", "tmpfs", "-o", f"size={_DISK_BYTES}", "tmpfs", str(mount)]
    permitted = subprocess.run(["mount", *options], capture_output=True, text=True, check=False)
    if permitted.returncode:
        return f"a real full disk: skipped, because nothing can be mounted here ({permitted.stderr.strip()})"
    try:
        return _real(plan, mount)
    finally:
        subprocess.run(["umount", str(mount)], check=True)


@contextmanager
def _closed_when_full(disk: Path) -> Iterator[clew.Store]:
    """A store that is closed while its disk is full."""
    store = clew.open(disk / "agent.db")
    try:
        yield store
    finally:
        with filled(disk):
            store.close()


def _real(plan: Plan, disk: Path) -> str:
    with _closed_when_full(disk) as store:
        writing = Writing(store, plan.seed)
        for number in range(_TIMES_FULL):
            with filled(disk, room=number * 30_000):
                check_refusal(writing.until_refused(), NO_SPACE)
                writing.check()
            for _ in range(5):
                assert writing.step() is None
            writing.check()
    with clew.open(disk / "agent.db") as writing.store:
        writing.check()
    return f"a real disk full {_TIMES_FULL} times: {len(writing.history.made)} steps, all there"
