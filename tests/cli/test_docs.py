"""The page on the command line keeps up with the commands: what it does not mention, or mentions wrongly, fails."""

import json
import re
from pathlib import Path

import click
import pytest
from tests.cli.support import minute, texts

from clew.cli.app import cli

PAGE = (Path(__file__).parents[2] / "docs" / "cli.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^##+ `([^`]+)`\n(.*?)(?=^##+ `|\Z)", PAGE, re.MULTILINE | re.DOTALL))


def commands(group=cli, path="clew"):
    """Every command and group, by what is typed."""
    context = click.Context(group)
    found = {path: group}
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        below = f"{path} {name}"
        found |= commands(command, below) if isinstance(command, click.Group) else {below: command}
    return found


COMMANDS = commands()


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_command_has_a_section(name):
    assert name in SECTIONS


@pytest.mark.parametrize("name", sorted(SECTIONS))
def test_every_section_is_of_a_command(name):
    assert name in COMMANDS


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_a_section_names_the_options_of_its_command_and_no_others(name):
    spelled = {
        spelling for parameter in COMMANDS[name].params for spelling in parameter.opts if spelling.startswith("-")
    }
    if name == "clew":
        spelled |= {"-h", "--help"}
    own = SECTIONS[name].partition("\n### ")[0] if name == "clew" else SECTIONS[name]
    mentioned = set(re.findall(r"(?<![\w-])--?[a-z][a-z-]*", " ".join(re.findall(r"`(-[^`]*)`", own))))
    missing = spelled - mentioned
    assert not missing
    anywhere = {
        spelling for command in COMMANDS.values() for parameter in command.params for spelling in parameter.opts
    }
    assert mentioned - {"-h", "--help"} <= anywhere


@pytest.mark.parametrize("name", sorted(set(COMMANDS) - {"clew"}))
def test_every_command_prints_json_and_has_help(name):
    command = COMMANDS[name]
    assert command.help
    if not isinstance(command, click.Group) and name != "clew mcp":  # whose output is JSON all the time
        assert any("--json" in parameter.opts for parameter in command.params)
        assert all(parameter.help for parameter in command.params if isinstance(parameter, click.Option))


def test_the_overview_links_every_command_to_its_section():
    linked = dict(re.findall(r"^\| \[`(clew [a-z]+)`\]\(#([a-z-]+)\) \|", PAGE, re.MULTILINE))
    assert linked == {name: name.replace(" ", "-") for name in COMMANDS if name.count(" ") == 1}


@pytest.mark.parametrize("name", ["list", "show"])
def test_the_json_that_is_shown_has_the_keys_that_are_printed(command, name):
    (block,) = re.findall(r"```json\n(.*?)```", SECTIONS[f"clew {name}"], re.DOTALL)
    shown = json.loads(block)
    session = command.create(messages=texts(1), created_at=minute(0))
    printed = command.json(name, *([session.id] if name == "show" else []))
    assert list(shown) == list(printed)
    assert list(shown["backend"]) == list(printed["backend"])
    if name == "list":
        assert list(shown["sessions"][0]) == list(printed["sessions"][0])


def keys_of(value):
    """Every key of a JSON document, without those of the messages and metadata that users give."""
    if isinstance(value, list):
        return set().union(*map(keys_of, value))
    if not isinstance(value, dict):
        return set()
    return set(value).union(*(keys_of(item) for key, item in value.items() if key not in ("backend", "sessions")))


@pytest.mark.parametrize(
    "arguments",
    [
        "tree ID", "diff ID: ID:", "label ID", "label ID active", "attach ID file", "attachments ID",
        "attachments ID file -o out", "verify", "backup copy", "compact", "copy agent.db other.db",
        "prune --keep-checkpoints 1", "prune --keep-last 9 --apply --yes",
    ],
)  # fmt: skip
def test_a_section_names_every_key_of_the_json_of_its_command(command, tmp_path, monkeypatch, arguments):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("x")
    session = command.create()
    with command.open() as store:
        store.append(session.id, [], label="x", attachments={"file": b"x"})
        store.append(session.id, [], label="y")
        store.append(session.id, [], attachments={"file": b"x"})
    name, *rest = arguments.replace("ID", str(session.id)).split()
    told = command.json(name, *rest)
    section = SECTIONS[f"clew {name}"]
    if name == "label":
        section += SECTIONS["clew append"]  # where the keys of a checkpoint are
    if name == "attach":
        section += SECTIONS["clew attachments"]
    assert keys_of(told) <= set(re.findall(r"`(\w+)`", section))


def test_every_exit_code_and_error_code_is_explained():
    from clew.cli import errors
    from clew.errors import StorageError

    def codes(kind):
        return {kind.code}.union(*map(codes, kind.__subclasses__()))

    table = PAGE.partition("### Errors and exit codes")[2].partition("### Shell completion")[0]
    for code in codes(StorageError) | {errors.InvalidArgumentError.code}:
        assert f"`{code}`" in table
    for code in (0, errors.EXIT_FAILURE, errors.EXIT_REFUSED, errors.EXIT_INTERRUPTED, errors.EXIT_OUTPUT_CLOSED):
        assert f"\n| {code} |" in table
