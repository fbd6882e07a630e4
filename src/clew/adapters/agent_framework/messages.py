"""A message of the framework as it is stored: in the form of a chat, with what restores it exactly.

Its text is the `content`, or its contents are parts of it; what else the framework says of a message stands beside
that. Nothing is in a message twice.
"""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from agent_framework import Content, Message

from clew import CorruptStateError, InvalidRequestError
from clew import Message as Stored

_CALL = {"call_id": "id", "arguments": "input", "id": "content_id"}
"""A call has two ids: the model's, which its result names too, and the framework's own of its place."""

_RESULT = {"call_id": "tool_use_id", "result": "content"}
_THOUGHT = {"text": "thinking"}

_PLAIN = {str, int, float, bool, type(None)}
_NOT_KEPT = {"raw_representation", "exception"}
"""What the framework itself leaves out of a history: what a client got from a service, and why a tool failed."""


def encode(messages: Iterable[Message]) -> list[Stored]:
    """The messages as they are stored. InvalidRequestError for one that would come back as something else."""
    return [_encode(message, index) for index, message in enumerate(messages)]


def decode(messages: Iterable[Stored], checkpoint: UUID) -> list[Message]:
    """The messages of a checkpoint. CorruptStateError where one cannot be read."""
    return [_decode(message, checkpoint) for message in messages]


def _encode(message: Message, index: int) -> Stored:
    if type(message) is not Message:
        raise InvalidRequestError(f"messages[{index}] must be a Message, not {type(message).__name__}")
    try:
        stored = _stored(message.to_dict())
        restored = _restored(stored)
    except Exception as error:  # whatever a value does that is asked for its JSON
        raise InvalidRequestError(f"messages[{index}] cannot be stored: {error}") from error
    changed = _difference(message, restored, "")
    if changed is not None:
        raise InvalidRequestError(f"messages[{index}]{changed} holds what would not come back as it is from JSON")
    return stored


def _decode(message: Stored, checkpoint: UUID) -> Message:
    try:
        return _restored(message)
    except Exception as error:  # a stored value of any kind in any place
        raise CorruptStateError(
            f"a message of checkpoint {checkpoint} is none of the Agent Framework", checkpoint
        ) from error


def _stored(fields: dict[str, Any]) -> Stored:
    contents = [_without_empty(content) for content in fields["contents"]]
    more = {key: value for key, value in fields.items() if key not in ("type", "role", "contents")}
    return {"role": fields["role"], "content": _content(contents), **_without_empty(more)}


def _restored(stored: Stored) -> Message:
    more = {key: value for key, value in stored.items() if key not in ("role", "content")}
    content = stored["content"]
    parts = [{"type": "text", "text": content}] if isinstance(content, str) else content or []
    contents = [Content.from_dict(_content_fields(part)) for part in parts]
    if not isinstance(stored["role"], str):
        raise TypeError("role")
    return Message(stored["role"], contents, **more)


def _content(contents: list[dict[str, Any]]) -> Any:
    if len(contents) == 1 and contents[0].keys() == {"type", "text"} and contents[0]["type"] == "text":
        return contents[0]["text"]
    return [_part(content) for content in contents] or None


def _part(content: dict[str, Any]) -> dict[str, Any]:
    """A content as a part of a message: calls of tools, their results, thoughts and pictures as others spell them."""
    kind = content["type"]
    rest = {key: value for key, value in content.items() if key != "type"}
    if kind == "function_call":
        if rest.get("hosted") is False:
            del rest["hosted"]
        return {"type": "tool_use", **_renamed(rest, _CALL)}
    if kind == "function_result":
        # The framework says a result twice: as a text, and as a list with that text.
        if "items" not in rest:
            rest["items"] = None
        elif [_without_empty(item) for item in rest["items"]] == _items(rest.get("result")):
            del rest["items"]
        return {"type": "tool_result", **_renamed(rest, _RESULT)}
    if kind == "text_reasoning" and "text" in rest:
        return {"type": "thinking", **_renamed(rest, _THOUGHT)}
    if kind in ("uri", "data") and str(rest.get("media_type")).startswith("image/"):
        return {"type": "image_url", "image_url": {"url": rest.pop("uri")}, "content_type": kind, **rest}
    return {"type": kind, **rest}


def _content_fields(part: dict[str, Any]) -> dict[str, Any]:
    kind = part["type"]
    rest = {key: value for key, value in part.items() if key != "type"}
    if kind == "tool_use":
        return {"type": "function_call", "hosted": False, **_renamed(rest, _back(_CALL))}
    if kind == "tool_result":
        fields = {"type": "function_result", **_renamed(rest, _back(_RESULT))}
        return {"items": _items(fields.get("result")), **fields}
    if kind == "thinking":
        return {"type": "text_reasoning", **_renamed(rest, _back(_THOUGHT))}
    if kind == "image_url":
        return {"type": rest.pop("content_type"), "uri": rest.pop("image_url")["url"], **rest}
    return {"type": kind, **rest}


def _items(result: Any) -> list[dict[str, Any]] | None:
    return [{"type": "text", "text": result}] if isinstance(result, str) else None


def _without_empty(fields: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in fields.items() if key != "additional_properties" or value != {}}


def _renamed(fields: dict[str, Any], names: dict[str, str]) -> dict[str, Any]:
    return {names.get(key, key): value for key, value in fields.items()}


def _back(names: dict[str, str]) -> dict[str, str]:
    return {new: old for old, new in names.items()}


def _difference(given: Any, restored: Any, path: str) -> str | None:
    """Where two values differ, or where one is nothing that JSON holds; None where neither is so."""
    if type(given) is not type(restored):
        return path
    if isinstance(given, Message | Content):
        return _in_dicts(_kept(given), _kept(restored), path, "{}.{}")
    if type(given) is dict:
        return _in_dicts(given, restored, path, "{}[{!r}]")
    if type(given) is list:
        if len(given) != len(restored):
            return path
        return _first(_difference(given[i], restored[i], f"{path}[{i}]") for i in range(len(given)))
    return None if type(given) in _PLAIN and given == restored else path


def _kept(value: Message | Content) -> dict[str, Any]:
    return {key: field for key, field in vars(value).items() if key not in _NOT_KEPT}


def _in_dicts(given: dict[Any, Any], restored: dict[Any, Any], path: str, step: str) -> str | None:
    if given.keys() != restored.keys() or any(type(key) is not str for key in given):
        return path
    return _first(_difference(given[key], restored[key], step.format(path, key)) for key in given)


def _first(found: Iterable[str | None]) -> str | None:
    return next((path for path in found if path is not None), None)
