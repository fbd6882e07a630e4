"""The promises of `clew import`: a command for each importer, a report, and what is broken named."""

import json
from pathlib import Path

import pytest
from tests.cli.support import AGENT_BROKEN, AGENT_SESSION, texts, write_agent_store

from clew.importers import IMPORTERS

REPORT_KEYS = {
    "importer", "path", "sessions_created", "sessions_updated", "sessions_unchanged", "checkpoints_created",
    "checkpoints_known", "bytes_read", "broken", "mended",
}  # fmt: skip


@pytest.fixture
def talk(tmp_path):
    """A file with two messages and an element that is none."""
    path = tmp_path / "talk.json"
    path.write_text(json.dumps([*texts(2), 42]))
    return path


@pytest.fixture
def local_db(home):
    """The agent's store where the agent keeps it."""
    path = home / ".stakpak" / "data" / "local.db"
    path.parent.mkdir(parents=True)
    write_agent_store(path, "from the \x1bagent")
    return path


def test_there_is_a_command_for_each_importer(command):
    output = command.output("import", "--help")
    assert IMPORTERS
    for importer in IMPORTERS.values():
        assert f"  {importer.name} " in output
        assert importer.summary in " ".join(output.split())


def test_messages_become_a_session_and_the_broken_one_is_named(command, talk):
    lines = command.lines("import", "messages", talk)
    assert lines[0] == f"Backend: local ({command.path})"
    assert lines[1].startswith(f"Imported {talk} (messages, ")
    assert lines[2:] == [
        "  Sessions:    1 created, 0 updated, 0 unchanged",
        "  Checkpoints: 2 created",
        "  Broken:      1 row (left out)",
        "    messages 2: is not an object",
    ]
    (session,) = command.sessions()
    assert command.messages(session.id) == texts(2)


def test_a_second_run_brings_nothing_twice(command, talk):
    command.output("import", "messages", talk)
    assert "  Sessions:    0 created, 0 updated, 1 unchanged" in command.lines("import", "messages", talk)
    assert len(command.sessions()) == 1


def test_json_has_a_report_for_each_file(command, talk):
    imported = command.json("import", "messages", talk)
    assert list(imported) == ["imports", "backend"]
    (report,) = imported["imports"]
    assert set(report) >= REPORT_KEYS
    assert (report["importer"], report["path"], report["sessions_created"]) == ("messages", str(talk), 1)
    assert report["broken"] == [{"table": "messages", "id": "2", "why": "is not an object"}]
    assert report["mended"] == []


def test_without_a_path_the_agents_own_file_is_imported(command, local_db):
    output = command.output("import", "stakpak")
    assert str(local_db) in output
    assert command.output("show", AGENT_SESSION).count("[1] user") == 1
    assert f"checkpoints {AGENT_BROKEN}: " in output
    assert "\x1b" not in output


def test_a_path_may_begin_with_a_tilde(command, local_db):
    assert "1 created" in command.output("import", "stakpak", "~/.stakpak/data/local.db")


@pytest.mark.parametrize("name", ["stakpak", "messages"])
def test_without_a_path_and_without_a_file_in_its_place_a_path_is_asked_for(command, name):
    exit_code, code, text = command.json_error("import", name)
    assert (exit_code, code) == (2, "invalid_argument")
    assert text.endswith("give a PATH")
    assert not command.path.exists()


@pytest.mark.parametrize("name", ["stakpak", "messages"])
def test_a_file_that_does_not_exist_is_not_found(command, tmp_path, name):
    assert command.json_error("import", name, tmp_path / "missing")[:2] == (1, "not_found")


@pytest.mark.parametrize("name", ["stakpak", "messages"])
def test_a_file_of_another_format_is_refused(command, tmp_path, name):
    (tmp_path / "other").write_text("something else")
    exit_code, code, text = command.json_error("import", name, tmp_path / "other")
    assert (exit_code, code) == (2, "invalid_request")
    assert str(tmp_path / "other") in text
    assert command.sessions() == []


def test_an_importer_that_does_not_exist_is_a_usage_error(command):
    exit_code, text = command.error("import", "nothing")
    assert exit_code == 2
    assert "No such command 'nothing'" in text


@pytest.mark.parametrize("path", ["nowhere.jsonl", "./nowhere", "~/nowhere"])
def test_a_path_of_nothing_is_said_not_to_exist(command, path):
    exit_code, code, text = command.json_error("import", path)
    assert (exit_code, code) == (1, "not_found")
    assert text.endswith(f"{Path(path).name} does not exist")


def test_a_mistyped_format_brings_the_one_that_was_meant(command):
    exit_code, text = command.error("import", "codxe")
    assert exit_code == 2
    assert "No such command 'codxe'" in text
    assert "codex" in text


@pytest.mark.parametrize(
    ("text", "why"),
    [("{bad", "is not JSON"), ('{"a": 1}', "is JSON, but no rollout"), ("[]", "is JSON, but no rollout")],
)
def test_a_document_that_is_no_rollout_is_refused_by_what_it_is(command, tmp_path, text, why):
    path = tmp_path / "b.json"
    path.write_text(text)
    exit_code, code, told = command.json_error("import", "codex", path)
    assert (exit_code, code) == (2, "invalid_request")
    assert why in told
    assert "bytes" not in told
