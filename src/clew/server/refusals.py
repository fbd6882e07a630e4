"""Answers of what stands before the routes, and refuses by itself."""

from collections.abc import Sequence

from clew.errors import StorageError
from clew.protocol.codec import JSON, encode
from clew.protocol.failures import as_object, failure, status_of
from clew.server.asgi import Send

_SEE_OTHER = 303
_UNAUTHORIZED = 401


async def redirect(send: Send, path: str) -> None:
    """Send a browser elsewhere on this server."""
    headers = [(b"location", path.encode("ascii")), (b"content-length", b"0"), (b"cache-control", b"no-store")]
    await send({"type": "http.response.start", "status": _SEE_OTHER, "headers": headers})
    await send({"type": "http.response.body", "body": b"", "more_body": False})


async def refuse(
    send: Send, error: StorageError, status: int | None = None, headers: Sequence[tuple[bytes, bytes]] = ()
) -> None:
    """Answer with an error, and with the status of its kind unless told another."""
    body, status = encode(as_object(failure(error)), JSON), status or status_of(error)
    headers = [(b"content-type", JSON.encode()), (b"content-length", str(len(body)).encode()), *headers]
    if status == _UNAUTHORIZED:
        headers.append((b"www-authenticate", b"Bearer"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})
