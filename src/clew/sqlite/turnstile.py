"""Turns between processes that write one file.

SQLite's own waiting lets whoever polls at the right moment in: of four processes writing as fast as they can, one was
seen to get a single transaction in two seconds. Here a process that wants to write first becomes *next* (there is only
one), then waits for its *turn*; whoever just wrote has to become next again, behind it. Both are locks on one byte of a
file of their own, because SQLite's locks live on the database file and closing any descriptor of that would drop them.
The kernel releases them with the process, however it ends.
"""

import errno
import os
import threading
import time

from clew.errors import UnavailableError

try:
    import fcntl
except ImportError:  # pragma: no cover - Windows: SQLite's own waiting has to do
    fcntl = None  # type: ignore[assignment]

_NEXT = 0
_TURN = 1
_BOTH = 2
_HELD = {errno.EACCES, errno.EAGAIN}


class Turnstile:
    """Held by one process at a time. Not for threads: the engine lets one of its threads at it.

    Locks that are free are taken at once. To wait for one that is not, there is no call with a time limit, so a thread
    waits without one, and whoever asked waits for the thread. Should it give up, the thread keeps its place in the
    kernel's queue for whoever asks next, and lets go of a turn that nobody wants any more.
    """

    def __init__(self, database_path: str) -> None:
        self.path = f"{database_path}-lock"
        self._descriptor = -1
        self._mutex = threading.Lock()
        self._changed = threading.Condition(self._mutex)
        self._queued = False  # the thread is in the kernel's queue
        self._wanted = False  # somebody waits for the thread
        self._held = False
        self._error: OSError | None = None
        if fcntl is not None:
            try:
                self._descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            except OSError as error:
                raise UnavailableError(f"cannot open the lock file {self.path}: {error.strerror}") from error

    def acquire(self, deadline: float) -> None:
        """Wait for the turn until `deadline` (of `time.monotonic`), then UnavailableError."""
        if self._descriptor < 0:
            return
        with self._mutex:
            if not self._queued and self._try_at_once():
                return
            self._wanted = True
            try:
                self._wait(deadline)
            finally:
                self._wanted = False

    def release(self) -> None:
        """Let the next process in; nothing where the turn is not held."""
        with self._mutex:
            if self._held:
                self._held = False
                self._unlock(_TURN)

    def close(self) -> None:
        """Let go of the lock file, which stays: removing it would race with a process that has just opened it."""
        with self._mutex:
            if self._descriptor >= 0:
                os.close(self._descriptor)
                self._descriptor = -1

    def _try_at_once(self) -> bool:
        try:
            fcntl.lockf(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB, _BOTH, _NEXT)
        except OSError as error:
            if error.errno not in _HELD:
                raise UnavailableError(f"cannot lock {self.path}: {error.strerror}") from error
            return False
        self._unlock(_NEXT)
        self._held = True
        return True

    def _wait(self, deadline: float) -> None:
        if not self._queued:
            self._queued = True
            threading.Thread(target=self._queue_up, name="clew-turn", daemon=True).start()
        while not self._held:
            remaining = deadline - time.monotonic()
            if remaining <= 0:
                raise UnavailableError("the store stayed locked by another process beyond the time limit")
            self._changed.wait(min(remaining, threading.TIMEOUT_MAX))
            if self._error is not None:
                error, self._error = self._error, None
                raise UnavailableError(f"cannot lock {self.path}: {error.strerror}") from error

    def _queue_up(self) -> None:
        try:
            fcntl.lockf(self._descriptor, fcntl.LOCK_EX, 1, _NEXT)
            fcntl.lockf(self._descriptor, fcntl.LOCK_EX, 1, _TURN)
        except OSError as error:
            self._leave_queue(error)
        else:
            self._leave_queue(None)

    def _leave_queue(self, error: OSError | None) -> None:
        with self._mutex:
            self._queued = False
            self._unlock(_NEXT)
            if error is None and self._wanted:
                self._held = True
            else:
                self._unlock(_TURN)
            if self._wanted:
                self._error = error
            self._changed.notify_all()

    def _unlock(self, byte: int) -> None:
        if self._descriptor >= 0:
            fcntl.lockf(self._descriptor, fcntl.LOCK_UN, 1, byte)
