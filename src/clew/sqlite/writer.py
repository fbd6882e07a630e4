"""The one connection of a file that writes, and how it runs a batch of jobs."""

import time
from contextlib import suppress
from typing import Any

import apsw

from clew.sqlite import connections, migrations
from clew.sqlite.group_commit import FAILURES, Job, Unit
from clew.sqlite.turnstile import Turnstile

_SYNCHRONOUS = {True: "FULL", False: "NORMAL"}


class Writer:
    """Runs batches, one at a time, in whichever thread leads."""

    def __init__(self, path: str | None, timeout: float) -> None:
        """A connection to the file at `path`, or to a database in memory where that is None."""
        self._path = path
        self._durable: bool | None = None
        self._schema: object = None
        self._turnstile = None if path is None else Turnstile(path)
        if path is None:
            self._connection = connections.open_memory()
        else:
            self._connection = connections.open_writer(path, time.monotonic() + timeout)

    def run_batch(self, jobs: list[Job[Any]]) -> None:
        """Run jobs and settle each one; raises only what interrupts the thread."""
        try:
            if jobs[0].outside and not jobs[0].in_turn:
                self._run_outside(jobs[0])
            else:
                self._take_turn(jobs, max([job.deadline for job in jobs]))
        except FAILURES as error:
            for job in jobs:
                if not job.finished:
                    job.record(error=error)
            _settle([job for job in jobs if not job.finished])

    def close(self) -> None:
        """Close the connection; nothing may run any more."""
        self._connection.close()
        if self._turnstile is not None:
            self._turnstile.close()

    def _take_turn(self, jobs: list[Job[Any]], deadline: float) -> None:
        try:
            if self._turnstile is not None:
                self._turnstile.acquire(deadline)
            if jobs[0].outside:
                self._wait_at_most(deadline)
                self._run_outside(jobs[0])
            elif not self._commit(jobs, deadline):
                for job in jobs:  # all was lost with the transaction: each on its own, to see whose fault it was
                    self._commit([job], deadline)
        finally:
            if self._turnstile is not None:
                self._turnstile.release()

    def _run_outside(self, job: Job[Any]) -> None:
        job.record(job.work(self._connection))
        _settle([job])

    def _commit(self, jobs: list[Job[Any]], deadline: float) -> bool:
        """Run jobs in one transaction and settle them; False where a batch has to be taken apart."""
        unit = _unit_of(jobs)
        committing = False
        try:
            self._begin(deadline, durable=True in [job.durable for job in jobs])
            if len(jobs) == 1:
                jobs[0].record(jobs[0].work(self._connection))
            elif not self._run_together(jobs):
                return False
            committing = True
            self._connection.execute("COMMIT")
        except BaseException as error:
            if committing and not isinstance(error, apsw.Error) and not self._connection.in_transaction:
                unit.settled = True  # the interrupt came after the commit was done: its jobs must not run again
                raise
            if not isinstance(error, FAILURES):
                raise
            if len(jobs) > 1:
                return False
            jobs[0].record(error=error)
        finally:
            if self._connection.in_transaction:
                self._roll_back()
        unit.settled = True
        return True

    def _roll_back(self) -> None:
        with suppress(apsw.Error):
            self._connection.execute("ROLLBACK")

    def _begin(self, deadline: float, *, durable: bool) -> None:
        if self._connection.in_transaction:  # an interrupt came between two statements of the one before
            self._roll_back()
        if self._durable is not durable:
            connections.pragma(self._connection, f"synchronous = {_SYNCHRONOUS[durable]}")
            self._durable = durable
        self._wait_at_most(deadline)
        self._connection.execute("BEGIN IMMEDIATE")
        if self._path is not None:
            self._check_schema(self._path)

    def _check_schema(self, path: str) -> None:
        """UnavailableError where another process has made the schema a newer one, whose rows this clew cannot write."""
        ((schema,),) = self._connection.execute("PRAGMA schema_version").fetchall()
        if schema != self._schema:
            migrations.check_not_newer(self._connection, path)
            self._schema = schema

    def _wait_at_most(self, deadline: float) -> None:
        self._connection.set_busy_timeout(max(int((deadline - time.monotonic()) * 1000), 1))

    def _run_together(self, jobs: list[Job[Any]]) -> bool:
        """Run jobs one after the other inside the open transaction.

        A job that fails before it has changed anything, as nearly all that fail do, takes no other along. False where
        one failed later than that: then the transaction has to be given up, and each job run in one of its own.
        """
        for job in jobs:
            before = self._connection.total_changes()
            try:
                job.record(job.work(self._connection))
            except FAILURES as error:
                if self._connection.total_changes() != before or not self._connection.in_transaction:
                    return False
                job.record(error=error)
        return True


def _unit_of(jobs: list[Job[Any]]) -> Unit:
    unit = Unit()
    for job in jobs:
        job.unit = unit
    return unit


def _settle(jobs: list[Job[Any]]) -> None:
    _unit_of(jobs).settled = True
