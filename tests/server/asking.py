"""Asking an application without a socket: from any address, over any scheme."""

import asyncio
from collections.abc import Sequence
from typing import Any, cast

import httpx2

DEADLINE = 30.0


def asked(
    app: Any, *requests: tuple[str, str], client: str = "127.0.0.1", content: str | None = None, **headers: str
) -> list[httpx2.Response]:
    """The answers to some requests (method and path or URL), one after the other."""

    async def ask_all() -> list[httpx2.Response]:
        through = httpx2.ASGITransport(app=app, client=(client, 1))
        async with httpx2.AsyncClient(transport=through, base_url="http://localhost:8080", verify=False) as http:
            return [await http.request(method, path, headers=headers, content=content) for method, path in requests]

    return asyncio.run(asyncio.wait_for(ask_all(), DEADLINE))


def got(app: Any, path: str = "/v1/changes/last", **options: Any) -> httpx2.Response:
    """The answer to one request."""
    return asked(app, ("GET", path), **options)[0]


def spoken(app: Any, scope: dict[str, Any], messages: Sequence[dict[str, Any]] = ()) -> list[dict[str, Any]]:
    """What an application says to a request that no client would send."""
    said: list[dict[str, Any]] = []
    left = list(messages) or [{"type": "http.request", "body": b"", "more_body": False}]

    async def receive() -> Any:
        return left.pop(0) if left else {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        said.append(dict(message))

    asyncio.run(asyncio.wait_for(cast(Any, app)({**SCOPE, "state": {}, **scope}, receive, send), DEADLINE))
    return said


SCOPE: dict[str, Any] = {
    "type": "http",
    "asgi": {"version": "3.0"},
    "http_version": "1.1",
    "method": "GET",
    "scheme": "http",
    "path": "/",
    "raw_path": b"/",
    "query_string": b"",
    "headers": [(b"host", b"localhost")],
    "client": ("127.0.0.1", 1),
    "server": ("127.0.0.1", 8420),
}
