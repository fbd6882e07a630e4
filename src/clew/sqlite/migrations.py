"""The schema as a sum of numbered migrations, each in one transaction together with its row in the ledger."""

import os
from functools import cache

import apsw

from clew.errors import InvalidRequestError, UnavailableError
from clew.model import MigrationStatus
from clew.relational.statements import Migration, migration_status, read_migrations
from clew.sqlite.connections import pragma

APPLICATION_ID = 0x636C6577
"""``clew`` in ASCII, in the header of every file of clew's."""

_FOLDER = os.path.join(os.path.dirname(__file__), "migrations")
_LEDGER = (
    "CREATE TABLE migration (version INTEGER PRIMARY KEY, name TEXT NOT NULL, "
    "applied_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%SZ', 'now'))) STRICT"
)
_HAS_LEDGER = "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'migration'"
_HAS_ANYTHING = "SELECT 1 FROM sqlite_schema LIMIT 1"


_DISCARDED = {
    1: ("sessions", "SELECT count(*) FROM session"),
    3: (
        "attachments",
        "SELECT (SELECT count(*) FROM attachment) + (SELECT count(*) FROM waiting_attachment)",
    ),
    5: (
        "owners of sessions and API keys",
        "SELECT (SELECT count(*) FROM session WHERE owner IS NOT NULL) + (SELECT count(*) FROM api_key)",
    ),
    7: ("former directories of sessions", "SELECT count(*) FROM former_directory"),
}
"""What undoing a migration would lose, and how many of it there are."""


@cache
def known_migrations() -> tuple[Migration, ...]:
    """All migrations of this release, in order."""
    return read_migrations(_FOLDER)


def check_is_ours(connection: apsw.Connection, path: str) -> None:
    """UnavailableError where the file holds something, but not clew's."""
    if pragma(connection, "application_id") == APPLICATION_ID or not connection.execute(_HAS_ANYTHING).fetchall():
        return
    names = {row[0] for row in connection.execute("SELECT name FROM sqlite_schema")}
    hint = (
        "; it looks like the Stakpak agent's, which `clew import stakpak` reads"
        if {"sessions", "checkpoints"} <= names
        else ""
    )
    raise UnavailableError(f"{path} is an SQLite database of another program{hint}")


def status(connection: apsw.Connection) -> MigrationStatus:
    """What has been applied to the file and what has not."""
    return migration_status(_applied(connection), known_migrations())


def check_current(connection: apsw.Connection, path: str) -> None:
    """UnavailableError where the schema is not the one of this release (for a file that must not be written)."""
    check_not_newer(connection, path)
    if status(connection).pending:
        raise UnavailableError(f"{path} has an older schema; open it once for writing, or run `clew migrate up`")


def check_not_newer(connection: apsw.Connection, path: str) -> None:
    """UnavailableError where a newer clew has changed the schema."""
    newest = max(_applied(connection), default=0)
    latest = known_migrations()[-1].version
    if newest > latest:
        raise UnavailableError(
            f"{path} was written by a newer clew: its schema is version {newest}, this one knows {latest}; upgrade clew"
        )


def apply_next(connection: apsw.Connection, path: str) -> int | None:
    """Apply the first pending migration inside the open transaction and return its version, None where none is left.

    Which one is pending is read inside the transaction: of two processes that open a new file, the second finds it
    done.
    """
    check_is_ours(connection, path)
    check_not_newer(connection, path)
    applied = _applied(connection)
    for migration in known_migrations():
        if migration.version not in applied:
            _apply(connection, migration)
            return migration.version
    return None


def _apply(connection: apsw.Connection, migration: Migration) -> None:
    if not _has_ledger(connection):
        pragma(connection, f"application_id = {APPLICATION_ID}")
        connection.execute(_LEDGER)
    _run_script(connection, migration.up)
    connection.execute(
        "INSERT INTO migration (version, name) VALUES (:version, :name)",
        {"version": migration.version, "name": migration.name},
    )


def roll_back_last(connection: apsw.Connection, *, discard: bool) -> int | None:
    """Undo the newest migration inside the open transaction and return its version, None where none is applied.

    InvalidRequestError where that would discard sessions and `discard` does not say so.
    """
    applied = _applied(connection)
    if not applied:
        return None
    migration = next(known for known in known_migrations() if known.version == applied[-1])
    if not discard:
        _refuse_to_discard(connection, migration.version)
    _run_script(connection, migration.down)
    connection.execute("DELETE FROM migration WHERE version = :version", {"version": migration.version})
    return migration.version


def _refuse_to_discard(connection: apsw.Connection, version: int) -> None:
    if version not in _DISCARDED:
        return
    what, count = _DISCARDED[version]
    rows = connection.execute(count).fetchall()[0][0]
    if rows:
        raise InvalidRequestError(
            f"rolling back migration {version} would discard {rows:,} {what}, which `discard` (--discard) allows"
        )


def _run_script(connection: apsw.Connection, script: str) -> None:
    # A row that has come to break a CHECK by damage must not keep all others from being reached.
    pragma(connection, "ignore_check_constraints = ON")
    try:
        connection.execute(script)  # none of the statements returns rows, so running them in one go leaves none out
    finally:
        pragma(connection, "ignore_check_constraints = OFF")


def _has_ledger(connection: apsw.Connection) -> bool:
    return bool(connection.execute(_HAS_LEDGER).fetchall())


def _applied(connection: apsw.Connection) -> list[int]:
    if not _has_ledger(connection):
        return []
    return [version for (version,) in connection.execute("SELECT version FROM migration ORDER BY version")]
