"""What goes wrong between here and a server, as the errors of `clew.errors`. None of them holds the key."""

import ipaddress
from http import HTTPStatus
from urllib.parse import urlsplit

import httpx2
import msgspec

from clew.errors import (
    InternalError,
    InvalidRequestError,
    RateLimitedError,
    StorageError,
    UnauthorizedError,
    UnavailableError,
)
from clew.protocol import SERVER_HEADER
from clew.protocol.codec import JSON, MSGPACK, decode
from clew.protocol.failures import Failure, FailureAnswer
from clew.protocol.failures import error_of as told

__all__ = ["Target", "error_of", "not_understood", "retry_after", "told", "unreachable"]


class Target(msgspec.Struct, frozen=True):
    """A server: where it is, and whether it is one of clew's."""

    endpoint: str
    is_clew: bool = True

    @property
    def is_near(self) -> bool:
        """Whether it runs on this machine, where compressing costs more than it saves."""
        host = urlsplit(self.endpoint).hostname or ""
        try:
            return ipaddress.ip_address(host).is_loopback
        except ValueError:
            return host == "localhost"


def error_of(target: Target, path: str, response: httpx2.Response) -> StorageError:
    """What an answer that is no success says."""
    failure = _failure(response)
    is_ours = SERVER_HEADER in response.headers
    if response.status_code in (HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED):
        known = failure is not None and (failure.code is not None if is_ours else not target.is_clew)
        if not known:
            return lacking(target, path)
    if failure is not None:
        return told(response.status_code, failure)
    return _by_status(target, response)


def lacking(target: Target, what: str) -> InvalidRequestError:
    """A server has no such thing."""
    return InvalidRequestError(f"the server at {target.endpoint} has no {what}")


def not_understood(target: Target, response: httpx2.Response) -> UnavailableError:
    """An answer that is a success and says nothing that clew understands."""
    content_type = response.headers.get("Content-Type", "no Content-Type").partition(";")[0]
    return UnavailableError(
        f"{target.endpoint} does not answer as a clew server does (status {response.status_code}, {content_type})"
    )


def unreachable(target: Target, method: str, error: httpx2.TransportError) -> UnavailableError:
    """No answer came."""
    reason = str(error) or type(error).__name__
    if isinstance(error, (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout)) or method == "GET":
        return UnavailableError(f"{target.endpoint} cannot be reached: {reason}")
    return UnavailableError(f"{target.endpoint} gave no answer, and nobody knows whether the change was made: {reason}")


_FROM_A_PROXY = (HTTPStatus.BAD_GATEWAY, HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.GATEWAY_TIMEOUT)


def retry_after(response: httpx2.Response) -> float | None:
    """How many seconds to wait before asking again; None where asking again is of no use."""
    after = response.headers.get("Retry-After", "")
    seconds = float(after) if after.isdecimal() and after.isascii() else None
    if response.status_code == HTTPStatus.TOO_MANY_REQUESTS:
        return seconds
    if response.status_code in _FROM_A_PROXY and SERVER_HEADER not in response.headers:
        return seconds or 0.0  # what stands before a server that is being restarted answers in its place
    return None


def _failure(response: httpx2.Response) -> Failure | None:
    """What the body tells; None where it is none of those that a server of this kind sends."""
    content_type = response.headers.get("Content-Type", "")
    try:
        return decode(response.content, FailureAnswer, MSGPACK if content_type.startswith(MSGPACK) else JSON).error
    except msgspec.DecodeError:
        return None


def _by_status(target: Target, response: httpx2.Response) -> StorageError:
    status = response.status_code
    said = f"{target.endpoint} answered with status {status}"
    if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
        return UnauthorizedError(f"{said}: is the API key right?")
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return RateLimitedError(said)
    if response.is_redirect:
        return UnavailableError(f"{said}, a redirect, which is not followed: open the URL that it leads to")
    if status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
        return InvalidRequestError(f"{said}: the request is too long for it")
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return UnavailableError(f"{said}, and no reason that clew understands")
    return InternalError(f"{said}, and no reason that clew understands")
