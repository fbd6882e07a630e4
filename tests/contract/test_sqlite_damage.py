"""The contract about damaged and purged bytes over an SQLite file, called and awaited."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.contract.tampering import FileTamper
from tests.contract.test_sqlite import open_store

from clew import AsyncStore, Store
from clew.testing import Clock, DamageContract, Tamper, over_async


class FileDamage(DamageContract):
    @pytest.fixture
    def path(self, tmp_path: Path) -> Path:
        return tmp_path / "agent.db"

    @pytest.fixture
    def tamper(self, path: Path, store: Store) -> Tamper:
        return FileTamper(path)


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
