"""How often a caller may ask, and how often an address may come with a wrong API key.

Both are counted in memory: for one process, and from anew after a restart.
"""

import functools
import hashlib
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
from clew.server.seen import seen_in

Clock = Callable[[], float]

_EXEMPT = ("/healthz", "/readyz", "/metrics")
_ON_COOKIE = f"{COOKIE}=".encode()
_NETWORK_BITS = 64  # of an IPv6 address: a machine has all the rest to itself
_IN_ITS_BODY = b""
"""What a login shows: it is not read here, so none is known to have been right before."""

_FAILED = 400
_BROKEN = 500


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

    A key that has been right goes on being let through to the gate: who shares an address (a proxy's, an office's) with
    one that tries keys, or with a program whose key was revoked, is not locked out.
    """

    def __init__(self, app: App, buckets: Buckets) -> None:
        self._app = app
        self._buckets = buckets
        self._right: OrderedDict[bytes, None] = OrderedDict()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        tried = _tried(scope) if scope["type"] == "http" else None
        if tried is None:
            await self._app(scope, receive, send)
            return
        address = address_of(scope)
        wait = 0.0 if tried in self._right else self._buckets.wait(address)
        if wait > 0:
            await _turn_away(send, "too many wrong API keys", wait)
            return

        async def heard(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._judge(scope, message, tried, address)
            await send(message)

        await self._app(scope, receive, heard)

    def _judge(self, scope: Scope, answer: Message, tried: bytes, address: str) -> None:
        if answer["status"] >= _BROKEN:
            return  # nobody knows whether it was right
        if _is_wrong(scope, answer):
            self._buckets.charge(address)
            self._right.pop(tried, None)
        elif tried != _IN_ITS_BODY:
            self._right[tried] = None
            self._right.move_to_end(tried)
            if len(self._right) > limits.MAX_RATE_BUCKETS:
                self._right.popitem(last=False)


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


def _tried(scope: Scope) -> bytes | None:
    """What a request shows so that it is let in, as a hash; None where it shows nothing."""
    if _is_login(scope):
        return _IN_ITS_BODY
    shown = [
        value
        for name, value in scope["headers"]
        if name == b"authorization" or (name == b"cookie" and _ON_COOKIE in value)
    ]
    return hashlib.sha256(b"\0".join(shown)).digest() if shown else None


def _is_login(scope: Scope) -> bool:
    return bool(scope["path"] == LOGIN and scope["method"] == "POST")


def _is_wrong(scope: Scope, answer: Message) -> bool:
    """Whether a key was wrong, whatever came of it: a browser may be sent to the login page, or see what is public."""
    if _is_login(scope):
        return bool(answer["status"] >= _FAILED)
    seen = seen_in(scope)
    return seen is None or not seen.is_known


async def _turn_away(send: Send, why: str, wait: float) -> None:
    seconds = max(1, math.ceil(wait))
    error = RateLimitedError(f"{why}: ask again in {seconds} s")
    await refuse(send, error, headers=[(b"retry-after", str(seconds).encode())])
