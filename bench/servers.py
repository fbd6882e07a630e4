"""A PostgreSQL server of a measurement's own, which keeps what it acknowledges, and what bare PostgreSQL takes on it.

It is the one that the tests start, from a wheel, by its socket: no network lies between it and this process.
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import NamedTuple, cast
from urllib.parse import urlsplit

import psycopg
from tests.support.postgres_programs import Place, Server

import clew
from bench.measure import Durability

# What PostgreSQL does by itself, said because the cost of a commit depends on it. The other settings are its own too.
_SETTINGS = {"fsync": "on", "full_page_writes": "on", "shared_buffers": "128MB", "synchronous_commit": "on"}
_ON_DISK = Path("/var/tmp")
"""Where temporary files are kept over a restart, and so on a disk: the other folder is in memory on many machines."""

_COUNTS = """
SELECT (SELECT count(*) FROM clew_session) + (SELECT count(*) FROM clew_checkpoint)
    + (SELECT count(*) FROM clew_timeline) + (SELECT count(*) FROM clew_entry) + (SELECT count(*) FROM clew_content),
    pg_snapshot_xmax(pg_current_snapshot())::text::bigint
"""

_SIZE = """
SELECT coalesce(sum(pg_table_size(c.oid)), 0)::bigint, coalesce(sum(pg_indexes_size(c.oid)), 0)::bigint
FROM pg_class AS c WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind = 'r' AND c.relname LIKE %s
"""


class Size(NamedTuple):
    """Bytes of tables, with what PostgreSQL keeps beside them, and of their indexes."""

    tables: int
    indexes: int

    @property
    def total(self) -> int:
        return self.tables + self.indexes


class Log(NamedTuple):
    """A place in the server's write-ahead log, and how many whole pages have been written to it."""

    position: int
    pages: int


class Counts(NamedTuple):
    """Rows of clew's tables, and transactions of the server that have written."""

    rows: int
    transactions: int


class Database:
    """One database on the server."""

    def __init__(self, url: str) -> None:
        self.url = url

    @contextmanager
    def store(self, durability: Durability = "full") -> Iterator[clew.Store]:
        """clew over it."""
        with clew.open(self.url, durability=durability) as store:
            yield store

    @contextmanager
    def floor(self, durability: Durability = "full") -> Iterator["Floor"]:
        """A table in it, and a connection to write it by."""
        with psycopg.connect(self.url, autocommit=True, cursor_factory=psycopg.RawCursor) as connection:
            if durability == "normal":
                connection.execute("SET synchronous_commit = off")
            yield Floor(connection)

    def size(self, tables: str = "%") -> Size:
        """What the tables take whose names are like this, with what is dead in them cleared away."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute("VACUUM")
            return Size(*cast(tuple[int, int], connection.execute(_SIZE, (tables,)).fetchone()))

    def log(self) -> Log:
        """Where the log ends."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute("SELECT pg_stat_force_next_flush()")
            row = connection.execute("SELECT pg_current_wal_insert_lsn() - '0/0', wal_fpi FROM pg_stat_wal").fetchone()
        position, pages = cast(tuple[int, int], row)
        return Log(int(position), int(pages))

    def counts(self) -> Counts:
        """What has been written by now."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            return Counts(*cast(tuple[int, int], connection.execute(_COUNTS).fetchone()))

    def run(self, *statements: str) -> None:
        """Have the server do something by hand."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement.encode())

    def checkpoint(self) -> None:
        """Bring everything to the tables: whatever page is written next goes to the log whole."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute("CHECKPOINT")

    def version(self) -> int:
        """Which PostgreSQL this is: 180004 is 18.4."""
        with psycopg.connect(self.url) as connection:
            return connection.info.server_version


class Floor:
    """What PostgreSQL itself takes to keep two messages: a table with a primary key, and prepared statements."""

    def __init__(self, connection: psycopg.Connection[tuple[object, ...]]) -> None:
        self._connection = connection
        connection.prepare_threshold = 0
        connection.execute(
            "CREATE TABLE IF NOT EXISTS message "
            "(key bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, body bytea NOT NULL)"
        )

    def add(self, bodies: Sequence[bytes]) -> None:
        """Two messages in one statement that commits itself, so in one round trip."""
        self._connection.execute("INSERT INTO message (body) VALUES ($1), ($2)", bodies)

    def add_in_transaction(self, bodies: Sequence[bytes]) -> None:
        """The same as most programs do it: a statement for each, and one before and one after, so in four."""
        self._connection.execute("BEGIN")
        for body in bodies:
            self._connection.execute("INSERT INTO message (body) VALUES ($1)", (body,))
        self._connection.execute("COMMIT")


class Cluster:
    """A running server."""

    def __init__(self, url: str) -> None:
        self._url = url

    def database(self, name: str) -> Database:
        """A new database."""
        with psycopg.connect(self._url, autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{name}" TEMPLATE template0'.encode())
        return Database(urlsplit(self._url)._replace(path=f"/{name}").geturl())


@contextmanager
def cluster() -> Iterator[Cluster]:
    """A server that is gone afterwards, with all that was in it."""
    with ExitStack() as stack:
        place = stack.enter_context(closing(Place(_ON_DISK if _ON_DISK.is_dir() else None)))
        server = Server(place, "data")
        server.initialize(_SETTINGS)
        server.start()
        yield Cluster(server.url)
