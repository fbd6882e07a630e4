"""Connections to the file, each pragma with its reason."""

import os
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar

import apsw

from clew.errors import UnavailableError
from clew.sqlite.functions import register_functions

T = TypeVar("T")

_RETRY_SECONDS = 0.005
_READER_CACHE_KIB = 4 * 1024
_WRITER_CACHE_KIB = 16 * 1024
_WAL_KEPT_BYTES = 16 * 1024 * 1024

apsw.config(apsw.SQLITE_CONFIG_LOG, None)  # what goes wrong is raised; SQLite's copy to standard error says it twice


def create_private_file(path: str) -> None:
    """Make missing directories (0700) and the file (0600) before SQLite does, which would use the umask alone."""
    _make_directories(os.path.dirname(path))
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    except FileExistsError:
        if os.path.isdir(path):
            raise UnavailableError(f"{path} is a directory") from None
    except OSError as error:
        raise UnavailableError(f"cannot create {path}: {error.strerror}") from error


def _make_directories(directory: str) -> None:
    if os.path.isdir(directory):
        return
    _make_directories(os.path.dirname(directory))
    try:
        os.mkdir(directory, 0o700)
    except FileExistsError:
        if not os.path.isdir(directory):
            raise UnavailableError(f"{directory} is not a directory") from None
    except OSError as error:
        raise UnavailableError(f"cannot create the directory {directory}: {error.strerror}") from error


def open_writer(path: str, deadline: float) -> apsw.Connection:
    """The connection that writes; switches a new file to WAL."""
    # While another process does the same to a new file, any of these steps can answer Busy at once.
    return retry_while_busy(lambda: _configured_writer(path), deadline)


def _configured_writer(path: str) -> apsw.Connection:
    connection = apsw.Connection(path, flags=apsw.SQLITE_OPEN_READWRITE)
    try:
        _configure(connection, _WRITER_CACHE_KIB)
        # On from the first write: switched on for a purge alone it leaves copies of cells that had moved before.
        pragma(connection, "secure_delete = ON")
        # Without a limit the WAL keeps the size that the longest reader ever made it grow to.
        pragma(connection, f"journal_size_limit = {_WAL_KEPT_BYTES}")
        _switch_to_wal(connection, path)
    except BaseException:
        connection.close()
        raise
    return connection


def open_memory() -> apsw.Connection:
    """A private database in memory, for reading and writing."""
    connection = apsw.Connection(":memory:")
    _configure(connection, _WRITER_CACHE_KIB)
    return connection


def open_reader(path: str) -> apsw.Connection:
    """A connection that cannot write."""
    connection = apsw.Connection(path, flags=apsw.SQLITE_OPEN_READONLY)
    try:
        _configure(connection, _READER_CACHE_KIB)
    except BaseException:
        connection.close()
        raise
    return connection


def remove_empty_log(path: str) -> None:
    """Let SQLite remove the write-ahead log that connections which only read have left empty beside a file.

    Only a connection that may write does so, when it is closed as the last one: where anybody else has the file open
    the log stays. So it does where it cannot be removed; nothing depends on it.
    """
    if not _has_empty_log(path) or not os.access(os.path.dirname(path), os.W_OK):
        return
    with suppress(apsw.Error):
        connection = apsw.Connection(path, flags=apsw.SQLITE_OPEN_READWRITE)
        try:
            pragma(connection, "schema_version")  # what has not read knows of no log
        finally:
            connection.close()


def _has_empty_log(path: str) -> bool:
    try:
        return os.path.getsize(f"{path}-wal") == 0
    except OSError:
        return False


def pragma(connection: apsw.Connection, text: str) -> Any:
    """Run one pragma and fetch its answer: a statement left unfinished would not have taken effect."""
    rows = connection.execute(f"PRAGMA {text}").fetchall()
    return rows[0][0] if rows else None


def retry_while_busy(action: Callable[[], T], deadline: float) -> T:
    """Repeat what answers Busy at once, without asking the busy handler, until `deadline`."""
    while True:
        try:
            return action()
        except (apsw.BusyError, apsw.LockedError):
            if time.monotonic() >= deadline:
                raise
        time.sleep(_RETRY_SECONDS)


def _configure(connection: apsw.Connection, cache_kib: int) -> None:
    register_functions(connection)
    # A plan must not depend on the values bound: with statistics compiled in, SQLite would prepare a join anew for each
    # new value (seen: 15 microseconds a query instead of 2).
    connection.config(apsw.SQLITE_DBCONFIG_ENABLE_QPSG, 1)
    pragma(connection, "foreign_keys = ON")  # off by default in SQLite
    pragma(connection, "trusted_schema = OFF")  # a file from elsewhere must not run functions through its schema
    pragma(connection, "cell_size_check = ON")  # a damaged page is reported where it is read
    pragma(connection, "temp_store = MEMORY")  # no copies of messages in temporary files
    pragma(connection, f"cache_size = -{cache_kib}")


def _switch_to_wal(connection: apsw.Connection, path: str) -> None:
    mode = pragma(connection, "journal_mode = WAL")
    if mode != "wal":
        raise UnavailableError(f"{path} cannot use a write-ahead log: its journal mode stays {mode}")
