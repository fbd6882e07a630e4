"""A message of LlamaIndex as it is stored: in the form of a chat, with what restores it exactly.

Its text is the `content`, or its blocks are parts of it; what the framework keeps as additional arguments stands beside
them, `tool_calls` and `tool_call_id` among it. Nothing is in a message twice.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any
from uuid import UUID

from llama_index.core.base.llms.types import ChatMessage
from pydantic import BaseModel

from clew import CorruptStateError, InvalidRequestError, Message

_OWN = ("role", "content", "additional_kwargs")
_SHOWN = ("name", "refusal", "tool_call_id", "tool_calls")
"""Additional arguments that have a place in the form of a chat."""

_TOOL_CALL = {"tool_call_id": "id", "tool_name": "name", "tool_kwargs": "input"}
_WITH_FILES = ("image", "audio", "video")
_THINKING = {"content": "thinking"}


def encode(messages: Iterable[ChatMessage]) -> list[Message]:
    """The messages as they are stored. InvalidRequestError for one that would come back as something else."""
    return [_encode(message, index) for index, message in enumerate(messages)]


def decode(messages: Iterable[Message], checkpoint: UUID) -> list[ChatMessage]:
    """The messages of a checkpoint. CorruptStateError where one cannot be read."""
    return [_decode(message, checkpoint) for message in messages]


def _encode(message: ChatMessage, index: int) -> Message:
    if type(message) is not ChatMessage:
        raise InvalidRequestError(f"messages[{index}] must be a ChatMessage, not {type(message).__name__}")
    try:
        stored = _stored(message.model_dump(mode="json"))
        restored = _restored(stored)
    except Exception as error:  # whatever a value does that is asked for its JSON
        raise InvalidRequestError(f"messages[{index}] cannot be stored: {error}") from error
    changed = _difference(message, restored, "")
    if changed is not None:
        raise InvalidRequestError(f"messages[{index}]{changed} holds what would not come back as it is from JSON")
    return stored


def _decode(message: Message, checkpoint: UUID) -> ChatMessage:
    try:
        return _restored(message)
    except Exception as error:  # a stored value of any kind in any place
        raise CorruptStateError(f"a message of checkpoint {checkpoint} is none of LlamaIndex", checkpoint) from error


def _stored(fields: dict[str, Any]) -> Message:
    kwargs = fields["additional_kwargs"]
    shown = {key: kwargs[key] for key in _SHOWN if key in kwargs}
    kept = {key: value for key, value in kwargs.items() if key not in shown}
    stored = {"role": fields["role"], "content": _content(fields["blocks"]), **shown}
    return {**stored, "additional_kwargs": kept} if kept else stored


def _restored(stored: Message) -> ChatMessage:
    shown = {key: value for key, value in stored.items() if key not in _OWN}
    kwargs = {**stored.get("additional_kwargs", {}), **shown}
    blocks = _blocks(stored["content"])
    # A block is refused whose file is gone, and a message that names one is no worse for it.
    paths = [block.pop("path", None) if block["block_type"] in _WITH_FILES else None for block in blocks]
    message = ChatMessage.model_validate({"role": stored["role"], "blocks": blocks, "additional_kwargs": kwargs})
    for block, path in zip(message.blocks, paths, strict=True):
        if path is not None:
            block.path = Path(path)
    return message


def _content(blocks: list[dict[str, Any]]) -> Any:
    if not blocks:
        return None
    if len(blocks) == 1 and blocks[0].keys() == {"block_type", "text"}:
        return blocks[0]["text"]
    return [_part(block) for block in blocks]


def _blocks(content: Any) -> list[dict[str, Any]]:
    if content is None:
        return []
    return [{"block_type": "text", "text": content}] if isinstance(content, str) else [_block(part) for part in content]


def _part(block: dict[str, Any]) -> dict[str, Any]:
    """A block as a part of a message: a call of a tool, a thought and a picture as others spell them."""
    kind = block["block_type"]
    rest = {key: value for key, value in block.items() if key != "block_type" and value is not None}
    if kind == "tool_call":
        return {"type": "tool_use", **_renamed(rest, _TOOL_CALL)}
    if kind == "thinking":
        return {"type": "thinking", **_renamed(rest, _THINKING)}
    if kind == "image" and "image" in rest and "image_mimetype" in rest:
        url = f"data:{rest.pop('image_mimetype')};base64,{rest.pop('image')}"
        return {"type": "image_url", "image_url": {"url": url}, **rest}
    return {"type": kind, **rest}


def _block(part: dict[str, Any]) -> dict[str, Any]:
    kind = part["type"]
    rest = {key: value for key, value in part.items() if key != "type"}
    if kind == "tool_use":
        return {"block_type": "tool_call", **_renamed(rest, _back(_TOOL_CALL))}
    if kind == "thinking":
        return {"block_type": "thinking", **_renamed(rest, _back(_THINKING))}
    if kind == "image_url":
        kept, _, image = rest.pop("image_url")["url"].partition(";base64,")
        return {"block_type": "image", "image": image, "image_mimetype": kept.removeprefix("data:"), **rest}
    return {"block_type": kind, **rest}


def _renamed(fields: dict[str, Any], names: dict[str, str]) -> dict[str, Any]:
    return {names.get(key, key): value for key, value in fields.items()}


def _back(names: dict[str, str]) -> dict[str, str]:
    return {new: old for old, new in names.items()}


def _difference(given: Any, restored: Any, path: str) -> str | None:
    """Where two values differ, in type or value; None where they do not."""
    if isinstance(given, BaseModel):
        # The framework itself makes a dict of a model among the additional arguments: models of OpenAI's client are.
        other = dict(restored) if isinstance(restored, type(given)) else restored
        return _in_dicts(dict(given), other, path, "{}.{}")
    if type(given) is not type(restored):
        return path
    if isinstance(given, dict):
        return _in_dicts(given, restored, path, "{}[{!r}]")
    if isinstance(given, list):
        if len(given) != len(restored):
            return path
        return _first(_difference(given[i], restored[i], f"{path}[{i}]") for i in range(len(given)))
    return None if given == restored else path


def _in_dicts(given: dict[Any, Any], restored: Any, path: str, step: str) -> str | None:
    if not isinstance(restored, dict) or given.keys() != restored.keys():
        return path
    return _first(_difference(given[key], restored[key], step.format(path, key)) for key in given)


def _first(found: Iterable[str | None]) -> str | None:
    return next((path for path in found if path is not None), None)
