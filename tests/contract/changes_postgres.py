"""Every change of one value in the tables of a PostgreSQL store, each made and taken back."""

from collections.abc import Iterator
from typing import Any, NamedTuple
from uuid import UUID

import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb

Connection = psycopg.Connection[tuple[Any, ...]]

DATA = (
    "clew_session", "clew_tip", "clew_session_count", "clew_checkpoint", "clew_timeline", "clew_entry", "clew_content",
    "clew_attachment", "clew_waiting_attachment", "clew_chunk",
)  # fmt: skip
"""The tables, but for those of numbers of changes, which are only to grow."""

_OTHERS: dict[str, Any] = {"uuid": UUID(int=1), "text": "x", "bytea": b"0" * 16, "jsonb": {}}
"""By type: what NULL turns into; a number where it is none of these."""

_COLUMNS = """
    SELECT attname, format_type(atttypid, NULL) FROM pg_attribute
    WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum
"""
_KEYS = """
    SELECT a.attname FROM pg_index AS i JOIN pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey)
    WHERE i.indrelid = %s::regclass AND i.indisunique
"""


class Change(NamedTuple):
    """Another value in one column of one row; `row` is all of it as it was.

    A row whose key has changed is lost from its place, and perhaps found in another.
    """

    table: str
    column: str
    row: dict[str, Any]
    value: Any
    is_of_key: bool

    @property
    def place(self) -> tuple[str, str]:
        """The table and the column."""
        return self.table, self.column


def each_change(url: str) -> Iterator[Change]:
    """Every change of one bit or letter that PostgreSQL lets through, while it is there."""
    with psycopg.connect(url, autocommit=True) as connection:
        for change in list(_changes(connection)):
            changed = {**change.row, change.column: change.value}
            if _replace(connection, change.table, change.row, changed):
                yield change
                assert _replace(connection, change.table, changed, change.row)


def _changes(connection: Connection) -> Iterator[Change]:
    for table in DATA:
        kinds: dict[str, str] = dict(connection.execute(_COLUMNS, (table,)).fetchall())
        keys = {name for (name,) in connection.execute(_KEYS, (table,)).fetchall()}
        for values in connection.execute(f"SELECT * FROM {table}".encode()).fetchall():
            row = dict(zip(kinds, values, strict=True))
            for name, kind in kinds.items():
                yield Change(table, name, row, _changed(row[name], kind), name in keys)


def _changed(value: Any, kind: str) -> Any:
    """Something else of the same type, one bit or letter away."""
    if value is None:
        return _OTHERS.get(kind, 1)
    if isinstance(value, int):
        return value ^ 1
    if isinstance(value, UUID):
        return UUID(int=value.int ^ 1)
    if isinstance(value, dict):
        return {**value, next(iter(value)): 2}
    return value[:-1] + (bytes([value[-1] ^ 1]) if isinstance(value, bytes) else chr(ord(value[-1]) ^ 1))


def _replace(connection: Connection, table: str, row: dict[str, Any], other: dict[str, Any]) -> bool:
    """Put another row in the place of one; whether PostgreSQL let it through."""
    update = sql.SQL("UPDATE {table} SET ({names}) = ROW({values}) WHERE ({names}) IS NOT DISTINCT FROM ROW({values})")
    names = sql.SQL(", ").join(map(sql.Identifier, row))
    values = sql.SQL(", ").join(sql.Placeholder() for _ in row)
    given = [Jsonb(value) if isinstance(value, dict) else value for value in (*other.values(), *row.values())]
    try:
        done = connection.execute(update.format(table=sql.Identifier(table), names=names, values=values), given)
    except psycopg.IntegrityError:
        return False
    assert done.rowcount == 1
    return True
