"""One call of a store: tried until others are out of its way and a connection lasts, within its time limit."""

import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TypeVar

import psycopg
from psycopg.pq import TransactionStatus

from clew.errors import UnauthorizedError, UnavailableError
from clew.postgres.errors import ROLLED_BACK, unknown_outcome
from clew.postgres.guarded import Connection
from clew.postgres.pool import Pool
from clew.postgres.transaction import PostgresTransaction
from clew.relational.backend import Work

T = TypeVar("T")

_FIRST_PAUSE = 0.01
_LONGEST_PAUSE = 0.5
_BEGIN = "BEGIN ISOLATION LEVEL READ COMMITTED"


class Call:
    """What one call does, with the time that it has for all of it."""

    def __init__(self, pool: Pool, timeout: float) -> None:
        self._pool = pool
        self._timeout = timeout
        self._deadline = time.monotonic() + timeout
        self._lost: psycopg.Error | None = None
        """How a connection was lost of which nobody knows whether it committed before that."""
        self._may_repeat = True

    def left(self) -> float:
        """Seconds until others are waited for no longer."""
        return max(self._deadline - time.monotonic(), 0.0)

    def read(self, work: Work[T]) -> T:
        """Run `work` in a transaction that only reads."""
        return self._try(lambda connection: _run_reading(connection, work))

    def ask(self, work: Work[T]) -> T:
        """Run `work`, which is one query, and needs no transaction."""
        return self._try(lambda connection: work(PostgresTransaction(connection.cursor(), writes=False)))

    def write(self, work: Work[T], *, written: Work[T | None] | None, repeatable: bool) -> T:
        """Run `work` in a transaction and commit it; see `RelationalBackend._write`."""
        self._may_repeat = repeatable or written is not None

        def look_first(db: PostgresTransaction) -> T:
            found = None if self._lost is None or repeatable or written is None else written(db)
            return work(db) if found is None else found

        try:
            return self._try(lambda connection: self._run_writing(connection, look_first))
        except (psycopg.Error, UnavailableError, UnauthorizedError) as error:
            if self._lost is None:
                raise
            raise unknown_outcome(self._lost) from error

    def write_at_once(self, work: Work[T], *, failures: tuple[type[Exception], ...]) -> T | None:
        """Run `work`, which is one statement, as a transaction of its own.

        None where that came to nothing, or nobody knows what it came to: then `write` has to do the same, and looks for
        it first. `failures` are errors that mean as much.
        """
        connection = self._pool.take(self._deadline)
        try:
            return None if self._is_late() else work(PostgresTransaction(connection.cursor(), writes=True))
        except psycopg.Error as error:
            was_open = not connection.closed
            if self._pool.is_lost(connection, error):
                self._lost = None if was_open else error
                return None
            if isinstance(error, (*ROLLED_BACK, *failures)):
                return None
            raise
        finally:
            self._pool.putconn(connection)

    def _try(self, attempt: Callable[[Connection], T]) -> T:
        pause = _FIRST_PAUSE
        while True:
            connection = self._pool.take(self._deadline)
            try:
                return attempt(connection)
            except psycopg.Error as error:
                may_pass = self._pool.is_lost(connection, error) or isinstance(error, ROLLED_BACK)
                is_safe = self._lost is None or self._may_repeat
                if not may_pass or not is_safe or pause >= self.left():
                    raise
            finally:
                self._pool.putconn(connection)
            # Others that were in the same way wait as long, but for a little chance.
            time.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311 - no secret
            pause = min(2 * pause, _LONGEST_PAUSE)

    def _run_writing(self, connection: Connection, work: Callable[[PostgresTransaction], T]) -> T:
        self._begin(connection)
        with _ended(connection):
            result = work(PostgresTransaction(connection.cursor(), writes=True))
            try:
                ended = connection.execute("COMMIT").statusmessage
            except psycopg.Error as error:
                if connection.closed:
                    self._lost = error
                raise
            if ended != "COMMIT":
                raise psycopg.errors.InFailedSqlTransaction("a statement failed, so nothing was committed")
            return result

    def _begin(self, connection: Connection) -> None:
        if self._is_late():
            limit = max(int(self.left() * 1000), 1)
            connection.execute(f"{_BEGIN}; SET LOCAL lock_timeout = {limit}".encode(), prepare=False)
        else:
            connection.execute(_BEGIN)

    def _is_late(self) -> bool:
        """Whether so much time has gone that locks may no longer be waited for as long as connections are set to."""
        return self.left() < 0.9 * self._timeout


def _run_reading(connection: Connection, work: Work[T]) -> T:
    connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
    with _ended(connection):
        result = work(PostgresTransaction(connection.cursor(), writes=False))
        connection.execute("ROLLBACK")
        return result


@contextmanager
def _ended(connection: Connection) -> Iterator[None]:
    """Whatever happens inside, no transaction is open afterwards, and what happened is what is raised."""
    try:
        yield
    except BaseException:
        with suppress(psycopg.Error):
            if connection.pgconn.transaction_status in (TransactionStatus.INTRANS, TransactionStatus.INERROR):
                connection.execute("ROLLBACK")
        raise
