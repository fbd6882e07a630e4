"""A session as Codex keeps it: a rollout, for `codex resume ID`.

Put as `~/.codex/sessions/YYYY/MM/DD/rollout-TIME-ID.jsonl`. Experimental: the format is Codex's own and changes without
notice.

Codex brings its system prompt itself, so those of the conversation are left out. What a model has thought is written as
Codex shows it, and not given back to the model. The result of a tool is text: that it failed has no place.
"""

from collections.abc import Iterator
from typing import Any, BinaryIO

from clew.exporters.base import Conversation, Exported, Exporter, Wanted
from clew.exporters.chat_form import to_chat
from clew.exporters.native import json_line, milliseconds, parts_of, usage_counts
from clew.importers.chat import json_text
from clew.importers.codex.items import is_context
from clew.importers.values import fields, moment, objects, text
from clew.model import Message
from clew.store import Store

VERSION = "0.149.0"
"""Of Codex, as the first line tells it."""


class CodexExporter(Exporter):
    """A rollout that Codex resumes."""

    name = "codex"
    summary = "a Codex rollout, to resume (experimental)"
    suffix = ".jsonl"
    is_experimental = True

    def write(self, store: Store, wanted: Wanted, out: BinaryIO) -> Exported:
        conversation = Conversation(store, wanted)
        rollout = _Rollout(conversation)
        out.write(json_line(rollout.begin()))
        for message in to_chat(conversation.messages()):
            out.writelines(json_line(line) for line in rollout.of(message))
        out.writelines(json_line(line) for line in rollout.end())
        return Exported(
            format=self.name,
            sessions=1,
            checkpoints=int(conversation.checkpoint is not None),
            messages=rollout.written,
            notes=list(rollout.notes()),
        )


class _Rollout:
    def __init__(self, conversation: Conversation) -> None:
        self._session = conversation.session
        self._title = conversation.title
        self._cwd = conversation.cwd or "/"
        self._at = conversation.session.created_at
        self._model = ""
        self._turn = 0
        self._total: dict[str, int] = {}
        self._left_out = self._failed = self._files = 0
        self.written = 0

    def begin(self) -> dict[str, Any]:
        """The first line, which says who the session is."""
        return self._line(
            "session_meta",
            {
                "id": str(self._session.id), "timestamp": milliseconds(self._at), "cwd": self._cwd,
                "originator": "clew", "cli_version": VERSION, "instructions": None, "source": "cli",
                "model_provider": "openai",
            },
        )  # fmt: skip

    def of(self, message: Message) -> Iterator[dict[str, Any]]:
        """The lines that a message becomes."""
        self._at = moment(message.get("timestamp")) or self._at
        role = message.get("role")
        if role in ("user", "developer"):
            yield from self._said(str(role), message)
        elif role == "assistant":
            yield from self._answer(message)
        elif role == "tool":
            yield from self._result(message)
        else:
            self._left_out += 1
            return
        self.written += 1

    def end(self) -> Iterator[dict[str, Any]]:
        """What stands after the messages."""
        yield from self._end_turn()
        if self._title:
            named = {"type": "thread_name_updated", "thread_id": str(self._session.id), "thread_name": self._title}
            yield self._event(named)

    def notes(self) -> Iterator[str]:
        yield "experimental: Codex's format is its own and may have changed"
        if self._left_out:
            yield f"messages left out that are neither the user's, the model's nor a tool's: {self._left_out:,}"
        if self._failed:
            yield f"results of tools of which it is not told that they are failures: {self._failed:,}"
        if self._files:
            yield f"files that are named, and not in it: {self._files:,}"

    # --------------------------------------------------------------------------------------------------- messages

    def _said(self, role: str, message: Message) -> Iterator[dict[str, Any]]:
        content = [self._part(part, "input_text") for part in parts_of(message.get("content"))]
        is_prompt = role == "user" and not is_context(content)
        if is_prompt:
            yield from self._begin_turn()
        yield self._item(_with_id({"type": "message", "role": role, "content": content}, message))
        if is_prompt:
            told = "\n".join(part["text"] for part in content if part["type"] == "input_text")
            images = [part["image_url"] for part in content if part["type"] == "input_image"]
            yield self._event({"type": "user_message", "message": told, "images": images})

    def _answer(self, message: Message) -> Iterator[dict[str, Any]]:
        yield from self._use_model(text(message.get("model")))
        if thought := text(message.get("reasoning_content")):
            yield self._event({"type": "agent_reasoning", "text": thought})
        content = [self._part(part, "output_text") for part in parts_of(message.get("content"))]
        if content:
            yield self._item(_with_id({"type": "message", "role": "assistant", "content": content}, message))
            told = "\n".join(part["text"] for part in content if part["type"] == "output_text")
            yield self._event({"type": "agent_message", "message": told})
        for call in objects(message.get("tool_calls")):
            function = fields(call.get("function"))
            arguments = function.get("arguments")
            yield self._item(
                {
                    "type": "function_call", "name": text(function.get("name")) or "tool",
                    "arguments": arguments if isinstance(arguments, str) else json_text(arguments or {}),
                    "call_id": text(call.get("id")) or "",
                }
            )  # fmt: skip
        if usage := fields(message.get("usage")):
            yield self._tokens(usage)

    def _result(self, message: Message) -> Iterator[dict[str, Any]]:
        self._failed += message.get("is_error") is True
        content = message.get("content")
        parts = [self._part(part, "input_text") for part in parts_of(content)]
        is_text = isinstance(content, str) or not parts
        output = (content or "") if is_text else parts
        id = text(message.get("tool_call_id")) or ""
        yield self._item({"type": "function_call_output", "call_id": id, "output": output})

    def _part(self, part: dict[str, Any], kind: str) -> dict[str, Any]:
        if part["type"] == "image_url" and kind == "input_text":
            return {"type": "input_image", "image_url": part["image_url"]["url"]}
        if part["type"] == "text":
            return {"type": kind, "text": part["text"]}
        self._files += 1
        file = fields(part.get("file"))
        named = text(file.get("filename")) or text(file.get("path")) or part["type"].removesuffix("_url")
        return {"type": kind, "text": f"[{named}]"}

    def _tokens(self, usage: dict[str, Any]) -> dict[str, Any]:
        counts = usage_counts(usage)
        last = {
            "input_tokens": counts["prompt"], "cached_input_tokens": counts["cached"],
            "output_tokens": counts["completion"], "reasoning_output_tokens": counts["reasoning"],
            "total_tokens": counts["prompt"] + counts["completion"],
        }  # fmt: skip
        if counts["created"]:
            last["cache_write_input_tokens"] = counts["created"]
        self._total = {name: self._total.get(name, 0) + last.get(name, 0) for name in {**self._total, **last}}
        return self._event(
            {"type": "token_count", "info": {"total_token_usage": self._total, "last_token_usage": last}}
        )

    # ------------------------------------------------------------------------------------------------------ turns

    def _begin_turn(self) -> Iterator[dict[str, Any]]:
        yield from self._end_turn()
        self._turn += 1
        yield self._event({"type": "task_started", "turn_id": str(self._turn), "model_context_window": None})
        if self._model:
            yield self._context()

    def _end_turn(self) -> Iterator[dict[str, Any]]:
        if self._turn:
            yield self._event({"type": "task_complete", "turn_id": str(self._turn), "last_agent_message": None})

    def _use_model(self, model: str | None) -> Iterator[dict[str, Any]]:
        if model and model != self._model:
            self._model = model
            yield self._context()

    def _context(self) -> dict[str, Any]:
        # The strictest that there is: whoever resumes chooses anew.
        context = {
            "turn_id": str(self._turn), "cwd": self._cwd, "approval_policy": "on-request",
            "sandbox_policy": {"type": "read-only"}, "model": self._model, "summary": "auto",
        }  # fmt: skip
        return self._line("turn_context", context)

    def _item(self, payload: dict[str, Any]) -> dict[str, Any]:
        return self._line("response_item", payload)

    def _event(self, payload: dict[str, Any]) -> dict[str, Any]:
        return self._line("event_msg", payload)

    def _line(self, kind: str, payload: dict[str, Any]) -> dict[str, Any]:
        return {"timestamp": milliseconds(self._at), "type": kind, "payload": payload}


def _with_id(item: dict[str, Any], message: Message) -> dict[str, Any]:
    """An item with its id, where that is one of Codex's API."""
    id = text(message.get("id"))
    return {**item, "id": id} if id is not None and id.startswith("msg_") else item
