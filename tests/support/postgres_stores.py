"""Stores in PostgreSQL for tests: one database for a run, emptied before each test."""

from collections.abc import Callable

import psycopg

from clew import Store
from clew.postgres import PostgresBackend, open_backend

TABLES = (
    "clew_session", "clew_tip", "clew_purged", "clew_checkpoint", "clew_timeline", "clew_entry", "clew_content",
    "clew_attachment", "clew_waiting_attachment", "clew_chunk", "clew_api_key", "clew_former_directory",
    "clew_message_index", "clew_message_place", "clew_indexed_timeline",
)  # fmt: skip

_EMPTY = "; ".join(
    [
        *(f"DELETE FROM {table}" for table in TABLES),
        "UPDATE clew_search_state SET version = 0, changed = 0",
        "DELETE FROM clew_session_count",
        "INSERT INTO clew_session_count SELECT status, slot, 0"
        " FROM unnest(ARRAY['ACTIVE', 'DELETED']) AS status, generate_series(0, 15) AS slot",
    ]
)


def open_postgres(url: str, *, busy_timeout: float = 30) -> PostgresBackend:
    """The database at `url` as a backend whose writes need not last."""
    return open_backend(url, durability="normal", busy_timeout=busy_timeout)


def open_store(url: str, clock: Callable[[], int]) -> Store:
    """The same as a store with a clock."""
    return Store(open_postgres(url), clock=clock)


class Database:
    """A database with clew's tables, and a connection to empty it by."""

    def __init__(self, url: str) -> None:
        self.url = url
        # Open for as long as the tests run: the connections of stores on it are shared, and stay warm.
        self._store = open_postgres(url)
        self._connection = psycopg.connect(url, autocommit=True)

    def empty(self) -> None:
        """Remove everything that is stored, by whatever hand it came."""
        self._connection.execute(_EMPTY.encode())

    def close(self) -> None:
        """Let go of the database."""
        self._connection.close()
        self._store.close()
