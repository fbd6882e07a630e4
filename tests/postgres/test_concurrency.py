"""Many machines on one database: nothing lost, nothing doubled, nobody stuck, whoever is there and whatever fails."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, suppress
from itertools import count
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from tests.sqlite.test_concurrency import run_together
from tests.support.postgres_line import Cut, Line, open_line
from tests.support.postgres_stores import open_postgres
from tests.support.postgres_urls import with_parameters

import clew
from clew import limits
from clew.postgres import PostgresBackend
from clew.postgres.guarded import Connection
from clew.postgres.pool import Pool
from clew.postgres.transaction import PostgresTransaction
from clew.postgres.watching import Notifier
from clew.relational.transaction import Transaction
from clew.testing.contract.together import together

TIME_LIMIT = 60.0
"""Seconds, after which something hangs."""

CUTS: tuple[Cut, ...] = ("before", "after", "killed")

WRITER = """
import sys, clew
url, name, number = sys.argv[1], sys.argv[2], int(sys.argv[3])
print("ready", flush=True)
sys.stdin.readline()
with clew.open(url, durability="normal", busy_timeout=60) as store:
    session = store.find_session("test", "shared")
    for n in range(number):
        store.append(session.id, [{"writer": name, "number": n}])
"""


@pytest.fixture
def hand(postgres_url: str) -> Iterator["psycopg.Connection[Any]"]:
    """A connection for what is done behind the store's back."""
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        yield connection


@pytest.fixture
def store(postgres_url: str) -> Iterator[clew.Store]:
    with machine(postgres_url, "one") as store:
        yield store


def machine(url: str, name: str, **options: Any) -> clew.Store:
    """A store that shares no connection, and nothing that it remembers, with those of other names."""
    return clew.open(
        with_parameters(url, application_name=name), **{"durability": "normal", "busy_timeout": 60, **options}
    )


def write(store: clew.Store, session_id: UUID, name: str, number: int) -> None:
    for n in range(number):
        store.append(session_id, [{"writer": name, "number": n}])


def check_line(store: clew.Store, session_id: UUID, names: list[str], number: int) -> None:
    """Every message of every writer is there once, each writer's in order, and nothing is found wrong."""
    messages = store.get_active_checkpoint(session_id).state.messages
    assert Counter(message["writer"] for message in messages) == dict.fromkeys(names, number)
    for name in names:
        assert [message["number"] for message in messages if message["writer"] == name] == list(range(number))
    assert store.get_session(session_id).revision == 1 + len(names) * number
    assert store.list_checkpoints(session_id).total == 1 + len(names) * number
    assert list(store.verify()) == []


class TestAppendersOfOneSessionNeverLoseEachOthersMessages:
    def test_threads_of_three_machines(self, postgres_url: str) -> None:
        with ExitStack() as stack:
            stores = [stack.enter_context(machine(postgres_url, f"m{number}")) for number in range(3)]
            session = stores[0].create_session("shared")
            names = [str(number) for number in range(9)]
            calls = [lambda n=n: write(stores[int(n) % 3], session.id, n, 8) for n in names]
            assert together(calls) == [None] * 9
            check_line(stores[0], session.id, names, 8)

    def test_two_processes(self, postgres_url: str, store: clew.Store) -> None:
        session = store.ensure_session("test", "shared")
        run_together(WRITER, [[postgres_url, str(name), "20"] for name in range(2)])
        check_line(store, session.id, ["0", "1"], 20)

    def test_who_remembers_the_session_sees_whatever_another_machine_has_done_to_it(
        self, postgres_url: str, store: clew.Store
    ) -> None:
        session = store.create_session("", messages=[{"n": 0}])
        root = store.get_active_checkpoint(session.id).id
        with machine(postgres_url, "two") as other:
            others: list[Callable[[], Any]] = [
                lambda: other.update_session(session.id, title="new"),
                lambda: other.set_active_checkpoint(session.id, root),
                lambda: other.set_label(root, "root"),
                lambda: other.attach(session.id, {"f": b"1"}, checkpoint_id=root),
                lambda: other.append(session.id, []),
                lambda: other.delete_checkpoints(session.id, other.get_active_checkpoint(session.id).id),
            ]
            for change in others:
                store.append(session.id, [{"n": 1}])
                store.append(session.id, [{"n": 1}])
                change()
                found = other.get_session(session.id)
                step = store.append(session.id, [{"n": 1}])
                assert found.active_checkpoint is not None
                assert step.parent_id == found.active_checkpoint.id
                assert other.get_session(session.id).revision == found.revision + 1
            assert list(store.verify()) == []

    def test_while_others_attach_fork_copy_label_delete_purge_and_compact(
        self, postgres_url: str, store: clew.Store, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """All in one family: whoever deletes has to keep away from what is being written. And nobody waits in a circle.

        A deadlock would be taken back and tried again, so nobody sees it who does not look.
        """
        errors = errors_of_server(monkeypatch)
        session = store.create_session("shared")
        aside = store.fork_session(session.id).id
        names = ["0", "1", "2"]
        with machine(postgres_url, "two") as other:
            calls: list[Callable[[], Any]] = [
                lambda: write(store, session.id, "0", 10),
                lambda: write(other, session.id, "1", 10),
                lambda: write(other, session.id, "2", 10),
                lambda: attach(store, aside),
                lambda: delete(other, aside),
                lambda: purge(store, session.id),
                lambda: [other.compact() for _ in range(3)],
            ]
            assert [outcome for outcome in together(calls) if isinstance(outcome, Exception)] == []
        assert [error for error in errors if isinstance(error, psycopg.errors.DeadlockDetected)] == []
        check_line(store, session.id, names, 10)


def attach(store: clew.Store, session_id: UUID) -> None:
    for number in range(6):
        store.attach(session_id, {str(number): bytes([number])}, label="later")
    assert len(store.list_waiting(session_id)["later"]) == 6


def delete(store: clew.Store, session_id: UUID) -> None:
    for number in range(6):
        step = store.append(session_id, [{"number": number}], metadata={"number": number})
        store.set_label(step.id, "point", move=True)
        store.delete_checkpoints(session_id, step.id)


def purge(store: clew.Store, session_id: UUID) -> None:
    for _ in range(4):
        store.purge_session(store.fork_session(session_id).id)
        store.purge_session(store.copy_session(session_id).id)


def errors_of_server(monkeypatch: pytest.MonkeyPatch) -> list[psycopg.Error]:
    """What statements will fail with, whatever becomes of the call."""
    seen: list[psycopg.Error] = []
    is_lost = Pool.is_lost

    def look(self: Pool, connection: Connection, error: psycopg.Error) -> bool:
        seen.append(error)
        return is_lost(self, connection, error)

    monkeypatch.setattr(Pool, "is_lost", look)
    return seen


def test_a_damaged_active_checkpoint_is_in_nobodys_way_who_writes_below_another(
    store: clew.Store, hand: "psycopg.Connection[Any]"
) -> None:
    """Neither where the session was read to write to it quickly."""
    session = store.create_session("", messages=[{"n": 0}])
    whole = store.get_active_checkpoint(session.id)
    damaged = store.append(session.id, [{"n": 1}])
    hand.execute("UPDATE clew_checkpoint SET created_at = created_at + 1 WHERE id = %s", (damaged.id,))
    store._backend._heads.forget(session.id)  # type: ignore[attr-defined]
    step = store.append(session.id, [{"n": 2}], parent_id=whole.id)
    assert step.parent_id == whole.id


# -- lost connections


@pytest.fixture
def line(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Line]:
    """A line to the database, by which nothing goes but what calls ask, over one connection."""
    monkeypatch.setattr(limits, "MAX_POOL", 1)
    monkeypatch.setattr(Notifier, "tell", lambda self: None)
    with open_line(postgres_url) as line:
        yield line


@pytest.fixture
def far(line: Line) -> Iterator[clew.Store]:
    """A store by that line."""
    with machine(line.url, "far") as store:
        yield store


def cut_each(line: Line, call: Callable[[int], Any], *, first: int = 0) -> Iterator[Any]:
    """Make a call again and again, the line cut at another of its requests each time, until it makes no more requests.

    Yields what came of each, an error or what was returned.
    """
    for number in count(1):
        line.cut_at(number, CUTS[(first + number) % 3])
        try:
            outcome = call(number)
        except clew.StorageError as error:
            outcome = error
        if line.is_to_be_cut:
            assert number > 1
            return
        yield outcome


class TestALostConnection:
    """Wherever it is lost, what is safe to repeat happens once, and of the rest nobody is told what nobody knows."""

    # Every request is cut in one of the ways, and those of the quick append in each.
    @pytest.mark.parametrize(("labelled", "first"), [(False, 0), (False, 1), (False, 2), (True, 0)])
    def test_a_checkpoint_is_written_once(self, labelled: bool, first: int, line: Line, far: clew.Store) -> None:
        session = far.create_session("", messages=[{"n": 0}])

        def append(n: int) -> clew.Checkpoint:
            return far.append(session.id, [{"n": n}], label=str(n) if labelled else None)

        for n, step in enumerate(cut_each(line, append, first=first), 1):
            assert isinstance(step, clew.Checkpoint), step
            assert far.get_active_checkpoint(session.id).id == step.id
            assert [message["n"] for message in step.state.messages] == list(range(n + 1))
            assert far.get_session(session.id).revision == 1 + n

    def test_a_change_that_cannot_be_repeated_is_made_or_nobody_knows(self, line: Line, far: clew.Store) -> None:
        session = far.create_session("")
        unknown = 0
        revision = session.revision
        changes = cut_each(line, lambda n: far.update_session(session.id, title=str(n)), first=1)
        for n, outcome in enumerate(changes, 1):
            found = far.get_session(session.id)
            if isinstance(outcome, clew.UnavailableError):
                assert "nobody knows" in str(outcome)
                unknown += 1
                assert found.revision - revision == (found.title == str(n))
            else:
                assert outcome == found
                assert found.revision == revision + 1
            revision = found.revision
        # While the server is told what is to be done to commit, and while it is done, and nowhere else.
        assert 1 <= unknown <= 2

    def test_a_call_repeated_with_its_id_is_recognised(self, line: Line, far: clew.Store) -> None:
        session, id = far.create_session(""), uuid4()
        for step in cut_each(line, lambda n: far.append(session.id, [{"n": 1}], id=id), first=2):
            assert isinstance(step, clew.Checkpoint), step
            assert far.get_session(session.id).revision == 2
        with pytest.raises(clew.ConflictError):
            far.append(session.id, [{"n": 2}], id=id)

    def test_connections_made_before_are_given_to_nobody(
        self, postgres_url: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """They lead to where the lost one did: one call pays for all of them."""
        errors = errors_of_server(monkeypatch)
        monkeypatch.setattr(Notifier, "tell", lambda self: None)
        with open_line(postgres_url) as first, open_line(postgres_url) as second:
            place = f"127.0.0.1:{first.port}"
            with machine(first.url.replace(place, f"{place},127.0.0.1:{second.port}"), "far") as far:
                session = far.create_session("")
                connect(backend_of(far), 3)
                first.break_down()
                assert far.append(session.id, []).session_id == session.id
                connect(backend_of(far), 3)
        assert len(errors) == 1

    def test_connections_to_a_server_that_is_away_are_not_kept(self, line: Line, far: clew.Store) -> None:
        """The pool has its one place free again, whatever happened to the connection that had it."""
        session = far.create_session("")
        for _ in cut_each(line, lambda n: far.get_session(session.id)):
            pass
        assert far.get_session(session.id) == session


COMMITTED: dict[str, Callable[[clew.Store, clew.Session], Any]] = {
    "create": lambda store, session: store.create_session("new"),
    "create with an id": lambda store, session: store.create_session("new", id=uuid4()),
    "ensure": lambda store, session: store.ensure_session("test", "1"),
    "fork": lambda store, session: store.fork_session(session.id),
    "copy": lambda store, session: store.copy_session(session.id),
    "append": lambda store, session: store.append(session.id, [], label="new"),
    "create checkpoint": lambda store, session: store.create_checkpoint(session.id, [], attachments={"a": b"1"}),
    "compact": lambda store, session: store.compact(),
}
UNKNOWN: dict[str, Callable[[clew.Store, clew.Session], Any]] = {
    "update": lambda store, session: store.update_session(session.id, title="new"),
    "label": lambda store, session: store.set_label(session.active_checkpoint.id, "new"),  # type: ignore[union-attr]
    "attach": lambda store, session: store.attach(session.id, {"new": b"1"}),
    "detach": lambda store, session: store.detach(session.id, ["kept"]),
    "delete checkpoints": lambda store, session: store.delete_checkpoints(session.id, session.active_checkpoint.id),  # type: ignore[union-attr]
    "delete": lambda store, session: store.delete_session(session.id),
    "purge": lambda store, session: store.purge_session(session.id),
}


class TestACommitThatNobodyHeardOf:
    @pytest.fixture
    def session(self, store: clew.Store) -> clew.Session:
        session = store.create_session("old")
        store.append(session.id, [{"n": 1}], attachments={"kept": b"0"})
        return store.get_session(session.id)

    @pytest.fixture
    def lost(self, monkeypatch: pytest.MonkeyPatch) -> list[str]:
        """The answer to the next commit is lost; then it is in here."""
        lost: list[str] = []
        execute = Connection.execute

        def commit(self: Connection, query: Any, *arguments: Any, **more: Any) -> Any:
            cursor = execute(self, query, *arguments, **more)
            if query == "COMMIT" and not lost:
                lost.append(str(cursor.statusmessage))
                self.close()
                raise psycopg.OperationalError("the line was cut")
            return cursor

        monkeypatch.setattr(Connection, "execute", commit)
        return lost

    @pytest.mark.parametrize("kind", COMMITTED)
    def test_is_found_where_the_call_has_an_id(
        self, kind: str, store: clew.Store, session: clew.Session, lost: list[str]
    ) -> None:
        sessions, steps = store.list_sessions().total, store.list_checkpoints(session.id).total
        assert sessions is not None
        assert steps is not None
        made = COMMITTED[kind](store, session)
        assert lost == ["COMMIT"]
        assert store.list_sessions().total == sessions + isinstance(made, clew.Session)
        assert store.list_checkpoints(session.id).total == steps + isinstance(made, clew.Checkpoint)

    @pytest.mark.parametrize("kind", UNKNOWN)
    def test_is_said_to_be_unknown_otherwise(
        self, kind: str, store: clew.Store, session: clew.Session, lost: list[str]
    ) -> None:
        with pytest.raises(clew.UnavailableError, match="nobody knows whether"):
            UNKNOWN[kind](store, session)
        assert lost == ["COMMIT"]


# -- waiting


class TestWaitingForOthers:
    """Whoever waits for others waits for as long as the store was told to, and then says so."""

    @pytest.fixture
    def hasty(self, postgres_url: str) -> Iterator[clew.Store]:
        with machine(postgres_url, "hasty", busy_timeout=0.3) as store:
            yield store

    def test_for_a_lock(self, store: clew.Store, hasty: clew.Store, hand: "psycopg.Connection[Any]") -> None:
        session = store.create_session("")
        hasty.append(session.id, [])
        hand.execute("BEGIN")
        hand.execute("SELECT 1 FROM clew_tip WHERE id = %s FOR UPDATE", (session.id,))
        calls: list[Callable[[], Any]] = [
            lambda: hasty.append(session.id, []),
            lambda: hasty.append(session.id, [], label="x"),
            lambda: hasty.update_session(session.id, title="x"),
            lambda: hasty.fork_session(session.id),
            lambda: hasty.purge_session(session.id),
        ]
        begun = time.monotonic()
        for outcome in together(calls):
            assert isinstance(outcome, clew.UnavailableError)
            assert "stayed locked or busy beyond the time limit" in str(outcome)
        assert 0.25 < time.monotonic() - begun < TIME_LIMIT
        assert hasty.get_session(session.id).revision == 2  # who reads waits for nobody
        hand.execute("ROLLBACK")
        assert hasty.append(session.id, []).session_id == session.id

    def test_a_statement_without_an_end(self, postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(limits, "STATEMENT_TIMEOUT", 0.2)
        with closing(open_postgres(with_parameters(postgres_url, application_name="brief"), busy_timeout=0.1)) as slow:
            for run in (slow._read, slow._write):
                with pytest.raises(clew.UnavailableError, match=r"busy beyond the time limit.*statement timeout"):
                    run(lambda db: execute(db, "SELECT pg_sleep(60)"))
            assert slow._read(lambda db: execute(db, "SELECT 1")) == (1,)

    def test_two_in_a_circle(self, store: clew.Store, monkeypatch: pytest.MonkeyPatch) -> None:
        """The server throws one out, and that one comes again."""
        errors = errors_of_server(monkeypatch)
        ids = [store.create_session("").id for _ in range(2)]
        barrier = threading.Barrier(2)
        backend = backend_of(store)

        def lock_both(first: UUID, second: UUID) -> str:
            tries = 0

            def lock(db: Transaction) -> str:
                nonlocal tries
                tries += 1
                db.lock_session(first)
                if tries == 1:
                    barrier.wait(60)
                db.lock_session(second)
                return "locked"

            return backend._write(lock)

        assert together([lambda: lock_both(*ids), lambda: lock_both(*reversed(ids))]) == ["locked"] * 2
        assert psycopg.errors.DeadlockDetected in {type(error) for error in errors}

    @pytest.mark.parametrize("state", ["40001", "40P01"])
    def test_a_write_that_others_came_before_is_tried_again(
        self, state: str, store: clew.Store, hasty: clew.Store
    ) -> None:
        session = store.create_session("")
        failed = 0

        def fail_thrice(db: Transaction) -> str:
            nonlocal failed
            failed += 1
            if failed <= 3:
                execute(db, f"DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '{state}'; END $$")
            db.lock_session(session.id)
            return "written"

        assert backend_of(store)._write(fail_thrice) == "written"
        assert failed == 4
        failed = -(10**6)
        begun = time.monotonic()
        with pytest.raises(clew.UnavailableError, match="other writers kept coming first within the time limit"):
            backend_of(hasty)._write(
                lambda db: execute(db, f"DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '{state}'; END $$")
            )
        assert time.monotonic() - begun < TIME_LIMIT


class TestAServerThatHasStopped:
    """As by SIGSTOP: the system takes connections for it, and nobody answers."""

    def test_every_call_ends_with_an_error_and_all_goes_on_when_it_does(
        self, postgres_url: str, store: clew.Store, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(Notifier, "tell", lambda self: None)
        session = store.create_session("")
        with open_line(postgres_url) as line, machine(line.url, "far", busy_timeout=0.2) as far:
            far.append(session.id, [{"n": 0}])
            connect(backend_of(far), 3)
            late = with_parameters(line.url, connect_timeout="2")
            calls: list[Callable[[], Any]] = [
                lambda: far.append(session.id, [{"n": 1}]),
                lambda: far.update_session(session.id, title="new"),
                lambda: far.get_session(session.id),
                lambda: clew.open(late, busy_timeout=0.2),
            ]
            line.hold()
            begun = time.monotonic()
            outcomes = together(calls)
            assert time.monotonic() - begun < TIME_LIMIT
            assert [type(outcome) for outcome in outcomes] == [clew.UnavailableError] * 4, outcomes
            line.let_go()
            wait_until(lambda: is_served(far, session.id))
            step = far.append(session.id, [{"n": 2}])
            # What was asked before may have happened or not, and not twice.
            assert [message["n"] for message in step.state.messages] in ([0, 2], [0, 1, 2])
            assert list(store.verify()) == []


def connect(backend: PostgresBackend, number: int) -> None:
    """Let the store have so many connections, which are of no use to anybody now."""
    barrier = threading.Barrier(number)

    def meet(_: Transaction) -> None:
        with suppress(threading.BrokenBarrierError):
            barrier.wait(60)

    # Whoever gets no connection in time comes again, as often as it takes for all to be there at once.
    def come() -> None:
        wait_until(lambda: not isinstance(outcome(lambda: backend._read(meet)), Exception))

    assert together([come] * number) == [None] * number


def outcome(call: Callable[[], Any]) -> Any:
    try:
        return call()
    except clew.UnavailableError as error:
        return error


def backend_of(store: clew.Store) -> PostgresBackend:
    backend = store._backend
    assert isinstance(backend, PostgresBackend)
    return backend


def execute(db: Transaction, sql: str) -> Any:
    assert isinstance(db, PostgresTransaction)
    cursor = db._cursor.execute(sql.encode())
    return cursor.fetchone() if cursor.description else None


def is_served(store: clew.Store, session_id: UUID) -> bool:
    return not isinstance(outcome(lambda: store.get_session(session_id)), Exception)


def wait_until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + TIME_LIMIT
    while not is_so():
        assert time.monotonic() < deadline
