"""Running the application: uvicorn, from a socket to the end.

One process, because answers of requests with an Idempotency-Key are kept in its memory. On SIGTERM or SIGINT it takes
no more requests, lets those that are under way end, for so long and no longer, and ends; what waits for changes is
answered at once. A second signal ends it there and then. No write that was acknowledged is lost by either: the store
had it before the client was told.
"""

import asyncio
import contextlib
import logging
import os
import signal
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Sequence
from types import FrameType

import msgspec
import uvicorn

from clew import limits
from clew.errors import InvalidRequestError
from clew.server.app import Application, create_app
from clew.server.logs import LogFormat
from clew.server.logs import start as start_logs
from clew.server.sockets import Listening, addresses_of, is_loopback, listen, listen_at_file
from clew.store import Store

_log = logging.getLogger("clew.server")

EXIT_CUT_OFF = 1
_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_GOODBYE_SECONDS = 1.0
_LAST_SECONDS = 2.0
"""What closing the store may take after the time for requests is over."""


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """How a store is served."""

    host: str = "127.0.0.1"
    port: int = 8420
    uds: str | None = None
    """The path of a Unix socket to listen at, in place of host and port."""
    tls_cert: str | None = None
    tls_key: str | None = None
    proxies: Sequence[str] = ()
    """The addresses of proxies that are believed whom they bring."""
    max_request_bytes: int = limits.MAX_REQUEST_BYTES
    requests_per_second: float | None = None
    burst: float | None = None
    grace: float = 30.0
    """Seconds that requests under way may take when the server is to end."""
    log_format: LogFormat = "text"
    access_log: bool = True
    key_command: str = "clew key create NAME --role write"
    """What makes an API key for this store: told where one is missing."""


class Start(msgspec.Struct, frozen=True, kw_only=True):
    """What a server that has just begun to listen says of itself."""

    places: list[str]
    has_keys: bool
    is_in_the_clear: bool
    """Whether other machines may come over plain HTTP."""


def serve(store: Store, settings: Settings, announce: Callable[[Start], None]) -> None:
    """Serve a store until a signal ends it; `announce` is called once clients can come.

    InvalidRequestError where the settings cannot be, or where other machines could come to a store without keys;
    UnavailableError where it cannot listen.
    """
    has_keys = bool(store.list_keys())
    tls = _tls(settings)
    app = create_app(
        store,
        max_request_bytes=settings.max_request_bytes,
        requests_per_second=settings.requests_per_second,
        burst=settings.burst,
    )
    listening = _listening(settings, has_keys=has_keys, is_tls=tls is not None)
    is_far = settings.uds is None and not is_loopback(addresses_of(settings.host))
    start = Start(places=listening.places, has_keys=has_keys, is_in_the_clear=is_far and tls is None)
    start_logs(settings.log_format, requests=settings.access_log)
    try:
        server = _Server(_config(app, settings, tls), app, settings.grace)
        server.serve_at(listening.sockets, lambda: announce(start))
    finally:
        listening.close()


def _listening(settings: Settings, *, has_keys: bool, is_tls: bool) -> Listening:
    if settings.uds is not None:
        return listen_at_file(settings.uds)
    addresses = addresses_of(settings.host)
    if not has_keys and not is_loopback(addresses):
        raise InvalidRequestError(
            f"the store has no API key yet, so it is served to this machine only, not at {settings.host}: "
            f"make a key first with: {settings.key_command}"
        )
    return listen(addresses, settings.port, scheme="https" if is_tls else "http")


def _config(app: Application, settings: Settings, tls: ssl.SSLContext | None) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,  # clew's own has no query in it
        server_header=False,
        proxy_headers=bool(settings.proxies),
        forwarded_allow_ips=list(settings.proxies),
        timeout_graceful_shutdown=settings.grace,  # type: ignore[arg-type]  # it is only handed to asyncio
        workers=1,
        ssl_context_factory=None if tls is None else lambda _config, _default: tls,
    )


def _tls(settings: Settings) -> ssl.SSLContext | None:
    """The certificate and its key; InvalidRequestError where they cannot be read, or do not belong together."""
    if settings.tls_cert is None and settings.tls_key is None:
        return None
    if settings.tls_cert is None or settings.tls_key is None:
        raise InvalidRequestError("--tls-cert and --tls-key are given together")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(settings.tls_cert, settings.tls_key, _no_password)
    except OSError as error:  # ssl.SSLError is one
        raise InvalidRequestError(
            f"the certificate {settings.tls_cert} and the key {settings.tls_key} cannot be used: "
            f"{error.strerror or error}"
        ) from None
    return context


def _no_password() -> str:
    raise InvalidRequestError("--tls-key: the key has a password, for which nobody can be asked")


class _Server(uvicorn.Server):
    """uvicorn, with an end of its own: see the docstring of the module."""

    def __init__(self, config: uvicorn.Config, app: Application, grace: float) -> None:
        super().__init__(config)
        self._app_to_stop = app
        self._grace = grace
        self._announce: Callable[[], None] = lambda: None

    def serve_at(self, sockets: list[socket.socket], announce: Callable[[], None]) -> None:
        """Serve until a signal comes, and end."""
        self._announce = announce
        self.run(sockets)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin, and say so."""
        await super().startup(sockets)
        _log.info("listening")
        self._announce()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Answer those who wait for changes, and hang up where a client does not, while the rest goes on."""
        waking = asyncio.create_task(asyncio.to_thread(self._app_to_stop.stop_waiting))
        hanging_up = asyncio.create_task(self._hang_up())
        _log.info("ending: what is under way may take %g s", self._grace)
        await super().shutdown(sockets)
        hanging_up.cancel()
        await waking
        _log.info("ended")

    async def _hang_up(self) -> None:
        """End connections over which everything has been said.

        Over TLS a connection is closed once the client says goodbye too, for which asyncio waits 30 seconds; one that
        is kept for later does not look at it until then.
        """
        closing: set[uvicorn.server.Protocols] = set()
        while True:
            await asyncio.sleep(_GOODBYE_SECONDS)
            for connection in closing & self.server_state.connections:
                if connection.transport.get_write_buffer_size() == 0:
                    connection.transport.abort()
            closing = {one for one in self.server_state.connections if one.transport.is_closing()}

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """End on a signal, and have that be a success: it is how a server is to end."""
        before = {number: signal.signal(number, self.handle_exit) for number in _SIGNALS}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """The first signal asks to end, the second ends."""
        if self.should_exit:
            os._exit(128 + sig)
        self.should_exit = True
        # Threads that read or write cannot be stopped from outside, and the interpreter would wait for them.
        last = threading.Timer(self._grace + _LAST_SECONDS, _cut_off)
        last.daemon = True
        last.start()


def _cut_off() -> None:
    _log.error("what was under way did not end in time, and is cut off")
    os._exit(EXIT_CUT_OFF)
