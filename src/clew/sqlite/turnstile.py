"""Turns between processes that write one file.

SQLite's own waiting lets whoever polls at the right moment in: of four processes writing as fast as they can, one was
seen to get a single transaction in two seconds. Here a process that wants to write first becomes *next* (there is only
one), then waits for its *turn*; whoever just wrote has to become next again, behind it. Both are locks on one byte of a
file of their own, because SQLite's locks live on the database file and closing any descriptor of that would drop them.
The kernel releases them with the process, however it ends.
"""

import errno
import os
import time

from clew.errors import UnavailableError

try:
    import fcntl
except ImportError:  # pragma: no cover - Windows: SQLite's own waiting has to do
    fcntl = None  # type: ignore[assignment]

_NEXT = 0
_TURN = 1
_POLL_SECONDS = 0.00005
_HELD = {errno.EACCES, errno.EAGAIN}


class Turnstile:
    """Held by one process at a time. Not for threads: the engine lets one of its threads at it."""

    def __init__(self, database_path: str) -> None:
        self.path = f"{database_path}-lock"
        self._descriptor = -1
        if fcntl is not None:
            try:
                self._descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            except OSError as error:
                raise UnavailableError(f"cannot open the lock file {self.path}: {error.strerror}") from error

    def acquire(self, deadline: float) -> None:
        """Wait for the turn until `deadline` (of `time.monotonic`), then UnavailableError."""
        if self._descriptor < 0:
            return
        self._lock(_NEXT, deadline)
        try:
            self._lock(_TURN, deadline)
        finally:
            self._unlock(_NEXT)

    def release(self) -> None:
        """Let the next process in."""
        if self._descriptor >= 0:
            self._unlock(_TURN)

    def close(self) -> None:
        """Let go of the lock file, which stays: removing it would race with a process that has just opened it."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _lock(self, byte: int, deadline: float) -> None:
        while not self._try_lock(byte):
            if time.monotonic() >= deadline:
                raise UnavailableError("the store stayed locked by another process beyond the time limit")
            time.sleep(_POLL_SECONDS)

    def _try_lock(self, byte: int) -> bool:
        try:
            fcntl.lockf(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, byte)
        except OSError as error:
            if error.errno in _HELD:
                return False
            raise UnavailableError(f"cannot lock {self.path}: {error.strerror}") from error
        return True

    def _unlock(self, byte: int) -> None:
        fcntl.lockf(self._descriptor, fcntl.LOCK_UN, 1, byte)
