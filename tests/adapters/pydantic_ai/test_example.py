"""The example of the documentation."""

import subprocess
import sys
from pathlib import Path

EXAMPLE = Path(__file__).resolve().parents[3] / "examples" / "with_pydantic_ai.py"


def test_the_example_runs_without_a_network():
    done = subprocess.run([sys.executable, str(EXAMPLE)], capture_output=True, text=True, timeout=60, check=True)
    lines = done.stdout.splitlines()
    assert lines[0] == "agent: I have read 7 messages, and the test reads the clock."
    assert [line for line in lines if line.startswith("event")] == [
        "event: run_started",
        "event: model_request_started",
        "event: model_request_completed",
    ]
    assert "chat: 4 messages, its fork: 2" in lines
    assert "session: Why does CI fail? (8 messages)" in lines
    assert done.stderr == ""
