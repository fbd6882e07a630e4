"""What a file keeps of the directories that sessions were in."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

import clew


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A store with a session that was moved."""
    with clew.open(tmp_path / "store.db") as store:
        store.create_session("moved", cwd="/a")
        store.move_directory("/a", "/b")
    return tmp_path / "store.db"


def by_hand(path: Path, statement: str) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        assert connection.execute(statement).rowcount == 1


@pytest.mark.parametrize("change", ["cwd = '/c'", "seal = seal + 1"])
def test_a_changed_former_directory_is_found_and_goes_into_no_fork(path: Path, change: str) -> None:
    by_hand(path, f"UPDATE former_directory SET {change}")
    with clew.open(path) as store:
        (session,) = store.list_sessions()
        assert [(finding.kind, finding.session_id) for finding in store.verify()] == [("former_directory", session.id)]
        fork = store.fork_session(session.id)
        assert fork.id not in [item.id for item in store.list_sessions(cwd="/c")]


def test_a_damaged_session_is_told_and_keeps_no_other_from_being_moved(path: Path) -> None:
    with clew.open(path) as store:
        (damaged,) = store.list_sessions()
        other = store.create_session("other", cwd="/b")
    by_hand(path, "UPDATE session SET title = 'Moved' WHERE title = 'moved'")
    with clew.open(path) as store:
        for dry_run in (True, False):
            moved = store.move_directory("/b", "/c", dry_run=dry_run)
            assert ([item.session_id for item in moved.sessions], moved.damaged) == ([other.id], [damaged.id])
        assert store.get_session(other.id).cwd == "/c"


def test_a_rollback_that_would_forget_former_directories_is_refused_unless_told_to(path: Path) -> None:
    with clew.migrations(path) as schema:
        with pytest.raises(clew.InvalidRequestError, match="discard 1 former directories"):
            schema.rollback(to=6)
        assert schema.rollback(to=6, discard=True) == [7]
    with clew.open(path) as store:
        assert (len(store.list_sessions(cwd="/a")), len(store.list_sessions(cwd="/b"))) == (0, 1)
        assert list(store.verify()) == []
