"""The example of the page: it runs, and prints what the page shows."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]
EXAMPLE = ROOT / "examples" / "with_agent_framework.py"
PAGE = ROOT / "docs" / "adapters" / "agent-framework.md"


def test_the_example_prints_what_the_page_shows():
    ran = subprocess.run([sys.executable, str(EXAMPLE)], capture_output=True, text=True, timeout=60)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout.strip() in PAGE.read_text(encoding="utf-8")
