"""What SQLite itself can tell of a damaged file."""

import apsw

from clew.reports import Finding


def pages(connection: apsw.Connection) -> list[Finding]:
    """SQLite's own check of pages, b-trees, indexes and constraints."""
    found: list[Finding] = []
    try:
        # A connection that has searched before checks what it remembers of the search index, unless it looks again.
        connection.execute("SELECT rowid FROM message_index WHERE message_index MATCH 'x' LIMIT 1").fetchall()
    except apsw.Error as error:
        found.append(Finding(kind="search_index", message=f"the search index: {error}; `compact` has it built anew"))
    try:
        for (text,) in connection.execute("PRAGMA integrity_check"):
            if text != "ok":
                found.append(Finding(kind="file", message=f"SQLite: {text}"))
    except (apsw.CorruptError, apsw.NotADBError) as error:  # too damaged for the check to go on
        found.append(Finding(kind="file", message=f"SQLite: {error}"))
    return found


def foreign_keys(connection: apsw.Connection) -> list[Finding]:
    rows = connection.execute("PRAGMA foreign_key_check").fetchall()
    return [
        Finding(kind="reference", message=f"a row of {table} refers to one of {parent} that is not there")
        for table, _, parent, _ in rows
    ]
