"""Functions that the queries call."""

import apsw

from clew.hashing import row_seal
from clew.relational.matching import contains


def register_functions(connection: apsw.Connection) -> None:
    """Make clew's functions known to a connection."""
    connection.create_scalar_function("clew_contains", lambda *values: int(contains(*values)), 3, deterministic=True)
    connection.create_scalar_function("clew_seal", lambda *values: row_seal(values), -1, deterministic=True)
