"""What tests of the file share: where it is, and a look into it by hand."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import apsw
import pytest

Query = Callable[[str], list[tuple[Any, ...]]]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where a store is made."""
    return tmp_path / "store.db"


@pytest.fixture
def query(path: Path) -> Query:
    """Reads the file with SQL, the store being closed."""

    def run(sql: str) -> list[tuple[Any, ...]]:
        connection = apsw.Connection(str(path))
        try:
            return list(connection.execute(sql).fetchall())
        finally:
            connection.close()

    return run
