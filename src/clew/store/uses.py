"""When each API key was last seen here, so that its use is written down now and then and not with every request."""

import threading
from uuid import UUID

from clew.model import ApiKey
from clew.times import to_micros


class KeyUses:
    """What a store remembers of keys that were used. Safe to use from many threads at once."""

    def __init__(self, seconds: float) -> None:
        """Of the uses within so many seconds one is written down."""
        self._span = int(seconds * 1_000_000)
        self._tried: dict[UUID, int] = {}
        self._mutex = threading.Lock()

    def is_due(self, key: ApiKey, now: int) -> bool:
        """Whether this use is to be written down: the caller does so now, or it has to wait its time again.

        What could not be written counts as well, or a store that cannot be written to would be tried at every request.
        """
        if key.last_used_at is not None and now - to_micros(key.last_used_at) < self._span:
            return False
        with self._mutex:
            tried = self._tried.get(key.id)
            if tried is not None and abs(now - tried) < self._span:
                return False
            self._tried[key.id] = now
        return True
