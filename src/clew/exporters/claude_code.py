"""A session as Claude Code keeps it: the records of one conversation, each naming the one before it.

Put as `~/.claude/projects/FOLDER/SESSION.jsonl`, with the folder of the working directory, it is listed by
`claude --resume`. Experimental: the format is Claude Code's own and changes without notice.

Claude Code brings its system prompt itself, so those of the conversation are left out. So is what a model has thought:
the API takes back only thoughts with its own signature. It refuses a message without content, so those that say nothing
are left out too, and ids and names of tools with other characters than letters, digits, `_` and `-`: these become `_`.
"""

import re
from collections.abc import Iterator
from typing import Any, BinaryIO
from uuid import UUID, uuid5

from clew.exporters.base import Conversation, Exported, Exporter, Wanted
from clew.exporters.chat_form import to_chat
from clew.exporters.native import arguments_of, json_line, milliseconds, parts_of, usage_counts
from clew.importers.values import fields, moment, objects, text
from clew.model import Message
from clew.store import Store

VERSION = "2.1.0"
"""Of Claude Code, as the records tell it."""

_DATA_URL = re.compile(r"data:([\w.+/-]+);base64,(.*)", re.DOTALL)

_REFUSED = re.compile(r"[^A-Za-z0-9_-]")


class ClaudeCodeExporter(Exporter):
    """A transcript that Claude Code resumes."""

    name = "claude-code"
    summary = "a Claude Code transcript, to resume (experimental)"
    suffix = ".jsonl"
    is_experimental = True

    def write(self, store: Store, wanted: Wanted, out: BinaryIO) -> Exported:
        conversation = Conversation(store, wanted)
        records = _Records(conversation)
        for message in to_chat(conversation.messages()):
            out.writelines(json_line(record) for record in records.of(message))
        out.writelines(json_line(record) for record in records.last())
        return Exported(
            format=self.name,
            sessions=1,
            checkpoints=int(conversation.checkpoint is not None),
            messages=records.written,
            notes=list(records.notes()),
        )


class _Records:
    def __init__(self, conversation: Conversation) -> None:
        session = conversation.session
        self._id = str(session.id)
        self._title = conversation.title
        self._cwd = conversation.cwd or "/"
        self._at = session.created_at
        self._last: str | None = None
        self._uuids: set[str] = set()
        self._left_out = self._thoughts = self._empty = 0
        self.written = 0

    def of(self, message: Message) -> Iterator[dict[str, Any]]:
        """The records that a message becomes."""
        self._at = moment(message.get("timestamp")) or self._at
        role = message.get("role")
        if role == "user":
            content = _content(message.get("content"))
            if content:
                yield self._record("user", message, {"role": "user", "content": content})
            self._empty += not content
        elif role == "assistant":
            answer = self._answer(message)
            if answer["content"]:
                yield self._record("assistant", message, answer)
            self._empty += not answer["content"]
        elif role == "tool":
            block: dict[str, Any] = {
                "type": "tool_result", "tool_use_id": _taken(text(message.get("tool_call_id")) or ""),
                "content": _content(message.get("content")),
            }  # fmt: skip
            if message.get("is_error") is True:
                block["is_error"] = True
            yield self._record("user", message, {"role": "user", "content": [block]})
        else:
            self._left_out += 1

    def last(self) -> Iterator[dict[str, Any]]:
        """What stands after the messages."""
        if self._title:
            yield {"type": "custom-title", "customTitle": self._title, "sessionId": self._id}

    def notes(self) -> Iterator[str]:
        yield "experimental: Claude Code's format is its own and may have changed"
        if self._left_out:
            yield f"messages left out that are neither the user's, the model's nor a tool's: {self._left_out:,}"
        if self._empty:
            yield f"messages left out that say nothing: {self._empty:,}"
        if self._thoughts:
            yield f"answers without what the model thought before, which only its API can sign: {self._thoughts:,}"

    def _answer(self, message: Message) -> dict[str, Any]:
        content = _blocks(message.get("content"))
        for number, call in enumerate(objects(message.get("tool_calls"))):
            function = fields(call.get("function"))
            name, id = text(function.get("name")) or "tool", text(call.get("id")) or f"call_{self.written}_{number}"
            content.append(
                {"type": "tool_use", "id": _taken(id), "name": _taken(name), "input": arguments_of(function)}
            )
        self._thoughts += bool(message.get("reasoning_content"))
        why = "tool_use" if message.get("tool_calls") else "end_turn"
        return {
            "id": text(message.get("id")) or f"msg_{self.written}",
            "type": "message",
            "role": "assistant",
            "model": text(message.get("model")) or "<synthetic>",
            "content": content,
            "stop_reason": text(message.get("stop_reason")) or why,
            "stop_sequence": None,
            "usage": _usage(fields(message.get("usage"))),
        }

    def _record(self, kind: str, message: Message, inner: dict[str, Any]) -> dict[str, Any]:
        parent, self._last = self._last, self._uuid(message if kind == "user" else {})
        self.written += 1
        return {
            "parentUuid": parent, "isSidechain": False, "userType": "external", "cwd": self._cwd,
            "sessionId": self._id, "version": VERSION, "gitBranch": "", "type": kind, "message": inner,
            "uuid": self._last, "timestamp": milliseconds(self._at),
        }  # fmt: skip

    def _uuid(self, message: Message) -> str:
        """The id of a message where it is one that a record may have, else one that the next export makes again."""
        id = text(message.get("id"))
        try:
            uuid = str(UUID(id)) if id is not None and message.get("role") == "user" else None
        except ValueError:
            uuid = None
        if uuid is None or uuid in self._uuids:
            uuid = str(uuid5(UUID(self._id), f"record {self.written}"))
        self._uuids.add(uuid)
        return uuid


def _content(content: Any) -> str | list[dict[str, Any]]:
    return content if isinstance(content, str) else _blocks(content)


def _blocks(content: Any) -> list[dict[str, Any]]:
    """Parts of a chat message as Anthropic's blocks; of those that it has none for, what they are as text."""
    return [block for part in parts_of(content) if (block := _block(part)).get("text") != ""]


def _block(part: dict[str, Any]) -> dict[str, Any]:
    if part["type"] == "image_url":
        return {"type": "image", "source": _source(part["image_url"]["url"])}
    if part["type"] == "file":
        data = text(part["file"].get("file_data"))
        source = _source(data) if data else {}
        if source.get("media_type") == "application/pdf":
            name = text(part["file"].get("filename"))
            return {"type": "document", "source": source, **({"title": name} if name else {})}
        return {"type": "text", "text": f"[file {part['file'].get('filename') or part['file'].get('path') or ''}]"}
    return {"type": "text", "text": part["text"]}


def _source(url: str) -> dict[str, Any]:
    found = _DATA_URL.match(url)
    if found is None:
        return {"type": "url", "url": url}
    return {"type": "base64", "media_type": found[1], "data": found[2]}


def _taken(name: str) -> str:
    """The id of a call or the name of a tool as the API takes it."""
    return _REFUSED.sub("_", name)


def _usage(usage: dict[str, Any]) -> dict[str, int]:
    """What an answer took in Anthropic's counts, in which the tokens of a prompt are without those of a cache."""
    counts = usage_counts(usage)
    cached, created = counts["cached"], counts["created"]
    return {
        "input_tokens": max(counts["prompt"] - cached - created, 0),
        "output_tokens": counts["completion"],
        "cache_read_input_tokens": cached,
        "cache_creation_input_tokens": created,
    }
