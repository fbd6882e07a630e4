"""What the tests of several formats share."""

import os
from pathlib import Path

import pytest

_BESIDE_THE_CHECKOUT = Path(__file__).parents[3] / "shared" / "samples"


def samples(tool: str) -> Path:
    """The folder with files that this tool has written itself; skips where there is none.

    `CLEW_SAMPLES` names the folder above. The files are not clew's to hand on, so most checkouts have none.
    """
    folder = Path(os.environ.get("CLEW_SAMPLES", _BESIDE_THE_CHECKOUT)) / tool
    if not folder.is_dir():
        pytest.skip(f"no samples of {tool}")
    return folder
