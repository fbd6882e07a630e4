"""Giving back space: content that nothing refers to any more, and pages that nothing is on."""

import os

import apsw

from clew.sqlite.connections import pragma


def vacuum(connection: apsw.Connection) -> None:
    """Write the whole file anew without what is free, outside of any transaction.

    In a write-ahead log readers go on meanwhile with what was there before. The copy that SQLite makes is as large as
    the file, so it goes to a temporary file, which has no name, and not to memory.
    """
    pragma(connection, "temp_store = FILE")
    try:
        connection.execute("VACUUM")
    finally:
        pragma(connection, "temp_store = MEMORY")


def size(connection: apsw.Connection, path: str | None) -> int:
    """The bytes that the store takes: of its file and write-ahead log, or of memory."""
    if path is None:
        return int(pragma(connection, "page_count")) * int(pragma(connection, "page_size"))
    return sum(os.path.getsize(name) for name in (path, f"{path}-wal") if os.path.exists(name))
