"""The state machine over SQLite: in a file with a look at its tables after every step, and in memory."""

import tempfile
from pathlib import Path

import apsw
import pytest
from tests.contract.underneath import compare, read_tables

from clew import Store, limits
from clew.sqlite import open_backend
from clew.testing import Clock, StoreMachine, machine_test


class SmallPieces(StoreMachine):
    """Attachments are kept in pieces of a few bytes, so that a walk has many of several pieces."""

    def __init__(self) -> None:
        self.patch = pytest.MonkeyPatch()
        self.patch.setattr(limits, "ATTACHMENT_CHUNK_BYTES", 8)
        super().__init__()

    def teardown(self) -> None:
        super().teardown()
        self.patch.undo()


class FileMachine(SmallPieces):
    """Two stores on one file; the tables are read through a connection of their own."""

    def open_store(self, clock: Clock) -> Store:
        self.directory = tempfile.TemporaryDirectory()
        self.path = str(Path(self.directory.name) / "agent.db")
        return self.open_another(clock)

    def open_another(self, clock: Clock) -> Store:
        return Store(open_backend(self.path, durability="normal", busy_timeout=30), clock=clock)

    def look_underneath(self) -> None:
        if not hasattr(self, "connection"):
            self.connection = apsw.Connection(self.path, flags=apsw.SQLITE_OPEN_READONLY)
        compare(read_tables(self.connection), self.model)

    def teardown(self) -> None:
        if hasattr(self, "connection"):
            assert self.connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            assert self.connection.execute("PRAGMA foreign_key_check").fetchall() == []
            self.connection.close()
        super().teardown()
        self.directory.cleanup()


class MemoryMachine(SmallPieces):
    """Two stores over one database in memory."""

    def open_store(self, clock: Clock) -> Store:
        self.backend = open_backend(None, busy_timeout=30)
        return self.open_another(clock)

    def open_another(self, clock: Clock) -> Store:
        return Store(self.backend, clock=clock)


TestFile = machine_test(FileMachine)
TestMemory = machine_test(MemoryMachine)
