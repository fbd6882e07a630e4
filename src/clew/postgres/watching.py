"""Waiting for changes of a database, and telling those who wait.

A notice only says that it is time to look; what has changed stands in the tables. So a lost notice loses nothing, and
notices need not be sent with every write: PostgreSQL commits transactions that bring one in turns, each flushed to disk
alone. A process that writes sends at most one every few milliseconds, from a thread of its own, and none where nobody
waits.
"""

import threading
import time
from collections.abc import Callable
from contextlib import suppress

import psycopg

from clew import limits
from clew.backend import Watcher
from clew.errors import StorageError, UnavailableError
from clew.postgres.errors import LOST, translating
from clew.postgres.guarded import Connection
from clew.postgres.pool import Pool

# The channel and the lock are named after the schema, so that two stores in one database do not wake each other.
_CHANNEL = "'clew_' || md5(current_schema())"
_LOCK = "hashtextextended(current_schema() || '.clew_watch', 0)"
_LISTEN = f"DO $$ BEGIN EXECUTE format('LISTEN %I', {_CHANNEL}); END $$"
# Whoever waits holds the lock together with others: where it can be had alone, nobody does.
_NOTIFY = f"SELECT CASE WHEN NOT pg_try_advisory_xact_lock({_LOCK}) THEN pg_notify({_CHANNEL}, '')::text END"
_MISSING = (
    "SELECT greatest((SELECT max(changed) FROM clew_tip), (SELECT max(changed) FROM clew_purged), 0)"
    " - origin - pg_snapshot_xmax(pg_current_snapshot())::text::bigint FROM clew_change_origin"
)
_RAISE = f"UPDATE clew_change_origin SET origin = origin + greatest(({_MISSING}), 0)"  # noqa: S608 - our own text
_ATTEND = f"SELECT pg_advisory_lock_shared({_LOCK})::text"


class PostgresWatcher(Watcher):
    """Listens on a connection of its own."""

    def __init__(self, connect: Callable[[], Connection], check_open: Callable[[], None]) -> None:
        self._connect = connect
        self._check_open = check_open
        self._connection: Connection | None = self._listen()

    def wait(self, timeout: float) -> None:
        self._check_open()
        if self._connection is None:
            self._listen_again(timeout)
        else:
            self._wait_for_notice(self._connection, timeout)
        self._check_open()

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()

    def _wait_for_notice(self, connection: Connection, timeout: float) -> None:
        try:
            for _ in connection.notifies(timeout=timeout, stop_after=1):
                pass
        except LOST:
            connection.close()
            self._connection = None  # there may be something to see by now; the next wait makes another

    def _listen_again(self, timeout: float) -> None:
        """Make another connection; where that cannot be, whoever watches looks by himself as on a standby."""
        try:
            self._connection = self._listen()
        except UnavailableError:
            time.sleep(timeout)

    def _listen(self) -> Connection:
        connection = self._connect()
        try:
            # A standby sends no notices: there a watcher looks by itself.
            with translating(), suppress(psycopg.errors.ReadOnlySqlTransaction):
                connection.execute(_LISTEN.encode())
                connection.execute(_ATTEND.encode())
        except BaseException:
            connection.close()
            raise
        return connection


class Notifier:
    """Tells those who wait that this process has written. Its thread runs once there is something to tell."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._news = threading.Event()
        self._mutex = threading.Lock()
        self._thread: threading.Thread | None = None
        self._ended = threading.Event()

    def tell(self) -> None:
        """Something has been committed. Costs next to nothing where a notice is on its way."""
        if self._news.is_set():
            return
        self._news.set()
        if self._thread is None:
            with self._mutex:
                if self._thread is None and not self._ended.is_set():
                    self._thread = threading.Thread(target=self._run, name="clew-notify", daemon=True)
                    self._thread.start()

    def stop(self) -> None:
        """Send what is to be sent, and end."""
        with self._mutex:
            self._ended.set()
        is_unsent = self._news.is_set()
        self._news.set()
        if self._thread is not None:
            self._thread.join()
        if is_unsent:
            self._send()

    def _run(self) -> None:
        while True:
            self._news.wait()
            if self._ended.is_set():
                return
            self._news.clear()
            self._send()
            self._ended.wait(limits.NOTIFY_SECONDS)

    def _send(self) -> None:
        # Whoever cannot be told now looks by himself before long.
        with suppress(psycopg.Error, StorageError), self._pool.connection(timeout=limits.WATCH_SECONDS) as connection:
            connection.execute(_NOTIFY.encode())


def raise_origin(connection: Connection) -> None:
    """Number changes on from the greatest there is, in a cluster whose transactions have smaller numbers.

    So it is where the database has been restored from a dump: only a cluster's own copies have its numbers.
    """
    missing = connection.execute(_MISSING.encode()).fetchone()
    if missing is not None and missing[0] > 0:
        with connection.transaction():
            # Every write reads it: those under way are waited for, and the next wait for this.
            connection.execute("LOCK TABLE clew_change_origin IN ACCESS EXCLUSIVE MODE")
            connection.execute(_RAISE.encode())
