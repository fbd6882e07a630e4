"""The promises of how a run ends: an exit code and a line on standard error, whatever happens, and no traceback."""

import io
import json
import shlex
from uuid import UUID

import click
import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from tests.cli.support import texts

import clew
from clew.cli import errors, output
from clew.cli.app import Root, cli
from clew.errors import StorageError

ID = UUID("abcd1234-0000-4000-8000-000000000001")


def kinds(error=StorageError):
    """Every class of the tree, its root too."""
    return [error, *(kind for child in error.__subclasses__() for kind in kinds(child))]


@pytest.mark.parametrize("kind", kinds())
def test_every_error_of_a_store_has_its_code_and_exit_code(command, monkeypatch, kind):
    def fail(*_, **__):
        raise kind("why é\x1b")

    monkeypatch.setattr(clew.Store, "list_sessions", fail)
    exit_code = 2 if kind.code == "invalid_request" else 1
    assert command.json_error("list") == (exit_code, kind.code, f"{kind.kind}: why é\x1b")
    assert command.error("list") == (exit_code, f"Error: {kind.kind}: why é\n")


def test_the_codes_are_those_that_programs_know():
    assert {kind.code: kind.kind for kind in kinds()} == {
        "not_found": "Not found",
        "invalid_request": "Invalid request",
        "conflict": "Conflict",
        "unauthorized": "Unauthorized",
        "rate_limited": "Rate limited",
        "corrupt_state": "Corrupt state",
        "connection_error": "Connection error",
        "internal_error": "Internal error",
    }


@pytest.mark.parametrize("error", [RuntimeError, MemoryError, RecursionError, OSError, KeyError, AssertionError])
def test_an_error_that_nobody_expected_is_an_internal_one_without_a_traceback(command, monkeypatch, error):
    def fail(*_, **__):
        raise error("why")

    monkeypatch.setattr(clew.Store, "list_sessions", fail)
    exit_code, code, text = command.json_error("list")
    assert (exit_code, code) == (1, "internal_error")
    assert text.startswith(f"Internal error: {error.__name__}: ")
    assert command.error("list")[1].count("\n") == 1


def test_a_store_that_cannot_be_opened_is_told_in_the_form_that_was_asked_for(command, tmp_path):
    (tmp_path / "file").write_text("no store")
    command.path = tmp_path / "file"
    assert command.json_error("list")[:2] == (1, "connection_error")
    command.path = tmp_path / "file" / "agent.db"
    exit_code, text = command.error("list")
    assert exit_code == 1
    assert text.startswith("Error: Connection error: ")


@pytest.mark.parametrize("url", ["", "nothing://host/db", "sqlite://host/x"])
@pytest.mark.parametrize("name", ["list", "info"])
def test_a_url_that_names_no_store_is_refused(url, name):
    result = CliRunner().invoke(cli, ["--store", url, name, "--json"])
    assert result.exit_code == 2
    assert json.loads(result.stderr)["code"] == "invalid_request"


def test_the_store_comes_from_the_environment_and_the_option_goes_before_it(command, tmp_path, monkeypatch):
    command.create("by option")
    monkeypatch.setenv("CLEW_URL", str(tmp_path / "other.db"))
    listed = CliRunner().invoke(cli, ["list", "--json"])
    assert json.loads(listed.stdout)["backend"]["store_path"] == str(tmp_path / "other.db")
    assert len(command.json("list")["sessions"]) == 1


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("list", "--limit", "-1"), "-1 is not in the range"),
        (("list", "--limit", "x"), "not a valid integer"),
        (("list", "--status", "x"), "'x' is not one of"),
        (("show",), "Missing argument 'ID'"),
        (("show", "--offset", "-1", "abcd"), "-1 is not in the range"),
        (("nothing",), "No such command 'nothing'"),
        (("list", "extra"), "unexpected extra argument"),
        (("list", "--nothing\x1b[31m"), "No such option"),
    ],
)
@pytest.mark.parametrize("json_too", [(), ("--json",)])
def test_a_usage_error_is_plain_text_and_exit_code_two(command, arguments, told, json_too):
    exit_code, text = command.error(*arguments, *json_too)
    assert exit_code == 2
    assert told in text
    assert text.startswith("Usage: ")
    assert "\nError: " in text
    assert "\x1b" not in text
    assert not command.path.exists()


def test_without_a_command_there_is_help():
    result = CliRunner().invoke(cli, [])
    assert result.exit_code == 2
    assert "Commands:" in result.output


@pytest.mark.parametrize("arguments", [["--version"], ["--help"], ["-h"], ["show", "--help"]])
def test_version_and_help_succeed(arguments):
    result = CliRunner().invoke(cli, arguments)
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.startswith((f"clew, version {clew.__version__}", "Usage: "))


@pytest.mark.parametrize(
    "name",
    [
        "show abcd",
        "append abcd",
        "rename abcd x",
        "delete abcd",
        "restore abcd",
        "purge abcd",
        "tree abcd",
        "fork abcd",
        "rewind abcd --turns 1",
        "label abcd",
        "attach abcd x",
        "attachments abcd",
        "diff abcd abcd",
    ],
)
def test_what_can_be_refused_without_a_store_does_not_make_one(command, name):
    command_name, _, *rest = shlex.split(name)
    assert command.error(command_name, "no-id", *rest)[0] == 2
    assert not command.path.exists()


def test_an_interruption_is_exit_code_130_and_silent(command, monkeypatch):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(clew.Store, "list_sessions", interrupt)
    exit_code, text = command.error("list")
    assert (exit_code, text.strip()) == (130, "")


def test_an_interruption_that_click_does_not_handle_is_one_too(command, monkeypatch):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(click.Group, "main", interrupt)
    assert command.error("list") == (130, "")


def test_an_interruption_at_a_question_is_one_too(command, monkeypatch):
    def confirm(*_, **__):
        try:
            raise KeyboardInterrupt
        except KeyboardInterrupt:
            raise click.Abort from None  # as click does

    session = command.create()
    monkeypatch.setattr(click, "confirm", confirm)
    assert command.error("purge", session.id) == (130, "")
    assert len(command.sessions()) == 1


def test_an_error_with_several_lines_takes_one_in_text(command):
    exit_code, text = command.error("show", "no\nid\r\x1b[2J\u202e")
    assert exit_code == 2
    assert text.startswith("Error: invalid session id 'no id [2J': ")
    assert text.count("\n") == 1


def test_without_standalone_mode_the_exit_code_is_returned(command):
    arguments = ["--store", str(command.path), "show", "zz"]
    assert cli.main(arguments, standalone_mode=False) == 2
    assert cli.main(["--store", str(command.path), "list"], standalone_mode=False) == 0


def test_no_line_gets_out_with_a_control_character_whoever_wrote_it(capfdbinary):
    output.write_lines(["a\x1b[31m\x9b\u202e\rb\tc", output.Styled("\x07d\ufffd", "bold")])
    errors.write_error("e\x1b[2J\rf")
    assert capfdbinary.readouterr() == (b"a[31mb\tc\nd\n", b"e[2Jf\n")


class TestClosedStreams:
    def test_without_standard_error_the_exit_code_is_the_same(self, monkeypatch):
        monkeypatch.setattr("sys.stderr", None)
        assert errors.report(errors.InvalidArgumentError("x"), json=True) == 2
        assert errors.report(RuntimeError("x"), json=False) == 1

    def test_without_standard_output_nothing_is_written_and_nothing_fails(self, monkeypatch):
        monkeypatch.setattr("sys.stdout", None)
        output.write_json({})
        output.write_lines(["a"])
        output.finish()
        output.abandon()
        assert not output.is_terminal()

    def test_a_standard_error_that_cannot_be_written_changes_nothing(self, monkeypatch):
        class Full(io.BytesIO):
            def write(self, data):
                raise OSError(28, "No space left on device")

        monkeypatch.setattr("sys.stderr", io.TextIOWrapper(Full(), write_through=True))
        assert errors.report(RuntimeError("x"), json=False) == 1

    def test_without_standard_input_a_command_that_reads_it_says_so(self, monkeypatch, command):
        from clew.cli.reading import read_messages

        monkeypatch.setattr("sys.stdin", None)
        with pytest.raises(errors.InvalidArgumentError, match="standard input is closed"):
            read_messages("-", None)


WORDS = st.one_of(
    st.text(max_size=20),
    st.sampled_from([
        "--json", "--limit", "--offset", "--role", "--search", "--status", "--cursor", "--checkpoint", "--if-active",
        "--label", "--turns", "--move", "--delete", "--name", "--type", "--replace", "--output", "-o", "--force",
        "--no-verify", "--deleted-longer-than", "--keep-last", "--keep-checkpoints", "--apply", "--metadata", "--title",
        "--cwd", "--messages", "--source", "--source-id", "--to", "--discard", "--yes", "--", "-", "0", "1", "k=1",
        "0d", "99999999999999999999", "abcd1234", "abcd:x", "active", "user", "ACTIVE", "\x1b[31m", "\udcff", "\0",
        "é" * 30,
    ]),
)  # fmt: skip
NAMES = st.sampled_from([
    "list", "show", "new", "append", "rename", "delete", "restore", "purge", "info", "migrate", "migrate status",
    "migrate up", "migrate rollback", "import", "import messages", "import stakpak", "tree", "diff", "fork", "rewind",
    "label", "attach", "attachments", "verify", "backup", "prune", "compact",
])  # fmt: skip


@settings(
    max_examples=300, derandomize=True, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(name=NAMES, words=st.lists(WORDS, max_size=4), given_input=st.binary(max_size=40))
@example(name="new", words=["--", "--json"], given_input=b"")
@example(name="append", words=["abcd1234", "-", "--json"], given_input=b'[{"role":"user"}]')
def test_no_argument_and_no_input_ends_in_a_traceback(tmp_path, monkeypatch, name, words, given_input):
    monkeypatch.chdir(tmp_path)  # a word may name a file
    arguments = ["--store", ":memory:", *name.split(), *words]
    result = CliRunner().invoke(cli, arguments, input=given_input)
    assert result.exception is None or isinstance(result.exception, SystemExit)
    assert result.exit_code in (0, 1, 2)
    assert "Internal error" not in result.stderr
    assert "Traceback" not in result.output
    assert (result.exit_code == 0) == (result.stderr == "")
    assert not set(result.stdout + result.stderr) & {"\x1b", "\x00", "\x9b", "\x7f", "\r"}


@pytest.fixture
def filled(tmp_path):
    """A store with something in it: a session `abcd1234…` with branches, a label, an attachment, and one of another."""
    path = tmp_path / "filled.db"
    with clew.open(path) as store:
        store.create_session("\x1b[2J", messages=texts(2), id=ID, checkpoint_id=UUID(int=ID.int + 1))
        store.append(ID, texts(1), label="x", attachments={"x": b"1"}, metadata={"k": 1})
        store.append(ID, texts(1), parent_id=UUID(int=ID.int + 1))
        store.delete_session(store.fork_session(ID, checkpoint_id=clew.Label("x")).id)
    return path


@settings(
    max_examples=300, derandomize=True, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(name=NAMES, first=st.sampled_from(["abcd1234", "abcd:x", "x", "--json", "0"]), words=st.lists(WORDS, max_size=4))
@example(name="rewind", first="abcd1234", words=["--turns", "1"])
@example(name="attachments", first="abcd1234", words=["x", "--label", "x", "--output", "-"])
@example(name="prune", first="--apply", words=["--keep-last", "0"])
def test_no_argument_ends_in_a_traceback_where_there_is_something(filled, tmp_path, monkeypatch, name, first, words):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "copy.db"
    path.write_bytes(filled.read_bytes())
    arguments = ["--store", str(path), *name.split(), first, *words]
    result = CliRunner().invoke(cli, arguments, input="y\n")
    assert result.exception is None or isinstance(result.exception, SystemExit)
    assert result.exit_code in (0, 1, 2)
    assert "Internal error" not in result.stderr
    assert "Traceback" not in result.output
    assert not set(result.stdout + result.stderr) & {"\x1b", "\x00", "\x9b", "\x7f", "\r"}


def test_the_root_ends_every_run(command, monkeypatch):
    def fail(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(output, "finish", fail)
    command.create(messages=texts(1))
    result = command.run("list")
    assert isinstance(cli, Root)
    assert result.exit_code == 1
    assert "No space left on device" in result.stderr
