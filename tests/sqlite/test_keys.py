"""What recognising a key costs, and that it depends on no write."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import apsw
import pytest

import clew
from clew import limits
from clew.sqlite import SQLiteBackend, open_backend
from clew.testing import Clock
from clew.testing.clock import SECOND


@pytest.fixture
def store(path: Path) -> Iterator[clew.Store]:
    with clew.open(path, busy_timeout=0.05) as store:
        yield store


class Counting(SQLiteBackend):
    """Counts the transactions of a store in memory."""

    reads = writes = 0

    def _read_file(self, *arguments: Any, **named: Any) -> Any:
        self.reads += 1
        return super()._read_file(*arguments, **named)

    def _write_file(self, *arguments: Any, **named: Any) -> Any:
        self.writes += 1
        return super()._write_file(*arguments, **named)


@pytest.fixture
def counting() -> Counting:
    backend = open_backend(None, busy_timeout=1)
    backend.__class__ = Counting
    assert isinstance(backend, Counting)
    return backend


def test_recognising_a_key_is_one_read_and_a_write_a_minute(counting: Counting) -> None:
    clock = Clock(tick=0)
    with clew.Store(counting, clock=clock) as store:
        made = store.create_key("Ada", "read")
        counting.reads = counting.writes = 0
        for minute in range(3):
            for _ in range(20):
                store.authenticate(made.token)
            assert (counting.reads, counting.writes) == (20 * (minute + 1), minute + 1)
            clock.now += 60 * SECOND


def test_a_use_that_could_not_be_written_is_not_tried_again_within_the_minute(path: Path) -> None:
    clock, tried = Clock(tick=0), list[int]()

    class Full(SQLiteBackend):
        def use_key(self, *arguments: object) -> clew.ApiKey:
            tried.append(clock.now)
            raise clew.UnavailableError("no space left to write")

    backend = open_backend(str(path), busy_timeout=1)
    backend.__class__ = Full
    with clew.Store(backend, clock=clock) as store:
        made = store.create_key("Ada", "read")
        for _ in range(12):
            assert store.authenticate(made.token) == made.key
            clock.now += 10 * SECOND
        assert len(tried) == 2


def test_a_key_is_known_though_the_store_cannot_be_written_to(store: clew.Store, path: Path) -> None:
    made = store.create_key("Ada", "read")
    with clew.open(path, read_only=True) as reader:
        for _ in range(2):
            assert reader.authenticate(made.token) == made.key
        with pytest.raises(clew.InvalidRequestError, match="read-only"):
            reader.create_key("Ada", "read")
        with pytest.raises(clew.InvalidRequestError, match="read-only"):
            reader.revoke_key(made.key.id)
    assert store.list_keys() == [made.key]


def test_a_key_is_known_while_others_hold_the_store_locked(store: clew.Store, path: Path) -> None:
    made = store.create_key("Ada", "read")
    writer = apsw.Connection(str(path))
    writer.execute("BEGIN IMMEDIATE")
    try:
        assert store.authenticate(made.token) == made.key
    finally:
        writer.close()


def test_a_key_that_another_process_revokes_is_refused_at_once(store: clew.Store, path: Path) -> None:
    made = store.create_key("Ada", "read")
    store.authenticate(made.token)
    with clew.open(path) as other:
        other.revoke_key(made.key.id)
    with pytest.raises(clew.UnauthorizedError):
        store.authenticate(made.token)


def test_of_many_uses_at_once_one_is_written(counting: Counting) -> None:
    with clew.Store(counting, clock=Clock(tick=0)) as store:
        made = store.create_key("Ada", "read")
        counting.writes = 0
        barrier = threading.Barrier(8)

        def use() -> None:
            barrier.wait()
            store.authenticate(made.token)

        threads = [threading.Thread(target=use) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert counting.writes == 1


def test_a_token_is_kept_as_its_sha_256(store: clew.Store, query: Callable[[str], Any]) -> None:
    import hashlib

    made = store.create_key("Ada", "read")
    assert query("SELECT digest FROM api_key") == [(hashlib.sha256(made.token.encode()).digest(),)]


def test_the_span_between_two_writes_is_a_minute() -> None:
    assert limits.KEY_USE_SECONDS == 60
