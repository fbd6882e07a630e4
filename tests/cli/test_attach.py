"""The promises of `clew attach` and `clew attachments`."""

import os
import stat
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from tests.cli.support import texts

from clew import limits
from clew.cli import files
from clew.cli.attaching import content_type_of
from clew.cli.errors import InvalidArgumentError

BYTES = bytes(range(256))


@pytest.fixture
def steps(command):
    """Two checkpoints of a session, the first labelled, the second active."""
    session = command.create(messages=texts(1))
    with command.open() as store:
        store.set_label(session.active_checkpoint.id, "first")
        return [session.active_checkpoint, store.append(session.id, texts(1))]


@pytest.fixture
def session(steps):
    return steps[0].session_id


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """The folder that the command is run in."""
    folder = tmp_path / "folder"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def report(folder):
    (folder / "report.pdf").write_bytes(BYTES)
    return "report.pdf"


def attached(command, session, *arguments):
    return {item["name"]: item for item in command.json("attachments", session, *arguments)["attachments"]}


class TestAttach:
    def test_files_are_kept_beside_the_active_checkpoint_by_their_names(self, command, session, steps, report, folder):
        (folder / "sub").mkdir()
        (folder / "sub" / "notes").write_text("é")
        two = steps[1].id
        assert command.lines("attach", session, report, "sub/notes") == [
            f"Attached report.pdf (256 bytes, application/pdf) to {two}",
            f"Attached notes (2 bytes) to {two}",
        ]
        assert command.lines("attachments", session) == [
            f"Backend: local ({command.path})",
            "  2 bytes  -                notes",
            "256 bytes  application/pdf  report.pdf",
        ]
        with command.open() as store:
            assert store.get_attachment(two, "report.pdf") == BYTES
            assert store.list_attachments(steps[0].id) == []

    @pytest.mark.parametrize("how", ["--checkpoint", "--label"])
    def test_they_may_be_for_any_checkpoint(self, command, session, steps, report, how):
        where = (how, steps[0].id if how == "--checkpoint" else "first")
        command.output("attach", session, report, *where)
        assert list(attached(command, session, *where)) == ["report.pdf"]
        assert attached(command, session) == {}

    def test_they_wait_for_a_label_that_comes_later(self, command, session, report):
        (line,) = command.lines("attach", session, report, "--label", "later")
        told = 'Attached report.pdf (256 bytes, application/pdf) to the label "later"'
        assert line == f"{told}, which no checkpoint has yet: there it waits"
        assert command.lines("attachments", session, "--label", "later")[1:] == [
            "These wait for the label, which no checkpoint has yet:",
            "256 bytes  application/pdf  report.pdf",
        ]
        shown = command.json("attachments", session, "--label", "later")
        assert (shown["checkpoint_id"], shown["attachments"][0]["name"]) == (None, "report.pdf")
        command.output("append", session, "--label", "later", input="x")
        assert list(attached(command, session)) == ["report.pdf"]

    def test_name_and_type_may_be_given(self, command, session, report):
        command.output("attach", session, report, "--name", "a/b.txt", "--type", "x/y")
        command.output("attach", session, "-", "--name", "typed.csv", input=BYTES)
        assert attached(command, session) == {
            "a/b.txt": {"name": "a/b.txt", "size": 256, "content_type": "x/y"},
            "typed.csv": {"name": "typed.csv", "size": 256, "content_type": "text/csv"},
        }

    def test_other_content_under_a_name_is_a_conflict_unless_it_is_to_be_replaced(self, command, session, report):
        command.output("attach", session, report)
        command.output("attach", session, report)
        Path(report).write_bytes(b"other")
        Path("new").write_bytes(b"")
        assert command.json_error("attach", session, "new", report)[:2] == (1, "conflict")
        assert [item["size"] for item in attached(command, session).values()] == [256]
        command.output("attach", session, "new", report, "--replace")
        assert [item["size"] for item in attached(command, session).values()] == [0, 5]

    def test_json_says_what_was_attached_to_what(self, command, session, steps, report):
        told = command.json("attach", session, report)
        assert told == {
            "attached": [{"name": "report.pdf", "size": 256, "content_type": "application/pdf"}],
            "session_id": str(session),
            "checkpoint_id": str(steps[1].id),
            "label": None,
            "backend": {"kind": "local", "store_path": str(command.path)},
        }
        told = command.json("attach", session, report, "--label", "x")
        assert (told["checkpoint_id"], told["label"]) == (None, "x")

    @pytest.mark.parametrize(
        ("arguments", "told"),
        [
            (("missing",), "cannot read 'missing': No such file or directory"),
            ((".",), "cannot read '.': Is a directory"),
            (("a\0b",), "cannot read 'a\0b': embedded null byte"),
            (("-",), "standard input has no name: --name gives it one"),
            (("x", "y", "--name", "n"), "--name is the name of one file, and there are several"),
            (("/etc/passwd", "/etc/../etc/passwd"), "two of the files are called 'passwd'"),
            (("x", "--label", "l", "--checkpoint", "abcd"), "give --checkpoint or --label, not both"),
        ],
    )
    def test_what_cannot_be_read_is_refused_before_the_store_is_opened(self, command, arguments, told):
        assert command.json_error("attach", uuid4(), *arguments) == (2, "invalid_argument", told)
        assert not command.path.exists()

    def test_more_than_a_store_takes_is_refused(self, command, session, report, monkeypatch):
        monkeypatch.setattr(limits, "MAX_ATTACHMENT_BYTES", 255)
        monkeypatch.setattr(files, "_CHUNK", 100)
        assert command.json_error("attach", session, report) == (
            2,
            "invalid_request",
            "Invalid request: report.pdf is more than the 255 bytes of MAX_ATTACHMENT_BYTES",
        )

    def test_without_standard_input_that_is_said(self, monkeypatch):
        monkeypatch.setattr("sys.stdin", None)
        with pytest.raises(InvalidArgumentError, match="standard input is closed"):
            files.read_file("-")

    @pytest.mark.parametrize(
        ("name", "content_type"),
        [
            ("a.png", "image/png"), ("A.PNG", "image/png"), ("a.tar.gz", "application/gzip"),
            ("a.json", "application/json"), ("x.bz2", "application/x-bzip2"), ("a.Z", None), ("noend", None),
            ("", None), ("data:,x", None), ("http://h/a.png", "image/png"), ("a.png/b", None), (".png", None),
            ("\ud800.txt", "text/plain"),
        ],
    )  # fmt: skip
    def test_the_content_type_is_what_the_name_says(self, name, content_type):
        assert content_type_of(name) == content_type


class TestList:
    def test_no_attachments_are_said_so(self, command, session):
        assert command.lines("attachments", session)[1:] == ["No attachments."]

    def test_one_is_listed_by_its_name(self, command, session, report):
        command.output("attach", session, report)
        command.output("attach", session, report, "--name", "report.pdf2")
        assert list(attached(command, session, "report.pdf")) == ["report.pdf"]
        exit_code, code, _ = command.json_error("attachments", session, "report.pd")
        assert (exit_code, code) == (1, "not_found")

    def test_json_says_of_what_they_are(self, command, session, steps):
        told = command.json("attachments", session, "--label", "first")
        assert told == {
            "backend": {"kind": "local", "store_path": str(command.path)},
            "session_id": str(session),
            "checkpoint_id": str(steps[0].id),
            "attachments": [],
        }

    def test_names_and_types_cannot_break_a_line(self, command, session, report):
        nasty = "\x1b]0;owned\x07\u202e\r\n1 byte"
        command.output("attach", session, report, "--name", nasty, "--type", nasty)
        assert command.lines("attachments", session)[1:] == ["256 bytes  ]0;owned 1 byte  ]0;owned 1 byte"]
        assert list(attached(command, session)) == [nasty]


class TestWrite:
    @pytest.fixture(autouse=True)
    def attachment(self, command, session, report):
        command.output("attach", session, report)

    def test_it_is_written_into_a_new_file_for_its_owner_alone(self, command, session):
        old = os.umask(0)
        try:
            (line,) = command.lines("attachments", session, "report.pdf", "-o", "out")
        finally:
            os.umask(old)
        assert line == "Wrote report.pdf (256 bytes, application/pdf) into out"
        assert Path("out").read_bytes() == BYTES
        assert stat.S_IMODE(Path("out").stat().st_mode) == 0o600

    def test_a_file_that_is_there_stays_unless_it_is_to_be_replaced(self, command, session, folder):
        Path("out").write_text("mine")
        Path("link").symlink_to("out")
        for name in ("out", "link", "."):
            exit_code, code, text = command.json_error("attachments", session, "report.pdf", "--output", name)
            assert (exit_code, code) == (2, "invalid_argument")
            assert "--force" in text
        assert Path("out").read_text() == "mine"
        command.output("attachments", session, "report.pdf", "--output", "link", "--force")
        assert Path("out").read_bytes() == BYTES
        assert Path("link").is_symlink()
        assert stat.S_IMODE(Path("out").stat().st_mode) == 0o600
        assert sorted(path.name for path in folder.iterdir()) == ["link", "out", "report.pdf"]

    @pytest.mark.parametrize("name", [".", "/dev/null"])
    def test_what_is_no_file_is_never_replaced(self, command, session, name):
        text = command.json_error("attachments", session, "report.pdf", "-o", name, "--force")[2]
        assert text == f"cannot write '{name}': it is there, and is no file"
        assert not Path("/dev/null").is_file()

    @pytest.mark.parametrize("name", ["missing/out", "report.pdf/x", "a\0b", "", "loop"])
    def test_a_file_that_cannot_be_made_is_refused(self, command, session, name):
        Path("loop").symlink_to("loop")
        for force in ((), ("--force",)):
            exit_code, code, _ = command.json_error("attachments", session, "report.pdf", "-o", name, *force)
            assert (exit_code, code) == (2, "invalid_argument")

    @pytest.mark.parametrize("force", [True, False])
    def test_a_write_that_fails_leaves_nothing_and_keeps_what_was_there(self, folder, monkeypatch, force):
        Path("old").write_text("mine")
        real = os.fdopen

        def full(descriptor, mode):
            real(descriptor, mode).close()
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(os, "fdopen", full)
        with pytest.raises(InvalidArgumentError, match="No space left"):
            files.write_file("old" if force else "new", BYTES, force=force)
        assert sorted(path.name for path in folder.iterdir()) == ["old", "report.pdf"]
        assert Path("old").read_text() == "mine"

    def test_standard_output_gets_the_bytes_and_nothing_else(self, command, session):
        result = command.run("attachments", session, "report.pdf", "-o", "-")
        assert (result.exit_code, result.stdout_bytes, result.stderr) == (0, BYTES, "")

    def test_json_says_where_it_is(self, command, session):
        assert command.json("attachments", session, "report.pdf", "-o", "out") == {
            "attachment": {"name": "report.pdf", "size": 256, "content_type": "application/pdf"},
            "output": "out",
            "backend": {"kind": "local", "store_path": str(command.path)},
        }

    @pytest.mark.parametrize(
        ("arguments", "told"),
        [
            (("-o", "out"), "--output needs the NAME of the attachment to write"),
            (("x", "--force"), "--force is for the file of --output"),
            (("x", "-o", "-"), "standard output takes the attachment or JSON, not both"),
        ],
    )
    def test_what_makes_no_sense_is_refused(self, command, arguments, told):
        assert command.json_error("attachments", UUID(int=9), *arguments) == (2, "invalid_argument", told)

    def test_one_that_is_not_there_makes_no_file(self, command, session):
        assert command.json_error("attachments", session, "missing", "-o", "out")[:2] == (1, "not_found")
        assert not Path("out").exists()
