"""clew's stores as addresses of ADK's commands: ``adk web --session_service_uri clew:agent.db``."""

from typing import Any

from google.adk.cli.service_registry import get_service_registry

from clew import InvalidRequestError
from clew.adapters.google_adk.service import ClewSessionService

SCHEMES = ("clew", "clew+postgresql", "clew+https", "clew+http")


def register() -> None:
    """Let ADK's commands and servers in this process open clew's stores; a second call changes nothing.

    ADK's commands call it where a ``services.py`` in the folder of the agents does. Then ``clew:///folder/agent.db`` is
    a file at an absolute path and ``clew:agent.db`` at a relative one, and ``clew+postgresql://…``, ``clew+https://…``
    and ``clew+http://…`` are what stands behind the plus.
    """
    registry = get_service_registry()
    for scheme in SCHEMES:
        registry.register_session_service(scheme, open_service)


def open_service(uri: str, **options: Any) -> ClewSessionService:
    """The service at a URI of one of the `SCHEMES`; what else ADK gives a service is for others."""
    return ClewSessionService(store_url(uri))


def store_url(uri: str) -> str:
    """What `clew.open` takes for a URI."""
    scheme, _, rest = uri.partition(":")
    if scheme.startswith("clew+"):
        return f"{scheme.removeprefix('clew+')}:{rest}"
    path = rest.removeprefix("//")
    if path in ("", "/") or (path != rest and not path.startswith("/")):
        raise InvalidRequestError(
            f"{uri!r} names no file: it is clew:///path, clew:path or clew+postgresql://host/name"
        )
    return path
