"""A transaction on a connection to the file."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any
from uuid import UUID

import apsw
import msgspec

from clew.errors import CorruptStateError
from clew.relational.transaction import Indexed, Key, Kind, Match, Position, Row, Transaction, Wanted
from clew.search.words import spaced
from clew.sqlite import matching
from clew.sqlite.queries import SQL


class SQLiteTransaction(Transaction):
    """Statements on a connection whose transaction is open."""

    __slots__ = ("_brought", "_connection", "_run")
    unreadable = (apsw.CorruptError, apsw.NotADBError)

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection
        self._run = connection.execute
        self._brought = False  # content, since the last change got its number

    def fetch_all(self, name: str, parameters: Mapping[str, Any]) -> list[Row]:
        query = SQL[name]
        rows: list[Row] = self._run(query.text, query.pick(parameters)).fetchall()
        return rows

    def fetch_one(self, name: str, parameters: Mapping[str, Any]) -> Row | None:
        query = SQL[name]
        row: Row | None = self._run(query.text, query.pick(parameters)).fetchone()
        return row

    def iterate(self, name: str, parameters: Mapping[str, Any]) -> Iterator[Row]:
        query = SQL[name]
        rows: Iterator[Row] = self._run(query.text, query.pick(parameters))
        return rows

    def execute(self, name: str, parameters: Mapping[str, Any]) -> None:
        query = SQL[name]
        self._run(query.text, query.pick(parameters))

    def insert_session(self, parameters: Mapping[str, Any]) -> int:
        self.execute("insert_session", parameters)
        return self._connection.last_insert_rowid()

    def insert_timeline(self, parameters: Mapping[str, Any]) -> int:
        self.execute("insert_timeline", parameters)
        return self._connection.last_insert_rowid()

    def insert_entries(self, family: int, timeline: int, start: int, entries: Sequence[tuple[Key, int]]) -> None:
        rows = [(timeline, position, key, seal) for position, (key, seal) in enumerate(entries, start)]
        self._connection.executemany(SQL["insert_entry"].text, rows)

    def lock_session(self, session_id: UUID, *, collecting: bool = False) -> None:
        pass  # whoever writes is alone

    def lock_family(self, family: int) -> None:
        pass

    def lock_id(self, id: UUID) -> None:
        pass

    def store_content(self, family: int, body: bytes, digest: bytes, kind: Kind) -> Key:
        # Text has even numbers among what shares a hash and bytes odd ones, so that neither depends on the other.
        is_text = kind != "bytes"
        key = self._insert(family, digest, 0, body, is_text)
        if key is not None:
            return key
        candidates = [
            (key, stored)
            for key, is_bytes, stored in self.fetch_all("find_content", {"family": family, "hash": digest})
            if bool(is_bytes) is not is_text
        ]
        for key, stored in candidates:
            if stored == body:
                return int(key)
        key = self._insert(family, digest, len(candidates), body, is_text)
        if key is None:
            raise CorruptStateError(f"content of family {family} is not numbered in order")
        return key

    def store_messages(self, family: int, bodies: Sequence[bytes], digests: Sequence[bytes]) -> Sequence[Key]:
        before = self._connection.total_changes()
        rows = [(family, digest, 0, body) for body, digest in zip(bodies, digests, strict=True)]
        self._connection.executemany(SQL["insert_content"].text, rows)
        if self._connection.total_changes() - before == len(rows):  # all were new: their keys follow each other
            last = self._connection.last_insert_rowid()
            self._brought = True
            return range(last - len(rows) + 1, last + 1)
        return [self.store_content(family, body, digest, "message") for _, digest, _, body in rows]

    def bodies(self, places: Collection[tuple[int, Key]]) -> dict[tuple[int, Key], bytes]:
        # A damaged row may hold anything for a key.
        wanted = msgspec.json.encode([place for place in places if isinstance(place[1], int)]).decode()
        return {(family, key): body for family, key, body in self.fetch_all("bodies_by_key", {"places": wanted})}

    def delete_unreached_content(self, family: int) -> None:
        before = self._newest_content()
        self.execute("delete_unreached_content", {"family": family})
        gone = before - self._newest_content()
        if gone:
            self.execute("count_change", {"by": gone})

    # -- the search index

    def index(self, messages: Sequence[Indexed]) -> None:
        self._connection.executemany(SQL["index_message"].text, map(_index_row, messages))

    def unindex(self, messages: Sequence[Indexed], *, merge_later: bool = False) -> None:
        if merge_later:
            self._flush_index()  # what was taken out before it was to be gone at once
            self.execute("set_unmerged", {"unmerged": 1})
            self.execute("erase_quickly", {})
        self._connection.executemany(SQL["unindex_message"].text, map(_index_row, messages))
        self._flush_index()
        if merge_later:
            self.execute("erase_securely", {})

    def _flush_index(self) -> None:
        # FTS5 keeps what it is told until it is asked, or until the commit: what is damaged has to show before that.
        self.fetch_all("count_matches", {"query": "x", "limit": 1})

    def merge_index(self) -> None:
        if self.fetch_all("is_unmerged", {})[0][0]:
            self.execute("optimize_index", {})
            self.execute("set_unmerged", {"unmerged": 0})

    def count_indexed(self) -> int:
        return int(self.fetch_all("count_indexed", {})[0][0])

    def families_to_index(self) -> list[int]:
        return [family for (family,) in self.fetch_all("families_to_index", {})]

    def remove_family_to_index(self, family: int) -> None:
        self.execute("remove_family_to_index", {"family": family})

    def empty_index(self) -> None:
        self.execute("empty_index", {})
        self.execute("set_unmerged", {"unmerged": 0})
        self.execute("forget_families_to_index", {})

    def insert_places(self, family: int, timeline: int, places: Sequence[tuple[Key, int, int]]) -> None:
        rows = [(key, timeline, position, seq) for key, position, seq in places]
        self._connection.executemany(SQL["insert_place"].text, rows)

    def matches(self, wanted: Wanted, after: Position | None) -> Iterator[Match]:
        return matching.matches(self, wanted, after)

    def places_of(self, messages: Sequence[tuple[int | None, Key]]) -> list[Row]:
        wanted = msgspec.json.encode([key for _, key in messages]).decode()
        return self.fetch_all("places_of_messages", {"keys": wanted})

    def lock_index(self) -> None:
        pass  # whoever writes is alone

    def count_change(self) -> None:
        if not self._brought:
            self.execute("count_change", {"by": 1})
        self._brought = False

    def _newest_content(self) -> int:
        ((key,),) = self.fetch_all("newest_content", {})
        return int(key)

    def _insert(self, family: int, digest: bytes, number: int, body: bytes, is_text: bool) -> int | None:
        statement, tie = ("insert_content", 2 * number) if is_text else ("insert_bytes", 2 * number + 1)
        self.execute(statement, {"family": family, "hash": digest, "tie": tie, "body": body})
        if not self._connection.changes():
            return None
        self._brought = True
        return self._connection.last_insert_rowid()


def _index_row(message: Indexed) -> tuple[Key, str, str]:
    return message.key, spaced(message.document.text), " ".join(message.document.facts)
