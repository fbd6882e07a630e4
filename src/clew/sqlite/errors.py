"""The one place where SQLite's errors become clew's."""

from types import TracebackType
from typing import ClassVar
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
    if isinstance(error, (apsw.Error, MemoryError)):
        return InternalError(f"{type(error).__name__}: {error}")
    return CorruptStateError(f"a stored row{_where(checkpoint_id)} cannot be read: {error}", checkpoint_id)


class translating:  # noqa: N801 - used as a statement: `with translating():`
    """Raise the clew error for whatever the driver raises inside.

    A class, because a context manager made of a generator costs several times as much, in every call of a backend.
    """

    __slots__ = ("_checkpoint_id",)
    errors: ClassVar[tuple[type[Exception], ...]] = (apsw.Error, UnicodeDecodeError, MemoryError)

    def __init__(self, checkpoint_id: UUID | None = None) -> None:
        self._checkpoint_id = checkpoint_id

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        if isinstance(error, self.errors):
            raise translated(error, self._checkpoint_id) from error


class reading_rows(translating):  # noqa: N801
    """The same where rows are read too: damage can give a column a value of another type than it was written with."""

    __slots__ = ()
    errors = (*translating.errors, ArithmeticError, AttributeError, LookupError, TypeError, ValueError)


def closed() -> UnavailableError:
    return UnavailableError("the store is closed")


def _where(checkpoint_id: UUID | None) -> str:
    return "" if checkpoint_id is None else f" at checkpoint {checkpoint_id}"
