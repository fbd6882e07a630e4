"""The contract over HTTP, and a walk of the state machine: through a live server on loopback, over SQLite in memory."""

from collections.abc import Callable, Iterator
from typing import ClassVar

import pytest
from tests.support.http_server import LiveServer
from tests.test_state_machine import SmallPieces

from clew import Role, Store
from clew.backend import Backend
from clew.remote import open_backend as open_remote
from clew.sqlite import open_backend
from clew.testing import Clock, StoreContract, machine_test
from clew.testing.contract.base import NEAR


def open_store(server: LiveServer, clock: Clock, api_key: str) -> Store:
    """The server tells the time of the test; the client only looks at it, for what it plans."""
    return Store(open_remote(server.url, api_key=api_key, busy_timeout=30), clock=lambda: clock.now)


def make_key(backend: Backend) -> str:
    """The token of a key for everything, made without a look at the clock of the test."""
    return Store(backend, clock=lambda: 0).create_key("contract", Role.ADMIN).token


class TestHttp(StoreContract):
    @pytest.fixture
    def behind(self, http_server: LiveServer, clock: Clock) -> Iterator[Store]:
        """The store that the server stands before."""
        with Store(open_backend(None, durability="normal", busy_timeout=30), clock=clock) as behind:
            http_server.switch.put(behind._backend, clock)
            yield behind

    @pytest.fixture
    def api_key(self, behind: Store) -> str:
        return make_key(behind._backend)

    @pytest.fixture
    def store(self, http_server: LiveServer, clock: Clock, behind: Store, api_key: str) -> Iterator[Store]:
        with open_store(http_server, clock, api_key) as store:
            NEAR[store] = behind
            yield store

    @pytest.fixture
    def reopen(
        self, store: Store, http_server: LiveServer, clock: Clock, api_key: str
    ) -> Iterator[Callable[[], Store]]:
        opened: list[Store] = []

        def reopen() -> Store:
            store.close()
            opened.append(open_store(http_server, clock, api_key))
            return opened[-1]

        yield reopen
        for again in opened:
            again.close()


class HttpMachine(SmallPieces):
    """Two clients of one server."""

    server: ClassVar[LiveServer]

    def open_store(self, clock: Clock) -> Store:
        self.behind = open_backend(None, busy_timeout=30)
        self.server.switch.put(self.behind, clock)
        self.api_key = make_key(self.behind)
        return self.open_another(clock)

    def open_another(self, clock: Clock) -> Store:
        return open_store(self.server, clock, self.api_key)

    def teardown(self) -> None:
        super().teardown()
        self.behind.close()


@pytest.fixture(autouse=True)
def server(http_server: LiveServer) -> None:
    HttpMachine.server = http_server


TestMachine = machine_test(HttpMachine, walks=2, steps=12)
