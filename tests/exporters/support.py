"""A store to export, and what comes of it."""

import io
import json
from pathlib import Path
from typing import Any

import clew
from clew.exporters import export

PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="  # one pixel
Messages = list[dict[str, Any]]
CHAT: Messages = [
    {"role": "system", "content": "Be brief."},
    {
        "role": "user",
        "content": [
            {"type": "text", "text": "Look at this"},
            {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}},
        ],
    },
    {
        "role": "assistant",
        "content": "I will.",
        "reasoning_content": "It is red.",
        "model": "m-1",
        "usage": {"prompt_tokens": 5, "completion_tokens": 2},
        "tool_calls": [
            {"id": "c1", "type": "function", "function": {"name": "sh", "arguments": '{"cmd":"ls"}'}},
            {"id": "c2", "type": "function", "function": {"name": "cat", "arguments": "{}"}},
        ],
    },
    {"role": "tool", "tool_call_id": "c1", "name": "sh", "content": "a\nb\nc\nd"},
    {"role": "tool", "tool_call_id": "c2", "name": "cat", "content": "no such file", "is_error": True},
    {"role": "assistant", "content": "Done: é \u2028 🧶", "model": "m-2"},
    {"role": "user", "content": "Thanks"},
]
"""A conversation in the chat form."""

BLOCKS: Messages = [
    {"role": "user", "content": "Look"},
    {
        "role": "assistant",
        "content": [
            {"type": "text", "text": "I will."},
            {"type": "tool_use", "id": "c1", "name": "sh", "input": {"cmd": "ls"}},
        ],
    },
    {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "c1", "content": "a"}]},
]
ITEMS: Messages = [
    {"role": "user", "content": [{"type": "input_text", "text": "Look"}]},
    {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "I will."}]},
    {"type": "function_call", "call_id": "c1", "name": "sh", "arguments": '{"cmd":"ls"}'},
    {"type": "function_call_output", "call_id": "c1", "output": "a"},
]
SAME: Messages = [
    {"role": "user", "content": "Look"},
    {"role": "assistant", "content": "I will.", "calls": [("c1", "sh", {"cmd": "ls"})]},
    {"role": "tool", "tool_call_id": "c1", "content": "a"},
]
"""What the two say, as `said` tells it."""


def written(store: clew.Store, format: str, **options: Any) -> bytes:
    """An export of the store."""
    out = io.BytesIO()
    export(store, format, out, **options)
    return out.getvalue()


def put(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def said(messages: Messages) -> Messages:
    """What messages of the chat form say, without what each program keeps beside that."""
    told = []
    for message in messages:
        kept = {name: message[name] for name in ("role", "content", "tool_call_id") if message.get(name) is not None}
        calls = [
            (call["id"], call["function"]["name"], json.loads(call["function"]["arguments"]))
            for call in message.get("tool_calls") or []
        ]
        told.append({**kept, **({"calls": calls} if calls else {})})
    return told
