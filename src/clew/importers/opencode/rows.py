"""The sessions of OpenCode's database, of both generations of its tables."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from clew.importers import values
from clew.importers.base import read_json
from clew.importers.database import Database, Row, is_damaged, tables_of
from clew.importers.formats import Source
from clew.importers.opencode import second
from clew.importers.records import GeneratedRecords, encode_value
from clew.importers.steps import Notes

_SESSIONS = ("session", "session_v2")
_FIRST = {"message": {"id", "session_id", "data"}, "part": {"message_id", "data"}}
_SECOND = {"session_message": {"id", "session_id", "type", "data"}}


def is_opencode(path: Path) -> bool:
    """Whether the file is a database of OpenCode; where nobody can say, its name does."""
    tables = tables_of(path)
    if not tables:
        return path.name.startswith("opencode") and path.suffix == ".db" and is_damaged(path)
    return any("id" in tables.get(table, ()) for table in _SESSIONS) and any(
        all(columns <= set(tables.get(table, ())) for table, columns in generation.items())
        for generation in (_FIRST, _SECOND)
    )


def sources(path: Path, notes: Notes) -> Iterator[Source]:
    """The sessions of a database that have a message, in the order of their making."""
    with Database(path) as database:
        found: dict[str, str | None] = {}
        for table in _SESSIONS:
            for row in database.rows(table, order=("time_created", "id")):
                if (id := values.storable(row.get("id"))) is not None:
                    found[id] = values.text(row.get("parent_id"))
        notes.broken += [(row["id"], "is on a damaged page") for _, row in database.lost()]
        for id, parent in found.items():
            if _has_messages(database, id):
                yield Source(source_id=id, path=path, records=SessionRows(path, id), parent=parent)


def _has_messages(database: Database, id: str) -> bool:
    tables = [table for table in ("message", "session_message") if database.has(table, "session_id")]
    queries = (f"SELECT 1 FROM {table} WHERE session_id = ? LIMIT 1" for table in tables)  # noqa: S608
    return any(list(database.select(query, (id,))) for query in queries) or any(_inherited(database, id))


class SessionRows(GeneratedRecords):
    """The rows of a session, read from the database each time, a message after the other, and the session last."""

    def __init__(self, path: Path, id: str) -> None:
        self._path = path
        self._id = id

    def texts(self) -> Iterator[bytes]:
        with Database(self._path) as database:
            for rows in (_rows(database, self._id), database.lost()):
                for table, row in rows:
                    yield encode_value({"table": table, "row": row})


def _rows(database: Database, id: str) -> Iterator[tuple[str, Row]]:
    is_second = False
    for row in _inherited(database, id):
        yield "session_message", row
    for row in database.rows("session_message", "session_id = ?", (id,), order=("seq", "id")):
        is_second = is_second or second.is_said(row.get("type"))
        yield "session_message", row
    # A session that has been carried over to the newer tables is still in the older ones, as it was then. Late versions
    # of 1.x put switches of model and agent into the newer table, and the conversation into the older ones.
    if not is_second:
        yield from _first_generation(database, id)
    project: Any = None
    for table in _SESSIONS:
        for row in database.rows(table, "id = ?", (id,)):
            project = row.get("project_id", project)
            yield table, row
    for row in database.rows("todo", "session_id = ?", (id,), order=("position",)):
        yield "todo", row
    for row in database.rows("project", "id = ?", (project,)):
        yield "project", row


def _first_generation(database: Database, id: str) -> Iterator[tuple[str, Row]]:
    for row in database.rows("message", "session_id = ?", (id,), order=("time_created", "id")):
        yield "message", row
        for part in database.rows("part", "message_id = ?", (row["id"],), order=("id",)):
            yield "part", part


def _inherited(database: Database, id: str) -> Iterator[Row]:
    """What a fork without a message of its own shows: the messages of the session that it is a fork of, up to there.

    OpenCode copies them when it forks, so there is nothing here where it did.
    """
    if not database.has("session_v2", "fork_session_id", "fork_boundary"):
        return
    for session in database.rows("session_v2", "id = ? AND fork_session_id IS NOT NULL", (id,)):
        if any(database.rows("session_message", "session_id = ?", (id,))):
            return
        boundary = _boundary(session["fork_boundary"])
        for row in database.rows(
            "session_message", "session_id = ?", (session["fork_session_id"],), order=("seq", "id")
        ):
            if boundary == ("before", row["id"]):
                return
            yield row
            if boundary[1] == row["id"]:
                return


def _boundary(text: Any) -> tuple[str, str]:
    """Where a fork begins: `before` or `through` a message."""
    try:
        read = read_json(text.encode()) if isinstance(text, str) else text
    except ValueError:
        read = text
    held = values.fields(read)
    named = held.get("messageID") if held else read
    return values.text(held.get("type")) or "through", values.text(named) or ""
