"""Each test has a store and a home directory of its own."""

import signal
from pathlib import Path

import pytest
from tests.cli.support import Command

_FOLDERS = (
    "XDG_DATA_HOME", "XDG_CONFIG_HOME", "CLAUDE_CONFIG_DIR", "CODEX_HOME", "LLM_USER_PATH", "PI_CODING_AGENT_DIR",
)  # fmt: skip
"""What would name other places than those in the home directory."""


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home directory without anything in it, and an environment that names no store."""
    directory = tmp_path / "home"
    directory.mkdir()
    monkeypatch.setenv("HOME", str(directory))
    for name in ("CLEW_URL", "COLUMNS", *_FOLDERS):
        monkeypatch.delenv(name, raising=False)
    return directory


@pytest.fixture
def command(tmp_path: Path) -> Command:
    return Command(tmp_path / "agent.db")


@pytest.fixture(scope="session", autouse=True)
def interruptible() -> None:
    """A shell starts what runs in its background with SIGINT ignored, and every process under it would inherit that."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
