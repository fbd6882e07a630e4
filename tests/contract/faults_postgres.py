"""Faults between a store and its PostgreSQL server: statements that fail, and connections that are lost around one."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import psycopg
import pytest

from clew.postgres.guarded import Connection

Run = Callable[[], Any]
Fault = Callable[[Connection, Run], Any]
"""What happens on a connection in the place of a statement, given what would carry that out."""


class StatementFaults:
    """Statements that the server cannot carry out: its disk is full."""

    def failing(self, number: int) -> AbstractContextManager[list[Connection]]:
        return striking(number, refused("disk_full"))


@contextmanager
def striking(number: int, fault: Fault) -> Iterator[list[Connection]]:
    """Inside, `fault` is what happens at the statement of this number; each statement's connection is listed.

    Statements of other threads do not count: these make connections, and tell of changes.
    """
    thread, run, seen = threading.get_ident(), Connection.wait, list[Connection]()

    def wait(connection: Connection, *arguments: Any, **more: Any) -> Any:
        if threading.get_ident() == thread:
            seen.append(connection)
            if len(seen) == number:
                return fault(connection, lambda: run(connection, *arguments, **more))
        return run(connection, *arguments, **more)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Connection, "wait", wait)
        yield seen


def refused(condition: str) -> Fault:
    """The server refuses the statement, and with it the transaction, for a condition by its name."""
    order = f"DO $$ BEGIN RAISE {condition}; END $$".encode()

    def fail(connection: Connection, _: Run) -> None:
        result = connection.pgconn.exec_(order)
        raise psycopg.errors.lookup((result.error_field(psycopg.pq.DiagnosticField.SQLSTATE) or b"").decode())(order)

    return fail


def cut_before(connection: Connection, run: Run) -> Any:
    """The connection is lost before the statement: the server never hears of it."""
    _cut(connection)
    return run()


def cut_after(connection: Connection, run: Run) -> None:
    """The connection is lost after the statement: it was carried out, and nobody is told."""
    run()
    _cut(connection)
    connection.pgconn.exec_(b"")  # libpq sees that there is nobody
    assert connection.closed
    raise psycopg.OperationalError("the connection is lost")


def ended(connection: Connection, run: Run) -> Any:
    """The server ends the connection before the statement, as one does that is shut down."""
    pid = connection.info.backend_pid
    with psycopg.connect(connection._conninfo, autocommit=True) as another:
        another.execute("SELECT pg_terminate_backend(%s)", (pid,))
        deadline = time.monotonic() + 30
        while another.execute("SELECT FROM pg_stat_activity WHERE pid = %s", (pid,)).fetchone() is not None:
            assert time.monotonic() < deadline
    return run()


def _cut(connection: Connection) -> None:
    with socket.socket(fileno=socket.dup(connection.fileno())) as end:
        end.shutdown(socket.SHUT_RDWR)
