"""The schema as a sum of numbered migrations, each in one transaction together with its row in the ledger."""

import os
from collections.abc import Callable
from functools import cache

from clew.errors import InvalidRequestError, UnavailableError
from clew.model import MigrationStatus
from clew.postgres import disowning
from clew.postgres.connections import unhurried
from clew.postgres.guarded import Connection
from clew.relational.statements import Migration, migration_status, read_migrations

_FOLDER = os.path.join(os.path.dirname(__file__), "migrations")
_LEDGER = (
    "CREATE TABLE clew_migration (version integer PRIMARY KEY, name text NOT NULL, "
    "applied_at timestamptz NOT NULL DEFAULT now())"
)
# A table is asked, because who has waited for a lock within a transaction is told by functions what was known before.
_HAS_LEDGER = (
    "SELECT EXISTS (SELECT FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace"
    " WHERE c.relname = 'clew_migration' AND n.nspname = current_schema())"
)
_LOCK = "SELECT pg_advisory_xact_lock(hashtextextended(current_schema() || '.clew_migration', 0))::text"
_COUNT = {
    1: ("sessions", "SELECT count(*) FROM clew_session"),
    3: (
        "owners of sessions and API keys",
        "SELECT (SELECT count(*) FROM clew_session WHERE owner IS NOT NULL) + (SELECT count(*) FROM clew_api_key)",
    ),
    5: ("former directories of sessions", "SELECT count(*) FROM clew_former_directory"),
}
"""What undoing a migration would lose, and how many of it there are."""

_BEFORE_DOWN: dict[int, Callable[[Connection], None]] = {3: disowning.disown}
"""What undoing a migration begins with, where SQL cannot say it."""


@cache
def known_migrations() -> tuple[Migration, ...]:
    """All migrations of this release, in order."""
    return read_migrations(_FOLDER)


def status(connection: Connection) -> MigrationStatus:
    """What has been applied to the schema and what has not."""
    return migration_status(_applied(connection), known_migrations())


def check(connection: Connection, *, current: bool) -> None:
    """UnavailableError where a newer clew has changed the schema, or where it is not `current` but has to be."""
    found = status(connection)
    if found.current > found.latest:
        raise UnavailableError(
            f"the database was written by a newer clew: its schema is version {found.current}, this one knows "
            f"{found.latest}; upgrade clew"
        )
    if current and not found.current:
        raise UnavailableError("there is no store in the database")
    if current and found.pending:
        raise UnavailableError("the database has an older schema; open it once for writing, or run `clew migrate up`")


def apply_pending(connection: Connection) -> list[int]:
    """Apply every pending migration and return their versions."""
    unhurried(connection)
    done: list[int] = []
    while (version := apply_next(connection)) is not None:
        done.append(version)
    return done


def apply_next(connection: Connection) -> int | None:
    """Apply the first pending migration and return its version, None where none is left.

    Which one is pending is read behind a lock: of two processes that open a new database, the second finds it done.
    """
    with connection.transaction():
        connection.execute(_LOCK)
        check(connection, current=False)
        applied = _applied(connection)
        for migration in known_migrations():
            if migration.version not in applied:
                _apply(connection, migration)
                return migration.version
    return None


def roll_back_last(connection: Connection, *, discard: bool) -> int | None:
    """Undo the newest migration and return its version, None where none is applied.

    InvalidRequestError where that would discard sessions and `discard` does not say so.
    """
    unhurried(connection)
    with connection.transaction():
        connection.execute(_LOCK)
        applied = _applied(connection)
        if not applied:
            return None
        check(connection, current=False)
        migration = next(known for known in known_migrations() if known.version == applied[-1])
        if not discard:
            _refuse_to_discard(connection, migration.version)
        if migration.version in _BEFORE_DOWN:
            _BEFORE_DOWN[migration.version](connection)
        connection.execute(migration.down.encode(), prepare=False)
        connection.execute("DELETE FROM clew_migration WHERE version = $1", (migration.version,))
        return migration.version


def _apply(connection: Connection, migration: Migration) -> None:
    if not _has_ledger(connection):
        connection.execute(_LEDGER)
    connection.execute(migration.up.encode(), prepare=False)
    connection.execute(
        "INSERT INTO clew_migration (version, name) VALUES ($1, $2)", (migration.version, migration.name)
    )


def _refuse_to_discard(connection: Connection, version: int) -> None:
    if version not in _COUNT:
        return
    what, count = _COUNT[version]
    row = connection.execute(count.encode()).fetchone()
    if row is not None and row[0]:
        raise InvalidRequestError(
            f"rolling back migration {version} would discard {row[0]:,} {what}, which `discard` (--discard) allows"
        )


def _has_ledger(connection: Connection) -> bool:
    row = connection.execute(_HAS_LEDGER).fetchone()
    return row is not None and bool(row[0])


def _applied(connection: Connection) -> list[int]:
    if not _has_ledger(connection):
        return []
    rows = connection.execute("SELECT version FROM clew_migration ORDER BY version").fetchall()
    return [version for (version,) in rows]
