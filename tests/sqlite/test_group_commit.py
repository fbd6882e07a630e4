"""Writers that share a commit: who leads, who waits, and what one failure costs the others."""

import itertools
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import apsw
import pytest

import clew
from clew.sqlite.engine import Engine
from clew.sqlite.group_commit import GroupCommit, Job, Unit


def settle(batch: list[Job[Any]]) -> None:
    unit = Unit()
    for each in batch:
        each.unit = unit
    unit.settled = True


def job(work: Callable[[Any], Any] = lambda _: None, timeout: float = 60) -> Job[Any]:
    return Job(work, deadline=time.monotonic() + timeout, durable=True)


class Gate:
    """A first job that holds the writer until it is let go, so that others queue up behind it."""

    def __init__(self, engine: Engine) -> None:
        self._entered = threading.Event()
        self._release = threading.Event()
        self._thread = threading.Thread(target=lambda: engine.write(self._hold, timeout=60, durable=False))

    def _hold(self, _: apsw.Connection) -> None:
        self._entered.set()
        assert self._release.wait(60)

    def __enter__(self) -> "Gate":
        self._thread.start()
        assert self._entered.wait(60)
        return self

    def release(self) -> None:
        self._release.set()

    def __exit__(self, *_: object) -> None:
        self.release()
        self._thread.join()


@pytest.fixture
def engine(tmp_path: Path):
    (tmp_path / "plain.db").touch()
    engine = Engine(str(tmp_path / "plain.db"))
    engine.write(lambda connection: connection.execute("CREATE TABLE t (x UNIQUE)"), timeout=5, durable=False)
    yield engine
    engine.close()


def run_behind_a_gate(engine: Engine, works: list[Callable[[apsw.Connection], Any]]) -> list[object]:
    """Submit all works while the writer is held, and return what came of each: they run as one batch."""
    outcomes: list[object] = [None] * len(works)

    def submit(index: int) -> None:
        try:
            outcomes[index] = engine.write(works[index], timeout=60, durable=False)
        except Exception as error:
            outcomes[index] = error

    threads = [threading.Thread(target=submit, args=(index,)) for index in range(len(works))]
    with Gate(engine) as gate:
        for count, thread in enumerate(threads, 1):
            thread.start()
            wait_until(lambda count=count: len(engine._group._queue) == count)  # type: ignore[union-attr,misc]
        gate.release()
        for thread in threads:
            thread.join()
    return outcomes


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        threading.Event().wait(0.001)


def insert(value: int) -> Callable[[apsw.Connection], int]:
    def work(connection: apsw.Connection) -> int:
        connection.execute("INSERT INTO t VALUES (?)", (value,))
        return value

    return work


def refuse(_: apsw.Connection) -> None:
    raise clew.NotFoundError("refused before anything was changed")


def insert_and_refuse(connection: apsw.Connection) -> None:
    connection.execute("INSERT INTO t VALUES (-1)")
    raise clew.ConflictError("refused after a change")


def values(engine: Engine) -> list[int]:
    def read(connection: apsw.Connection) -> list[int]:
        return [value for (value,) in connection.execute("SELECT x FROM t ORDER BY x")]

    return engine.read(read, timeout=5)


def test_writers_that_come_together_share_one_commit(engine: Engine) -> None:
    commits: list[list[int]] = []

    def committing() -> bool:
        commits.append([])
        return False

    engine.alone(lambda connection: connection.set_commit_hook(committing), timeout=5)
    assert run_behind_a_gate(engine, [insert(n) for n in range(20)]) == list(range(20))
    assert len(commits) == 2  # that of the gate, and theirs
    assert values(engine) == list(range(20))


def test_a_writer_refused_before_a_change_takes_no_other_along(engine: Engine) -> None:
    outcomes = run_behind_a_gate(engine, [insert(1), refuse, insert(2)])
    assert outcomes[0] == 1
    assert isinstance(outcomes[1], clew.NotFoundError)
    assert outcomes[2] == 2
    assert values(engine) == [1, 2]


def test_a_writer_that_fails_after_a_change_leaves_nothing_and_takes_no_other_along(engine: Engine) -> None:
    outcomes = run_behind_a_gate(engine, [insert(1), insert_and_refuse, insert(1), insert(2)])
    assert outcomes[0] == 1
    assert isinstance(outcomes[1], clew.ConflictError)
    assert isinstance(outcomes[2], apsw.ConstraintError)
    assert outcomes[3] == 2
    assert values(engine) == [1, 2]


def test_a_writer_alone_that_fails_leaves_nothing(engine: Engine) -> None:
    with pytest.raises(clew.ConflictError):
        engine.write(insert_and_refuse, timeout=5, durable=True)
    assert values(engine) == []
    assert engine.write(insert(1), timeout=5, durable=True) == 1


def test_a_commit_that_fails_is_reported_and_leaves_nothing(engine: Engine) -> None:
    engine.alone(lambda connection: connection.set_commit_hook(lambda: True), timeout=5)
    with pytest.raises(apsw.ConstraintError):
        engine.write(insert(1), timeout=5, durable=True)
    engine.alone(lambda connection: connection.set_commit_hook(None), timeout=5)
    assert values(engine) == []
    assert engine.write(insert(1), timeout=5, durable=True) == 1


def test_a_writer_that_waits_too_long_behind_others_gives_up_and_writes_nothing(engine: Engine) -> None:
    with Gate(engine), pytest.raises(clew.UnavailableError, match="busy with other writers"):
        engine.write(insert(1), timeout=0.01, durable=True)
    assert values(engine) == []
    assert engine.write(insert(2), timeout=5, durable=True) == 2


def test_a_store_locked_by_another_program_is_unavailable_within_the_time_limit(tmp_path: Path) -> None:
    with clew.open(tmp_path / "store.db", busy_timeout=0.05) as store:
        store.create_session("before")
        other = apsw.Connection(str(tmp_path / "store.db"))
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(clew.UnavailableError, match="locked"):
            store.create_session("during")
        assert store.list_sessions().total == 1
        other.execute("ROLLBACK")
        other.close()
        store.create_session("after")
        assert [summary.title for summary in store.list_sessions()] == ["after", "before"]


class AlarmError(Exception):
    """What the handler of a signal may raise."""


class TestInterrupts:
    """What only the leader's own thread suffers, such as Ctrl-C, must not cost the others their writes."""

    def submit_all(self, group: GroupCommit, jobs: list[Job[Any]]) -> list[threading.Thread]:
        threads = [threading.Thread(target=group.submit, args=(each,)) for each in jobs]
        for count, thread in enumerate(threads, 1):
            thread.start()
            wait_until(lambda count=count: len(group._queue) == count)  # type: ignore[misc]
        return threads

    def test_the_others_run_under_another_leader(self) -> None:
        ran: list[Job[Any]] = []
        first, *others = [job() for _ in range(4)]
        threads: list[threading.Thread] = []

        def run_batch(batch: list[Job[Any]]) -> None:
            if batch == [first]:
                threads.extend(self.submit_all(group, others))
                raise KeyboardInterrupt
            ran.extend(batch)
            settle(batch)

        group = GroupCommit(run_batch, time.monotonic)
        with pytest.raises(KeyboardInterrupt):
            group.submit(first)
        for thread in threads:
            thread.join(60)
        assert ran == others
        assert not group._leader

    def test_jobs_of_an_interrupted_batch_that_are_not_finished_run_again(self) -> None:
        batches: list[list[Job[Any]]] = []
        first, second, third = job(), job(), job()
        threads: list[threading.Thread] = []

        def run_batch(batch: list[Job[Any]]) -> None:
            batches.append(list(batch))
            if len(batches) == 1:
                threads.extend(self.submit_all(group, [second, third]))
            elif len(batches) == 2:
                raise KeyboardInterrupt
            settle(batch)

        group = GroupCommit(run_batch, time.monotonic)
        previous, threading.excepthook = threading.excepthook, lambda _: None
        try:
            group.submit(first)
            for thread in threads:
                thread.join(60)
        finally:
            threading.excepthook = previous
        assert batches == [[first], [second, third], [third]]
        assert not group._leader

    @pytest.mark.parametrize("interrupt", [KeyboardInterrupt, AlarmError])
    def test_an_interrupt_at_any_moment_leaves_a_store_that_goes_on(
        self, tmp_path: Path, interrupt: type[BaseException]
    ) -> None:
        """Interrupt a write at the Nth moment, for N = 1, 2, … until one gets through untouched."""
        with clew.open(tmp_path / "store.db", durability="normal", busy_timeout=5) as store:
            session = store.create_session("one")
            for moment in itertools.count(1):
                before = store.get_session(session.id).revision
                if not interrupted(lambda: store.append(session.id, [{"n": 1}]), moment, interrupt):
                    break
                after = store.get_session(session.id).revision
                assert after - before in (0, 1)
                store.append(session.id, [{"n": 2}])
                assert store.get_session(session.id).revision == after + 1
            assert moment > 30
            assert store.list_checkpoints(session.id).total == store.get_session(session.id).revision

    def test_an_interrupted_leader_costs_those_who_wait_nothing(self, tmp_path: Path) -> None:
        with clew.open(tmp_path / "store.db", durability="normal", busy_timeout=30) as store:
            session = store.create_session("one")
            stop = threading.Event()
            written: list[int] = []

            def write() -> None:
                while not stop.is_set():
                    written.append(len(store.append(session.id, [{"n": 1}]).session_id.bytes))

            threads = [threading.Thread(target=write) for _ in range(3)]
            for thread in threads:
                thread.start()
            mine = 0
            for moment in [*range(1, 80)] * 3:
                mine += not interrupted(lambda: store.append(session.id, [{"n": 2}]), moment, KeyboardInterrupt)
            stop.set()
            for thread in threads:
                thread.join(60)
            messages = store.get_active_checkpoint(session.id).state.messages
            assert messages.count({"n": 1}) == len(written)
            assert messages.count({"n": 2}) >= mine


def interrupted(call: Callable[[], object], moment: int, interrupt: type[BaseException]) -> bool:
    """Raise at the `moment`th place in clew's writing where Python looks for signals; False where there are fewer.

    Those places are where a function begins, and after a call.
    """
    moments = itertools.count(1)

    def profile(frame: FrameType, event: str, _: object) -> None:
        written_here = frame.f_code.co_filename.endswith(("group_commit.py", "writer.py", "engine.py", "turnstile.py"))
        if written_here and event in ("call", "c_return") and next(moments) == moment:
            sys.setprofile(None)
            raise interrupt

    sys.setprofile(profile)
    try:
        call()
    except interrupt:
        return True
    finally:
        sys.setprofile(None)
    return False
