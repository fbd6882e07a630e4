"""Counting a conversation: tool calls and how they ended, messages, tokens, cost, and the time of its steps.

A result says itself whether its call failed (``is_error``, or a status); text is not searched for the word. A call
is aborted where its result says that it was cancelled, or where it has none.
"""

from array import array
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any, Literal

from clew import limits
from clew.conversation.pairing import CallAt, Pairing
from clew.conversation.parts import Parts, Result, parts_of, result_text
from clew.conversation.repair import INTERRUPTED
from clew.conversation.usage import Tokens, Usage, model_of, usage_of
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
        self._usage: Usage | None = None

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
        model = model_of(message)
        if model is not None:
            self.models[model] += 1
        self._add_usage(message, parts)
        time = _time(message)
        if time is not None:
            self.times.append(time)

    def _add_usage(self, message: Message, parts: Parts) -> None:
        """Count tokens and cost.

        Of an answer told in several messages each has the usage of the whole, and the last of them the final one;
        results of its first calls may stand between.
        """
        usage = usage_of(message)
        if usage is None:
            if not parts.results:
                self._usage = None
            return
        is_same = self._usage is not None and usage.answer is not None and usage.answer == self._usage.answer
        self.tokens.add(usage, instead_of=self._usage if is_same else None)
        self._usage = usage


def active_seconds(times: Iterable[int]) -> float:
    """The time between steps (microseconds since 1970), leaving out the pauses that are too long."""
    ordered, limit = sorted(times), int(limits.MAX_STEP_SECONDS * _MICROS)
    gaps = (later - earlier for earlier, later in pairwise(ordered))
    return sum(gap for gap in gaps if gap <= limit) / _MICROS


def _outcome(result: Result) -> Outcome:
    value = result.value
    status = _status(value)
    text = result_text(value).lstrip()
    if status in _CANCELLED or text.startswith(_CANCELLED_BEGINNINGS) or text.strip().lower() in _CANCELLED:
        return "aborted"
    if value.get("is_error") is True or value.get("isError") is True or status in _FAILED:
        return "failed"
    return "successful"


def _status(value: dict[str, Any]) -> Any:
    """How a result says that its call ended; LangChain's say it in fields that their adapter keeps beside them."""
    rest = value.get("langgraph")
    fields = rest.get("fields") if isinstance(rest, dict) else None
    return value["status"] if "status" in value else fields.get("status") if isinstance(fields, dict) else None


def _role(message: Message, role: str | None) -> str:
    kind = message.get("type")
    return role or (kind if isinstance(kind, str) and kind else "(none)")


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
