"""Messages of OpenCode 2.x: an entry of `session_message` is a call of the model, or something said to it."""

from typing import Any

from clew.importers import chat, values
from clew.importers.opencode.first import error_of, file_of, model_of, status_of, text_parts, usage_of
from clew.importers.opencode.items import Item
from clew.importers.steps import Notes
from clew.model import Message

SILENT = {"model-switched", "agent-switched", "location-switched", "idle"}
_CONTENT = {"text", "reasoning", "tool"}


def messages(entry: Item, notes: Notes) -> list[Message]:
    """The messages of an entry; none for one that says nothing to the model."""
    made = _MADE.get(entry.type)
    if made is not None:
        return made(entry, notes)
    if entry.type not in SILENT:
        notes.unknown[f"message {entry.type}"] += 1
    return []


def is_said(type: Any) -> bool:
    """Whether entries of a type are of the conversation; a session that has one is in the form of 2.x."""
    return type in _MADE and type != "system"


def is_compaction(entry: Item) -> bool:
    """Whether the entry is a summary that stands for all that was before it."""
    done = entry.value.get("status") in (None, "completed")
    return entry.type == "compaction" and done and values.text(entry.value.get("summary")) is not None


def _user(entry: Item, notes: Notes) -> list[Message]:
    parts = text_parts(entry.value.get("text"))
    parts += [file_of(file) for file in values.objects(entry.value.get("files"))]
    return [chat.message("user", chat.content_of(parts), id=entry.id, at=entry.at)] if parts else []


def _said_for_user(entry: Item, notes: Notes) -> list[Message]:
    text = values.text(entry.value.get("text"))
    return [] if text is None else [chat.message("user", text, id=entry.id, at=entry.at, synthetic=True)]


def _system(entry: Item, notes: Notes) -> list[Message]:
    text = values.text(entry.value.get("text"))
    return [] if text is None else [chat.message("system", text, id=entry.id, at=entry.at)]


def _shell(entry: Item, notes: Notes) -> list[Message]:
    """A command that the user ran: its line, and what it wrote."""
    told = {**values.fields(entry.value.get("shell")), **entry.value}
    command, output = values.text(told.get("command")) or "", told.get("output")
    held = values.fields(output)
    written = output if isinstance(output, str) else held.get("output") or held.get("text") or held.get("stdout")
    text = "\n".join([f"$ {command}", *([written] if isinstance(written, str) else [])])
    return [chat.message("user", text, id=entry.id, at=entry.at, synthetic=True)]


def _compaction(entry: Item, notes: Notes) -> list[Message]:
    if not is_compaction(entry):
        return []
    parts = text_parts(entry.value["summary"]) + text_parts(entry.value.get("recent"))
    mark = {"reason": values.text(entry.value.get("reason")) or "auto"}
    content = chat.content_of(parts)
    usage = usage_of(entry.value)
    return [chat.message("user", content, id=entry.id, at=entry.at, compaction=mark, usage=usage, synthetic=True)]


def _assistant(entry: Item, notes: Notes) -> list[Message]:
    parts: list[chat.Part] = []
    thoughts, calls, results = [], [], []
    for content in values.objects(entry.value.get("content")):
        kind = values.text(content.get("type")) or ""
        if kind == "text":
            parts += text_parts(content.get("text"))
        elif kind == "reasoning":
            thoughts.append(values.text(content.get("text")) or "")
        elif kind == "tool":
            calls.append(_tool_call(content))
            results += _tool_result(content)
        else:
            notes.unknown[f"content {kind}"] += 1
    if not (parts or calls or any(thoughts)):
        return []
    said = chat.assistant(
        parts,
        calls,
        thoughts,
        id=entry.id,
        at=entry.at,
        model=model_of(entry.value),
        usage=usage_of(entry.value),
        error=error_of(entry.value.get("error")),
        status=status_of(entry.value.get("error")),
        stop_reason=values.text(entry.value.get("finish")),
    )
    return [said, *results]


def _tool_call(tool: dict[str, Any]) -> dict[str, Any]:
    state = values.fields(tool.get("state"))
    return chat.tool_call(values.text(tool.get("id")) or "", _name(tool) or "", state.get("input"))


def _name(tool: dict[str, Any]) -> str | None:
    return values.text(tool.get("name"))


def _tool_result(tool: dict[str, Any]) -> list[Message]:
    """The result of a tool; none where it was interrupted or still runs."""
    state = values.fields(tool.get("state"))
    if state.get("status") not in ("completed", "error"):
        return []
    parts: list[chat.Part] = []
    for content in values.objects(state.get("content")):
        parts += [file_of(content)] if content.get("type") == "file" else text_parts(content.get("text"))
    parts += [file_of(file) for file in values.objects(state.get("attachments"))]
    is_error = state["status"] == "error"
    if is_error:
        parts += text_parts(error_of(state.get("error")).get("message") or values.text(state.get("error")))
    at = values.moment(values.fields(tool.get("time")).get("completed"))
    call = values.text(tool.get("id")) or ""
    return [chat.tool_result(call, parts, name=_name(tool), is_error=is_error, at=at)]


_MADE = {
    "user": _user,
    "assistant": _assistant,
    "system": _system,
    "synthetic": _said_for_user,
    "skill": _said_for_user,
    "shell": _shell,
    "compaction": _compaction,
}
