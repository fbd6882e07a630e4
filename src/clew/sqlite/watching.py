"""Waiting for changes of a file, or of a database in memory."""

import time
from collections.abc import Callable

from clew import limits
from clew.backend import Watcher


class SQLiteWatcher(Watcher):
    """Asks again and again whether somebody has written; SQLite has no way to be told."""

    def __init__(self, look: Callable[[], object], close: Callable[[], None]) -> None:
        """`look` returns another value once somebody has written, and raises once the store is closed."""
        self._look = look
        self._close = close
        self._seen = look()

    def wait(self, timeout: float) -> None:
        deadline = time.monotonic() + timeout
        while (seen := self._look()) == self._seen and time.monotonic() < deadline:
            time.sleep(limits.WATCH_POLL_SECONDS)
        self._seen = seen

    def close(self) -> None:
        self._close()
