"""Emptying the write-ahead log, where older copies of pages keep what was purged."""

import apsw

from clew.errors import UnavailableError

_LATER = "they go with the next purge or when the store is closed"
_PATIENCE_MILLISECONDS = 5  # for a read that is nearly over


def empty_wal(connection: apsw.Connection) -> bool:
    """Move the write-ahead log into the file and cut it to nothing; False while a reader still needs it.

    Purged bytes are zeroed in the file's pages, but older copies of these pages stay in the log until it is emptied.
    """
    # Who waits here keeps every writer waiting. The caller waits instead, and tries again.
    connection.set_busy_timeout(_PATIENCE_MILLISECONDS)
    ((busy, _, _),) = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    return not busy


def wal_still_held(what: str) -> UnavailableError:
    """For a change that is committed, while a reader keeps older bytes in the log."""
    return UnavailableError(
        f"{what}, but a reader kept its bytes in the write-ahead log beyond the time limit; {_LATER}"
    )


def wal_not_emptied(what: str, error: Exception) -> UnavailableError:
    """For a change that is committed, where the log cannot be emptied after it."""
    return UnavailableError(f"{what}, but its bytes could not be removed from the write-ahead log ({error}); {_LATER}")
