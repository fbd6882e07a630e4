"""Changes to the tables of an SQLite file behind the store's back, and whether a store tells of them."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import apsw
from tests.contract.underneath import Reader, Row, read_tables

from clew import CorruptStateError, Store
from clew.testing.contract.base import active, contents, users

COLUMNS = {"active_checkpoint_id": "active", "parent_id": "parent", "message_count": "length"}
"""Fields whose columns have another name."""


def fill(store: Store) -> None:
    """A row or two of everything. Attachments are in pieces where these are of eight bytes."""
    session = store.create_session(
        "Élan", messages=users("a"), metadata={"k": 1}, session_metadata={"s": 1}, cwd="/r", source="tool",
        source_id="1",
    )  # fmt: skip
    store.append(session.id, users("b"), label="point", attachments={"long": bytes(range(20))})
    store.attach(session.id, {"w": b"waits"}, label="later")
    fork = store.fork_session(session.id, checkpoint_id=active(session).id)
    store.append(fork.id, users("c"))
    store.delete_session(fork.id)


def is_told(store: Store, before: str) -> bool:
    """Whether all that is read is as it was, or something says that it is not."""
    sessions = store.list_sessions(limit=99)
    listed = [item for session in sessions for item in store.list_checkpoints(session.id, with_attachments="")]
    if any(item.damage is not None for item in [*sessions, *listed]):
        return True
    try:
        return contents(store) == before
    except CorruptStateError:
        return True


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

    def replace_attachment(self, checkpoint_id: UUID, name: str, body: bytes, piece: int = 0) -> None:
        reader, row = self._reader(), self._attachment(checkpoint_id, name)
        key = row["content"] if row["chunk_size"] is None else reader.chunks[row["content"]][piece]
        self._run("UPDATE content SET body = ? WHERE key = ?", body, key)

    def lose_attachment(self, checkpoint_id: UUID, name: str) -> None:
        self._run("DELETE FROM content WHERE key = ?", self._attachment(checkpoint_id, name)["content"])

    def replace_waiting_attachment(self, session_id: UUID, label: str, name: str, body: bytes) -> None:
        place = "SELECT w.content FROM waiting_attachment AS w JOIN session AS s ON s.key = w.session"
        key = f"({place} WHERE s.id = ? AND w.label = ? AND w.name = ?)"
        self._run(f"UPDATE content SET body = ? WHERE key = {key}", body, session_id.bytes, label, name)

    def change_session(self, session_id: UUID, field: str, value: Any) -> None:
        column, value = COLUMNS.get(field, field), stored(value)
        if field == "active_checkpoint_id":
            value = self._seq(value)
        self._run(f"UPDATE session SET {column} = ? WHERE id = ?", value, session_id.bytes)

    def change_checkpoint(self, checkpoint_id: UUID, field: str, value: Any) -> None:
        column, value = COLUMNS.get(field, field), stored(value)
        if field == "parent_id":
            value = self._seq(value)
        self._run(f"UPDATE checkpoint SET {column} = ? WHERE id = ?", value, checkpoint_id.bytes)

    def change_key(self, key_id: UUID, field: str, value: Any) -> None:
        self._run(f"UPDATE api_key SET {field} = ? WHERE id = ?", stored(value), key_id.bytes)

    def lose_checkpoint(self, checkpoint_id: UUID) -> None:
        self._run("DELETE FROM checkpoint WHERE id = ?", checkpoint_id.bytes)

    def holds(self, needle: bytes) -> bool:
        files = [file for file in self._path.parent.iterdir() if file.name.startswith(self._path.name)]
        return any(needle in file.read_bytes() for file in files)

    def _place(self, checkpoint_id: UUID, position: int) -> tuple[int, int, int]:
        reader = self._reader()
        row = reader.checkpoint(checkpoint_id)
        timeline = reader.timeline_at(row["timeline"], position)
        return timeline, position, reader.entries[timeline, position]

    def _attachment(self, checkpoint_id: UUID, name: str) -> Row:
        reader = self._reader()
        row = reader.checkpoint(checkpoint_id)
        attached = reader.attachments[row["session"], row["seq"]]
        return next(item for item in attached if item["name"] == name)

    def _seq(self, id: bytes | None) -> int | None:
        return None if id is None else int(self._reader().checkpoint(UUID(bytes=id))["seq"])

    def _replace(self, key: int, body: bytes) -> None:
        self._run("UPDATE content SET body = CAST(? AS TEXT) WHERE key = ?", body, key)

    def _reader(self) -> Reader:
        connection = apsw.Connection(str(self._path))
        try:
            return Reader(read_tables(connection))
        finally:
            connection.close()

    def _run(self, sql: str, *values: int | bytes | str | None) -> None:
        connection = apsw.Connection(str(self._path))
        try:
            connection.execute(sql, values)
            assert connection.changes() == 1
        finally:
            connection.close()


def stored(value: Any) -> Any:
    """A value of the model as the tables have it."""
    if isinstance(value, UUID):
        return value.bytes
    if isinstance(value, datetime):
        return (value - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
    return value
