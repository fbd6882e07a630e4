"""Scripts, styles and pictures of the page: kept in memory, under addresses that change with their content."""

import hashlib
from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable
from typing import NamedTuple

import litestar
from litestar import Controller, Response
from litestar.exceptions import NotFoundException
from litestar.params import FromPath

_TYPES = {"css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}
"""What is served, by the ending of its name. Other files, such as licences, lie beside them."""

_HEADERS = {
    "Cache-Control": "public, max-age=31536000, immutable",
    "Content-Security-Policy": "default-src 'none'",
    "X-Content-Type-Options": "nosniff",
}


class Asset(NamedTuple):
    """A file and its address."""

    url: str
    data: bytes
    media_type: str


class AssetRoutes(Controller):
    """The files that pages name. They are the same for everybody, and for ever."""

    @litestar.get("/static/{digest:str}/{name:path}", sync_to_thread=False)
    def get_asset(self, digest: FromPath[str], name: FromPath[str]) -> Response[bytes]:
        """A file as it was when its address was made."""
        found = _assets().get(name.strip("/"))
        if found is None or f"/{digest}/" not in found.url:
            raise NotFoundException
        return Response(found.data, media_type=found.media_type, headers=_HEADERS)


def asset_url(name: str) -> str:
    """The address of a file under `static`; KeyError where there is none."""
    return _assets()[name].url


@cache
def _assets() -> dict[str, Asset]:
    root = resources.files("clew.server.web") / "static"
    return {name: _asset(name, file.read_bytes()) for name, file in _files(root, "") if _type(name)}


def _files(folder: Traversable, prefix: str) -> list[tuple[str, Traversable]]:
    found = []
    for entry in folder.iterdir():
        name = prefix + entry.name
        found += _files(entry, f"{name}/") if entry.is_dir() else [(name, entry)]
    return found


def _type(name: str) -> str | None:
    return _TYPES.get(name.rpartition(".")[2])


def _asset(name: str, data: bytes) -> Asset:
    digest = hashlib.sha256(data).hexdigest()[:16]
    return Asset(f"/static/{digest}/{name}", data, _type(name) or "")
