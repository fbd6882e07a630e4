"""What tests of several folders share."""

import gc
from collections.abc import Iterator
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.support.http_server import LiveServer
    from tests.support.postgres_server import PostgresServer
    from tests.support.postgres_stores import Database


@pytest.fixture(scope="session")
def postgres_server() -> "Iterator[PostgresServer]":
    """The PostgreSQL that tests make databases in, started for the first test that asks for it."""
    # psycopg takes a fifth of a second to import: only who needs it pays for it.
    from tests.support.postgres_server import running_server

    with running_server() as server:
        yield server


@pytest.fixture(scope="session")
def postgres_database(postgres_server: "PostgresServer") -> "Iterator[Database]":
    """A database with clew's tables."""
    from tests.support.postgres_stores import Database

    with closing(Database(postgres_server.create_database())) as database:
        yield database


@pytest.fixture
def postgres_url(postgres_database: "Database") -> str:
    """The same without anything in it."""
    postgres_database.empty()
    return postgres_database.url


def pytest_collection_finish() -> None:
    """What has been collected stays until the end: looking through it for garbage takes a third of some tests' time."""
    gc.freeze()


@pytest.fixture(scope="session")
def http_server() -> "Iterator[LiveServer]":
    """A clew server on loopback, started for the first test that asks for it."""
    from tests.support.http_server import live_server

    with live_server() as server:
        gc.freeze()
        yield server
