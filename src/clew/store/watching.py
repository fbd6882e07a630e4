"""The methods of a store that tell what others write to it."""

import threading
import time
from collections.abc import Generator, Iterator
from contextlib import closing, suppress
from uuid import UUID

from clew import checks, limits
from clew.backend import Backend, Changes
from clew.ids import to_id
from clew.model import Change
from clew.store.base import Id
from clew.store.maintenance import MaintenanceMethods


class WatchMethods(MaintenanceMethods):
    """Watching a store."""

    def last_change(self) -> int:
        """The number of the newest change, which `watch` can go on from."""
        return self._backend.last_change()

    def watch(
        self, session_id: Id | None = None, *, after: int | None = None, idle_timeout: float | None = None
    ) -> Iterator[Change]:
        """Yield changes of every session, or of one, as they happen, whoever makes them.

        Begins after the change with the number `after`: the `sequence` of the last one that was seen, or 0 for
        everything there is; None is from now on. Nothing is missed in between, though several changes of a session
        close together come as one, with the newest revision; what comes again after going on is the same change.
        Ends when nothing has changed for `idle_timeout` seconds, None never. InvalidRequestError where `after` is
        beyond the newest change, as in a store that was put back from a backup; UnavailableError once the store is
        closed, or where a server is away for longer than the time limit of a call: go on from the last number then.
        """
        wanted = None if session_id is None else to_id(session_id, "session_id")
        after = checks.optional_count(after, "after")
        idle_timeout = checks.optional_seconds(idle_timeout, "idle_timeout")
        if after is None:
            position = self._backend.last_change()
        else:
            position = after
            self._backend.list_changes(after, wanted, 1)  # which refuses here what it would refuse at the first look
        return _Watch(self._backend, wanted, position, idle_timeout)


class _Watch(Iterator[Change]):
    """Goes through the changes. `close` ends it from any thread, also one that waits for the next."""

    def __init__(self, backend: Backend, session_id: UUID | None, position: int, idle_timeout: float | None) -> None:
        self._ended = threading.Event()
        self._changes = _changes(backend, session_id, position, idle_timeout, self._ended)

    def __next__(self) -> Change:
        return next(self._changes)

    def close(self) -> None:
        """End it: whoever waits for the next change learns that there is none."""
        self._ended.set()
        with suppress(ValueError):  # another thread is inside, and sees for itself
            self._changes.close()


def _changes(
    backend: Backend, session_id: UUID | None, position: int, idle_timeout: float | None, ended: threading.Event
) -> Generator[Change, None, None]:
    told: dict[UUID, Change] = {}  # beyond what is decided, so these will be listed again
    quiet_since = time.monotonic()
    with closing(backend.open_watcher()) as watcher:
        while not ended.is_set():
            found = backend.list_changes(position, session_id, limits.WATCH_PAGE)
            for change in found.items:
                if not _is_told(change, told):
                    yield change
                    quiet_since = time.monotonic()
            position, told = found.decided, _still_open(found)
            if found.more:
                continue
            left = _left(idle_timeout, quiet_since)
            if left == 0:
                return
            watcher.wait(min(left, limits.WATCH_SECONDS))


def _is_told(change: Change, told: dict[UUID, Change]) -> bool:
    known = told.get(change.session_id)
    return known is not None and known.revision == change.revision


def _still_open(found: Changes) -> dict[UUID, Change]:
    """The changes that will be listed again."""
    return {change.session_id: change for change in found.items if change.sequence >= found.decided}


def _left(idle_timeout: float | None, quiet_since: float) -> float:
    return float("inf") if idle_timeout is None else max(quiet_since + idle_timeout - time.monotonic(), 0)
