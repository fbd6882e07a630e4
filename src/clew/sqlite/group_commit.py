"""Writers of one process share a commit, because a durable commit costs several times what it makes durable.

A writer puts its job in the queue. If nobody leads, it leads: it takes what is queued and runs it as one transaction,
in its own thread. Writers that come meanwhile wait; when the leader is done, the first of them leads the next batch. An
uncontended writer therefore never changes threads, and a crowd pays for one commit.
"""

import threading
from collections import deque
from collections.abc import Callable
from typing import Any, Generic, TypeVar

import apsw

from clew.errors import UnavailableError
from clew.limits import MAX_GROUP_COMMIT

T = TypeVar("T")

FAILURES = (Exception,)
"""What fails a job, as opposed to what interrupts the thread that runs it."""

Work = Callable[[apsw.Connection], T]


class Job(Generic[T]):
    """One write: what to do inside the transaction, and what came of it."""

    __slots__ = ("_wake", "alone", "deadline", "durable", "error", "finished", "leads", "result", "work")

    def __init__(self, work: Work[T], *, deadline: float, durable: bool, alone: bool = False) -> None:
        self.work = work
        self.deadline = deadline
        self.durable = durable
        self.alone = alone  # outside of any transaction, with the connection to itself
        self.finished = False
        self.leads = False
        self.result: Any = None
        self.error: BaseException | None = None
        self._wake: threading.Lock | None = None

    def record(self, result: Any = None, error: BaseException | None = None) -> None:
        """What came of the work. It counts only once the job is `finished`: until then the transaction may be lost."""
        self.result, self.error = result, error

    def expect_to_wait(self) -> None:
        """Before anybody can wake it. A bare lock is the cheapest event there is."""
        self._wake = threading.Lock()
        self._wake.acquire()

    def wake(self) -> None:
        if self._wake is not None:
            self._wake.release()

    def wait(self, timeout: float) -> bool:
        """Whether the job was finished, or made to lead, in time."""
        return self._wake is None or self._wake.acquire(timeout=min(max(timeout, 0), threading.TIMEOUT_MAX))

    def outcome(self) -> T:
        """The result, or the error raised."""
        if self.error is not None:
            raise self.error
        return self.result  # type: ignore[no-any-return]


class GroupCommit:
    """The queue of jobs and the rule of who leads.

    `run_batch` runs jobs and marks each one finished whose outcome is settled; it raises only for what the leader's own
    thread suffers (KeyboardInterrupt), and then the jobs not finished run again under another leader.
    """

    def __init__(self, run_batch: Callable[[list[Job[Any]]], None], clock: Callable[[], float]) -> None:
        self._run_batch = run_batch
        self._clock = clock
        self._queue: deque[Job[Any]] = deque()
        self._mutex = threading.Lock()
        self._led = False

    def submit(self, job: Job[T]) -> T:
        """Run the job, alone or in company, and return its result."""
        with self._mutex:
            self._queue.append(job)
            job.leads = not self._led
            self._led = True
            if not job.leads:
                job.expect_to_wait()
        if not job.leads:
            try:
                self._wait(job)
            except BaseException:
                self._abandon(job)
                raise
        if job.leads:
            self._lead(job)
        return job.outcome()

    def _wait(self, job: Job[Any]) -> None:
        if job.wait(job.deadline - self._clock()):
            return
        with self._mutex:
            queued = job in self._queue and not job.leads
            if queued:
                self._queue.remove(job)
        if queued:
            raise UnavailableError("the store stayed busy with other writers beyond the time limit")
        job.wait(threading.TIMEOUT_MAX)  # taken into a batch, or made to lead: its outcome must be known

    def _abandon(self, job: Job[Any]) -> None:
        """The waiting thread was interrupted. A job already taken into a batch is still written."""
        with self._mutex:
            if job in self._queue:
                self._queue.remove(job)
            leads = job.leads
        if leads:
            self._hand_over()

    def _lead(self, own: Job[Any]) -> None:
        batch = self._take()
        try:
            self._run_batch(batch)
        except BaseException:
            own.finished = True
            self._put_back([job for job in batch if not job.finished])
            raise
        finally:
            self._hand_over()
            for job in batch:
                if job.finished and job is not own:
                    job.wake()

    def _take(self) -> list[Job[Any]]:
        with self._mutex:
            batch = [self._queue.popleft()]
            while self._queue and len(batch) < MAX_GROUP_COMMIT and not (batch[-1].alone or self._queue[0].alone):
                batch.append(self._queue.popleft())
            return batch

    def _put_back(self, jobs: list[Job[Any]]) -> None:
        with self._mutex:
            self._queue.extendleft(reversed(jobs))

    def _hand_over(self) -> None:
        with self._mutex:
            if self._queue:
                self._queue[0].leads = True
                self._queue[0].wake()
            else:
                self._led = False
