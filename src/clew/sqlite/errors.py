"""The one place where SQLite's errors become clew's."""

from typing import ClassVar
from uuid import UUID

import apsw

from clew.errors import ConflictError, CorruptStateError, InternalError, StorageError, UnavailableError
from clew.relational.translation import READING, Translating, where

_LOCKED = (apsw.BusyError, apsw.LockedError)
_DAMAGED = (apsw.CorruptError, apsw.NotADBError, apsw.FormatError)
_TAKEN = (apsw.SQLITE_CONSTRAINT_PRIMARYKEY, apsw.SQLITE_CONSTRAINT_UNIQUE)
_UNUSABLE = (
    apsw.CantOpenError,
    apsw.FullError,
    apsw.IOError,
    apsw.NoLFSError,
    apsw.PermissionsError,
    apsw.ProtocolError,
    apsw.ReadOnlyError,
)


def translated(error: Exception, checkpoint_id: UUID | None = None) -> StorageError:
    """The clew error for an error of the driver."""
    if isinstance(error, StorageError):
        return error
    if isinstance(error, _LOCKED):
        return UnavailableError(f"the store stayed locked beyond the time limit: {error}")
    if isinstance(error, _DAMAGED):
        return CorruptStateError(f"the file is damaged{where(checkpoint_id)}: {error}", checkpoint_id)
    if isinstance(error, UnicodeDecodeError):
        return CorruptStateError(f"stored text is not UTF-8{where(checkpoint_id)}", checkpoint_id)
    if isinstance(error, apsw.FullError):
        return UnavailableError(f"no space left to write: {error}")
    if isinstance(error, _UNUSABLE):
        return UnavailableError(f"the file cannot be used: {error}")
    if isinstance(error, apsw.ConstraintError) and getattr(error, "extendedresult", None) in _TAKEN:
        return ConflictError(f"an id or a name is taken by another write: {error}")
    if isinstance(error, apsw.ConnectionClosedError):
        return closed()
    if isinstance(error, (apsw.Error, MemoryError)):
        return InternalError(f"{type(error).__name__}: {error}")
    return CorruptStateError(f"a stored row{where(checkpoint_id)} cannot be read: {error}", checkpoint_id)


class translating(Translating):  # noqa: N801 - used as a statement: `with translating():`
    """Around what calls the driver."""

    __slots__ = ()
    errors: ClassVar[tuple[type[Exception], ...]] = (apsw.Error, UnicodeDecodeError, MemoryError)
    translated = staticmethod(translated)


class reading_rows(translating):  # noqa: N801
    """The same where rows are read too."""

    __slots__ = ()
    errors = (*translating.errors, *READING)


def closed() -> UnavailableError:
    return UnavailableError("the store is closed")
