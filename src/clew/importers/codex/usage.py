"""What the answers of a rollout took: Codex tells the sum so far after each, and with it what the last one took."""

from collections.abc import Mapping
from typing import Any

from clew.importers import chat
from clew.importers.values import count, fields

_COUNTS = (
    "input_tokens",
    "output_tokens",
    "cached_input_tokens",
    "reasoning_output_tokens",
    "cache_write_input_tokens",
)
Tokens = dict[str, int]


class Meter:
    """Reads what was taken since the last time; the same sum told again is nothing new."""

    def __init__(self) -> None:
        self._total: Tokens = {}

    def read(self, event: dict[str, Any]) -> Tokens:
        """What a `token_count` adds."""
        info = fields(event.get("info"))
        total, last = _counts(info.get("total_token_usage")), _counts(info.get("last_token_usage"))
        before, self._total = self._total, total or self._total
        if total and total == before:
            return {}
        if last or not total:
            return last
        return {name: max(number - before.get(name, 0), 0) for name, number in total.items()}


def add(first: Mapping[str, int], second: Mapping[str, int]) -> Tokens:
    """The sum of two counts."""
    return {name: first.get(name, 0) + second.get(name, 0) for name in _COUNTS if name in first or name in second}


def usage_of(tokens: Mapping[str, int]) -> dict[str, Any]:
    """A count as a message has it. Codex counts the tokens from a cache among those of the prompt already."""
    if not tokens:
        return {}
    return chat.usage_of(
        prompt=tokens.get("input_tokens", 0),
        completion=tokens.get("output_tokens", 0),
        cached=tokens.get("cached_input_tokens"),
        reasoning=tokens.get("reasoning_output_tokens"),
        cache_creation=tokens.get("cache_write_input_tokens"),
    )


def _counts(value: Any) -> Tokens:
    found = fields(value)
    return {name: number for name in _COUNTS if (number := count(found.get(name))) is not None}
