"""Ids: UUIDs of version 7 where clew makes them, so that new rows lie side by side in the index."""

import os
import re
import time
from typing import Any
from uuid import UUID

from clew.errors import InvalidRequestError
from clew.text import shown

_SPELLING = re.compile(r"(urn:)?(uuid:)?\{?[0-9a-fA-F-]+\}?", re.ASCII)


def new_id() -> UUID:
    """A UUID of version 7 (RFC 9562, section 5.7): 48 bits of milliseconds, 12 of their fraction, 62 random ones."""
    nanoseconds = time.time_ns()
    milliseconds, rest = divmod(nanoseconds, 1_000_000)
    fraction = (rest << 12) // 1_000_000
    random_bits = int.from_bytes(os.urandom(8), "big") & (1 << 62) - 1
    return UUID(int=(milliseconds & (1 << 48) - 1) << 80 | 7 << 76 | fraction << 64 | 2 << 62 | random_bits)


def to_id(value: Any, name: str) -> UUID:
    """An id given as a UUID or as its text; InvalidRequestError naming the argument for anything else."""
    if isinstance(value, UUID):
        return value
    if isinstance(value, str):
        try:
            return _parse(value)
        except ValueError:
            raise InvalidRequestError(f"{name} {shown(value)} is not a UUID") from None
    raise InvalidRequestError(f"{name} must be a UUID or its text, not {type(value).__name__}")


def _parse(text: str) -> UUID:
    parsed = UUID(text)
    # It reads the digits as a Python number, with underscores, signs and spaces in between.
    if not _SPELLING.fullmatch(text):
        raise ValueError(text)
    return parsed


def to_optional_id(value: Any, name: str) -> UUID | None:
    """The same, None for None."""
    return None if value is None else to_id(value, name)
