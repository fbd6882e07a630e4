"""Databases for the tests of importers that read some."""

import json
import random
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

Row = dict[str, Any]

VALUES: list[Any] = [
    None,
    0,
    -1,
    1.5,
    2**62,
    "",
    "x",
    "\0",
    "[]",
    "[1]",
    "{}",
    '{"a":[]}',
    '"x"',
    "{",
    b"\xff",
    "\u00e9",
]
"""What a column of SQLite may hold, and nobody expects."""

_JSON: list[Any] = [
    None,
    True,
    0,
    -1,
    1.5,
    10**30,
    "",
    "x",
    "\ud800",
    "\0",
    [],
    [1],
    [None],
    {},
    {"type": 1},
    {"a": []},
]


_HEADER_BYTES = 100


@contextmanager
def _opened(path: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA synchronous=OFF")  # a test loses nothing when the power goes
        yield connection


def make(path: Path, tables: dict[str, str], *, wal: bool = False) -> Path:
    """A database with these tables: the name of each and its columns."""
    path.unlink(missing_ok=True)
    with _opened(path) as connection:
        if wal:
            connection.execute("PRAGMA journal_mode=WAL")
        for name, columns in tables.items():
            connection.execute(f"CREATE TABLE {name} ({columns})")
        connection.commit()
    return path


def put(path: Path, table: str, *rows: Row) -> None:
    """Write rows, instead of those with the same key."""
    with _opened(path) as connection:
        for row in rows:
            names, marks = ", ".join(f'"{name}"' for name in row), ", ".join("?" * len(row))
            held = [json.dumps(value) if isinstance(value, (dict, list)) else value for value in row.values()]
            connection.execute(f"INSERT OR REPLACE INTO {table} ({names}) VALUES ({marks})", held)
        connection.commit()


def run(path: Path, statement: str) -> None:
    """Change a database."""
    with _opened(path) as connection:
        connection.execute(statement)
        connection.commit()


def damage(path: Path, text: bytes | None = None) -> None:
    """Destroy the first page that holds a text; without one, the page that says which tables there are."""
    held = bytearray(path.read_bytes())
    size = int.from_bytes(held[16:18])
    start = _HEADER_BYTES if text is None else held.index(text) // size * size
    end = (start // size + 1) * size
    held[start:end] = b"\x07" * (end - start)
    path.write_bytes(held)


def load(script: Path, path: Path) -> Path:
    """A database from a file of SQL, without what is in it for full text search."""
    with _opened(path) as connection:
        for statement in _statements(script.read_text()):
            if "_fts" not in statement and "TRANSACTION" not in statement and "COMMIT" not in statement:
                connection.execute(statement)
        connection.commit()
    return path


def _statements(script: str) -> Iterable[str]:
    held = ""
    for line in script.splitlines(keepends=True):
        held += line
        if sqlite3.complete_statement(held):
            yield held
            held = ""


def spoil(path: Path, chance: random.Random, *, keep: Iterable[str] = ()) -> None:
    """Put other values into some of the columns, and into some places of the JSON in them."""
    with _opened(path) as connection:
        connection.execute("PRAGMA foreign_keys=OFF")
        names = [name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
        for table in names:
            columns = [row[1] for row in connection.execute(f"PRAGMA table_info({table})") if row[1] not in keep]
            for rowid, *cells in list(connection.execute(f"SELECT rowid, {', '.join(_quoted(columns))} FROM {table}")):
                for column, cell in zip(columns, cells, strict=True):
                    value = chance.choice(VALUES) if chance.random() < 0.05 else _spoiled_text(cell, chance)
                    sql = f'UPDATE OR IGNORE {table} SET "{column}" = ? WHERE rowid = ?'
                    with suppress(sqlite3.IntegrityError):  # a key that is a number takes nothing else
                        connection.execute(sql, (value, rowid))
        connection.commit()


def _quoted(columns: list[str]) -> list[str]:
    return [f'"{column}"' for column in columns]


def _spoiled_text(cell: Any, chance: random.Random) -> Any:
    if not isinstance(cell, str) or cell[:1] not in ("{", "["):
        return cell
    return json.dumps(changed(json.loads(cell), chance))


def changed(value: Any, chance: random.Random) -> Any:
    """The JSON value with some of what is in it replaced."""
    if chance.random() < 0.06:
        return chance.choice(_JSON)
    if isinstance(value, dict):
        return {name: changed(inner, chance) for name, inner in value.items()}
    return [changed(inner, chance) for inner in value] if isinstance(value, list) else value
