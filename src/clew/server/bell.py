"""One watcher of the store for all who wait for changes over HTTP."""

import asyncio
import threading
import time

from clew import limits
from clew.backend import Backend
from clew.errors import StorageError

_REST_SECONDS = 5.0
"""How long the watcher goes on when nobody waits, so that who comes back at once finds it at work."""


class Bell:
    """Rings when something may have changed. The watcher is a thread, there while somebody waits."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._mutex = threading.Lock()
        self._waiting: set[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = set()
        self._rung = 0
        self._left_at = 0.0
        self._thread: threading.Thread | None = None
        self._stopped = False

    async def wait(self, heard: int, seconds: float) -> int:
        """How often it has rung, once that is more than `heard`, or after that many seconds."""
        event = asyncio.Event()
        entry = (asyncio.get_running_loop(), event)
        with self._mutex:
            if self._rung != heard or self._stopped:
                self._watch()
                return self._rung
            self._waiting.add(entry)
            self._watch()
        try:
            await asyncio.wait_for(event.wait(), seconds)
        except TimeoutError:
            pass
        finally:
            with self._mutex:
                self._waiting.discard(entry)
                self._left_at = time.monotonic()
        return self._rung

    @property
    def waiting(self) -> int:
        """How many wait for it."""
        return len(self._waiting)

    @property
    def is_stopped(self) -> bool:
        """Whether it will not ring again."""
        return self._stopped

    def stop(self) -> None:
        """Let go of everyone who waits, and of the watcher."""
        with self._mutex:
            self._stopped = True
            thread = self._thread
        self._ring()
        if thread is not None:
            thread.join()

    def _watch(self) -> None:
        if self._thread is None and not self._stopped:
            self._left_at = time.monotonic()
            self._thread = threading.Thread(target=self._run, name="clew-bell", daemon=True)
            self._thread.start()

    def _run(self) -> None:
        try:
            watcher = self._backend.open_watcher()
            try:
                self._ring()  # for what happened before it was open
                while self._is_needed():
                    watcher.wait(limits.WATCH_SECONDS)
                    self._ring()
            finally:
                watcher.close()
        except StorageError:  # the store is closed or cannot be reached: who waits finds that out
            with self._mutex:
                self._thread = None
            self._ring()

    def _is_needed(self) -> bool:
        with self._mutex:
            idle = not self._waiting and time.monotonic() - self._left_at > _REST_SECONDS
            if idle or self._stopped:
                self._thread = None
                return False
            return True

    def _ring(self) -> None:
        with self._mutex:
            self._rung += 1
            for loop, event in self._waiting:
                if not loop.is_closed():
                    loop.call_soon_threadsafe(event.set)
