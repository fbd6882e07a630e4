"""The example of this adapter runs, in a process of its own and without a network."""

import subprocess
import sys
from pathlib import Path

EXAMPLE = Path(__file__).parents[3] / "examples" / "with_google_adk.py"


def test_the_example_tells_what_it_remembers(tmp_path: Path) -> None:
    run = subprocess.run([sys.executable, str(EXAMPLE)], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert run.returncode == 0, run.stderr
    assert "You asked for 2 things." in run.stdout
    assert list(tmp_path.iterdir()) == []
