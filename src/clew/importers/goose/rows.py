"""The sessions of Goose's database, of any version of its schema."""

from collections.abc import Iterator
from pathlib import Path

from clew.importers import values
from clew.importers.database import Database, is_damaged, tables_of
from clew.importers.formats import Source
from clew.importers.records import GeneratedRecords, encode_value
from clew.importers.steps import Notes

_REQUIRED = {"sessions": {"id", "working_dir"}, "messages": {"session_id", "role", "content_json"}}


def is_goose(path: Path) -> bool:
    """Whether the file is a database of Goose; where nobody can say, its name does."""
    tables = tables_of(path)
    if not tables:
        return path.name == "sessions.db" and is_damaged(path)
    return all(columns <= set(tables.get(table, ())) for table, columns in _REQUIRED.items())


def sources(path: Path, notes: Notes) -> Iterator[Source]:
    """The sessions of a database that have a message."""
    with Database(path) as database:
        found = list(database.rows("sessions", order=("created_at", "id")))
        notes.broken += [(row["id"], "is on a damaged page") for _, row in database.lost()]
        for row in found:
            id = values.storable(row["id"])
            if id is not None and any(database.select("SELECT 1 FROM messages WHERE session_id = ? LIMIT 1", (id,))):
                parent = values.text(row.get("parent_session_id"))
                yield Source(source_id=id, path=path, records=SessionRows(path, id), parent=parent)


class SessionRows(GeneratedRecords):
    """The rows of a session: its messages, then what they took, and the session, which changes, last."""

    def __init__(self, path: Path, id: str) -> None:
        self._path = path
        self._id = id

    def texts(self) -> Iterator[bytes]:
        with Database(self._path) as database:
            for table, column in (("messages", "session_id"), ("usage_ledger", "session_id"), ("sessions", "id")):
                for row in database.rows(table, f"{column} = ?", (self._id,), order=("id",)):
                    yield encode_value({"table": table, "row": row})
            for table, row in database.lost():
                yield encode_value({"table": table, "row": row})
