"""The tokens and the cost that messages tell of, and which model they came from.

A program may keep what it says of a message in an object of its own within it; it is looked for there too.
"""

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

from clew.model import Message

_BELOW: tuple[tuple[str, ...], ...] = ((), ("fields",), ("message",), ("message", "metadata"))
"""Where it may be told in an object that a message holds, by the keys that lead there."""

_ASKS = ("user", "tool", "system", "developer")
"""Roles of which an object tells something else, such as what another agent took that a tool called."""

_USAGE = ("usage", "usage_metadata", "usageMetadata")
_INPUT = ("input_tokens", "prompt_tokens", "inputTokens", "promptTokenCount")
_OUTPUT = ("output_tokens", "completion_tokens", "outputTokens", "candidatesTokenCount")
_THOUGHTS = ("thoughtsTokenCount",)  # which Gemini counts beside its answer, as others do not
_CACHE_READ = (
    "cache_read_input_tokens", "cached_input_tokens", "cached_tokens", "cache_read_tokens", "cache_read",
    "cacheReadInputTokens", "cachedContentTokenCount",
)  # fmt: skip
_CACHE_WRITE = (
    "cache_creation_input_tokens", "cache_creation_tokens", "cache_write_input_tokens", "cache_write_tokens",
    "cache_creation", "cacheWriteInputTokens",
)  # fmt: skip
_DETAILS = ("prompt_tokens_details", "input_tokens_details", "input_token_details")
_COST = ("cost", "cost_usd", "costUSD", "total_cost")
_MAX_COST = 1e15  # more than there is money: not a cost
_MODEL = ("model", "model_name", "modelVersion")


class Usage(NamedTuple):
    """What one answer of a model took."""

    answer: str | None
    """The model's name for the answer, which several messages have where it is told in several."""
    messages: int
    input: int
    output: int
    cache_read: int
    cache_write: int
    cost: float | None


class Tokens:
    """Tokens and cost, added up."""

    def __init__(self) -> None:
        self.messages = self.input = self.output = self.cache_read = self.cache_write = 0
        self._costs: list[float] = []

    @property
    def cost(self) -> float | None:
        """What all of it cost; None where nothing says so."""
        return math.fsum(self._costs) if self._costs else None

    def add(self, usage: Usage, *, instead_of: Usage | None = None) -> None:
        """Count what an answer took; `instead_of` is what an earlier part of the same answer told of the whole."""
        if instead_of is not None:
            self._count(instead_of, -1)
        self._count(usage, 1)

    def _count(self, usage: Usage, sign: int) -> None:
        self.messages += sign * usage.messages
        self.input += sign * usage.input
        self.output += sign * usage.output
        self.cache_read += sign * usage.cache_read
        self.cache_write += sign * usage.cache_write
        if usage.cost is not None:
            self._costs.append(sign * usage.cost)


def usage_of(message: Message) -> Usage | None:
    """What a message tells of its usage; None where it tells nothing."""
    for home in _homes(message):
        usage: dict[str, Any] = next((home[key] for key in _USAGE if home.get(key) and isinstance(home[key], dict)), {})
        cost = _cost(usage) if _cost(usage) is not None else _cost(home)
        if usage or cost is not None:
            return _usage(home, usage, cost)
    return None


def model_of(message: Message) -> str | None:
    """The model that a message came from."""
    for home in _homes(message):
        told = home.get("response_metadata")
        for place in (home, told if isinstance(told, dict) else {}):
            for key in _MODEL:
                model = place.get(key)
                model = model.get("id") if isinstance(model, dict) else model
                if isinstance(model, str) and model:
                    return model
    return None


def _usage(home: dict[str, Any], usage: dict[str, Any], cost: float | None) -> Usage:
    details: dict[str, Any] = next((usage[key] for key in _DETAILS if isinstance(usage.get(key), dict)), {})
    answer = home.get("id")
    return Usage(
        answer=answer if isinstance(answer, str) and answer else None,
        messages=int(bool(usage)),
        input=_count(usage, _INPUT),
        output=_count(usage, _OUTPUT) + _count(usage, _THOUGHTS),
        cache_read=_count(usage, _CACHE_READ) or _count(details, _CACHE_READ),
        cache_write=_count(usage, _CACHE_WRITE) or _count(details, _CACHE_WRITE),
        cost=cost,
    )


def _homes(message: Message) -> Iterator[dict[str, Any]]:
    """The objects in a message that may tell of its usage: itself first."""
    yield message
    for own in () if message.get("role") in _ASKS else message.values():
        for keys in _BELOW if isinstance(own, dict) else ():
            home: Any = own
            for key in keys:
                home = home.get(key) if isinstance(home, dict) else None
            if isinstance(home, dict):
                yield home


def _count(values: dict[str, Any], keys: tuple[str, ...]) -> int:
    for key in keys:
        value = values.get(key)
        if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
            return value
    return 0


def _cost(values: dict[str, Any]) -> float | None:
    for key in _COST:
        value = values.get(key)
        value = value.get("total") if isinstance(value, dict) else value
        cost = _finite(value)
        if cost is not None:
            return cost
    return None


def _finite(value: Any) -> float | None:
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        return None
    try:
        number = float(value)
    except OverflowError:  # more digits than a double holds
        return None
    return number if abs(number) <= _MAX_COST else None  # which is false of what is no number, too
