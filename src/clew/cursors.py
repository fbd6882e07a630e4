"""Where the next page of a list begins, as text that callers pass back unread."""

import base64
import binascii
from typing import Any

import msgspec

from clew.backend import bad_cursor


def encode_cursor(kind: str, *position: int | bytes) -> str:
    """A cursor for the list called `kind`."""
    return base64.urlsafe_b64encode(msgspec.msgpack.encode((kind, *position))).decode("ascii").rstrip("=")


def decode_cursor(kind: str, cursor: str, types: tuple[type, ...]) -> tuple[Any, ...]:
    """The position in a cursor; InvalidRequestError where `encode_cursor` did not make it for this list."""
    try:
        packed = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        found, *position = msgspec.msgpack.decode(packed, type=list[Any])
    except (ValueError, TypeError, binascii.Error, RecursionError, msgspec.MsgspecError):
        raise bad_cursor() from None
    if found != kind or tuple(map(type, position)) != types or not all(map(_fits, position)):
        raise bad_cursor()
    return tuple(position)


def _fits(part: int | bytes) -> bool:
    """Whether a database takes it: whole numbers have 64 bits there, with the sign."""
    return isinstance(part, bytes) or -(1 << 63) <= part < 1 << 63
