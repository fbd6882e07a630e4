"""A line of a transcript as a message of clew, and back.

Lines are opaque JSON objects that come back equal, in the order of their keys too. In those of the conversation the
model's message stands under a key of its own: its role and content are brought to the top, where whatever shows
messages looks for them, and are stored there and nowhere else. Any other line is stored as it is.
"""

from typing import Any
from uuid import UUID

from clew import CorruptStateError, Message

_LINE = "claude_agent_sdk"
"""Where the rest of a line is; a line that has such a key itself is kept whole below it."""


def to_message(entry: dict[str, Any]) -> Message:
    """A line as it is stored."""
    said = entry.get("message")
    if isinstance(said, dict) and isinstance(said.get("role"), str) and "content" in said:
        # None keeps their places among the keys.
        rest = {**entry, "message": {**said, "role": None, "content": None}}
        return {"role": said["role"], "content": said["content"], _LINE: rest}
    return {"type": entry.get("type"), _LINE: entry} if _LINE in entry else entry


def to_entry(message: Message, checkpoint_id: UUID) -> dict[str, Any]:
    """The line of a stored message, which is used up; CorruptStateError where it is none that `to_message` made."""
    if _LINE not in message:
        return message
    entry = message[_LINE]
    if isinstance(entry, dict) and "content" not in message:
        return entry
    said = entry.get("message") if isinstance(entry, dict) else None
    if not isinstance(said, dict) or "role" not in message:
        raise CorruptStateError(
            f"a message of checkpoint {checkpoint_id} is no line of a transcript as this adapter stores them",
            checkpoint_id,
        )
    said["role"], said["content"] = message["role"], message["content"]
    return entry


def to_entries(messages: list[Message], checkpoint_id: UUID) -> list[dict[str, Any]]:
    """The lines of a checkpoint's messages, which are used up."""
    return [to_entry(message, checkpoint_id) for message in messages]


def uuid_of(entry: dict[str, Any]) -> str | None:
    """What makes a line the same one when it comes again; None for lines that have nothing of the kind."""
    found = entry.get("uuid")
    return found if isinstance(found, str) and found else None
