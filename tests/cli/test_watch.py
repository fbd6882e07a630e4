"""The promises of `clew watch`, by a process that runs while files grow."""

import json
import queue
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.cli.agent_files import codex_line, write_claude, write_codex
from tests.cli.support import COMMAND, Command, environment

DEADLINE = 60.0

Next = Callable[[], str]


@pytest.fixture
def watching(command: Command) -> Iterator[Callable[..., tuple[subprocess.Popen[str], Next]]]:
    """Start to watch; the process, and what gives its next line."""
    started: list[tuple[subprocess.Popen[str], threading.Thread]] = []

    def start(*arguments: object) -> tuple[subprocess.Popen[str], Next]:
        process = subprocess.Popen(
            [*COMMAND, "--store", str(command.path), "watch", *map(str, arguments)],
            env=environment(), stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        lines: queue.Queue[str] = queue.Queue()

        def read() -> None:
            for line in process.stdout or ():
                lines.put(line)

        reader = threading.Thread(target=read)
        reader.start()
        started.append((process, reader))
        return process, lambda: lines.get(timeout=DEADLINE)

    yield start
    for process, reader in started:
        process.kill()
        reader.join(DEADLINE)
        process.communicate()


def test_what_is_there_is_imported_and_then_what_is_added(command, home, watching):
    path = write_codex(home, "mend the pump", "done")
    process, line = watching()
    assert line() == "Watching 1 place\n"
    assert "1 new session" in line()
    with path.open("a") as file:
        file.write(codex_line(3, "and the valve"))
    assert "1 updated session, 1 checkpoint" in line()
    write_codex(home, "mend the pump", "done", "and the valve", "mended")
    assert "1 updated session" in line()
    (session,) = command.sessions()
    assert [message["content"] for message in command.messages(session.id)][-1] == "mended"
    process.send_signal(signal.SIGINT)
    assert process.wait(DEADLINE) == 130


def test_a_session_that_begins_meanwhile_is_imported(command, home, watching):
    write_claude(home, "first").with_name("other.txt").write_text("no session")
    _, line = watching("claude-code")
    assert line() == "Watching 1 place\n"
    assert "1 new session" in line()
    path = home / ".claude" / "projects" / "-repo" / "0a1b2c3d-4e5f-4061-8071-2a3b4c5d6e7f.jsonl"
    record = json.loads(write_claude(home, "first").read_text()) | {"sessionId": path.stem, "uuid": "u2"}
    path.write_text(json.dumps(record) + "\n")
    assert path.name in line()
    assert len(command.sessions()) == 2


def test_json_is_a_report_for_each_import_that_brings_something(home, watching):
    path = write_codex(home, "mend the pump", "done")
    _, line = watching("codex", path, "--json")
    assert json.loads(line())["sessions_created"] == 1
    with path.open("a") as file:
        file.write(codex_line(3, "and the valve"))
    assert json.loads(line())["checkpoints_created"] == 1


def test_a_line_that_is_half_written_comes_when_it_is_whole(command, home, watching):
    path = write_codex(home, "mend the pump", "done")
    _, line = watching()
    assert line().startswith("Watching")
    assert "1 new session" in line()
    whole = codex_line(3, "and the valve")
    with path.open("a") as file:
        file.write(whole[:30])
        file.flush()
        file.write(whole[30:])
    assert "1 checkpoint" in line()
    (session,) = command.sessions()
    assert [message["content"] for message in command.messages(session.id)][-1] == "and the valve"


def test_nothing_to_watch_is_an_error(command: Command, home: Path) -> None:
    exit_code, code, text = command.json_error("watch")
    assert (exit_code, code) == (2, "invalid_argument")
    assert "nothing to import" in text


def test_broken_lines_and_unknown_records_that_turn_up_are_told_once(home, watching):
    path = write_codex(home, "mend the pump", "done")
    _, line = watching()
    assert line().startswith("Watching")
    assert "1 new session" in line()
    with path.open("a") as file:
        file.write("garbage\n")
    assert line().endswith("(codex): no new messages\n")
    assert line() == "  Broken:      1 row (left out)\n"
    assert "is not JSON" in line()
    with path.open("a") as file:
        file.write(json.dumps({"timestamp": "2026-01-02T03:04:59Z", "type": "hologram", "payload": {}}) + "\n")
    assert line().endswith("(codex): no new messages\n")
    assert line().startswith("  Unknown:     1 record")
    assert line().strip() == "1 hologram"
    with path.open("a") as file:
        file.write(codex_line(3, "and the valve"))
    assert line().endswith("(codex): 1 updated session, 1 checkpoint\n")
    with path.open("a") as file:
        file.write("more\n")
    assert line().endswith("(codex): no new messages\n")
    assert line() == "  Broken:      1 row (left out)\n"


def test_json_tells_broken_lines_that_turn_up(home, watching):
    path = write_codex(home, "mend the pump", "done")
    _, line = watching("codex", path, "--json")
    assert json.loads(line())["broken"] == []
    with path.open("a") as file:
        file.write("garbage\n")
    (finding,) = json.loads(line())["broken"]
    assert "is not JSON" in finding["why"]


def test_a_copy_that_an_editor_puts_beside_a_session_is_not_imported(command, home, watching):
    path = write_codex(home, "mend the pump", "done")
    _, line = watching()
    assert line().startswith("Watching")
    assert "1 new session" in line()
    text = path.read_text()
    path.with_name(path.name + "~").write_text(text + codex_line(3, "not saved yet"))
    path.write_text(text + codex_line(3, "and the valve"))
    assert "1 updated session" in line()
    (session,) = command.sessions()
    assert [len(leaf) for leaf in [command.messages(session.id)]] == [3]
    assert command.messages(session.id)[-1]["content"] == "and the valve"
