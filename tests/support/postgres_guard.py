"""Waits for the end of the process that started this one, then stops the servers in a folder and removes it.

    python postgres_guard.py FOLDER PG_CTL [UID GID]

It waits for the end of its standard input, which the system closes however that process ends.
"""

import shutil
import subprocess
import sys
from pathlib import Path

_TIME_LIMIT = 60


def main(folder: str, pg_ctl: str, uid: str | None = None, gid: str | None = None) -> None:
    """Wait, stop, remove."""
    sys.stdin.buffer.read()
    user = None if uid is None else int(uid)
    group = None if gid is None else int(gid)
    for lock in Path(folder).glob("*/postmaster.pid"):
        stop = [pg_ctl, "stop", "--silent", "--mode=immediate", f"--pgdata={lock.parent}"]
        subprocess.run(
            stop, user=user, group=group, extra_groups=None if uid is None else [], cwd="/", timeout=_TIME_LIMIT,
            stderr=subprocess.DEVNULL, check=False,
        )  # fmt: skip
    shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
