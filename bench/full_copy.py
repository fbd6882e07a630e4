"""The layout that clew replaces: every checkpoint holds the whole conversation as one JSON text.

This is how the Stakpak agent keeps its sessions: the tables of its second migration, ids and times as text, no index
but those of the primary keys, a connection for each operation, ``synchronous=NORMAL``, and two statements a checkpoint
that are committed one by one. In its favour JSON is written and read by msgspec, and a connection is kept open all the
time: otherwise SQLite would move the write-ahead log into the file after every operation.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import apsw
import msgspec

from bench.conversation import Message

_SESSIONS = (
    "CREATE TABLE sessions (id TEXT PRIMARY KEY, title TEXT NOT NULL, agent_id TEXT, "
    "visibility TEXT NOT NULL DEFAULT 'PRIVATE', status TEXT DEFAULT 'ACTIVE', cwd TEXT, "
    "created_at TEXT NOT NULL, updated_at TEXT NOT NULL)"
)
_CHECKPOINTS = (
    "CREATE TABLE checkpoints (id TEXT PRIMARY KEY, session_id TEXT NOT NULL, status TEXT, execution_depth INTEGER, "
    "parent_id TEXT, state TEXT, created_at TEXT NOT NULL, updated_at TEXT NOT NULL, "
    "FOREIGN KEY (session_id) REFERENCES sessions(id), FOREIGN KEY (parent_id) REFERENCES checkpoints(id))"
)
_NEWEST = (
    "SELECT id, session_id, parent_id, state, created_at, updated_at FROM checkpoints "
    "WHERE session_id = ? ORDER BY created_at DESC LIMIT 1"
)
_LIST = """
SELECT s.id, s.title, s.visibility, COALESCE(s.status, 'ACTIVE'), s.cwd, s.created_at, s.updated_at,
    COALESCE((SELECT json_array_length(c.state, '$.messages') FROM checkpoints c WHERE c.session_id = s.id
        ORDER BY c.created_at DESC LIMIT 1), 0),
    (SELECT c.id FROM checkpoints c WHERE c.session_id = s.id ORDER BY c.created_at DESC LIMIT 1)
FROM sessions s ORDER BY s.updated_at DESC LIMIT ? OFFSET 0
"""


class FullCopyStore:
    """Sessions in a file of that layout."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._idle = apsw.Connection(str(path))
        self._idle.execute("PRAGMA journal_mode = WAL").fetchall()
        self._idle.execute(_SESSIONS)
        self._idle.execute(_CHECKPOINTS)

    def close(self) -> None:
        """Let go of the file; SQLite moves the write-ahead log into it then."""
        self._idle.close()

    def create_session(self, title: str) -> str:
        """A session without a checkpoint yet; its id."""
        id, now = str(uuid4()), _now()
        with self._connection() as connection:
            connection.execute(
                "INSERT INTO sessions (id, title, visibility, status, created_at, updated_at) "
                "VALUES (?, ?, 'PRIVATE', 'ACTIVE', ?, ?)",
                (id, title, now, now),
            )
        return id

    def create_checkpoint(self, session_id: str, messages: Sequence[Message], parent_id: str | None = None) -> str:
        """Write the whole conversation; the checkpoint's id."""
        id, now = str(uuid4()), _now()
        state = msgspec.json.encode({"messages": messages}).decode()
        with self._connection() as connection:
            connection.execute(
                "INSERT INTO checkpoints (id, session_id, parent_id, state, created_at, updated_at) "
                "VALUES (?, ?, ?, ?, ?, ?)",
                (id, session_id, parent_id, state, now, now),
            )
            connection.execute("UPDATE sessions SET updated_at = ? WHERE id = ?", (now, session_id))
        return id

    def load(self, session_id: str) -> list[Message]:
        """The messages of the newest checkpoint."""
        with self._connection() as connection:
            row = connection.execute(_NEWEST, (session_id,)).fetchone()
        assert row is not None
        state: dict[str, Any] = msgspec.json.decode(row[3])
        messages: list[Message] = state["messages"]
        return messages

    def list_sessions(self, limit: int) -> list[tuple[Any, ...]]:
        """The sessions last changed, with the number of messages and the id of the newest checkpoint of each."""
        with self._connection() as connection:
            return connection.execute(_LIST, (limit,)).fetchall()

    @contextmanager
    def _connection(self) -> Iterator[apsw.Connection]:
        connection = apsw.Connection(str(self._path))
        try:
            connection.set_busy_timeout(5000)
            connection.execute("PRAGMA synchronous = NORMAL").fetchall()
            connection.execute("PRAGMA foreign_keys = ON").fetchall()
            yield connection
        finally:
            connection.close()


def _now() -> str:
    return datetime.now(UTC).isoformat()
