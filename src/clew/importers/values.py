"""Values of a source as they should be, None where they are not: files of other programs may hold anything."""

import math
from datetime import UTC, datetime
from typing import Any

_MILLISECONDS_FROM = 1e11  # as seconds that is the year 5138, as milliseconds 1973
_MICROSECONDS_FROM = 1e14


def text(value: Any) -> str | None:
    """Text that is not empty."""
    return value if isinstance(value, str) and value else None


def storable(value: Any) -> str | None:
    """Text that a store takes as a name or path: no NUL, no lone surrogate."""
    if not isinstance(value, str) or not value or "\0" in value:
        return None
    return value if value.isascii() or not any("\ud800" <= char <= "\udfff" for char in value) else None


def fields(value: Any) -> dict[str, Any]:
    """An object; an empty one where it is none."""
    return value if isinstance(value, dict) else {}


def objects(value: Any) -> list[dict[str, Any]]:
    """The objects of a list; none where it is no list."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def count(value: Any) -> int | None:
    """A whole number from 0 on."""
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def number(value: Any) -> float | None:
    """A finite number."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    try:
        return float(value) if math.isfinite(value) else None
    except OverflowError:  # JSON's whole numbers may be of any length
        return None


def moment(value: Any) -> datetime | None:
    """A time: ISO 8601 text (in UTC where it names no zone), or seconds, milliseconds or microseconds since 1970."""
    try:
        if isinstance(value, str):
            read = datetime.fromisoformat(value)
            return (read if read.tzinfo is not None else read.replace(tzinfo=UTC)).astimezone(UTC)
        seconds = number(value)
        if seconds is None or seconds <= 0:
            return None
        scale = 1e6 if seconds >= _MICROSECONDS_FROM else 1e3 if seconds >= _MILLISECONDS_FROM else 1
        return datetime.fromtimestamp(seconds / scale, UTC)
    except (ValueError, OverflowError, OSError):
        return None
