"""The PostgreSQL that tests make their databases in.

It is the one that CLEW_TEST_POSTGRES_URL names (a URL of a database whose user may create others), else one that is
started for the tests and is gone after them.
"""

import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from urllib.parse import urlsplit
from uuid import uuid4

import psycopg
from psycopg import sql
from tests.support.postgres_programs import Place, Server

_GIVEN = "CLEW_TEST_POSTGRES_URL"
_HAS_STRATEGIES = 150_000
# Nothing has to survive, and each test wants few rows but many tables.
_SETTINGS = {
    "autovacuum": "off",
    "fsync": "off",
    "full_page_writes": "off",
    "max_connections": "300",
    "max_locks_per_transaction": "512",
    "max_wal_senders": "0",
    "synchronous_commit": "off",
    "wal_level": "minimal",
}


class PostgresServer:
    """Makes databases for tests and drops what is left of them when it is closed."""

    def __init__(self, url: str) -> None:
        """At `url` is a database to give orders from."""
        self.url = url
        self._connection = psycopg.connect(url, autocommit=True)
        self._made: list[str] = []

    def create_database(self, template: str | None = None) -> str:
        """The URL of a new database: empty, or like the one whose URL is given, to which nobody may be connected."""
        name = f"clew_test_{uuid4().hex}"
        origin = "template0" if template is None else _name(template)
        order = sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), sql.Identifier(origin))
        if self._connection.info.server_version >= _HAS_STRATEGIES:
            # Less than half of what the other strategy takes; older servers know no other.
            order += sql.SQL(" STRATEGY FILE_COPY")
        self._connection.execute(order)
        url = urlsplit(self.url)._replace(path=f"/{name}").geturl()
        self._made.append(url)
        return url

    def drop_database(self, url: str) -> None:
        """Drop a database that was made here; whoever is connected to it no longer is."""
        self._made.remove(url)
        self._connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(_name(url))))

    def close(self) -> None:
        """Drop what was made and not dropped."""
        with self._connection:
            for url in list(self._made):
                self.drop_database(url)


@contextmanager
def running_server() -> Iterator[PostgresServer]:
    """The server that is given, else a private one for as long as this is entered."""
    given = os.environ.get(_GIVEN)
    if given:
        with closing(PostgresServer(given)) as server:
            yield server
    else:
        with private_server() as url, closing(PostgresServer(url)) as server:
            yield server


@contextmanager
def private_server() -> Iterator[str]:
    """The URL of a server of this process's own, which is fast and keeps nothing."""
    with closing(Place()) as place:
        server = Server(place, "data")
        server.initialize(_SETTINGS)
        server.start()
        yield server.url


def _name(url: str) -> str:
    return urlsplit(url).path.removeprefix("/")
