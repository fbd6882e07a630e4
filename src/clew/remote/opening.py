"""Opening a store behind HTTP: the first request finds out what answers there."""

from clew.errors import InvalidRequestError, UnavailableError
from clew.protocol import answers
from clew.remote.addresses import checked_key, endpoint_of
from clew.remote.backend import RemoteBackend
from clew.remote.basic import BasicBackend
from clew.remote.client import Client
from clew.remote.failures import Target

__all__ = ["endpoint_of", "open_backend"]


def open_backend(
    url: str, *, api_key: str | None = None, busy_timeout: float, read_only: bool = False
) -> RemoteBackend:
    """The store at `url`. How durable a write is, its server says.

    UnavailableError where nothing answers, or nothing that clew knows; UnauthorizedError where the key is refused.
    """
    client = Client(Target(endpoint_of(url), is_clew=False), checked_key(api_key), busy_timeout)
    try:
        is_clew = _is_clew(client)
    except BaseException:
        client.close()
        raise
    if not is_clew:
        return BasicBackend(client, read_only=read_only)
    client.target = Target(client.target.endpoint)
    return RemoteBackend(client, read_only=read_only)


def _is_clew(client: Client) -> bool:
    """Whether it is a clew server; UnavailableError where it is none that has sessions either."""
    try:
        return client.greet("/v1/account", answers.Account)
    except InvalidRequestError as error:
        raise UnavailableError(f"{client.target.endpoint} is no server of sessions: {error.message}") from error
