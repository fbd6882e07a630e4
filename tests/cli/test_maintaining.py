"""The promises of `clew verify`, `clew backup` and `clew compact`."""

import json
import sqlite3
import stat
from contextlib import closing
from pathlib import Path
from uuid import UUID

import pytest
from click.testing import CliRunner
from tests.cli.support import texts

import clew
from clew import Backup, Compaction, Finding, Progress
from clew.cli.app import cli
from clew.errors import CorruptStateError

A, B = UUID(int=1), UUID(int=2)
FINDINGS = [
    Finding(kind="message", message="not what\nwas written\x1b", session_id=A, checkpoint_id=B, position=2),
    Finding(kind="attachment", message="lost", checkpoint_id=B, attachment="a\x1b\nb"),
    Finding(kind="file", message="SQLite: wrong"),
    Finding(kind="label", message=f"of checkpoint {B}", session_id=A, checkpoint_id=B),
]


def found(monkeypatch, findings):
    def verify(_, *, progress):
        for number, finding in enumerate(findings, 1):
            progress(Progress(done=number, total=None, unit="pages"))
            yield finding
        progress(Progress(done=4, total=4, unit="sessions"))
        progress(Progress(done=1_234, total=1_234, unit="messages"))

    monkeypatch.setattr(clew.Store, "verify", verify)


@pytest.mark.parametrize("name", ["verify", "backup out", "compact", "prune --keep-last 1"])
def test_a_store_that_is_not_there_is_not_made(command, name):
    told = command.json_error(*name.split())
    assert told == (1, "connection_error", f"Connection error: there is no store at {command.path}")
    assert not command.path.exists()


@pytest.mark.parametrize("name", ["verify", "compact", "prune --keep-last 1"])
def test_a_store_in_memory_is_looked_after_like_any_other(name):
    result = CliRunner().invoke(cli, ["--store", ":memory:", *name.split()])
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.startswith("Backend: local (:memory:)\n")


class TestVerify:
    def test_a_store_in_which_nothing_is_wrong_says_what_was_checked(self, command):
        for _ in range(3):
            command.create(messages=texts(2))
        head, checked = command.lines("verify")
        assert head == f"Backend: local ({command.path})"
        assert checked.startswith("Checked 3 sessions")
        assert checked.endswith(": nothing is wrong.")
        told = command.json("verify")
        assert list(told) == ["findings", "checked", "backend"]
        assert (told["findings"], told["checked"]["sessions"]) == ([], 3)

    def test_damage_is_named_and_the_exit_code_is_1(self, command):
        made = command.create(messages=texts(2))
        with closing(sqlite3.connect(command.path)) as connection, connection:
            connection.execute("UPDATE content SET body = replace(body, 'm2', 'm3')")
        result = command.run("verify")
        assert (result.exit_code, result.stderr) == (1, "")
        assert str(made.active_checkpoint.id) in result.stdout
        assert result.stdout.splitlines()[-1].endswith(" finding.")
        result = command.run("verify", "--json")
        assert (result.exit_code, result.stderr) == (1, "")

    def test_each_finding_is_a_line_with_its_place_and_the_last_line_counts(self, command, monkeypatch):
        command.create()
        found(monkeypatch, FINDINGS)
        result = command.run("verify")
        assert (result.exit_code, result.stderr) == (1, "")
        assert result.stdout.splitlines()[1:] == [
            f"message: not what was written (session {A}, checkpoint {B}, position 2)",
            f"attachment: lost (checkpoint {B}, attachment a b)",
            "file: SQLite: wrong",
            f"label: of checkpoint {B} (session {A})",
            "Checked 4 pages, 4 sessions, 1,234 messages: 4 findings.",
        ]

    def test_json_is_one_document(self, command, monkeypatch):
        command.create()
        found(monkeypatch, FINDINGS)
        result = command.run("verify", "--json")
        assert (result.exit_code, result.stderr) == (1, "")
        told = json.loads(result.stdout)
        assert told["findings"][0] == {
            "kind": "message",
            "message": "not what\nwas written\x1b",
            "session_id": str(A),
            "checkpoint_id": str(B),
            "position": 2,
            "attachment": None,
        }
        assert told["checked"] == {"pages": 4, "sessions": 4, "messages": 1234}

    def test_what_was_found_before_a_failure_has_been_printed(self, command, monkeypatch):
        command.create()

        def verify(_, *, progress):
            yield FINDINGS[2]
            raise CorruptStateError("too much is wrong")

        monkeypatch.setattr(clew.Store, "verify", verify)
        result = command.run("verify")
        assert result.stdout.splitlines()[1:] == ["file: SQLite: wrong"]
        assert (result.exit_code, result.stderr) == (1, "Error: Corrupt state: too much is wrong\n")

    def test_it_changes_nothing(self, command):
        command.create(messages=texts(1))
        before = command.path.read_bytes()
        command.output("verify")
        assert command.path.read_bytes() == before

    def test_a_file_that_is_no_store_is_an_error(self, command):
        command.path.write_bytes(b"no store" * 1000)
        assert command.json_error("verify")[:2] == (1, "connection_error")


class TestBackup:
    def test_the_copy_is_a_store_of_its_own(self, command, tmp_path, monkeypatch):
        made = command.create("a title", messages=texts(2))
        monkeypatch.chdir(tmp_path)
        copy = tmp_path / "copy.db"
        lines = command.lines("backup", "copy.db")
        assert lines[:2] == [f"Backend: local ({command.path})", f"Backed up to {copy}"]
        assert lines[2].startswith("  1 session, ")
        assert lines[2].endswith(" kB, checked")
        assert stat.S_IMODE(copy.stat().st_mode) == 0o600
        command.path = copy
        assert command.messages(made.id) == texts(2)

    def test_json_says_what_was_made(self, command, tmp_path):
        command.create()
        copy = tmp_path / "copy.db"
        assert command.json("backup", copy) == {
            "path": str(copy),
            "bytes": copy.stat().st_size,
            "sessions": 1,
            "verified": True,
            "backend": {"kind": "local", "store_path": str(command.path)},
        }

    def test_a_file_that_is_there_stays_unless_it_is_to_be_replaced(self, command, tmp_path):
        command.create()
        copy = tmp_path / "copy.db"
        copy.write_text("mine")
        assert command.json_error("backup", copy)[:2] == (2, "invalid_request")
        assert copy.read_text() == "mine"
        command.output("backup", copy, "--force")
        assert copy.stat().st_size > 4

    def test_the_options_reach_the_store(self, command, monkeypatch):
        command.create()
        given = []

        def backup(_, path, **options):
            given.append((path, options["overwrite"], options["verify"]))
            return Backup(path="a\x1b\nb", bytes=1_234, sessions=2, verified=False)

        monkeypatch.setattr(clew.Store, "backup", backup)
        assert command.lines("backup", "/x", "--force", "--no-verify")[1:] == [
            "Backed up to a b",
            "  2 sessions, 1.2 kB, not checked",
        ]
        command.output("backup", "/x")
        assert given == [("/x", True, False), ("/x", False, True)]

    def test_the_store_is_not_copied_onto_itself(self, command):
        command.create()
        before = command.sessions()
        assert command.json_error("backup", command.path, "--force")[0] == 2
        assert command.sessions() == before


class TestCompact:
    def test_it_says_how_large_the_store_was_and_is(self, command, monkeypatch):
        command.create()
        monkeypatch.setattr(clew.Store, "compact", lambda *_, **__: Compaction(bytes_before=12_345, bytes_after=999))
        assert command.lines("compact")[1:] == ["12.3 kB before, 999 bytes now"]

    def test_json_has_the_bytes(self, command):
        made = command.create(messages=[{"role": "user", "content": "x" * 1_000_000}])
        command.output("purge", made.id, "--yes")
        told = command.json("compact")
        assert list(told) == ["bytes_before", "bytes_after", "backend"]
        assert told["bytes_after"] <= told["bytes_before"]
        assert told["bytes_after"] < 500_000
        assert Path(told["backend"]["store_path"]) == command.path
