"""The contract about damaged and purged bytes over PostgreSQL; and any damage to any row."""

from collections.abc import Iterator
from contextlib import closing

import pytest
from tests.contract.changes_postgres import DATA, each_change
from tests.contract.tampering import fill, is_told
from tests.contract.tampering_postgres import DatabaseTamper
from tests.support.postgres_stores import open_postgres, open_store

from clew import Store, limits
from clew.postgres import PostgresBackend
from clew.postgres.transaction import PostgresTransaction
from clew.relational import purge
from clew.relational.transaction import Transaction
from clew.testing import Clock, DamageContract, Tamper
from clew.testing.contract.base import contents


class TestPostgres(DamageContract):
    @pytest.fixture
    def store(self, postgres_url: str, clock: Clock) -> Iterator[Store]:
        with open_store(postgres_url, clock) as store:
            yield store

    @pytest.fixture
    def tamper(self, postgres_url: str) -> Tamper:
        return DatabaseTamper(postgres_url)


# What nobody is shown and nothing is read by: which session may extend a timeline, and the numbers of changes, which
# are only to grow.
UNSEEN = {("clew_timeline", "session"), ("clew_tip", "changed")}

# What only a list is chosen, ordered or counted by: that a row is missing there, `verify` alone can tell.
CHOSEN_BY = {
    ("clew_tip", "status"), ("clew_tip", "id"), ("clew_session", "title_folded"), ("clew_session_count", "sessions"),
    ("clew_content", "object"),
}  # fmt: skip

# Where a message is lost, nothing else is; and nothing counts what waits for labels.
LOST_ALONE = {("clew_entry", "family"), ("clew_entry", "content"), ("clew_content", "key")}
LOST_UNCOUNTED = {("clew_waiting_attachment", "family")}


@pytest.fixture
def intact(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """A database with a row or two of everything, that no store is open on."""
    monkeypatch.setattr(limits, "ATTACHMENT_CHUNK_BYTES", 8)
    with open_store(postgres_url, Clock()) as store:
        fill(store)
    return postgres_url


def test_any_change_of_any_value_in_any_row_is_found_and_read_as_nothing_else(intact: str) -> None:
    """What is read is what was written, or an error, or it is told as damage; `verify` finds it, and lost rows too."""
    with open_store(intact, Clock()) as store:
        before, tried = contents(store), 0
        for change in each_change(intact):
            tried += 1
            assert change.is_of_key or change.place in CHOSEN_BY or is_told(store, before), change
            assert change.place in UNSEEN or next(iter(store.verify()), None), change
        assert tried > 200
        assert contents(store) == before
        assert list(store.verify()) == []


def test_nothing_is_deleted_on_the_word_of_a_damaged_row(intact: str) -> None:
    """What a changed value says is not reached any more is kept: that value may be mended."""
    with closing(open_postgres(intact)) as backend:
        assert _collected(backend) == {}
        for change in each_change(intact):
            assert change.place in LOST_ALONE | LOST_UNCOUNTED or _collected(backend) == {}, change


class _UndoneError(Exception):
    """Ends a transaction that is not to be kept."""


def _collected(backend: PostgresBackend) -> dict[str, int]:
    """By table, how many rows would be deleted because nothing reaches them."""
    lost: dict[str, int] = {}

    def collect(db: Transaction) -> None:
        before = _counts(db)
        for family in purge.families(db):
            purge.collect_family(db, family)
        lost.update({table: before[table] - left for table, left in _counts(db).items() if left != before[table]})
        raise _UndoneError

    with pytest.raises(_UndoneError):
        backend._write(collect)
    return lost


def _counts(db: Transaction) -> dict[str, int]:
    assert isinstance(db, PostgresTransaction)
    return {table: len(db._cursor.execute(f"SELECT 1 FROM {table}".encode()).fetchall()) for table in DATA}
