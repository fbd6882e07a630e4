"""The promises of `clew rename`, `delete`, `restore` and `purge`."""

from uuid import uuid4

import pytest
from tests.cli.support import texts

import clew
from clew.errors import CorruptStateError, UnavailableError

HEAD_KEYS = [
    "id", "title", "status", "visibility", "cwd", "created_at", "updated_at", "active_checkpoint_id", "message_count",
    "backend",
]  # fmt: skip


@pytest.fixture
def session(command):
    return command.create("a title", messages=texts(2)).id


def test_a_session_gets_another_title(command, session):
    assert command.lines("rename", session, "other\n\x1bone") == [f"Renamed {session} to other one"]
    assert command.json("show", session)["title"] == "other\n\x1bone"


def test_braces_in_a_title_are_shown_as_they_are(command, session):
    assert command.lines("rename", session, "{id} {0} {") == [f"Renamed {session} to {{id}} {{0}} {{"]


def test_delete_marks_and_restore_undoes(command, session):
    assert command.lines("delete", session) == [f"Deleted {session}"]
    assert command.json("show", session)["status"] == "DELETED"
    assert command.lines("restore", session) == [f"Restored {session}"]
    assert command.json("show", session)["status"] == "ACTIVE"
    assert command.messages(session) == texts(2)


@pytest.mark.parametrize("arguments", [("delete",), ("restore",), ("rename", "new")])
def test_json_has_the_session_as_it_is_now(command, session, arguments):
    name, *rest = arguments
    changed = command.json(name, session, *rest)
    assert list(changed)[: len(HEAD_KEYS)] == HEAD_KEYS
    shown = command.json("show", session)
    assert shown.pop("messages") == texts(2)
    shown.pop("checkpoint_id")
    assert changed == shown


@pytest.mark.parametrize("arguments", [("delete",), ("restore",), ("rename", "x"), ("purge", "--yes")])
def test_a_session_that_does_not_exist_is_not_found(command, arguments):
    id = uuid4()
    name, *rest = arguments
    assert command.json_error(name, id, *rest) == (1, "not_found", f"Not found: Session {id} not found")


@pytest.mark.parametrize("arguments", [("delete",), ("rename", "x"), ("purge", "--yes")])
def test_the_beginning_of_an_id_is_enough(command, session, arguments):
    name, *rest = arguments
    assert str(session) in command.output(name, str(session)[:13], *rest)


class TestPurge:
    def test_it_asks_on_standard_error_and_does_it_when_told_yes(self, command, session):
        result = command.run("purge", session, input="y\n")
        assert result.exit_code == 0
        assert result.stdout == f"Purged {session}\n"
        assert f'Purge {session} "a title" (2 messages)? This cannot be undone [y/N]: ' in result.stderr
        assert command.sessions() == []

    @pytest.mark.parametrize("answer", ["n\n", "\n", ""])
    def test_anything_but_yes_leaves_the_session(self, command, session, answer):
        result = command.run("purge", session, input=answer)
        assert (result.exit_code, result.stdout) == (1, "")
        assert result.stderr.endswith("Aborted!\n")
        assert len(command.sessions()) == 1

    def test_yes_is_not_asked_again(self, command, session):
        assert command.lines("purge", session, "--yes") == [f"Purged {session}"]
        assert command.sessions() == []

    def test_json_needs_yes(self, command, session):
        exit_code, code, text = command.json_error("purge", session, input="y\n")
        assert (exit_code, code) == (2, "invalid_argument")
        assert "--yes" in text
        assert len(command.sessions()) == 1
        assert command.json("purge", session, "--yes") == {
            "purged": str(session),
            "backend": {"kind": "local", "store_path": str(command.path)},
        }

    def test_control_characters_of_the_title_are_not_in_the_question(self, command):
        session = command.create("\x1b[2Ja\nb")
        assert '"[2Ja b"' in command.run("purge", session.id, input="n\n").stderr

    def test_a_damaged_session_can_be_purged(self, command, session, monkeypatch):
        def damaged(*_):
            raise CorruptStateError("damaged")

        monkeypatch.setattr(clew.Store, "get_session", damaged)
        result = command.run("purge", session, input="y\n")
        assert result.exit_code == 0
        assert "whose messages are damaged" in result.stderr
        assert command.sessions() == []

    def test_a_purge_that_could_not_clear_the_log_fails_with_what_the_store_says(self, command, session, monkeypatch):
        def held(*_):
            raise UnavailableError("purged, but a reader holds the log")

        monkeypatch.setattr(clew.Store, "purge_session", held)
        told = command.json_error("purge", session, "--yes")
        assert told == (1, "connection_error", "Connection error: purged, but a reader holds the log")
