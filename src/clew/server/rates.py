"""How often a caller may ask, and how often an address is told that an API key is wrong.

Both are counted in memory: for one process, and from anew after a restart.
"""

import functools
import ipaddress
import math
from collections import OrderedDict
from collections.abc import Callable, Hashable

from clew import limits
from clew.errors import InvalidRequestError, RateLimitedError
from clew.server.access import COOKIE, LOGIN
from clew.server.asgi import App, Message, Receive, Scope, Send
from clew.server.callers import caller_of
from clew.server.refusals import refuse
from clew.server.seen import note_error

Clock = Callable[[], float]

_EXEMPT = ("/healthz", "/readyz", "/metrics")
_ON_COOKIE = f"{COOKIE}=".encode()
_NETWORK_BITS = 64  # of an IPv6 address: a machine has all the rest to itself
_UNAUTHORIZED = 401


class Buckets:
    """A bucket of tokens for each caller. It holds `burst` of them, and gets `per_second` new ones while it has room.

    Of more than `limits.MAX_RATE_BUCKETS` callers those are forgotten that have not been heard of for longest.
    """

    def __init__(self, per_second: float, burst: float, clock: Clock) -> None:
        """`clock` tells seconds that only grow."""
        self._per_second = per_second
        self._burst = burst
        self._clock = clock
        self._left: OrderedDict[Hashable, tuple[float, float]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._left)

    def wait(self, who: Hashable) -> float:
        """In how many seconds there is a token; 0 where there is one now."""
        tokens = self._tokens(who)
        return 0.0 if tokens >= 1 else (1 - tokens) / self._per_second

    def charge(self, who: Hashable) -> None:
        """Take a token. What many requests at once take beyond what is there, is owed, up to a whole bucket."""
        tokens = max(self._tokens(who) - 1, -self._burst)
        self._left[who] = (tokens, self._clock())
        self._left.move_to_end(who)
        if len(self._left) > limits.MAX_RATE_BUCKETS:
            self._left.popitem(last=False)

    def _tokens(self, who: Hashable) -> float:
        tokens, since = self._left.get(who, (self._burst, 0.0))
        return min(self._burst, tokens + (self._clock() - since) * self._per_second)


class CallerRate:
    """Lets each caller ask so often: who has a key by the key, others by their address."""

    def __init__(self, app: App, buckets: Buckets) -> None:
        self._app = app
        self._buckets = buckets

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] not in _EXEMPT:
            who = _caller(scope)
            wait = self._buckets.wait(who)
            if wait > 0:
                await _turn_away(send, "too many requests", wait)
                return
            self._buckets.charge(who)
        await self._app(scope, receive, send)


class WrongKeys:
    """Stands before the gate, and lets no address try one wrong key after the other.

    Every request reaches the gate, so a right key is never held back, whoever shares the address: a proxy's other
    clients, or a program whose key was revoked. What has an end is how often somebody is told 401 for a key.
    """

    def __init__(self, app: App, buckets: Buckets) -> None:
        self._app = app
        self._buckets = buckets

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not _shows_key(scope):
            await self._app(scope, receive, send)
            return
        address, is_replaced = address_of(scope), False

        async def judged(message: Message) -> None:
            nonlocal is_replaced
            if message["type"] == "http.response.start" and message["status"] == _UNAUTHORIZED:
                wait = self._buckets.wait(address)
                is_replaced = wait > 0
                if is_replaced:
                    note_error(scope, RateLimitedError.code)
                    await _turn_away(send, "too many wrong API keys", wait)
                else:
                    self._buckets.charge(address)
            if not is_replaced:
                await send(message)

        await self._app(scope, receive, judged)


def checked_rate(per_second: float | None, burst: float | None) -> tuple[float, float] | None:
    """How many requests a second and how many at once, None where there is no limit."""
    if per_second is None:
        if burst is not None:
            raise InvalidRequestError("burst is of no use without requests_per_second")
        return None
    if not 0 < per_second < math.inf:
        raise InvalidRequestError("requests_per_second must be a number above 0")
    burst = max(1.0, 2 * per_second) if burst is None else burst
    if not 1 <= burst < math.inf:
        raise InvalidRequestError("burst must be at least 1")
    return per_second, burst


def address_of(scope: Scope) -> str:
    """The machine that a request comes from, as far as its address tells; of IPv6 its network."""
    client = scope.get("client")
    return "" if client is None else _machine(client[0])


@functools.lru_cache(maxsize=1_024)
def _machine(host: str) -> str:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host[:255]
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is None:
        return str(ipaddress.ip_network((int(address) >> _NETWORK_BITS << _NETWORK_BITS, _NETWORK_BITS)))
    return host


def _caller(scope: Scope) -> Hashable:
    key = caller_of(scope).key
    return address_of(scope) if key is None else key.id


def _shows_key(scope: Scope) -> bool:
    """Whether a request comes with something that is to let it in. What stands in a login is not read here."""
    if scope["path"] == LOGIN and scope["method"] == "POST":
        return True
    return any(
        name == b"authorization" or (name == b"cookie" and _ON_COOKIE in value) for name, value in scope["headers"]
    )


async def _turn_away(send: Send, why: str, wait: float) -> None:
    seconds = max(1, math.ceil(wait))
    error = RateLimitedError(f"{why}: ask again in {seconds} s")
    await refuse(send, error, headers=[(b"retry-after", str(seconds).encode())])
