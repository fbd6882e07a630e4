"""Where a store is, for commands that must neither make nor migrate one."""

from contextlib import closing
from pathlib import Path

from clew.errors import UnavailableError
from clew.limits import DEFAULT_BUSY_TIMEOUT
from clew.model import BackendInfo
from clew.opening import MEMORY, open_schema, served_endpoint, sqlite_path


def store_path(url: str | None) -> Path | None:
    """Where the store's file is or would be, None for a store in memory or on a server."""
    if served_endpoint(url) is not None:
        return None
    path = sqlite_path(url)
    return None if path is None else Path(path).expanduser().resolve()


def is_in_memory(url: str | None) -> bool:
    """Whether it is a store that is new each time."""
    return served_endpoint(url) is None and sqlite_path(url) is None


def is_behind_http(url: str | None) -> bool:
    """Whether a server stands before it."""
    endpoint = served_endpoint(url)
    return endpoint is not None and endpoint.startswith(("http://", "https://"))


def is_missing(url: str | None) -> bool:
    """Whether there is no such store: no file, or a database without tables of clew's. A server always has one."""
    if is_behind_http(url):
        return False
    path = store_path(url)
    if path is not None or is_in_memory(url):
        return path is not None and not path.is_file()
    with closing(open_schema(url, DEFAULT_BUSY_TIMEOUT)) as schema:
        return schema.migration_status().current == 0


def require_store(url: str | None) -> None:
    """UnavailableError where there is no such store."""
    if is_missing(url):
        raise UnavailableError(f"there is no store at {served_endpoint(url) or store_path(url)}")


def require_file(url: str | None) -> None:
    """UnavailableError where there is no such file; a database may have no tables yet."""
    if store_path(url) is not None:
        require_store(url)


def backend(url: str | None) -> BackendInfo:
    """Where the data is kept, without opening the store."""
    endpoint = served_endpoint(url)
    if endpoint is not None:
        return BackendInfo(kind="http" if is_behind_http(url) else "postgresql", endpoint=endpoint)
    return BackendInfo(kind="local", store_path=str(store_path(url) or MEMORY))
