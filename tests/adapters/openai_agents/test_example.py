"""The example of this adapter runs, in a process of its own and without a network."""

import subprocess
import sys
from pathlib import Path

EXAMPLE = Path(__file__).parents[3] / "examples" / "with_openai_agents.py"


def test_the_example_tells_what_is_on_which_branch(tmp_path: Path) -> None:
    run = subprocess.run([sys.executable, str(EXAMPLE)], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert run.returncode == 0, run.stderr
    assert run.stdout.splitlines() == [
        "> Do I need an umbrella in Rome?",
        "  Take an umbrella: rain in Rome.",
        "> Thanks.",
        "  Items before that: 4.",
        "> Never mind.",
        "  Items before that: 1.",
        "main: 6 items",
        "shorter: 3 items (current)",
        "openai-agents: 'Do I need an umbrella in Rome?'",
    ]
    assert list(tmp_path.iterdir()) == []
