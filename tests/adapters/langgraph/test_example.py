"""The example of the documentation."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]


def test_the_example_runs_without_a_network_and_prints_what_the_page_shows() -> None:
    command = [sys.executable, str(ROOT / "examples" / "with_langgraph.py")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert done.stderr == ""
    assert done.stdout in (ROOT / "docs" / "adapters" / "langgraph.md").read_text()
