"""Bodies of requests and answers: JSON, or MessagePack where both sides want that.

What users stored as JSON (messages, metadata) is JSON text in both: a value of its own in JSON, and bytes in
MessagePack, so that it crosses the wire as it is kept, without being decoded. Other bytes are base64 in JSON.
"""

import json
from collections.abc import Sequence
from typing import Any, TypeVar

import msgspec

from clew.errors import CorruptStateError, InvalidRequestError
from clew.messages import decode_value, encode_message, encode_metadata

JSON = "application/json"
MSGPACK = "application/msgpack"

T = TypeVar("T")

_NO_JSON = b"\0"
"""A byte that stands in no JSON text, for what is put in later."""

_PLACE = msgspec.Raw(b"[" + _NO_JSON + b"]")


class Json:
    """A JSON value that a user stored, or wants to store: as the text, or decoded."""

    __slots__ = ("_text", "_value")

    def __init__(self, *, text: bytes | None = None, value: Any = None) -> None:
        self._text = text
        self._value = value

    @property
    def text(self) -> bytes:
        """Its JSON text, as the other side sent it."""
        if self._text is None:
            self._text = encode_metadata(self._value, "value") or b"null"
        return self._text

    @property
    def value(self) -> Any:
        """The value; InvalidRequestError where the text is not JSON."""
        if self._text is None:
            return self._value
        try:
            return decode_value(self._text)
        except (CorruptStateError, RecursionError):
            raise InvalidRequestError("a value is not JSON") from None


class Bodies:
    """Stored messages as their JSON texts, in order."""

    __slots__ = ("texts",)

    def __init__(self, texts: Sequence[bytes]) -> None:
        self.texts = texts


def encode(value: Any, media_type: str) -> bytes:
    """A body that says `value`."""
    if media_type == MSGPACK:
        return msgspec.msgpack.encode(value, enc_hook=_to_msgpack)
    return _encode_json(value)


def decode(body: bytes, kind: type[T], media_type: str) -> T:
    """What a body says; msgspec.DecodeError (or a subclass of it) where that is no `kind`."""
    try:
        if media_type == MSGPACK:
            return msgspec.msgpack.decode(body, type=kind, dec_hook=_from_wire)
        if b"\\ud" in body or b"\\uD" in body:  # half a character, which the standard library alone reads
            return msgspec.convert(json.loads(body), kind, dec_hook=_from_wire)
        return msgspec.json.decode(body, type=kind, dec_hook=_from_wire)
    except (ValueError, RecursionError) as error:
        if isinstance(error, msgspec.DecodeError):
            raise
        raise msgspec.DecodeError(str(error)) from None


def json_bodies(values: Sequence[Json]) -> list[bytes]:
    """The text of each message to store, checked as every message is."""
    return [encode_message(item.value, index) for index, item in enumerate(values)]


def json_metadata(value: Json | None, name: str = "metadata") -> bytes | None:
    """The text of metadata to store, checked as all metadata is."""
    return None if value is None else encode_metadata(value.value, name)


def _encode_json(value: Any) -> bytes:
    """JSON in which all messages are put together at once: a long conversation is copied once, not three times."""
    found: list[Bodies] = []

    def to_json(part: Any) -> Any:
        if isinstance(part, Json):
            return msgspec.Raw(part.text)
        if isinstance(part, Bodies):
            found.append(part)
            return _PLACE
        raise NotImplementedError(type(part).__name__)

    text = msgspec.json.encode(value, enc_hook=to_json)
    if not found:
        return text
    before, *after = text.split(_NO_JSON)
    pieces = [before]
    for bodies, rest in zip(found, after, strict=True):
        for body in bodies.texts:
            pieces += (body, b",")
        if bodies.texts:
            pieces.pop()
        pieces.append(rest)
    return b"".join(pieces)


def _to_msgpack(value: Any) -> Any:
    if isinstance(value, Json):
        return value.text
    if isinstance(value, Bodies):
        return list(value.texts)
    raise NotImplementedError(type(value).__name__)


def _from_wire(kind: type, value: Any) -> Any:
    if kind is Json:
        return _json_from_wire(value)
    if kind is Bodies and isinstance(value, list):
        return Bodies([item if isinstance(item, bytes) else _json_from_wire(item).text for item in value])
    raise NotImplementedError(kind.__name__)


def _json_from_wire(value: Any) -> Json:
    """Bytes are of MessagePack; JSON has none."""
    return Json(text=value) if isinstance(value, bytes) else Json(value=value)
