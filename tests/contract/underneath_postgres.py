"""The tables of a PostgreSQL store, read by hand as those of an SQLite file are.

What finds content is a family and a key here, and the columns of a session lie in two tables: put so, both kinds of
tables are compared with the model by the same code.
"""

from typing import Any
from uuid import UUID

import psycopg
from psycopg.rows import dict_row
from tests.contract.underneath import Row, Tables

Connection = psycopg.Connection[Row]

_HASH_BYTES = 16
_SESSIONS = """
    SELECT * FROM clew_session AS s
    JOIN clew_tip AS t ON t.session = s.key AND t.id = s.id AND t.owner IS NOT DISTINCT FROM s.owner
"""
_COUNTERS = "SELECT status AS name, sum(sessions)::bigint AS value FROM clew_session_count GROUP BY status"


def read_tables(connection: Connection) -> Tables:
    """All rows, of one moment."""
    with connection.transaction():
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        tables = {name: _rows(connection, f"SELECT * FROM clew_{name}") for name in _PLAIN}
        return Tables(
            session=_rows(connection, _SESSIONS),
            counter=_rows(connection, _COUNTERS),
            content=[_content(row) for row in _rows(connection, "SELECT * FROM clew_content")],
            **tables,
        )


def connect(url: str) -> Connection:
    """A connection to read tables by."""
    return psycopg.connect(url, autocommit=True, row_factory=dict_row)


_PLAIN = ("checkpoint", "timeline", "entry", "attachment", "waiting_attachment", "chunk", "api_key")
_REFERENCES = ("metadata", "content", "whole")


def _rows(connection: Connection, sql: str) -> list[Row]:
    return [_row(row) for row in connection.execute(sql.encode()).fetchall()]


def _row(row: Row) -> Row:
    """Ids as bytes, and with each key of content its family."""
    values = {name: value.bytes if isinstance(value, UUID) else value for name, value in row.items()}
    return {**values, **{name: _place(row, name) for name in _REFERENCES if name in row}}


def _place(row: Row, name: str) -> tuple[int, bytes] | None:
    return None if row[name] is None else (row["family"], row[name])


def _content(row: Row) -> Row:
    """Text where it is a message or metadata: an odd number after the hash says that it is not."""
    hash, tie = row["key"][:_HASH_BYTES], int.from_bytes(row["key"][_HASH_BYTES:])
    body: Any = row["body"] if tie % 2 else row["body"].decode()
    return {"key": (row["family"], row["key"]), "family": row["family"], "hash": hash, "tie": tie, "body": body}
