"""What can go wrong, as one tree that every backend shares.

::

    StorageError            internal_error    the root: catch this to catch everything
    ├── NotFoundError       not_found         the session or checkpoint does not exist
    ├── InvalidRequestError invalid_request   arguments that no store could take
    ├── ConflictError       conflict          somebody else was first: if_active, if_revision, an id, a label
    ├── UnauthorizedError   unauthorized      the caller is not known, or may not do this
    ├── RateLimitedError    rate_limited      the caller has asked too often
    ├── CorruptStateError   corrupt_state     stored bytes that cannot be read back
    ├── UnavailableError    connection_error  the store cannot be opened, reached or locked in time
    └── InternalError       internal_error    the rest, with the driver's error as ``__cause__``

Codes are stable and append-only: programs compare them, and they cross the wire.
"""

from typing import ClassVar
from uuid import UUID

__all__ = [
    "ConflictError",
    "CorruptStateError",
    "InternalError",
    "InvalidRequestError",
    "NotFoundError",
    "RateLimitedError",
    "StorageError",
    "UnauthorizedError",
    "UnavailableError",
]


class StorageError(Exception):
    """The root of the tree. ``str(error)`` is the kind and the message, ``error.message`` the message alone."""

    code: ClassVar[str] = "internal_error"
    kind: ClassVar[str] = "Internal error"

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message

    def __str__(self) -> str:
        return f"{self.kind}: {self.message}"


class NotFoundError(StorageError):
    """The session or checkpoint does not exist, or belongs to another session."""

    code = "not_found"
    kind = "Not found"


class InvalidRequestError(StorageError):
    """An argument that no store could take. The message says which one and why; nothing was changed."""

    code = "invalid_request"
    kind = "Invalid request"


class ConflictError(StorageError):
    """``if_active`` or ``if_revision`` no longer holds, or an id, label or source name is taken."""

    code = "conflict"
    kind = "Conflict"


class UnauthorizedError(StorageError):
    """The store does not know the caller, or does not let it do this."""

    code = "unauthorized"
    kind = "Unauthorized"


class RateLimitedError(StorageError):
    """The store asks the caller to slow down."""

    code = "rate_limited"
    kind = "Rate limited"


class CorruptStateError(StorageError):
    """Stored bytes that cannot be read back as they were written. Other rows stay readable.

    ``checkpoint_id`` names the damaged checkpoint where there is one.
    """

    code = "corrupt_state"
    kind = "Corrupt state"

    def __init__(self, message: str, checkpoint_id: UUID | None = None) -> None:
        super().__init__(message)
        self.checkpoint_id = checkpoint_id


class UnavailableError(StorageError):
    """The store cannot be opened, reached or locked within its time limit, or has been closed."""

    code = "connection_error"
    kind = "Connection error"


class InternalError(StorageError):
    """Anything else; the driver's own error is the ``__cause__``."""


def missing_extra(error: ImportError, what: str, extra: str) -> InvalidRequestError:
    """What to install, where a package is missing that not everybody needs."""
    package = (error.name or "a package").partition(".")[0]
    return InvalidRequestError(f"{package} is missing, which {what}: install clew with its extra '{extra}'")
