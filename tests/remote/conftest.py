"""A store over HTTP, and the store behind the server."""

import time
from collections.abc import Iterator

import pytest
from tests.support.http_server import LiveServer

from clew import Store
from clew.remote import client
from clew.remote import open_backend as open_remote
from clew.sqlite import open_backend
from clew.testing import Clock


class Time:
    """Time that passes where a client sleeps, and nowhere else."""

    def __init__(self) -> None:
        self.slept: list[float] = []
        self._began = time.monotonic()

    def monotonic(self) -> float:
        """Now."""
        return self._began + sum(self.slept)

    def sleep(self, seconds: float) -> None:
        """Have so many seconds pass."""
        self.slept.append(seconds)


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long clients wait before they come back."""
    fake = Time()
    monkeypatch.setattr(client, "time", fake)
    return fake.slept


@pytest.fixture
def behind(http_server: LiveServer) -> Iterator[Store]:
    """The store behind the server."""
    clock = Clock()
    with Store(open_backend(None, busy_timeout=30), clock=clock) as store:
        http_server.switch.put(store._backend, clock)
        yield store


@pytest.fixture
def store(http_server: LiveServer, behind: Store) -> Iterator[Store]:
    """The same over HTTP."""
    with Store(open_remote(http_server.url, busy_timeout=30)) as store:
        yield store
