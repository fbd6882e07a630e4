"""What a message is: any JSON object, checked at the door and kept as its own text.

A value is accepted when JSON can hold it exactly: decoding its text gives the value back. The encoder alone does not
promise that (it turns NaN into null, bytes into base64, sets into arrays and number keys into text, silently), so every
new value is decoded again and compared; only one that fails is walked, to say what is wrong and where.
"""

import json
import math
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any
from uuid import UUID

import msgspec

from clew import limits
from clew.errors import CorruptStateError, InvalidRequestError
from clew.text import shown

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode

# Joining a few dozen messages at a time keeps the temporaries in memory that the allocator already holds: one join of
# megabytes costs more in page faults than the parsing.
_DECODE_CHUNK = 64
_SHOWN_PATH_CHARS = 200

_SURROGATE_PAIR = re.compile("[\ud800-\udbff][\udc00-\udfff]")
_PAIR_PROBLEM = "holds two surrogates in a row, which JSON reads back as one character"


def encode_messages(messages: Iterable[Any], first_index: int = 0) -> list[bytes]:
    """The JSON text of each message; `first_index` is the place of the first one in the caller's list, for errors.

    Raises InvalidRequestError naming the index and the path of what JSON cannot hold.
    """
    return [encode_message(message, index) for index, message in enumerate(messages, first_index)]


def encode_message(message: Any, index: int) -> bytes:
    """The JSON text of one message."""
    if isinstance(message, dict):
        body = _encode_fast(message)
        if body is not None and len(body) <= limits.MAX_MESSAGE_BYTES and _cannot_be_deep(body):
            return body
        return _encode_exactly(message, f"messages[{index}]", limits.MAX_MESSAGE_BYTES, "MAX_MESSAGE_BYTES")
    raise InvalidRequestError(f"messages[{index}] must be an object, not {_type_name(message)}")


def encode_metadata(metadata: Any, name: str = "metadata") -> bytes | None:
    """The JSON text of a metadata value, None for None; `name` is the argument named in errors."""
    if metadata is None:
        return None
    return _encode_exactly(metadata, name, limits.MAX_METADATA_BYTES, "MAX_METADATA_BYTES")


def message_list(messages: Any) -> list[Any]:
    """The caller's messages as a list; InvalidRequestError where they are no collection or too many."""
    if isinstance(messages, list):
        collected = messages
    elif isinstance(messages, (dict, str, bytes, bytearray)) or not isinstance(messages, Iterable):
        raise InvalidRequestError(f"messages must be a list of objects, not {_type_name(messages)}")
    else:
        collected = list(messages)
    if len(collected) > limits.MAX_MESSAGES_PER_WRITE:
        raise InvalidRequestError(
            f"messages holds {len(collected):,} messages, more than the {limits.MAX_MESSAGES_PER_WRITE:,} "
            "of MAX_MESSAGES_PER_WRITE"
        )
    return collected


def decode_messages(bodies: Sequence[bytes], checkpoint_id: UUID | None = None) -> list[dict[str, Any]]:
    """The messages of stored bodies; CorruptStateError naming the checkpoint where one is not JSON."""
    messages: list[dict[str, Any]] = []
    for start in range(0, len(bodies), _DECODE_CHUNK):
        chunk = bodies[start : start + _DECODE_CHUNK]
        try:
            messages.extend(_decode(join_bodies(chunk)))
        except (msgspec.DecodeError, UnicodeDecodeError):
            messages.extend(decode_value(body, checkpoint_id) for body in chunk)
    return messages


def decode_value(body: bytes, checkpoint_id: UUID | None = None) -> Any:
    """One stored value; CorruptStateError where it is not JSON."""
    try:
        return _decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        pass  # a lone surrogate's escape, which msgspec refuses and the standard library reads
    try:
        return json.loads(body)
    except ValueError as error:
        raise CorruptStateError(f"stored JSON of {_owner(checkpoint_id)} cannot be read", checkpoint_id) from error


def join_bodies(bodies: Sequence[bytes]) -> bytes:
    """Bodies as one JSON array."""
    return b"[" + b",".join(bodies) + b"]"


def _owner(checkpoint_id: UUID | None) -> str:
    return "a value" if checkpoint_id is None else f"checkpoint {checkpoint_id}"


def _encode_exactly(value: Any, where: str, max_bytes: int, limit_name: str) -> bytes:
    """The JSON text of a value; InvalidRequestError at `where` for one that JSON or the limits cannot take."""
    body = _encode_fast(value)
    if body is None or not _cannot_be_deep(body):
        _refuse_what_json_cannot_hold(value, where)
    if body is None:
        body = _encode_slowly(value)
    if len(body) > max_bytes:
        raise InvalidRequestError(
            f"{where} is {len(body):,} bytes of JSON, more than the {max_bytes:,} of {limit_name}"
        )
    return body


def _encode_fast(value: Any) -> bytes | None:
    """The JSON text of `value`, None where that does not say exactly what the value is."""
    try:
        body = _encode(value)
        return body if _decode(body) == value else None
    except (TypeError, ValueError, OverflowError, RecursionError, msgspec.MsgspecError):
        return None


def _cannot_be_deep(body: bytes) -> bool:
    """Whether there are no more brackets than levels allowed, so that nobody needs to count the levels."""
    return body.count(b"[") + body.count(b"{") <= limits.MAX_NESTING


def _encode_slowly(value: Any) -> bytes:
    """Text of what JSON can hold but the fast encoder cannot write: tuples, subclasses of str, lone surrogates."""
    try:
        return json.dumps(value, allow_nan=False, ensure_ascii=False, separators=(",", ":")).encode()
    except UnicodeEncodeError:
        return json.dumps(value, allow_nan=False, separators=(",", ":")).encode()


def _refuse_what_json_cannot_hold(value: Any, where: str) -> None:
    """Walk `value`, depth first and without recursion, and raise InvalidRequestError at the first offence."""
    levels: list[Iterator[tuple[str, Any]]] = [iter([("", value)])]
    steps: list[str] = []
    while levels:
        step, item = next(levels[-1], (None, None))
        if step is None:
            levels.pop()
            if steps:
                steps.pop()
            continue
        problem = _problem(item)
        if problem is not None:
            raise InvalidRequestError(f"{_shown_path(where, [*steps, step])} {problem}")
        if isinstance(item, (dict, list, tuple)):
            if len(levels) > limits.MAX_NESTING:
                raise InvalidRequestError(
                    f"{_shown_path(where, steps)} is nested deeper than the {limits.MAX_NESTING} levels of MAX_NESTING,"
                    " or contains itself"
                )
            levels.append(_children(item))
            steps.append(step)


def _children(item: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(item, dict):
        return ((_key_step(key), _BadKey(key) if _key_problem(key) else value) for key, value in item.items())
    return ((f"[{index}]", element) for index, element in enumerate(item))


def _key_step(key: Any) -> str:
    text = str(key) if isinstance(key, str) else shown(key, 50)
    return f".{text}" if text.isidentifier() else f"[{json.dumps(text)}]"


def _key_problem(key: Any) -> str | None:
    if not isinstance(key, str):
        return f"is not text but {_type_name(key)}"
    return _PAIR_PROBLEM if _SURROGATE_PAIR.search(key) else None


class _BadKey:
    """Stands for the value under a key that JSON cannot hold, so that the walk stops there."""

    def __init__(self, key: Any) -> None:
        self.problem = _key_problem(key)


def _problem(item: Any) -> str | None:
    if isinstance(item, str):
        return _PAIR_PROBLEM if _SURROGATE_PAIR.search(item) else None
    if item is None or isinstance(item, (bool, dict, list, tuple)):
        return None
    if isinstance(item, _BadKey):
        return f"has a key that {item.problem}"
    if isinstance(item, int):
        return None if _has_decimal_text(item) else "is an integer of more digits than Python converts to text"
    if isinstance(item, float):
        return None if math.isfinite(item) else f"is {item}, which JSON cannot hold"
    return f"is of type {_type_name(item)}, which JSON cannot hold"


def _has_decimal_text(number: int) -> bool:
    try:
        int.__repr__(number)
    except ValueError:
        return False
    return True


def _shown_path(where: str, steps: Sequence[str]) -> str:
    path = where + "".join(steps)
    return path if len(path) <= _SHOWN_PATH_CHARS else path[:_SHOWN_PATH_CHARS] + "…"


def _type_name(value: Any) -> str:
    return type(value).__name__
