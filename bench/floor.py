"""The floor: what SQLite itself takes to keep two messages as safely as clew does."""

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

import apsw

from bench.measure import Durability

_SYNCHRONOUS = {"full": "FULL", "normal": "NORMAL"}


class Floor:
    """A table of bodies."""

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection

    def add(self, bodies: Sequence[str]) -> None:
        """Insert bodies in one transaction."""
        self._connection.execute("BEGIN IMMEDIATE")
        for body in bodies:
            self._connection.execute("INSERT INTO message (body) VALUES (?)", (body,))
        self._connection.execute("COMMIT")


@contextmanager
def floor(path: Path, durability: Durability) -> Iterator[Floor]:
    """A new file with a write-ahead log and one table."""
    with closing(apsw.Connection(str(path))) as connection:
        connection.execute("PRAGMA journal_mode = WAL").fetchall()
        connection.execute(f"PRAGMA synchronous = {_SYNCHRONOUS[durability]}").fetchall()
        connection.execute("CREATE TABLE message (key INTEGER PRIMARY KEY, body TEXT NOT NULL)")
        yield Floor(connection)
