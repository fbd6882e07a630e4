"""Who asks: the holder of an API key, a program of this machine while there is no key, or anybody."""

from typing import Any

import msgspec

from clew.model import ApiKey, Role
from clew.server.asgi import Scope

_CALLER = "clew.caller"


class Caller(msgspec.Struct, frozen=True, kw_only=True):
    """Who asks. Without `key` that is `LOCAL` or `ANYBODY`."""

    key: ApiKey | None = None
    token: str | None = None
    is_local: bool = False

    def __repr__(self) -> str:
        return f"Caller(key={self.key!r}, is_local={self.is_local})"  # a token is a secret

    @property
    def role(self) -> Role | None:
        """What they may do. None lets them read what is public, if they know its id."""
        if self.key is not None:
            return self.key.role
        return Role.ADMIN if self.is_local else None

    @property
    def owner(self) -> str | None:
        """Whose sessions are theirs."""
        return None if self.key is None else self.key.name

    @property
    def is_admin(self) -> bool:
        """Whether every session is open to them, and the whole store."""
        return self.role is Role.ADMIN


LOCAL = Caller(is_local=True)
"""A program of this machine, while the store has no key."""

ANYBODY = Caller()
"""Whoever has no key of the store, which has some."""


def name_caller(scope: Scope, caller: Caller) -> Scope:
    """The scope of a request, with who makes it."""
    return {**scope, _CALLER: caller}


def caller_of(scope: Any) -> Caller:
    """Who makes a request."""
    caller: Caller = scope.get(_CALLER, ANYBODY)
    return caller
