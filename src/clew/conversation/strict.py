"""Messages in the form that the Stakpak agent's reader takes.

That reader takes a whole state or nothing of it: one message with a role it does not know, or with content of another
shape, and the agent sees no conversation at all. What is stored may be any JSON object. So each message that it would
refuse is shown to it in a form that it takes, which says the same as far as that form can; the others go as they are.
Nothing that is stored is changed. The rules are those of the agent's `ChatMessage`.
"""

import json
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Annotated, Any, Literal, get_args

import msgspec

from clew import limits
from clew.hashing import content_hash
from clew.messages import decode_value, join_bodies

Role = Literal["system", "developer", "user", "assistant", "tool"]
Count = Annotated[int, msgspec.Meta(ge=0, le=2**32 - 1)]
Moment = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]

_ROLES = frozenset(get_args(Role))
_OTHER_ROLES = {"function": "tool", "human": "user", "model": "assistant", "ai": "assistant", "bot": "assistant"}
_DEEPEST = 100
"""Levels of a value: the reader takes 127 of a whole answer, some of which are around it."""

_DIGITS = 309
"""A whole number of fewer digits is one that a double holds."""

_DIGIT = re.compile(rb"[0-9]")
_TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*"|[\[{]|[\]}]', re.DOTALL)


class _Struct(msgspec.Struct, gc=False):
    """Parts of a message; keys that are not named are ignored, as the reader ignores them."""


class ImageUrl(_Struct):
    url: str
    detail: str | None = None


class Part(_Struct):
    type: str
    text: str | None = None
    image_url: ImageUrl | None = None


class Function(_Struct):
    name: str
    arguments: str


class ToolCall(_Struct):
    id: str
    type: str
    function: Function


class PromptDetails(_Struct):
    input_tokens: Count | None = None
    output_tokens: Count | None = None
    cache_read_input_tokens: Count | None = None
    cache_write_input_tokens: Count | None = None


class Usage(_Struct):
    prompt_tokens: Count
    completion_tokens: Count
    total_tokens: Count
    prompt_tokens_details: PromptDetails | None = None


class Model(_Struct):
    provider: str
    id: str


class ChatMessage(_Struct):
    """A message as the reader has it."""

    role: Role
    content: str | list[Part] | None = None
    name: str | None = None
    tool_calls: list[ToolCall] | None = None
    tool_call_id: str | None = None
    usage: Usage | None = None
    id: str | None = None
    model: Model | None = None
    cost: float | None = None
    finish_reason: str | None = None
    created_at: Moment | None = None
    completed_at: Moment | None = None


_messages = msgspec.json.Decoder(list[ChatMessage])
_anything = msgspec.json.Decoder()

_taken: dict[bytes, None] = {}
"""The hashes of messages that the reader takes as they are: a conversation is sent again with every step of it."""


def strict_messages(bodies: Sequence[bytes]) -> Sequence[bytes]:
    """Stored messages as the reader takes them: all of them as they are, where it does."""
    hashes = list(map(content_hash, bodies))
    new = {hash: body for hash, body in zip(hashes, bodies, strict=True) if hash not in _taken}
    if not new:
        return bodies
    if _are_taken(list(new.values())):
        _remember(new)
        return bodies
    shown = {hash: strict_message(body) for hash, body in new.items()}
    _remember(hash for hash, body in new.items() if shown[hash] is body)
    return [shown.get(hash, body) for hash, body in zip(hashes, bodies, strict=True)]


def strict_message(body: bytes) -> bytes:
    """A stored message, as it is where the reader takes that."""
    return body if _are_taken([body]) else _encode(_converted(_whole_characters(decode_value(body))))


def _are_taken(bodies: Sequence[bytes]) -> bool:
    joined = join_bodies(bodies)
    return _is_read(_messages, joined) and all(map(_is_shallow, bodies)) and not _may_be_huge(joined)


def _remember(hashes: Iterable[bytes]) -> None:
    if len(_taken) > limits.MAX_TAKEN_MESSAGES:
        _taken.clear()
    _taken.update(dict.fromkeys(hashes))


def strict_value(body: bytes) -> bytes:
    """Any stored value, as it is where the reader takes that; else its JSON as text."""
    return body if _is_plain(body) else _encode(_free(_whole_characters(decode_value(body))))


def _is_plain(body: bytes) -> bool:
    """Whether the reader takes a value of which it asks nothing else."""
    return _is_read(_anything, body) and _is_shallow(body) and not _may_be_huge(body)


def _is_read(decoder: Any, body: bytes) -> bool:
    """Whether the values are what a decoder wants. Half a character no decoder takes, not even where it looks away."""
    try:
        decoder.decode(body)
    except (msgspec.DecodeError, RecursionError):
        return False
    return True


def _may_be_huge(body: bytes) -> bool:
    """Whether there may be a number that no double holds: one of so many digits, or a text that looks like it."""
    # In so many digits every step of that length ends on one, with as many on one side as half of them.
    half = (_DIGITS - 1) // 2
    return any(
        body[place : place + half].isdigit() or body[max(place - half, 0) : place].isdigit()
        for place in (step.start() * _DIGITS for step in _DIGIT.finditer(body[::_DIGITS]))
    )


def _is_shallow(body: bytes) -> bool:
    if body.count(b"{") + body.count(b"[") <= _DEEPEST:
        return True
    level = 0
    for token in _TOKEN.finditer(body):
        first = token[0][:1]
        level += (first in b"{[") - (first in b"}]")
        if level > _DEEPEST:
            return False
    return True


def _converted(message: dict[str, Any]) -> dict[str, Any]:
    """A message with the same keys, of which those that the reader refuses say what they can in its form."""
    role = message.get("role")
    given = {"role": _role(role), "content": _content(message.get("content"))}
    if isinstance(role, str) and role not in _ROLES and "name" not in message:
        given["name"] = role
    for name, convert in _OTHERS.items():
        value = None if message.get(name) is None else convert(message[name])
        if value is not None:
            given[name] = value
    return given


def _role(role: Any) -> str:
    if not isinstance(role, str):
        return "user"
    lowered = role.lower()
    return lowered if lowered in _ROLES else _OTHER_ROLES.get(lowered, "user")


def _content(content: Any) -> Any:
    if content is None or isinstance(content, str):
        return content
    return [_part(part) for part in content] if isinstance(content, list) else _text(content)


def _part(part: Any) -> dict[str, Any]:
    if _fits(part, Part):
        return {name: part[name] for name in ("type", "text", "image_url") if part.get(name) is not None}
    text = part.get("text") if isinstance(part, dict) else part
    return {"type": "text", "text": text if isinstance(text, str) else _text(part)}


def _tool_calls(calls: Any) -> list[dict[str, Any]] | None:
    """The calls that name a function."""
    found = [_tool_call(call) for call in calls if isinstance(call, dict)] if isinstance(calls, list) else []
    return [call for call in found if call is not None] or None


def _tool_call(call: dict[str, Any]) -> dict[str, Any] | None:
    function = call.get("function")
    function = function if isinstance(function, dict) else call
    name, arguments = function.get("name"), function.get("arguments", function.get("input", {}))
    if not isinstance(name, str):
        return None
    kind = call.get("type") if isinstance(call.get("type"), str) else "function"
    form = {
        "id": _string(call.get("id", "")),
        "type": kind,
        "function": {"name": name, "arguments": arguments if isinstance(arguments, str) else _text(arguments)},
    }
    return form if call.get("metadata") is None else {**form, "metadata": _free(call["metadata"])}


def _string(value: Any) -> str:
    return value if isinstance(value, str) else _text(value)


def _kept_if(kind: Any) -> Callable[[Any], Any]:
    """Takes a value as it is where it is what the reader asks for; it says nothing otherwise."""
    return lambda value: value if _fits(value, kind) else None


def _fits(value: Any, kind: Any) -> bool:
    try:
        msgspec.convert(value, kind, strict=True)
    except (msgspec.ValidationError, OverflowError, RecursionError):
        return False
    return True


def _free(value: Any) -> Any:
    """A value of which the reader asks nothing; its JSON as text where it takes it not."""
    return value if isinstance(value, str) or _is_plain(_encode(value)) else _text(value)


def _text(value: Any) -> str:
    return _encode(value).decode()


def _encode(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def _whole_characters(value: Any) -> Any:
    """The value with the sign for what cannot be shown in place of each half of a character."""
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, list):
        return [_whole_characters(item) for item in value]
    if isinstance(value, dict):
        return {_whole_characters(key): _whole_characters(item) for key, item in value.items()}
    return value


_OTHERS: dict[str, Callable[[Any], Any]] = {
    "name": _string, "tool_calls": _tool_calls, "tool_call_id": _string, "usage": _kept_if(Usage), "id": _string,
    "model": _kept_if(Model), "cost": _kept_if(float), "finish_reason": _string, "created_at": _kept_if(Moment),
    "completed_at": _kept_if(Moment), "metadata": _free,
}  # fmt: skip
"""By key: what becomes of its value; what becomes None is left out."""
