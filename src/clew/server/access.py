"""Who may come in: with an API key of the store's, or from this machine while the store has none.

Whose a session is decides nothing here yet, so only keys of the role admin are let in: each would see everything.
"""

import asyncio
import ipaddress
from urllib.parse import urlsplit

from clew.backend import Backend
from clew.errors import StorageError, UnauthorizedError
from clew.model import ApiKey, Role
from clew.server.asgi import App, Receive, Scope, Send
from clew.server.refusals import refuse
from clew.store import Store

KEY = "clew.key"
"""Where a request has the API key that it came with."""

_FOR_EVERYBODY = ("/healthz", "/readyz")
_SCHEME = "bearer "
_FORBIDDEN = 403


class Gate:
    """Stands before an application and lets in who may come."""

    def __init__(self, app: App, backend: Backend) -> None:
        self._app = app
        self._store = Store(backend)  # one of its own: when a key was used is no business of the clock of the other

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] not in _FOR_EVERYBODY:
            try:
                scope = {**scope, KEY: await asyncio.to_thread(self._admitted, scope)}
            except StorageError as error:
                await refuse(send, error, _FORBIDDEN if isinstance(error, _RoleTooLowError) else None)
                return
        await self._app(scope, receive, send)

    def _admitted(self, scope: Scope) -> ApiKey | None:
        """The key of a request, None where none is needed; UnauthorizedError for whoever may not come in."""
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        token = _token(headers.get("authorization", ""))
        if not self._store.list_keys():
            _check_is_near(scope, headers)
            return None
        if token is None:
            raise UnauthorizedError("an API key is needed: Authorization: Bearer KEY")
        key = self._store.authenticate(token)
        if key.role is not Role.ADMIN:
            raise _RoleTooLowError(f"this key has the role {key.role.value}; as yet this server is for admin alone")
        return key


class _RoleTooLowError(UnauthorizedError):
    """The server knows who asks, and does not let them do this."""


def _token(authorization: str) -> str | None:
    scheme, token = authorization[: len(_SCHEME)], authorization[len(_SCHEME) :].strip()
    return token if scheme.lower() == _SCHEME and token else None


def _check_is_near(scope: Scope, headers: dict[str, str]) -> None:
    """UnauthorizedError unless a program of this machine asks: no other machine, and no page of another site."""
    client = scope.get("client")
    if client is not None and not _is_loopback(client[0]):
        raise UnauthorizedError("the store has no API key yet, so only programs of this machine are let in")
    host, origin = headers.get("host", ""), headers.get("origin")
    # A page elsewhere can have a browser here ask anything, under a name that leads here: the browser says which.
    if not _is_loopback(urlsplit(f"//{host}").hostname or "") or (origin and urlsplit(origin).netloc != host):
        raise UnauthorizedError("a page of another site may not ask")


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback
