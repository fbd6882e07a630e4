"""The page on the HTTP API keeps up with the server, and its examples are run by curl as they stand there."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from tests.server.agent_reader import heard_as
from tests.support.http_server import served
from tools import generate_http_docs

import clew
from clew import Role, limits
from clew.protocol import failures
from clew.server import create_app

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "http.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```sh\n(.*?)```(?:\n\n```json\n(.*?)```)?", PAGE, re.DOTALL)
"""Commands, and where it is shown what the last of them answers."""

BETWEEN = "--- next example ---"
BASH, CURL = shutil.which("bash"), shutil.which("curl")


def run(url: str, token: str) -> list[str]:
    """What the examples print, one after the other in one shell, which ends at the first command that fails."""
    assert BASH is not None
    script = f"\nprintf '\\n{BETWEEN}\\n'\n".join(commands for commands, _ in EXAMPLES)
    ran = subprocess.run(
        [BASH, "-eu", "-c", script], env={"PATH": "/usr/bin:/bin", "SERVER": url, "KEY": token}, capture_output=True,
        text=True, timeout=60, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, f"{ran.stdout[-2_000:]}\n{ran.stderr}"
    return ran.stdout.split(f"\n{BETWEEN}\n")


def last_document(text: str) -> Any:
    """The last of the JSON documents that stand one after the other."""
    text, place, document = text.strip(), 0, None
    while place < len(text):
        document, place = json.JSONDecoder().raw_decode(text, place)
    return document


def keys_of(value: Any) -> Any:
    """The shape of a document: its keys in their order; what differs from run to run is shown as an ellipsis."""
    if isinstance(value, dict):
        return [(key, keys_of(item)) for key, item in value.items()]
    if isinstance(value, list):
        return [keys_of(item) for item in value]
    return type(value)


@pytest.mark.skipif(BASH is None or CURL is None, reason="curl is not installed")
def test_the_examples_work_and_answer_what_is_shown() -> None:
    with clew.open(":memory:") as store, served(create_app(store)) as url:
        told = run(url, store.create_key("ada", Role.WRITE).token)
        (session, fork) = sorted(store.list_sessions(), key=lambda item: item.title == "Another try")
        assert (session.title, session.status, session.owner) == ("Freeze the clock", "ACTIVE", "ada")
        assert fork.forked_from is not None
    assert len(told) == len(EXAMPLES) > 10
    for (commands, shown), said in zip(EXAMPLES, told, strict=True):
        if shown:
            assert keys_of(last_document(said)) == keys_of(json.loads(shown)), commands


def test_what_the_examples_show_happens() -> None:
    joined = "".join(commands for commands, _ in EXAMPLES)
    for path in ("account", "append", "checkpoints", "active", "fork", "restore", "attachments", "changes", "events"):
        assert re.search(rf"/v1/[^\s\"]*{path}|/v1/{path}", joined), path


def test_the_list_of_endpoints_is_what_the_server_says_of_itself() -> None:
    assert generate_http_docs.page(PAGE, generate_http_docs.described()) == PAGE, "python tools/generate_http_docs.py"


def test_every_kind_of_error_is_in_the_table() -> None:
    table = PAGE.partition("## Errors")[2].partition("## Sending again")[0]
    for kind in failures._KINDS:
        rows = [line for line in table.splitlines() if line.startswith(f"| {kind.status} ")]
        (row,) = [row for row in rows if f"`{kind.code}`" in row]
        assert f"`{kind.key}`" in row


def test_the_limits_are_those_of_the_store() -> None:
    table = PAGE.partition("## Limits")[2]
    mib = 1024 * 1024
    assert f"| the body of a request | {limits.MAX_REQUEST_BYTES // mib} MiB" in table
    assert (
        f"{limits.MAX_MESSAGE_BYTES // mib} MiB, {limits.MAX_METADATA_BYTES // mib} MiB, "
        f"{limits.MAX_ATTACHMENT_BYTES // mib // 1024} GiB"
    ) in table
    texts = (limits.MAX_TITLE_CHARS, limits.MAX_LABEL_CHARS, limits.MAX_CWD_CHARS)
    assert "| {:,}, {:,} and {:,} characters |".format(*texts) in table
    assert limits.WRONG_KEYS_A_MINUTE == 10
    assert "After ten wrong keys a minute" in PAGE
    assert limits.KEPT_ANSWER_SECONDS == 24 * 3600


def test_the_variables_that_point_the_agent_here_are_named() -> None:
    part = PAGE.partition("## The Stakpak agent")[2].partition("\n## ")[0]
    assert re.search(r"export STAKPAK_API_ENDPOINT=http://[^/\s]+\n", part)
    assert "export STAKPAK_API_KEY=clew_" in part
    assert heard_as("Session x not found") == "NotFound"
