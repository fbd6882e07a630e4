"""How errors become answers."""

import logging
from http import HTTPStatus
from typing import Any

from litestar import Request, Response
from litestar.exceptions import HTTPException, ValidationException

from clew.errors import InternalError, InvalidRequestError, NotFoundError, RateLimitedError, StorageError
from clew.protocol.failures import Failure, as_object, failure, status_of
from clew.server.bodies import Answer
from clew.server.seen import note_error

_log = logging.getLogger("clew.server")

RETRY_SECONDS = 1


def on_storage_error(request: Request[Any, Any, Any], error: StorageError) -> Response[Any]:
    """What the store refuses, or cannot do."""
    id = note_error(request.scope, error.code)
    if isinstance(error, InternalError):
        _log.error("request %s failed", id, exc_info=error)
    headers = {"Retry-After": str(RETRY_SECONDS)} if isinstance(error, RateLimitedError) else {}
    status = status_of(error)
    if status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = "Bearer"
    return Answer(as_object(failure(error)), status_code=status, headers=headers)


def on_http_error(request: Request[Any, Any, Any], error: HTTPException) -> Response[Any]:
    """What Litestar refuses: an address that is not there, a parameter of another type, a body that is too long."""
    status = error.status_code
    told = failure(_as_storage_error(error))
    if status in (HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED):
        told = Failure(key=told.key, message=told.message)  # without a code: it is the address, nothing stored
    return Answer(as_object(told), status_code=status, headers=dict(error.headers or {}))


def on_any_error(request: Request[Any, Any, Any], error: Exception) -> Response[Any]:
    """A mistake in the server. Nothing of it is told."""
    _log.error("request %s failed", note_error(request.scope, InternalError.code), exc_info=error)
    return Answer(as_object(failure(InternalError(""))), status_code=HTTPStatus.INTERNAL_SERVER_ERROR)


def _as_storage_error(error: HTTPException) -> StorageError:
    if error.status_code == HTTPStatus.NOT_FOUND:
        return NotFoundError("there is nothing at this address (an id in it is a whole UUID)")
    if error.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return InternalError(error.detail)
    if isinstance(error, ValidationException) and isinstance(error.extra, list):
        return InvalidRequestError("; ".join(map(_invalid, error.extra)))
    return InvalidRequestError(HTTPStatus(error.status_code).phrase.lower())


def _invalid(item: dict[str, Any]) -> str:
    """What is wrong with a parameter or the body. Of a missing body Litestar says its name and no more."""
    key, message = item.get("key", "body"), item["message"]
    if key == "data":
        return "a body is missing: {} where there is nothing to say" if message == "'data'" else f"body: {message}"
    return f"{key}: {message}"
