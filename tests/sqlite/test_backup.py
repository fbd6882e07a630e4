"""A backup is whole, of one moment, private, and never in the place of anything else."""

import threading
from pathlib import Path

import apsw
import pytest

import clew
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


def test_a_relative_path_is_one_from_here(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with clew.open(path) as store:
        assert store.backup("copy.db").path == str(tmp_path / "copy.db")
