"""Opening a store: where it is, who may read it, and what is refused."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import apsw
import pytest

import clew
from clew.sqlite.migrations import APPLICATION_ID


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def open_umask():
    """No umask in the way, so that a mode seen is one that clew chose."""
    previous = os.umask(0)
    yield
    os.umask(previous)


class TestPlaces:
    def test_a_path_as_text_or_path_object(self, tmp_path: Path) -> None:
        path = tmp_path / "store.db"
        with clew.open(str(path)) as store:
            session = store.create_session("kept")
        with clew.open(path) as store:
            assert store.get_session(session.id).title == "kept"
            assert store.backend_info() == clew.BackendInfo(kind="local", store_path=str(path))

    def test_an_sqlite_url_with_an_absolute_path(self, tmp_path: Path) -> None:
        with clew.open(f"sqlite:///{tmp_path / 'store.db'}") as store:
            assert store.backend_info().store_path == str(tmp_path / "store.db")

    def test_an_sqlite_url_with_a_relative_path(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        with clew.open("sqlite:///store.db") as store:
            assert store.backend_info().store_path == str(tmp_path / "store.db")

    def test_memory_is_private_and_gone_at_close(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        with clew.open(":memory:") as one, clew.open("sqlite:///:memory:") as other:
            one.create_session("one")
            assert other.list_sessions().total == 0
            assert one.backend_info().store_path == ":memory:"
        with clew.open(":memory:") as store:
            assert store.list_sessions().total == 0
        assert list(tmp_path.iterdir()) == []

    def test_nothing_means_the_environment_variable(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("CLEW_URL", str(tmp_path / "elsewhere.db"))
        with clew.open() as store:
            assert store.backend_info().store_path == str(tmp_path / "elsewhere.db")

    def test_nothing_and_no_variable_means_the_data_directory(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delenv("CLEW_URL", raising=False)
        monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
        monkeypatch.setenv("HOME", str(tmp_path))
        with clew.open() as store:
            path = Path(store.backend_info().store_path or "")
        assert path.name == "clew.db"
        assert tmp_path in path.parents

    def test_a_link_and_its_target_are_one_store(self, tmp_path: Path) -> None:
        (tmp_path / "link.db").symlink_to(tmp_path / "store.db")
        with clew.open(tmp_path / "store.db") as one, clew.open(tmp_path / "link.db") as other:
            one.create_session("seen by both")
            assert other.list_sessions().total == 1
            assert other.backend_info() == one.backend_info()


@pytest.mark.usefixtures("open_umask")
class TestFilesArePrivate:
    def test_the_file_is_0600_and_its_new_directories_are_0700(self, tmp_path: Path) -> None:
        path = tmp_path / "a" / "b" / "store.db"
        with clew.open(path) as store:
            store.create_session("secret")
            assert mode_of(path) == 0o600
            assert mode_of(path.parent) == 0o700
            assert mode_of(path.parent.parent) == 0o700
            for companion in path.parent.iterdir():
                assert mode_of(companion) == 0o600, companion

    def test_modes_of_what_exists_are_left_alone(self, tmp_path: Path) -> None:
        directory = tmp_path / "shared"
        directory.mkdir(0o755)
        path = directory / "store.db"
        path.touch(0o640)
        with clew.open(path) as store:
            store.create_session("for the group")
        assert mode_of(path) == 0o640
        assert mode_of(directory) == 0o755


class TestReadOnly:
    def test_it_reads_and_refuses_every_write(self, tmp_path: Path) -> None:
        path = tmp_path / "store.db"
        with clew.open(path) as store:
            session = store.create_session("kept", messages=[{"role": "user", "content": "hi"}])
        with clew.open(path, read_only=True) as store:
            assert store.get_active_checkpoint(session.id).state.messages == [{"role": "user", "content": "hi"}]
            with pytest.raises(clew.InvalidRequestError, match="read-only"):
                store.append(session.id, [])
            with pytest.raises(clew.InvalidRequestError, match="read-only"):
                store.purge_session(session.id)

    def test_it_makes_no_file(self, tmp_path: Path) -> None:
        with pytest.raises(clew.UnavailableError, match="there is no file"):
            clew.open(tmp_path / "missing.db", read_only=True)
        assert list(tmp_path.iterdir()) == []

    def test_it_sees_what_a_writer_in_the_same_process_adds(self, tmp_path: Path) -> None:
        with clew.open(tmp_path / "store.db") as writer, clew.open(tmp_path / "store.db", read_only=True) as reader:
            session = writer.create_session("new")
            assert reader.get_session(session.id).title == "new"


class TestWhatIsNotAStore:
    def test_a_file_that_is_no_database(self, tmp_path: Path) -> None:
        path = tmp_path / "notes.txt"
        path.write_text("not a database, but long enough to have a header " * 40)
        before = path.read_bytes()
        with pytest.raises(clew.UnavailableError, match="is not a database"):
            clew.open(path)
        assert path.read_bytes() == before

    def test_a_database_of_another_program_is_left_as_it_is(self, tmp_path: Path) -> None:
        path = tmp_path / "other.db"
        connection = apsw.Connection(str(path))
        connection.execute("CREATE TABLE invoice (id INTEGER)")
        connection.close()
        before = path.read_bytes()
        with pytest.raises(clew.UnavailableError, match="another program"):
            clew.open(path)
        assert path.read_bytes() == before
        assert sorted(found.name for found in tmp_path.iterdir()) == ["other.db"]

    def test_the_stakpak_agents_database_comes_with_a_hint(self, tmp_path: Path) -> None:
        path = tmp_path / "local.db"
        connection = apsw.Connection(str(path))
        connection.execute("CREATE TABLE sessions (id TEXT); CREATE TABLE checkpoints (id TEXT)")
        connection.close()
        with pytest.raises(clew.UnavailableError, match="clew import stakpak"):
            clew.open(path)

    def test_a_file_from_a_newer_clew_is_not_touched(self, tmp_path: Path) -> None:
        path = tmp_path / "store.db"
        with clew.open(path) as store:
            store.create_session("kept")
        connection = apsw.Connection(str(path))
        connection.execute("INSERT INTO migration (version, name) VALUES (9999, 'from the future')")
        connection.close()
        with pytest.raises(clew.UnavailableError, match=r"newer clew.*9999"):
            clew.open(path)
        with pytest.raises(clew.UnavailableError, match="newer clew"):
            clew.open(path, read_only=True)

    def test_an_empty_file_is_a_new_store(self, tmp_path: Path) -> None:
        path = tmp_path / "store.db"
        path.touch()
        with clew.open(path) as store:
            store.create_session("first")
        connection = apsw.Connection(str(path))
        assert connection.execute("PRAGMA application_id").fetchall() == [(APPLICATION_ID,)]
        connection.close()

    def test_a_new_file_that_another_process_is_setting_up_is_waited_for(self, tmp_path: Path) -> None:
        path = tmp_path / "store.db"
        path.touch()
        other = apsw.Connection(str(path))
        other.execute("BEGIN EXCLUSIVE")  # as while it is switched to WAL
        with pytest.raises(clew.UnavailableError, match="locked"):
            clew.open(path, busy_timeout=0.01)
        other.execute("ROLLBACK")
        other.close()
        clew.open(path).close()

    def test_a_directory(self, tmp_path: Path) -> None:
        with pytest.raises(clew.UnavailableError, match="is a directory"):
            clew.open(tmp_path)

    def test_a_path_below_a_file(self, tmp_path: Path) -> None:
        (tmp_path / "file").touch()
        with pytest.raises(clew.UnavailableError, match="is not a directory"):
            clew.open(tmp_path / "file" / "store.db")

    @pytest.mark.parametrize(
        "url", ["", "ftp://host/store", "sqlite://host/store.db", "a\0b", "\udcff.db", b"store.db", 7]
    )
    def test_urls_that_name_no_store(self, url: object) -> None:
        with pytest.raises(clew.InvalidRequestError):
            clew.open(url)  # type: ignore[arg-type]

    @pytest.mark.parametrize(
        "option", [{"durability": "maybe"}, {"busy_timeout": -1}, {"busy_timeout": "5"}, {"busy_timeout": True}]
    )
    def test_options_that_mean_nothing(self, option: dict[str, object]) -> None:
        with pytest.raises(clew.InvalidRequestError, match=next(iter(option))):
            clew.open(":memory:", **option)  # type: ignore[arg-type]

    def test_a_url_with_a_password_is_not_repeated_in_the_error(self) -> None:
        with pytest.raises(clew.InvalidRequestError) as raised:
            clew.open("mysql://user:hunter2@host/db")
        assert "hunter2" not in str(raised.value)


class TestFilesThatMove:
    @pytest.mark.parametrize("replace", [False, True])
    def test_a_file_removed_or_replaced_while_it_is_open_is_not_opened_as_the_same(
        self, tmp_path: Path, replace: bool
    ) -> None:
        path = tmp_path / "store.db"
        with clew.open(path) as store:
            store.create_session("old")
            path.rename(tmp_path / "moved.db")
            if replace:
                path.touch()
            with pytest.raises(clew.UnavailableError, match="has been replaced"):
                clew.open(path)
            assert store.list_sessions().total == 1


class TestClosing:
    def test_a_closed_store_says_so_and_closing_again_does_nothing(self, tmp_path: Path) -> None:
        store = clew.open(tmp_path / "store.db")
        store.close()
        store.close()
        with pytest.raises(clew.UnavailableError, match="closed"):
            store.list_sessions()
        with pytest.raises(clew.UnavailableError, match="closed"):
            store.create_session("late")
        with pytest.raises(clew.UnavailableError, match="closed"):
            store.backend_info()

    def test_a_state_not_read_before_the_close_says_so_too(self, tmp_path: Path) -> None:
        with clew.open(tmp_path / "store.db") as store:
            session = store.create_session("one")
            step = store.append(session.id, [{"role": "user"}])
        with pytest.raises(clew.UnavailableError, match="closed"):
            _ = step.state.messages

    def test_the_last_close_leaves_one_file_and_the_lock(self, tmp_path: Path) -> None:
        with clew.open(tmp_path / "store.db") as store:
            store.create_session("one")
        assert sorted(path.name for path in tmp_path.iterdir()) == ["store.db", "store.db-lock"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_forked_child_is_told_to_open_the_store_again(tmp_path: Path) -> None:
    # In a process of its own: forking the test run would copy its threads' locks.
    script = """
import os, sys, clew
store = clew.open(sys.argv[1])
session = store.create_session("parent")
child = os.fork()
if child == 0:
    try:
        store.append(session.id, [{"role": "user"}])
    except clew.UnavailableError as error:
        assert "fork" in str(error), error
    else:
        os._exit(1)
    with clew.open(sys.argv[1]) as own:
        own.append(session.id, [{"role": "child"}])
    os._exit(0)
_, status = os.waitpid(child, 0)
assert status == 0, status
store.append(session.id, [{"role": "parent"}])
import asyncio
awaited = store.aio
asyncio.run(awaited.get_session(session.id))
child = os.fork()
if child == 0:
    try:
        asyncio.run(awaited.get_session(session.id))
    except clew.UnavailableError:
        os._exit(0)
    os._exit(1)
_, status = os.waitpid(child, 0)
assert status == 0, status
assert [m["role"] for m in store.get_active_checkpoint(session.id).state.messages] == ["child", "parent"]
"""
    subprocess.run([sys.executable, "-c", script, str(tmp_path / "store.db")], check=True, timeout=60)
