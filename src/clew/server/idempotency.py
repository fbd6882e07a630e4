"""`Idempotency-Key`: a request sent again, because its answer was lost, gets that answer and is not carried out again.

Answers are kept in memory, for a while and not without limit. A key belongs to an address and to a caller; with
another body it is a mistake of the client's.
"""

import asyncio
import hashlib
import time
from collections import OrderedDict
from typing import NamedTuple
from uuid import UUID

from clew import limits
from clew.errors import ConflictError, InvalidRequestError
from clew.protocol import REPEAT_HEADER
from clew.server.asgi import App, Message, Receive, Scope, Send
from clew.server.callers import caller_of
from clew.server.refusals import refuse

_TOO_MANY = 429
_WRITES = ("POST", "PUT", "PATCH", "DELETE")
_HEADER = REPEAT_HEADER.lower().encode()
MAX_KEY_BYTES = 255


class _Key(NamedTuple):
    method: str
    path: str
    caller: UUID | None
    text: bytes


class _Kept:
    """A request under way, and then its answer; None where there is none to give to others."""

    def __init__(self, body: bytes) -> None:
        self.body = body
        self.since = time.monotonic()
        self.answer: asyncio.Future[list[Message] | None] = asyncio.get_running_loop().create_future()
        self.size = 0


class Repeats:
    """Keeps the answers of requests that have a key, and gives them again."""

    def __init__(self, app: App, max_request_bytes: int) -> None:
        self._app = app
        self._max_request_bytes = max_request_bytes
        self._under_way: dict[_Key, _Kept] = {}
        self._kept: OrderedDict[_Key, _Kept] = OrderedDict()
        """Those that have been answered, oldest first."""
        self._bytes = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        key = _key(scope) if scope["type"] == "http" and scope["method"] in _WRITES else None
        if key is None:
            await self._app(scope, receive, send)
            return
        if len(key.text) > MAX_KEY_BYTES:
            await refuse(send, InvalidRequestError(f"{REPEAT_HEADER} is longer than {MAX_KEY_BYTES} bytes"))
            return
        body = await _read(receive, self._max_request_bytes)
        if body is None:
            await refuse(
                send, InvalidRequestError(f"the body is longer than {self._max_request_bytes:,} bytes"), status=413
            )
            return
        await self._answer(key, body, scope, receive, send)

    async def _answer(self, key: _Key, body: bytes, scope: Scope, receive: Receive, send: Send) -> None:
        digest = _digest(scope, body)
        while (kept := self._find(key)) is not None:
            if kept.body != digest:
                await refuse(send, ConflictError(f"{REPEAT_HEADER} was used for another request"))
                return
            answer = await asyncio.shield(kept.answer)
            if answer is not None:
                for message in answer:
                    await send(message)
                return
        await self._carry_out(key, _Kept(digest), scope, _replayed(body, receive), send)

    async def _carry_out(self, key: _Key, kept: _Kept, scope: Scope, receive: Receive, send: Send) -> None:
        self._under_way[key] = kept
        said: list[Message] = []

        async def heard(message: Message) -> None:
            said.append(message)
            await send(message)

        try:
            await self._app(scope, receive, heard)
        finally:
            self._settle(key, kept, said)

    def _settle(self, key: _Key, kept: _Kept, said: list[Message]) -> None:
        """What the server failed to do, or put off, may be tried again; everything else has been answered."""
        del self._under_way[key]
        kept.size = sum(len(message.get("body", b"")) for message in said)
        status = said[0].get("status", 500) if said else 500
        is_final = status < 500 and status != _TOO_MANY and not said[-1].get("more_body")
        is_kept = is_final and kept.size <= limits.MAX_KEPT_ANSWER_BYTES
        if is_kept:
            self._kept[key] = kept
            self._bytes += kept.size
            self._make_room()
        kept.answer.set_result(said if is_kept else None)

    def _find(self, key: _Key) -> _Kept | None:
        self._make_room()
        return self._under_way.get(key) or self._kept.get(key)

    def _make_room(self) -> None:
        """Forget what is old, and the oldest where there is too much. What is under way is never forgotten."""
        while self._kept:
            is_over = len(self._kept) > limits.MAX_KEPT_ANSWERS or self._bytes > limits.MAX_KEPT_ANSWER_BYTES
            oldest = next(iter(self._kept))
            if not is_over and not _is_old(self._kept[oldest]):
                return
            self._bytes -= self._kept.pop(oldest).size


def _is_old(kept: _Kept) -> bool:
    return time.monotonic() - kept.since > limits.KEPT_ANSWER_SECONDS


def _digest(scope: Scope, body: bytes) -> bytes:
    """What tells one request from another of the same address: how it asks, what it asks, and for which form."""
    headers = dict(scope["headers"])
    forms = [headers.get(name, b"") for name in (b"accept", b"accept-encoding")]
    return hashlib.sha256(b"\n".join([*forms, scope.get("query_string", b""), body])).digest()


def _key(scope: Scope) -> _Key | None:
    """Which request it is; None where it has no key, or comes from somebody who may not write anything anyway."""
    headers = dict(scope["headers"])
    text = headers.get(_HEADER)
    if text is None or caller_of(scope).role is None:
        return None
    key = caller_of(scope).key
    return _Key(scope["method"], scope["path"], None if key is None else key.id, text)


async def _read(receive: Receive, most: int) -> bytes | None:
    """The body of a request; None where it is longer than allowed, or the client has gone."""
    parts, size = [], 0
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return None
        parts.append(message["body"])
        size += len(message["body"])
        if size > most:
            return None
        if not message["more_body"]:
            return b"".join(parts)


def _replayed(body: bytes, receive: Receive) -> Receive:
    """Gives the body that has been read, and then whatever comes."""
    given = False

    async def replay() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay
