"""A process that writes until its files may not grow any more, and goes on in the same store once they may.

python -m tests.faults.limited PATH SEED BYTES
"""

import resource
import signal
import sys
from pathlib import Path

import apsw
from tests.faults.space import UNUSABLE, Writing, check_refusal

import clew

_BEFORE = 5
_AFTER = 20
_PAGES_OF_LOG = 20  # after so many the log is moved into the file, which may fail as well


def main() -> None:
    """Do it, and say so."""
    path, seed, room = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # the write fails instead of ending the process
    apsw.connection_hooks.append(lambda connection: connection.wal_autocheckpoint(_PAGES_OF_LOG))
    with clew.open(path, durability="full" if seed % 2 else "normal") as store:
        writing = Writing(store, seed)
        for _ in range(_BEFORE):
            assert writing.step() is None
        _limit(_largest(path) + room)
        refusal = writing.until_refused()
        check_refusal(refusal, UNUSABLE)
        writing.check()
        _limit(resource.RLIM_INFINITY)
        for _ in range(_AFTER):
            assert writing.step() is None
        writing.check()
        _limit(0)  # closing moves the log into the file, which may not grow
    _limit(resource.RLIM_INFINITY)
    with clew.open(path) as writing.store:
        writing.check()
    sys.stdout.write(f"{len(writing.history.made)} steps, {refusal}\n")


def _largest(path: Path) -> int:
    return max(file.stat().st_size for file in path.parent.glob(f"{path.name}*"))


def _limit(size: int) -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))


if __name__ == "__main__":
    main()
