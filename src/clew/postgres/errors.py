"""The one place where PostgreSQL's errors become clew's.

The driver's texts never hold a password, but for those about a connection string that cannot be parsed: these are not
repeated.
"""

from typing import ClassVar
from uuid import UUID

import psycopg
import psycopg_pool
from psycopg import errors as pg

from clew.errors import (
    ConflictError,
    CorruptStateError,
    InternalError,
    StorageError,
    UnauthorizedError,
    UnavailableError,
)
from clew.relational.translation import READING, Translating, where

_TIMED_OUT = (pg.LockNotAvailable, pg.QueryCanceled)
_FORBIDDEN = (pg.InvalidAuthorizationSpecification, pg.InvalidPassword, pg.InsufficientPrivilege)
_DAMAGED = (pg.DataCorrupted, pg.IndexCorrupted)
_CONTENDED = (pg.SerializationFailure, pg.DeadlockDetected)
_UNUSABLE = (
    psycopg.OperationalError,
    psycopg.InterfaceError,
    pg.ReadOnlySqlTransaction,
    pg.UndefinedTable,
    pg.InvalidSchemaName,
)

LOST: tuple[type[Exception], ...] = (psycopg.OperationalError, psycopg.InterfaceError, pg.ReadOnlySqlTransaction)
"""What is raised where a connection is gone, or leads to a server that no longer takes writes."""

ROLLED_BACK: tuple[type[Exception], ...] = (*_CONTENDED, pg.UniqueViolation)
"""What another writer can cause: nothing has happened, and the next attempt sees what that one did."""


def translated(error: Exception, checkpoint_id: UUID | None = None) -> StorageError:
    """The clew error for an error of the driver."""
    if isinstance(error, StorageError):
        return error
    if isinstance(error, psycopg_pool.PoolTimeout):
        return UnavailableError(
            "all connections of the store stayed busy, or none could be made, within the time limit"
        )
    if isinstance(error, psycopg_pool.PoolClosed):
        return closed()
    if isinstance(error, _TIMED_OUT):
        return UnavailableError(f"the store stayed locked or busy beyond the time limit: {_text(error)}")
    if isinstance(error, _FORBIDDEN):
        return UnauthorizedError(f"the server refuses: {_text(error)}")
    if isinstance(error, _DAMAGED):
        return CorruptStateError(f"the database is damaged{where(checkpoint_id)}: {_text(error)}", checkpoint_id)
    if isinstance(error, _CONTENDED):
        return UnavailableError(f"other writers kept coming first within the time limit: {_text(error)}")
    if isinstance(error, pg.UniqueViolation):
        return ConflictError(f"an id or a name is taken by another write: {_text(error)}")
    if isinstance(error, _UNUSABLE):
        return UnavailableError(f"the server cannot be used: {_text(error)}")
    if isinstance(error, (psycopg.Error, MemoryError)):
        return InternalError(f"{type(error).__name__}: {_text(error)}")
    return CorruptStateError(f"a stored row{where(checkpoint_id)} cannot be read: {error}", checkpoint_id)


class translating(Translating):  # noqa: N801 - used as a statement: `with translating():`
    """Around what calls the driver."""

    __slots__ = ()
    errors: ClassVar[tuple[type[Exception], ...]] = (psycopg.Error, MemoryError)
    translated = staticmethod(translated)


class reading_rows(translating):  # noqa: N801
    """The same where rows are read too."""

    __slots__ = ()
    errors = (*translating.errors, *READING)


def closed() -> UnavailableError:
    return UnavailableError("the store is closed")


def unknown_outcome(error: Exception) -> UnavailableError:
    """For a write whose connection was lost while it was being committed."""
    return UnavailableError(
        f"the connection was lost during the commit, so nobody knows whether the change was written: {_text(error)}"
    )


def _text(error: Exception) -> str:
    """What the server says, on one line."""
    return " ".join(str(error).split())
