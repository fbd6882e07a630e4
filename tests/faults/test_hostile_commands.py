"""Whatever the command is given, it ends with a documented exit code and a line of its own."""

from contextlib import chdir
from pathlib import Path

import pytest
from tests.faults.commands import EXIT_CODES, process_lines, run_apart, run_with_anything
from tests.faults.hostile import quietly

import clew

EXAMPLES = 60


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A home directory without anything in it, and an environment that names no store."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for name in ("CLEW_URL", "XDG_DATA_HOME"):
        monkeypatch.delenv(name, raising=False)


def test_a_run_with_any_words_ends_with_an_exit_code_and_no_traceback(tmp_path: Path) -> None:
    (tmp_path / "here").mkdir()
    run_with_anything(tmp_path / "here", quietly(EXAMPLES))


def test_a_process_given_junk_ends_the_same_way(tmp_path: Path) -> None:
    (tmp_path / "junk").write_bytes(bytes(range(256)))
    (tmp_path / "messages.json").write_bytes(b'[{"role":"user"},\xff')
    with chdir(tmp_path), clew.open("agent.db") as store:
        store.create_session("first")
    for arguments, typed in process_lines():
        ran = run_apart(arguments, typed, tmp_path)
        assert ran.exit_code in EXIT_CODES - {0}, ran
        assert "Traceback" not in ran.stderr
        assert "nternal" not in ran.stderr
