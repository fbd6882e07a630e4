"""What every route works with: the store behind the server."""

from collections.abc import Callable
from functools import partial
from typing import Any, TypeAlias
from urllib.parse import unquote

import litestar
from litestar.di import NamedDependency
from litestar.params import FromQuery

from clew.backend import Backend
from clew.errors import InvalidRequestError
from clew.protocol import TIME_HEADER
from clew.server.bell import Bell
from clew.server.callers import LOCAL, Caller
from clew.server.forms import BY_NAME, FormName, Forms
from clew.server.rights import Rights, no_admin, no_key
from clew.store import Store
from clew.times import from_micros, to_micros

_TIME = TIME_HEADER.lower().encode()


class Serving:
    """A store, open to one who asks as far as they may, and what stands beside it while it is served."""

    def __init__(
        self, store: Store, caller: Caller = LOCAL, bell: Bell | None = None, whole: Store | None = None
    ) -> None:
        self.store = store
        self._whole = whole or store
        self.caller = caller
        self.backend: Backend = store._backend
        self.clock: Callable[[], int] = store._clock
        self.bell = bell or Bell(self.backend)

    def to(self, caller: Caller, now: int | None = None) -> "Serving":
        """The same for who asks; `now` is the time of what they write, None for that of the clock."""
        store = self.store if caller.is_admin else Store(Rights(self.backend, caller), clock=self.clock)
        serving = Serving(store, caller, self.bell, self._whole)
        if now is not None:
            serving.clock = lambda: now
        return serving

    def check_store(self) -> None:
        """StorageError where the store does not answer, whoever asks."""
        self._whole.last_change()

    def check_caller(self) -> None:
        """UnauthorizedError for whoever would not be let in any more: for answers that go on and on.

        Their key has been revoked, or they have none and the store has got its first one.
        """
        if self.caller.token is not None:
            self._whole.authenticate(self.caller.token)
        elif self.caller.is_local and self._whole.list_keys():
            raise no_key()

    def check_admin(self) -> None:
        """ForbiddenError unless the whole store is open to who asks: for answers that begin before they would fail."""
        if not self.caller.is_admin:
            raise no_admin(self.caller)


def time_in(scope: Any) -> int | None:
    """When what a request writes was made in another store; None where it is made now."""
    given = dict(scope["headers"]).get(_TIME)
    if given is None:
        return None
    try:
        return to_micros(from_micros(int(given)), TIME_HEADER)
    except (ValueError, OverflowError):
        raise InvalidRequestError(f"{TIME_HEADER} must be microseconds since 1970") from None


Served: TypeAlias = NamedDependency[Serving]
"""How a handler says that it works with the store, as far as who asks may."""

Shown: TypeAlias = NamedDependency[Forms]
"""How a handler says that its answer has the form that the client asked for."""


def forms_by_name(form: FromQuery[FormName] = "strict") -> Forms:
    """`form`: `strict` is what the agent's reader takes, `stored` what is there, `bare` the same without states."""
    return BY_NAME[form]


def segment(quoted: str) -> str:
    """A part of a path that may hold any character, slashes among them."""
    try:
        return unquote(quoted, errors="strict")
    except UnicodeDecodeError:
        raise InvalidRequestError("the path is not UTF-8") from None


# Routes of handlers that wait for the store: they run in threads.
get = partial(litestar.get, sync_to_thread=True)
post = partial(litestar.post, sync_to_thread=True)
put = partial(litestar.put, sync_to_thread=True)
patch = partial(litestar.patch, sync_to_thread=True)
delete = partial(litestar.delete, sync_to_thread=True)
