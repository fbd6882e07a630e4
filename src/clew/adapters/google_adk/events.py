"""Events as messages: what is said and called where every reader of messages looks for it, the rest beside it.

A text is stored once. Where it is part of the message's `content` or `tool_calls`, the event beside it has null in its
place, which an event written by ADK never has.
"""

import base64
import json
from collections.abc import Iterator
from typing import Any, NamedTuple
from uuid import UUID

from google.adk.events.event import Event
from pydantic import TypeAdapter

from clew import CorruptStateError, InvalidRequestError, Message
from clew.adapters.google_adk.state import refuse_silent_loss

EVENT = "google_adk"
"""The key of a message under which the rest of its event is."""

Part = dict[str, Any]

_to_json = TypeAdapter(Any).dump_json

_SHOWN = "file"  # the type of a block that only tells of what is beside it


class _Slot(NamedTuple):
    """Where a part of an event has what a message shows: by its keys in JSON, and by its attributes."""

    outer: str
    inner: str
    attributes: tuple[str, ...]


_TEXT = _Slot("", "text", ("text",))
_RESPONSE = _Slot("functionResponse", "response", ("function_response", "response"))
_IMAGE = _Slot("inlineData", "data", ("inline_data", "data"))
_CODE = _Slot("executableCode", "code", ("executable_code", "code"))
_OUTPUT = _Slot("codeExecutionResult", "output", ("code_execution_result", "output"))
_SLOTS = (_TEXT, _RESPONSE, _IMAGE, _CODE, _OUTPUT)
_CALL = _Slot("functionCall", "args", ("function_call", "args"))


def to_message(event: Event) -> Message:
    """The message of an event, from which `to_event` makes an equal one.

    InvalidRequestError where JSON cannot hold the event.
    """
    if not Event.model_fields.keys() >= type(event).model_fields.keys():
        raise InvalidRequestError(f"an event of type {type(event).__name__} has fields that would not come back")
    dump = _dumped(event)
    parts: list[Part] = (dump.get("content") or {}).get("parts") or []
    message: Message = {"role": _role(event.author, parts)}
    if event.author and message["role"] == "assistant":
        message["name"] = event.author
    calls = [_taken_call(part) for part in parts if "functionCall" in part]
    blocks = [block for part in parts for block in _taken_blocks(part)]
    message |= _content(blocks)
    if calls:
        message["tool_calls"] = calls
    message[EVENT] = dump
    _check(dump)
    return message


def to_event(message: Message, checkpoint_id: UUID | None = None) -> Event:
    """The event of a message; CorruptStateError, naming the checkpoint, where it is none."""
    try:
        raw = message[EVENT]
        event = Event.model_validate_json(_to_json(raw))
        parts = (raw.get("content") or {}).get("parts") or []
        _fill(event, parts, iter(_blocks(message)), iter(message.get("tool_calls", ())))
    except (AttributeError, KeyError, TypeError, ValueError, StopIteration) as error:
        raise CorruptStateError("a stored message is no event of ADK's", checkpoint_id) from error
    return event


def timestamp_of(message: Message, checkpoint_id: UUID | None = None) -> float:
    """The time of a stored event, in seconds since 1970."""
    try:
        return float(message[EVENT]["timestamp"])
    except (KeyError, TypeError, ValueError) as error:
        raise CorruptStateError("a stored message is no event of ADK's", checkpoint_id) from error


def spoken(message: Message) -> str:
    """What a user says in a message; nothing where somebody else speaks."""
    if message["role"] != "user":
        return ""
    content = message.get("content")
    blocks = content if isinstance(content, list) else [{"type": "text", "text": content or ""}]
    return " ".join(block["text"] for block in blocks if block["type"] == "text")


def _dumped(event: Event) -> dict[str, Any]:
    try:
        refuse_silent_loss(event.model_dump(exclude_none=True))
        dump: dict[str, Any] = event.model_dump(mode="json", by_alias=True, exclude_none=True)
    except (ValueError, RecursionError) as error:
        raise InvalidRequestError(f"the event cannot be stored: {error}") from error
    return dump


def _check(dump: dict[str, Any]) -> None:
    """What is beside the content has to be text that the parser of events takes, which clew's own would not need."""
    try:
        json.dumps(dump, ensure_ascii=False, allow_nan=False).encode()
    except ValueError as error:
        raise InvalidRequestError(f"the event cannot be stored: {error}") from error


def _role(author: str, parts: list[Part]) -> str:
    if any("functionResponse" in part for part in parts):
        return "tool"
    return "user" if author == "user" else "assistant"


def _taken_call(part: Part) -> dict[str, Any]:
    given = part["functionCall"]
    call: dict[str, Any] = {"id": given["id"]} if "id" in given else {}
    function: dict[str, Any] = {"name": given.get("name", "")}
    if "args" in given:
        function["arguments"] = _json(given["args"])
        given["args"] = None
    return {**call, "type": "function", "function": function}


def _taken_blocks(part: Part) -> Iterator[dict[str, Any]]:
    """The blocks that show a part, which lose to them what they show."""
    for slot in _SLOTS:
        holder = part if slot.outer == "" else part.get(slot.outer)
        if holder is None or slot.inner not in holder:
            continue
        if slot is _IMAGE and not holder.get("mimeType", "").startswith("image/"):
            yield {"type": _SHOWN, "text": f"[{holder.get('mimeType', 'data')}]"}
            continue
        yield _block(slot, part, holder[slot.inner])
        holder[slot.inner] = None
    if "fileData" in part:
        yield {"type": _SHOWN, "text": f"[{part['fileData'].get('fileUri', 'file')}]"}


def _block(slot: _Slot, part: Part, value: Any) -> dict[str, Any]:
    if slot is _RESPONSE:
        response = part["functionResponse"]
        return {"type": "tool_result", "tool_use_id": response.get("id"), "content": _json(value)}
    if slot is _IMAGE:
        plain = base64.b64encode(base64.urlsafe_b64decode(value)).decode()
        return {"type": "image_url", "image_url": {"url": f"data:{part['inlineData']['mimeType']};base64,{plain}"}}
    if slot is _TEXT and part.get("thought"):
        return {"type": "thinking", "thinking": value}
    return {"type": "text", "text": value}


def _content(blocks: list[dict[str, Any]]) -> dict[str, Any]:
    """The content of a message: a text alone as text, as most readers want it."""
    if not blocks:
        return {"content": None}
    only = blocks[0]
    if len(blocks) > 1 or only["type"] not in ("text", "tool_result"):
        return {"content": blocks}
    if only["type"] == "text":
        return {"content": only["text"]}
    answered = {} if only["tool_use_id"] is None else {"tool_call_id": only["tool_use_id"]}
    return {**answered, "content": only["content"]}


def _blocks(message: Message) -> list[str]:
    """What the blocks of a message show, in order; without those that only tell of something."""
    content = message.get("content")
    if isinstance(content, str):
        return [content]
    shown = {"text": "text", "thinking": "thinking", "tool_result": "content", "image_url": "image_url"}
    blocks = [block[shown[block["type"]]] for block in content or () if block["type"] != _SHOWN]
    return [block["url"] if isinstance(block, dict) else block for block in blocks]


def _fill(event: Event, parts: list[Part], blocks: Iterator[str], calls: Iterator[dict[str, Any]]) -> None:
    """Put what the message shows where it was taken from."""
    filled: Any = (event.content and event.content.parts) or []
    for raw, part in zip(parts, filled, strict=True):
        for slot in _SLOTS:
            holder = raw if slot.outer == "" else raw.get(slot.outer)
            if holder is not None and slot.inner in holder and holder[slot.inner] is None:
                _set(part, slot, _value(slot, next(blocks)))
        if "functionCall" in raw:
            call = next(calls)
            if "args" in raw["functionCall"]:
                _set(part, _CALL, json.loads(call["function"]["arguments"]))
    if next(blocks, None) is not None or next(calls, None) is not None:
        raise ValueError("the message shows more than the event had")


def _set(part: Any, slot: _Slot, value: Any) -> None:
    for attribute in slot.attributes[:-1]:
        part = getattr(part, attribute)
    setattr(part, slot.attributes[-1], value)


def _value(slot: _Slot, shown: str) -> Any:
    if not isinstance(shown, str):
        raise TypeError("a block of a message is no text")
    if slot is _RESPONSE:
        return json.loads(shown)
    return base64.b64decode(shown.partition(",")[2], validate=True) if slot is _IMAGE else shown


def _json(value: Any) -> str:
    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False)
    except ValueError as error:
        raise InvalidRequestError(f"the event cannot be stored: {error}") from error
