"""What tests of several folders share."""

from collections.abc import Iterator
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.support.postgres_server import PostgresServer


@pytest.fixture(scope="session")
def postgres_server() -> "Iterator[PostgresServer]":
    """The PostgreSQL that tests make databases in, started for the first test that asks for it."""
    # psycopg takes a fifth of a second to import: only who needs it pays for it.
    from tests.support.postgres_server import running_server

    with running_server() as server:
        yield server


@pytest.fixture(scope="session")
def postgres_database(postgres_server: "PostgresServer") -> Iterator[str]:
    """A database with clew's tables."""
    from tests.support.postgres_stores import open_postgres

    url = postgres_server.create_database()
    # Open for as long as the tests run: the connections of stores on it are shared, and stay warm.
    with closing(open_postgres(url)):
        yield url


@pytest.fixture
def postgres_url(postgres_database: str) -> str:
    """The same without anything in it."""
    from tests.support.postgres_stores import empty

    empty(postgres_database)
    return postgres_database
