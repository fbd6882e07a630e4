"""A message of Pydantic AI as one stored message: readable as a chat, and exact.

What people read (texts, pictures, tool calls and their results) is moved into `role`, `content`, `tool_calls` and
`tool_call_id`, and what is left of the message stays under `pydantic_ai`: its parts in order, each without what was
moved, so that no text is stored twice. Whatever has its framework's default (None, no tokens) is left out.
"""

import json
from collections.abc import Iterator, Sequence
from typing import Any
from uuid import UUID

import pydantic
from pydantic_ai.messages import ModelMessage

from clew import CorruptStateError, InvalidRequestError, Message

_KEY = "pydantic_ai"

# The framework's own adapter writes NaN as null. This one leaves it, and it is kept or refused.
_ADAPTER: pydantic.TypeAdapter[list[ModelMessage]] = pydantic.TypeAdapter(
    list[ModelMessage],
    config=pydantic.ConfigDict(
        defer_build=True, ser_json_bytes="base64", val_json_bytes="base64", ser_json_inf_nan="constants"
    ),
)

_TEXTS = frozenset({"system-prompt", "user-prompt", "retry-feedback", "text", "thinking"})
_RESULTS = frozenset({"tool-return", "builtin-tool-return", "retry-prompt"})
_CALLS = frozenset({"tool-call", "builtin-tool-call"})
_DEFAULTS = {"state": "complete", "outcome": "success"}
_TITLE_CHARS = 100
_URL_SAFE = str.maketrans("-_", "+/")
_STANDARD = str.maketrans("+/", "-_")


def to_stored(messages: Sequence[ModelMessage], first: int = 0) -> list[Message]:
    """The stored form of messages.

    A message that would not come back as the framework's own JSON of it is InvalidRequestError; `first` is the place of
    the first one in the history, for the error.
    """
    try:
        dumped = _ADAPTER.dump_python(list(messages), mode="json", warnings=False)
    except Exception as error:  # whatever a value of the user's own class raises when it is written as JSON
        raise InvalidRequestError(f"messages from {first} on cannot be written as JSON: {error}") from error
    stored = [_stored(message) for message in dumped]
    try:
        copies = _ADAPTER.validate_python([_restored(message) for message in stored])
    except pydantic.ValidationError as error:
        raise InvalidRequestError(f"messages from {first} on could not be read back: {error}") from error
    for index, (given, copy) in enumerate(zip(messages, copies, strict=True)):
        if copy == given:
            continue
        # A value that JSON has no type for, such as a tuple: what counts is what the framework reads in its own JSON.
        if _text(copy) != _text(_ADAPTER.validate_python([dumped[index]])[0]):
            raise InvalidRequestError(f"messages[{first + index}] would not be read back as it is")
    return stored


def from_stored(messages: Sequence[Message], checkpoint_id: UUID) -> list[ModelMessage]:
    """The messages of a checkpoint; CorruptStateError where one of them is none of Pydantic AI."""
    try:
        return _ADAPTER.validate_python([_restored(message) for message in messages])
    except (pydantic.ValidationError, LookupError, TypeError, ValueError, AttributeError, StopIteration) as error:
        raise CorruptStateError(
            f"checkpoint {checkpoint_id} holds a message that is none of Pydantic AI: {error}", checkpoint_id
        ) from error


def first_prompt(messages: Sequence[ModelMessage]) -> str:
    """The beginning of what the user asked first, in one line that any store takes; empty where there is none."""
    for message in messages:
        for part in message.parts:
            if part.part_kind == "user-prompt":
                items = [part.content] if isinstance(part.content, str) else part.content
                text = next((item for item in items if isinstance(item, str)), "")
                return " ".join(text.replace("\0", " ").split())[:_TITLE_CHARS].encode(errors="replace").decode()
    return ""


def _stored(message: dict[str, Any]) -> Message:
    rest = {
        key: value for key, value in message.items() if key not in ("kind", "parts") and not _is_default(key, value)
    }
    if "usage" in rest:
        rest["usage"] = {key: value for key, value in rest["usage"].items() if value}
        if not rest["usage"]:
            del rest["usage"]
    blocks: list[Any] = []
    calls: list[Any] = []
    rest["parts"] = [_taken_apart(part, blocks, calls) for part in message["parts"]]
    stored: Message = {"role": _role(message), "content": blocks}
    if stored["role"] == "tool":
        stored["tool_call_id"], stored["content"] = blocks[0]["tool_use_id"], blocks[0]["content"]
    elif len(blocks) == 1 and blocks[0].keys() == {"type", "text"} and blocks[0]["type"] == "text":
        stored["content"] = blocks[0]["text"]
    elif not blocks:
        stored["content"] = None
    if calls:
        stored["tool_calls"] = calls
    return {**stored, _KEY: rest}


def _role(message: dict[str, Any]) -> str:
    if message["kind"] == "response":
        return "assistant"
    kinds = {part["part_kind"] for part in message["parts"]}
    if len(message["parts"]) == 1 and kinds <= _RESULTS:
        return "tool"
    return "system" if kinds == {"system-prompt"} else "user"


def _is_default(key: str, value: Any) -> bool:
    return key != "content" if value is None else _DEFAULTS.get(key) == value


def _taken_apart(part: dict[str, Any], blocks: list[Any], calls: list[Any]) -> dict[str, Any]:
    """What is left of a part when what is shown of it has gone to `blocks` or `calls`."""
    kind = part["part_kind"]
    rest = {key: value for key, value in part.items() if not _is_default(key, value)}
    if kind in _CALLS:
        arguments = rest.pop("args", None)
        if not isinstance(arguments, str):
            rest["args_in"] = "json"
            arguments = _json(arguments)
        function = {"name": rest.pop("tool_name"), "arguments": arguments}
        calls.append({"id": rest.pop("tool_call_id"), "type": "function", "function": function})
    elif kind in _RESULTS:
        content = rest.pop("content")
        if not isinstance(content, str):
            rest["content_in"] = "json"
            content = _json(content)
        blocks.append({"type": "tool_result", "tool_use_id": rest.pop("tool_call_id"), "content": content})
    elif kind in _TEXTS:
        content = rest.pop("content")
        if kind == "user-prompt" and not isinstance(content, str):
            rest["items"] = len(content)
            blocks.extend(_item_block(item) for item in content)
        elif isinstance(content, str):
            blocks.append({"type": "thinking", "thinking": content} if kind == "thinking" else _text_block(content))
        else:
            rest["content_in"] = "json"
            blocks.append(_text_block(_json(content)))
    elif kind == "file":
        blocks.append(_item_block(rest.pop("content")))
    return rest


def _text_block(text: str) -> dict[str, Any]:
    return {"type": "text", "text": text}


def _item_block(item: Any) -> dict[str, Any]:
    """One item of a prompt, or a file that a model made."""
    if isinstance(item, str):
        return _text_block(item)
    kind, rest = item["kind"], dict(item)
    if kind == "text-content":
        return {**_text_block(rest.pop("content")), "item": rest}
    if kind == "image-url":
        return {"type": "image_url", "image_url": {"url": rest.pop("url")}, "item": rest}
    if kind == "binary" and item["media_type"].startswith("image/"):
        data = rest.pop("data").translate(_URL_SAFE)
        return {"type": "image_url", "image_url": {"url": f"data:{item['media_type']};base64,{data}"}, "item": rest}
    return {"type": kind, "item": rest}


def _restored(message: Message) -> dict[str, Any]:
    """The framework's JSON of a stored message, without what has its default."""
    if _KEY not in message:
        return _plain(message)
    rest = dict(message[_KEY])
    content = message["content"]
    if message["role"] == "tool":
        content = [{"tool_use_id": message["tool_call_id"], "content": content}]
    blocks = iter([_text_block(content)] if isinstance(content, str) else content or ())
    calls = iter(message.get("tool_calls", ()))
    rest["parts"] = [_put_together(part, blocks, calls) for part in rest["parts"]]
    rest["kind"] = "response" if message["role"] == "assistant" else "request"
    if next(blocks, None) is not None or next(calls, None) is not None:
        raise ValueError("it shows more than its parts have")
    return rest


def _put_together(part: dict[str, Any], blocks: Iterator[Any], calls: Iterator[Any]) -> dict[str, Any]:
    kind, rest = part["part_kind"], dict(part)
    if kind in _CALLS:
        call = next(calls)
        arguments = call["function"]["arguments"]
        rest["args"] = json.loads(arguments) if rest.pop("args_in", None) else arguments
        rest |= {"tool_name": call["function"]["name"], "tool_call_id": call["id"]}
    elif kind in _RESULTS:
        block = next(blocks)
        rest["content"] = json.loads(block["content"]) if rest.pop("content_in", None) else block["content"]
        rest["tool_call_id"] = block["tool_use_id"]
    elif kind in _TEXTS:
        count = rest.pop("items", None)
        if count is not None:
            rest["content"] = [_item(next(blocks)) for _ in range(count)]
        else:
            text = next(blocks)["thinking" if kind == "thinking" else "text"]
            rest["content"] = json.loads(text) if rest.pop("content_in", None) else text
    elif kind == "file":
        rest["content"] = _item(next(blocks))
    return rest


def _item(block: dict[str, Any]) -> Any:
    if "item" not in block:
        return block["text"]
    item = dict(block["item"])
    if item["kind"] == "text-content":
        item["content"] = block["text"]
    elif item["kind"] == "image-url":
        item["url"] = block["image_url"]["url"]
    elif "data" not in item and item["kind"] == "binary":
        item["data"] = block["image_url"]["url"].partition(",")[2].translate(_STANDARD)
    return item


def _plain(message: Message) -> dict[str, Any]:
    """A message that another program added to the conversation in the chat form: text that somebody said."""
    role, content = message.get("role"), message.get("content")
    kinds = {"user": "user-prompt", "system": "system-prompt", "assistant": "text"}
    if not isinstance(role, str) or role not in kinds or not isinstance(content, str):
        raise ValueError(f"a message of role {role!r} that the framework did not write")
    return {
        "kind": "response" if role == "assistant" else "request",
        "parts": [{"part_kind": kinds[role], "content": content}],
    }


def _text(message: ModelMessage) -> str:
    return json.dumps(_ADAPTER.dump_python([message], mode="json"))


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
