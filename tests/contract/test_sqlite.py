"""The contract over SQLite: in a file and in memory, called and awaited."""

from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import UUID

import pytest

from clew import AsyncStore, Store
from clew.sqlite import open_backend
from clew.testing import Clock, StoreContract, over_async
from clew.testing.contract.base import said, users


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


def test_what_a_store_remembers_gives_way_to_what_another_store_wrote(tmp_path: Path) -> None:
    """One store wrote a checkpoint in full; another purged it and gave its id to other messages."""
    clock = Clock()
    with open_store(tmp_path / "agent.db", clock) as here, open_store(tmp_path / "agent.db", clock) as there:
        first, id = here.create_session("first"), UUID(int=1)
        here.create_checkpoint(first.id, users("ab"), id=id)
        there.purge_session(first.id)
        second = there.create_session("second")
        there.create_checkpoint(second.id, users("xyz"), id=id)
        for text in ("abc", "ab", "a", "xyzab", ""):
            full = here.create_checkpoint(second.id, users(text), parent_id=id)
            assert said(there, full.id) == text
