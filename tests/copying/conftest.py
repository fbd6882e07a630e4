"""Pairs of stores to copy between."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.copying.stores import open_file
from tests.support.http_server import LiveServer

from clew import Role, Store
from clew.remote import open_backend as open_remote
from clew.sqlite import open_backend
from clew.testing import Clock

PAIRS = ["file to file", "file to postgres", "postgres to file", "file to http", "http to file"]


@pytest.fixture
def clock() -> Clock:
    """One clock for both stores: what is done later has a later time."""
    return Clock(tick=1_000)


def open_behind_http(request: pytest.FixtureRequest, clock: Clock) -> Store:
    """A store in memory, through the live server and with an admin's key."""
    behind = open_backend(None, busy_timeout=30)
    request.addfinalizer(behind.close)
    server: LiveServer = request.getfixturevalue("http_server")
    server.switch.put(behind, clock)
    api_key = Store(behind, clock=lambda: 0).create_key("copier", Role.ADMIN).token
    return Store(open_remote(server.url, api_key=api_key, busy_timeout=30), clock=clock)


@pytest.fixture(params=PAIRS)
def pair(request: pytest.FixtureRequest, tmp_path: Path, clock: Clock) -> Iterator[tuple[Store, Store]]:
    """A source and a destination, both empty."""

    def opened(kind: str, name: str) -> Store:
        if kind == "postgres":
            from tests.support.postgres_stores import open_store

            return open_store(request.getfixturevalue("postgres_url"), clock)
        if kind == "http":
            return open_behind_http(request, clock)
        return open_file(str(tmp_path / name), clock)

    source, destination = request.param.split(" to ")
    with opened(source, "here.db") as here, opened(destination, "there.db") as there:
        yield here, there


@pytest.fixture
def here(pair: tuple[Store, Store]) -> Store:
    return pair[0]


@pytest.fixture
def there(pair: tuple[Store, Store]) -> Store:
    return pair[1]


@pytest.fixture
def laptop(clock: Clock) -> Iterator[Store]:
    with open_file(None, clock) as store:
        yield store


@pytest.fixture
def team(clock: Clock) -> Iterator[Store]:
    with open_file(None, clock) as store:
        yield store
