"""Messages of OpenCode 1.x and before: a message and its parts, which may be several calls of the model."""

import re
from datetime import datetime
from typing import Any
from urllib.parse import unquote, urlsplit

import msgspec

from clew.importers import chat, values
from clew.importers.opencode.items import DAMAGED, Item
from clew.importers.steps import Notes
from clew.model import Message

SUMMARY_QUESTION = "What did we do so far?"
"""What OpenCode asks the model when it compacts a conversation; only the part that stands for it is stored."""

_SHOWN = {"text", "reasoning", "tool", "file"}
_SILENT = {
    "step-start",
    "step-finish",
    "snapshot",
    "patch",
    "agent",
    "subtask",
    "retry",
    "compaction",
    "source-url",
    DAMAGED,
}
_IMAGE = re.compile(r"image/|data:image/")


class Call(msgspec.Struct):
    """What one call of the model came to: the parts of its answer, and the part that ended it."""

    parts: list[Item] = []
    finish: dict[str, Any] = {}
    is_marked: bool = False
    is_cut: bool = False


def calls(parts: list[Item], cut: str | None = None) -> list[Call]:
    """The parts of an answer by the call of the model that they are from, one at least.

    `step-start` begins a call, and so does what is said after a tool has come to its end. What comes from the part
    `cut` on, which somebody has taken back, is apart.
    """
    made = [Call()]
    for part in parts:
        if cut is not None and part.id == cut:
            made.append(Call(is_cut=True))
        last = made[-1]
        if part.type == "step-start":
            if last.parts or last.finish:
                made.append(Call(is_marked=True))
            last = made[-1]
            last.is_marked = True
        elif part.type == "step-finish":
            _finished(made).finish = part.value
        elif part.type in _SHOWN:
            if last.finish or _is_next(part, last):
                made.append(last := Call())
            last.parts.append(part)
    return made


def _is_next(part: Item, call: Call) -> bool:
    """Whether a part is from a later call of the model than the one before, as it comes after the result of a tool."""
    tools = [tool for tool in call.parts if tool.type == "tool"]
    if part.type == "tool" or not tools:
        return False
    ends = [_ended(values.fields(tool.value.get("state"))) for tool in tools]
    return not call.is_marked or all(end is not None and part.at is not None and end <= part.at for end in ends)


def _finished(made: list[Call]) -> Call:
    """The call that a `step-finish` is of: the last one with an answer."""
    return made[-2] if len(made) > 1 and not made[-1].parts and not made[-2].finish else made[-1]


def unknown_parts(parts: list[Item], notes: Notes) -> None:
    """Note the parts of types that are not known."""
    for part in parts:
        if part.type not in _SHOWN | _SILENT:
            notes.unknown[f"part {part.type}"] += 1


def user(message: Item, parts: list[Item]) -> list[Message]:
    """What the user said, and what OpenCode said in their name."""
    shown: list[chat.Part] = []
    for part in parts:
        if part.type == "text" and not part.value.get("ignored"):
            shown += text_parts(part.value.get("text"))
        elif part.type == "file":
            shown.append(file_of(part.value))
        elif part.type == "subtask":
            shown += text_parts(part.value.get("prompt"))
        elif part.type == "compaction":
            shown += text_parts(SUMMARY_QUESTION)
    if not shown:
        return []
    synthetic = not any(is_prompt(part) for part in parts)
    content = chat.content_of(shown)
    return [chat.message("user", content, id=message.id, at=message.at, synthetic=synthetic)]


def is_prompt(part: Item) -> bool:
    """Whether a part is something that a user has written or attached."""
    if part.type == "text":
        return not part.value.get("synthetic") and not part.value.get("ignored")
    return part.type in ("file", "subtask")


def answer(
    message: Item, call: Call, *, usage: dict[str, Any], first: bool, compaction: dict[str, Any]
) -> list[Message]:
    """What the model answered in one call, and the results of its tools."""
    shown: list[chat.Part] = []
    thoughts, made, results = [], [], []
    for part in call.parts:
        if part.type == "text":
            shown += text_parts(part.value.get("text"))
        elif part.type == "file":
            shown.append(file_of(part.value))
        elif part.type == "reasoning":
            thoughts.append(values.text(part.value.get("text")) or "")
        elif part.type == "tool":
            made.append(_tool_call(part))
            results += _tool_result(part)
    if not (shown or made or any(thoughts)):
        return []
    said = chat.assistant(
        shown,
        made,
        thoughts,
        id=message.id,
        at=message.at if first else next((part.at for part in call.parts if part.at), message.at),
        model=model_of(message.value),
        usage=usage,
        error=error_of(message.value.get("error")),
        status=status_of(message.value.get("error")),
        stop_reason=values.text(call.finish.get("reason")),
        compaction=compaction,
    )
    return [said, *results]


def model_of(info: dict[str, Any]) -> str | None:
    """The model of a message: under `modelID`, or under `model` in several shapes."""
    model = values.fields(info.get("model"))
    named = info.get("modelID") or model.get("modelID") or model.get("id") or info.get("model")
    return values.text(named)


def usage_of(holder: dict[str, Any]) -> dict[str, Any]:
    """The usage of a `step-finish` or a message.

    OpenCode counts what was read from and written to a cache apart from the input, and reasoning apart from the output.
    """
    tokens = values.fields(holder.get("tokens"))
    cache = values.fields(tokens.get("cache"))
    read, written = values.count(cache.get("read")), values.count(cache.get("write"))
    taken, given = values.count(tokens.get("input")), values.count(tokens.get("output"))
    reasoning = values.count(tokens.get("reasoning"))
    if not (read or written or taken or given or reasoning):
        return {}
    cost = holder.get("cost")
    return chat.usage_of(
        prompt=(taken or 0) + (read or 0) + (written or 0),
        completion=(given or 0) + (reasoning or 0),
        cached=read,
        reasoning=reasoning,
        cache_creation=written,
        cost=values.number(values.fields(cost).get("usd") if isinstance(cost, dict) else cost),
    )


def error_of(error: Any) -> dict[str, Any]:
    """What is told of an answer that failed: `name` and `message`."""
    held = values.fields(error)
    told = values.fields(held.get("data")).get("message") or held.get("message")
    named = {"name": values.text(held.get("name") or held.get("type")), "message": values.text(told)}
    return {name: value for name, value in named.items() if value}


def status_of(error: Any) -> str | None:
    """What the error of an answer says of its end: that somebody has interrupted it."""
    return "aborted" if "abort" in error_of(error).get("name", "").lower() else None


def text_parts(text: Any) -> list[chat.Part]:
    """Text as parts: none where there is no text."""
    return [chat.text_part(text)] if isinstance(text, str) and text else []


def file_of(file: dict[str, Any]) -> chat.Part:
    """A file or image that is attached: by its data, its path or its URL."""
    source = values.fields(file.get("source"))
    media_type = values.text(file.get("mime")) or values.text(file.get("mediaType"))
    url = values.text(file.get("url")) or values.text(file.get("uri")) or values.text(source.get("uri"))
    name = values.text(file.get("filename")) or values.text(file.get("name"))
    data = values.text(file.get("data")) or values.text(source.get("data"))
    if url is None and data is not None:
        url = data if data.startswith("data:") else f"data:{media_type or 'application/octet-stream'};base64,{data}"
    path = values.text(source.get("path"))
    if url is not None and url.startswith("file:"):
        path, url = _path_of(url) or path, None
    if url is not None and _IMAGE.match(media_type or url):
        return chat.image_part(url)
    is_data = url is not None and url.startswith("data:")
    return chat.file_part(
        file_data=url if is_data else None,
        url=None if is_data else url,
        filename=name,
        path=path,
        media_type=media_type,
    )


def _path_of(url: str) -> str | None:
    try:
        return unquote(urlsplit(url).path) or None
    except ValueError:
        return None


def _tool_call(part: Item) -> dict[str, Any]:
    state = values.fields(part.value.get("state"))
    arguments = state.get("input")
    if not arguments and values.text(state.get("raw")):
        arguments = state["raw"]  # it was interrupted while the model was still writing them
    return chat.tool_call(call_id(part), _tool(part) or "", arguments)


def call_id(part: Item) -> str:
    """The id of a tool call: its own, else that of its part."""
    return values.text(part.value.get("callID")) or part.id


def _tool(part: Item) -> str | None:
    return values.text(part.value.get("tool"))


def _tool_result(part: Item) -> list[Message]:
    """The result of a tool; none where it was interrupted or still runs."""
    state = values.fields(part.value.get("state"))
    at = _ended(state) or part.at
    status = state.get("status") or ("completed" if "output" in state else "error" if "error" in state else None)
    if status == "completed":
        attached = [file_of(file) for file in values.objects(state.get("attachments"))]
        parts = text_parts(_text(state.get("output"))) + attached
        return [chat.tool_result(call_id(part), parts, name=_tool(part), at=at)]
    if status == "error":
        kept = values.fields(state.get("metadata")).get("output")  # what it had written when it was interrupted
        text = values.text(kept) or _text(state.get("error"))
        return [chat.tool_result(call_id(part), text, name=_tool(part), is_error=True, at=at)]
    return []


def _ended(state: dict[str, Any]) -> datetime | None:
    return values.moment(values.fields(state.get("time")).get("end"))


def _text(value: Any) -> str:
    return value if isinstance(value, str) else "" if value is None else chat.json_text(value)
