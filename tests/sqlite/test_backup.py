"""A backup is whole, of one moment, private, and never in the place of anything else."""

import os
import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import apsw
import pytest

import clew
from clew.sqlite import connections
from clew.testing.contract.base import contents


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    return tmp_path / "copies" / "copy.db"


def fill(store: clew.Store) -> clew.Session:
    session = store.create_session("one", messages=[{"n": n} for n in range(20)], metadata={"k": 1})
    store.append(session.id, [{"n": 20}], label="here", attachments={"log": bytes(600_000)})
    store.fork_session(session.id)
    return session


def test_a_backup_holds_everything_that_the_store_holds(path: Path, copy: Path) -> None:
    with clew.open(path) as store:
        session = fill(store)
        made = store.backup(copy)
        assert (made.path, made.sessions, made.verified) == (str(copy), 2, True)
        assert made.bytes == copy.stat().st_size
        with clew.open(copy) as again:
            assert contents(again) == contents(store)
            step = again.find_checkpoint(session.id, "here")
            assert again.get_attachment(step.id, "log") == bytes(600_000)


def test_a_store_in_memory_can_be_backed_up(copy: Path) -> None:
    with clew.open(":memory:") as store:
        fill(store)
        assert store.backup(copy).sessions == 2
        with clew.open(copy) as again:
            assert contents(again) == contents(store)


def test_a_backup_is_one_private_file(path: Path, copy: Path) -> None:
    with clew.open(path) as store:
        fill(store)
        store.backup(copy)
    assert [file.name for file in copy.parent.iterdir()] == ["copy.db"]
    assert copy.stat().st_mode & 0o777 == 0o600
    assert copy.parent.stat().st_mode & 0o777 == 0o700


def test_a_backup_can_be_read_where_nothing_may_be_written(path: Path, copy: Path) -> None:
    with clew.open(path) as store:
        fill(store)
        store.backup(copy)
    connection = apsw.Connection(f"file:{copy}?immutable=1", flags=apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI)
    assert connection.execute("SELECT count(*) FROM session").fetchall() == [(2,)]
    connection.close()


def test_a_backup_is_of_one_moment_while_others_write(path: Path, copy: Path) -> None:
    """Each write moves a number from one session to the other, so that at every moment there are as many of both."""
    with clew.open(path, durability="normal") as store:
        left, right = store.create_session("left"), store.create_session("right")
        stop = threading.Event()

        def write() -> None:
            while not stop.is_set():
                step = store.append(left.id, [{"pad": "x" * 5_000}])
                store.append(right.id, [{"pad": "x" * 5_000}], metadata={"of": str(step.id)})

        writer = threading.Thread(target=write)
        writer.start()
        try:
            for number in range(5):
                store.backup(copy.with_name(f"{number}.db"))
        finally:
            stop.set()
            writer.join()
    for number in range(5):
        with clew.open(copy.with_name(f"{number}.db")) as again:
            counts = [again.list_checkpoints(session.id).total or 0 for session in (left, right)]
            assert counts[0] - counts[1] in (0, 1)
            assert list(again.verify()) == []


def test_a_backup_takes_the_place_of_nothing_unless_told_to(path: Path, copy: Path) -> None:
    with clew.open(path) as store:
        fill(store)
        store.backup(copy)
        before = copy.read_bytes()
        store.create_session("more")
        with pytest.raises(clew.InvalidRequestError, match="exists already"):
            store.backup(copy)
        assert copy.read_bytes() == before
        assert store.backup(copy, overwrite=True).sessions == 3


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_backup_is_never_put_over_the_store_or_a_database_in_use(path: Path, tmp_path: Path, overwrite: bool) -> None:
    other = tmp_path / "other.db"
    with clew.open(path) as store, clew.open(other) as used:
        fill(store)
        used.create_session("in use")
        with pytest.raises(clew.InvalidRequestError, match="is the store itself"):
            store.backup(path, overwrite=overwrite)
        with pytest.raises(clew.InvalidRequestError, match=r"other\.db"):
            store.backup(other, overwrite=overwrite)
        with pytest.raises(clew.InvalidRequestError, match="is a directory"):
            store.backup(tmp_path, overwrite=overwrite)
        assert [session.title for session in used.list_sessions()] == ["in use"]
    assert not list(tmp_path.glob("*.partial*"))


def read_by_hand(copy: Path) -> apsw.Connection:
    connection = apsw.Connection(str(copy), flags=apsw.SQLITE_OPEN_READONLY)
    connection.execute("SELECT count(*) FROM session").fetchall()
    return connection


def make_copy(store: clew.Store, copy: Path) -> None:
    """A backup that has been written on since, so that it has a log while it is open."""
    store.backup(copy)
    with clew.open(copy) as again:
        again.create_session("written since")


@pytest.mark.parametrize("read_only", [False, True])
def test_a_backup_that_somebody_has_looked_into_can_be_replaced(path: Path, copy: Path, read_only: bool) -> None:
    with clew.open(path) as store:
        fill(store)
        make_copy(store, copy)
        with clew.open(copy, read_only=read_only) as again:
            assert again.list_sessions().total == 3
        assert copy.with_name("copy.db-wal").exists() is read_only
        assert store.backup(copy, overwrite=True).sessions == 2
    assert sorted(file.name for file in copy.parent.iterdir()) == ["copy.db", "copy.db-lock"]
    with clew.open(copy) as again:
        assert again.list_sessions().total == 2


def test_an_empty_log_of_a_database_that_somebody_reads_is_left_and_the_file_not_replaced(
    path: Path, copy: Path
) -> None:
    with clew.open(path) as store:
        fill(store)
        make_copy(store, copy)
        reader = read_by_hand(copy)
        assert copy.with_name("copy.db-wal").stat().st_size == 0
        with pytest.raises(clew.InvalidRequestError, match=r"in use.*copy\.db-wal"):
            store.backup(copy, overwrite=True)
        reader.close()
        assert store.backup(copy, overwrite=True).sessions == 2


def test_a_log_with_something_in_it_is_never_removed(path: Path, copy: Path) -> None:
    with clew.open(path) as store:
        fill(store)
        make_copy(store, copy)
        log = copy.with_name("copy.db-wal")
        log.write_bytes(b"of a program that did not end well")
        with pytest.raises(clew.InvalidRequestError, match="was not closed"):
            store.backup(copy, overwrite=True)
        assert log.read_bytes() == b"of a program that did not end well"


def test_an_empty_file_beside_one_that_is_no_database_is_left_alone(path: Path, copy: Path) -> None:
    copy.parent.mkdir()
    copy.write_text("notes, and no database at all " * 100)
    copy.with_name("copy.db-wal").touch()
    with clew.open(path) as store:
        fill(store)
        with pytest.raises(clew.InvalidRequestError, match=r"copy\.db-wal"):
            store.backup(copy, overwrite=True)
    assert copy.read_text().startswith("notes")


@pytest.mark.parametrize("way", [clew.open, read_by_hand])
def test_a_file_opened_while_the_copy_was_made_is_not_replaced(
    path: Path, copy: Path, way: Callable[[Path], clew.Store | apsw.Connection]
) -> None:
    opened: list[clew.Store | apsw.Connection] = []

    def open_once(_: clew.Progress) -> None:
        if not opened:
            opened.append(way(copy))

    with clew.open(path) as store:
        fill(store)
        make_copy(store, copy)
        before = copy.read_bytes()
        with pytest.raises(clew.InvalidRequestError, match="in use"):
            store.backup(copy, overwrite=True, progress=open_once)
        assert copy.read_bytes() == before
        assert not list(copy.parent.glob("*.partial*"))
        opened.pop().close()
        assert store.backup(copy, overwrite=True).sessions == 2


def test_a_file_made_while_the_copy_was_made_is_not_replaced(path: Path, copy: Path) -> None:
    def make(_: clew.Progress) -> None:
        copy.write_text("mine")

    with clew.open(path) as store:
        fill(store)
        with pytest.raises(clew.InvalidRequestError, match="exists already"):
            store.backup(copy, progress=make)
    assert copy.read_text() == "mine"


def test_a_backup_that_a_store_of_this_process_reads_is_not_replaced(path: Path, copy: Path) -> None:
    """It has no log: nothing beside it says that it is open."""
    with clew.open(path) as store:
        fill(store)
        store.backup(copy)
        with clew.open(copy, read_only=True) as reading:
            assert [file.name for file in copy.parent.iterdir()] == ["copy.db"]
            with pytest.raises(clew.InvalidRequestError, match="a store of this process has it open"):
                store.backup(copy, overwrite=True)
            assert reading.list_sessions().total == 2


def test_a_damaged_store_is_backed_up_only_when_asked_for_as_it_is(path: Path, copy: Path) -> None:
    with clew.open(path) as store:
        fill(store)
    connection = apsw.Connection(str(path))
    connection.execute("UPDATE content SET body = '{}' WHERE key = 3")
    connection.close()
    with clew.open(path) as store:
        with pytest.raises(clew.CorruptStateError, match="message 2 of checkpoint"):
            store.backup(copy)
        assert not list(copy.parent.iterdir())
        assert store.backup(copy, verify=False).verified is False
        assert copy.exists()


def test_a_backup_that_cannot_be_written_is_an_error_that_leaves_nothing(path: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no directory")
    with clew.open(path) as store:
        fill(store)
        with pytest.raises(clew.UnavailableError, match="file"):
            store.backup(tmp_path / "file" / "copy.db")
        assert store.list_sessions().total == 2


def test_progress_tells_pages_copied_and_sessions_checked(path: Path, copy: Path) -> None:
    told: list[clew.Progress] = []
    with clew.open(path) as store:
        fill(store)
        store.backup(copy, progress=told.append)
    last = {step.unit: step for step in told}
    assert set(last) == {"pages", "sessions"}
    assert all(step.done == step.total for step in last.values())


def test_progress_that_cannot_be_told_is_refused_at_the_call(path: Path, copy: Path) -> None:
    """Also by `verify`, whose iterator nobody has asked for anything yet."""
    wrong: Any = "print"
    with clew.open(path) as store:
        for call in (lambda: store.verify(progress=wrong), lambda: store.backup(copy, progress=wrong)):
            with pytest.raises(clew.InvalidRequestError, match="progress must be callable, not str"):
                call()
    assert not copy.parent.exists()


def test_a_relative_path_is_one_from_here(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with clew.open(path) as store:
        assert store.backup("copy.db").path == str(tmp_path / "copy.db")


def names_beside(path: Path) -> list[str]:
    return sorted(file.name for file in path.parent.iterdir())


class TestTheLogThatReadingLeaves:
    """It is removed when the store is closed: a file with a log beside it looks as if it were in use."""

    @pytest.fixture
    def path(self, tmp_path: Path) -> Path:
        """A store with one session, closed."""
        with clew.open(tmp_path / "store.db") as store:
            store.create_session("one")
        return tmp_path / "store.db"

    @pytest.fixture
    def opened(self, monkeypatch: pytest.MonkeyPatch) -> list[str]:
        """The files that have been looked at for a log to remove."""
        looked: list[str] = []
        monkeypatch.setattr(connections, "remove_empty_log", looked.append)
        return looked

    def test_a_store_that_has_only_read_leaves_no_log_either(self, path: Path) -> None:
        before = path.read_bytes()
        with clew.open(path) as store:
            assert store.list_sessions().total == 1
        assert names_beside(path) == ["store.db", "store.db-lock"]
        assert path.read_bytes() == before

    def test_the_log_that_reading_leaves_stays_where_somebody_else_reads(self, path: Path) -> None:
        other = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
        assert other.execute("SELECT count(*) FROM session").fetchall() == [(1,)]
        with clew.open(path) as store:
            store.list_sessions()
        assert "store.db-wal" in names_beside(path)
        with clew.open(path) as store:
            store.create_session("two")
        assert other.execute("SELECT count(*) FROM session").fetchall() == [(2,)]
        other.close()

    def test_closing_a_read_only_store_opens_nothing_to_write(self, path: Path, opened: list[str]) -> None:
        with clew.open(path, read_only=True) as store:
            store.list_sessions()
        assert opened == []
        assert "store.db-wal" in names_beside(path)

    def test_the_store_that_may_write_cleans_up_though_a_read_only_one_is_closed_last(self, path: Path) -> None:
        with clew.open(path, read_only=True) as last:
            clew.open(path).close()
            last.list_sessions()
        assert names_beside(path) == ["store.db", "store.db-lock"]

    def test_closing_a_store_that_has_written_costs_nothing_more(self, path: Path, opened: list[str]) -> None:
        with clew.open(path) as store:
            store.create_session("two")
        assert opened == []

    def test_a_folder_in_which_nothing_can_be_removed_is_left_as_it_is(
        self, path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(os, "access", lambda *_: False)
        with clew.open(path) as store:
            store.list_sessions()
        assert "store.db-wal" in names_beside(path)

    def test_a_log_that_cannot_be_cleaned_up_does_not_fail_the_close(
        self, path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refuse(*_: object) -> None:
            raise apsw.BusyError("somebody else is at it")

        with clew.open(path) as store:
            store.list_sessions()
            monkeypatch.setattr(connections, "pragma", refuse)
        assert "store.db-wal" in names_beside(path)

    def test_another_file_in_its_place_is_left_alone(self, path: Path, tmp_path: Path) -> None:
        with clew.open(path) as store:
            store.list_sessions()
            path.rename(tmp_path / "moved.db")
            shutil.copy(tmp_path / "moved.db", path)
        assert "store.db-wal" in names_beside(path)

    def test_cleaning_up_migrates_nothing(self, path: Path) -> None:
        with clew.migrations(path) as schema:
            schema.rollback()
            current = schema.status().current
        with clew.migrations(path) as schema:
            assert schema.status().pending != []
        assert names_beside(path) == ["store.db", "store.db-lock"]
        with clew.migrations(path) as schema:
            assert schema.status().current == current


@pytest.mark.parametrize("path", [":memory:", "sqlite:///copy.db", "https://host/copy"])
def test_what_stands_for_a_store_and_is_no_path_is_refused(
    path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with clew.open(":memory:") as store, pytest.raises(clew.InvalidRequestError, match="path must be that of a file"):
        store.backup(path)
    assert list(tmp_path.iterdir()) == []


def test_a_backup_of_a_backup_takes_the_place_of_a_store_whose_files_were_moved_away(path: Path, copy: Path) -> None:
    with clew.open(path) as store:
        fill(store)
        store.backup(copy)
        before = contents(store)
        store.create_session("later")
    path.rename(path.with_name("broken.db"))
    with clew.open(copy) as backup:
        backup.backup(path)
    with clew.open(path) as store:
        assert contents(store) == before
