"""The messages of a step as a file, told while they are read: no conversation is held as one text."""

from collections.abc import Iterator
from typing import Literal
from uuid import UUID

from litestar import Controller
from litestar.params import FromPath, FromQuery
from litestar.response import Stream

from clew.backend import Backend
from clew.display.written import to_markdown
from clew.messages import decode_value
from clew.server.harmless import HEADERS
from clew.server.served import Served, Serving, get
from clew.server.web.raw import to_keep
from clew.server.web.session import Found, find

Format = Literal["json", "jsonl", "markdown"]

AT_ONCE = 100
"""Messages that are read at once, and one piece of the answer."""

_TYPES: dict[Format, tuple[str, str]] = {
    "json": ("application/json", "json"),
    "jsonl": ("application/jsonl", "jsonl"),
    "markdown": ("text/markdown", "md"),
}


class ExportRoutes(Controller):
    """Downloads."""

    path = "/sessions/{session_id:uuid}/steps/{checkpoint_id:uuid}"

    @get("/export")
    def export(
        self,
        served: Served,
        session_id: FromPath[UUID],
        checkpoint_id: FromPath[UUID],
        format: FromQuery[Format] = "json",
    ) -> Stream:
        """`json` is an array of the messages as they are stored, `jsonl` a line for each, `markdown` is to be read.

        An answer that does not come to its end has broken off: it holds damaged messages, or the server has stopped.
        """
        found = find(served, session_id, checkpoint_id)
        # The first piece is made before anything is sent: an error that is found by then is an error page.
        pieces = _WRITERS[format](served, checkpoint_id, found)
        first = next(pieces, b"")
        media_type, ending = _TYPES[format]
        headers = {**HEADERS, "Content-Disposition": to_keep(f"{found.title}.{ending}")}
        return Stream(_again(first, pieces), media_type=media_type, headers=headers)


def _again(first: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield from rest


def _bodies(backend: Backend, checkpoint_id: UUID) -> Iterator[list[bytes]]:
    """The messages as they are stored, some at a time."""
    start = 0
    while found := list(backend.get_messages(checkpoint_id, start, start + AT_ONCE)):
        yield found
        start += len(found)


def _json(served: Serving, checkpoint_id: UUID, found: Found) -> Iterator[bytes]:
    before = b"[\n"
    for bodies in _bodies(served.backend, checkpoint_id):
        yield before + b",\n".join(bodies)
        before = b",\n"
    yield b"[]\n" if before == b"[\n" else b"\n]\n"


def _jsonl(served: Serving, checkpoint_id: UUID, found: Found) -> Iterator[bytes]:
    for bodies in _bodies(served.backend, checkpoint_id):
        # A line end in stored JSON is white space: in texts it is escaped.
        yield b"".join(body.replace(b"\r", b" ").replace(b"\n", b" ") + b"\n" for body in bodies)


def _markdown(served: Serving, checkpoint_id: UUID, found: Found) -> Iterator[bytes]:
    number = 0
    head = f"# {found.title}\n"
    for bodies in _bodies(served.backend, checkpoint_id):
        texts = [to_markdown(decode_value(body, checkpoint_id), place) for place, body in enumerate(bodies, number + 1)]
        number += len(bodies)
        yield (head + "".join(texts)).encode("utf-8", "replace")
        head = ""
    if head:
        yield head.encode("utf-8", "replace")


_WRITERS = {"json": _json, "jsonl": _jsonl, "markdown": _markdown}
