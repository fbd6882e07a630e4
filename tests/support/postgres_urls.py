"""URLs of databases for tests, with parameters of libpq's added."""

from urllib.parse import quote, urlsplit


def with_parameters(url: str, **values: str) -> str:
    """The same URL with parameters; the last of a name counts."""
    parts = urlsplit(url)
    more = "&".join(f"{name}={quote(value, safe='')}" for name, value in values.items())
    return parts._replace(query=f"{parts.query}&{more}" if parts.query else more).geturl()
