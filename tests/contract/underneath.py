"""The tables of an SQLite store, read by hand and compared with the model of the state machine.

Nothing of clew reads or resolves here: conversations are put together from the timelines in Python, and hashes and
chains are computed anew.
"""

import json
from typing import Any, NamedTuple
from uuid import UUID

import apsw
import xxhash

from clew.testing import Model

Row = dict[str, Any]


SESSION_COLUMNS = (
    "title", "visibility", "status", "cwd", "source", "source_id", "revision", "created_at", "updated_at",
    "last_message_at",
)  # fmt: skip


class Tables(NamedTuple):
    """Every row of every table that holds data."""

    session: list[Row]
    checkpoint: list[Row]
    timeline: list[Row]
    entry: list[Row]
    content: list[Row]
    session_count: list[Row]


def read_tables(connection: apsw.Connection) -> Tables:
    """All rows, of one moment."""
    connection.execute("BEGIN")
    try:
        return Tables(*(_rows(connection, name) for name in Tables._fields))
    finally:
        connection.execute("COMMIT")


def _rows(connection: apsw.Connection, table: str) -> list[Row]:
    names = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
    return [dict(zip(names, row, strict=True)) for row in connection.execute(f"SELECT * FROM {table}")]


def compare(tables: Tables, model: Model) -> None:
    """The tables hold what the model has, and nothing that no rule of the format allows."""
    reader = Reader(tables)
    assert {UUID(bytes=row["id"]) for row in tables.session} == set(model.sessions)
    assert {UUID(bytes=row["id"]) for row in tables.checkpoint} == set(model.checkpoints)
    for row in tables.session:
        _compare_session(reader, row, model)
    for row in tables.checkpoint:
        _compare_checkpoint(reader, row, model)
    _check_counters(tables)
    _check_timelines(tables)
    _check_content(tables)


class Reader:
    """Puts conversations together."""

    def __init__(self, tables: Tables) -> None:
        self.sessions = {row["key"]: row for row in tables.session}
        self.checkpoints = {(row["session"], row["seq"]): row for row in tables.checkpoint}
        self.timelines = {row["key"]: row for row in tables.timeline}
        self.entries = {(row["timeline"], row["position"]): row["content"] for row in tables.entry}
        self.content = {row["key"]: row for row in tables.content}

    def bodies(self, timeline: int | None, length: int) -> list[bytes]:
        """The messages before `length` along a timeline."""
        found: list[bytes] = []
        for position in reversed(range(length)):
            timeline = self.timeline_at(timeline, position)
            found.insert(0, self.body(self.entries[timeline, position]))
        return found

    def timeline_at(self, timeline: int | None, position: int) -> int:
        """The timeline that has the entry at a position of a conversation that ends on `timeline`."""
        assert timeline is not None
        while position < self.timelines[timeline]["ancestor_length"]:
            timeline = self.timelines[timeline]["ancestor"]
        assert isinstance(timeline, int)
        return timeline

    def checkpoint(self, id: UUID) -> Row:
        """The row of a checkpoint."""
        return next(row for row in self.checkpoints.values() if row["id"] == id.bytes)

    def body(self, key: int) -> bytes:
        """One value, whose hash must be right."""
        body = self.content[key]["body"].encode()
        assert xxhash.xxh3_128_digest(body) == self.content[key]["hash"]
        return bytes(body)

    def value(self, key: int | None) -> Any:
        """One value decoded."""
        return None if key is None else json.loads(self.body(key))


def _compare_session(reader: Reader, row: Row, model: Model) -> None:
    known = model.sessions[UUID(bytes=row["id"])]
    for name in SESSION_COLUMNS:
        assert row[name] == known[name], name
    for name in ("parent_session_id", "forked_from"):
        assert row[name] == (None if known[name] is None else known[name].bytes), name
    assert repr(reader.value(row["metadata"])) == repr(known["metadata"])
    tree = sorted(key for key in reader.checkpoints if key[0] == row["key"])
    assert [UUID(bytes=reader.checkpoints[key]["id"]) for key in tree] == known["checkpoints"]
    assert row["checkpoint_count"] == len(tree)
    assert row["next_seq"] > tree[-1][1]
    assert reader.checkpoints[row["key"], row["active"]]["id"] == known["active"].bytes


def _compare_checkpoint(reader: Reader, row: Row, model: Model) -> None:
    known = model.checkpoints[UUID(bytes=row["id"])]
    assert reader.sessions[row["session"]]["id"] == known["session_id"].bytes
    parent = None if row["parent"] is None else reader.checkpoints[row["session"], row["parent"]]["id"]
    assert parent == (None if known["parent_id"] is None else known["parent_id"].bytes)
    bodies = reader.bodies(row["timeline"], row["length"])
    assert repr([json.loads(body) for body in bodies]) == repr(known["messages"])
    assert repr(reader.value(row["metadata"])) == repr(known["metadata"])
    assert (row["label"], row["created_at"]) == (known["label"], known["created_at"])
    chain = bytes(16)
    for body in bodies:
        chain = xxhash.xxh3_128_digest(chain + xxhash.xxh3_128_digest(body))
    assert row["chain"] == chain
    if row["timeline"] is not None:
        timeline = reader.timelines[row["timeline"]]
        assert timeline["family"] == reader.sessions[row["session"]]["family"]
        assert row["length"] > timeline["ancestor_length"], "a point lies on the timeline of its last message"


def _check_counters(tables: Tables) -> None:
    counted = {row["status"]: row["sessions"] for row in tables.session_count}
    statuses = [row["status"] for row in tables.session]
    assert counted == {status: statuses.count(status) for status in ("ACTIVE", "DELETED")}


def _check_timelines(tables: Tables) -> None:
    """Every timeline has entries of its own without gaps, from where its ancestor ends."""
    families = {row["family"] for row in tables.session}
    for timeline in tables.timeline:
        positions = sorted(row["position"] for row in tables.entry if row["timeline"] == timeline["key"])
        begin = timeline["ancestor_length"]
        assert positions
        assert positions == list(range(begin, begin + len(positions)))
        assert timeline["family"] in families


def _check_content(tables: Tables) -> None:
    """A family has each distinct value once, and content of a family that no session is of is gone."""
    kept = [(row["family"], row["body"]) for row in tables.content]
    assert len(set(kept)) == len(kept)
    assert {family for family, _ in kept} <= {row["family"] for row in tables.session}
