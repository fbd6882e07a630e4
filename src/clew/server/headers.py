"""What every answer tells browsers, so that an answer cannot be turned against who reads it.

Each header is set only where the answer has none of the name: a page has a policy of its own.
"""

from clew.server.asgi import App, Message, Receive, Scope, Send

Header = tuple[bytes, bytes]

_ALWAYS: list[Header] = [
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
]
_NEVER_KEPT: Header = (b"cache-control", b"no-store")  # what is stored is for whoever asked, not for who asks next
_ONLY_TLS: Header = (b"strict-transport-security", b"max-age=31536000")
"""Only said over TLS, where browsers believe it. Not of other hosts of the domain, which are none of clew's."""

_NOT_KEPT_UNDER = "/v1/"


class SafeHeaders:
    """Adds them to the answers of an application."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        wanted = _wanted(scope)

        async def completed(message: Message) -> None:
            if message["type"] == "http.response.start":
                given = {name.lower() for name, _ in message["headers"]}
                added = [header for header in wanted if header[0] not in given]
                message = {**message, "headers": [*message["headers"], *added]}
            await send(message)

        await self._app(scope, receive, completed)


def _wanted(scope: Scope) -> list[Header]:
    wanted = _ALWAYS
    if scope["path"].startswith(_NOT_KEPT_UNDER):
        wanted = [*wanted, _NEVER_KEPT]
    if scope.get("scheme") == "https":
        wanted = [*wanted, _ONLY_TLS]
    return wanted
