"""What is in a store whose file is to be damaged, and what of it a damage has not reached."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any
from uuid import UUID

import apsw
from tests.faults.expected import Point
from tests.faults.wholeness import Times, Whole

import clew


class Original:
    """The store that copies are made of, and what is in it."""

    def __init__(self, path: Path) -> None:
        self.content = path.read_bytes()
        with clew.open(path, read_only=True) as store:
            whole = Whole(store)
        self.world = whole.world
        self.times: Times = whole.times
        self.points: dict[UUID, Point] = {point.id: point for kept in self.world.values() for point in kept.points}
        self._tables = _read_tables(path)
        self._needs = _content_needed(self._tables)

    def still_readable(self, path: Path) -> set[UUID] | None:
        """The checkpoints of a copy that no damage has reached; None where that is hard to say.

        It is easy where the structure of the file is whole and nothing differs but content.
        """
        try:
            tables = _read_tables(path)
        except (apsw.Error, UnicodeDecodeError):
            return None
        if any(tables[name] != rows for name, rows in self._tables.items() if name != "content"):
            return None
        changed = {row[0] for row in self._tables["content"] ^ tables["content"]}
        return {id for id, keys in self._needs.items() if not keys & changed}


def _read_tables(path: Path) -> dict[str, set[tuple[Any, ...]]]:
    """Every row of every table; apsw.Error where SQLite finds the file damaged."""
    connection = apsw.Connection(f"file:{path}?immutable=1", flags=apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI)
    try:
        if connection.execute("PRAGMA integrity_check").fetchall() != [("ok",)]:
            raise apsw.CorruptError("the structure of the file is damaged")
        names = [row[0] for row in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
        return {name: set(_rows(connection, name)) for name in names}
    finally:
        connection.close()


def _rows(connection: apsw.Connection, table: str) -> Iterable[tuple[Any, ...]]:
    """Rows with every text as its bytes, which need not be UTF-8 any more."""
    columns = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
    cells = ", ".join(f"iif(typeof({name}) = 'text', CAST({name} AS BLOB), {name})" for name in columns)
    return connection.execute(f"SELECT {cells} FROM {table}")


def _content_needed(tables: dict[str, set[tuple[Any, ...]]]) -> dict[UUID, set[int]]:
    """The keys of all content that a checkpoint is made of."""
    ancestors = {row[0]: (row[3], row[4]) for row in tables["timeline"]}
    entries = {(row[0], row[1]): row[2] for row in tables["entry"]}
    needs: dict[UUID, set[int]] = {}
    for row in tables["checkpoint"]:
        id, timeline, length, metadata = row[2], row[4], row[5], row[7]
        keys = {metadata} - {None}
        for position in reversed(range(length)):
            while position < ancestors[timeline][1]:
                timeline = ancestors[timeline][0]
            keys.add(entries[timeline, position])
        needs[UUID(bytes=id)] = keys
    return needs
