"""The promises of `clew export`."""

import os
import stat
import subprocess
import sys

import platformdirs
import pytest
from tests.cli.support import Command, run_process, texts

SECRET = "ghp_" + "aB3dE5gH7jK9mN1pQ3sT5vW7yZ9bC1dE3fG5"


@pytest.fixture(autouse=True)
def rules(monkeypatch):
    """The detector's rules, which take seconds to make, are kept beyond the home directory of a test."""
    monkeypatch.setenv("KF_RULE_CACHE_DIR", RULES)


RULES = str(platformdirs.user_cache_path("clew-tests"))


@pytest.fixture
def other(tmp_path):
    return Command(tmp_path / "other.db")


def told(command, *arguments):
    result = command.run("export", *arguments)
    assert result.exit_code == 0, result.output
    return result


def test_the_whole_store_goes_to_standard_output_and_comes_back(command, other, tmp_path):
    made = command.create("a title", messages=texts(2))
    command.create("another")
    result = told(command)
    assert result.stderr == "Exported 2 sessions to standard output: 2 checkpoints, 2 messages\n"
    (tmp_path / "a.jsonl").write_bytes(result.stdout_bytes)
    other.output("import", tmp_path / "a.jsonl")
    assert other.messages(made.id) == command.messages(made.id)
    assert {item.id for item in other.sessions()} == {item.id for item in command.sessions()}


@pytest.mark.parametrize(
    ("format", "begins"),
    [
        ("jsonl", b'{"type":"clew",'), ("markdown", b"# a title"), ("html", b"<!doctype html>"),
        ("stakpak", b"SQLite format 3"), ("claude-code", b'{"parentUuid":null'), ("codex", b'{"timestamp":'),
    ],
)  # fmt: skip
def test_every_format_is_written_into_a_private_file(command, tmp_path, format, begins):
    made = command.create("a title", messages=texts(2))
    path = tmp_path / "out"
    assert told(command, str(made.id)[:13], "--format", format, "-o", path).stdout == ""
    assert path.read_bytes().lstrip().startswith(begins)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(tmp_path.glob(".out*")) == []


def test_a_file_that_is_there_is_replaced_only_by_force_and_only_as_a_whole(command, tmp_path):
    made = command.create("a title", messages=texts(1))
    path = tmp_path / "out"
    path.write_bytes(b"old")
    assert command.error("export", "-o", path)[0] == 2
    assert path.read_bytes() == b"old"
    unknown = "00000000-0000-4000-8000-000000000000"
    assert command.error("export", unknown, "-o", path, "--force")[0] == 1
    assert path.read_bytes() == b"old"
    assert list(tmp_path.glob(".out*")) == []
    told(command, made.id, "-o", path, "--force")
    assert path.read_bytes().startswith(b'{"type":"clew"')


def test_a_database_in_use_is_not_replaced_even_by_force(command, tmp_path):
    command.create()
    for name in ("local.db", "local.db-wal"):
        (tmp_path / name).write_bytes(b"old")
    exit_code, error = command.error("export", "--format", "stakpak", "-o", tmp_path / "local.db", "--force")
    assert (exit_code, "in use" in error) == (2, True)
    assert (tmp_path / "local.db").read_bytes() == b"old"


def test_the_store_itself_is_never_replaced(command, tmp_path):
    command.create("a title")
    (tmp_path / "link").symlink_to(command.path)
    os.link(command.path, tmp_path / "hard")
    before = command.path.read_bytes()
    for place in [
        *(f"{command.path}{suffix}" for suffix in ("", "-wal", "-lock")),
        tmp_path / "link",
        tmp_path / "hard",
    ]:
        exit_code, error = command.error("export", "-o", place, "--force")
        assert (exit_code, "belongs to the store" in error) == (2, True)
    assert command.path.read_bytes() == before
    assert [item.title for item in command.sessions()] == ["a title"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="limits of processes are those of Unix")
@pytest.mark.parametrize(
    ("format", "said"), [("jsonl", "cannot write 'out'"), ("stakpak", "no file can be written in")]
)
def test_a_disk_that_is_full_is_told_of_as_such(command, tmp_path, monkeypatch, format, said):
    import resource

    command.create("t", messages=[{"role": "user", "content": "x" * 5_000_000}])
    monkeypatch.chdir(tmp_path)
    done = run_process(
        "--store", command.path, "export", "--format", format, "-o", "out",
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (2_000_000, 2_000_000)),
    )  # fmt: skip
    assert done.returncode != 0
    assert said in done.stderr.decode()
    assert b"Internal error" not in done.stderr
    assert list(tmp_path.glob("*out*")) == []


def test_a_failed_export_leaves_no_file(command, tmp_path):
    command.create()
    assert command.error("export", "00000000-0000-4000-8000-000000000000", "-o", tmp_path / "out")[0] == 1
    assert list(tmp_path.glob("*out*")) == []


def test_a_checkpoint_can_be_chosen_by_id_and_label(command):
    made = command.create("a title", messages=texts(1))
    with command.open() as store:
        first = store.append(made.id, [{"role": "user", "content": "labelled"}], label="x")
        store.append(made.id, [{"role": "user", "content": "last"}])
    for place in (["--label", "x"], ["--checkpoint", first.id]):
        text = told(command, made.id, "--format", "markdown", *place).stdout
        assert "labelled" in text
        assert "last" not in text


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["--format", "html"], "name one session"),
        (["ID", "ID", "--format", "codex"], "name one session"),
        (["ID", "--label", "x"], "none of them can be chosen"),
        (["ID", "--json"], "name a file"),
    ],
)
def test_what_a_format_cannot_do_is_refused(command, arguments, why):
    made = command.create()
    arguments = [str(made.id) if argument == "ID" else argument for argument in arguments]
    exit_code, error = command.error("export", *arguments)
    assert exit_code == 2
    assert why in error


def test_secrets_are_masked_and_told_of_without_telling_them(command, tmp_path):
    made = command.create(f"a {SECRET}", messages=[{"role": "user", "content": f"{SECRET} {SECRET}"}])
    result = told(command, made.id, "--format", "markdown", "--redact")
    assert SECRET not in result.stdout + result.stderr
    assert "Masked 1 secret in 3 places\n" in result.stderr
    assert f"  [redacted github pat 1]: session {made.id}, the session\n" in result.stderr
    assert command.messages(made.id)[0]["content"] == f"{SECRET} {SECRET}"
    form = command.json("export", made.id, "-o", tmp_path / "out", "--redact")
    assert [item["count"] for item in form["masked"]] == [1, 2]
    assert list(form) == [
        "format", "sessions", "checkpoints", "messages", "attachments", "failed", "notes", "masked", "unchecked",
    ]  # fmt: skip


def test_what_could_not_be_looked_into_is_told_and_a_screen_is_not_filled_with_it(command, tmp_path):
    made = command.create("a title")
    with command.open() as store:
        store.append(made.id, [], attachments={f"picture {number}": b"\xff" for number in range(25)})
    lines = told(command, "-o", tmp_path / "out", "--redact").stderr.splitlines()
    assert f"Not looked into, since it is no text: attachment picture 0 of session {made.id}" in lines
    assert lines[-1] == "Not looked into: 5 more (--json names all)"
    form = command.json("export", "-o", tmp_path / "other", "--redact")
    assert len(form["unchecked"]) == 25


def test_what_is_damaged_is_named_and_the_rest_is_there(command, tmp_path):
    from tests.contract.tampering import FileTamper

    made = command.create("a title", messages=texts(1))
    with command.open() as store:
        step = store.append(made.id, [{"role": "user", "content": "x"}])
    FileTamper(command.path).replace_message(step.id, 1, b'{"role":"user","content":"y"}')
    result = command.run("export", "-o", tmp_path / "out")
    assert result.exit_code == 1
    assert f"Left out: checkpoint {step.id}" in result.stderr
    assert "could not be read" in result.stderr
    assert (tmp_path / "out").read_bytes().count(b'"type":"checkpoint"') == 1


def test_a_reader_that_stops_is_no_failure(command):
    command.create("t", messages=[{"role": "user", "content": "x" * 5_000_000}])
    read, write = os.pipe()
    os.close(read)
    done = run_process("--store", command.path, "export", capture_output=False, stdout=write)
    os.close(write)
    assert done.returncode == 141


@pytest.mark.parametrize(
    ("package", "words", "extra"),
    [
        ("jinja2", ["export", "--format", "html", "-o", "x.html"], "server"),
        ("kingfisher_sdk", ["export", "--redact", "-o", "x.jsonl"], "redact"),
        ("mcp", ["mcp"], "mcp"),
    ],
)
def test_without_the_extra_it_says_what_to_install(command, tmp_path, package, words, extra):
    session = str(command.create("a title", messages=[{"role": "user", "content": "hello"}]).id)
    chosen = [words[0], session, *words[1:]] if words[0] == "export" else words
    hidden = f"import sys; sys.modules[{package!r}] = None; from clew.cli import main; main()"
    ran = subprocess.run(
        [sys.executable, "-c", hidden, "--store", str(command.path), *chosen],
        cwd=tmp_path, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert ran.returncode == 2
    assert f"{package} is missing" in ran.stderr
    assert f"install clew with its extra '{extra}'" in ran.stderr
