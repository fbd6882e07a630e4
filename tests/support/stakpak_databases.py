"""Writes `local.db` files as the Stakpak agent leaves them, in every generation of its schema.

Nothing here comes from clew: the files are written with the standard library from the facts of the format alone, so
that a mistake in the importer cannot hide behind the same mistake in its test data. What was written is returned as
plain values (`Database`), for tests to compare with.

Every checkpoint holds the whole conversation up to it, as the agent writes it: a session of n turns takes n² bytes. All
content comes from `Shape.seed`; ids and times are numbered, so the same shape gives the same rows.
"""

import enum
import json
import math
import random
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec

Message = dict[str, Any]


class Generation(enum.StrEnum):
    """The shapes the agent's schema has had, oldest first."""

    LEGACY = "legacy"
    V1 = "v1"
    INTERMEDIATE = "intermediate"
    V2 = "v2"


class Shape(msgspec.Struct, frozen=True, kw_only=True):
    """How much to write. `turns` are model calls a session; a turn adds two messages of about `message_bytes`."""

    sessions: int = 3
    turns: int = 6
    message_bytes: int = 120
    seed: int = 1
    # Forks, extra roots and equal times; without them every session is one plain chain.
    trees: bool = True
    # As the interactive agent saves: a message keeps its `usage` only while it is the last one.
    usage_on_newest_only: bool = False

    @classmethod
    def for_megabytes(cls, megabytes: float, *, sessions: int = 5, message_bytes: int = 1000) -> "Shape":
        """Plain chains whose file comes to about this size."""
        stored_bytes = message_bytes + 220  # with the JSON around the text, and its letters of more than one byte
        turns = max(1, round(math.sqrt(megabytes * 1e6 / (sessions * stored_bytes))))
        return cls(sessions=sessions, turns=turns, message_bytes=message_bytes, trees=False)


class CheckpointRow(msgspec.Struct, frozen=True, kw_only=True):
    """A checkpoint as written. `messages` shares its elements with the checkpoints before it."""

    id: str
    session_id: str
    parent_id: str | None
    created_at: str
    messages: list[Message]
    metadata: Any = None


class SessionRow(msgspec.Struct, frozen=True, kw_only=True):
    """A session as written, with its checkpoints in the order of their rows. `status` None is NULL in the file."""

    id: str
    title: str
    visibility: str
    status: str | None
    cwd: str | None
    created_at: str
    updated_at: str
    checkpoints: list[CheckpointRow]

    @property
    def newest(self) -> CheckpointRow:
        """The one the session resumes from: the newest, and of several with one time the last inserted."""
        return max(enumerate(self.checkpoints), key=lambda item: (parse_chrono(item[1].created_at), item[0]))[1]


class Database(msgspec.Struct, frozen=True, kw_only=True):
    """A file and what is in it."""

    path: Path
    generation: Generation
    sessions: list[SessionRow]

    @property
    def checkpoints(self) -> list[CheckpointRow]:
        return [checkpoint for session in self.sessions for checkpoint in session.checkpoints]


# ---------------------------------------------------------------------------------------------------------- values


_START_NS = int(datetime(2026, 3, 1, 9, 0, tzinfo=UTC).timestamp()) * 1_000_000_000
_TURN_NS = 7_000_000_000
# Nanoseconds beyond the second, which chrono writes with 0, 3, 6, 9, 6 and 9 digits.
_FRACTIONS = (0, 500_000_000, 123_456_000, 123_456_789, 123_000, 100)


def chrono_text(nanoseconds: int) -> str:
    """A time as chrono's `to_rfc3339` writes it in UTC: the shortest of 0, 3, 6 and 9 digits that is exact."""
    seconds, fraction = divmod(nanoseconds, 1_000_000_000)
    whole = (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%S")
    if fraction == 0:
        digits = ""
    elif fraction % 1_000_000 == 0:
        digits = f".{fraction // 1_000_000:03}"
    elif fraction % 1_000 == 0:
        digits = f".{fraction // 1_000:06}"
    else:
        digits = f".{fraction:09}"
    return f"{whole}{digits}+00:00"


def parse_chrono(text: str) -> datetime:
    """The moment of a `chrono_text`, in whole microseconds."""
    whole, _, fraction = text.removesuffix("+00:00").partition(".")
    microseconds = int(fraction.ljust(9, "0")[:6])
    return datetime.fromisoformat(whole).replace(microsecond=microseconds, tzinfo=UTC)


def row_id(kind: int, number: int) -> str:
    """A version 4 UUID that says what it is for: kind 1 is a session, 2 a checkpoint, 3 made by a test."""
    return str(UUID(int=(kind << 96) | (0x4000 << 64) | (0x8000 << 48) | number))


def state_json(messages: Sequence[Message], metadata: Any = None) -> str:
    """A state as the agent's serializer writes it: compact, text unescaped, `metadata` left out when there is none."""
    return _state_of_texts([compact_json(message) for message in messages], metadata)


def compact_json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _state_of_texts(texts: Sequence[str], metadata: Any) -> str:
    tail = "" if metadata is None else f',"metadata":{compact_json(metadata)}'
    return f'{{"messages":[{",".join(texts)}]{tail}}}'


# --------------------------------------------------------------------------------------------------- conversations


_PLAIN = (
    "the cluster pod service deploy rollback timeout region bucket policy terraform module variable output plan apply "
    "ingress certificate expired renew secret rotate kubectl namespace node drain latency dashboard alert threshold"
)
# What JSON escapes, what it leaves alone, and letters of two, three and four bytes.
_ODD = (
    "Größe",
    "配置",
    "\N{ROCKET}",
    '"quoted"',
    "back\\slash",
    "tab\there",
    "line\nbreak",
    "bell\x07",
    "sep\u2028",
    "</del\x7f>",
)
_WORDS = (*_PLAIN.split(), *_ODD)


class Talk:
    """One conversation that grows by a model call at a time, as texts that are encoded only once."""

    def __init__(self, rng: random.Random, shape: Shape) -> None:
        self._rng = rng
        self._shape = shape
        self.calls = 0

    def opening(self) -> list[Message]:
        """What a session begins with: the system prompt and what the user asked."""
        return [
            {"role": "system", "content": self._prose("You are an infrastructure agent.")},
            {"role": "user", "content": self._prose("Please look at this:")},
        ]

    def turn(self) -> list[Message]:
        """What the next model call adds: the result of a tool, or a new question, and the assistant's answer."""
        self.calls += 1
        if self.calls % 3 == 0:
            asked: Message = {"role": "user", "content": [{"type": "text", "text": self._prose("And then?")}]}
        elif self.calls % 3 == 2:
            asked = {"role": "tool", "content": self._prose("exit 0"), "tool_call_id": f"call_{self.calls - 1}"}
        else:
            asked = {"role": "user", "content": self._prose("Go on.")}
        return [asked, self._answer()]

    def _answer(self) -> Message:
        answer: Message = {"role": "assistant", "content": self._prose("Done:")}
        if self.calls % 3 == 1:
            arguments = compact_json({"command": self._prose("ls", 0.2)})
            function = {"name": "run_command", "arguments": arguments}
            answer = {
                "role": "assistant",
                "content": self._prose("I will look.", 0.8),
                "tool_calls": [{"id": f"call_{self.calls}", "type": "function", "function": function}],
            }
        return {**answer, "usage": self._usage()}

    def _usage(self) -> dict[str, Any]:
        prompt = 1200 + 300 * self.calls
        return {
            "prompt_tokens": prompt,
            "completion_tokens": 90,
            "total_tokens": prompt + 90,
            "prompt_tokens_details": {"input_tokens": 100, "cache_read_input_tokens": prompt - 100},
        }

    def _prose(self, opening: str, part: float = 1.0) -> str:
        length = max(0, round(self._shape.message_bytes * part) - len(opening) - 1)
        return f"{opening} {_prose_of(self._rng, length)}"


def _prose_of(rng: random.Random, length: int) -> str:
    words: list[str] = []
    size = 0
    while size < length:
        words.append(f"{rng.choice(_WORDS)}{rng.randrange(1000)}")
        size += len(words[-1]) + 1
    return " ".join(words)[:length]


class _Step(msgspec.Struct, frozen=True):
    """A checkpoint in the making: the conversation as values, and as texts for the file."""

    row: CheckpointRow
    texts: list[str]


class _SessionWriter:
    """Builds one session, a checkpoint at a time."""

    def __init__(self, number: int, shape: Shape) -> None:
        self.number = number
        self.id = row_id(1, number)
        self._shape = shape
        self._talk = Talk(random.Random(f"{shape.seed}:{number}"), shape)
        self._time = _START_NS + number * 3_600_000_000_000
        self._count = 0

    def steps(self) -> Iterator[_Step]:
        """Every checkpoint of the session in the order of its rows."""
        main = [self._step(None, self._talk.opening())]
        yield main[0]
        for turn in range(1, self._shape.turns + 1):
            main.append(self._step(main[-1], self._talk.turn()))
            yield main[-1]
            if self._shape.trees and turn == 3:
                yield from self._fork(main[1])
        if self._shape.trees:
            yield self._last_of_a_tree(main)

    def _last_of_a_tree(self, main: list[_Step]) -> _Step:
        """A second root, or a sibling of the newest that has the newest one's time."""
        if self.number % 2 == 0:
            return self._step(None, self._talk.opening())
        self._time -= _TURN_NS
        return self._step(main[-2], self._talk.turn())

    def _fork(self, start: _Step) -> Iterator[_Step]:
        """Two checkpoints that go another way; the second has the time of the first."""
        first = self._step(start, self._talk.turn())
        yield first
        self._time -= _TURN_NS
        yield self._step(first, self._talk.turn())

    def _step(self, parent: _Step | None, added: list[Message]) -> _Step:
        self._time += _TURN_NS
        self._count += 1
        before = [] if parent is None else parent.row.messages
        texts = [] if parent is None else parent.texts
        if parent is not None and self._shape.usage_on_newest_only:
            before = [*before[:-1], _without_usage(before[-1])]
            texts = [*texts[:-1], compact_json(before[-1])]
        checkpoint = CheckpointRow(
            id=row_id(2, self.number * 1_000_000 + self._count),
            session_id=self.id,
            parent_id=None if parent is None else parent.row.id,
            created_at=chrono_text(self._moment()),
            messages=[*before, *added],
            metadata=self._metadata(),
        )
        return _Step(checkpoint, [*texts, *(compact_json(message) for message in added)])

    def _moment(self) -> int:
        """The time of this step; its fraction has as many digits as its turn comes to."""
        fraction = _FRACTIONS[(self._time // _TURN_NS + self.number) % len(_FRACTIONS)]
        return self._time - self._time % 1_000_000_000 + fraction

    def _metadata(self) -> Any:
        calls = self._talk.calls
        return None if calls < 4 else {"trimmed_up_to_message_index": calls // 2}

    def row(self, checkpoints: list[CheckpointRow]) -> SessionRow:
        """The session's own row; every generation writes of it what it has columns for."""
        return SessionRow(
            id=self.id,
            title=f"Session {self.number}: Größe prüfen",
            visibility="PUBLIC" if self.number % 3 == 2 else "PRIVATE",
            status=("ACTIVE", "DELETED", None)[self.number % 3],
            cwd=f"/home/dev/project-{self.number}" if self.number % 2 else None,
            created_at=checkpoints[0].created_at,
            updated_at=chrono_text(self._time + 2_000_000_000),
            checkpoints=checkpoints,
        )


def _without_usage(message: Message) -> Message:
    return {key: value for key, value in message.items() if key != "usage"}


# ------------------------------------------------------------------------------------------------------ the schema


_V1_SESSIONS = (
    "CREATE TABLE IF NOT EXISTS sessions (id TEXT PRIMARY KEY, title TEXT NOT NULL, agent_id TEXT NOT NULL, "
    "visibility TEXT NOT NULL, created_at TEXT NOT NULL, updated_at TEXT NOT NULL)"
)
_V1_CHECKPOINTS = (
    "CREATE TABLE IF NOT EXISTS checkpoints (id TEXT PRIMARY KEY, session_id TEXT NOT NULL, status TEXT NOT NULL, "
    "execution_depth INTEGER NOT NULL, parent_id TEXT, state TEXT, created_at TEXT NOT NULL, updated_at TEXT NOT NULL, "
    "FOREIGN KEY (session_id) REFERENCES sessions(id), FOREIGN KEY (parent_id) REFERENCES checkpoints(id))"
)
_LEGACY_CHECKPOINTS = (
    "CREATE TABLE IF NOT EXISTS checkpoints (id TEXT PRIMARY KEY, session_id TEXT NOT NULL, status TEXT NOT NULL, "
    "execution_depth INTEGER NOT NULL, parent_id TEXT, created_at TEXT NOT NULL, updated_at TEXT NOT NULL, state TEXT, "
    "FOREIGN KEY (session_id) REFERENCES sessions(id), FOREIGN KEY (parent_id) REFERENCES checkpoints(id))"
)
_V2_SESSIONS = (
    "CREATE TABLE sessions (id TEXT PRIMARY KEY, title TEXT NOT NULL, agent_id TEXT, "
    "visibility TEXT NOT NULL DEFAULT 'PRIVATE', status TEXT DEFAULT 'ACTIVE', cwd TEXT, "
    "created_at TEXT NOT NULL, updated_at TEXT NOT NULL)"
)
_V2_CHECKPOINTS = (
    "CREATE TABLE checkpoints (id TEXT PRIMARY KEY, session_id TEXT NOT NULL, status TEXT, execution_depth INTEGER, "
    "parent_id TEXT, state TEXT, created_at TEXT NOT NULL, updated_at TEXT NOT NULL, "
    "FOREIGN KEY (session_id) REFERENCES sessions(id), FOREIGN KEY (parent_id) REFERENCES checkpoints(id))"
)
_INDEX = "CREATE INDEX IF NOT EXISTS idx_checkpoints_session_id ON checkpoints(session_id)"
_MIGRATIONS = (
    "CREATE TABLE IF NOT EXISTS _migrations (version INTEGER PRIMARY KEY, description TEXT NOT NULL, "
    "applied_at TEXT NOT NULL)"
)
_APPLIED_V1 = "INSERT INTO _migrations VALUES (1, 'Initial schema', datetime('now'))"
_APPLIED_V2 = (
    "INSERT INTO _migrations VALUES (2, 'Add status/cwd columns, make agent_id/status/execution_depth nullable', "
    "datetime('now'))"
)

# The statements of the agent's second migration, each committed on its own, as they run on a file of any generation.
_V2_MIGRATION = (
    "PRAGMA foreign_keys=OFF",
    "ALTER TABLE sessions RENAME TO _sessions_old",
    _V2_SESSIONS,
    "INSERT INTO sessions (id, title, agent_id, visibility, status, cwd, created_at, updated_at) "
    "SELECT id, title, agent_id, visibility, 'ACTIVE', NULL, created_at, updated_at FROM _sessions_old",
    "DROP TABLE _sessions_old",
    "ALTER TABLE checkpoints RENAME TO _checkpoints_old",
    _V2_CHECKPOINTS,
    "INSERT INTO checkpoints (id, session_id, status, execution_depth, parent_id, state, created_at, updated_at) "
    "SELECT id, session_id, status, execution_depth, parent_id, state, created_at, updated_at FROM _checkpoints_old",
    "DROP TABLE _checkpoints_old",
)

TORN_POINTS = range(1, len(_V2_MIGRATION) + 1)
"""The statements of the migration after which a kill can leave the file (2, 3, 4, 6, 7 and 8 leave it unopenable)."""

LAST_POINT_WITH_OLD_SESSIONS = 4
"""Up to here the file still has what the sessions were before the migration set every status and cwd back."""

_SCHEMAS: dict[Generation, tuple[str, ...]] = {
    Generation.LEGACY: (_V1_SESSIONS, _LEGACY_CHECKPOINTS),
    Generation.V1: (_MIGRATIONS, _V1_SESSIONS, _V1_CHECKPOINTS, _INDEX, _APPLIED_V1),
    Generation.INTERMEDIATE: (_V2_SESSIONS, _V2_CHECKPOINTS, _INDEX),
    Generation.V2: (_MIGRATIONS, _V2_SESSIONS, _V2_CHECKPOINTS, _APPLIED_V1, _APPLIED_V2),
}

_INSERT_SESSION = {
    True: "INSERT INTO sessions (id, title, visibility, status, cwd, created_at, updated_at) "
    "VALUES (?, ?, ?, ?, ?, ?, ?)",
    False: "INSERT INTO sessions (id, title, agent_id, visibility, created_at, updated_at) "
    "VALUES (?, ?, 'pablo:v1', ?, ?, ?)",
}
_INSERT_CHECKPOINT = {
    True: "INSERT INTO checkpoints (id, session_id, parent_id, state, created_at, updated_at) "
    "VALUES (?, ?, ?, ?, ?, ?)",
    False: "INSERT INTO checkpoints "
    "(id, session_id, status, execution_depth, parent_id, state, created_at, updated_at) "
    "VALUES (?, ?, 'COMPLETE', 0, ?, ?, ?, ?)",
}


def _has_status(generation: Generation) -> bool:
    return generation in (Generation.INTERMEDIATE, Generation.V2)


class Agent:
    """A connection that writes as the agent does; the statements of one test or generator go through one of these."""

    def __init__(self, connection: sqlite3.Connection, generation: Generation) -> None:
        self.connection = connection
        self.generation = generation

    def add_session(self, row: SessionRow) -> None:
        """The session's row, without its checkpoints."""
        values: list[Any] = [row.id, row.title, row.visibility, row.created_at, row.updated_at]
        if _has_status(self.generation):
            values[3:3] = [row.status, row.cwd]
        self.connection.execute(_INSERT_SESSION[_has_status(self.generation)], values)

    def add_checkpoint(self, row: CheckpointRow, state: Any = None) -> None:
        """A checkpoint's row; `state` stands in for what its messages would give."""
        self.add_raw(row, state_json(row.messages, row.metadata) if state is None else state)

    def add_raw(self, row: CheckpointRow, state: Any) -> None:
        """A checkpoint's row with exactly this in its state, None included."""
        values = (row.id, row.session_id, row.parent_id, state, row.created_at, row.created_at)
        self.connection.execute(_INSERT_CHECKPOINT[_has_status(self.generation)], values)


@contextmanager
def agent(path: Path, generation: Generation = Generation.V2) -> Iterator[Agent]:
    """A connection to an existing file; what is written through it is committed at the end."""
    with closing(sqlite3.connect(path)) as connection:
        yield Agent(connection, generation)
        connection.commit()


def create_file(path: Path, generation: Generation = Generation.V2, *, wal: bool = True) -> None:
    """An empty file of this generation. The agent keeps its files in WAL mode."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        if wal:
            connection.execute("PRAGMA journal_mode=WAL")
        for statement in _SCHEMAS[generation]:
            connection.execute(statement)


def write_database(
    path: Path, generation: Generation = Generation.V2, shape: Shape | None = None, *, wal: bool = True
) -> Database:
    """A file of this generation with healthy content, and what is in it."""
    shape = shape or Shape()
    create_file(path, generation, wal=wal)
    with agent(path, generation) as writer:
        writer.connection.execute("PRAGMA synchronous=OFF")
        sessions = [_write_session(writer, number, shape) for number in range(1, shape.sessions + 1)]
    return Database(path=path, generation=generation, sessions=[_as_kept(row, generation) for row in sessions])


def _write_session(writer: Agent, number: int, shape: Shape) -> SessionRow:
    session = _SessionWriter(number, shape)
    checkpoints: list[CheckpointRow] = []
    for step in session.steps():
        writer.add_raw(step.row, _state_text(step, writer.generation))
        checkpoints.append(step.row)
    row = session.row(checkpoints)
    writer.add_session(row)
    return row


def _state_text(step: _Step, generation: Generation) -> str:
    if generation is not Generation.LEGACY:
        return _state_of_texts(step.texts, step.row.metadata)
    # The oldest agents stored their whole output, of which later ones read the messages.
    return f'{{"agent_id":"pablo:v1","messages":[{",".join(step.texts)}],"node_states":{{"plan":[1,2]}}}}'


def _as_kept(row: SessionRow, generation: Generation) -> SessionRow:
    """The session as far as the columns of its generation hold it."""
    checkpoints = row.checkpoints
    if generation is Generation.LEGACY:
        checkpoints = [msgspec.structs.replace(checkpoint, metadata=None) for checkpoint in checkpoints]
    if _has_status(generation):
        return msgspec.structs.replace(row, checkpoints=checkpoints)
    return msgspec.structs.replace(row, status=None, cwd=None, checkpoints=checkpoints)


def write_torn_database(
    path: Path, point: int, generation: Generation = Generation.V1, shape: Shape | None = None, *, partial: bool = False
) -> Database:
    """A file whose second migration was killed after statement `point` (see `TORN_POINTS`).

    `partial` leaves half of the copied rows in the new table and the other half in the old one, where both exist.
    """
    database = write_database(path, generation, shape)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        if generation is not Generation.V1:
            for statement in _SCHEMAS[Generation.V1]:  # which changes nothing but to note itself as applied
                connection.execute(statement)
        for statement in _V2_MIGRATION[:point]:
            connection.execute(statement)
        if partial and point in (4, 8):
            table = "sessions" if point == 4 else "checkpoints"
            connection.execute(f"DELETE FROM {table} WHERE rowid % 2 = 0")
            connection.execute(f"DELETE FROM _{table}_old WHERE rowid % 2 = 1")
    reset = point > LAST_POINT_WITH_OLD_SESSIONS or (partial and point == LAST_POINT_WITH_OLD_SESSIONS)
    return database if not reset else _with_sessions_reset(database, every_row=point > LAST_POINT_WITH_OLD_SESSIONS)


def _with_sessions_reset(database: Database, *, every_row: bool) -> Database:
    """What is left once the migration has set status and cwd back, of every session or of every second one."""
    sessions = [
        msgspec.structs.replace(row, status="ACTIVE", cwd=None) if every_row or index % 2 == 0 else row
        for index, row in enumerate(database.sessions)
    ]
    return msgspec.structs.replace(database, sessions=sessions)


# ------------------------------------------------------------------------------------------------ what an agent does


def continue_session(database: Database, session: SessionRow, turns: int = 2) -> list[CheckpointRow]:
    """Turns that the agent adds to a session after its newest checkpoint; the rows that were added."""
    talk = Talk(random.Random(f"continued:{session.id}"), Shape())
    added: list[CheckpointRow] = []
    parent = session.newest
    moment = _START_NS + 40 * 86_400_000_000_000
    with agent(database.path, database.generation) as writer:
        (count,) = writer.connection.execute("SELECT count(*) FROM checkpoints").fetchone()
        for turn in range(1, turns + 1):
            parent = CheckpointRow(
                id=row_id(3, 1000 * count + turn),
                session_id=session.id,
                parent_id=parent.id,
                created_at=chrono_text(moment + turn * _TURN_NS),
                messages=[*parent.messages, *talk.turn()],
            )
            writer.add_checkpoint(parent)
            added.append(parent)
        writer.connection.execute("UPDATE sessions SET updated_at = ? WHERE id = ?", (added[-1].created_at, session.id))
    return added


# ------------------------------------------------------------------------------------------------------ broken rows


class Breakage(enum.StrEnum):
    """What can be wrong with a row, and with which table it is found."""

    NULL_STATE = "NULL state"
    EMPTY_STATE = "empty text as state"
    MALFORMED_STATE = "malformed JSON"
    TRUNCATED_STATE = "state cut off in the middle"
    STATE_NOT_AN_OBJECT = "state is a JSON string"
    STATE_NULL_JSON = "state is JSON null"
    MESSAGES_NOT_AN_ARRAY = "messages is an object"
    MESSAGES_NULL = "messages is null"
    MESSAGE_NOT_AN_OBJECT = "a message is text"
    NUMBER_OUT_OF_RANGE = "a number beyond a float"
    TOO_DEEP = "nested beyond any limit"
    NOT_UTF8 = "bytes that are not UTF-8"
    BLOB_STATE = "BLOB in state"
    NUMBER_STATE = "state is a number"
    BAD_ID = "id is no uuid"
    BLOB_ID = "id is a BLOB"
    NULL_ID = "id is NULL"
    BAD_TIME = "time without an offset"
    BLOB_TIME = "BLOB in created_at"
    BAD_SESSION_ID = "session_id is no uuid"
    MISSING_SESSION = "session is not in the file"


_BROKEN_STATES: dict[Breakage, Any] = {
    Breakage.NULL_STATE: None,
    Breakage.EMPTY_STATE: "",
    Breakage.MALFORMED_STATE: '{"messages":[{"role":"user" "content":"x"}]}',
    Breakage.TRUNCATED_STATE: '{"messages":[{"role":"user","content":"he',
    Breakage.STATE_NOT_AN_OBJECT: '"messages"',
    Breakage.STATE_NULL_JSON: "null",
    Breakage.MESSAGES_NOT_AN_ARRAY: '{"messages":{"role":"user","content":"x"}}',
    Breakage.MESSAGES_NULL: '{"messages":null}',
    Breakage.MESSAGE_NOT_AN_OBJECT: '{"messages":[{"role":"user","content":"x"},"text"]}',
    Breakage.NUMBER_OUT_OF_RANGE: '{"messages":[{"role":"user","content":"x","cost":1e400}]}',
    Breakage.TOO_DEEP: '{"messages":[{"role":"user","content":' + "[" * 5000 + "]" * 5000 + "}]}",
    Breakage.BLOB_STATE: b'{"messages":[]}',
    Breakage.NUMBER_STATE: 7,
}

_BROKEN_COLUMNS: dict[Breakage, tuple[str, Any]] = {
    Breakage.BAD_ID: ("id", "not-a-uuid"),
    Breakage.BLOB_ID: ("id", b"\x00\x01"),
    Breakage.NULL_ID: ("id", None),
    Breakage.BAD_TIME: ("created_at", "2026-03-01 09:00:00"),
    Breakage.BLOB_TIME: ("created_at", b"2026"),
    Breakage.BAD_SESSION_ID: ("session_id", "session-1"),
    Breakage.MISSING_SESSION: ("session_id", row_id(1, 999)),
}

HEALTHY_BEFORE = 2
"""How many checkpoints of a file of `write_broken_database` stand before the broken one."""


def write_broken_database(path: Path, breakage: Breakage, generation: Generation = Generation.V2) -> Database:
    """One session that is one chain of four checkpoints, of which the third is broken; its fourth has it as parent.

    What is returned has all four as they would be if nothing were wrong.
    """
    database = write_database(path, generation, Shape(sessions=1, turns=3, trees=False))
    broken = database.sessions[0].checkpoints[HEALTHY_BEFORE]
    with agent(path, generation) as writer:
        break_row(writer.connection, "checkpoints", broken.id, breakage)
    return database


def break_row(connection: sqlite3.Connection, table: str, target: str, breakage: Breakage) -> None:
    """Break the row of this id."""
    if breakage is Breakage.NOT_UTF8:
        connection.execute(
            f"UPDATE {table} SET state = CAST(replace(CAST(state AS BLOB), ?, ?) AS TEXT) WHERE id = ?",
            (b'"content":"', b'"content":"\xff', target),
        )
        return
    column, value = _BROKEN_COLUMNS.get(breakage) or ("state", _BROKEN_STATES[breakage])
    changed = connection.execute(f"UPDATE {table} SET {column} = ? WHERE id = ?", (value, target))
    if changed.rowcount != 1:
        raise LookupError(f"{table} has no row {target}")


def set_parent(database: Database, checkpoint: str, parent: str | None) -> None:
    """Give a checkpoint another parent: one that is missing, of another session, or a descendant of its own."""
    with agent(database.path, database.generation) as writer:
        writer.connection.execute("UPDATE checkpoints SET parent_id = ? WHERE id = ?", (parent, checkpoint))


class Ruin(msgspec.Struct, frozen=True, kw_only=True):
    """A file with everything wrong at once, and what can be saved of it."""

    database: Database
    broken: list[str]


def write_ruin(path: Path, generation: Generation = Generation.V2) -> Ruin:
    """Healthy sessions, and one whose every checkpoint but the first and last is broken in its own way."""
    kinds = list(Breakage)
    database = write_database(path, generation, Shape(sessions=3, turns=len(kinds) + 1, message_bytes=40, trees=False))
    checkpoints = database.sessions[0].checkpoints
    with agent(path, generation) as writer:
        for breakage, row in zip(kinds, checkpoints[1:-1], strict=True):
            break_row(writer.connection, "checkpoints", row.id, breakage)
    return Ruin(database=database, broken=[row.id for row in checkpoints[1:-1]])
