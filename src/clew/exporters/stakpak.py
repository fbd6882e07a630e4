"""The Stakpak agent's own `local.db`, schema version 2, for the agent to go on from.

The agent reads a whole state or nothing of it, so every message is written in the form that its reader takes
(`clew.conversation.strict`). It resumes a session from the checkpoint with the latest `created_at`, and of two with the
same time from either: times that are equal are set a microsecond apart, and where a session of clew resumes from an
older checkpoint, one with the same conversation is added after the newest.
"""

import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from shutil import copyfileobj
from typing import BinaryIO
from uuid import UUID, uuid5

import apsw

from clew.archive.trees import Described, check_row, check_session, describe, find_heads, note_lost_active
from clew.conversation.strict import strict_message, strict_value
from clew.copying.reading import Head, Node, parents_first, read_tree
from clew.errors import CorruptStateError, NotFoundError, UnavailableError
from clew.exporters.base import Exported, Exporter, Wanted
from clew.exporters.chat_form import to_chat_bodies
from clew.hashing import content_hash
from clew.reports import Progress
from clew.store import Store
from clew.times import from_micros

_SCHEMA = """
CREATE TABLE _migrations (
    version INTEGER PRIMARY KEY, description TEXT NOT NULL, applied_at TEXT NOT NULL DEFAULT (datetime('now'))
);
CREATE TABLE sessions (
    id TEXT PRIMARY KEY, title TEXT NOT NULL, agent_id TEXT, visibility TEXT NOT NULL DEFAULT 'PRIVATE',
    status TEXT DEFAULT 'ACTIVE', cwd TEXT, created_at TEXT NOT NULL, updated_at TEXT NOT NULL
);
CREATE TABLE checkpoints (
    id TEXT PRIMARY KEY, session_id TEXT NOT NULL, status TEXT, execution_depth INTEGER, parent_id TEXT, state TEXT,
    created_at TEXT NOT NULL, updated_at TEXT NOT NULL,
    FOREIGN KEY (session_id) REFERENCES sessions (id), FOREIGN KEY (parent_id) REFERENCES checkpoints (id)
);
"""
_MIGRATIONS = [
    (1, "Initial schema"),
    (2, "Add status/cwd columns, make agent_id/status/execution_depth nullable"),
]
_REMEMBERED = 64 * 1024 * 1024  # bytes of messages whose form is kept: each stands in every later checkpoint


class StakpakExporter(Exporter):
    """A new `local.db` of the Stakpak agent."""

    name = "stakpak"
    summary = "the Stakpak agent's local.db, to go on from"
    suffix = ".db"
    takes_many = True
    is_binary = True

    def write(self, store: Store, wanted: Wanted, out: BinaryIO) -> Exported:
        # SQLite wants a file of its own; the folder is nobody else's to read.
        with tempfile.TemporaryDirectory(prefix="clew-export-") as folder:
            path = Path(folder) / "local.db"
            with closing(apsw.Connection(str(path))) as connection:
                exported = _written(_Writer(store, wanted, connection), folder)
            with path.open("rb") as file:
                copyfileobj(file, out)
        return exported


def _written(writer: "_Writer", folder: str) -> Exported:
    try:
        return writer.run()
    except (apsw.FullError, apsw.IOError) as error:
        raise UnavailableError(f"no file can be written in {folder} ($TMPDIR chooses the place): {error}") from error


class _Writer:
    def __init__(self, store: Store, wanted: Wanted, connection: apsw.Connection) -> None:
        self._backend = store._backend
        self._wanted = wanted
        self._masking = wanted.masking
        self._connection = connection
        self._forms: dict[bytes, bytes] = {}
        self._remembered = 0
        self._counted: set[bytes] = set()
        self._sessions = self._checkpoints = self._messages = self._added = self._changed = self._total = 0
        self._failed: list[tuple[str, str]] = []

    def run(self) -> Exported:
        self._connection.execute("PRAGMA foreign_keys = ON; PRAGMA journal_mode = MEMORY; PRAGMA synchronous = OFF")
        self._connection.execute("BEGIN")  # never rolled back: after an error the file is thrown away
        self._connection.execute(_SCHEMA)
        self._connection.executemany("INSERT INTO _migrations (version, description) VALUES (?, ?)", _MIGRATIONS)
        heads = find_heads(self._backend, self._wanted.sessions, self._failed)
        self._total = sum(max(head.checkpoint_count, 0) for head in heads.values())
        for head in parents_first(heads):
            try:
                self._session(head)
            except (CorruptStateError, NotFoundError) as error:  # damaged, or somebody takes it away meanwhile
                self._failed.append((f"session {head.id}", error.message))
        self._connection.execute("COMMIT")
        # The agent turns the journal into a WAL when it opens the file.
        self._connection.execute("PRAGMA journal_mode = DELETE")
        return Exported(
            format=StakpakExporter.name, sessions=self._sessions, checkpoints=self._checkpoints,
            messages=self._messages, failed=self._failed, notes=list(self._notes()),
        )  # fmt: skip

    def _notes(self) -> Iterator[str]:
        if self._changed:
            yield f"messages in a form that the agent reads, and not as they are stored: {self._changed:,}"
        if self._added:
            yield (
                "the agent goes on from the newest checkpoint: sessions that resume from an older one have it once "
                f"more after that: {self._added:,}"
            )
        yield "labels, attachments, and metadata of sessions have no place in this format"

    def _session(self, head: Head) -> None:
        check_session(self._backend, head, self._failed)
        nodes = read_tree(self._backend, head.id)
        self._masking.at(head.id, None, "the session")
        self._connection.execute(
            "INSERT INTO sessions (id, title, visibility, status, cwd, created_at, updated_at)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            (
                str(head.id), self._masking.text(head.title), str(head.visibility), str(head.status),
                None if head.cwd is None else self._masking.text(head.cwd), _time(head.created_at),
                _time(head.updated_at),
            ),
        )  # fmt: skip
        self._sessions += 1
        note_lost_active(self._backend, head, nodes, self._failed)
        times = _distinct_times(nodes, head.active)
        instead: dict[UUID | None, UUID | None] = {None: None}
        newest: tuple[int, UUID] | None = None
        active: tuple[UUID, str] | None = None
        for described in describe(self._backend, head.id, nodes):
            node = described.node
            parent = instead.get(node.parent_id)
            try:
                state = self._state(head.id, described)
            except CorruptStateError as error:
                self._failed.append((f"checkpoint {node.id}", error.message))
                instead[node.id] = parent
                continue
            self._insert(node.id, head.id, parent, state, times[node.id])
            instead[node.id] = node.id
            newest = max(newest or (times[node.id], node.id), (times[node.id], node.id))
            if node.id == head.active:
                active = (node.id, state)
        if active is not None and newest is not None and newest[1] != active[0]:
            again = uuid5(active[0], f"resumed after {newest[1]}")
            self._insert(again, head.id, active[0], active[1], newest[0] + 1)
            self._added += 1

    def _insert(self, id: UUID, session_id: UUID, parent: UUID | None, state: str, at: int) -> None:
        self._connection.execute(
            "INSERT INTO checkpoints (id, session_id, parent_id, state, created_at, updated_at)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            (str(id), str(session_id), None if parent is None else str(parent), state, _time(at), _time(at)),
        )
        self._checkpoints += 1
        if self._wanted.progress is not None:
            self._wanted.progress(Progress(done=self._checkpoints, total=self._total, unit="checkpoints"))

    def _state(self, session_id: UUID, described: Described) -> str:
        """The JSON of a state as the agent reads it."""
        check_row(self._backend, described)
        node, metadata = described.node, described.metadata
        bodies = self._backend.get_messages(node.id, 0, None)
        messages = b",".join(self._form(session_id, node.id, number, body) for number, body in enumerate(bodies, 1))
        if described.damage is not None:
            self._failed.append((f"metadata of checkpoint {node.id}", described.damage))
        state = b'{"messages":[' + messages + b"]"
        if metadata is not None:
            self._masking.at(session_id, node.id, "the checkpoint")
            state += b',"metadata":' + strict_value(self._masking.json(metadata))
        return (state + b"}").decode()

    def _form(self, session_id: UUID, checkpoint_id: UUID, number: int, body: bytes) -> bytes:
        digest = content_hash(body)
        form = self._forms.get(digest)
        if form is None:
            self._masking.at(session_id, checkpoint_id, f"message {number}")
            masked = self._masking.json(body)
            form = b",".join(strict_message(chat) for chat in to_chat_bodies(masked))
            if digest not in self._counted:
                self._counted.add(digest)
                self._changed += form != masked
                self._messages += 1
            self._remember(digest, form)
        return form

    def _remember(self, digest: bytes, form: bytes) -> None:
        self._remembered += len(form)
        if self._remembered > _REMEMBERED:
            self._forms.clear()
            self._remembered = len(form)
        self._forms[digest] = form


def _distinct_times(nodes: list[Node], active: UUID | None) -> dict[UUID, int]:
    """When each checkpoint was created, no two at the same microsecond; of several the active one is the last."""
    times: dict[UUID, int] = {}
    before = None
    for _, _, _, node in sorted((node.created_at, node.id == active, place, node) for place, node in enumerate(nodes)):
        before = node.created_at if before is None else max(node.created_at, before + 1)
        times[node.id] = before
    return times


def _time(micros: int) -> str:
    """A time as the agent writes it: a fraction of 0, 3 or 6 digits, whichever is exact."""
    moment = from_micros(micros)
    digits = "seconds" if moment.microsecond == 0 else "milliseconds" if moment.microsecond % 1000 == 0 else None
    return moment.isoformat(timespec=digits or "microseconds")
