"""The state machine over PostgreSQL, with a look at its tables after every step."""

from collections.abc import Iterator
from typing import ClassVar

import pytest
from tests.contract.underneath import compare
from tests.contract.underneath_postgres import Connection, connect, read_tables
from tests.support.postgres_stores import Database, open_store
from tests.test_state_machine import SmallPieces

from clew import Store
from clew.testing import Clock, machine_test


class DatabaseMachine(SmallPieces):
    """Two stores on one database; the tables are read through a connection of their own."""

    database: ClassVar[Database]
    connection: ClassVar[Connection]

    def open_store(self, clock: Clock) -> Store:
        self.database.empty()
        return self.open_another(clock)

    def open_another(self, clock: Clock) -> Store:
        return open_store(self.database.url, clock)

    def look_underneath(self) -> None:
        compare(read_tables(self.connection), self.model)


@pytest.fixture(autouse=True)
def database(postgres_database: Database) -> Iterator[None]:
    DatabaseMachine.database = postgres_database
    with connect(postgres_database.url) as DatabaseMachine.connection:
        yield


TestDatabase = machine_test(DatabaseMachine, walks=4, steps=15)
