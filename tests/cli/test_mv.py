"""The promises of `clew mv`."""

import sqlite3
from contextlib import closing
from pathlib import Path

from tests.cli.support import texts


def by_hand(path: Path, statement: str) -> None:
    """Change a file from outside."""
    with closing(sqlite3.connect(path)) as connection, connection:
        assert connection.execute(statement).rowcount


def test_sessions_follow_their_directory_and_are_found_by_the_old_one(command):
    here = command.create("here", cwd="/repo").id
    below = command.create("below", messages=texts(1), cwd="/repo/sub").id
    command.create("elsewhere", cwd="/repository")
    lines = command.lines("mv", "/repo", "/moved")
    assert lines[1:] == [
        f"{here} here", "  /repo -> /moved", f"{below} below", "  /repo/sub -> /moved/sub", "Moved 2 sessions",
    ]  # fmt: skip
    assert command.json("show", below)["cwd"] == "/moved/sub"
    for cwd in ("/repo", "/moved"):
        assert [item["id"] for item in command.json("list", "--cwd", cwd)["sessions"]] == [str(here)]


def test_separators_at_the_end_of_a_name_do_not_count(command):
    session = command.create("here", cwd="/repo").id
    command.lines("mv", "/repo/", "/moved/")
    assert command.json("show", session)["cwd"] == "/moved"
    assert [item["id"] for item in command.json("list", "--cwd", "/moved")["sessions"]] == [str(session)]
    for root in ("/", "C:\\"):
        before = command.json("show", session)["cwd"]
        command.lines("mv", before, root)
        assert command.json("show", session)["cwd"] == root


def test_a_dry_run_changes_nothing(command):
    session = command.create("here", cwd="/repo").id
    assert command.lines("mv", "/repo", "/moved", "--dry-run")[-1] == "Would move 1 session"
    assert command.json("show", session)["cwd"] == "/repo"


def test_json_has_what_was_changed(command):
    session = command.create("here", cwd="/repo").id
    told = command.json("mv", "/repo", "/moved")
    assert told["sessions"] == [{"session_id": str(session), "title": "here", "old_cwd": "/repo", "cwd": "/moved"}]
    assert (told["damaged"], told["dry_run"]) == ([], False)


def test_relative_directories_are_seen_from_here_and_no_file_is_touched(command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "old").mkdir()
    session = command.create("here", cwd=str(tmp_path / "old")).id
    assert command.lines("mv", "old", "./new")[-1] == "Moved 1 session"
    assert command.json("show", session)["cwd"] == str(tmp_path / "new")
    assert (tmp_path / "old").is_dir()
    assert not (tmp_path / "new").exists()


def test_a_directory_of_windows_is_whole(command):
    session = command.create("here", cwd="C:\\repo\\sub").id
    command.output("mv", "C:\\repo", "D:\\repo")
    assert command.json("show", session)["cwd"] == "D:\\repo\\sub"


def test_of_an_owner_only_their_sessions_move(command):
    for owner in ("Ada", "Bob"):
        command.create(owner, cwd="/repo", owner=owner)
    assert command.lines("mv", "/repo", "/moved", "--owner", "Ada")[-1] == "Moved 1 session"


def test_a_damaged_session_stays_is_told_and_ends_with_1(command):
    damaged = command.create("damaged", cwd="/repo").id
    command.create("here", cwd="/repo")
    by_hand(command.path, "UPDATE session SET title = 'Damaged' WHERE title = 'damaged'")
    result = command.run("mv", "/repo", "/moved")
    assert result.exit_code == 1
    lines = result.stdout.splitlines()
    assert lines[-2:] == [
        f"{damaged} is damaged, and stays where it is; `clew verify` says what is wrong", "Moved 1 session",
    ]  # fmt: skip
