"""The promises of `clew copy`."""

import json

import psycopg
import pytest
from click.testing import CliRunner
from tests.cli.support import Command, run_in_terminal, texts

import clew
from clew.cli.app import cli
from clew.cli.text import size

KEYS = [
    "created", "updated", "unchanged", "checkpoints", "messages", "attachments", "bytes", "verified", "dry_run",
    "failed", "source", "destination",
]  # fmt: skip


@pytest.fixture
def team(tmp_path):
    return Command(tmp_path / "team.db")


def state(command):
    """What a copy keeps of the sessions of a store, and the messages of each."""
    with command.open() as store:
        return [(item.id, item.title, item.updated_at, command.messages(item.id)) for item in store.list_sessions()]


def test_the_sessions_are_in_the_other_store_then(command, team):
    made = command.create("a title", messages=texts(2))
    command.output("append", made.id, input="more")
    lines = command.lines("copy", command.path, team.path)
    assert lines == [
        f"From: local ({command.path})",
        f"To: local ({team.path})",
        "Sessions:    1 created, 0 updated, 0 unchanged",
        f"Checkpoints: 2 written, with 3 messages and 0 attachments ({size(92)})",
        "All that was written has been read back.",
    ]
    assert state(team) == state(command)
    command.output("append", made.id, input="most")
    assert command.lines("copy", command.path, team.path)[2:4] == [
        "Sessions:    0 created, 1 updated, 0 unchanged",
        f"Checkpoints: 1 written, with 1 message and 0 attachments ({size(32)})",
    ]
    assert state(team) == state(command)


def test_the_store_option_has_no_say(command, team, tmp_path):
    other = Command(tmp_path / "other.db")
    command.create()
    other.output("copy", command.path, team.path)
    assert not other.path.exists()


def test_json_has_the_counts_and_both_ends(command, team):
    command.create(messages=texts(1))
    told = command.json("copy", command.path, team.path)
    assert list(told) == KEYS
    assert [told[name] for name in KEYS[:10]] == [1, 0, 0, 1, 1, 0, 30, True, False, []]
    assert told["source"] == {"kind": "local", "store_path": str(command.path)}
    assert told["destination"] == {"kind": "local", "store_path": str(team.path)}


def test_a_dry_run_makes_and_changes_nothing(command, team):
    made = command.create(messages=texts(1))
    planned = [
        f"From: local ({command.path})",
        f"To: local ({team.path})",
        "Sessions:    1 created, 0 updated, 0 unchanged",
        "Checkpoints: 1 to write",
        "Nothing has been written.",
    ]
    assert command.lines("copy", command.path, team.path, "--dry-run") == planned
    assert not team.path.exists()
    team.create("theirs")
    before = state(team)
    assert command.lines("copy", command.path, team.path, "--dry-run") == planned
    assert command.json("copy", command.path, team.path, "--dry-run")["dry_run"] is True
    assert state(team) == before
    assert str(made.id) not in team.output("list")


def test_chosen_sessions_are_found_by_the_beginning_of_their_ids(command, team):
    made = [command.create(title) for title in "abc"]
    chosen = [str(made[0].id), str(made[2].id)[:30]]
    command.output("copy", command.path, team.path, "--session", chosen[0], "--session", chosen[1])
    assert {session.title for session in team.sessions()} == {"a", "c"}
    for wrong in ("ffff", "01234567-89ab-cdef-0123-456789abcdef"):
        assert command.json_error("copy", command.path, team.path, "--session", wrong)[:2] == (1, "not_found")
    assert command.json_error("copy", command.path, team.path, "--session", "x")[:2] == (2, "invalid_argument")


def test_what_was_written_is_not_read_back_if_so_told(command, team):
    command.create()
    lines = command.lines("copy", command.path, team.path, "--no-verify")
    assert lines[-1] == "What was written has not been read back."
    assert command.json("copy", command.path, team.path, "--no-verify")["verified"] is False


def test_a_session_that_fails_is_named_and_the_others_are_copied(command, team):
    failing = command.create("talk", source="tool", source_id="1")
    command.create("other", messages=texts(1))
    team.create("another", source="tool", source_id="1")
    result = command.run("copy", command.path, team.path)
    assert result.exit_code == 1
    assert f"Failed:      session {failing.id}: the destination has another session '1'" in result.stdout
    assert result.stderr.startswith("Error: Conflict: 1 of 2 sessions could not be copied whole: session ")
    assert {session.title for session in team.sessions()} == {"another", "other"}
    result = command.run("copy", command.path, team.path, "--json")
    assert result.exit_code == 1
    assert json.loads(result.stderr)["code"] == "conflict"
    (failed,) = json.loads(result.stdout)["failed"]
    assert (failed["session_id"], failed["code"]) == (str(failing.id), "conflict")
    assert failed["message"].startswith("the destination has another session")


def test_a_source_that_is_not_there_is_not_made(command, team):
    assert command.json_error("copy", command.path, team.path) == (
        1, "connection_error", f"Connection error: there is no store at {command.path}",
    )  # fmt: skip
    assert not command.path.exists()
    assert not team.path.exists()


def test_the_source_is_opened_read_only(command, team):
    command.create(messages=texts(1))
    command.path.chmod(0o400)
    before = command.path.read_bytes()
    command.output("copy", command.path, team.path)
    assert command.path.read_bytes() == before


def test_a_store_is_not_copied_onto_itself(command):
    command.create()
    exit_code, code, text = command.json_error("copy", command.path, f"sqlite:///{command.path}")
    assert (exit_code, code, text) == (
        2,
        "invalid_request",
        "Invalid request: source and destination are the same store",
    )


@pytest.mark.parametrize("url", ["postgresql://u:hunter2@127.0.0.1:1/x", "mysql://u:hunter2@h/x"])
def test_the_secrets_of_a_url_are_not_told(command, url):
    command.create()
    for ends in ((command.path, url), (url, command.path)):
        result = command.run("copy", *ends)
        assert result.exit_code != 0
        assert "hunter2" not in result.output


def test_a_bar_shows_how_far_it_is_and_is_gone_at_the_end(command, team):
    command.create(messages=texts(1))
    screen = run_in_terminal("copy", command.path, team.path)
    assert screen.exit_code == 0
    assert "━" in screen.raw
    assert screen.lines[-1] == "All that was written has been read back."


def test_a_dry_run_makes_no_tables_in_a_database(command, postgres_server):
    command.create(messages=texts(2))
    url = postgres_server.create_database()
    assert command.lines("copy", command.path, url, "--dry-run")[-1] == "Nothing has been written."
    for words in (["verify"], ["info"], ["copy", url, str(command.path)]):
        result = CliRunner().invoke(cli, ["--store", url, *words])
        assert result.exit_code == 1
        assert "there is no store at postgresql://" in result.stderr
    with psycopg.connect(url) as connection:
        assert connection.execute("SELECT count(*) FROM pg_class WHERE relname LIKE 'clew%'").fetchone() == (0,)
    postgres_server.drop_database(url)


def test_to_a_team_and_back(command, tmp_path, postgres_url):
    made = command.create("a title", messages=texts(2))
    assert command.lines("copy", command.path, postgres_url)[1].startswith("To: postgresql (endpoint: ")
    with clew.open(postgres_url) as store:
        store.append(made.id, texts(1))
    command.output("copy", postgres_url, command.path)
    assert command.messages(made.id) == texts(2) + texts(1)
    assert "0 created, 0 updated, 1 unchanged" in command.output("copy", command.path, postgres_url)
