"""Writers of one process share a commit, because a durable commit costs several times what it makes durable.

A writer puts its job in the queue. If nobody leads, it leads: it takes what is queued and runs it as one transaction,
in its own thread. Writers that come meanwhile wait; when the leader is done, the first of them leads the next batch. An
uncontended writer therefore never changes threads, and a crowd pays for one commit.
"""

import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, Generic, TypeVar

import apsw

from clew.errors import StorageError, UnavailableError
from clew.limits import MAX_GROUP_COMMIT

T = TypeVar("T")

FAILURES = (
    StorageError,
    apsw.Error,
    ArithmeticError,
    AttributeError,
    LookupError,
    MemoryError,
    TypeError,
    ValueError,
)
"""What fails a job. Anything else comes from a signal handler and interrupts the thread that happens to lead."""

Work = Callable[[apsw.Connection], T]


class Unit:
    """Jobs that share a fate. One assignment settles it for all of them, so that no interrupt can come in between."""

    __slots__ = ("settled",)

    def __init__(self) -> None:
        self.settled = False


class Job(Generic[T]):
    """One write: what to do inside the transaction, and what came of it."""

    __slots__ = (
        "_wake", "deadline", "durable", "error", "in_turn", "outside", "result", "solo", "to_wake", "unit", "work",
    )  # fmt: skip

    def __init__(
        self,
        work: Work[T],
        *,
        deadline: float,
        durable: bool,
        solo: bool = False,
        outside: bool = False,
        in_turn: bool = False,
    ) -> None:
        self.work = work
        self.deadline = deadline
        self.durable = durable
        self.solo = solo or outside  # shares its transaction with no other job
        self.outside = outside  # runs outside of any transaction
        self.in_turn = in_turn  # though outside, it waits for its turn among the processes that write
        self.unit: Unit | None = None
        self.result: Any = None
        self.error: BaseException | None = None
        self.to_wake: Sequence[Job[Any]] = ()  # what its thread still has to do after it led
        self._wake: threading.Lock | None = None

    @property
    def finished(self) -> bool:
        """Whether the outcome is final."""
        return self.unit is not None and self.unit.settled

    def record(self, result: Any = None, error: BaseException | None = None) -> None:
        """What came of the work. It counts only once the unit is settled: until then the transaction may be lost."""
        self.result, self.error = result, error

    def expect_to_wait(self) -> None:
        """Before anybody can wake it. A bare lock is the cheapest event there is."""
        self._wake = threading.Lock()
        self._wake.acquire()

    def wake(self) -> None:
        """End a wait; doing it twice does no harm."""
        if self._wake is not None:
            with suppress(RuntimeError):
                self._wake.release()

    def wait(self, timeout: float) -> bool:
        """Whether somebody woke it in time."""
        return self._wake is None or self._wake.acquire(timeout=min(max(timeout, 0), threading.TIMEOUT_MAX))

    def outcome(self) -> T:
        """The result, or the error raised."""
        if self.error is not None:
            raise self.error
        return self.result  # type: ignore[no-any-return]


class GroupCommit:
    """The queue of jobs and the rule of who leads.

    `run_batch` runs jobs and settles each one's unit; it raises only for what interrupts the leader's own thread, and
    then the jobs not finished run again under another leader. An interrupt may come at any line: all state is in the
    attributes, changed under the mutex, and `_leave` puts it right from wherever it was.
    """

    def __init__(self, run_batch: Callable[[list[Job[Any]]], None], clock: Callable[[], float]) -> None:
        self._run_batch = run_batch
        self._clock = clock
        self._mutex = threading.Lock()
        self._queue: list[Job[Any]] = []
        self._batch: list[Job[Any]] = []
        self._leader: Job[Any] | None = None

    def submit(self, job: Job[T]) -> T:
        """Run the job, alone or in company, and return its result."""
        try:
            with self._mutex:
                if self._leader is None:
                    self._leader = job
                else:
                    job.expect_to_wait()
                self._queue.append(job)
            if self._leader is not job:
                self._wait(job)
            if self._leader is job:
                self._take()
                self._run_batch(self._batch)
        finally:
            if self._leader is job or not job.finished or job.to_wake:
                try:
                    self._leave(job)
                except BaseException:
                    self._leave(job)
                    raise
        return job.outcome()

    def _wait(self, job: Job[Any]) -> None:
        while not (job.finished or self._leader is job):
            if job.wait(job.deadline - self._clock()):
                continue
            with self._mutex:
                queued = job in self._queue and self._leader is not job
                if queued:
                    self._queue.remove(job)
            if queued:
                raise UnavailableError("the store stayed busy with other writers beyond the time limit")
            job.wait(threading.TIMEOUT_MAX)  # taken into a batch, or made to lead: its outcome must be known

    def _take(self) -> None:
        """Move what one transaction can hold from the queue to the batch; the leader's job comes first."""
        with self._mutex:
            count = 1
            limit = min(len(self._queue), MAX_GROUP_COMMIT)
            while count < limit and not (self._queue[0].solo or self._queue[count].solo):
                count += 1
            self._batch, self._queue = self._queue[:count], self._queue[count:]

    def _leave(self, job: Job[Any]) -> None:
        """Hand on what the job's thread was responsible for. Doing it twice, or again after an interrupt, is right."""
        with self._mutex:
            if job in self._queue:
                self._queue.remove(job)
            if self._leader is job:
                others = [other for other in self._batch if other is not job]
                waiting = [other for other in others if not other.finished] + self._queue
                job.to_wake = [*job.to_wake, *others, *waiting[:1]]  # the next leader last, and so woken first
                self._batch, self._queue = [], waiting
                self._leader = waiting[0] if waiting else None
        while job.to_wake:
            job.to_wake[-1].wake()
            job.to_wake = job.to_wake[:-1]
