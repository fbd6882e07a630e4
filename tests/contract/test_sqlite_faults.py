"""The contract about statements that fail over an SQLite file."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import apsw
import pytest
from tests.contract.test_sqlite import open_store

from clew import Store
from clew.sqlite import SQLiteBackend
from clew.testing import Clock, FaultContract, Faults


class EngineFaults:
    """Faults in the statements of the connection that writes."""

    def __init__(self, store: Store) -> None:
        self._store = store

    @contextmanager
    def failing(self, number: int) -> Iterator[None]:
        left = number

        def allow(_cursor: apsw.Cursor, _sql: str, _values: Any) -> bool:
            nonlocal left
            left -= 1
            return left != 0

        self._trace(allow)
        try:
            yield
        finally:
            self._trace(None)

    def _trace(self, allow: Any) -> None:
        backend = self._store._backend
        assert isinstance(backend, SQLiteBackend)
        backend._engine.alone(lambda connection: setattr(connection, "exec_trace", allow), timeout=30)


class TestFile(FaultContract):
    @pytest.fixture
    def store(self, tmp_path: Path, clock: Clock) -> Iterator[Store]:
        with open_store(tmp_path / "agent.db", clock) as store:
            yield store

    @pytest.fixture
    def faults(self, store: Store) -> Faults:
        return EngineFaults(store)
