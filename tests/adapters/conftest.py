"""Where the adapters keep what they are given, and which of their tests can run here."""

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

import clew

FRAMEWORKS = {
    "agent_framework": "agent_framework",
    "claude_agent_sdk": "claude_agent_sdk",
    "google_adk": "google.adk",
    "langgraph": "langgraph",
    "llama_index": "llama_index",
    "openai_agents": "agents",
    "pydantic_ai": "pydantic_ai",
    "strands": "strands",
}
"""What each folder of tests imports. Each runs where its framework is, in its own environment: `make adapters`."""


def is_here(module: str) -> bool:
    """Whether a module can be imported; without importing more than the package that it is in."""
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:
        return False


collect_ignore = [folder for folder, module in FRAMEWORKS.items() if not is_here(module)]

PLACES = ["file", "postgres", "http"]

PATIENCE = 30.0
"""How long a store may wait for its server or its turn, in seconds: on a machine that others keep busy the first answer
of a server that has just started takes longer than the five seconds that programs have."""


@pytest.fixture(params=PLACES)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[clew.Store]:
    """An empty store: a file, a database in PostgreSQL, and a file behind a server on loopback."""
    if request.param == "file":
        opened = clew.open(tmp_path / "clew.db", durability="normal", busy_timeout=PATIENCE)
    elif request.param == "postgres":
        opened = clew.open(request.getfixturevalue("postgres_url"), durability="normal", busy_timeout=PATIENCE)
    else:
        opened = clew.open(request.getfixturevalue("served_url"), busy_timeout=PATIENCE)
    with opened:
        yield opened


@pytest.fixture
def served_url(tmp_path: Path) -> Iterator[str]:
    """A server on loopback over an empty file."""
    from tests.support.http_server import served

    from clew.server import create_app

    with (
        clew.open(tmp_path / "served.db", durability="normal", busy_timeout=PATIENCE) as behind,
        served(create_app(behind)) as url,
    ):
        yield url


@pytest.fixture
def file_store(tmp_path: Path) -> Iterator[clew.Store]:
    """A store in a file, for what does not depend on where it is."""
    with clew.open(tmp_path / "clew.db", durability="normal", busy_timeout=PATIENCE) as opened:
        yield opened
