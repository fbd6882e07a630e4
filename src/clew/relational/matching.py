"""Whether metadata is what a filter asks for, where no engine can say so by itself."""

from functools import lru_cache
from typing import Any

from clew.errors import CorruptStateError
from clew.hashing import content_hash
from clew.messages import decode_value


def contains(stored: bytes | None, digest: bytes | None, wanted: str) -> bool:
    """Whether the JSON object `stored` has every top-level key of the JSON object `wanted`, with an equal value.

    What is damaged cannot be ruled out, and must not drop out of sight.
    """
    if stored is None:
        return not _wanted(wanted)
    if content_hash(stored) != digest:
        return True
    try:
        value = decode_value(stored)
    except CorruptStateError:
        return True
    return isinstance(value, dict) and all(
        key in value and json_equal(value[key], expected) for key, expected in _wanted(wanted).items()
    )


def json_equal(a: Any, b: Any) -> bool:
    """Equality as JSON has it: 1 equals 1.0, but neither equals true."""
    if isinstance(a, bool) or isinstance(b, bool):
        return a is b
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(json_equal(a[key], b[key]) for key in a)
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(json_equal, a, b))
    return bool(a == b)


@lru_cache(maxsize=64)
def _wanted(text: str) -> dict[str, Any]:
    wanted: dict[str, Any] = decode_value(text.encode())
    return wanted
