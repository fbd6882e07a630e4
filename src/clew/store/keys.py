"""The methods of a store that are about API keys: who may come in where a server stands before it."""

import hashlib
import secrets
from contextlib import suppress

from clew import checks
from clew.backend import NewApiKey, unknown_key
from clew.errors import StorageError
from clew.ids import new_id, to_id
from clew.model import ApiKey, NewKey, Role
from clew.store.base import Id
from clew.store.searching import SearchMethods

_TOKEN_BYTES = 32


class KeyMethods(SearchMethods):
    """Making, listing, revoking and recognising API keys."""

    def create_key(self, name: str, role: Role | str) -> NewKey:
        """Make an API key for whoever is called `name`: the owner of the sessions that are created with it.

        Several keys may have one name. The token in the result is told this once: what is stored is its SHA-256.
        """
        token = f"clew_{secrets.token_urlsafe(_TOKEN_BYTES)}"
        new = NewApiKey(
            id=new_id(),
            name=checks.owner(name, "name"),
            role=checks.role(role),
            digest=_digest(token),
            now=self._clock(),
        )
        return NewKey(key=self._backend.create_key(new), token=token)

    def list_keys(self) -> list[ApiKey]:
        """Every API key, revoked ones too, oldest first."""
        return self._backend.list_keys()

    def revoke_key(self, id: Id) -> ApiKey:
        """Let the holder of an API key in no more, from now on and for good."""
        return self._backend.revoke_key(to_id(id, "id"), self._clock())

    def authenticate(self, token: str) -> ApiKey:
        """The API key that has this token; UnauthorizedError where none has, or it has been revoked.

        Reads once, and about once a minute of use moves `last_used_at`, where the store can be written to.
        """
        # Found by its hash: how long that takes says nothing of a token that is nearly right.
        key = self._backend.find_key(_digest(checks.token(token)))
        if key is not None and key.revoked_at is None:
            key = self._used(key)
        if key is None or key.revoked_at is not None:
            raise unknown_key()
        return key

    def _used(self, key: ApiKey) -> ApiKey:
        now = self._clock()
        if self._uses.is_due(key, now):
            with suppress(StorageError):
                return self._backend.use_key(key.id, now)
        return key


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode(errors="surrogatepass")).digest()
