"""Logging in with an API key, which the browser then keeps in a cookie that no script can read."""

from typing import Annotated, Any

import msgspec
from litestar import Controller, Request, Response
from litestar.datastructures import Cookie
from litestar.enums import RequestEncodingType
from litestar.params import Body, FromQuery

from clew.errors import UnauthorizedError
from clew.server.access import COOKIE
from clew.server.callers import ANYBODY, Caller
from clew.server.served import Served, get, post
from clew.server.web.pages import page
from clew.server.web.redirects import local_path, see

MAX_FORM_BYTES = 16 * 1024
"""Whoever has no key may send this form, and it is taken apart where everybody else waits."""

_UNAUTHORIZED = 401


class LoginForm(msgspec.Struct):
    """What the form sends."""

    key: str = ""
    next: str = "/"

    def __repr__(self) -> str:
        return f"LoginForm(key=..., next={self.next!r})"


class LoginRoutes(Controller):
    """Coming in, and going out."""

    request_max_body_size = MAX_FORM_BYTES

    @get("/login")
    def show_login(self, served: Served, next: FromQuery[str] = "/") -> Response[Any]:
        """The form, which leads on to `next`, and whoever is in already goes there at once."""
        if served.caller.role is not None:
            return see(local_path(next))
        return page(served, "login.html", next=local_path(next), problem=None)

    @post("/login")
    def log_in(
        self,
        request: Request[Any, Any, Any],
        served: Served,
        data: Annotated[LoginForm, Body(media_type=RequestEncodingType.URL_ENCODED)],
    ) -> Response[Any]:
        """Keep the key, and go on; the same form again where the store does not know it."""
        token = data.key.strip()
        try:
            served.to(Caller(token=token)).check_caller()
        except UnauthorizedError:
            problem = "The store knows no such key, or it has been revoked."
            next = local_path(data.next)
            return page(served.to(ANYBODY), "login.html", status_code=_UNAUTHORIZED, next=next, problem=problem)
        answer = see(local_path(data.next))
        answer.set_cookie(_cookie(request, token))
        return answer

    @post("/logout")
    def log_out(self, request: Request[Any, Any, Any]) -> Response[Any]:
        """Forget the key."""
        answer = see("/login")
        answer.set_cookie(_cookie(request, "", max_age=0))
        return answer


def _cookie(request: Request[Any, Any, Any], token: str, max_age: int | None = None) -> Cookie:
    """Without an age the cookie goes when the browser is closed."""
    is_secure = request.url.scheme == "https"
    return Cookie(COOKIE, value=token, path="/", max_age=max_age, httponly=True, samesite="strict", secure=is_secure)
