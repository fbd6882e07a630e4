"""Messages of any form that is known, as chat messages: what other programs' files are made from.

Agents store OpenAI's chat messages (see `clew.importers.chat`), Anthropic's, whose content is made of blocks, and the
items of OpenAI's Responses API. The last two are read by what reads them in the files of Claude Code and Codex.
"""

import json
from collections import deque
from collections.abc import Iterable, Iterator
from typing import Any

from clew.importers.claude_code.content import Blocks
from clew.importers.codex.replay import messages_of
from clew.importers.steps import Notes
from clew.importers.values import objects
from clew.messages import decode_value
from clew.model import Message

_BLOCKS = frozenset(
    (
        "tool_use", "tool_result", "thinking", "redacted_thinking", "image", "document", "server_tool_use",
        "mcp_tool_use",
    )
)  # fmt: skip
"""Types of blocks that only Anthropic's messages have."""

_ITEM_PARTS = frozenset(("input_text", "output_text", "input_image"))


def to_chat(messages: Iterable[Message]) -> Iterator[Message]:
    """The same conversation as chat messages; one of a form that is not known stays as it is."""
    items: list[Message] = []
    blocks = Blocks(lambda _: None)
    for number, message in enumerate(messages):
        if _is_item(message):
            items.append(message)
            continue
        yield from _of_items(items)
        items = []
        if _has_blocks(message):
            yield from _of_blocks(message, blocks, number)
        else:
            yield message
    yield from _of_items(items)


def to_chat_bodies(body: bytes) -> list[bytes]:
    """The JSON of one message as that of the chat messages it comes to: its own where it is one."""
    message = decode_value(body)
    if not (_is_item(message) or _has_blocks(message)):
        return [body]
    return [json.dumps(chat, separators=(",", ":")).encode() for chat in to_chat([message])] or [body]


def _is_item(message: Message) -> bool:
    if isinstance(message.get("role"), str):
        return any(part.get("type") in _ITEM_PARTS for part in objects(message.get("content")))
    return isinstance(message.get("type"), str)


def _of_items(items: list[Message]) -> list[Message]:
    return messages_of(items, Notes()) or items if items else []


def _has_blocks(message: Message) -> bool:
    return any(part.get("type") in _BLOCKS for part in objects(message.get("content")))


def _of_blocks(message: Message, blocks: Blocks, number: int) -> list[Message]:
    """Anthropic's message; what stands beside its content is kept on the last that it comes to."""
    record: dict[str, Any] = {"message": message, "timestamp": message.get("timestamp")}
    key, nameless = f"call_{number}", deque[str]()
    if message.get("role") == "assistant":
        return blocks.of_answer([record], nameless, key) or [message]
    return blocks.of_user(record, nameless, key) or [message]
