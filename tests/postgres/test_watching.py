"""Watching a database: changes that are committed in another order than they began, notices, and lost connections."""

import threading
from collections.abc import Iterator
from contextlib import closing

import psycopg
import pytest

import clew
from clew import limits
from clew.postgres import addresses, connections
from clew.postgres.connections import Settings
from clew.postgres.guarded import Connection
from clew.postgres.watching import PostgresWatcher
from clew.testing.contract.together import together

RESTORED = 10**12
"""How far ahead the numbers of another cluster's changes may be."""


@pytest.fixture
def store(postgres_url: str) -> Iterator[clew.Store]:
    with clew.open(postgres_url, durability="normal") as store:
        yield store


@pytest.fixture
def hand(postgres_url: str) -> Iterator[psycopg.Connection]:
    """A connection for what is done behind the store's back."""
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        yield connection


def told(store: clew.Store, after: int) -> list[clew.Change]:
    return list(store.watch(after=after, idle_timeout=0))


def change_slowly(hand: psycopg.Connection, session: clew.Session) -> None:
    """A change by somebody who takes his time to commit it."""
    hand.execute("BEGIN")
    hand.execute(
        "UPDATE clew_tip SET changed = origin + pg_current_xact_id()::text::bigint FROM clew_change_origin"
        " WHERE id = %s",
        (session.id,),
    )


def test_a_change_that_is_committed_late_is_not_missed(store: clew.Store, hand: psycopg.Connection) -> None:
    slow, quick = store.create_session("slow"), store.create_session("quick")
    number = store.last_change()
    change_slowly(hand, slow)
    store.append(quick.id, [])
    seen = told(store, number)
    assert [change.session_id for change in seen] == [quick.id]
    hand.execute("COMMIT")
    assert slow.id in {change.session_id for change in told(store, seen[-1].sequence)}


def test_a_watch_tells_a_change_once_though_it_is_not_decided_for_long(
    store: clew.Store, hand: psycopg.Connection
) -> None:
    slow, quick = store.create_session("slow"), store.create_session("quick")
    change_slowly(hand, slow)
    watch = store.watch(after=store.last_change())
    for _ in range(3):
        step = store.append(quick.id, [])
        assert next(watch).active_checkpoint_id == step.id
    hand.execute("COMMIT")
    assert next(watch).session_id == slow.id
    store.purge_session(quick.id)
    assert next(watch).is_purge


def test_the_number_to_go_on_from_never_goes_back(store: clew.Store, hand: psycopg.Connection) -> None:
    session, slow = store.create_session(""), store.create_session("slow")
    watch, seen = store.watch(after=0), []
    for round_ in range(4):
        change_slowly(hand, slow)
        store.append(session.id, [{"n": round_}])
        seen.append(next(watch).sequence)
        hand.execute("COMMIT")
    assert seen == sorted(seen)


def test_a_number_to_go_on_from_is_that_of_a_change_that_is_there(store: clew.Store, hand: psycopg.Connection) -> None:
    """A crash may give the numbers of transactions that came to nothing out again."""
    store.create_session("")
    for _ in range(5):
        hand.execute("BEGIN")
        hand.execute("SELECT pg_current_xact_id()")
        hand.execute("ROLLBACK")
    (number,) = hand.execute("SELECT max(changed) FROM clew_tip").fetchone() or ()
    assert store.last_change() == number
    assert told(store, 0)[-1].sequence == number


def test_a_watch_goes_on_from_a_number_whose_session_has_changed_again(
    store: clew.Store, hand: psycopg.Connection
) -> None:
    session, slow = store.create_session(""), store.create_session("slow")
    store.append(session.id, [])
    number = store.last_change()
    change_slowly(hand, slow)
    store.append(session.id, [])
    assert store.last_change() < number
    assert [change.session_id for change in told(store, number)] == [session.id]
    hand.execute("COMMIT")


def test_of_many_changes_beside_a_slow_one_some_are_told_later_and_none_is_missed(
    store: clew.Store, hand: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "WATCH_PAGE", 2)
    slow = store.create_session("slow")
    number = store.last_change()
    change_slowly(hand, slow)
    others = [store.create_session("").id for _ in range(4)]
    seen = told(store, number)
    assert len(seen) == limits.WATCH_PAGE
    hand.execute("COMMIT")
    later = {change.session_id for change in told(store, seen[-1].sequence)}
    assert {change.session_id for change in seen} | later == {slow.id, *others}


def test_writers_send_a_notice_where_somebody_waits(store: clew.Store, postgres_url: str) -> None:
    session = store.create_session("")
    with psycopg.connect(postgres_url, autocommit=True) as listener:
        listener.execute("SELECT pg_advisory_lock_shared(hashtextextended(current_schema() || '.clew_watch', 0))")
        channel = listener.execute("SELECT 'clew_' || md5(current_schema())").fetchone()
        assert channel is not None
        listener.execute(f"LISTEN {channel[0]}")
        store.append(session.id, [])
        assert [notice.channel for notice in listener.notifies(timeout=60, stop_after=1)] == [channel[0]]


def test_a_watch_outlives_its_connection(store: clew.Store, hand: psycopg.Connection) -> None:
    session = store.create_session("")
    watch = store.watch(after=store.last_change())
    store.append(session.id, [])
    next(watch)
    killed = hand.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND mode = 'ShareLock' AND granted"
        " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    ).fetchall()
    assert killed
    step = store.append(session.id, [])
    assert next(watch).active_checkpoint_id == step.id
    first, _ = together([lambda: next(watch), lambda: store.update_session(session.id, title="new")])
    assert first.session_id == session.id


def test_a_watcher_outlives_a_server_that_is_away_for_a_moment(postgres_url: str) -> None:
    made: list[Connection] = []
    is_away = threading.Event()

    def connect() -> Connection:
        if is_away.is_set():
            raise clew.UnavailableError("the server is away")
        made.append(connections.connect(addresses.parameters_of(postgres_url), Settings("normal", 5, False)))
        return made[-1]

    with closing(PostgresWatcher(connect, lambda: None)) as watcher:
        made[0].close()
        is_away.set()
        for _ in range(2):  # learns that it is lost, and finds nobody
            watcher.wait(0)
        is_away.clear()
        watcher.wait(0)
        assert len(made) == 2
        with clew.open(postgres_url, durability="normal") as store:
            heard = threading.Thread(target=watcher.wait, args=(60,))
            heard.start()
            store.create_session("")
        heard.join(60)
        assert not heard.is_alive()


def test_numbers_go_on_from_those_of_the_cluster_that_a_dump_came_from(
    store: clew.Store, hand: psycopg.Connection, postgres_url: str
) -> None:
    session = store.create_session("restored")
    hand.execute("UPDATE clew_tip SET changed = changed + %s", (RESTORED,))
    try:
        with clew.open(postgres_url) as again:
            number = again.last_change()
            assert number >= RESTORED
            assert list(again.verify()) == []
            again.append(session.id, [])
            (change,) = told(again, number)
            assert change.sequence > number
    finally:
        hand.execute("UPDATE clew_change_origin SET origin = 0")
