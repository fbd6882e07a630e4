"""Connections to the server: what a connection string may be, and how each connection is set up."""

import logging
from collections.abc import Mapping

import psycopg
import psycopg_pool
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.types.string import ByteaBinaryLoader

from clew import limits
from clew.backend import Durability
from clew.errors import InvalidRequestError, UnauthorizedError, UnavailableError
from clew.postgres.queries import Packed
from clew.relational.transaction import Row

Connection = psycopg.Connection[Row]
Pool = psycopg_pool.ConnectionPool[Connection]

# What the pool has to say of a server that is away, every call says with an error.
logging.getLogger("psycopg.pool").addHandler(logging.NullHandler())

GIVEN_UP = psycopg_pool.PoolTimeout
"""No connection within the time limit."""

_OLDEST_SERVER = 14
_UNREACHABLE_MILLISECONDS = 15_000
_REFUSED = ("password authentication failed", "no pg_hba.conf entry", "no password supplied", "permission denied")
_SHOWN = ("host", "hostaddr", "port", "dbname")


class _PackedDumper(psycopg.adapt.Dumper):
    """Sends a parameter as it is, its type being what the statement says."""

    format = psycopg.pq.Format.BINARY
    oid = 0

    def dump(self, obj: Packed) -> bytes:
        return obj


def parameters_of(url: str) -> dict[str, str]:
    """The parameters of a connection string; InvalidRequestError, which does not repeat it, where it is none."""
    try:
        given = conninfo_to_dict(url)
    except psycopg.ProgrammingError:
        raise InvalidRequestError("the PostgreSQL URL cannot be understood: postgresql://user@host:port/name") from None
    defaults = {
        "application_name": "clew",
        "connect_timeout": "5",
        "tcp_user_timeout": str(_UNREACHABLE_MILLISECONDS),
    }
    return {**defaults, **{name: str(value) for name, value in given.items()}}


def endpoint_of(parameters: Mapping[str, str]) -> str:
    """Where a connection string leads, without who goes there and how."""
    known = {name: parameters[name] for name in _SHOWN if parameters.get(name)}
    hosts = str(known.get("host") or known.get("hostaddr") or "").split(",")
    ports = str(known.get("port", "")).split(",")
    if len(ports) < len(hosts):
        ports = ports * len(hosts)
    # A socket is a path, which a URL spells with escapes; here it is for people.
    places = [
        f"{host}:{port}" if port and not host.startswith("/") else host
        for host, port in zip(hosts, ports, strict=False)
    ]
    return f"postgresql://{','.join(places)}/{known.get('dbname', '')}"


def connect(parameters: Mapping[str, str], *, durability: Durability, timeout: float, read_only: bool) -> Connection:
    """One connection, ready to use. The driver's errors come out but for a server that refuses."""
    try:
        connection: Connection = psycopg.connect(
            make_conninfo(**parameters), autocommit=True, cursor_factory=psycopg.RawCursor
        )
    except psycopg.OperationalError as error:
        text = " ".join(str(error).split())
        if any(part in text for part in _REFUSED):
            raise UnauthorizedError(f"the server refuses: {text}") from error
        raise UnavailableError(f"the server cannot be reached: {text}") from error
    try:
        configure(connection, durability=durability, timeout=timeout, read_only=read_only)
    except BaseException:
        connection.close()
        raise
    return connection


def make_pool(parameters: Mapping[str, str], *, durability: Durability, timeout: float, read_only: bool) -> Pool:
    """A pool that makes connections as they are needed."""
    pool: Pool = psycopg_pool.ConnectionPool(
        make_conninfo(**parameters),
        kwargs={"autocommit": True, "cursor_factory": psycopg.RawCursor},
        min_size=0,
        max_size=limits.MAX_POOL,
        configure=lambda connection: configure(connection, durability=durability, timeout=timeout, read_only=read_only),
        timeout=timeout,
        reconnect_timeout=max(timeout, 1.0),
        name="clew",
        open=False,
    )
    pool.open()
    return pool


def configure(connection: Connection, *, durability: Durability, timeout: float, read_only: bool) -> None:
    """What every connection of a store is set to."""
    _adapt(connection)
    milliseconds = max(int(timeout * 1000), 1)
    settings = {
        "lock_timeout": str(milliseconds),
        "statement_timeout": str(max(milliseconds, int(limits.STATEMENT_TIMEOUT * 1000))),
        "idle_in_transaction_session_timeout": str(int(limits.STATEMENT_TIMEOUT * 1000)),
        # Statements are prepared, and planned once for all values: planning one takes longer than running it.
        "plan_cache_mode": "force_generic_plan",
        "jit": "off",
        "default_transaction_read_only": "on" if read_only else "off",
    }
    if durability == "normal":
        settings["synchronous_commit"] = "off"
    elif _setting(connection, "synchronous_commit") == "off":
        settings["synchronous_commit"] = "on"
    names, values = list(settings), list(settings.values())
    connection.execute(
        "SELECT set_config(name, value, false) FROM unnest($1::text[], $2::text[]) AS s (name, value)", (names, values)
    )
    connection.prepare_threshold = 1


def _adapt(connection: Connection) -> None:
    """Ids and text come as bytes, as the rest of clew reads them; parameters go as they were packed."""
    connection.adapters.register_dumper(Packed, _PackedDumper)
    for kind in ("uuid", "text"):
        connection.adapters.register_loader(kind, ByteaBinaryLoader)


def _setting(connection: Connection, name: str) -> str:
    row = connection.execute("SELECT current_setting($1)", (name,)).fetchone()
    return "" if row is None else str(row[0])


def check_server(connection: Connection) -> None:
    """UnavailableError where the server is too old, keeps text in another encoding, or has no place for tables."""
    if connection.info.server_version < _OLDEST_SERVER * 10_000:
        raise UnavailableError(f"the server is older than PostgreSQL {_OLDEST_SERVER}")
    if connection.info.parameter_status("server_encoding") != "UTF8":
        raise UnavailableError("the database keeps text in another encoding than UTF8")
    row = connection.execute("SELECT current_schema() IS NOT NULL").fetchone()
    if row is None or not row[0]:
        raise UnavailableError("the database has no schema of the search_path in which tables could be made")
