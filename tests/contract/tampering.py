"""Changes to the tables of an SQLite file behind the store's back."""

from pathlib import Path
from uuid import UUID

import apsw
from tests.contract.underneath import Reader, read_tables


class FileTamper:
    """Tampers with one file, through a connection of its own each time."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def replace_message(self, checkpoint_id: UUID, position: int, body: bytes) -> None:
        self._replace(self._place(checkpoint_id, position)[2], body)

    def lose_message(self, checkpoint_id: UUID, position: int) -> None:
        timeline, position, _ = self._place(checkpoint_id, position)
        self._run("DELETE FROM entry WHERE timeline = ? AND position = ?", timeline, position)

    def replace_metadata(self, checkpoint_id: UUID, body: bytes) -> None:
        key = self._reader().checkpoint(checkpoint_id)["metadata"]
        self._replace(key, body)

    def holds(self, needle: bytes) -> bool:
        files = [file for file in self._path.parent.iterdir() if file.name.startswith(self._path.name)]
        return any(needle in file.read_bytes() for file in files)

    def _place(self, checkpoint_id: UUID, position: int) -> tuple[int, int, int]:
        reader = self._reader()
        row = reader.checkpoint(checkpoint_id)
        timeline = reader.timeline_at(row["timeline"], position)
        return timeline, position, reader.entries[timeline, position]

    def _replace(self, key: int, body: bytes) -> None:
        self._run("UPDATE content SET body = CAST(? AS TEXT) WHERE key = ?", body, key)

    def _reader(self) -> Reader:
        connection = apsw.Connection(str(self._path))
        try:
            return Reader(read_tables(connection))
        finally:
            connection.close()

    def _run(self, sql: str, *values: int | bytes) -> None:
        connection = apsw.Connection(str(self._path))
        try:
            connection.execute(sql, values)
            assert connection.changes() == 1
        finally:
            connection.close()
