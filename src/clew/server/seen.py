"""What a request turned out to be: noted on its way through the application, for the access log and the metrics.

The outermost part measures. What only inner parts know (who asks, which route it is) they note on the way.
"""

import re
import secrets
from collections.abc import Callable, Collection
from typing import Any, Protocol

from clew.model import ApiKey
from clew.server.asgi import App, Message, Receive, Scope, Send
from clew.server.callers import caller_of

REQUEST_ID_HEADER = "X-Request-ID"

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
OTHER = "OTHER"
"""A method may be any word that a client makes up."""

_SEEN = "clew.seen"
_ROUTE = "clew.route"
_MAX_SEGMENTS = 16
_ID_HEADER = REQUEST_ID_HEADER.lower().encode()
_ID = re.compile(rb"[A-Za-z0-9._-]{1,128}")
_UUID = re.compile(r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}")


class Seen:
    """One request, and what became of it."""

    __slots__ = (
        "bytes_out",
        "client",
        "error",
        "id",
        "key",
        "method",
        "path",
        "reached",
        "route",
        "seconds",
        "status",
    )

    def __init__(self, scope: Scope) -> None:
        self.id = _request_id(scope)
        self.method: str = scope["method"] if scope["method"] in METHODS else OTHER
        self.path: str = scope["path"]
        """As it was sent: it may hold anything. See `shown_path`."""
        self.client: str | None = None if scope.get("client") is None else scope["client"][0]
        self.key: ApiKey | None = None
        self.route: str | None = None
        """The template of the route; None where it came to none."""
        self.reached = False
        """Whether a handler had it: the answer of a repeated request is given again without."""
        self.error: str | None = None
        """The code of the error that it ended with, where that is one of the store's."""
        self.status: int | None = None
        self.bytes_out = 0
        self.seconds = 0.0


class Observer(Protocol):
    """Is told of every request."""

    def begin(self) -> None:
        """One has come."""

    def end(self, seen: Seen) -> None:
        """That one has been answered."""


class Observed:
    """Measures each request, and gives it an id that is on the answer too."""

    def __init__(self, app: App, observers: Collection[Observer], clock: Callable[[], float]) -> None:
        """`clock` tells seconds that only grow."""
        self._app = app
        self._observers = observers
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        seen, began = Seen(scope), self._clock()
        for observer in self._observers:
            observer.begin()
        try:
            await self._app({**scope, _SEEN: seen}, receive, _watched(send, seen))
        except Exception:
            seen.status = seen.status or 500  # which is what the server answers then
            raise
        finally:
            seen.seconds = self._clock() - began
            for observer in self._observers:
                observer.end(seen)


class Named:
    """Stands behind the gate, and notes who was let in."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        seen = seen_in(scope)
        if seen is not None:
            seen.key = caller_of(scope).key
        await self._app(scope, receive, send)


class Routed:
    """Stands before the routes. The template of the route travels with the answer, which may be given again."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        seen = seen_in(scope)
        if seen is None:
            await self._app(scope, receive, send)
            return
        seen.reached = True

        async def marked(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = {**message, _ROUTE: scope.get("path_template") or None}
            await send(message)

        await self._app(scope, receive, marked)


def seen_in(scope: Scope) -> Seen | None:
    """What is noted of a request; None where nobody observes."""
    seen: Seen | None = scope.get(_SEEN)
    return seen


def note_error(scope: Any, code: str) -> str:
    """Note with which error a request ends; the id of the request."""
    seen = seen_in(scope)
    if seen is None:
        return "-"
    seen.error = code
    return seen.id


def shown_path(path: str, words: Collection[str]) -> str:
    """A path with the words of the routes and ids alone: labels, and tokens that went astray, stay out."""
    first, *segments = path.split("/", _MAX_SEGMENTS + 1)
    if first or not path:
        return "*"
    shown = [part if part in words or _UUID.fullmatch(part) else "*" for part in segments[:_MAX_SEGMENTS]]
    return "/" + "/".join(shown)


def _watched(send: Send, seen: Seen) -> Send:
    stamp = (_ID_HEADER, seen.id.encode())

    async def watched(message: Message) -> None:
        if message["type"] == "http.response.start":
            seen.status, seen.route = message["status"], message.get(_ROUTE)
            message = {**message, "headers": [*message["headers"], stamp]}
        elif seen.method != "HEAD":
            seen.bytes_out += len(message.get("body", b""))
        await send(message)

    return watched


def _request_id(scope: Scope) -> str:
    """That of the client or proxy where it is well-formed, else a new one."""
    for name, value in scope["headers"]:
        if name == _ID_HEADER and _ID.fullmatch(value):
            return str(value.decode())
    return secrets.token_hex(16)
