"""What can be wrong with the search index of a file, and what is done about it."""

from types import TracebackType

import apsw

from clew.errors import CorruptStateError, InternalError
from clew.relational import index_check, indexing
from clew.sqlite.transaction import SQLiteTransaction

UNWRITABLE = (apsw.CantOpenError, apsw.FullError, apsw.PermissionsError, apsw.ReadOnlyError)
"""What SQLite says where nothing can be written to the file, though it may be read."""

_TABLES = ("message_index", "message_place", "indexed_timeline", "search_state")


def mend(connection: apsw.Connection) -> None:
    """Throw the index away where it is damaged, so that the next search builds it anew; else make it one piece."""
    db = SQLiteTransaction(connection)
    if _is_whole(connection, db):
        db.execute("optimize_index", {})
    else:
        indexing.reset(db)


def _is_whole(connection: apsw.Connection, db: SQLiteTransaction) -> bool:
    try:
        db.execute("check_index", {})
        return index_check.is_right(db)
    except (apsw.CorruptError, apsw.SQLError):
        return False


class telling_damage:  # noqa: N801 - used as a statement
    """Around a search: where it fails because the index is damaged, the error says so, and what helps."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        if isinstance(error, (CorruptStateError, InternalError)) and _is_of_index(error.__cause__):
            raise CorruptStateError(f"the search index is damaged: {error.__cause__}; {index_check.MEND}") from error


def _is_of_index(cause: BaseException | None) -> bool:
    """Whether the driver complains about the index, and not about what it is made of."""
    if isinstance(cause, apsw.CorruptError):
        return getattr(cause, "extendedresult", None) == apsw.SQLITE_CORRUPT_VTAB or "fts5" in str(cause)
    return isinstance(cause, apsw.SQLError) and any(table in str(cause) for table in _TABLES)
