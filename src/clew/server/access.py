"""Who comes in, and as whom: by an API key of the store's, or from this machine while the store has none.

What they may do then is decided by `clew.server.rights`. Whoever has no key comes as far as they could read something
public.
"""

import asyncio
import ipaddress
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import quote, urlsplit

from clew.backend import Backend
from clew.errors import RateLimitedError, StorageError, UnauthorizedError
from clew.server.asgi import App, Receive, Scope, Send
from clew.server.callers import ANYBODY, LOCAL, Caller, name_caller
from clew.server.refusals import redirect, refuse
from clew.server.rights import no_key
from clew.store import Store

COOKIE = "clew_key"
"""What holds the API key of a browser that has logged in."""

LOGIN = "/login"
LOGOUT = "/logout"

_FOR_EVERYBODY = ("/healthz", "/readyz", "/openapi.json")
_PUBLIC = ("/v1/sessions/", "/sessions/")
_FOR_ANYBODY = (*_PUBLIC, "/static/")
"""How paths begin under which something public may be, and what pages are made of."""

_THREADS = 4
_AT_ONCE = 16
"""Requests without a key that are worked on at the same time."""

_READS = ("GET", "HEAD")
_SCHEME = "bearer "
_FORWARDED = ("forwarded", "via", "x-real-ip", "cf-connecting-ip", "true-client-ip")
_ALSO_FORWARDED = "x-forwarded-"


class Gate:
    """Stands before an application, and says who it is that asks."""

    def __init__(self, app: App, backend: Backend) -> None:
        self._app = app
        self._store = Store(backend)  # one of its own: when a key was used is no business of the clock of the other
        # Threads of its own: however long everything else takes, who comes is looked at.
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="clew-gate")
        self._anybody = asyncio.Semaphore(_AT_ONCE)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] not in _FOR_EVERYBODY:
            try:
                caller = await asyncio.get_running_loop().run_in_executor(self._threads, self._caller, scope)
            except StorageError as error:
                await self._turn_away(scope, send, error)
                return
            scope = name_caller(scope, caller)
            if caller is ANYBODY and scope["path"].startswith(_PUBLIC):
                await self._serve_anybody(scope, receive, send)
                return
        await self._app(scope, receive, send)

    async def _serve_anybody(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Whoever has no key takes no more than some of the threads from those who have one."""
        if self._anybody.locked():
            error = RateLimitedError("too many ask without an API key: ask again in 1 s")
            await refuse(send, error, headers=[(b"retry-after", b"1")])
            return
        async with self._anybody:
            await self._app(scope, receive, send)

    def _caller(self, scope: Scope) -> Caller:
        """Who makes a request; UnauthorizedError for whoever may not come in."""
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        bearer = _token(headers.get("authorization", ""))
        cookie = _cookie(headers.get("cookie", "")) if bearer is None else None
        if cookie is not None:
            _check_origin(scope, headers)  # a browser sends its cookies whoever has it ask
        token = bearer or cookie
        if token is not None:
            try:
                return self._holder(token)
            except UnauthorizedError:
                if bearer is not None and self._is_locked():
                    raise
        return self._nobody(scope, headers)

    def _holder(self, token: str) -> Caller:
        return Caller(key=self._store.authenticate(token), token=token)

    def _nobody(self, scope: Scope, headers: dict[str, str]) -> Caller:
        if not self._is_locked():
            _check_is_near(scope, headers)
            return LOCAL
        _check_origin(scope, headers)
        is_read = scope["method"] in _READS and scope["path"].startswith(_FOR_ANYBODY)
        if is_read or scope["path"] in (LOGIN, LOGOUT):
            return ANYBODY
        raise _KeyNeededError(no_key().message)

    def _is_locked(self) -> bool:
        """Whether the store has a key: revoked ones count, so one that had some is never open again."""
        return bool(self._store.list_keys())

    async def _turn_away(self, scope: Scope, send: Send, error: StorageError) -> None:
        """A browser that asks for a page is sent to where it can log in."""
        accepted = dict(scope["headers"]).get(b"accept", b"")
        is_page = scope["method"] in _READS and b"text/html" in accepted and not scope["path"].startswith("/v1/")
        if is_page and isinstance(error, _KeyNeededError):
            await redirect(send, f"{LOGIN}?next={quote(_local_path(scope))}")
        else:
            await refuse(send, error)


class _KeyNeededError(UnauthorizedError):
    """Somebody without a key asks for what needs one."""


def _token(authorization: str) -> str | None:
    scheme, token = authorization[: len(_SCHEME)], authorization[len(_SCHEME) :].strip()
    return token if scheme.lower() == _SCHEME and token else None


def _cookie(header: str) -> str | None:
    """The key in the cookies of a browser. Others that stand there are of any shape: a host's ports share them."""
    for part in header.split(";"):
        name, _, value = part.strip().partition("=")
        if name == COOKIE and value:
            return value
    return None


def _local_path(scope: Scope) -> str:
    query: bytes = scope.get("query_string", b"")
    return str(scope["path"]) + (f"?{query.decode('latin-1')}" if query else "")


def _check_is_near(scope: Scope, headers: dict[str, str]) -> None:
    """UnauthorizedError unless a program of this machine asks: no other machine, and no page of another site."""
    client = scope.get("client")
    if client is not None and not _is_loopback(client[0]):
        raise UnauthorizedError("the store has no API key yet, so only programs of this machine are let in")
    if any(name in _FORWARDED or name.startswith(_ALSO_FORWARDED) for name in headers):
        # A proxy on this machine makes everybody look near.
        raise UnauthorizedError("the store has no API key yet, so nothing that a proxy brings is let in")
    # A page elsewhere can have a browser here ask anything, under a name that leads here: the browser says which.
    if not _is_loopback(urlsplit(f"//{headers.get('host', '')}").hostname or ""):
        raise _another_site()
    if not _is_same_origin(headers) and not _is_link(scope, headers):
        raise _another_site()


def _is_link(scope: Scope, headers: dict[str, str]) -> bool:
    """Whether somebody follows a link from another site: the page that they come to is theirs alone to see."""
    given = (headers.get("sec-fetch-mode"), headers.get("sec-fetch-dest"))
    return scope["method"] in _READS and "origin" not in headers and given == ("navigate", "document")


def _check_origin(scope: Scope, headers: dict[str, str]) -> None:
    """UnauthorizedError where a page of another site has the browser change something in its user's name."""
    if scope["method"] not in _READS and not _is_same_origin(headers):
        raise _another_site()


def _is_same_origin(headers: dict[str, str]) -> bool:
    origin = headers.get("origin")
    if headers.get("sec-fetch-site", "none") not in ("same-origin", "none"):
        return False
    return not origin or urlsplit(origin).netloc == headers.get("host", "")


def _another_site() -> UnauthorizedError:
    return UnauthorizedError("a page of another site may not ask")


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback
