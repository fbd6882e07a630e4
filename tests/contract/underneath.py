"""The tables of an SQLite store, read by hand and compared with the model of the state machine.

Nothing of clew reads or resolves here: conversations are put together from the timelines in Python, attachments from
their pieces, and hashes, chains and seals are computed anew.
"""

import json
from typing import Any, NamedTuple
from uuid import UUID

import apsw
import msgspec
import xxhash

from clew.testing import Model

Row = dict[str, Any]


SESSION_COLUMNS = (
    "title", "visibility", "status", "cwd", "source", "source_id", "revision", "created_at", "updated_at",
    "last_message_at", "owner",
)  # fmt: skip


KEY_COLUMNS = ("name", "role", "created_at", "last_used_at", "revoked_at")


class Tables(NamedTuple):
    """Every row of every table that holds data."""

    session: list[Row]
    checkpoint: list[Row]
    timeline: list[Row]
    entry: list[Row]
    content: list[Row]
    counter: list[Row]
    attachment: list[Row]
    waiting_attachment: list[Row]
    chunk: list[Row]
    api_key: list[Row]


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
    _compare_waiting(reader, tables, model)
    _check_counters(tables)
    _check_timelines(tables)
    _check_content(tables)
    _check_references(reader, tables)
    _compare_keys(tables, model)


class Reader:
    """Puts conversations together."""

    def __init__(self, tables: Tables) -> None:
        self.sessions = {row["key"]: row for row in tables.session}
        self.checkpoints = {(row["session"], row["seq"]): row for row in tables.checkpoint}
        self.timelines = {row["key"]: row for row in tables.timeline}
        self.entries = {(row["timeline"], row["position"]): row["content"] for row in tables.entry}
        self.content = {row["key"]: row for row in tables.content}
        self.chunks: dict[int, dict[int, int]] = {}
        for row in tables.chunk:
            self.chunks.setdefault(row["whole"], {})[row["position"]] = row["content"]
        self.attachments: dict[tuple[int, int], list[Row]] = {}
        for row in tables.attachment:
            self.attachments.setdefault((row["session"], row["seq"]), []).append(row)

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
        body = self.content[key]["body"]
        body = body.encode() if isinstance(body, str) else body
        assert xxhash.xxh3_128_digest(body) == self.content[key]["hash"]
        return bytes(body)

    def hash(self, key: int | None) -> bytes | None:
        """The hash of one value."""
        return None if key is None else bytes(self.content[key]["hash"])

    def pieces(self, row: Row) -> bytes:
        """The bytes of an attachment, put together where they are in pieces."""
        body = self.body(row["content"])
        if row["chunk_size"] is not None:
            chunks = self.chunks[row["content"]]
            assert sorted(chunks) == list(range(len(chunks)))
            parts = [self.body(chunks[position]) for position in sorted(chunks)]
            assert body == b"".join(map(xxhash.xxh3_128_digest, parts))
            assert {len(part) for part in parts[:-1]} <= {row["chunk_size"]}
            assert 0 < len(parts[-1]) <= row["chunk_size"]
            body = b"".join(parts)
        assert len(body) == row["size"]
        return body

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
    assert row["next_seq"] > max((seq for _, seq in tree), default=0)
    active = None if row["active"] is None else reader.checkpoints[row["key"], row["active"]]["id"]
    assert active == (None if known["active"] is None else known["active"].bytes)
    assert row["seal"] == seal(
        row["id"], row["family"], utf8(row["title"]), utf8(row["visibility"]), utf8(row["status"]), utf8(row["cwd"]),
        utf8(row["source"]), utf8(row["source_id"]), row["parent_session_id"], row["forked_from"],
        reader.hash(row["metadata"]), row["created_at"], row["fingerprint"],
        *([] if row["owner"] is None else [utf8(row["owner"])]),
    )  # fmt: skip
    assert row["tip_seal"] == seal(
        row["id"], row["family"], row["active"], row["next_seq"], row["checkpoint_count"], row["revision"],
        row["updated_at"], row["last_message_at"],
    )  # fmt: skip


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
    updated_at = row["created_at"] if row["updated_at"] is None else row["updated_at"]
    assert updated_at == known["updated_at"]
    owner = reader.sessions[row["session"]]["id"]
    assert row["seal"] == seal(
        owner, row["seq"], row["id"], parent, row["timeline"], row["length"], row["chain"],
        reader.hash(row["metadata"]), utf8(row["label"]), row["created_at"], row["updated_at"], row["fingerprint"],
        row["attachment_count"],
    )  # fmt: skip
    attached = reader.attachments.get((row["session"], row["seq"]), [])
    assert _items(reader, attached, row["id"], None) == known["attachments"]
    assert row["attachment_count"] == len(known["attachments"])
    if row["timeline"] is not None:
        timeline = reader.timelines[row["timeline"]]
        assert timeline["family"] == reader.sessions[row["session"]]["family"]
        assert row["length"] > timeline["ancestor_length"], "a point lies on the timeline of its last message"


def _items(reader: Reader, rows: list[Row], owner: bytes, label: str | None) -> dict[str, tuple[bytes, str | None]]:
    """Attachments of one checkpoint, or of one label, by name."""
    for row in rows:
        assert row["seal"] == seal(
            owner, utf8(label), utf8(row["name"]), utf8(row["content_type"]), row["size"], row["chunk_size"],
            reader.hash(row["content"]),
        )  # fmt: skip
    return {row["name"]: (reader.pieces(row), row["content_type"]) for row in rows}


def _compare_waiting(reader: Reader, tables: Tables, model: Model) -> None:
    """What waits for labels, and for none that a checkpoint has."""
    found: dict[tuple[int, str], list[Row]] = {}
    for row in tables.waiting_attachment:
        found.setdefault((row["session"], row["label"]), []).append(row)
    for key, session in reader.sessions.items():
        known = model.sessions[UUID(bytes=session["id"])]["waiting"]
        waiting = {label: rows for (owner, label), rows in found.items() if owner == key}
        assert {label: _items(reader, rows, session["id"], label) for label, rows in waiting.items()} == known
    taken = {(row["session"], row["label"]) for row in tables.checkpoint}
    assert taken.isdisjoint(found)


def _compare_keys(tables: Tables, model: Model) -> None:
    found = {UUID(bytes=row["id"]): {name: row[name] for name in KEY_COLUMNS} for row in tables.api_key}
    assert found == model.keys
    for row in tables.api_key:
        assert row["seal"] == seal(
            row["id"], row["digest"], utf8(row["name"]), utf8(row["role"]), row["created_at"], row["last_used_at"],
            row["revoked_at"],
        )  # fmt: skip


def seal(*values: object) -> int:
    """The first 31 bits of a hash over the values of a row."""
    return int(xxhash.xxh3_64_intdigest(msgspec.msgpack.encode(values)) >> 33)


def utf8(text: str | None) -> bytes | None:
    """Text as seals have it."""
    return None if text is None else text.encode()


def _check_counters(tables: Tables) -> None:
    counted = {row["name"]: row["value"] for row in tables.counter if row["name"] in ("ACTIVE", "DELETED")}
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
        assert timeline["seal"] == seal(timeline["key"], timeline["family"], timeline["ancestor"], begin)
    hashes = {row["key"]: row["hash"] for row in tables.content}
    for entry in tables.entry:
        assert entry["seal"] == seal(entry["timeline"], entry["position"], hashes[entry["content"]]) >> 16


def _check_content(tables: Tables) -> None:
    """A family has each distinct value once, and content of a family that no session is of is gone."""
    kept = [(row["family"], row["body"]) for row in tables.content]
    assert len(set(kept)) == len(kept)
    assert {family for family, _ in kept} <= {row["family"] for row in tables.session}


def _check_references(reader: Reader, tables: Tables) -> None:
    """Whatever refers to content refers to some of its own family."""
    family = {key: row["family"] for key, row in reader.sessions.items()}
    of_timeline = {key: row["family"] for key, row in reader.timelines.items()}
    used = [(family[row["session"]], row["content"]) for row in (*tables.attachment, *tables.waiting_attachment)]
    used += [(family[row["session"]], row["metadata"]) for row in tables.checkpoint if row["metadata"] is not None]
    used += [(row["family"], row["metadata"]) for row in tables.session if row["metadata"] is not None]
    used += [(of_timeline[row["timeline"]], row["content"]) for row in tables.entry]
    used += [(reader.content[row["whole"]]["family"], row["content"]) for row in tables.chunk]
    assert all(reader.content[key]["family"] == expected for expected, key in used)
