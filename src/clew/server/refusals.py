"""Answers of what stands before the routes, and refuses by itself."""

from clew.errors import StorageError
from clew.protocol.codec import JSON, encode
from clew.protocol.failures import as_object, failure, status_of
from clew.server.asgi import Send

_UNAUTHORIZED = 401


async def refuse(send: Send, error: StorageError, status: int | None = None) -> None:
    """Answer with an error, and with the status of its kind unless told another."""
    body, status = encode(as_object(failure(error)), JSON), status or status_of(error)
    headers = [(b"content-type", JSON.encode()), (b"content-length", str(len(body)).encode())]
    if status == _UNAUTHORIZED:
        headers.append((b"www-authenticate", b"Bearer"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})
