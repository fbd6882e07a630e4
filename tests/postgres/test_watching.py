"""Watching a database: changes that are committed in another order than they began, notices, and lost connections."""

from collections.abc import Iterator

import psycopg
import pytest

import clew
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
