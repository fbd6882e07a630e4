"""A store behind the live server, and a plain HTTP client in front of it."""

from collections.abc import Iterator

import httpx2
import pytest
from tests.support.http_server import LiveServer

from clew import Store
from clew.sqlite import open_backend
from clew.testing import Clock


@pytest.fixture
def clock() -> Clock:
    """The time that the store behind the server tells."""
    return Clock()


@pytest.fixture
def store(http_server: LiveServer, clock: Clock) -> Iterator[Store]:
    """The store behind the server."""
    with Store(open_backend(None, busy_timeout=30), clock=clock) as store:
        http_server.switch.put(store._backend, clock)
        yield store


@pytest.fixture
def client(http_server: LiveServer, store: Store) -> Iterator[httpx2.Client]:
    """A client that knows nothing of clew."""
    with httpx2.Client(base_url=http_server.url, verify=False) as client:
        yield client
