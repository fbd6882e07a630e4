"""Stores in PostgreSQL for tests: one database for a run, emptied before each test."""

from collections.abc import Callable

import psycopg

from clew import Store
from clew.postgres import PostgresBackend, open_backend

TABLES = (
    "clew_session", "clew_tip", "clew_purged", "clew_checkpoint", "clew_timeline", "clew_entry", "clew_content",
    "clew_attachment", "clew_waiting_attachment", "clew_chunk",
)  # fmt: skip

_PARTS = 16


def open_postgres(url: str, *, busy_timeout: float = 30) -> PostgresBackend:
    """The database at `url` as a backend whose writes need not last."""
    return open_backend(url, durability="normal", busy_timeout=busy_timeout)


def open_store(url: str, clock: Callable[[], int]) -> Store:
    """The same as a store with a clock."""
    return Store(open_postgres(url), clock=clock)


def empty(url: str) -> None:
    """Remove everything that is stored, by whatever hand it came."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("; ".join(f"DELETE FROM {table}" for table in TABLES))
        connection.execute("UPDATE clew_session_count SET sessions = 0")
