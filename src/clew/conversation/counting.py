"""Counting a conversation: tool calls and how they ended, messages, tokens, cost, and the time of its steps.

A result says itself whether its call failed (``is_error``, or a status); text is not searched for the word. A call
is aborted where its result says that it was cancelled, or where it has none.
"""

import math
from array import array
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any, Literal

from clew import limits
from clew.conversation.pairing import CallAt, Pairing
from clew.conversation.parts import Result, parts_of, result_text
from clew.conversation.repair import INTERRUPTED
from clew.errors import InvalidRequestError
from clew.model import Message
from clew.times import to_micros

Outcome = Literal["successful", "failed", "aborted"]

_MICROS = 1_000_000
_FAILED = ("error", "failed", "failure")
_CANCELLED = ("cancelled", "canceled", "interrupted", "aborted", "incomplete")
_CANCELLED_BEGINNINGS = (INTERRUPTED, "TOOL_CALL_CANCELLED", "[Request interrupted by user")
_TIME_KEYS = ("timestamp", "created_at", "created")
_MILLIS_FROM = 100_000_000_000  # numbers from here on are milliseconds, as seconds they were after the year 5000

_INPUT = ("input_tokens", "prompt_tokens")
_OUTPUT = ("output_tokens", "completion_tokens")
_CACHE_READ = ("cache_read_input_tokens", "cached_input_tokens", "cached_tokens", "cache_read_tokens")
_CACHE_WRITE = (
    "cache_creation_input_tokens", "cache_creation_tokens", "cache_write_input_tokens", "cache_write_tokens",
)  # fmt: skip
_COST = ("cost", "cost_usd", "costUSD", "total_cost")
_DETAILS = ("prompt_tokens_details", "input_tokens_details", "input_token_details")


class Tokens:
    """Tokens and cost, added up."""

    def __init__(self) -> None:
        self.messages = self.input = self.output = self.cache_read = self.cache_write = 0
        self.cost: float | None = None

    def add(self, message: Message) -> None:
        """Add what a message tells of its usage."""
        usage = message.get("usage") or message.get("usage_metadata")
        usage = usage if isinstance(usage, dict) else {}
        self.messages += bool(usage)
        details: dict[str, Any] = next((usage[key] for key in _DETAILS if isinstance(usage.get(key), dict)), {})
        self.input += _count(usage, _INPUT)
        self.output += _count(usage, _OUTPUT)
        self.cache_read += _count(usage, _CACHE_READ) or _count(details, _CACHE_READ)
        self.cache_write += _count(usage, _CACHE_WRITE) or _count(details, _CACHE_WRITE)
        cost = _cost(usage) if _cost(usage) is not None else _cost(message)
        if cost is not None:
            self.cost = cost + (self.cost or 0.0)


class Counting:
    """The counts of one conversation, whose messages are added in order, some at a time."""

    def __init__(self) -> None:
        self.messages = 0
        self.roles: Counter[str] = Counter()
        self.models: Counter[str] = Counter()
        self.tokens = Tokens()
        self.ended: dict[str, Counter[Outcome]] = {}
        self.times = array("q")
        self._pairing = Pairing()
        self._outcomes: dict[CallAt, Outcome] = {}
        self._usage_of: Any = None

    def add(self, messages: Iterable[Message]) -> None:
        """Count the messages that come next."""
        for message in messages:
            self._add(message)

    def end(self) -> None:
        """Count the calls, once all messages are there."""
        self._pairing.end()
        for call in self._pairing.calls:
            # One whose result came before it has one, whatever that says.
            otherwise: Outcome = "successful" if call in self._pairing.answers else "aborted"
            self.ended.setdefault(call.name, Counter())[self._outcomes.get(call, otherwise)] += 1

    def _add(self, message: Message) -> None:
        parts = parts_of(message)
        self.roles[_role(message, parts.role)] += 1
        self._outcomes.update((call, _outcome(result)) for call, result in self._pairing.add(self.messages, parts))
        self.messages += 1
        model = _model(message)
        if model is not None:
            self.models[model] += 1
        # Where one answer of a model is told in several messages, each of them has the usage of the whole.
        answer = message.get("id") if message.get("usage") else None
        if answer is None or answer != self._usage_of:
            self.tokens.add(message)
        self._usage_of = answer
        time = _time(message)
        if time is not None:
            self.times.append(time)


def active_seconds(times: Iterable[int]) -> float:
    """The time between steps (microseconds since 1970), leaving out the pauses that are too long."""
    ordered, limit = sorted(times), int(limits.MAX_STEP_SECONDS * _MICROS)
    gaps = (later - earlier for earlier, later in pairwise(ordered))
    return sum(gap for gap in gaps if gap <= limit) / _MICROS


def _outcome(result: Result) -> Outcome:
    value = result.value
    status = value.get("status")
    text = result_text(value).lstrip()
    if status in _CANCELLED or text.startswith(_CANCELLED_BEGINNINGS) or text.strip().lower() in _CANCELLED:
        return "aborted"
    if value.get("is_error") is True or value.get("isError") is True or status in _FAILED:
        return "failed"
    return "successful"


def _role(message: Message, role: str | None) -> str:
    kind = message.get("type")
    return role or (kind if isinstance(kind, str) and kind else "(none)")


def _model(message: Message) -> str | None:
    model = message.get("model")
    if isinstance(model, dict):
        model = model.get("id")
    return model if isinstance(model, str) and model else None


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
        if isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value):
            return float(value)
    return None


def _time(message: Message) -> int | None:
    """When a message was written, in microseconds since 1970, where it says so in a way that is known."""
    value = next((message[key] for key in _TIME_KEYS if message.get(key) is not None), None)
    try:
        if isinstance(value, str):
            moment = datetime.fromisoformat(value)
            return to_micros(moment if moment.tzinfo else moment.replace(tzinfo=UTC))
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            return to_micros(datetime.fromtimestamp(value / 1000 if value >= _MILLIS_FROM else value, UTC))
    except (ValueError, OverflowError, OSError, InvalidRequestError):
        pass
    return None
