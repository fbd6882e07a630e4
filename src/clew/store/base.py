"""What all methods of a store share: the backend, the clock, what is remembered between calls, and the end."""

from collections.abc import Callable
from datetime import datetime
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self
from uuid import UUID

from clew import limits
from clew.backend import Backend
from clew.model import ACTIVE, KEEP, BackendInfo, Label
from clew.prefix_cache import PrefixCache
from clew.store.uses import KeyUses
from clew.times import now_micros, to_micros

if TYPE_CHECKING:
    from clew.aio import AsyncStore

Id = UUID | str
"""An id: a UUID, or its text."""


class StoreBase:
    """A store over a backend, without the methods that `clew.Store` is made of."""

    def __init__(self, backend: Backend, *, clock: Callable[[], int] = now_micros) -> None:
        """A store over `backend`; `clock` gives microseconds since 1970 in UTC."""
        self._backend = backend
        self._clock = clock
        self._written = PrefixCache(limits.PREFIX_CACHE_BYTES)
        self._uses = KeyUses(limits.KEY_USE_SECONDS)
        self._aio: AsyncStore | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Finish what is under way and let go of the data. A second call does nothing; any other call then raises."""
        self._backend.close()
        if self._aio is not None:
            self._aio._stop_threads()

    def backend_info(self) -> BackendInfo:
        """Where the data is kept, without secrets."""
        return self._backend.info()

    def _writing(self, updated_at: datetime | None) -> tuple[Backend, int]:
        """The backend to write to, and the time of what is written: of the clock, or of an importer."""
        if updated_at is None:
            return self._backend, self._clock()
        return self._backend.arriving(), to_micros(updated_at, "updated_at")


def spelled(value: Any) -> Any:
    """A value for a fingerprint, in which KEEP, ACTIVE and a label are no text or id that a caller could give."""
    if isinstance(value, Label):
        return ["LABEL", value.name]
    return [value.name] if value is KEEP or value is ACTIVE else value
