"""The seam over a PostgreSQL database: each method is one function run in one transaction, or one statement."""

import os
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar
from uuid import UUID

from clew.backend import Durability, NewCheckpoint, Report, Watcher
from clew.errors import InvalidRequestError, UnavailableError
from clew.model import BackendInfo, Checkpoint, MigrationStatus
from clew.postgres import append, compaction, connections, migrations, registry, watching
from clew.postgres.connections import Connection
from clew.postgres.errors import LOST, ROLLED_BACK, closed, reading_rows, translating, unknown_outcome
from clew.postgres.transaction import PostgresTransaction
from clew.postgres.watching import Notifier, PostgresWatcher
from clew.relational import checkpoints, purge, rows, verification
from clew.relational.backend import RelationalBackend, Work
from clew.relational.heads import read_head
from clew.reports import Backup, Compaction, Finding, Progress

T = TypeVar("T")

_FIRST_PAUSE = 0.01
_LONGEST_PAUSE = 0.5


class _CommitLostError(Exception):
    """The connection was lost during a commit: nobody knows whether that was done."""


_RETRIED: tuple[type[Exception], ...] = (*LOST, *ROLLED_BACK, _CommitLostError)
_APPEND_FAILED: tuple[type[Exception], ...] = (*LOST, *ROLLED_BACK, append.CLASH)


class PostgresBackend(RelationalBackend):
    """A store in a PostgreSQL database. Made by `open_backend`."""

    def __init__(
        self, parameters: dict[str, str], *, durability: Durability, busy_timeout: float, read_only: bool
    ) -> None:
        self._parameters = parameters
        self._timeout = busy_timeout
        self._read_only = read_only
        self._closed = False
        self._process = os.getpid()
        self._heads = append.Heads()
        self._connect: Callable[[], Connection] = lambda: connections.connect(
            parameters, durability=durability, timeout=busy_timeout, read_only=read_only
        )
        self._pool = registry.acquire(parameters, durability=durability, timeout=busy_timeout, read_only=read_only)
        self._notifier = Notifier(self._pool)

    # -- what differs from other tables

    def write_checkpoint(self, session_id: UUID, new: NewCheckpoint) -> Checkpoint:
        self._check_writable()
        with reading_rows():
            done = self._append(session_id, new)
        if done is not None:
            return done
        self._heads.forget(session_id)
        return super().write_checkpoint(session_id, new)

    def _append(self, session_id: UUID, new: NewCheckpoint) -> Checkpoint | None:
        """Write the checkpoint in one statement; None where that has to go the long way, and nothing has happened."""
        head = self._heads.get(session_id)
        if head is None and new.fingerprint is None and not new.attachments and new.label is None:
            head = self._read(lambda db: read_head(db, session_id))
        plan = None if head is None else append.plan(head, new)
        if plan is None:
            return None
        try:
            with self._connection(self._deadline()) as connection:
                row = PostgresTransaction(connection.cursor(), writes=True).fetch_one("append", plan.parameters)
        except _APPEND_FAILED:
            return self._written_before(new)
        if row is None:
            return None
        self._heads.put(plan.head)
        self._notifier.tell()
        return rows.checkpoint(plan.row, self._deferred(new.id))

    def _written_before(self, new: NewCheckpoint) -> Checkpoint | None:
        """What a statement wrote whose answer was lost."""
        return self._read(lambda db: checkpoints.load_if_there(db, new.id, self._deferred))

    def purge_session(self, session_id: UUID, if_revision: int | None = None, *, erase: bool = True) -> bool:
        return self._write(lambda db: purge.purge_session(db, session_id, if_revision))

    def erase_purged(self) -> bool:
        self._check_writable()
        return True  # the server clears away what is dead in its own time: see docs/scaling.md

    def verify(self, report: Report | None) -> Iterator[Finding]:
        self._check_open()
        return verification.verify(self._read, (), report)

    def backup(self, path: str, *, overwrite: bool, verify: bool, report: Report | None) -> Backup:
        self._check_open()
        raise InvalidRequestError(
            "a PostgreSQL store has no file to copy: use the server's own tools (pg_basebackup, pg_dump), or "
            "`clew copy` into a file"
        )

    def compact(self, report: Report | None) -> Compaction:
        self._check_writable()
        before = self._read(compaction.size)
        families = self._read(purge.families)
        damaged = 0
        for done, family in enumerate(families, 1):
            damaged += not self._write(lambda db: purge.collect_family(db, family), repeatable=True)  # noqa: B023
            if report is not None:
                report(Progress(done=done, total=len(families), unit="families"))
        with translating(), self._connection(self._deadline()) as connection:
            compaction.vacuum(connection)
        if damaged:
            raise purge.damaged_families(damaged)
        return Compaction(bytes_before=before, bytes_after=self._read(compaction.size))

    def open_watcher(self) -> Watcher:
        self._check_open()
        return PostgresWatcher(self._connect, self._check_open)

    def info(self) -> BackendInfo:
        self._check_open()
        return BackendInfo(kind="postgresql", endpoint=connections.endpoint_of(self._parameters))

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            if self._process == os.getpid():
                self._notifier.stop()
            registry.release(self._pool)

    # -- the schema

    def migrate(self) -> list[int]:
        """Apply every pending migration and return their versions."""
        done: list[int] = []
        self._check_writable()
        with translating(), self._own_connection() as connection:
            while (version := migrations.apply_next(connection)) is not None:
                done.append(version)
        return done

    def migration_status(self) -> MigrationStatus:
        """What has been applied to the schema and what has not."""
        self._check_open()
        with translating(), self._own_connection() as connection:
            return migrations.status(connection)

    def roll_back(self, *, discard: bool) -> int | None:
        """Undo the newest migration and return its version, None where none is applied."""
        self._check_writable()
        with translating(), self._own_connection() as connection:
            return migrations.roll_back_last(connection, discard=discard)

    # -- transactions

    def _read(self, work: Work[T], checkpoint_id: UUID | None = None) -> T:
        self._check_open()
        with reading_rows(checkpoint_id):
            return self._attempts(lambda connection: _run_reading(connection, work))

    def _write(self, work: Work[T], *, written: Work[T | None] | None = None, repeatable: bool = False) -> T:
        self._check_writable()
        lost = False

        def attempt(connection: Connection) -> T:
            nonlocal lost
            if lost and written is not None:
                found = _run_reading(connection, written)
                if found is not None:
                    return found
            try:
                return _run_writing(connection, work)
            except _CommitLostError as error:
                if written is None and not repeatable:
                    raise unknown_outcome(error) from error.__cause__
                lost = True
                raise

        with reading_rows():
            result = self._attempts(attempt)
        self._notifier.tell()
        return result

    def _attempts(self, attempt: Callable[[Connection], T]) -> T:
        """Run something until it is not in the way of others and its connection lasts, within the time limit."""
        deadline, pause = self._deadline(), _FIRST_PAUSE
        while True:
            try:
                with self._connection(deadline) as connection:
                    return attempt(connection)
            except _RETRIED as error:
                if time.monotonic() + pause >= deadline or isinstance(error, connections.GIVEN_UP):
                    if isinstance(error, _CommitLostError):
                        raise unknown_outcome(error) from error
                    raise
            # Others that were in the same way wait as long, but for a little chance.
            time.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311 - no secret
            pause = min(2 * pause, _LONGEST_PAUSE)

    @contextmanager
    def _connection(self, deadline: float) -> Iterator[Connection]:
        """A connection of the pool, given back whole or closed."""
        connection = self._pool.getconn(timeout=max(deadline - time.monotonic(), 0.001))
        try:
            yield connection
        except LOST:
            connection.close()
            raise
        finally:
            self._pool.putconn(connection)

    @contextmanager
    def _own_connection(self) -> Iterator[Connection]:
        """A connection outside of the pool, which says itself why it cannot be made."""
        connection = self._connect()
        try:
            yield connection
        finally:
            connection.close()

    def _deadline(self) -> float:
        return time.monotonic() + self._timeout

    def _check_open(self) -> None:
        if self._closed:
            raise closed()
        if self._process != os.getpid():
            raise UnavailableError("this store was opened before the process forked; open it again in the new process")

    def _check_writable(self) -> None:
        self._check_open()
        if self._read_only:
            raise InvalidRequestError("the store was opened read-only")


def _run_reading(connection: Connection, work: Work[T]) -> T:
    connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
    try:
        return work(PostgresTransaction(connection.cursor(), writes=False))
    finally:
        _roll_back(connection)


def _run_writing(connection: Connection, work: Work[T]) -> T:
    connection.execute("BEGIN ISOLATION LEVEL READ COMMITTED")
    try:
        result = work(PostgresTransaction(connection.cursor(), writes=True))
    except BaseException:
        _roll_back(connection)
        raise
    try:
        connection.execute("COMMIT")
    except LOST as error:
        raise _CommitLostError(str(error)) from error
    return result


def _roll_back(connection: Connection) -> None:
    if not connection.closed:
        connection.execute("ROLLBACK")


def endpoint_of(url: str) -> str:
    """Where a URL leads, without who goes there and how."""
    return connections.endpoint_of(connections.parameters_of(url))


def open_backend(
    url: str, *, durability: Durability = "full", busy_timeout: float, read_only: bool = False, migrate: bool = True
) -> PostgresBackend:
    """Open the database at `url`, with the tables made and migrated where needed.

    With `migrate` False the schema is left as it is, whatever version that is. UnavailableError where the server cannot
    be reached or the database is from a newer clew, UnauthorizedError where it refuses.
    """
    parameters = connections.parameters_of(url)
    backend = PostgresBackend(parameters, durability=durability, busy_timeout=busy_timeout, read_only=read_only)
    try:
        _prepare_schema(backend, read_only=read_only, migrate=migrate)
    except BaseException:
        backend.close()
        raise
    return backend


def _prepare_schema(backend: PostgresBackend, *, read_only: bool, migrate: bool) -> None:
    with translating(), backend._own_connection() as connection:
        connections.check_server(connection)
        migrations.check(connection, current=read_only)
        pending = migrations.status(connection).pending
        if not pending and not read_only:
            watching.raise_origin(connection)
    if pending and migrate:
        backend.migrate()
