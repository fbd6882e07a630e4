"""The seam over an SQLite file: each method is one function run in one transaction of the engine."""

import os
import time
from collections.abc import Iterator
from typing import TypeVar
from uuid import UUID

import apsw

from clew.backend import Durability, MessageSearch, Report, Watcher
from clew.errors import CorruptStateError, InvalidRequestError, UnavailableError
from clew.model import BackendInfo, MigrationStatus, Page, SearchHit
from clew.relational import index_check, indexing, purge, searching, verification
from clew.relational.backend import RelationalBackend, Work
from clew.reports import Backup, Compaction, Finding, Progress
from clew.sqlite import backups, compaction, integrity, migrations, registry, search_index, unindexing, wal
from clew.sqlite.connections import create_private_file, open_memory, open_reader, pragma
from clew.sqlite.engine import Engine
from clew.sqlite.errors import closed, reading_rows, translating
from clew.sqlite.group_commit import Work as FileWork
from clew.sqlite.own_index import OwnIndex
from clew.sqlite.transaction import SQLiteTransaction
from clew.sqlite.watching import SQLiteWatcher

T = TypeVar("T")

_WAL_RETRY_SECONDS = 0.02


class SQLiteBackend(RelationalBackend):
    """A store in one SQLite file, or in memory. Made by `open_backend`."""

    def __init__(self, engine: Engine, *, durability: Durability, busy_timeout: float, read_only: bool) -> None:
        super().__init__()
        self._engine = engine
        self._durable = durability == "full"
        self._timeout = busy_timeout
        self._read_only = read_only
        self._closed = False
        self._own_index = OwnIndex(self._own_reader)

    def purge_session(self, session_id: UUID, if_revision: int | None = None, *, erase: bool = True) -> bool:
        self._check_writable()
        unindexing.take_out_session(session_id, self._read_file, self._write_index)
        is_whole = self._write(lambda db: purge.purge_session(db, session_id, if_revision))
        if erase:
            self._empty_wal(f"session {session_id} is purged")
        return is_whole

    def erase_purged(self) -> bool:
        self._check_writable()
        try:
            return self._wal_is_emptied()
        except (apsw.Error, UnavailableError):
            return False

    def verify(self, report: Report | None) -> Iterator[Finding]:
        self._check_open()
        return verification.verify(
            self._read,
            (
                lambda: self._read_file(integrity.pages),
                lambda: self._read_file(integrity.foreign_keys),
                lambda: self._read(index_check.strays),
            ),
            report,
            of_family=(index_check.of_family,),
        )

    def backup(self, path: str, *, overwrite: bool, verify: bool, report: Report | None) -> Backup:
        self._check_open()
        path = os.path.abspath(os.path.expanduser(path))
        backups.check_target(path, self._engine.path, overwrite=overwrite)
        partial = backups.partial_path(path)
        try:
            with translating():
                sessions = self._engine.read(
                    lambda connection: backups.copy_pages(connection, partial, report), timeout=self._timeout
                )
            if verify:
                _check_copy(partial, self._timeout, report)
            size = os.path.getsize(partial)
            # Copying takes its time: somebody may have made or opened the file since.
            backups.check_target(path, self._engine.path, overwrite=overwrite)
            backups.put_in_place(partial, path, overwrite=overwrite)
        finally:
            backups.discard(partial)
        return Backup(path=path, bytes=size, sessions=sessions, verified=verify)

    def compact(self, report: Report | None) -> Compaction:
        self._check_writable()
        before = self._size()
        families = self._read(purge.families)
        damaged = 0
        for done, family in enumerate(families, 1):
            damaged += not self._write(lambda db: purge.collect_family(db, family))  # noqa: B023
            if report is not None:
                report(Progress(done=done, total=len(families), unit="families"))
        self._write_file(search_index.mend)
        with translating():
            self._engine.alone(compaction.vacuum, timeout=self._timeout, in_turn=True)
        self._empty_wal("the store is compact")
        if damaged:
            raise purge.damaged_families(damaged)
        return Compaction(bytes_before=before, bytes_after=self._size())

    def search(self, search: MessageSearch) -> Page[SearchHit]:
        self._check_open()
        with search_index.telling_damage():
            if not self._read_only:
                try:
                    return super().search(search)
                except UnavailableError as error:
                    if not isinstance(error.__cause__, search_index.UNWRITABLE):
                        raise
            # What of the index is there is asked first: it may know everything.
            known = self._read(lambda db: searching.find(db, search) if indexing.is_complete(db) else None)
            if known is not None:
                return known
            with reading_rows():
                return self._own_index.search(search)

    def update_search_index(self, report: Report | None) -> None:
        if self._read_only:
            self._check_open()
            return
        with search_index.telling_damage():
            super().update_search_index(report)

    def _index(self, work: Work[T]) -> T:
        return self._write_index(lambda connection: work(SQLiteTransaction(connection)))

    def _write_index(self, work: FileWork[T]) -> T:
        # What a loss of power takes away is done again.
        with reading_rows():
            return self._engine.write(work, timeout=self._timeout, durable=False)

    def _own_reader(self) -> apsw.Connection:
        return open_reader(self._engine.path) if self._engine.path is not None else open_memory()

    def _size(self) -> int:
        return self._read_file(lambda connection: compaction.size(connection, self._engine.path))

    def open_watcher(self) -> Watcher:
        path = self._engine.path
        if path is None:
            return SQLiteWatcher(self.last_change, lambda: None)
        self._check_open()
        with translating():
            connection = open_reader(path)

        def look() -> object:
            self._check_open()
            with translating():
                return pragma(connection, "data_version")

        return SQLiteWatcher(look, connection.close)

    def info(self) -> BackendInfo:
        self._check_open()
        return BackendInfo(kind="local", store_path=self._engine.path or ":memory:")

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            with translating():
                self._own_index.close()
                registry.release(self._engine)

    def migrate(self) -> list[int]:
        """Apply every pending migration and return their versions."""
        done: list[int] = []
        path = self._engine.path or ":memory:"
        while (
            version := self._write_file(lambda connection: migrations.apply_next(connection, path), solo=True)
        ) is not None:
            done.append(version)
        return done

    def migration_status(self) -> MigrationStatus:
        """What has been applied to the file and what has not."""
        return self._read_file(migrations.status)

    def roll_back(self, *, discard: bool) -> int | None:
        """Undo the newest migration and return its version, None where none is applied."""
        return self._write_file(lambda connection: migrations.roll_back_last(connection, discard=discard), solo=True)

    def _read(self, work: Work[T], checkpoint_id: UUID | None = None) -> T:
        return self._read_file(lambda connection: work(SQLiteTransaction(connection)), checkpoint_id)

    def _write(self, work: Work[T], *, written: Work[T | None] | None = None, repeatable: bool = False) -> T:
        return self._write_file(lambda connection: work(SQLiteTransaction(connection)))

    def _read_file(self, work: FileWork[T], checkpoint_id: UUID | None = None) -> T:
        self._check_open()
        with reading_rows(checkpoint_id):
            return self._engine.read(work, timeout=self._timeout)

    def _write_file(self, work: FileWork[T], *, solo: bool = False) -> T:
        self._check_writable()
        with reading_rows():
            return self._engine.write(work, timeout=self._timeout, durable=self._durable, solo=solo)

    def _check_open(self) -> None:
        if self._closed:
            raise closed()

    def _check_writable(self) -> None:
        self._check_open()
        if self._read_only:
            raise InvalidRequestError("the store was opened read-only")

    def _empty_wal(self, what: str) -> None:
        try:
            emptied = self._wal_is_emptied()
        except (apsw.Error, UnavailableError) as error:  # the change before it is committed all the same: say so
            raise wal.wal_not_emptied(what, error) from error
        if not emptied:
            raise wal.wal_still_held(what)

    def _wal_is_emptied(self) -> bool:
        """Whether the log could be emptied within the time limit; between two tries others write."""
        if self._engine.path is None:
            return True
        deadline = time.monotonic() + self._timeout
        while not self._engine.alone(wal.empty_wal, timeout=_until(deadline), in_turn=True):
            if _until(deadline) == 0:
                return False
            time.sleep(_WAL_RETRY_SECONDS)
        return True


def _until(deadline: float) -> float:
    return max(deadline - time.monotonic(), 0)


def open_backend(
    path: str | None,
    *,
    durability: Durability = "full",
    busy_timeout: float,
    read_only: bool = False,
    migrate: bool = True,
) -> SQLiteBackend:
    """Open the file at `path` (None is a new database in memory), made and migrated where needed.

    With `migrate` False the schema is left as it is, whatever version that is. UnavailableError where the file cannot
    be opened, is no database, is not clew's, or is from a newer clew.
    """
    if path is None:
        engine = Engine(None)
    else:
        path = os.path.realpath(os.path.expanduser(path))
        _prepare_file(path, read_only)
        engine = registry.acquire(path, read_only=read_only)
    backend = SQLiteBackend(engine, durability=durability, busy_timeout=busy_timeout, read_only=read_only)
    try:
        _prepare_schema(backend, engine, path, busy_timeout, read_only, migrate)
    except BaseException:
        backend.close()
        raise
    return backend


def _prepare_file(path: str, read_only: bool) -> None:
    if not read_only:
        create_private_file(path)
    elif not os.path.isfile(path):
        raise UnavailableError(f"there is no file {path}")


def _prepare_schema(
    backend: SQLiteBackend, engine: Engine, path: str | None, timeout: float, read_only: bool, migrate: bool
) -> None:
    def inspect(connection: apsw.Connection) -> bool:
        if path is not None:
            migrations.check_is_ours(connection, path)
            migrations.check_not_newer(connection, path)
            if read_only:
                migrations.check_current(connection, path)
        return bool(migrations.status(connection).pending)

    with translating():
        try:
            pending = engine.read(inspect, timeout=timeout)
        except apsw.NotADBError as error:
            raise UnavailableError(f"{path} is not a database") from error
    if pending and migrate:
        backend.migrate()


def _check_copy(path: str, timeout: float, report: Report | None) -> None:
    """CorruptStateError where something is wrong in a copy."""
    copy = open_backend(path, busy_timeout=timeout, read_only=True)
    try:
        found = list(copy.verify(report))
    finally:
        copy.close()
    if found:
        raise CorruptStateError(
            f"the copy is not kept, because it is damaged as the store is: {found[0].message}"
            + (f", and {len(found) - 1:,} more" if len(found) > 1 else "")
        )
