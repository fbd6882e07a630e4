"""A primary that is killed under load, a standby that takes its place, and writers who go on by themselves.

Every acknowledged write has to be there afterwards, once.
"""

import os
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from secrets import token_hex

import msgspec
import psycopg
from tests.faults.failover_writer import SHARED, Acknowledged, Orders, id_of, messages_of, session_of
from tests.faults.wholeness import EVERYTHING
from tests.faults.writing_process import WritingProcess
from tests.support.postgres_programs import USER, Place, Server, free_port

import clew

PROCESSES = 2
ACTORS = 3
_TIME_LIMIT = 90
_DATABASE = "agents"
_SETTINGS = {"fsync": "on", "max_locks_per_transaction": "512", "synchronous_commit": "on"}


class Outcome(msgspec.Struct, frozen=True):
    """What a failover was like for those who wrote, in seconds from the kill.

    They are until the standby took writes, until the first write was acknowledged, and until every writer had one.
    """

    acknowledged: int
    failures: int
    promoted: float
    service_back: float
    all_served: float

    def __str__(self) -> str:
        return (
            f"{self.acknowledged:,} acknowledged writes, all there, none twice; {self.failures:,} errors; "
            f"{self.service_back:.2f} s without service, {self.all_served:.2f} s for the last of the writers; "
            f"the standby took writes after {self.promoted:.2f} s"
        )


class Pair:
    """A primary, and a standby without whose word it acknowledges no write."""

    def __init__(self, place: Place) -> None:
        password = token_hex(16)
        self._primary = Server(place, "primary", port=free_port(), password=password)
        self._standby = Server(place, "standby", port=free_port(), password=password)
        # libpq tries the two in this order, and stays with the first that takes writes.
        self.url = (
            f"postgresql://{USER}:{password}@/{_DATABASE}?host=127.0.0.1,127.0.0.1"
            f"&port={self._primary.port},{self._standby.port}&target_session_attrs=read-write"
        )
        self._primary.initialize(_SETTINGS)
        self._primary.start()
        self._standby.follow(self._primary)
        self._standby.start()
        self._wait_for_each_other()

    def fail_over(self) -> tuple[float, float]:
        """Kill the primary and promote the standby; the times at which each was done."""
        killed = self._kill_primary()
        self._standby.promote()
        promoted = time.monotonic()
        with psycopg.connect(self._standby.url) as standby:
            assert standby.execute("SHOW synchronous_standby_names").fetchone() == ("",)
        return killed, promoted

    def _wait_for_each_other(self) -> None:
        """From here on the primary waits for the standby. Set after the copy, it does not bind who comes after it."""
        with psycopg.connect(self._primary.url, autocommit=True) as primary:
            primary.execute("ALTER SYSTEM SET synchronous_standby_names = '*'")
            primary.execute("SELECT pg_reload_conf()")
            _until(lambda: ("sync",) in primary.execute("SELECT sync_state FROM pg_stat_replication").fetchall())
            primary.execute(f"CREATE DATABASE {_DATABASE}")

    def _kill_primary(self) -> float:
        """Kill all its processes, none of which can do anything about it."""
        with closing(psycopg.connect(self._primary.url, autocommit=True)) as primary:
            first = self._primary.pid
            os.kill(first, signal.SIGSTOP)  # so that none is added to those that are found
            others = [pid for (pid,) in primary.execute("SELECT pid FROM pg_stat_activity").fetchall()]
            killed = time.monotonic()
            for pid in (first, *others):
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        with suppress(psycopg.OperationalError), psycopg.connect(self._primary.url):
            raise AssertionError("the primary lives")
        return killed


class Writer(WritingProcess[Acknowledged]):
    """A process that writes to a pair of servers."""

    def __init__(self, orders: Orders) -> None:
        super().__init__("failover_writer", orders, Acknowledged)

    def has_written(self, count: int, since: float) -> bool:
        """Whether each actor has begun and ended so many appends since then; AssertionError where the process ended."""
        self.check_writing()
        told = [one.actor for one in self.acknowledged if one.began > since]
        return all(told.count(actor) >= count for actor in self.actors)


def fail_over_under_load(before: int, after: int) -> Outcome:
    """Kill the primary once each actor has made so many appends, and let each make some more afterwards.

    AssertionError where an acknowledged one is not there or is there twice, where a writer gets an error that does not
    say to try again, or where writing does not go on.
    """
    with closing(Place()) as place:
        pair = Pair(place)
        with clew.open(pair.url) as store:
            store.create_session(SHARED, id=id_of(SHARED))
        with _writing(pair.url) as writers:
            _until(lambda: all(writer.has_written(before, since=0) for writer in writers))
            killed, promoted = pair.fail_over()
            _until(lambda: all(writer.has_written(after, since=killed) for writer in writers))
            for writer in writers:
                writer.end()
        told = [one for writer in writers for one in writer.acknowledged]
        with clew.open(pair.url) as store:
            check(store, told)
    return _outcome(told, killed, promoted)


def check(store: clew.Store, told: Sequence[Acknowledged]) -> None:
    """The store holds each acknowledged append once, in the order of its actor, and nothing else."""
    of: dict[str, list[Acknowledged]] = {}
    for one in told:
        of.setdefault(session_of(one.actor, one.number), []).append(one)
    for session, appends in of.items():
        _check_session(store, session, appends)
    assert store.list_sessions(limit=0).total == len({one.actor for one in told} | {SHARED})
    assert [finding.message for finding in store.verify()] == []


def _check_session(store: clew.Store, name: str, appends: Sequence[Acknowledged]) -> None:
    by_id = {id_of(one.actor, one.number): one for one in appends}
    root, *points = store.list_checkpoints(id_of(name), limit=EVERYTHING).items
    found = [point.id for point in points]
    assert set(found) == by_id.keys(), (
        f"{name}: {len(by_id.keys() - set(found))} acknowledged are lost, {len(set(found) - by_id.keys())} unknown"
    )
    in_order = [by_id[id] for id in found]
    for actor in {one.actor for one in appends}:
        numbers = [one.number for one in in_order if one.actor == actor]
        assert numbers == sorted(set(numbers)), f"{name}: not in the order of {actor}"
    assert [point.parent_id for point in points] == [root.id, *found[:-1]]
    for one, point in zip(in_order, points, strict=True):
        assert store.get_messages(point.id, start=-2) == messages_of(one.actor, one.number)
    said = [message for one in in_order for message in messages_of(one.actor, one.number)]
    assert store.get_active_checkpoint(id_of(name)).state.messages == said


@contextmanager
def _writing(url: str) -> Iterator[list[Writer]]:
    with ExitStack() as stack:
        yield [
            stack.enter_context(closing(Writer(Orders(url, [f"{number}-{thread}" for thread in range(ACTORS)]))))
            for number in range(PROCESSES)
        ]


def _outcome(told: Sequence[Acknowledged], killed: float, promoted: float) -> Outcome:
    # What neither began after the kill nor failed may have been acknowledged by the primary and heard late.
    served = [one for one in told if one.began > killed or one.failures]
    first = {actor: min(one.ended for one in served if one.actor == actor) for actor in {one.actor for one in served}}
    return Outcome(
        acknowledged=len(told),
        failures=sum(one.failures for one in told),
        promoted=promoted - killed,
        service_back=min(first.values()) - killed,
        all_served=max(first.values()) - killed,
    )


def _until(holds: Callable[[], bool]) -> None:
    """Wait for something to become so."""
    end = time.monotonic() + _TIME_LIMIT
    while not holds():
        assert time.monotonic() < end, "it did not become so in time"
        time.sleep(0.02)
