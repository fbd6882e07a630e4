"""Where a store is, for commands that must neither make nor migrate one."""

from pathlib import Path

from clew.errors import UnavailableError
from clew.model import BackendInfo
from clew.opening import MEMORY, served_endpoint, sqlite_path


def store_path(url: str | None) -> Path | None:
    """Where the store's file is or would be, None for a store in memory or on a server."""
    if served_endpoint(url) is not None:
        return None
    path = sqlite_path(url)
    return None if path is None else Path(path).expanduser().resolve()


def require_store(url: str | None) -> None:
    """UnavailableError where there is no such store."""
    path = store_path(url)
    if path is not None and not path.is_file():
        raise UnavailableError(f"there is no store at {path}")


def backend(url: str | None) -> BackendInfo:
    """Where the data is kept, without opening the store."""
    endpoint = served_endpoint(url)
    if endpoint is not None:
        return BackendInfo(kind="postgresql", endpoint=endpoint)
    return BackendInfo(kind="local", store_path=str(store_path(url) or MEMORY))
