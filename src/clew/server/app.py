"""The ASGI application: everything that stands between a socket and the routes, put together."""

import asyncio
import os
import time
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import cast

from litestar import Litestar
from litestar.config.compression import CompressionConfig
from litestar.di import Provide
from litestar.exceptions import HTTPException
from litestar.types import Scope as HttpScope

import clew
from clew import limits
from clew.aio import AsyncStore
from clew.errors import StorageError
from clew.protocol import SERVER_HEADER
from clew.server.access import Gate
from clew.server.access_log import AccessLog
from clew.server.asgi import App, Message, Receive, Scope, Send
from clew.server.bodies import JsonSchemas, RequestBodies
from clew.server.callers import caller_of
from clew.server.description import openapi_config, tell_all_methods
from clew.server.failures import on_any_error, on_storage_error
from clew.server.headers import SafeHeaders
from clew.server.idempotency import Repeats
from clew.server.metrics import Metrics
from clew.server.rates import Buckets, CallerRate, WrongKeys, checked_rate
from clew.server.routes import ROUTES
from clew.server.seen import Named, Observed, Routed
from clew.server.served import Serving, forms_by_name, time_in
from clew.server.web import WEB
from clew.server.web.failures import on_unrouted
from clew.store import Store

AS_IT_COMES = ["/v1/events", "/v1/verify", "/v1/compact"]
"""Answers that are told bit by bit: compressing them would hold them back."""


def create_app(
    store: Store | AsyncStore | str | os.PathLike[str],
    *,
    max_request_bytes: int = limits.MAX_REQUEST_BYTES,
    requests_per_second: float | None = None,
    burst: float | None = None,
) -> "Application":
    """An ASGI application over a store, or over the one at a URL, which it then opens now and closes at its end.

    Whoever has an API key of the store with the role admin may ask for everything; while the store has no key, only
    programs of this machine may. A body of a request that is longer than `max_request_bytes` is refused.

    With `requests_per_second` each caller may ask so often in the long run, and `burst` times at once (twice as often,
    unless told otherwise); beyond that the answer is 429.
    """
    rate = checked_rate(requests_per_second, burst)
    if isinstance(store, (str, os.PathLike)):
        opened = clew.open(store)
        served = Serving(opened)
    else:
        opened = None
        served = Serving(store.sync if isinstance(store, AsyncStore) else store)
    metrics = Metrics(lambda: served.bell.waiting)
    litestar = _routed(served, opened, metrics, max_request_bytes)
    app: App = Repeats(Routed(cast(App, litestar)), max_request_bytes)
    if rate is not None:
        app = CallerRate(app, Buckets(*rate, time.monotonic))
    wrong_keys = Buckets(limits.WRONG_KEYS_A_MINUTE / 60, limits.WRONG_KEYS_A_MINUTE, time.monotonic)
    app = WrongKeys(Gate(Named(app), served.backend), wrong_keys)
    return Application(Observed(SafeHeaders(app), [AccessLog(_words(litestar)), metrics], time.perf_counter), served)


def _words(litestar: Litestar) -> frozenset[str]:
    """What the paths of the routes are made of, without what stands in for a value."""
    parts = [part for route in litestar.routes for part in route.path_format.split("/")]
    return frozenset(part for part in parts if not part.startswith("{"))


def _routed(served: Serving, opened: Store | None, metrics: Metrics, max_request_bytes: int) -> Litestar:
    @asynccontextmanager
    async def lifespan(_: Litestar) -> AsyncIterator[None]:
        # By default there are few more threads than processors, and these wait for locks and disks.
        threads = ThreadPoolExecutor(limits.ASYNC_THREADS, thread_name_prefix="clew-server")
        asyncio.get_running_loop().set_default_executor(threads)
        try:
            yield
        finally:
            served.bell.stop()
            if opened is not None:
                opened.close()

    def to_caller(scope: HttpScope) -> Serving:
        return served.to(caller_of(scope), time_in(scope))

    app = Litestar(
        [*ROUTES, *WEB],
        lifespan=[lifespan],
        dependencies={
            "served": Provide(to_caller, sync_to_thread=False),
            "forms": Provide(forms_by_name, sync_to_thread=False),
            "metrics": Provide(lambda: metrics, sync_to_thread=False),
        },
        exception_handlers={
            StorageError: on_storage_error,
            HTTPException: on_unrouted,
            Exception: on_any_error,
        },
        compression_config=CompressionConfig(
            backend="gzip", minimum_size=limits.MIN_COMPRESSED_BYTES, gzip_compress_level=1, exclude=AS_IT_COMES
        ),
        openapi_config=openapi_config(),
        plugins=[RequestBodies(), JsonSchemas()],
        request_max_body_size=max_request_bytes,
        logging_config=None,
    )
    tell_all_methods(app)
    return app


class Application:
    """The whole of it. It says on every answer what server it is, and leaves the path as it was sent.

    Names in a path may hold slashes. Decoded before the routes are looked up, they would be another path.
    """

    def __init__(self, app: App, served: Serving) -> None:
        self._app = app
        self._served = served

    def stop_waiting(self) -> None:
        """Answer everyone who waits for changes, now and from now on: the server is about to end."""
        self._served.bell.stop()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        stamp = (SERVER_HEADER.lower().encode(), clew.__version__.encode())

        async def stamped(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message["headers"], stamp]}
            await send(message)

        path = scope["raw_path"].partition(b"?")[0].decode("latin-1")
        await self._app({**scope, "path": path}, receive, stamped)
