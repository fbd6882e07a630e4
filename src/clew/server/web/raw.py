"""Bytes that users stored, handed to a browser so that it can do nothing with them but show or keep them."""

import re
from typing import Any
from urllib.parse import quote

from litestar import Response

from clew.server.harmless import HEADERS

_SAFE = re.compile(r"[^A-Za-z0-9._-]+")
_MAX_NAME_CHARS = 100


def picture(data: bytes, media_type: str) -> Response[Any]:
    """A picture of a type that has been looked for in its bytes."""
    return Response(data, media_type=media_type, headers=HEADERS)


def download(data: bytes, name: str, media_type: str = "application/octet-stream") -> Response[Any]:
    """A file to keep."""
    return Response(data, media_type=media_type, headers={**HEADERS, "Content-Disposition": to_keep(name)})


def to_keep(name: str) -> str:
    """The header that has a browser keep what comes, under a name: in ASCII for all, and in full."""
    plain = _SAFE.sub("-", name)[-_MAX_NAME_CHARS:].strip("-.") or "file"
    full = quote(name[-_MAX_NAME_CHARS:].encode("utf-8", "replace"), safe="")
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{full}"
