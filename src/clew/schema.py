"""The schema of a store, for whoever changes it by hand. Opening a store for writing upgrades it anyway."""

import os
from types import TracebackType
from typing import Self

from clew.backend import Migratable
from clew.errors import InvalidRequestError
from clew.limits import DEFAULT_BUSY_TIMEOUT
from clew.model import MigrationStatus
from clew.opening import open_schema


class Migrations:
    """The migrations of one store. Made by `clew.migrations`; close it, or use it with ``with``."""

    def __init__(self, backend: Migratable) -> None:
        self._backend = backend

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def status(self) -> MigrationStatus:
        """The versions applied and pending."""
        return self._backend.migration_status()

    def up(self) -> list[int]:
        """Apply what is pending, each migration in a transaction of its own, and return the versions applied."""
        return self._backend.migrate()

    def rollback(self, to: int | None = None, *, discard: bool = False) -> list[int]:
        """Undo the newest migration, or all above version `to`, newest first, and return the versions undone.

        InvalidRequestError where that would discard stored sessions, unless `discard` says to.
        """
        current = self.status().current
        target = current - 1 if to is None else to
        if isinstance(target, bool) or not isinstance(target, int) or (to is not None and not 0 <= to <= current):
            raise InvalidRequestError(f"to must be a version from 0 to {current}, not {to!r}")
        undone = []
        while self.status().current > max(target, 0):
            version = self._backend.roll_back(discard=discard)
            if version is None:
                break
            undone.append(version)
        return undone

    def close(self) -> None:
        """Let go of the store."""
        self._backend.close()


def migrations(url: str | os.PathLike[str] | None = None, *, busy_timeout: float = DEFAULT_BUSY_TIMEOUT) -> Migrations:
    """The migrations of the store at `url` (as for `clew.open`), which is opened without changing its schema."""
    return Migrations(open_schema(url, busy_timeout))
