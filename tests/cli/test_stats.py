"""The promises of `clew stats`."""

import pytest
from rich.cells import cell_len
from tests.cli.support import minute, run_in_terminal, texts

CALL = {
    "role": "assistant",
    "content": None,
    "tool_calls": [{"id": "1", "type": "function", "function": {"name": "run", "arguments": "{}"}}],
    "usage": {"input_tokens": 1200, "output_tokens": 30},
}
RESULT = {"role": "tool", "tool_call_id": "1", "content": "no", "is_error": True}


@pytest.fixture
def session(command):
    made = command.create("a title", messages=texts(2), created_at=minute(0))
    with command.open() as store:
        store.append(made.id, [CALL, RESULT], label="called", created_at=minute(2))
        store.append(made.id, texts(1), created_at=minute(60))
    return made.id


def test_the_store_is_counted(command, session):
    command.create("other", created_at=minute(24 * 60), source="tool", source_id="1")
    lines = command.lines("stats")
    assert lines[1].split() == ["Sessions:", "2", "(2", "active,", "0", "deleted)"]
    assert lines[2].split() == ["Checkpoints:", "4"]
    assert any(line.startswith("Messages:    4 stored, ") for line in lines)
    assert any(line.startswith("2026-01-02  ███") and line.endswith("  3 in 1 session") for line in lines)
    assert any(line.startswith("2026-01-03  ███") and line.endswith("  1 in 1 session") for line in lines)
    assert any(line.endswith(f"{session}  a title") for line in lines)
    assert any(line.startswith("tool    ███") for line in lines)


def test_the_longest_bar_is_of_the_greatest_number_and_the_least_is_not_empty(command, session):
    command.create("other", created_at=minute(24 * 60))
    bars = [line.count("█") for line in command.lines("stats") if line.startswith("2026-")]
    assert bars == [40, round(40 / 3)]


@pytest.mark.parametrize("name", ["検索", "mcp__playwright__browser_take_screenshot__of_all"])
def test_bars_begin_in_one_column_below_names_of_any_width(command, name):
    for number, source in enumerate(("tool", name)):
        command.create("a title", source=source, source_id=str(number))
    screen = run_in_terminal("--store", command.path, "stats", columns=80)
    places = [cell_len(line[: line.index("█")]) for line in screen.lines if line.startswith(("tool ", name[:2]))]
    assert len(places) == 2
    assert len(set(places)) == 1


def test_a_session_is_counted(command, session):
    lines = command.lines("stats", session)
    assert "Messages:    5 (user 3, assistant 1, tool 1)" in lines
    assert "Time:        2026-01-02 03:04:05 to 2026-01-02 04:04:05, active 2 min 0 s" in lines
    assert "Tokens:      1,200 in, 30 out, 0 from the cache, 0 into it" in lines
    assert "Tool calls:  1 (0 successful, 1 failed, 0 aborted)" in lines
    assert lines[-1] == f"run  {'█' * 40}  1 (1 failed)"


def test_a_session_is_counted_up_to_a_checkpoint(command, session):
    assert command.json("stats", session)["message_count"] == 5
    assert command.json("stats", session, "--label", "called")["message_count"] == 4


def test_json_has_the_names_of_the_agents_statistics_first(command, session):
    told = command.json("stats", session)
    assert list(told)[:8] == [
        "total_sessions", "total_tool_calls", "successful_tool_calls", "failed_tool_calls", "aborted_tool_calls",
        "sessions_with_activity", "total_time_saved_seconds", "tools_usage",
    ]  # fmt: skip
    assert told["tools_usage"] == [
        {
            "tool_name": "run", "display_name": "run", "time_saved_per_call": None, "time_saved_seconds": None,
            "usage_counts": {"total": 1, "successful": 0, "failed": 1, "aborted": 0},
        }
    ]  # fmt: skip
    assert told["first_at"] == "2026-01-02T03:04:05Z"


def test_json_of_the_store_has_every_day_and_what_sharing_saves(command, session):
    told = command.json("stats")
    assert told["days"] == [{"day": "2026-01-02", "checkpoints": 3, "sessions": 1}]
    assert told["saved_bytes"] == told["copied_bytes"] - told["message_bytes"] > 0
    assert [item["session_id"] for item in told["biggest"]] == [str(session)]


def test_of_an_owner_only_their_sessions_are_counted(command, session):
    command.create("hers", owner="Ada")
    assert command.json("stats", "--owner", "Ada")["sessions"] == 1


def test_what_does_not_go_together_is_refused(command, session):
    for arguments in ((session, "--owner", "Ada"), ("--label", "called")):
        assert command.json_error("stats", *arguments)[:2] == (2, "invalid_argument")


def test_a_terminal_shows_the_same_in_its_width(command, session):
    command.create("other", created_at=minute(24 * 60))
    screen = run_in_terminal("--store", command.path, "stats", columns=80)
    assert screen.exit_code == 0
    assert any(line.startswith("2026-01-02  ███") for line in screen.lines)
    assert max(map(len, screen.lines[1:])) <= 80
