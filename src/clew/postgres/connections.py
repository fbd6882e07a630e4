"""Connections to the server: how each is made and set up, and what a server has to be."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import psycopg
from psycopg.conninfo import make_conninfo
from psycopg.types.string import ByteaBinaryLoader

from clew import limits
from clew.backend import Durability
from clew.errors import InvalidRequestError, StorageError, UnauthorizedError, UnavailableError
from clew.postgres.guarded import Connection
from clew.postgres.queries import Packed

OPTIONS: Mapping[str, Any] = {"autocommit": True, "cursor_factory": psycopg.RawCursor, "prepare_threshold": 1}
"""How the driver makes a connection. A statement is prepared when it comes for the second time."""

_OLDEST_SERVER = 15
_REFUSED = ("password authentication failed", "no pg_hba.conf entry", "no password supplied", "permission denied")
_GRACE = 0.5
_HOME = (
    "SELECT coalesce((SELECT n.nspname FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace"
    " WHERE c.oid = to_regclass('clew_migration')), current_schema())::text"
)


class Settings(NamedTuple):
    """What every connection of a store is set to."""

    durability: Durability
    timeout: float
    read_only: bool
    schema: str | None = None
    """Where the tables are; None while that is not known."""


class _PackedDumper(psycopg.adapt.Dumper):
    """Sends a parameter as it is, its type being what the statement says."""

    format = psycopg.pq.Format.BINARY
    oid = 0

    def dump(self, obj: Packed) -> bytes:
        return obj


def connect(parameters: Mapping[str, str], settings: Settings) -> Connection:
    """One connection, ready to use. The driver's errors come out but for those of connecting."""
    try:
        connection = Connection.connect(make_conninfo(**parameters), **OPTIONS)
    except psycopg.Error as error:
        raise not_connected(error) from error
    try:
        configure(connection, settings)
    except BaseException:
        connection.close()
        raise
    return connection


def not_connected(error: psycopg.Error) -> StorageError:
    """For a connection that could not be made. The driver's text names no secret once a string could be parsed."""
    text = " ".join(str(error).split())
    if any(part in text for part in _REFUSED):
        return UnauthorizedError(f"the server refuses: {text}")
    if isinstance(error, psycopg.ProgrammingError):
        return InvalidRequestError(f"a parameter of the PostgreSQL URL cannot be used: {text}")
    return UnavailableError(f"no connection to the server could be made: {text}")


def configure(connection: Connection, settings: Settings) -> None:
    """Set a connection up."""
    _adapt(connection)
    longest = max(settings.timeout, limits.STATEMENT_TIMEOUT)
    connection.patience = settings.timeout + _GRACE
    connection.longest = longest + _GRACE
    values = {
        "lock_timeout": str(max(int(settings.timeout * 1000), 1)),
        "statement_timeout": str(int(longest * 1000)),
        "idle_in_transaction_session_timeout": str(int(limits.STATEMENT_TIMEOUT * 1000)),
        "default_transaction_isolation": "read committed",
        # Statements are prepared, and planned once for all values: planning one takes longer than running it.
        "plan_cache_mode": "force_generic_plan",
        "jit": "off",
        "synchronous_commit": _synchronous_commit(_setting(connection, "synchronous_commit"), settings.durability),
    }
    if settings.read_only:
        values["default_transaction_read_only"] = "on"
    if settings.schema is not None:
        values["search_path"] = '"' + settings.schema.replace('"', '""') + '"'
    connection.execute(
        "SELECT set_config(name, value, false) FROM unnest($1::text[], $2::text[]) AS s (name, value)",
        (list(values), list(values.values())),
    )


def unhurried(connection: Connection) -> None:
    """Let the statements of a connection take as long as they take: it looks after the whole store."""
    connection.longest = float("inf")
    connection.execute("SET statement_timeout = 0")


def check_server(connection: Connection) -> None:
    """UnavailableError where the server is too old, keeps text in another encoding, or has no place for tables."""
    if connection.info.server_version < _OLDEST_SERVER * 10_000:
        raise UnavailableError(f"the server is older than PostgreSQL {_OLDEST_SERVER}")
    if connection.info.parameter_status("server_encoding") != "UTF8":
        raise UnavailableError("the database keeps text in another encoding than UTF8")


def home_of(connection: Connection) -> str:
    """The schema where the tables are, or are to be made; UnavailableError where the search_path has none.

    A store keeps to it: were its connections to find the tables by the search_path, a schema made later could come
    first, and two stores on the same tables could know them, and what they lock, under two names.
    """
    row = connection.execute(_HOME.encode()).fetchone()
    if row is None or row[0] is None:
        raise UnavailableError("the database has no schema of the search_path in which tables could be made")
    return str(row[0])


def _adapt(connection: Connection) -> None:
    """Ids and text come as bytes, as the rest of clew reads them; parameters go as they were packed."""
    connection.adapters.register_dumper(Packed, _PackedDumper)
    for kind in ("uuid", "text"):
        connection.adapters.register_loader(kind, ByteaBinaryLoader)


def _synchronous_commit(found: str, durability: Durability) -> str:
    """What a server asks of a commit is never less than what it asked before but for "normal".

    There too `remote_apply` stays: it is a promise to those who read from standbys.
    """
    if durability == "normal":
        return found if found == "remote_apply" else "off"
    return "on" if found == "off" else found


def _setting(connection: Connection, name: str) -> str:
    row = connection.execute("SELECT current_setting($1)", (name,)).fetchone()
    return "" if row is None else str(row[0])
