"""How errors on the way to a page become pages."""

import logging
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from litestar import Request, Response
from litestar.exceptions import HTTPException, ValidationException

from clew.backend import ForbiddenError
from clew.errors import InternalError, StorageError, UnauthorizedError
from clew.protocol.failures import status_of
from clew.server import failures
from clew.server.callers import caller_of
from clew.server.seen import note_error
from clew.server.web.pages import rendered
from clew.server.web.redirects import see

_log = logging.getLogger("clew.server")

# Where htmx has asked for a part of a page, what went wrong stands where that part would have stood.
_IN_PLACE = {"HX-Reselect": ".notice-page", "HX-Push-Url": "false"}

_TITLES = {
    HTTPStatus.BAD_REQUEST: "That cannot be asked",
    HTTPStatus.UNAUTHORIZED: "A key is needed",
    HTTPStatus.FORBIDDEN: "Not allowed",
    HTTPStatus.NOT_FOUND: "Not found",
    HTTPStatus.CONFLICT: "Somebody else was first",
    HTTPStatus.SERVICE_UNAVAILABLE: "The store does not answer",
}


def on_storage_error(request: Request[Any, Any, Any], error: StorageError) -> Response[bytes]:
    """What the store refuses, or cannot do. Whoever is not known is sent to where they can log in."""
    if isinstance(error, InternalError):
        return on_any_error(request, error)
    note_error(request.scope, error.code)
    if type(error) is UnauthorizedError and request.method == "GET" and "HX-Request" not in request.headers:
        return see(f"/login?next={quote(_address(request), safe='')}")
    status = HTTPStatus.FORBIDDEN if isinstance(error, ForbiddenError) else HTTPStatus(status_of(error))
    return _failed(request, status, error.message)


def on_http_error(request: Request[Any, Any, Any], error: HTTPException) -> Response[bytes]:
    """What Litestar refuses."""
    return _failed(request, HTTPStatus(error.status_code), _reason(error))


def on_unrouted(request: Request[Any, Any, Any], error: HTTPException) -> Response[Any]:
    """What no route has raised, such as that there is none: a page for people, the API's answer for programs."""
    is_page = "text/html" in request.headers.get("accept", "") and not request.url.path.startswith("/v1/")
    return on_http_error(request, error) if is_page else failures.on_http_error(request, error)


def on_any_error(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    """A mistake in the server. Nothing of it is told."""
    _log.error("request %s failed", note_error(request.scope, InternalError.code), exc_info=error)
    return _failed(request, HTTPStatus.INTERNAL_SERVER_ERROR, "The server made a mistake. Its log says more.")


def _failed(request: Request[Any, Any, Any], status: HTTPStatus, reason: str) -> Response[bytes]:
    return rendered(
        "error.html",
        caller_of(request.scope),
        datetime.now(UTC),
        status_code=status,
        headers=_IN_PLACE if "HX-Request" in request.headers else None,
        heading=_TITLES.get(status, "Something went wrong"),
        reason=reason,
        status=int(status),
    )


def _address(request: Request[Any, Any, Any]) -> str:
    query = request.scope["query_string"].decode("latin-1")
    return f"{request.scope['path']}?{query}" if query else request.scope["path"]


def _reason(error: HTTPException) -> str:
    if isinstance(error, ValidationException) and isinstance(error.extra, list):
        return "; ".join(f"{item.get('key', 'body')}: {item['message']}" for item in error.extra)
    if error.status_code == HTTPStatus.NOT_FOUND:
        return "There is nothing at this address."
    return HTTPStatus(error.status_code).phrase
