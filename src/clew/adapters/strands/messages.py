"""A message of Strands as a message of clew, and back.

Its role and content are those of the stored message, and stand nowhere else in it; the rest is beside them. Tool calls
and their results are stored in Anthropic's form, which is the one that whatever shows messages knows. Of a message that
was redacted the redacted one is shown, and the original kept beside it, as Strands does.
"""

import json
from typing import Any
from uuid import UUID

from strands.types.session import SessionMessage

from clew import CorruptStateError, InvalidRequestError, Message

_REST = "strands"
"""Where the rest of a message is, and a block that could be taken for one in another form."""

_USE = {"toolUseId", "name", "input"}
_RESULT = {"toolUseId", "status", "content"}


def to_message(given: SessionMessage) -> Message:
    """A message as it is stored; InvalidRequestError where it would not come back equal."""
    rest = given.to_dict()
    shown = "message" if rest["redact_message"] is None else "redact_message"
    said = rest[shown]
    if not isinstance(said, dict) or not isinstance(said.get("content"), list) or "role" not in said:
        raise InvalidRequestError(f"message {given.message_id} has no role, or its content is no list")
    rest[shown] = {key: value for key, value in said.items() if key not in ("role", "content")}
    stored = {"role": said["role"], "content": [_stored(block) for block in said["content"]], _REST: rest}
    # Decoded once more: what is made of it here must not change what was given.
    copy = to_session_message(as_json(stored, f"message {given.message_id}"), None)
    check_same(vars(given), vars(copy), f"message {given.message_id}")
    return stored


def to_session_message(stored: Message, checkpoint_id: UUID | None) -> SessionMessage:
    """The message of a stored one; CorruptStateError where it is none that `to_message` made."""
    try:
        rest = dict(stored[_REST])
        shown = "message" if rest["redact_message"] is None else "redact_message"
        content = [_block(block) for block in stored["content"]]
        rest[shown] = {"role": stored["role"], "content": content, **rest[shown]}
        if type(rest["message_id"]) is not int:
            raise TypeError(f"message_id is {rest['message_id']!r}")
        return SessionMessage.from_dict(rest)
    except (KeyError, TypeError, ValueError) as error:
        raise CorruptStateError(
            f"a message of checkpoint {checkpoint_id} is none that this adapter stores", checkpoint_id
        ) from error


def as_json(value: Any, what: str) -> Any:
    """A value as JSON gives it back; InvalidRequestError where JSON cannot hold it."""
    try:
        return json.loads(json.dumps(value))
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidRequestError(f"{what} holds what JSON cannot hold: {error}") from error


def check_same(given: Any, copy: Any, what: str) -> None:
    """InvalidRequestError, which says where, unless a value is equal to what JSON gives back of it."""
    if given != copy:
        raise InvalidRequestError(f"{what} holds what JSON would give back as something else: {_change(given, copy)}")


def _change(given: Any, copy: Any, path: str = "") -> str:
    """The first place where two values differ that are not equal."""
    for key, one in _items(given).items():
        others = _items(copy)
        if key in others and others[key] != one:
            return _change(one, others[key], f"{path}[{key!r}]")
    return f"{path} is {given!r:.80}" + ("" if repr(given) == repr(copy) else f", not {copy!r:.80}")


def _items(value: Any) -> dict[Any, Any]:
    return value if isinstance(value, dict) else dict(enumerate(value)) if isinstance(value, list) else {}


def _stored(block: Any) -> Any:
    if not isinstance(block, dict):
        return block
    inner = next(iter(block.values())) if len(block) == 1 else None
    if "toolUse" in block and isinstance(inner, dict) and inner.keys() == _USE:
        return {"type": "tool_use", "id": inner["toolUseId"], "name": inner["name"], "input": inner["input"]}
    if "toolResult" in block and isinstance(inner, dict) and inner.keys() == _RESULT:
        return {
            "type": "tool_result",
            "tool_use_id": inner["toolUseId"],
            "content": inner["content"],
            "status": inner["status"],
        }
    return {_REST: block} if "type" in block or _REST in block else block


def _block(stored: Any) -> Any:
    if not isinstance(stored, dict):
        return stored
    if stored.get("type") == "tool_use":
        return {"toolUse": {"toolUseId": stored["id"], "name": stored["name"], "input": stored["input"]}}
    if stored.get("type") == "tool_result":
        result = {"toolUseId": stored["tool_use_id"], "status": stored["status"], "content": stored["content"]}
        return {"toolResult": result}
    return stored.get(_REST, stored)
