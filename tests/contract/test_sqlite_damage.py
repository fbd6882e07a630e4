"""The contract about damaged and purged bytes over an SQLite file, called and awaited; and any damage to any row."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import apsw
import pytest
from tests.contract.tampering import FileTamper, fill, is_told
from tests.contract.test_sqlite import open_store
from tests.contract.underneath import Tables

from clew import AsyncStore, Store, limits
from clew.testing import Clock, DamageContract, DamagedBackupContract, Tamper, over_async
from clew.testing.contract.base import contents


class FileDamage(DamageContract, DamagedBackupContract):
    @pytest.fixture
    def path(self, tmp_path: Path) -> Path:
        return tmp_path / "agent.db"

    @pytest.fixture
    def tamper(self, path: Path, store: Store) -> Tamper:
        return FileTamper(path)

    @pytest.fixture
    def open_backup(self, clock: Clock) -> Callable[[Path], Store]:
        return lambda path: open_store(path, clock)


class TestFile(FileDamage):
    @pytest.fixture
    def store(self, path: Path, clock: Clock) -> Iterator[Store]:
        with open_store(path, clock) as store:
            yield store


class TestFileAwaited(FileDamage):
    @pytest.fixture
    def store(self, path: Path, clock: Clock) -> Iterator[Store]:
        with over_async(AsyncStore(lambda: open_store(path, clock))) as store:
            yield store


# What nobody is shown and nothing is read by: which session may extend a timeline, which of two bodies of the same hash
# came first, and where the numbers of changes stand, which are only to grow.
UNSEEN = {("timeline", "session"), ("content", "tie"), ("session", "changed")}
NUMBERS = ["CHANGES"]

# What only a list is chosen or counted by: that a row is missing there, `verify` alone can tell.
CHOSEN_BY = {("session", "status"), ("session", "title_folded"), ("counter", "value")}


@pytest.fixture
def intact(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A closed file with a row or two of everything."""
    monkeypatch.setattr(limits, "ATTACHMENT_CHUNK_BYTES", 8)
    path = tmp_path / "intact.db"
    with open_store(path, Clock()) as store:
        fill(store)
    return path


def changed(value: Any) -> Any:
    """Something else of the same type, one bit or letter away."""
    if value is None:
        return b"0" * 16
    if isinstance(value, int):
        return value ^ 1
    return value[:-1] + (bytes([value[-1] ^ 1]) if isinstance(value, bytes) else chr(ord(value[-1]) ^ 1))


def places(path: Path) -> Iterator[tuple[str, str, str, list[Any], Any]]:
    """Every column of every row: the table, the column, what finds the row, and another value.

    A row whose key has changed is lost from its place, and perhaps found in another.
    """
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    try:
        for table in Tables._fields:
            columns = [(row[1], row[5]) for row in connection.execute(f"PRAGMA table_info({table})")]
            where = " AND ".join(f"{name} IS ?" for name, key in columns if key)
            for row in connection.execute(f"SELECT * FROM {table}").fetchall():
                keys = [value for value, (_, key) in zip(row, columns, strict=True) if key]
                for value, (name, _) in zip(row, columns, strict=True):
                    yield table, name, where, keys, changed(value)
    finally:
        connection.close()


def test_any_change_of_any_value_in_any_row_is_found_and_read_as_nothing_else(tmp_path: Path, intact: Path) -> None:
    """What is read is what was written, or an error, or it is told as damage; `verify` finds it, and lost rows too."""
    with open_store(intact, Clock()) as store:
        before = contents(store)
    tried = 0
    for table, column, where, keys, value in places(intact):
        path = tmp_path / f"{tried}.db"
        shutil.copy(intact, path)
        if _changed_by_hand(path, f"UPDATE {table} SET {column} = ? WHERE {where}", [value, *keys]):
            tried += 1
            with open_store(path, Clock()) as store:
                moved = f"{column} IS ?" in where or (table, column) in CHOSEN_BY
                assert moved or is_told(store, before), (table, column, keys, value)
                unseen = (table, column) in UNSEEN or keys == NUMBERS
                assert unseen or list(store.verify()), (table, column, keys, value)
    assert tried > 100


def _changed_by_hand(path: Path, sql: str, values: list[Any]) -> bool:
    """Whether SQLite let the change through."""
    connection = apsw.Connection(str(path))
    try:
        connection.execute("PRAGMA foreign_keys = OFF")
        connection.execute(sql, values)
    except apsw.ConstraintError:
        return False
    finally:
        connection.close()
    return True
