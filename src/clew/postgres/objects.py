"""Metadata as ``jsonb``, for filters: equal there exactly where it is equal as JSON.

What is kept of metadata is its own text; this is a second form, which is compared and never given back. Text that
``jsonb`` refuses (NUL, halves of surrogate pairs) is spelled with an escape, and a float that is whole becomes a whole
number with all its digits, as Python compares them.
"""

import re
from typing import Any

import msgspec

from clew.messages import decode_value

_REFUSED = re.compile("[\0\1\ud800-\udfff]")


def searchable(text: str | bytes) -> bytes:
    """The JSON `text` of an object as JSON text that ``jsonb`` takes."""
    return msgspec.json.encode(_plain(decode_value(text.encode() if isinstance(text, str) else text)))


def searchable_or_none(body: bytes) -> str | None:
    """The same for the metadata of a state, of which only objects are searched."""
    return searchable(body).decode() if body.lstrip()[:1] == b"{" else None


def _plain(value: Any) -> Any:
    if isinstance(value, str):
        return _REFUSED.sub(lambda match: f"\1{ord(match[0]):04x}", value)
    if isinstance(value, dict):
        return {_plain(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value
