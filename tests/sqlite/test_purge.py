"""Purged bytes leave the write-ahead log too: once for all that is pruned, and nobody else waits for a reader."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import apsw
import pytest

import clew
from clew.sqlite import wal

MARKER = "purge-me-" * 300


@contextmanager
def reading(path: Path) -> Iterator[apsw.Connection]:
    """A reader that needs the log as it is now, until it is closed."""
    reader = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    try:
        reader.execute("BEGIN")
        assert reader.execute("SELECT count(*) FROM session").fetchall()
        yield reader
    finally:
        reader.close()


def doomed(store: clew.Store, count: int) -> set[Any]:
    return {store.create_session("doomed", messages=[{"content": MARKER}]).id for _ in range(count)}


def files_with_the_marker(path: Path) -> list[str]:
    return [file.name for file in path.parent.iterdir() if b"purge-me" in file.read_bytes()]


@pytest.fixture
def tries(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """What came of each try to empty the log."""
    outcomes: list[bool] = []
    empty_wal = wal.empty_wal

    def told(connection: apsw.Connection) -> bool:
        outcomes.append(empty_wal(connection))
        return outcomes[-1]

    monkeypatch.setattr(wal, "empty_wal", told)
    return outcomes


class TestPruning:
    def test_it_empties_the_log_once_for_all_sessions(self, path: Path, tries: list[bool]) -> None:
        with clew.open(path) as store:
            gone = doomed(store, 4)
            done = store.apply_prune(store.plan_prune(keep_last=0))
            assert (set(done.sessions), done.log_held) == (gone, False)
            assert files_with_the_marker(path) == []
        assert tries == [True]

    def test_pruning_goes_on_though_a_reader_holds_the_log_and_says_so(self, path: Path) -> None:
        with clew.open(path, busy_timeout=0.2) as store:
            thinned = store.create_session("thinned", messages=[{"n": 1}])
            store.append(thinned.id, [{"n": 2}])
            gone = doomed(store, 3)
            for id in gone:
                store.delete_session(id)
            plan = store.plan_prune(keep_last=1, keep_checkpoints=1)
            with reading(path):
                done = store.apply_prune(plan)
            assert (set(done.sessions), done.checkpoints, done.skipped) == (gone, 1, [])
            assert done.log_held is True
            assert [session.title for session in store.list_sessions()] == ["thinned"]
            assert files_with_the_marker(path) == ["store.db-wal"]
            other = store.create_session("purged alone")
            store.purge_session(other.id)
            assert files_with_the_marker(path) == []

    def test_where_it_breaks_off_what_was_purged_before_is_gone_from_the_files(
        self, path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail(*_: object) -> None:
            raise clew.UnavailableError("no more")

        with clew.open(path) as store:
            kept = store.create_session("kept", messages=[{"n": 1}])
            store.append(kept.id, [{"n": 2}])
            for id in doomed(store, 2):
                store.delete_session(id)
            plan = store.plan_prune(keep_last=1, keep_checkpoints=1)
            monkeypatch.setattr(store._backend, "delete_checkpoints", fail)
            with pytest.raises(clew.UnavailableError, match="no more"):
                store.apply_prune(plan)
            assert files_with_the_marker(path) == []

    def test_a_log_that_cannot_be_emptied_does_not_hide_what_was_done(
        self, path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail(_: apsw.Connection) -> bool:
            raise apsw.FullError("disk full")

        with clew.open(path) as store:
            gone = doomed(store, 1)
            monkeypatch.setattr(wal, "empty_wal", fail)
            done = store.apply_prune(store.plan_prune(keep_last=0))
            assert (set(done.sessions), done.log_held) == (gone, True)

    def test_checkpoints_alone_do_not_wait_for_the_log(self, path: Path, tries: list[bool]) -> None:
        with clew.open(path) as store:
            session = store.create_session("thinned", messages=[{"n": 1}])
            store.append(session.id, [{"n": 2}])
            assert store.apply_prune(store.plan_prune(keep_checkpoints=1)).checkpoints == 1
        assert tries == []

    def test_nothing_is_held_in_memory(self) -> None:
        with clew.open(":memory:") as store:
            doomed(store, 2)
            assert store.apply_prune(store.plan_prune(keep_last=0)).log_held is False


def write_while_waiting_for_a_reader(
    store: clew.Store, path: Path, act: Callable[[], object], monkeypatch: pytest.MonkeyPatch
) -> list[str]:
    """Begin `act`, write into another session as soon as it waits for the log, let go of the log: what ended first."""
    other = store.create_session("other")
    waits, ended = threading.Event(), list[str]()
    empty_wal = wal.empty_wal

    def told(connection: apsw.Connection) -> bool:
        waits.set()
        return empty_wal(connection)

    def run() -> None:
        act()
        ended.append("waited")

    monkeypatch.setattr(wal, "empty_wal", told)
    with ThreadPoolExecutor(1) as threads:
        with reading(path):
            waiting = threads.submit(run)
            assert waits.wait(60)
            store.append(other.id, [{"written": "meanwhile"}])
            ended.append("wrote")
        waiting.result()
    return ended


def test_others_write_while_a_purge_waits_for_a_reader(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with clew.open(path, busy_timeout=3) as store:
        (gone,) = doomed(store, 1)
        ended = write_while_waiting_for_a_reader(store, path, lambda: store.purge_session(gone), monkeypatch)
        assert ended == ["wrote", "waited"]
        assert files_with_the_marker(path) == []


def test_others_write_while_compacting_waits_for_a_reader(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with clew.open(path, busy_timeout=3) as store:
        doomed(store, 1)
        assert write_while_waiting_for_a_reader(store, path, store.compact, monkeypatch) == ["wrote", "waited"]


def test_a_log_that_stays_out_of_turn_is_told_after_a_purge(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The session is gone: an error that spoke of waiting alone would have the caller purge it again."""

    def out_of_turn(_: apsw.Connection) -> bool:
        raise clew.UnavailableError("the store stayed locked by another process beyond the time limit")

    with clew.open(path) as store:
        (gone,) = doomed(store, 1)
        monkeypatch.setattr(wal, "empty_wal", out_of_turn)
        with pytest.raises(clew.UnavailableError, match=r"is purged, but .* another process"):
            store.purge_session(gone)
        assert store.list_sessions().items == []
