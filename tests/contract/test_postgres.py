"""The contract over PostgreSQL, called and awaited."""

from collections.abc import Callable, Iterator

import pytest
from tests.support.postgres_stores import open_store

from clew import AsyncStore, Store
from clew.testing import Clock, StoreContract, over_async
from clew.testing.contract import CheckpointContract, MessageContract, TogetherContract, WatchContract


class TestPostgres(StoreContract):
    @pytest.fixture
    def store(self, postgres_url: str, clock: Clock) -> Iterator[Store]:
        with open_store(postgres_url, clock) as store:
            yield store

    @pytest.fixture
    def reopen(self, store: Store, postgres_url: str, clock: Clock) -> Iterator[Callable[[], Store]]:
        opened: list[Store] = []

        def reopen() -> Store:
            store.close()
            opened.append(open_store(postgres_url, clock))
            return opened[-1]

        yield reopen
        for again in opened:
            again.close()


class TestPostgresAwaited(CheckpointContract, MessageContract, TogetherContract, WatchContract):
    """What awaiting can change: writes, long reads, many at once, and what never ends. Over SQLite all is."""

    @pytest.fixture
    def store(self, postgres_url: str, clock: Clock) -> Iterator[Store]:
        with over_async(AsyncStore(lambda: open_store(postgres_url, clock))) as store:
            yield store
