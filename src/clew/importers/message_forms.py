"""Plain messages as programs keep them that call a model's API, in the form in which clew stores messages.

What is in OpenAI's chat form stays as it is, whatever else it says. Anthropic's blocks become parts, `tool_calls` and
messages of tools; the `function_call` of OpenAI's first versions, which had no id, becomes one of `tool_calls`.
"""

from collections import deque
from typing import Any

from clew.importers import chat
from clew.importers.claude_code.content import Blocks
from clew.importers.steps import Notes
from clew.importers.values import fields, moment, objects, text
from clew.model import Message

_BLOCKS = frozenset(
    (
        "tool_use", "tool_result", "thinking", "redacted_thinking", "server_tool_use", "mcp_tool_use", "image",
        "document", "search_result",
    )
)  # fmt: skip
_TOLD = frozenset(("role", "content", "id", "type", "model", "usage", "stop_reason", "stop_sequence", "timestamp"))
"""The fields of Anthropic's messages that have a place in the common form."""
_TIMES = ("timestamp", "created_at", "created", "ts", "time")


class Forms:
    """Makes stored messages of those of one conversation, which are to come in order."""

    def __init__(self, notes: Notes) -> None:
        self._blocks = Blocks(lambda kind: notes.unknown.update([kind]))
        self._nameless: deque[str] = deque()
        """The calls that were made without an id, and have no result yet."""
        self._count = 0

    def stored(self, message: Message) -> list[Message]:
        """What a message becomes: itself, or several where it holds the results of tools."""
        self._count += 1
        if is_of_blocks(message):
            return self._of_blocks(message)
        call = fields(message.get("function_call"))
        if message.get("role") == "assistant" and text(call.get("name")) and not message.get("tool_calls"):
            return [self._with_call(message, call)]
        if message.get("role") == "function" and self._nameless:
            return [{**message, "role": "tool", "tool_call_id": self._nameless.popleft()}]
        return [message]

    def _with_call(self, message: Message, call: dict[str, Any]) -> Message:
        id = f"call-{self._count}"
        self._nameless.append(id)
        made = {name: value for name, value in message.items() if name not in ("function_call", "tool_calls")}
        return {**made, "tool_calls": [chat.tool_call(id, call["name"], call.get("arguments"))]}

    def _of_blocks(self, message: Message) -> list[Message]:
        at = next((message[name] for name in _TIMES if moment(message.get(name)) is not None), None)
        record = {"message": message, "timestamp": at, "uuid": message.get("id")}
        key = f"message-{self._count}"
        if message["role"] == "assistant":
            made = self._blocks.of_answer([record], self._nameless, key)
        else:
            made = self._blocks.of_user(record, self._nameless, key)
        if made:
            beside = {name: value for name, value in message.items() if name not in _TOLD}
            made[-1] = {**beside, **made[-1]}
        return made


def is_of_blocks(message: Message) -> bool:
    """Whether a message is in Anthropic's form, as far as that differs from OpenAI's."""
    content = message.get("content")
    if message.get("role") not in ("user", "assistant") or message.get("tool_calls") or not content:
        return False
    if not isinstance(content, (str, list)):
        return False
    answered = message.get("type") == "message" or "input_tokens" in fields(message.get("usage"))
    return answered or any(_is_block(block) for block in objects(content))


def _is_block(block: dict[str, Any]) -> bool:
    kind = block.get("type")
    return isinstance(kind, str) and (kind in _BLOCKS or kind.endswith("_tool_result"))


def time_of(message: Message) -> Any:
    """When a message was said, where it tells."""
    return next((at for name in _TIMES if (at := moment(message.get(name))) is not None), None)
