"""The one place where SQLite's errors become clew's."""

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

import apsw

from clew.errors import CorruptStateError, InternalError, StorageError, UnavailableError

_LOCKED = (apsw.BusyError, apsw.LockedError)
_DAMAGED = (apsw.CorruptError, apsw.NotADBError, apsw.FormatError)
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
        return CorruptStateError(f"the file is damaged{_where(checkpoint_id)}: {error}", checkpoint_id)
    if isinstance(error, UnicodeDecodeError):
        return CorruptStateError(f"stored text is not UTF-8{_where(checkpoint_id)}", checkpoint_id)
    if isinstance(error, apsw.FullError):
        return UnavailableError(f"no space left to write: {error}")
    if isinstance(error, _UNUSABLE):
        return UnavailableError(f"the file cannot be used: {error}")
    if isinstance(error, apsw.ConnectionClosedError):
        return closed()
    return InternalError(f"{type(error).__name__}: {error}")


@contextmanager
def translating(checkpoint_id: UUID | None = None) -> Iterator[None]:
    """Raise the clew error for whatever the driver raises inside."""
    try:
        yield
    except (apsw.Error, UnicodeDecodeError, MemoryError) as error:
        raise translated(error, checkpoint_id) from error


def closed() -> UnavailableError:
    return UnavailableError("the store is closed")


def _where(checkpoint_id: UUID | None) -> str:
    return "" if checkpoint_id is None else f" at checkpoint {checkpoint_id}"
