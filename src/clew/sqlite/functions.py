"""Functions that the queries call."""

import apsw

from clew.hashing import row_seal
from clew.relational.matching import contains
from clew.sqlite.matching import rank


def register_functions(connection: apsw.Connection) -> None:
    """Make clew's functions known to a connection."""
    connection.create_scalar_function("clew_contains", lambda *values: int(contains(*values)), 3, deterministic=True)
    connection.create_scalar_function("clew_seal", lambda *values: row_seal(values), -1, deterministic=True)
    # That reads the schema, and whatever keeps it from it, another process that switches the file to WAL or a file that
    # is no database, it calls a missing FTS5. Read here before, the schema is at hand, and the error is the true one.
    connection.execute("SELECT 1 FROM sqlite_schema LIMIT 1").fetchall()
    connection.register_fts5_function("clew_rank", lambda api, *given: rank(api, given[0]))
