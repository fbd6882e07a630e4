"""`verify` finds what PostgreSQL keeps no watch over: rows that lead nowhere, and what filters and counters go by."""

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from tests.support.postgres_stores import open_store

import clew
from clew import limits
from clew.postgres import PostgresBackend, integrity
from clew.postgres.transaction import PostgresTransaction
from clew.relational.transaction import Transaction
from clew.testing import Clock

FAMILY = "(SELECT min(family) FROM clew_session)"
NOBODY = 999_999

DAMAGE: dict[str, tuple[str, str, str]] = {
    "a lost session": ("DELETE FROM clew_session WHERE title = 'other'", "reference", "1 sessions are listed"),
    "a session that is not listed": ("DELETE FROM clew_tip WHERE revision = 1", "session", "does not match its seal"),
    "another id in the list": ("UPDATE clew_tip SET id = gen_random_uuid() WHERE active = 3", "reference", "another"),
    "another owner in the list": ("UPDATE clew_tip SET owner = 'Bob' WHERE active = 3", "session", "by its owner"),
    "an owner lost from the list": ("UPDATE clew_tip SET owner = NULL WHERE active = 3", "session", "by its owner"),
    "a key of another role": ("UPDATE clew_api_key SET role = 'admin'", "key", "does not match its seal"),
    "a checkpoint of nobody": (f"UPDATE clew_checkpoint SET session = {NOBODY} WHERE seq = 3", "reference", "a check"),
    "messages of nothing": (f"UPDATE clew_entry SET timeline = {NOBODY} WHERE position = 1", "reference", "a message"),
    "an attachment of nobody": (f"UPDATE clew_attachment SET session = {NOBODY}", "reference", "an attachment belongs"),
    "what waits in no session": (f"UPDATE clew_waiting_attachment SET session = {NOBODY}", "reference", "waits"),
    "a piece of nothing": (f"INSERT INTO clew_chunk VALUES ({FAMILY}, '\\x00', 0, '\\x00')", "reference", "a piece"),
    "a label twice": ("UPDATE clew_checkpoint SET label = 'a' WHERE label = 'b'", "checkpoint", "the same label"),
    "an id twice": (
        "UPDATE clew_checkpoint SET id = (SELECT id FROM clew_checkpoint WHERE label = 'a') WHERE label = 'other'",
        "checkpoint", "the same id",
    ),
    "a lost counter": (
        "DELETE FROM clew_session_count WHERE status = 'DELETED' AND slot = 3", "session_count", "counted as DELETED",
    ),
    "metadata of a checkpoint that filters do not see": (
        """UPDATE clew_content SET object = NULL WHERE object = '{"k": 1}'""", "metadata", "checkpoint",
    ),
    "metadata of a session that filters see as other": (
        """UPDATE clew_content SET object = '{"s": true}' WHERE object = '{"s": 1}'""", "metadata", "session",
    ),
    "a message that filters see as metadata": (
        "UPDATE clew_content SET object = '{}' WHERE position('\\x75736572'::bytea IN body) > 0",
        "metadata", "content",
    ),
    "checkpoints of a family that is not there": (
        f"INSERT INTO clew_checkpoint VALUES"
        f" ({NOBODY}, 1, 1, gen_random_uuid(), NULL, NULL, 0, '', NULL, NULL, 0, NULL, NULL, 0, 0)",
        "reference", f"family {NOBODY}: a checkpoint",
    ),
    "timelines of a family that is not there": (
        f"INSERT INTO clew_timeline VALUES ({NOBODY}, 1, NULL, NULL, 0, 0)", "family", f"family {NOBODY} has content",
    ),
    "messages of a family that is not there": (
        f"INSERT INTO clew_entry VALUES ({NOBODY}, 1, 0, 0, '\\x00')", "reference", f"family {NOBODY}: a message",
    ),
    "content of a family that is not there": (
        f"INSERT INTO clew_content VALUES ({NOBODY}, '\\x00', '', NULL)", "family", f"family {NOBODY} has content",
    ),
    "attachments of a family that is not there": (
        f"INSERT INTO clew_attachment VALUES ({NOBODY}, 1, 1, '', NULL, 0, NULL, '\\x00', 0)",
        "reference", f"family {NOBODY}: an attachment",
    ),
    "attachments that wait in a family that is not there": (
        f"INSERT INTO clew_waiting_attachment VALUES ({NOBODY}, 1, '', '', NULL, 0, NULL, '\\x00', 0)",
        "reference", f"family {NOBODY}: an attachment waits",
    ),
    "a former directory of a session that is not there": (
        "INSERT INTO clew_former_directory VALUES (0, '/a', 0)", "reference", "1 former directories belong to sessions",
    ),
    "pieces of a family that is not there": (
        f"INSERT INTO clew_chunk VALUES ({NOBODY}, '\\x00', 0, '\\x00')", "reference", f"family {NOBODY}: a piece",
    ),
}  # fmt: skip
"""By what it is: how it is done, and the kind and words of the finding."""


@pytest.fixture
def store(postgres_url: str) -> Iterator[clew.Store]:
    with open_store(postgres_url, Clock()) as store:
        origin = store.create_session("origin", messages=[{"user": 1}], metadata={"k": 1}, session_metadata={"s": 1})
        store.append(origin.id, [{"user": 2}], label="a", attachments={"f": b"1"})
        store.append(origin.id, [], label="b", metadata=[{"k": 1}])
        store.attach(origin.id, {"w": b"waits"}, label="later")
        store.update_session(origin.id, owner="Ada")
        store.create_key("Ada", "read")
        store.fork_session(origin.id)
        other = store.create_session("other")
        store.append(other.id, [], label="other")
        yield store


@pytest.fixture
def hand(postgres_url: str) -> Iterator[psycopg.Connection]:
    """A connection for what is done behind the store's back."""
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        yield connection


def test_nothing_is_found_where_nothing_is_damaged(store: clew.Store) -> None:
    assert list(store.verify()) == []


@pytest.mark.parametrize("name", DAMAGE)
def test_damage_is_found_and_named(store: clew.Store, hand: psycopg.Connection, name: str) -> None:
    sql, kind, words = DAMAGE[name]
    assert hand.execute(sql.encode()).rowcount >= 1
    found = list(store.verify())
    assert [item for item in found if item.kind == kind and words in item.message], found


def test_a_session_that_is_not_listed_is_damaged_and_can_be_purged(store: clew.Store, hand: psycopg.Connection) -> None:
    (fork, *_) = store.list_sessions(search="origin")
    hand.execute("DELETE FROM clew_tip WHERE id = %s", (fork.id,))
    for call in (store.get_session, store.delete_session, lambda id: store.append(id, [])):
        with pytest.raises(clew.CorruptStateError, match=str(fork.id)):
            call(fork.id)
    with pytest.raises(clew.CorruptStateError, match=str(fork.id)):
        store.list_checkpoints(fork.id, active=True)
    store.purge_session(fork.id)
    with pytest.raises(clew.NotFoundError):
        store.get_session(fork.id)
    assert list(store.verify()) == []


def test_a_session_that_is_not_listed_is_shown_as_damaged_by_its_name(
    store: clew.Store, hand: psycopg.Connection
) -> None:
    made = [store.create_session(owner, owner=owner, source="tool", source_id="1").id for owner in "abc"]
    name: dict[str, Any] = {"source": "tool", "source_id": "1"}
    hand.execute("DELETE FROM clew_tip WHERE id = ANY(%s)", (made[1:],))
    for status in (None, "ACTIVE", "DELETED"):
        lost = store.list_sessions(status=status, **name).items[-2:]
        assert [(item.id, item.damage is None) for item in lost] == [(id, False) for id in sorted(made[1:])[::-1]]
    pages = [store.list_sessions(limit=1, offset=number, count=True, **name) for number in range(3)]
    assert [page.total for page in pages] == [3, 3, 3]
    assert [item.id for page in pages for item in page] == [made[0], *sorted(made[1:])[::-1]]
    cursor = pages[1].next_cursor
    assert [item.id for item in store.list_sessions(limit=1, cursor=cursor, **name)] == [min(made[1:])]


def test_a_session_whose_owner_is_changed_where_it_is_listed_is_not_shown_to_another(
    store: clew.Store, hand: psycopg.Connection
) -> None:
    hand.execute("UPDATE clew_tip SET owner = 'Bob' WHERE active = 3")
    page = store.list_sessions(owner="Bob", count=True)
    assert (page.items, page.total) == ([], 0)


def test_pieces_that_nothing_needs_any_more_are_no_damage(store: clew.Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "ATTACHMENT_CHUNK_BYTES", 8)
    (session,) = store.list_sessions(search="other").items
    store.attach(session.id, {"long": bytes(range(30))})
    store.attach(session.id, {"long": b""}, on_conflict="replace")
    assert list(store.verify()) == []


def test_changes_beside_an_older_transaction_are_no_damage(store: clew.Store, hand: psycopg.Connection) -> None:
    """Numbers of changes that are committed before those of an older transaction are given out all the same."""
    hand.execute("BEGIN")
    hand.execute("SELECT pg_current_xact_id()")
    store.create_session("later")
    assert list(store.verify()) == []
    hand.execute("ROLLBACK")


def test_a_number_that_was_never_given_out_is_found(store: clew.Store, hand: psycopg.Connection) -> None:
    hand.execute("UPDATE clew_tip SET changed = changed + 1000000")
    assert "change" in {item.kind for item in store.verify()}


def test_no_statement_of_it_has_a_time_limit(store: clew.Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a server sends of a family is hashed here before it sends more, however long that takes."""
    found: list[str] = []

    def look(db: Transaction, _: int) -> list[clew.Finding]:
        assert isinstance(db, PostgresTransaction)
        found.extend(db._cursor.execute("SHOW statement_timeout").fetchone() or ())
        return []

    monkeypatch.setattr(integrity, "strays", look)
    assert list(store.verify()) == []
    assert set(found) == {"0"}
    backend = store._backend
    assert isinstance(backend, PostgresBackend)
    backend._read(lambda db: look(db, 0))
    assert found[-1] != "0"
