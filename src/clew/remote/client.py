"""Requests to a server: encoded, sent, repeated where that is safe, and their answers decoded.

Every write to a clew server carries a key of its own (`Idempotency-Key`): a server that has carried it out gives the
same answer again. So a request whose answer was lost is sent again, as long as the time limit has not passed.
"""

import functools
import itertools
import os
import random
import re
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar
from uuid import uuid4

import httpx2
import msgspec

from clew import limits
from clew.errors import StorageError, UnavailableError
from clew.protocol import REPEAT_HEADER, SERVER_HEADER, TIME_HEADER
from clew.protocol.answers import Line
from clew.protocol.codec import JSON, MSGPACK, decode, encode
from clew.remote import failures
from clew.remote.failures import Target

T = TypeVar("T")

Params = Mapping[str, object]
_FIRST_PAUSE, _LONGEST_PAUSE = 0.05, 2.0  # seconds before a request is sent again
_LAST_PAUSE = 0.01  # seconds: with less left there is no other try
_SHORTEST_WAIT = 1.0  # seconds: with less no network could answer

_BASIC = re.compile(
    "GET /v1/account|(GET|POST) /v1/sessions|(GET|PATCH|DELETE) /v1/sessions/[0-9a-f-]{36}"
    "|(GET|POST) /v1/sessions/[0-9a-f-]{36}/checkpoints|GET /v1/sessions/checkpoints/[0-9a-f-]{36}"
)
"""The endpoints that a service has which is not clew's."""

_NOT_SENT = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout)


class Client:
    """A pool of connections to one server. Safe to use from many threads."""

    def __init__(self, target: Target, api_key: str | None, timeout: float) -> None:
        self.target = target
        self._timeout = timeout
        self._closed = False
        self._process = os.getpid()
        headers = {"User-Agent": "clew", "Accept-Encoding": "identity" if target.is_near else "gzip"}
        if api_key is not None:
            headers["Authorization"] = f"Bearer {api_key}"
        pool = httpx2.Limits(max_connections=limits.ASYNC_THREADS, max_keepalive_connections=limits.MAX_POOL)
        self._http = httpx2.Client(headers=headers, limits=pool, follow_redirects=False, verify=_trust(target))

    def close(self) -> None:
        """Close every connection. A second call does nothing; any other call then raises."""
        self._closed = True
        self._http.close()

    def call(
        self,
        method: str,
        path: str,
        kind: type[T],
        *,
        body: object = None,
        params: Params | None = None,
        asks: bool = False,
        slow: bool = False,
        found: Callable[[], T] | None = None,
        now: int | None = None,
    ) -> T:
        """What the server answers. A call that `asks` changes nothing; a `slow` one takes long where there is much.

        `now` is the time of a write, None for that of the server's clock.

        `found` is for a write with an id that clew made: where a server that has forgotten an earlier try of it refuses
        the next, because the id is taken by then, it reads what the earlier one has written.
        """
        response, tries = self._exchange(method, path, body, params, asks=asks, slow=slow, now=now)
        if not response.is_success:
            refused = failures.error_of(self.target, path, response)
            if tries > 1 and found is not None:
                return _found_or(found, refused)
            raise refused
        return self._decoded(response, kind)

    def send(self, method: str, path: str, *, body: object = None, now: int | None = None) -> None:
        """The same where the server has nothing to say."""
        response, _ = self._exchange(method, path, body, None, now=now)
        if not response.is_success:
            raise failures.error_of(self.target, path, response)

    def greet(self, path: str, kind: type[Any]) -> bool:
        """Whether it is a clew server that answers, with a `kind` in any case."""
        response, _ = self._exchange("GET", path, None, None)
        if not response.is_success:
            raise failures.error_of(self.target, path, response)
        self._decoded(response, kind)
        return SERVER_HEADER in response.headers

    def lines(self, method: str, path: str) -> Iterator[Line]:
        """The lines of an answer, as they come; an error that one of them tells is raised."""
        self.check_open()
        request = self._request(method, path, None, None, asks=method == "GET")
        request.extensions["timeout"] = self._timeouts(self._timeout, slow=True)
        with self._failing(method), self._streamed(request) as response:
            if not response.is_success:
                response.read()
                raise failures.error_of(self.target, request.url.path, response)
            for text in response.iter_lines():
                line = self._line(text, response)
                if line.error is not None:
                    raise failures.told(response.status_code, line.error)
                yield line
                if line.done:
                    return
            raise UnavailableError(f"the answer of {self.target.endpoint} ended too soon")

    def check_open(self) -> None:
        """UnavailableError where it has been closed, or belongs to the process that this one was forked from."""
        if self._closed:
            raise UnavailableError("the store is closed")
        if self._process != os.getpid():
            raise UnavailableError("this store was opened before the process forked; open it again in the new process")

    def _exchange(
        self,
        method: str,
        path: str,
        body: object,
        params: Params | None,
        *,
        asks: bool = False,
        slow: bool = False,
        now: int | None = None,
    ) -> tuple[httpx2.Response, int]:
        """The answer, and how often it was asked for."""
        self.check_open()
        deadline = time.monotonic() + self._timeout
        asks = asks or method == "GET"
        request = self._request(method, path, body, params, asks=asks)
        if now is not None:
            request.headers[TIME_HEADER] = str(now)
        may_repeat = asks or REPEAT_HEADER in request.headers
        for tries in itertools.count(1):
            try:
                response = self._tried(request, deadline, slow)
            except httpx2.TransportError as error:
                was_sent = not isinstance(error, _NOT_SENT)
                if (was_sent and not may_repeat) or not _pause(tries, deadline):
                    raise failures.unreachable(self.target, method, error) from error
                continue
            wait = failures.retry_after(response)
            if wait is None or not may_repeat or not _pause(tries, deadline, wait):
                return response, tries
        raise AssertionError("unreachable")

    def _request(self, method: str, path: str, body: object, params: Params | None, *, asks: bool) -> httpx2.Request:
        if not self.target.is_clew:
            params = _for_any_service(self.target, method, path, params)
        media_type = MSGPACK if self.target.is_clew else JSON
        headers = {"Accept": media_type}
        if not asks and self.target.is_clew:
            headers[REPEAT_HEADER] = str(uuid4())
        content = None
        if body is not None:
            headers["Content-Type"] = media_type
            content = encode(body, media_type)
        given = {name: _spelled(value) for name, value in (params or {}).items() if value is not None}
        return self._http.build_request(
            method, self.target.endpoint + path, params=given, headers=headers, content=content
        )

    def _tried(self, request: httpx2.Request, deadline: float, slow: bool) -> httpx2.Response:
        request.extensions["timeout"] = self._timeouts(deadline - time.monotonic(), slow=slow)
        return self._opened(request, stream=False)

    def _opened(self, request: httpx2.Request, *, stream: bool = True) -> httpx2.Response:
        try:
            return self._http.send(request, stream=stream)
        except RuntimeError:  # closed meanwhile
            self.check_open()
            raise

    def _timeouts(self, left: float, *, slow: bool) -> dict[str, float | None]:
        """Reading may wait so long for each part of an answer."""
        left = max(left, _SHORTEST_WAIT)
        waiting = max(left, limits.STATEMENT_TIMEOUT) if slow else left
        return httpx2.Timeout(connect=left, pool=left, write=waiting, read=waiting).as_dict()

    def _decoded(self, response: httpx2.Response, kind: type[T]) -> T:
        try:
            return decode(response.content, kind, _media_type(response))
        except msgspec.DecodeError as error:
            raise failures.not_understood(self.target, response) from error

    def _line(self, text: str, response: httpx2.Response) -> Line:
        try:
            return decode(text.encode(), Line, JSON)
        except msgspec.DecodeError as error:
            raise failures.not_understood(self.target, response) from error

    @contextmanager
    def _failing(self, method: str) -> Iterator[None]:
        try:
            yield
        except httpx2.TransportError as error:
            raise failures.unreachable(self.target, method, error) from error

    @contextmanager
    def _streamed(self, request: httpx2.Request) -> Iterator[httpx2.Response]:
        response = self._opened(request)
        try:
            yield response
        finally:
            response.close()


def _for_any_service(target: Target, method: str, path: str, params: Params | None) -> Params:
    """What may be asked of a service that is not known to be clew's, before anything is sent."""
    if _BASIC.fullmatch(f"{method} {path}") is None:
        raise failures.lacking(target, f"{method} {path}")
    return {name: value for name, value in (params or {}).items() if name != "form"}


def _trust(target: Target) -> ssl.SSLContext | bool:
    """Whom to believe that they are the server. Reading the certificates takes 50 ms: plain HTTP does without."""
    return _certificates() if target.endpoint.startswith("https:") else False


@functools.cache
def _certificates() -> ssl.SSLContext:
    return httpx2.create_ssl_context()


def _found_or(found: Callable[[], T], error: StorageError) -> T:
    try:
        return found()
    except StorageError:
        raise error from None


def _pause(attempt: int, deadline: float, at_least: float = 0) -> bool:
    """Wait before the next try; False where the time limit does not allow it."""
    pause = max(at_least, min(_FIRST_PAUSE * 2 ** min(attempt - 1, 10), _LONGEST_PAUSE))
    pause *= 1 + random.random() / 4  # noqa: S311 - so that many clients do not come back all at once
    left = deadline - time.monotonic()
    if left <= max(at_least, _LAST_PAUSE):
        return False
    time.sleep(min(pause, max(at_least, left / 2)))  # half of what is left: the last tries are near the end
    return True


def _spelled(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _media_type(response: httpx2.Response) -> str:
    content_type = response.headers.get("Content-Type", "")
    return MSGPACK if content_type.startswith(MSGPACK) else JSON
