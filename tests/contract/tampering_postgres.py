"""Changes to the tables of a PostgreSQL database behind the store's back."""

from collections.abc import Iterator
from typing import Any
from uuid import UUID

import psycopg
from psycopg import sql
from tests.contract.tampering import COLUMNS, stored
from tests.contract.underneath import Reader, Row, Tables
from tests.contract.underneath_postgres import connect, read_tables

Place = tuple[int, bytes]
"""What finds content: its family and its key."""

_OF_A_TIP = ("status", "active", "revision", "updated_at", "last_message_at")

_TEXTS = """
    SELECT c.oid::regclass::text, a.attname, format_type(a.atttypid, NULL)
    FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid
    WHERE c.relname LIKE 'clew\\_%' AND c.relkind IN ('r', 'p') AND NOT c.relispartition AND a.attnum > 0
        AND NOT a.attisdropped AND format_type(a.atttypid, NULL) IN ('text', 'bytea', 'jsonb', 'tsvector')
"""


class DatabaseTamper:
    """Tampers with one database, through a connection of its own each time."""

    def __init__(self, url: str) -> None:
        self._url = url

    def replace_message(self, checkpoint_id: UUID, position: int, body: bytes) -> None:
        reader = self._reader()
        place: Any = reader.entries[self._entry(reader, checkpoint_id, position)]
        self._replace(place, body)

    def lose_message(self, checkpoint_id: UUID, position: int) -> None:
        timeline, position = self._entry(self._reader(), checkpoint_id, position)
        self._run("DELETE FROM clew_entry WHERE timeline = %s AND position = %s", timeline, position)

    def replace_metadata(self, checkpoint_id: UUID, body: bytes) -> None:
        self._replace(self._reader().checkpoint(checkpoint_id)["metadata"], body)

    def replace_attachment(self, checkpoint_id: UUID, name: str, body: bytes, piece: int = 0) -> None:
        reader = self._reader()
        row = self._attachment(reader, checkpoint_id, name)
        place: Any = row["content"] if row["chunk_size"] is None else reader.chunks[row["content"]][piece]
        self._replace(place, body)

    def lose_attachment(self, checkpoint_id: UUID, name: str) -> None:
        family, key = self._attachment(self._reader(), checkpoint_id, name)["content"]
        self._run("DELETE FROM clew_content WHERE family = %s AND key = %s", family, key)

    def replace_waiting_attachment(self, session_id: UUID, label: str, name: str, body: bytes) -> None:
        tables = self._tables()
        session = next(row["key"] for row in tables.session if row["id"] == session_id.bytes)
        place = {"session": session, "label": label, "name": name}
        (row,) = (row for row in tables.waiting_attachment if row.items() >= place.items())
        self._replace(row["content"], body)

    def change_session(self, session_id: UUID, field: str, value: Any) -> None:
        column, value = COLUMNS.get(field, field), self._stored(field, value)
        table = "clew_tip" if column in _OF_A_TIP else "clew_session"
        self._run(f"UPDATE {table} SET {column} = %s WHERE id = %s", value, session_id)

    def change_checkpoint(self, checkpoint_id: UUID, field: str, value: Any) -> None:
        column, value = COLUMNS.get(field, field), self._stored(field, value)
        self._run(f"UPDATE clew_checkpoint SET {column} = %s WHERE id = %s", value, checkpoint_id)

    def change_key(self, key_id: UUID, field: str, value: Any) -> None:
        self._run(f"UPDATE clew_api_key SET {field} = %s WHERE id = %s", stored(value), key_id)

    def lose_checkpoint(self, checkpoint_id: UUID) -> None:
        self._run("DELETE FROM clew_checkpoint WHERE id = %s", checkpoint_id)

    def holds(self, needle: bytes) -> bool:
        """Whether any row has these bytes. A row that is deleted is gone for whoever asks, and its bytes with the next
        VACUUM, which is the server's business and not clew's.
        """
        with psycopg.connect(self._url) as connection:
            return any(
                connection.execute(sql.SQL(query), (needle,)).fetchone() is not None for query in _searches(connection)
            )

    def _entry(self, reader: Reader, checkpoint_id: UUID, position: int) -> tuple[int, int]:
        return reader.timeline_at(reader.checkpoint(checkpoint_id)["timeline"], position), position

    def _attachment(self, reader: Reader, checkpoint_id: UUID, name: str) -> Row:
        row = reader.checkpoint(checkpoint_id)
        return next(item for item in reader.attachments[row["session"], row["seq"]] if item["name"] == name)

    def _stored(self, field: str, value: Any) -> Any:
        """A value of the model as the tables have it: checkpoints of the same session by their number."""
        value = stored(value)
        if field in ("active_checkpoint_id", "parent_id") and value is not None:
            return self._reader().checkpoint(UUID(bytes=value))["seq"]
        return UUID(bytes=value) if isinstance(value, bytes) else value

    def _replace(self, place: Place, body: bytes) -> None:
        self._run("UPDATE clew_content SET body = %s WHERE family = %s AND key = %s", body, *place)

    def _reader(self) -> Reader:
        return Reader(self._tables())

    def _tables(self) -> Tables:
        with connect(self._url) as connection:
            return read_tables(connection)

    def _run(self, statement: str, *values: int | bytes | str | UUID | None) -> None:
        with psycopg.connect(self._url) as connection:
            assert connection.execute(statement.encode(), values).rowcount == 1


def _searches(connection: psycopg.Connection[tuple[Any, ...]]) -> Iterator[str]:
    """A query for each column of text, bytes or JSON, that finds a row which has some bytes in it."""
    for table, column, kind in connection.execute(_TEXTS.encode()).fetchall():
        value = column if kind == "bytea" else f"convert_to({column}::text, 'UTF8')"
        yield f"SELECT 1 FROM {table} WHERE position(%s::bytea IN {value}) > 0 LIMIT 1"
