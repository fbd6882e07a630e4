"""The example runs offline and shows what its page says."""

import subprocess
import sys
from pathlib import Path

EXAMPLE = Path(__file__).parents[3] / "examples" / "with_claude_agent_sdk.py"


def test_the_example_is_killed_and_goes_on() -> None:
    ran = subprocess.run([sys.executable, "-W", "error", EXAMPLE], capture_output=True, text=True, check=True)
    assert ran.stdout.splitlines() == [
        "> Fix the parser",
        "  So far: Fix the parser",
        "  (Claude Code was killed)",
        "> Now the tests",
        "  So far: Fix the parser / Now the tests",
        "claude-agent-sdk: 'Fix the parser', 4 messages",
    ]
