"""The schema is the sum of its migrations, each all or nothing, however many processes come at once."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from tests.sqlite.test_concurrency import run_together

import clew
from clew.postgres import migrations
from clew.postgres.addresses import parameters_of
from clew.postgres.connections import Settings, connect
from clew.relational.statements import Migration
from clew.testing.contract.together import together

if TYPE_CHECKING:
    from tests.support.postgres_server import PostgresServer

LATEST = len(migrations.known_migrations())

OPENER = """
import sys, clew
from clew.testing.contract.together import together
url, name = sys.argv[1:]

def open_and_write():
    with clew.open(url, durability="normal", busy_timeout=60) as store:
        store.create_session(name)

print("ready", flush=True)
sys.stdin.readline()
outcomes = together([open_and_write] * 4)
assert outcomes == [None] * 4, outcomes
"""

SCHEMA = """
    SELECT c.relname, c.relkind, row_number() OVER (PARTITION BY c.oid ORDER BY a.attnum), a.attname,
        format_type(a.atttypid, a.atttypmod), a.attnotnull,
        pg_get_indexdef(c.oid), CASE c.relkind WHEN 'v' THEN pg_get_viewdef(c.oid) END
    FROM pg_class AS c LEFT JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    WHERE c.relnamespace = 'public'::regnamespace
    UNION ALL
    SELECT conname, 'k', 0, pg_get_constraintdef(oid), NULL, NULL, NULL, NULL FROM pg_constraint
    WHERE connamespace = 'public'::regnamespace
    UNION ALL
    SELECT proname, 'f', 0, prosrc, NULL, NULL, NULL, NULL FROM pg_proc WHERE pronamespace = 'public'::regnamespace
    ORDER BY 1, 2, 3, 4
"""


@pytest.fixture(scope="module")
def database(postgres_server: "PostgresServer") -> Iterator[str]:
    """A database for this module's tests alone: they take tables away."""
    url = postgres_server.create_database()
    yield url
    postgres_server.drop_database(url)


@pytest.fixture
def hand(database: str) -> Iterator["psycopg.Connection[Any]"]:
    """A connection for what is done behind the store's back."""
    with psycopg.connect(database, autocommit=True) as connection:
        yield connection


@pytest.fixture
def bare(database: str, hand: "psycopg.Connection[Any]") -> str:
    """A database with nothing in it."""
    hand.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    return database


@pytest.fixture
def current(database: str) -> str:
    """A database with the newest schema and no sessions."""
    with clew.migrations(database) as schema:
        schema.up()
    with clew.open(database, durability="normal") as store:
        for session in store.list_sessions():
            store.purge_session(session.id)
    return database


def schema_of(hand: "psycopg.Connection[Any]") -> list[Any]:
    return hand.execute(SCHEMA.encode()).fetchall()


def test_of_many_processes_that_open_an_empty_database_one_makes_the_tables_and_none_fails(
    bare: str, hand: "psycopg.Connection[Any]"
) -> None:
    run_together(OPENER, [[bare, str(number)] for number in range(2)])
    with clew.open(bare, durability="normal") as store:
        assert sorted(session.title for session in store.list_sessions()) == sorted("01" * 4)
        assert list(store.verify()) == []
    assert hand.execute("SELECT version FROM clew_migration ORDER BY version").fetchall() == [
        (version,) for version in range(1, LATEST + 1)
    ]


def test_who_has_waited_for_another_to_migrate_finds_it_done(bare: str, hand: "psycopg.Connection[Any]") -> None:
    """Though it was told before it waited that there is nothing."""
    waiting = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'advisory'"
    with (
        psycopg.connect(bare) as maker,
        ThreadPoolExecutor() as threads,
        closing(connect(parameters_of(bare), Settings("normal", 60, read_only=False))) as connection,
    ):
        assert migrations.status(connection).applied == []
        maker.execute(migrations._LOCK.encode())
        applied = threads.submit(migrations.apply_pending, connection)
        deadline = time.monotonic() + 60
        while not hand.execute(waiting.encode()).fetchall():
            assert time.monotonic() < deadline
        # No more than the ledger: so few changes are not told to those who wait by themselves.
        maker.execute(migrations._LEDGER.encode())
        for version in range(1, LATEST + 1):
            maker.execute("INSERT INTO clew_migration VALUES (%s, 'made')", (version,))
        maker.commit()
        assert applied.result() == []


def test_of_many_who_migrate_at_once_each_version_is_applied_by_one(bare: str) -> None:
    def migrate() -> list[int]:
        with clew.migrations(bare, busy_timeout=60) as schema:
            return schema.up()

    done = together([migrate] * 6)
    assert sorted(version for versions in done for version in versions) == list(range(1, LATEST + 1))


def test_a_rollback_that_would_discard_owners_or_keys_is_refused_unless_told_to(current: str) -> None:
    with clew.open(current, durability="normal") as store:
        store.create_session("owned", owner="Ada")
        store.create_key("Ada", "read")
    with clew.migrations(current) as schema:
        with pytest.raises(clew.InvalidRequestError, match="discard 2 owners of sessions and API keys"):
            schema.rollback(to=2)
        assert schema.rollback(to=2, discard=True) == [3]


def test_sessions_that_lose_their_owners_are_whole_and_the_oldest_keeps_the_name(
    current: str, hand: "psycopg.Connection[Any]"
) -> None:
    with clew.open(current, durability="normal") as store:
        ids = [
            store.create_session(
                f"of {owner}", messages=[{"n": 1}], source="tool", source_id="1", owner=owner, session_metadata={"k": 1}
            ).id
            for owner in ("Ada", None, "Bob")
        ]
        other = store.create_session("other", source="tool", source_id="2", owner="Bob").id
        hurt = store.create_session("hurt", owner="Bob").id
    hand.execute("UPDATE clew_session SET cwd = '/changed' WHERE title = 'hurt'")
    with clew.migrations(current) as schema:
        schema.rollback(to=2, discard=True)
        schema.up()
    with clew.open(current, durability="normal") as store:
        assert [(store.get_session(id).source_id, store.get_session(id).owner) for id in ids] == [
            ("1", None), (None, None), (None, None),
        ]  # fmt: skip
        assert store.find_session("tool", "2").id == other
        assert {finding.session_id for finding in store.verify()} == {hurt}


def test_sessions_of_the_schema_before_belong_to_nobody_and_can_be_given_away(current: str) -> None:
    with clew.open(current, durability="normal") as store:
        session = store.create_session("old", source="tool", source_id="1")
    with clew.migrations(current) as schema:
        schema.rollback(to=2)
        schema.up()
    with clew.open(current, durability="normal") as store:
        assert store.find_session("tool", "1").id == session.id
        assert store.update_session(session.id, owner="Ada").owner == "Ada"
        assert store.ensure_session("tool", "1").id != session.id
        assert list(store.verify()) == []


def test_versions_have_no_gap_and_every_one_can_be_undone() -> None:
    known = migrations.known_migrations()
    assert [migration.version for migration in known] == list(range(1, LATEST + 1))
    assert all(migration.down.strip() for migration in known)


def test_rolling_back_one_by_one_and_up_again_gives_the_same_schema(
    current: str, hand: "psycopg.Connection[Any]"
) -> None:
    before = schema_of(hand)
    with clew.migrations(current) as schema:
        assert schema.status().applied == list(range(1, LATEST + 1))
        assert schema.status().pending == []
        for version in range(LATEST, 0, -1):
            assert schema.rollback() == [version]
            assert schema.status().current == version - 1
        assert schema.rollback() == []
        assert [name for name, *_ in schema_of(hand) if name.startswith("clew")] == [
            name for name, *_ in before if name.startswith("clew_migration")
        ]
        assert schema.up() == list(range(1, LATEST + 1))
        assert schema.up() == []
    assert schema_of(hand) == before


def test_a_rollback_that_would_discard_sessions_is_refused_unless_told_to(current: str) -> None:
    """A store that was open through it all goes on: its connections know tables that are gone, its memory sessions."""
    with clew.open(current, durability="normal", busy_timeout=1) as store, clew.migrations(current) as schema:
        session = store.create_session("kept")
        with pytest.raises(clew.InvalidRequestError, match="discard 1 sessions"):
            schema.rollback(to=0)
        assert schema.status().current == 1
        assert store.append(session.id, []).session_id == session.id
        assert schema.rollback(to=0, discard=True) == [1]
        with pytest.raises(clew.UnavailableError, match="does not exist"):
            store.append(session.id, [])
        schema.up()
        with pytest.raises(clew.NotFoundError):
            store.append(session.id, [])
        assert store.append(store.create_session("new").id, []).parent_id is not None
        assert list(store.verify()) == []


def test_a_database_of_a_newer_clew_is_refused(current: str, hand: "psycopg.Connection[Any]") -> None:
    hand.execute("INSERT INTO clew_migration (version, name) VALUES (999, 'later')")
    try:
        for read_only in (False, True):
            with pytest.raises(clew.UnavailableError, match=r"version 999.*upgrade clew"):
                clew.open(current, read_only=read_only)
        with pytest.raises(clew.UnavailableError, match=r"version 999.*upgrade clew"):
            clew.migrations(current)
    finally:
        hand.execute("DELETE FROM clew_migration WHERE version = 999")


def test_a_database_without_tables_cannot_be_opened_read_only(bare: str, hand: "psycopg.Connection[Any]") -> None:
    with pytest.raises(clew.UnavailableError, match="there is no store in the database"):
        clew.open(bare, read_only=True)
    assert schema_of(hand) == []


@pytest.mark.parametrize(
    ("last", "expected"),
    [
        ("SELECT 1 FROM clew_nothing", clew.UnavailableError),
        ("SELECT pg_terminate_backend(pg_backend_pid())", clew.UnavailableError),
    ],
)
def test_an_interrupted_migration_leaves_nothing_half(
    last: str,
    expected: type[Exception],
    current: str,
    hand: "psycopg.Connection[Any]",
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before, known = schema_of(hand), migrations.known_migrations()
    up = f"CREATE TABLE clew_half (n int); ALTER TABLE clew_tip ADD COLUMN half int; {last}"
    half = Migration(LATEST + 1, "half", up, f"DROP VIEW clew_messages; {last}")
    monkeypatch.setattr(migrations, "known_migrations", lambda: (*known, half))
    with pytest.raises(expected):
        clew.open(current)
    assert schema_of(hand) == before
    with clew.migrations(current) as schema:
        assert schema.status().pending == [LATEST + 1]
    hand.execute("INSERT INTO clew_migration (version, name) VALUES (%s, 'half')", (LATEST + 1,))
    with clew.migrations(current) as schema:
        with pytest.raises(expected):
            schema.rollback()
        assert schema.status().current == LATEST + 1
    hand.execute("DELETE FROM clew_migration WHERE version = %s", (LATEST + 1,))
    assert schema_of(hand) == before


def test_a_migration_that_cannot_be_noted_down_is_taken_back(
    current: str, hand: "psycopg.Connection[Any]", monkeypatch: pytest.MonkeyPatch
) -> None:
    before, known = schema_of(hand), migrations.known_migrations()
    up = "CREATE TABLE clew_half (n int); ALTER TABLE clew_migration ADD CHECK (version < 0) NOT VALID"
    half = Migration(LATEST + 1, "half", up, "")
    monkeypatch.setattr(migrations, "known_migrations", lambda: (*known, half))
    with pytest.raises(clew.InternalError, match="violates check constraint"):
        clew.open(current)
    assert schema_of(hand) == before


def test_whoever_cannot_get_in_to_migrate_is_told_within_the_time_limit(
    bare: str, hand: "psycopg.Connection[Any]"
) -> None:
    hand.execute("BEGIN")
    hand.execute(migrations._LOCK.encode())
    with pytest.raises(clew.UnavailableError, match="locked or busy beyond the time limit"):
        clew.open(bare, busy_timeout=0.2)
    hand.execute("ROLLBACK")
