"""The contract over SQLite: in a file and in memory, called and awaited."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from clew import AsyncStore, Store
from clew.sqlite import open_backend
from clew.testing import Clock, StoreContract, over_async


def open_store(path: Path | None, clock: Clock) -> Store:
    return Store(open_backend(None if path is None else str(path), durability="normal", busy_timeout=30), clock=clock)


class TestFile(StoreContract):
    @pytest.fixture
    def store(self, tmp_path: Path, clock: Clock) -> Iterator[Store]:
        with open_store(tmp_path / "agent.db", clock) as store:
            yield store

    @pytest.fixture
    def reopen(self, store: Store, tmp_path: Path, clock: Clock) -> Iterator[Callable[[], Store]]:
        opened: list[Store] = []

        def reopen() -> Store:
            store.close()
            opened.append(open_store(tmp_path / "agent.db", clock))
            return opened[-1]

        yield reopen
        for again in opened:
            again.close()


class TestMemory(StoreContract):
    @pytest.fixture
    def store(self, clock: Clock) -> Iterator[Store]:
        with open_store(None, clock) as store:
            yield store


class TestFileAwaited(StoreContract):
    @pytest.fixture
    def store(self, tmp_path: Path, clock: Clock) -> Iterator[Store]:
        with over_async(AsyncStore(lambda: open_store(tmp_path / "agent.db", clock))) as store:
            yield store


class TestMemoryAwaited(StoreContract):
    @pytest.fixture
    def store(self, clock: Clock) -> Iterator[Store]:
        with over_async(AsyncStore(lambda: open_store(None, clock))) as store:
            yield store
