"""The seam over a PostgreSQL database: each method is one function run in one transaction, or one statement."""

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import TypeVar
from uuid import UUID

from clew.backend import Durability, MessageSearch, NewCheckpoint, Report, Watcher
from clew.errors import InvalidRequestError, UnavailableError
from clew.model import ApiKey, BackendInfo, Checkpoint, MigrationStatus, Page, SearchHit
from clew.postgres import addresses, append, compaction, connections, integrity, migrations, registry, watching
from clew.postgres.calls import Call
from clew.postgres.connections import Settings
from clew.postgres.errors import closed, reading_rows, translating
from clew.postgres.guarded import Connection
from clew.postgres.watching import Notifier, PostgresWatcher
from clew.relational import (
    attachments,
    checkpoints,
    index_check,
    indexing,
    keys,
    purge,
    rows,
    searching,
    statistics,
    verification,
)
from clew.relational.backend import RelationalBackend, Work
from clew.relational.heads import read_head
from clew.relational.transaction import Transaction
from clew.reports import Backup, Compaction, Finding, Progress, StoreStats

T = TypeVar("T")


class PostgresBackend(RelationalBackend):
    """A store in a PostgreSQL database. Made by `open_backend`."""

    def __init__(self, parameters: dict[str, str], settings: Settings) -> None:
        super().__init__()
        self._parameters = parameters
        self._settings = settings
        self._closed = False
        self._closing = threading.Lock()
        self._process = os.getpid()
        self._heads = append.Heads()
        self._connect: Callable[[], Connection] = lambda: connections.connect(parameters, settings)
        self._pool = registry.acquire(parameters, settings)
        self._notifier = Notifier(self._pool)

    # -- what differs from other tables

    def write_checkpoint(self, session_id: UUID, new: NewCheckpoint) -> Checkpoint:
        self._check_writable()
        cuts = attachments.cut_all(new.attachments)
        call = self._call()
        with reading_rows(), self._heads.turn(session_id, call.left()):
            done = self._append(call, session_id, new)
            if done is None:
                self._heads.forget(session_id)
                done = call.write(
                    lambda db: checkpoints.write_checkpoint(db, session_id, new, cuts, self._deferred, self._trails),
                    written=lambda db: checkpoints.load_if_there(db, session_id, new.id, self._deferred),
                    repeatable=new.fingerprint is not None,
                )
        self._notifier.tell()
        return done

    def _append(self, call: Call, session_id: UUID, new: NewCheckpoint) -> Checkpoint | None:
        """Write the checkpoint in one statement; None where that has to go the long way."""
        head = self._heads.get(session_id)
        if head is None and append.may_be_plain(new):
            head = call.ask(lambda db: read_head(db, session_id))
        plan = None if head is None else append.plan(head, new, self._trails)
        if plan is None or not call.write_at_once(
            lambda db: db.fetch_one("append", plan.parameters), failures=(append.CLASH,)
        ):
            return None
        self._heads.put(plan.head)
        self._trails.remember(plan.row.id, plan.point)
        return rows.checkpoint(plan.row, self._deferred(new.id))

    def search(self, search: MessageSearch) -> Page[SearchHit]:
        if not self._settings.read_only:
            return super().search(search)

        def look(db: Transaction) -> Page[SearchHit]:
            if not indexing.is_complete(db):
                raise UnavailableError(
                    "the search index does not know all messages yet, and a read-only store cannot index them: search "
                    "once with a store that may write"
                )
            return searching.find(db, search)

        return self._read(look)

    def update_search_index(self, report: Report | None) -> None:
        if not self._settings.read_only:
            super().update_search_index(report)

    def find_key(self, digest: bytes) -> ApiKey | None:
        self._check_open()
        with reading_rows():
            return self._call().ask(lambda db: keys.find_key(db, digest))

    def purge_session(self, session_id: UUID, if_revision: int | None = None, *, erase: bool = True) -> bool:
        return self._write(lambda db: purge.purge_session(db, session_id, if_revision))

    def erase_purged(self) -> bool:
        self._check_writable()
        return True  # the server clears away what is dead in its own time: see docs/scaling.md

    def verify(self, report: Report | None) -> Iterator[Finding]:
        self._check_open()
        return verification.verify(
            self._read_at_leisure,
            (
                lambda: self._read_at_leisure(integrity.stray_tips),
                lambda: self._read_at_leisure(integrity.stray_directories),
                lambda: self._read_at_leisure(index_check.strays),
            ),
            report,
            families_by=integrity.FAMILIES,
            of_family=(integrity.strays, integrity.disowned, integrity.searched, index_check.of_family),
        )

    def store_stats(self, owner: str | None) -> StoreStats:
        return self._read_at_leisure(lambda db: statistics.store_stats(db, owner))

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
        self._write(index_check.mend, repeatable=True)
        with translating(), closing(self._connect()) as connection:
            compaction.vacuum(connection)
        if damaged:
            raise purge.damaged_families(damaged)
        return Compaction(bytes_before=before, bytes_after=self._read(compaction.size))

    def open_watcher(self) -> Watcher:
        self._check_open()
        return PostgresWatcher(self._connect, self._check_open)

    def info(self) -> BackendInfo:
        self._check_open()
        return BackendInfo(kind="postgresql", endpoint=addresses.endpoint_of(self._parameters, self._settings.schema))

    def close(self) -> None:
        with self._closing:
            is_first, self._closed = not self._closed, True
        if is_first:
            if self._process == os.getpid():
                self._notifier.stop()
            registry.release(self._pool)

    # -- the schema

    def migrate(self) -> list[int]:
        """Apply every pending migration and return their versions."""
        self._check_writable()
        with translating(), closing(self._connect()) as connection:
            return migrations.apply_pending(connection)

    def migration_status(self) -> MigrationStatus:
        """What has been applied to the schema and what has not."""
        self._check_open()
        with translating(), closing(self._connect()) as connection:
            return migrations.status(connection)

    def roll_back(self, *, discard: bool) -> int | None:
        """Undo the newest migration and return its version, None where none is applied."""
        self._check_writable()
        with translating(), closing(self._connect()) as connection:
            return migrations.roll_back_last(connection, discard=discard)

    # -- transactions

    def _read(self, work: Work[T], checkpoint_id: UUID | None = None) -> T:
        self._check_open()
        with reading_rows(checkpoint_id):
            return self._call().read(work)

    def _read_at_leisure(self, work: Work[T]) -> T:
        """The same where the server may take as long as it takes for a statement: it is for looking at all there is."""

        def unhurried(db: Transaction) -> T:
            db.execute("no_time_limit", {})
            return work(db)

        return self._read(unhurried)

    def _write(self, work: Work[T], *, written: Work[T | None] | None = None, repeatable: bool = False) -> T:
        self._check_writable()
        with reading_rows():
            result = self._call().write(work, written=written, repeatable=repeatable)
        self._notifier.tell()
        return result

    def _call(self) -> Call:
        return Call(self._pool, self._settings.timeout)

    def _check_open(self) -> None:
        if self._closed:
            raise closed()
        if self._process != os.getpid():
            raise UnavailableError("this store was opened before the process forked; open it again in the new process")

    def _check_writable(self) -> None:
        self._check_open()
        if self._settings.read_only:
            raise InvalidRequestError("the store was opened read-only")


def endpoint_of(url: str) -> str:
    """Where a URL leads, without who goes there and how."""
    return addresses.endpoint_of(addresses.parameters_of(url))


def open_backend(
    url: str, *, durability: Durability = "full", busy_timeout: float, read_only: bool = False, migrate: bool = True
) -> PostgresBackend:
    """Open the database at `url`, with the tables made and migrated where needed.

    With `migrate` False the schema is left as it is, whatever version that is. UnavailableError where the server cannot
    be reached or the database is from a newer clew, UnauthorizedError where it refuses.
    """
    parameters = addresses.parameters_of(url)
    settings = Settings(durability, busy_timeout, read_only)
    with translating(), closing(connections.connect(parameters, settings)) as connection:
        connections.check_server(connection)
        settings = settings._replace(schema=connections.home_of(connection))
        connections.configure(connection, settings)
        migrations.check(connection, current=read_only)
        _prepare_schema(connection, read_only=read_only, migrate=migrate)
    return PostgresBackend(parameters, settings)


def _prepare_schema(connection: Connection, *, read_only: bool, migrate: bool) -> None:
    pending = migrations.status(connection).pending
    if pending and migrate:
        migrations.apply_pending(connection)
    if not read_only and (migrate or not pending):
        watching.raise_origin(connection)
