"""The connections of a process to one server, kept for the next call."""

import logging
import time
from collections.abc import Mapping
from threading import Lock

import psycopg
import psycopg_pool
from psycopg.conninfo import make_conninfo

from clew import limits
from clew.errors import StorageError, UnavailableError
from clew.postgres.connections import OPTIONS, Settings, configure, not_connected
from clew.postgres.guarded import Connection

# What the pool has to say of a server that is away, every call says with an error.
logging.getLogger("psycopg.pool").addHandler(logging.NullHandler())

_LOOK = 0.5
_CONNECTING = 1.0


class Pool(psycopg_pool.ConnectionPool[Connection]):
    """Makes connections as they are needed. The last one that could not be made is remembered."""

    def __init__(self, parameters: Mapping[str, str], settings: Settings) -> None:
        self._settings = settings
        self._failure: psycopg.Error | None = None
        self._mutex = Lock()
        self._emptied = 0.0
        super().__init__(
            make_conninfo(**parameters),
            connection_class=Connection,
            kwargs={**OPTIONS, "failed": self._note_failure},
            configure=self._set_up,
            min_size=0,
            max_size=limits.MAX_POOL,
            timeout=settings.timeout,
            # Who waits asks again and again (see `take`); the pool by itself would do so ever more seldom.
            reconnect_timeout=_LOOK,
            name="clew",
            open=False,
        )
        self.open()

    def take(self, deadline: float) -> Connection:
        """A connection, to be given back with `putconn`; UnavailableError where there is none by then.

        To make one takes a moment that nobody else is to blame for: it is waited for even if no time is left.
        """
        started = time.monotonic()
        left, wait = deadline - started, _LOOK
        while True:
            try:
                return self.getconn(timeout=max(min(wait, left), 0.001))
            except psycopg_pool.PoolTimeout as error:
                end = deadline if self._is_full() else max(deadline, started + _CONNECTING)
                left = end - time.monotonic()
                if left <= 0:
                    raise self._nothing_left() from error
            # Coming back costs the place in the queue, but where no connection could be made it has another one tried.
            wait = left if self._failure is None else _LOOK

    def is_lost(self, connection: Connection, error: psycopg.Error) -> bool:
        """Whether an error says that a connection is gone, or leads to a server that no longer takes writes.

        Then none that was made before that is given to anybody: they lead to where this one did.
        """
        if not connection.closed and not isinstance(error, psycopg.errors.ReadOnlySqlTransaction):
            return False
        connection.close()
        with self._mutex:
            empties = connection.made > self._emptied
            if empties:
                self._emptied = time.monotonic()
        if empties:
            self.drain()
        return True

    def _is_full(self) -> bool:
        return self.get_stats()["pool_size"] >= self.max_size

    def _nothing_left(self) -> StorageError:
        if self._failure is not None:
            return not_connected(self._failure)
        return UnavailableError(
            f"all {self.max_size} connections of the store stayed busy within the time limit"
            if self._is_full()
            else "no connection to the server could be made within the time limit"
        )

    def _note_failure(self, error: psycopg.Error) -> None:
        self._failure = error

    def _set_up(self, connection: Connection) -> None:
        try:
            configure(connection, self._settings)
        except psycopg.Error as error:
            self._failure = error
            connection.close()
            raise
        self._failure = None
