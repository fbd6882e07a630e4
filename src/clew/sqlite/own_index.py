"""A search index in memory, for a file that cannot be written and whose own index does not know all that is there.

It is made by the same statements: tables for the time of a connection have the names of those in the file, and SQLite
finds them first. So the whole of the file is indexed anew, once; what is written meanwhile is added, and where
something was deleted it is made once more.
"""

import threading
from collections.abc import Callable
from typing import TypeVar

import apsw

from clew.backend import MessageSearch
from clew.model import Page, SearchHit
from clew.relational import indexing, searching
from clew.relational.transaction import Transaction
from clew.sqlite import migrations
from clew.sqlite.transaction import SQLiteTransaction

T = TypeVar("T")

_MIGRATION = "search"


class OwnIndex:
    """The index, with the connection that has it. Safe to use from many threads."""

    def __init__(self, connect: Callable[[], apsw.Connection]) -> None:
        self._connect = connect
        self._connection: apsw.Connection | None = None
        self._mutex = threading.Lock()
        self._deletions: int | None = None

    def search(self, search: MessageSearch) -> Page[SearchHit]:
        """See `Backend.search`."""
        with self._mutex:
            if self._connection is None:
                self._connection = _with_tables(self._connect())
            return self._run(self._connection, lambda db: self._find(db, search))

    def close(self) -> None:
        """Let go of the connection, and so of the index."""
        with self._mutex:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def _find(self, db: Transaction, search: MessageSearch) -> Page[SearchHit]:
        ((deletions,),) = db.fetch_all("changes_without_content", {})
        if deletions != self._deletions:
            indexing.reset(db)
        work = indexing.plan(db)
        at: int | None = 0
        while work is not None and at is not None:
            at = indexing.index_batch(db, work, at)
            if at == len(work.families):
                break
        self._deletions = deletions
        return searching.find(db, search)

    def _run(self, connection: apsw.Connection, work: Callable[[Transaction], T]) -> T:
        connection.execute("BEGIN")
        try:
            return work(SQLiteTransaction(connection))
        except BaseException:
            self._deletions = None
            raise
        finally:
            connection.execute("COMMIT")  # of the tables for the connection: the file is only read


def _with_tables(connection: apsw.Connection) -> apsw.Connection:
    (script,) = [found.up for found in migrations.known_migrations() if found.name == _MIGRATION]
    own = script.replace("CREATE TABLE ", "CREATE TEMP TABLE ")
    connection.execute(own.replace("CREATE VIRTUAL TABLE ", "CREATE VIRTUAL TABLE temp."))
    return connection
