"""Where a browser goes after a form."""

import re
from typing import Any

from litestar import Response

from clew.server.web.pages import HEADERS

_LOCAL = re.compile(r"/(?!/)[!-\[\]-~]*")
"""A path of this server: ASCII, and no backslash, which browsers read as a slash."""

_SEE_OTHER = 303


def local_path(path: str, otherwise: str = "/") -> str:
    """A path that somebody gave, where it leads nowhere else than to this server."""
    return path if _LOCAL.fullmatch(path) else otherwise


def see(path: str) -> Response[Any]:
    """Send the browser to a path with GET."""
    return Response(b"", media_type="text/html", status_code=_SEE_OTHER, headers={**HEADERS, "Location": path})
