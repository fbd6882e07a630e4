"""The second reading of a session of pi: its entries as steps and messages."""

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

from clew.importers import chat
from clew.importers.pi.tree import SILENT, Entry, Tree, parts_of
from clew.importers.records import Record, Records
from clew.importers.steps import Loose, Notes, Step
from clew.importers.values import count, fields, moment, number, objects, text
from clew.model import Message


class Steps:
    """The second reading: every entry as a step."""

    def __init__(self, tree: Tree, notes: Notes) -> None:
        self._tree = tree
        self._notes = notes
        self._tools: dict[str, str] = {}

    def all(self, records: Records) -> Iterator[Step | Loose]:
        for record in records:
            value = self._notes.value(record)
            entry = self._tree.entries.get(record.position)
            if value is None or entry is None:
                yield Loose([record])
            else:
                yield self._step(record, entry, fields(value))

    def _step(self, record: Record, entry: Entry, value: dict[str, Any]) -> Step:
        at = moment(value.get("timestamp"))
        made = self._message(value, at)
        return Step(
            key=entry.key,
            parent=entry.parent,
            messages=[] if made is None else [made],
            records=[record],
            created_at=at,
            label=self._tree.label_of(entry.key),
        )

    def _message(self, value: dict[str, Any], at: datetime | None) -> Message | None:
        kind = text(value.get("type")) or "?"
        if kind == "message":
            return self._told(fields(value.get("message")), value, at)
        making = _OF_ENTRIES.get(kind)
        if making is not None:
            return making(value, value, at)
        if kind not in SILENT:
            self._notes.unknown[kind] += 1
        return None

    def _told(self, message: dict[str, Any], entry: dict[str, Any], at: datetime | None) -> Message | None:
        role = text(message.get("role")) or "?"
        at = moment(message.get("timestamp")) or at
        if role == "assistant":
            return self._answer(message, entry, at)
        if role == "toolResult":
            return self._result(message, entry, at)
        making = _OF_ROLES.get(role)
        if making is not None:
            return making(message, entry, at)
        self._notes.unknown[f"message/{role}"] += 1
        return None

    def _answer(self, message: dict[str, Any], entry: dict[str, Any], at: datetime | None) -> Message:
        content = message.get("content")
        blocks = objects(content)
        calls = [_call(block) for block in blocks if block.get("type") == "toolCall"]
        self._tools.update((call["id"], call["function"]["name"]) for call in calls)
        thoughts = [shown for block in blocks if (shown := text(block.get("thinking"))) is not None]
        reason = message.get("stopReason")
        return chat.assistant(
            parts_of(content),
            calls,
            thoughts,
            id=text(entry.get("id")),
            at=at,
            model=text(message.get("model")),
            usage=_usage(fields(message.get("usage"))),
            stop_reason=text(reason),
            status=reason if reason in ("error", "aborted") else None,
            error=text(message.get("errorMessage")),
        )

    def _result(self, message: dict[str, Any], entry: dict[str, Any], at: datetime | None) -> Message:
        id = text(message.get("toolCallId")) or ""
        return chat.tool_result(
            id,
            parts_of(message.get("content")),
            name=text(message.get("toolName")) or self._tools.get(id),
            is_error=message.get("isError") is True,
            id=text(entry.get("id")),
            at=at,
        )


def _call(block: dict[str, Any]) -> dict[str, Any]:
    return chat.tool_call(text(block.get("id")) or "", text(block.get("name")) or "?", block.get("arguments"))


def _usage(usage: dict[str, Any]) -> dict[str, Any]:
    """What an answer took. pi counts the tokens of a cache beside those of the prompt."""
    if not any(count(usage.get(name)) for name in ("input", "output", "cacheRead", "cacheWrite")):
        return {}
    plain, read, written = (count(usage.get(name)) or 0 for name in ("input", "cacheRead", "cacheWrite"))
    return chat.usage_of(
        prompt=plain + read + written,
        completion=count(usage.get("output")) or 0,
        cached=read,
        reasoning=count(usage.get("reasoning")),
        cache_creation=written,
        cost=number(fields(usage.get("cost")).get("total")),
    )


# -------------------------------------------------------------------------------------------- what is no chat message

_Making = Callable[[dict[str, Any], dict[str, Any], datetime | None], Message | None]


def _user(message: dict[str, Any], entry: dict[str, Any], at: datetime | None) -> Message | None:
    parts = parts_of(message.get("content"))
    return chat.message("user", chat.content_of(parts), id=text(entry.get("id")), at=at) if parts else None


def _custom(message: dict[str, Any], entry: dict[str, Any], at: datetime | None) -> Message | None:
    """What an extension told the model: it stands with the user's messages, under the extension's name."""
    parts, name = parts_of(message.get("content")), text(message.get("customType"))
    return chat.message("user", chat.content_of(parts), name=name, id=text(entry.get("id")), at=at) if parts else None


def _system(message: dict[str, Any], entry: dict[str, Any], at: datetime | None) -> Message | None:
    parts = parts_of(message.get("content"))
    return chat.message("system", chat.content_of(parts), id=text(entry.get("id")), at=at) if parts else None


def _bash(message: dict[str, Any], entry: dict[str, Any], at: datetime | None) -> Message | None:
    """A command that the user ran, as the user's message: the command, and what it printed."""
    command, output = text(message.get("command")), text(message.get("output"))
    if command is None:
        return None
    exit_code = number(message.get("exitCode"))
    notes = ["(cancelled)"] if message.get("cancelled") is True else []
    notes += [f"(exit code {exit_code:g})"] if exit_code else []
    shown = "\n".join([f"$ {command}", *([output.rstrip("\n")] if output is not None else []), *notes])
    return chat.message("user", shown, name="bash", id=text(entry.get("id")), at=at)


def _compaction(message: dict[str, Any], entry: dict[str, Any], at: datetime | None) -> Message | None:
    summary = text(message.get("summary"))
    if summary is None:
        return None
    mark = {
        "first_kept": text(message.get("firstKeptEntryId")),
        "first_kept_index": count(message.get("firstKeptEntryIndex")),
        "tokens_before": count(message.get("tokensBefore")),
    }
    known = {name: value for name, value in mark.items() if value is not None}
    return chat.message("user", summary, compaction=known or {"summary": True}, id=text(entry.get("id")), at=at)


def _branch_summary(message: dict[str, Any], entry: dict[str, Any], at: datetime | None) -> Message | None:
    """What was told of a branch that was left."""
    summary = text(message.get("summary"))
    if summary is None:
        return None
    left = {"from": text(message.get("fromId")) or "?"}
    return chat.message("user", summary, branch_summary=left, id=text(entry.get("id")), at=at)


_OF_ENTRIES: dict[str, _Making] = {
    "compaction": _compaction,
    "branch_summary": _branch_summary,
    "custom_message": _custom,
}
_OF_ROLES: dict[str, _Making] = {
    "user": _user,
    "system": _system,
    "bashExecution": _bash,
    "custom": _custom,
    "hookMessage": _custom,
    "compactionSummary": _compaction,
    "branchSummary": _branch_summary,
}
