"""Errors on the wire: an HTTP status, a key, and words that clients which know neither can go by.

The agent's own client looks at the words of the message alone, for "not found" first, so a message must hold those of
its kind and none of a kind before it. What may not hold to that (ids, say, have any digits) stands in `detail`, where
clew's client reads it.
"""

import re
from typing import Any, NamedTuple
from uuid import UUID

import msgspec

from clew.backend import ForbiddenError, StalePrefixError
from clew.errors import (
    ConflictError,
    CorruptStateError,
    InternalError,
    InvalidRequestError,
    NotFoundError,
    RateLimitedError,
    StorageError,
    UnauthorizedError,
    UnavailableError,
)


class Failure(msgspec.Struct, omit_defaults=True, kw_only=True):
    """What went wrong. `key` and `message` are always there; `code` is the stable one of `clew.errors`."""

    key: str
    message: str
    code: str | None = None
    detail: str | None = None
    checkpoint_id: UUID | None = None


class FailureAnswer(msgspec.Struct):
    """The body of every answer that is no success."""

    error: Failure


class _Kind(NamedTuple):
    error: type[StorageError]
    status: int
    key: str
    code: str


_KINDS = [
    _Kind(NotFoundError, 404, "NOT_FOUND", NotFoundError.code),
    _Kind(InvalidRequestError, 400, "INVALID_REQUEST", InvalidRequestError.code),
    _Kind(ForbiddenError, 403, "FORBIDDEN", "forbidden"),
    _Kind(UnauthorizedError, 401, "UNAUTHORIZED", UnauthorizedError.code),
    _Kind(ConflictError, 409, "CONFLICT", ConflictError.code),
    _Kind(RateLimitedError, 429, "RATE_LIMITED", RateLimitedError.code),
    _Kind(CorruptStateError, 500, "CORRUPT_STATE", CorruptStateError.code),
    _Kind(UnavailableError, 503, "CONNECTION_ERROR", UnavailableError.code),
    _Kind(StalePrefixError, 409, "CONFLICT", "stale_prefix"),
    _Kind(InternalError, 500, "INTERNAL_ERROR", InternalError.code),
]
_BY_CODE = {kind.code: kind.error for kind in _KINDS}
_BY_STATUS: dict[int, type[StorageError]] = {
    400: InvalidRequestError, 401: UnauthorizedError, 403: UnauthorizedError, 404: NotFoundError, 409: ConflictError,
    413: InvalidRequestError, 422: InvalidRequestError, 429: RateLimitedError,
    502: UnavailableError, 503: UnavailableError, 504: UnavailableError,
}  # fmt: skip

_WORDS: list[tuple[type[StorageError], re.Pattern[str]]] = [
    (NotFoundError, re.compile("[nN]ot found")),
    (UnauthorizedError, re.compile("[uU]nauthorized|401")),
    (RateLimitedError, re.compile("[rR]ate limit|429")),
    (InvalidRequestError, re.compile("[iI]nvalid|400")),
]
"""What the agent's client looks for, in its order; whatever has none of them is internal."""

_ID = re.compile(r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}")


def status_of(error: StorageError) -> int:
    """The HTTP status of an error."""
    return _kind_of(error).status


def failure(error: StorageError) -> Failure:
    """An error as it is told; of one inside the server nothing but that there was one."""
    kind = _kind_of(error)
    if kind.error is InternalError:
        return Failure(key=kind.key, message=InternalError.kind, code=kind.code)
    message = _spoken(error)
    return Failure(
        key=kind.key,
        message=message,
        code=kind.code,
        detail=None if message == error.message else error.message,
        checkpoint_id=error.checkpoint_id if isinstance(error, CorruptStateError) else None,
    )


def error_of(status: int, told: Failure) -> StorageError:
    """The error that an answer tells."""
    kind = _BY_CODE.get(told.code or "") or _BY_STATUS.get(status, InternalError)
    text = told.message if told.detail is None else told.detail
    if kind is CorruptStateError:
        return CorruptStateError(text, told.checkpoint_id)
    return kind(text)


def _kind_of(error: StorageError) -> _Kind:
    return next((kind for kind in _KINDS if isinstance(error, kind.error)), _KINDS[-1])


def _spoken(error: StorageError) -> str:
    """The text of an error that says its kind to those who go by words."""
    if isinstance(error, NotFoundError):
        return error.message if _heard_as(error.message) is NotFoundError else str(error)
    text = _ID.sub("…", str(error))
    expected = next((kind for kind, _ in _WORDS if isinstance(error, kind)), None)
    return text if _heard_as(text) is expected else type(error).kind


def _heard_as(text: str) -> type[StorageError] | None:
    return next((kind for kind, words in _WORDS if words.search(text)), None)


def as_object(told: Failure) -> dict[str, Any]:
    """The body of an answer that tells of a failure."""
    return {"error": told}
