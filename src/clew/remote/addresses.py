"""The URL of a server, and the key for it."""

import os
import re
from typing import Any
from urllib.parse import urlsplit

from clew.errors import InvalidRequestError

_KEY = re.compile(r"[\x21-\x7e]{1,4096}")


def endpoint_of(url: str) -> str:
    """The URL without what may be secret and without a slash at its end."""
    parts = _split(url)
    if parts.username is not None or parts.password is not None:
        raise InvalidRequestError("a URL of a server holds no user or password: give the key as api_key")
    if parts.query or parts.fragment:
        raise InvalidRequestError("a URL of a server ends with its path")
    return f"{parts.scheme.lower()}://{parts.netloc}{parts.path}".rstrip("/")


def checked_key(given: Any) -> str | None:
    """The key given, else that of ``$CLEW_API_KEY``; never repeated in an error."""
    key = os.environ.get("CLEW_API_KEY") or None if given is None else given
    if key is not None and (not isinstance(key, str) or _KEY.fullmatch(key) is None):
        raise InvalidRequestError("api_key must be text of ASCII characters without spaces")
    return key


def _split(url: str) -> Any:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        raise InvalidRequestError("url is not one of a server: its host or port cannot be read") from None
    if not parts.hostname:
        raise InvalidRequestError("url names no host")
    return parts
