"""A server on loopback for tests: one for the whole run, in a thread, over whichever store the test has."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, cast

import uvicorn

from clew import Store
from clew.backend import Backend
from clew.server import create_app

DEADLINE = 30.0  # seconds


class Switch:
    """A backend and a clock that are those of the test that runs."""

    def __init__(self) -> None:
        self.backend: Backend | None = None
        self.clock: Callable[[], int] = lambda: 0

    def put(self, backend: Backend, clock: Callable[[], int]) -> None:
        """From now on this is behind the server."""
        self.backend, self.clock = backend, clock

    def __getattr__(self, name: str) -> Any:
        return getattr(self.backend, name)


class LiveServer:
    """A server that answers at `url`."""

    def __init__(self, url: str, switch: Switch) -> None:
        self.url = url
        self.switch = switch


@contextmanager
def live_server(around: Callable[[Any], Any] = lambda app: app) -> Iterator[LiveServer]:
    """A server with nothing behind it yet; `around` makes another application of it."""
    switch = Switch()
    app = create_app(Store(cast(Backend, switch), clock=lambda: switch.clock()))
    with served(around(app)) as url:
        yield LiveServer(url, switch)


@contextmanager
def served(app: Any) -> Iterator[str]:
    """Any ASGI application, answering on loopback."""
    started = threading.Event()
    config = uvicorn.Config(app, port=0, log_config=None, access_log=False, timeout_graceful_shutdown=1)
    server = _Server(config, started)
    thread = threading.Thread(target=server.run, name="test-server", daemon=True)
    thread.start()
    assert started.wait(DEADLINE)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(DEADLINE)


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, started: threading.Event) -> None:
        super().__init__(config)
        self._has_started = started

    async def startup(self, sockets: Any = None) -> None:
        await super().startup(sockets)
        self._has_started.set()
