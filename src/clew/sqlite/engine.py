"""One open file: a connection that writes, a pool that reads, and the rules between threads and processes."""

import os
import threading
import time
from typing import TypeVar

import apsw

from clew import limits
from clew.errors import UnavailableError
from clew.sqlite import connections
from clew.sqlite.errors import closed
from clew.sqlite.group_commit import GroupCommit, Job, Work
from clew.sqlite.writer import Writer

T = TypeVar("T")

_CLOSE_SECONDS = 60.0


class Engine:
    """Runs reads and writes on one file, or on one database in memory (`path` None).

    One engine a file in a process (see `clew.sqlite.registry`): its writers share commits, which two engines could not.
    Writes go through `write`, reads through `read`; both take a plain function of a connection and run it inside one
    transaction. A write function may run more than once, after a rollback, so it must change nothing but the database.
    The driver's errors come out as they are: the backend translates them.
    """

    def __init__(self, path: str | None) -> None:
        self.path = path
        self.identity = None if path is None else file_identity(path)
        self.may_write = False  # set where a store that is not read-only uses it
        self._process = os.getpid()
        self._writer: Writer | None = None
        self._group: GroupCommit | None = None
        self._idle_readers: list[apsw.Connection] = []
        self._reader_slots = threading.BoundedSemaphore(limits.MAX_READERS)
        self._opening = threading.Lock()
        self._closed = False

    def write(self, work: Work[T], *, timeout: float, durable: bool, solo: bool = False) -> T:
        """Run `work` in a write transaction, committed when this returns; `durable` also across a loss of power.

        `solo` work shares its transaction with no other: work that changes the schema, for one.
        """
        return self._submit(Job(work, deadline=time.monotonic() + timeout, durable=durable, solo=solo), timeout)

    def alone(self, work: Work[T], *, timeout: float, in_turn: bool = False) -> T:
        """Run `work` on the writing connection outside of any transaction, with no other writer of this process.

        With `in_turn` it waits for other processes that write, too, and they for it.
        """
        deadline = time.monotonic() + timeout
        return self._submit(Job(work, deadline=deadline, durable=True, outside=True, in_turn=in_turn), timeout)

    def read(self, work: Work[T], *, timeout: float) -> T:
        """Run `work` in a read transaction: everything it reads is of one moment."""
        self._check_usable()
        if self.path is None:
            return self.alone(work, timeout=timeout)
        if not self._reader_slots.acquire(timeout=timeout):
            raise UnavailableError(f"all {limits.MAX_READERS} readers stayed busy beyond the time limit")
        path = self.path
        try:
            # Readers of a write-ahead log wait for nobody. What can be Busy is a file on its way to having one.
            return connections.retry_while_busy(
                lambda: self._read_with(self._take_reader(path), work, timeout), time.monotonic() + timeout
            )
        finally:
            self._reader_slots.release()

    def close(self) -> None:
        """Close every connection, after the writes under way; SQLite moves the write-ahead log into the file then."""
        with self._opening:
            if self._closed or self._process != os.getpid():
                return
            self._closed = True
        while self._idle_readers:
            self._idle_readers.pop().close()
        writer = self._writer
        if writer is not None and self._group is not None:
            self._group.submit(
                Job(lambda _: writer.close(), deadline=time.monotonic() + _CLOSE_SECONDS, durable=True, outside=True)
            )
        elif self.path is not None and self.may_write and self._is_there():
            connections.remove_empty_log(self.path)

    def _is_there(self) -> bool:
        """Whether the file that was opened still lies at its path."""
        try:
            return self.path is not None and file_identity(self.path) == self.identity
        except UnavailableError:
            return False

    def _check_usable(self) -> None:
        if self._closed:
            raise closed()
        if self._process != os.getpid():
            raise UnavailableError("this store was opened before the process forked; open it again in the new process")

    def _submit(self, job: Job[T], timeout: float) -> T:
        self._check_usable()
        return (self._group or self._writers(timeout)).submit(job)

    def _writers(self, timeout: float) -> GroupCommit:
        """The queue of writers; opens the connection that writes when the first one comes."""
        with self._opening:
            if self._closed:
                raise closed()
            if self._group is None:
                self._writer = Writer(self.path, timeout)
                self._group = GroupCommit(self._writer.run_batch, time.monotonic)
            return self._group

    # -- readers

    def _take_reader(self, path: str) -> apsw.Connection:
        try:
            return self._idle_readers.pop()  # the most recently used: its cache is the warmest
        except IndexError:
            return connections.open_reader(path)

    def _read_with(self, connection: apsw.Connection, work: Work[T], timeout: float) -> T:
        try:
            connection.set_busy_timeout(int(timeout * 1000))
            connection.execute("BEGIN")
            return work(connection)
        finally:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            if connection.txn_state() != apsw.SQLITE_TXN_NONE:
                # A statement that an error left unfinished would go on reading what there was, for as long as somebody
                # holds the error, and keep the write-ahead log from being emptied.
                connection.close(True)
            elif self._closed or len(self._idle_readers) >= limits.MAX_IDLE_READERS:
                connection.close()
            else:
                self._idle_readers.append(connection)


def file_identity(path: str) -> tuple[int, int]:
    """Which file it is that lies at `path` now."""
    try:
        found = os.stat(path)
    except OSError as error:
        raise UnavailableError(f"cannot open {path}: {error.strerror}") from error
    return found.st_dev, found.st_ino
