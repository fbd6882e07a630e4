"""The promises of `clew validate` and `clew repair`."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from tests.cli.support import texts

CALL = {
    "role": "assistant",
    "content": None,
    "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "run", "arguments": "{}"}}],
}


def by_hand(path: Path, statement: str) -> None:
    """Change a file from outside."""
    with closing(sqlite3.connect(path)) as connection, connection:
        assert connection.execute(statement).rowcount


@pytest.fixture
def broken(command):
    return command.create("a title", messages=[*texts(1), CALL, *texts(2)[1:]]).id


def test_conversations_in_order_end_with_0(command):
    command.create("one", messages=texts(2))
    command.create("two")
    assert command.lines("validate")[1:] == ["Checked 2 sessions: providers would take them all."]


def test_what_is_wrong_is_told_and_ends_with_1(command, broken):
    command.create("other")
    result = command.run("validate")
    assert result.exit_code == 1
    assert result.stdout.splitlines()[1:] == [
        f"{broken} a title",
        "  call_without_result at 1: tool call 'c1' of 'run' has no result",
        "Checked 2 sessions: 1 finding in 1 of them.",
    ]


def test_only_the_sessions_that_are_named_are_looked_at_and_deleted_ones_only_so(command, broken):
    other = command.create("other").id
    assert command.lines("validate", other)[-1] == "Checked 1 session: providers would take them all."
    command.output("delete", broken)
    assert command.lines("validate")[-1] == "Checked 1 session: providers would take them all."
    assert command.run("validate", other, broken).exit_code == 1


def test_json_has_every_finding(command, broken):
    result = command.run("validate", "--json")
    assert result.exit_code == 1
    assert f'"session_id": "{broken}"' in result.stdout
    for text in ('"code": "call_without_result"', '"position": 1', '"id": "c1"', '"damage": null', '"sessions": 1'):
        assert text in result.stdout


def test_a_damaged_session_keeps_no_other_from_being_looked_at(command, broken):
    damaged = command.create("damaged", messages=[{"role": "user", "content": "unlike the others"}]).id
    by_hand(command.path, "UPDATE content SET body = replace(body, 'unlike', 'Unlike')")
    result = command.run("validate")
    assert result.exit_code == 1
    lines = result.stdout.splitlines()
    assert f"{damaged} damaged" in lines
    assert f"{broken} a title" in lines
    assert lines[-1] == "Checked 2 sessions: 2 findings in 2 of them."


def test_a_repair_makes_a_new_checkpoint_and_says_how_to_go_back(command, broken):
    before = command.json("show", broken)["active_checkpoint_id"]
    lines = command.lines("repair", broken)
    after = command.json("show", broken)["active_checkpoint_id"]
    assert lines == [
        "  call_without_result at 1: tool call 'c1' of 'run' has no result",
        f"Repaired {broken}: checkpoint {after} is active",
        f"  back to what it was: clew --store {command.path} rewind {broken} --checkpoint {before}",
    ]
    assert [message["role"] for message in command.messages(broken)] == ["user", "assistant", "tool", "user"]
    assert command.run("validate").exit_code == 0
    assert command.lines("repair", broken) == [f"Nothing to repair in {broken}"]


def test_a_repair_can_drop_the_call(command, broken):
    told = command.json("repair", broken, "--drop")
    assert command.messages(broken) == texts(2)
    assert [flaw["code"] for flaw in told["flaws"]] == ["call_without_result"]
    assert told["checkpoint_id"] == command.json("show", broken)["active_checkpoint_id"]
    nothing = command.json("repair", broken)
    assert (nothing["checkpoint_id"], nothing["flaws"]) == (None, [])
