"""A transaction on a connection to the server."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import count
from typing import Any
from uuid import UUID

import psycopg

from clew import limits
from clew.postgres import matching
from clew.postgres.objects import searchable_or_none
from clew.postgres.queries import SQL
from clew.relational.transaction import Indexed, Key, Kind, Match, Position, Row, Transaction, Wanted

Cursor = psycopg.Cursor[Row]

_STREAMED_ROWS = 500 if psycopg.capabilities.has_stream_chunked() else 1  # what libpq takes before version 17
_FETCHED_ROWS = 1_000


class PostgresTransaction(Transaction):
    """Statements on a connection whose transaction is open; locks are taken only where it writes."""

    __slots__ = ("_cursor", "_writes")
    keeps_documents = True
    unreadable = (psycopg.errors.DataCorrupted, psycopg.errors.IndexCorrupted, psycopg.DataError)

    def __init__(self, cursor: Cursor, *, writes: bool) -> None:
        self._cursor = cursor
        self._writes = writes

    def fetch_all(self, name: str, parameters: Mapping[str, Any]) -> list[Row]:
        query = SQL[name]
        return self._cursor.execute(query.text, query.pick(parameters), binary=True).fetchall()

    def fetch_one(self, name: str, parameters: Mapping[str, Any]) -> Row | None:
        query = SQL[name]
        return self._cursor.execute(query.text, query.pick(parameters), binary=True).fetchone()

    def iterate(self, name: str, parameters: Mapping[str, Any]) -> Iterator[Row]:
        # What is streamed is planned anew each time, which takes as long as reading some hundred rows.
        if parameters.get("stop", limits.MAX_COUNT) - parameters.get("start", 0) <= _FETCHED_ROWS:
            return iter(self.fetch_all(name, parameters))
        query = SQL[name]
        return self._cursor.stream(query.text, query.pick(parameters), binary=True, size=_STREAMED_ROWS)

    def execute(self, name: str, parameters: Mapping[str, Any]) -> None:
        query = SQL[name]
        self._cursor.execute(query.text, query.pick(parameters))

    def insert_session(self, parameters: Mapping[str, Any]) -> int:
        return self._key("insert_session", parameters)

    def insert_timeline(self, parameters: Mapping[str, Any]) -> int:
        return self._key("insert_timeline", parameters)

    def insert_entries(self, family: int, timeline: int, start: int, entries: Sequence[tuple[Key, int]]) -> None:
        for first in range(0, len(entries), limits.MAX_ROWS_PER_STATEMENT):
            part = entries[first : first + limits.MAX_ROWS_PER_STATEMENT]
            place = {"family": family, "timeline": timeline, "start": start + first}
            keys, seals = zip(*part, strict=True)
            self.execute("insert_entries", {**place, "seals": seals, "contents": keys})

    # -- content

    def store_content(self, family: int, body: bytes, digest: bytes, kind: Kind) -> Key:
        searched = searchable_or_none(body) if kind == "metadata" else None
        for number in count():
            key = content_key(digest, 2 * number + (kind == "bytes"))
            place = {"family": family, "key": key, "object": searched}
            if self.fetch_one("insert_content", {**place, "body": body}) is not None:
                return key
            found = self.fetch_one("find_content", place)
            if found is not None and found[0] == body:
                if searched is not None and found[1]:  # a message of the family has become metadata too
                    self.execute("set_object", place)
                return key
        raise AssertionError  # count() has no end

    def store_messages(self, family: int, bodies: Sequence[bytes], digests: Sequence[bytes]) -> Sequence[Key]:
        distinct = dict(zip(digests, bodies, strict=True))
        known: list[bytes] = []
        # In the order of the keys: of two writers of one family that store the same, one waits for the other.
        for part in _portions(sorted(distinct.items())):
            keys, texts = zip(*part, strict=True)
            rows = self.fetch_all("insert_contents", {"family": family, "keys": keys, "bodies": texts})
            known += [digest for (digest,) in rows]
        stored: dict[bytes, Key] = {digest: digest for digest in distinct}
        stored.update({digest: self.store_content(family, distinct[digest], digest, "message") for digest in known})
        return [
            stored[digest] if distinct[digest] == body else self.store_content(family, body, digest, "message")
            for body, digest in zip(bodies, digests, strict=True)
        ]

    def bodies(self, places: Collection[tuple[int, Key]]) -> dict[tuple[int, Key], bytes]:
        wanted = [place for place in places if isinstance(place[1], bytes)]
        families, keys = [family for family, _ in wanted], [key for _, key in wanted]
        rows = self.fetch_all("bodies_by_key", {"families": families, "keys": keys})
        return {(family, key): body for family, key, body in rows}

    def delete_unreached_content(self, family: int) -> None:
        self.execute("delete_unreached_content", {"family": family})

    def count_change(self) -> None:
        pass  # the number of the transaction is that of the change

    # -- the search index

    def index(self, messages: Sequence[Indexed]) -> None:
        if messages:
            self.execute(
                "index_messages",
                {
                    "families": [message.family for message in messages],
                    "contents": [message.key for message in messages],
                    "documents": [matching.document_text(message.document) for message in messages],
                },
            )

    def unindex(self, messages: Sequence[Indexed], *, merge_later: bool = False) -> None:
        raise NotImplementedError  # rows of an index that keeps documents are deleted

    def empty_index(self) -> None:
        self.execute("empty_index", {})

    def insert_places(self, family: int, timeline: int, places: Sequence[tuple[Key, int, int]]) -> None:
        if places:
            keys, positions, seqs = zip(*places, strict=True)
            place = {"family": family, "timeline": timeline}
            self.execute("insert_places", {**place, "contents": keys, "positions": positions, "seqs": seqs})

    def matches(self, wanted: Wanted, after: Position | None) -> Iterator[Match]:
        return matching.matches(self, wanted, after)

    def places_of(self, messages: Sequence[tuple[int | None, Key]]) -> list[Row]:
        families, keys = [family for family, _ in messages], [key for _, key in messages]
        return self.fetch_all("places_of_messages", {"families": families, "keys": keys})

    def lock_index(self) -> None:
        self.fetch_one("lock_index", {})

    # -- locks

    def lock_session(self, session_id: UUID, *, collecting: bool = False) -> None:
        if self._writes:
            self.fetch_one("lock_session_collecting" if collecting else "lock_session", {"id": session_id.bytes})

    def lock_family(self, family: int) -> None:
        self.fetch_one("lock_family", {"family": family})

    def lock_id(self, id: UUID) -> None:
        self.fetch_one("lock_id", {"id": id.bytes})

    def _key(self, name: str, parameters: Mapping[str, Any]) -> int:
        row = self.fetch_one(name, parameters)
        if row is None:
            raise LookupError(f"{name} returned no key")
        return int(row[0])


def content_key(digest: bytes, tie: int) -> bytes:
    """What content is found by: its hash, and a number where something else has the hash already."""
    return digest if tie == 0 else digest + tie.to_bytes(4).lstrip(b"\0")


def _portions(items: Sequence[tuple[bytes, bytes]]) -> Iterator[list[tuple[bytes, bytes]]]:
    """Contents in parts that one statement can take."""
    part: list[tuple[bytes, bytes]] = []
    size = 0
    for item in items:
        if part and (
            len(part) >= limits.MAX_ROWS_PER_STATEMENT or size + len(item[1]) > limits.MAX_BYTES_PER_STATEMENT
        ):
            yield part
            part, size = [], 0
        part.append(item)
        size += len(item[1])
    if part:
        yield part
