"""Which URL opens which backend: the one place that knows."""

import os
import re
from types import ModuleType
from typing import TYPE_CHECKING, Any

from clew.backend import Backend, Durability, Migratable
from clew.errors import InvalidRequestError, missing_extra
from clew.limits import DEFAULT_BUSY_TIMEOUT
from clew.sqlite import SQLiteBackend, open_backend
from clew.text import shown

if TYPE_CHECKING:
    from clew.postgres import PostgresBackend
    from clew.remote import RemoteBackend

MEMORY = ":memory:"

_SLIP = re.compile(r"(postgres(ql)?|sqlite|https?):", re.IGNORECASE)
"""How a URL begins that lacks a slash, and would be a file of a strange name."""

_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+)://.*", re.DOTALL)
_POSTGRES = ("postgresql", "postgres")
_HTTP = ("http", "https")
_KEYWORDS = re.compile(r"\s*(host|hostaddr|port|dbname|user|password|service|sslmode|target_session_attrs)\s*=")
"""How a connection string of libpq begins that is no URL: ``host=a,b dbname=agents``. No file is made of a password."""


def open_url(
    url: str | os.PathLike[str] | None = None,
    *,
    durability: Durability = "full",
    busy_timeout: float = DEFAULT_BUSY_TIMEOUT,
    read_only: bool = False,
    api_key: str | None = None,
) -> Backend:
    """The backend at `url`; see `clew.open`."""
    text, timeout = _checked(url), _seconds(busy_timeout)
    if _is_http(text):
        _durability(durability)  # how durable a write is, the server says
        return _open_remote(text, api_key=api_key, busy_timeout=timeout, read_only=read_only)
    if api_key is not None:
        raise InvalidRequestError("api_key is for https:// and http:// URLs")
    return _open(text, durability=_durability(durability), busy_timeout=timeout, read_only=read_only)


def open_schema(url: str | os.PathLike[str] | None, busy_timeout: float) -> Migratable:
    """The backend at `url` with its schema as it is."""
    text = _checked(url)
    if _is_http(text):
        raise InvalidRequestError("a store over HTTP has no schema here: migrate it where the server runs")
    return _open(text, busy_timeout=_seconds(busy_timeout), migrate=False)


def served_endpoint(url: str | os.PathLike[str] | None) -> str | None:
    """The server that a URL leads to, without secrets; None where it leads to a file or memory."""
    text = _checked(url)
    if _is_http(text):
        return str(_remote().endpoint_of(text))
    return str(_postgres().endpoint_of(text)) if _is_postgres(text) else None


def sqlite_path(url: str | os.PathLike[str] | None) -> str | None:
    """The path that a URL names, None for a database in memory; InvalidRequestError where it names no SQLite file."""
    text = _checked(url)
    scheme = _scheme(text)
    if scheme is None and _SLIP.match(text):
        raise InvalidRequestError("a URL has two slashes after its scheme: postgresql://host/name, sqlite:///path")
    if scheme is None:
        return None if text == MEMORY else text
    if scheme != "sqlite":
        raise InvalidRequestError(f"no backend opens {scheme}:// URLs")
    return _path_after_scheme(text.partition("://")[2])


def _open(text: str, **options: Any) -> "SQLiteBackend | PostgresBackend":
    if _is_postgres(text):
        backend: PostgresBackend = _postgres().open_backend(text, **options)
        return backend
    return open_backend(sqlite_path(text), **options)


def _open_remote(text: str, **options: Any) -> "RemoteBackend":
    backend: RemoteBackend = _remote().open_backend(text, **options)
    return backend


def _postgres() -> ModuleType:
    """The PostgreSQL backend, which needs a driver that who keeps a file has no use for."""
    try:
        from clew import postgres
    except ImportError as error:
        raise missing_extra(error, "postgresql:// URLs need", "postgres") from error
    return postgres


def _remote() -> ModuleType:
    """The backend over HTTP, which needs a client that who keeps a file has no use for."""
    try:
        from clew import remote
    except ImportError as error:
        raise missing_extra(error, "https:// URLs need", "http") from error
    return remote


def _checked(url: str | os.PathLike[str] | None) -> str:
    text = default_url() if url is None else os.fspath(url) if isinstance(url, os.PathLike) else url
    if not isinstance(text, str) or not text or "\0" in text:
        raise InvalidRequestError(
            "url must be a path, sqlite:///path, :memory:, postgresql://host/name or https://host"
        )
    try:
        text.encode()
    except UnicodeEncodeError:
        raise InvalidRequestError("url holds a lone surrogate, which is no character") from None
    return text


def _is_postgres(url: str) -> bool:
    scheme = _scheme(url)
    return scheme in _POSTGRES or (scheme is None and _KEYWORDS.match(url) is not None)


def _is_http(url: str) -> bool:
    return _scheme(url) in _HTTP


def _scheme(url: str) -> str | None:
    """The scheme of a URL, None where it is a path."""
    match = _URL.fullmatch(url)
    return None if match is None else match[1].lower()


def default_url() -> str:
    """``$CLEW_URL``, else a file in the platform's directory for data of programs."""
    return os.environ.get("CLEW_URL") or _data_file()


def _data_file() -> str:
    import platformdirs  # needed by those who name no store

    return os.path.join(platformdirs.user_data_dir("clew", appauthor=False), "clew.db")


def _path_after_scheme(rest: str) -> str | None:
    # As SQLAlchemy spells it: sqlite:///relative/path, sqlite:////absolute/path, sqlite:// for memory.
    if rest in ("", "/", f"/{MEMORY}"):
        return None
    if not rest.startswith("/"):
        raise InvalidRequestError("an SQLite URL is sqlite:///path: it has no host")
    return rest[1:]


def _durability(value: Any) -> Durability:
    if value not in ("full", "normal"):
        raise InvalidRequestError(f"durability must be 'full' or 'normal', not {shown(value)}")
    return value  # type: ignore[no-any-return]


def _seconds(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= 86_400:
        raise InvalidRequestError("busy_timeout must be a number of seconds from 0 to 86400")
    return float(value)
