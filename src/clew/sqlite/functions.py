"""Functions that the queries call."""

from functools import lru_cache
from typing import Any

import apsw

from clew.errors import CorruptStateError
from clew.hashing import content_hash, row_seal
from clew.messages import decode_value


def register_functions(connection: apsw.Connection) -> None:
    """Make clew's functions known to a connection."""
    connection.create_scalar_function("clew_contains", lambda *values: contains(*values), 3, deterministic=True)
    connection.create_scalar_function("clew_seal", lambda *values: row_seal(values), -1, deterministic=True)


def contains(stored: bytes | None, digest: bytes | None, wanted: str) -> int:
    """Whether the JSON object `stored` has every top-level key of the JSON object `wanted`, with an equal value.

    What is damaged cannot be ruled out, and must not drop out of sight.
    """
    if stored is None:
        return int(not _wanted(wanted))
    if content_hash(stored) != digest:
        return 1
    try:
        value = decode_value(stored)
    except CorruptStateError:
        return 1
    return int(
        isinstance(value, dict)
        and all(key in value and json_equal(value[key], expected) for key, expected in _wanted(wanted).items())
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
