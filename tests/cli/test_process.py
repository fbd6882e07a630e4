"""The promises that only a process of its own can keep: exit codes, closed pipes, signals, and terminals."""

import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from tests.cli.support import COMMAND, environment, minute, run_in_terminal, run_process, texts, write_agent_store

import clew

pytest.importorskip("pty", reason="terminals are tried where there are some")


@pytest.fixture
def session(command):
    return command.create("好" * 30, messages=texts(3), created_at=minute(0)).id


def test_a_run_ends_with_its_exit_code(command, session):
    listed = run_process("--store", command.path, "list", "--json")
    assert (listed.returncode, listed.stderr) == (0, b"")
    assert json.loads(listed.stdout)["sessions"][0]["id"] == str(session)
    refused = run_process("--store", command.path, "show", "zz", "--json")
    assert (refused.returncode, refused.stdout) == (2, b"")
    assert json.loads(refused.stderr)["code"] == "invalid_argument"
    assert run_process("--store", command.path, "nothing").returncode == 2


def test_the_installed_command_is_the_same():
    from importlib.metadata import entry_points

    (script,) = entry_points(group="console_scripts", name="clew")
    assert script.load() is __import__("clew.cli", fromlist=["main"]).main


def test_rich_is_loaded_for_a_terminal_alone(command, session):
    code = (
        "import sys; from clew.cli.app import cli\n"
        f"cli.main(['--store', {str(command.path)!r}, 'show', {str(session)!r}], standalone_mode=False)\n"
        "sys.exit('rich' in sys.modules)"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code], env=environment(), stdout=subprocess.PIPE, timeout=60, check=False
    )
    assert (ran.returncode, b"m3" in ran.stdout) == (0, True)


class TestOutput:
    @pytest.mark.parametrize(
        "arguments",
        [
            ["list"], ["list", "--json"], ["show", "ID"], ["show", "ID", "--json"], ["tree", "ID"],
            ["diff", "ID:", "ID:"], ["label", "ID"], ["attachments", "ID"], ["attachments", "ID", "a", "-o", "-"],
            ["verify"], ["prune", "--keep-last", "0"],
        ],
    )  # fmt: skip
    def test_a_reader_that_goes_away_ends_it_silently(self, command, session, arguments):
        arguments = [word.replace("ID", str(session)) for word in arguments]
        with command.open() as store:
            store.attach(session, {"a": b"x" * 100_000})
        reader, writer = os.pipe()
        os.close(reader)
        ran = run_process(
            "--store", command.path, *arguments, capture_output=False, stdout=writer, stderr=subprocess.PIPE
        )
        os.close(writer)
        assert (ran.returncode, ran.stderr) == (141, b"")

    @pytest.mark.parametrize("arguments", [["list"], ["list", "--json"]])
    def test_a_full_disk_is_an_error_in_one_line(self, command, arguments):
        device = Path("/dev/full")
        if not device.exists():
            pytest.skip("there is no /dev/full")
        with device.open("wb") as full:
            ran = run_process(
                "--store", command.path, *arguments, capture_output=False, stdout=full, stderr=subprocess.PIPE
            )
        assert ran.returncode == 1
        assert ran.stderr.count(b"\n") == 1
        assert b"No space left on device" in ran.stderr

    @pytest.mark.parametrize("arguments", [["list"], ["list", "--json"]])
    def test_a_closed_standard_output_is_no_error(self, command, session, arguments):
        ran = subprocess.run(
            ["sh", "-c", 'exec "$@" >&-', "sh", *COMMAND, "--store", command.path, *arguments],
            env=environment(), stderr=subprocess.PIPE, timeout=60, check=False,
        )  # fmt: skip
        assert (ran.returncode, ran.stderr) == (0, b"")

    def test_text_that_an_encoding_lacks_is_replaced_and_json_is_utf_8(self, command, session):
        ascii_only = {"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
        listed = run_process("--store", command.path, "list", env=ascii_only)
        assert (listed.returncode, listed.stderr) == (0, b"")
        assert b"  " + b"?" * 30 + b"  " in listed.stdout
        as_json = run_process("--store", command.path, "list", "--json", env=ascii_only)
        assert json.loads(as_json.stdout.decode("utf-8"))["sessions"][0]["title"] == "好" * 30
        refused = run_process("--store", command.path, "show", "好", env=ascii_only)
        assert (refused.returncode, refused.stderr.count(b"\n")) == (2, 1)
        as_json = run_process("--store", command.path, "show", "好", "--json", env=ascii_only)
        assert "'好'" in json.loads(as_json.stderr.decode("utf-8"))["error"]

    def test_piped_output_has_no_colour_and_is_not_cut_to_a_width(self, command, session):
        command.create("x" * 50)
        for extra in ({}, {"COLUMNS": "40"}, {"FORCE_COLOR": "1"}):
            ran = run_process("--store", command.path, "list", env=extra)
            assert b"\x1b" not in ran.stdout
            assert "好" * 30 in ran.stdout.decode()
            assert b"x" * 50 in ran.stdout


class TestInterruption:
    """What is typed after Ctrl-C ends a reading that the signal came just before; it has no other effect."""

    def test_ctrl_c_while_it_reads_ends_it_with_130_and_no_traceback(self, command, session):
        screen = run_in_terminal("--store", command.path, "append", session, when=b"Ctrl-D", typed=b"a line\n\x03\x04")
        assert screen.exit_code == 130
        assert "Traceback" not in screen.raw
        assert command.messages(session) == texts(3)

    def test_ctrl_c_at_a_question_is_no(self, command, session):
        screen = run_in_terminal("--store", command.path, "purge", session, when=b"[y/N]", typed=b"\x03\n")
        # 1 where the signal came when the line had been read already: then it is an empty answer, which is no as well.
        assert screen.exit_code in (130, 1)
        assert "Traceback" not in screen.raw
        assert len(command.sessions()) == 1

    def test_a_signal_ends_a_run_that_waits_for_a_pipe(self, command, session):
        with subprocess.Popen(
            [*COMMAND, "--store", command.path, "append", str(session)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment(),
        ) as process:  # fmt: skip
            assert process.stdin is not None
            assert process.stdout is not None
            # More than a pipe holds: when all of it is written, the command is reading.
            process.stdin.write(b"x" * 1_000_000)
            process.stdin.flush()
            process.send_signal(signal.SIGINT)
            stdout, stderr = process.communicate(timeout=60)
        assert (process.returncode, stdout, stderr.strip()) == (130, b"", b"")
        assert command.messages(session) == texts(3)


class TestTerminal:
    @pytest.mark.parametrize("columns", [40, 60, 72, 80, 100, 200])
    def test_the_table_fits_the_terminal(self, command, session, columns):
        from rich.cells import cell_len

        command.create("x" * 60)
        screen = run_in_terminal("--store", command.path, "list", columns=columns)
        table = screen.lines[1:]
        assert screen.exit_code == 0
        assert len(table) == 4
        assert max(map(cell_len, table)) <= columns
        assert table[3].startswith(str(session))

    def test_deleted_sessions_and_headings_are_styled_unless_colour_is_off(self, command, session):
        command.output("delete", session)
        assert "\x1b[1m" in run_in_terminal("--store", command.path, "list").raw
        assert "\x1b[2m" in run_in_terminal("--store", command.path, "list").raw
        assert "\x1b" not in run_in_terminal("--store", command.path, "list", env={"TERM": "dumb"}).raw

    def test_stored_control_characters_do_not_reach_it(self, command, tmp_path):
        nasty = "\x1b]0;owned\x07\x9b31m\u202e[bold]\r"
        message = {"role": nasty, "content": nasty, "tool_call_id": nasty}
        session = command.create(nasty, messages=[message], cwd=f"/{nasty}")
        with command.open() as store:
            store.append(
                session.id,
                [{**message, "role": "user"}],
                label=nasty[:-1],
                metadata={nasty: nasty},
                attachments={nasty: b"x"},
            )
        for arguments in (
            ["list"], ["show", session.id], ["rename", session.id, nasty], ["show", nasty], [nasty],
            ["tree", session.id], ["label", session.id], ["label", session.id, "active"],
            ["attachments", session.id], ["diff", f"{session.id}:", session.active_checkpoint.id],
            ["diff", f"{session.id}:{nasty}", nasty], ["prune", "--keep-last", "0"],
            ["prune", "--keep-checkpoints", "0", "--deleted-longer-than", nasty],
            ["attachments", session.id, nasty, "-o", f"{tmp_path}/1{nasty}"], ["backup", f"{tmp_path}/2{nasty}"],
            ["rewind", session.id, "--turns", "1"], ["fork", session.id, "--label", f"{nasty}x"],
        ):  # fmt: skip
            screen = run_in_terminal("--store", command.path, *arguments, columns=200, env={"TERM": "dumb"})
            shown = screen.raw.replace("\r\n", "")
            assert "owned" in shown
            assert not set(shown) & {"\x1b", "\x07", "\x9b", "\u202e", "\r"}
            if "show" in arguments:
                assert "[bold]" in shown

    def test_control_characters_in_json_are_escapes(self, command):
        session = command.create("\x9b31m\u202e\x7f")
        screen = run_in_terminal("--store", command.path, "show", session.id, "--json")
        assert json.loads(screen.raw)["title"] == "\x9b31m\u202e\x7f"
        assert not set(screen.raw) & {"\x9b", "\u202e", "\x7f"}

    def test_a_new_session_says_how_to_go_on(self, command):
        screen = run_in_terminal("--store", command.path, "new", "t", columns=200)
        (session,) = command.sessions()
        assert screen.lines == [
            str(session.id),
            f"Resume: clew --store {command.path} append {session.id}",
        ]

    def test_a_typed_message_is_asked_for_and_appended(self, command, session):
        screen = run_in_terminal("--store", command.path, "append", session, when=b"Ctrl-D", typed=b"typed\n\x04")
        assert screen.exit_code == 0
        assert any(line.startswith("Type the message; Ctrl-D") for line in screen.lines)
        assert screen.lines[-1] == f"1 message appended to session {session}"
        assert command.messages(session)[3:] == [{"role": "user", "content": "typed"}]

    def test_an_import_shows_its_progress_and_takes_it_away(self, command, tmp_path):
        path = tmp_path / "local.db"
        write_agent_store(path, "the \x9btitle\x1b]0;x [red]")
        screen = run_in_terminal("--store", command.path, "import", "stakpak", path, columns=200)
        assert screen.exit_code == 0
        bar, _, report = screen.raw.rpartition("2/2")
        assert bar
        assert "the title]0;x [red]" in screen.raw
        assert not set(re.sub(r"\x1b\[", "", screen.raw)) & {"\x1b", "\x9b"}
        assert "\x1b[2K" in report.partition("Backend:")[0]  # the line is erased before the report
        command.output("purge", command.sessions()[0].id, "--yes")
        silent = run_process("--store", command.path, "import", "stakpak", path)
        assert (silent.returncode, silent.stderr) == (0, b"")
        assert b"1 created" in silent.stdout

    def test_a_tree_fits_the_terminal_and_the_active_checkpoint_stands_out(self, command, session):
        from rich.cells import cell_len

        with command.open() as store:
            store.append(session, [{"role": "user", "content": "好" * 60}])
        screen = run_in_terminal("--store", command.path, "tree", session, columns=100)
        assert screen.exit_code == 0
        active, root = screen.lines[3:]
        assert cell_len(active) in (99, 100)
        assert active.endswith("…")
        assert root.endswith("user: m1")
        assert "\x1b[1m●" in screen.raw

    def test_a_tree_is_drawn_in_letters_where_there_are_no_boxes(self, command, session):
        ascii_only = {"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
        with command.open() as store:
            root = store.get_active_checkpoint(session)
            for _ in range(2):
                store.append(session, texts(1), parent_id=root.id)
        drawn = run_process("--store", command.path, "tree", session, env=ascii_only)
        assert [line[:3] for line in drawn.stdout.decode("ascii").splitlines()[3:]] == ["* 0", "| o", "|-'", "o 0"]

    def test_findings_are_printed_as_they_come_and_the_progress_is_taken_away(self, command, session):
        with closing(sqlite3.connect(command.path)) as connection, connection:
            connection.execute("UPDATE content SET body = replace(body, 'm2', 'm9')")
        screen = run_in_terminal("--store", command.path, "verify", columns=300)
        assert screen.exit_code == 1
        assert screen.raw.startswith(f"Backend: local ({command.path})\r\n")
        assert "\x1b[2K\x1b[31mmessage: " in screen.raw  # on a line of its own: that of the bar has been erased
        assert screen.lines[-1].startswith("Checked 1 session: 1 finding")
        piped = run_process("--store", command.path, "verify")
        assert (piped.returncode, piped.stderr) == (1, b"")
        assert b"\x1b" not in piped.stdout

    def test_long_commands_show_their_progress_on_a_terminal_alone(self, command, session, tmp_path):
        for number, arguments in enumerate((["verify"], ["compact"], ["backup", tmp_path / "copy.db"])):
            screen = run_in_terminal("--store", command.path, *arguments, columns=200)
            assert screen.exit_code == 0
            assert "\x1b[2K" in screen.raw  # the line is erased again
            options = ["--force"] if number == 2 else []
            as_json = run_in_terminal("--store", command.path, *arguments, *options, "--json")
            assert json.loads(as_json.raw)["backend"]["kind"] == "local"
            silent = run_process("--store", command.path, *arguments, *options)
            assert (silent.returncode, silent.stderr) == (0, b"")

    def test_an_import_as_json_shows_no_progress(self, command, tmp_path):
        path = tmp_path / "talk.json"
        path.write_text(json.dumps(texts(1)))
        screen = run_in_terminal("--store", command.path, "import", "messages", path, "--json")
        assert json.loads(screen.raw)["imports"][0]["sessions_created"] == 1


class TestCompletion:
    @pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
    def test_a_script_for_the_shell_is_printed(self, shell):
        code = "from clew.cli.app import cli; cli.main([], prog_name='clew')"
        ran = subprocess.run(
            [sys.executable, "-c", code], env=environment({"_CLEW_COMPLETE": f"{shell}_source"}),
            capture_output=True, timeout=60, check=False,
        )  # fmt: skip
        assert b"_CLEW_COMPLETE" in ran.stdout

    def test_commands_are_completed(self):
        env = environment({"_CLEW_COMPLETE": "bash_complete", "COMP_WORDS": "clew im", "COMP_CWORD": "1"})
        code = "from clew.cli.app import cli; cli.main([], prog_name='clew')"
        ran = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, timeout=60, check=False)
        assert (ran.stdout, ran.stderr) == (b"plain,import\n", b"")


def test_the_version_is_that_of_the_package():
    assert run_process("--version").stdout.decode() == f"clew, version {clew.__version__}\n"
