"""The access log: one line for each request, once it has been answered, from the logger `clew.access`.

What is written is what helps to find a request again. Never in it: bodies, headers but for the request id, what stands
after a `?`, and any part of a path that is neither a word of the routes nor an id. Nothing in it can end a line.
"""

import json
import logging
import re
from collections.abc import Callable, Collection
from datetime import UTC, datetime

import msgspec

from clew.server.seen import Seen, shown_path

LOGGER = "clew.access"

_log = logging.getLogger(LOGGER)

_PLAIN_NAME = re.compile(r"[\w.@+-]+", re.ASCII)
_ADDRESS = re.compile(r"[0-9A-Za-z.:%_-]{1,64}")


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """What is logged of a request. `None` is what is not known, such as the name of a caller without a key."""

    time: str
    """When it was answered: RFC 3339, UTC."""
    method: str
    path: str
    """With `*` for what is neither a word of the routes nor an id."""
    route: str | None
    """The template of the path."""
    status: int | None
    bytes: int
    """Of the body of the answer."""
    ms: float
    """Milliseconds until the last byte of the answer was handed on."""
    caller: str | None
    key_id: str | None
    client: str | None
    request_id: str

    def __str__(self) -> str:
        return (
            f"{self.client or '-'} {_quoted(self.caller)} {self.method} {self.path} {self.status or '-'} "
            f"{self.bytes} B {self.ms:.1f} ms {self.request_id}"
        )


class AccessLog:
    """Writes the lines; an `Observer`. In a log record the line is `record.request`, and its text the message."""

    def __init__(self, words: Collection[str], now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        """`words` are those that the routes are made of: they may be shown."""
        self._words = words
        self._now = now

    def begin(self) -> None:
        """Nothing is known yet."""

    def end(self, seen: Seen) -> None:
        """Write the line."""
        if _log.isEnabledFor(logging.INFO):
            line = self._line(seen)
            _log.info("%s", line, extra={"request": line})

    def _line(self, seen: Seen) -> Line:
        return Line(
            time=rfc3339(self._now()),
            method=seen.method,
            path=shown_path(seen.path, self._words),
            route=seen.route,
            status=seen.status,
            bytes=seen.bytes_out,
            ms=round(seen.seconds * 1000, 3),
            caller=None if seen.key is None else seen.key.name,
            key_id=None if seen.key is None else str(seen.key.id),
            client=_address(seen.client),
            request_id=seen.id,
        )


def rfc3339(moment: datetime) -> str:
    """A time in UTC, to the millisecond."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _address(client: str | None) -> str | None:
    """An address that a trusted proxy has told is whatever its client wrote."""
    return client if client is None or _ADDRESS.fullmatch(client) else "?"


def _quoted(name: str | None) -> str:
    """A name that may hold anything, in one word or in quotes."""
    if name is None:
        return "-"
    return name if _PLAIN_NAME.fullmatch(name) else json.dumps(name)
