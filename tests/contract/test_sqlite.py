"""The contract over SQLite: in a file and in memory, called and awaited."""

from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import UUID

import pytest

from clew import AsyncStore, Progress, Store
from clew.sqlite import open_backend
from clew.testing import BackupContract, Clock, StoreContract, over_async
from clew.testing.contract.base import active, ids, said, users


def open_store(path: Path | None, clock: Clock) -> Store:
    return Store(open_backend(None if path is None else str(path), durability="normal", busy_timeout=30), clock=clock)


class BackedUp(StoreContract, BackupContract):
    @pytest.fixture
    def open_backup(self, clock: Clock) -> Callable[[Path], Store]:
        return lambda path: open_store(path, clock)


class TestFile(BackedUp):
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


class TestMemory(BackedUp):
    @pytest.fixture
    def store(self, clock: Clock) -> Iterator[Store]:
        with open_store(None, clock) as store:
            yield store


class TestFileAwaited(BackedUp):
    @pytest.fixture
    def store(self, tmp_path: Path, clock: Clock) -> Iterator[Store]:
        with over_async(AsyncStore(lambda: open_store(tmp_path / "agent.db", clock))) as store:
            yield store


class TestMemoryAwaited(BackedUp):
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


def test_what_a_store_remembers_gives_way_to_what_another_store_deleted_and_wrote(tmp_path: Path) -> None:
    """One store wrote a checkpoint in full; another deleted it and gave its id to other messages."""
    clock = Clock()
    with open_store(tmp_path / "agent.db", clock) as here, open_store(tmp_path / "agent.db", clock) as there:
        session, id = here.create_session(""), UUID(int=1)
        here.create_checkpoint(session.id, users("ab"), id=id)
        there.delete_checkpoints(session.id, id)
        there.create_checkpoint(session.id, users("xyz"), id=id)
        for text in ("abc", "ab", "xyzab", ""):
            full = here.create_checkpoint(session.id, users(text), parent_id=id)
            assert said(there, full.id) == text


def test_others_write_into_the_file_while_it_is_backed_up(tmp_path: Path) -> None:
    """Each step of the copy waits for a write, and the copy is of the moment before the first."""
    clock, written = Clock(), list[UUID]()
    with open_store(tmp_path / "agent.db", clock) as store:
        session = store.create_session("", messages=users("a"), metadata={"fill": "x" * 5_000_000})

        def write(_: Progress) -> None:
            written.append(store.append(session.id, users("b"), metadata=None).id)

        store.backup(tmp_path / "copy", progress=write)
        assert len(written) > 1
        with open_store(tmp_path / "copy", clock) as copy:
            assert ids(copy.list_checkpoints(session.id)) == [active(session).id]
            assert list(copy.verify()) == []
