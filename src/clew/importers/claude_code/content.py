"""What the records say, as messages: Anthropic's content blocks in the form that clew stores."""

import base64
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from clew.importers import chat
from clew.importers.claude_code.kinds import content_of
from clew.importers.values import count, fields, moment, number, objects, text
from clew.model import Message

_SYNTHETIC = "<synthetic>"  # the model of what Claude Code itself has written
_RAW_ONLY = frozenset({"redacted_thinking", "fallback", "compaction", "container_upload"})
_CALLS = frozenset({"tool_use", "server_tool_use", "mcp_tool_use"})


class Blocks:
    """Makes messages of records, and knows the tool calls that were made so far. `unknown` is told of new types."""

    def __init__(self, unknown: Callable[[str], None]) -> None:
        self._unknown = unknown
        self._tools: dict[str, str] = {}

    # ------------------------------------------------------------------------------------------------- of the user

    def of_user(
        self, record: dict[str, Any], nameless: deque[str], key: str, compaction: dict[str, Any] | None = None
    ) -> list[Message]:
        """The results of tool calls in a user's record, and what else it says.

        `nameless` are the calls without an id that it may have results of; `compaction` is what is known of that of
        which this is the summary.
        """
        content = fields(record.get("message")).get("content")
        at, made = moment(record.get("timestamp")), []
        for block in objects(content):
            if block.get("type") == "tool_result":
                call = text(block.get("tool_use_id")) or (nameless.popleft() if nameless else None)
                call = call or text(record.get("sourceToolUseID")) or f"{key}#result"
                made.append(self._result(call, block, at=at))
        said = self._said(
            [block for block in content if not _is_result(block)] if isinstance(content, list) else content
        )
        if said:
            made.append(chat.message("user", said, id=text(record.get("uuid")), at=at, compaction=compaction))
        return made

    def of_other(self, record: dict[str, Any]) -> list[Message]:
        """A prompt that was given while the agent worked, or a command of the program itself and what it printed."""
        said = self._said(content_of(record))
        at = moment(record.get("timestamp"))
        return [chat.message("user", said, id=text(record.get("uuid")), at=at)] if said else []

    def _said(self, content: Any) -> str | list[chat.Part]:
        if isinstance(content, str):
            return content
        return chat.content_of(part for block in content or () for part in self._parts(block))

    def _result(self, call: str, block: dict[str, Any], **more: Any) -> Message:
        content = block.get("content", block.get("text"))
        shown = self._result_content(content)
        is_error = block.get("is_error") is True or str(fields(content).get("type")).endswith("_tool_result_error")
        return chat.tool_result(call, shown, name=self._tools.get(call), is_error=is_error, **more)

    def _result_content(self, content: Any) -> str | list[chat.Part]:
        if isinstance(content, str):
            return content
        if not isinstance(content, list):
            return "" if content is None else chat.json_text(content)
        if any(str(block.get("type")).endswith("_result") for block in objects(content)):
            return chat.json_text(content)  # what a search has found
        return self._said(content)

    def _parts(self, block: Any) -> list[chat.Part]:
        """The parts that a block of text, an image or a document becomes."""
        if isinstance(block, str):
            return [chat.text_part(block)]
        if not isinstance(block, dict):
            return []
        match str(block.get("type") or "without a type"):
            case "text":
                said = block.get("text")
                return [chat.text_part(said)] if isinstance(said, str) and said else []
            case "image":
                return _image(fields(block.get("source")))
            case "document":
                return _document(block, fields(block.get("source")))
            case "tool_reference":
                return [chat.text_part(str(block.get("tool_name") or ""))]
            case kind if kind not in _RAW_ONLY:
                self._unknown(f"content block {kind[:60]}")
        said = text(block.get("text"))
        return [chat.text_part(said)] if said else []

    # ------------------------------------------------------------------------------------------------ of the model

    def of_answer(self, records: Sequence[dict[str, Any]], nameless: deque[str], key: str) -> list[Message]:
        """One answer out of its records: a message, or several where a server has run tools in between.

        What it took stands on the last of them. Calls without an id get one, which `nameless` is told.
        """
        parts: list[chat.Part] = []
        calls: list[dict[str, Any]] = []
        thoughts: list[str] = []
        made: list[Message] = []
        for block in _merged(records):
            kind = str(block.get("type"))
            if kind == "thinking":
                thoughts.append(text(block.get("thinking")) or "")
            elif kind in _CALLS:
                calls.append(self._call(block, nameless, key))
            elif kind.endswith("_tool_result"):
                made.append(_answer(records, parts, calls, thoughts))
                made.append(self._result(text(block.get("tool_use_id")) or f"{key}#result", block))
                parts, calls, thoughts = [], [], []
            else:
                parts += self._parts(block)
        if parts or calls or any(thoughts):
            made.append(_answer(records, parts, calls, thoughts))
        if made:
            made[-1].update(_beside(records))
        return made

    def _call(self, block: dict[str, Any], nameless: deque[str], key: str) -> dict[str, Any]:
        id, name = text(block.get("id")), text(block.get("name")) or ""
        if id is None:
            id = f"{key}#{len(nameless)}"
            nameless.append(id)
        self._tools[id] = name
        return chat.tool_call(id, name, block.get("input"))


def _is_result(block: Any) -> bool:
    return isinstance(block, dict) and block.get("type") == "tool_result"


def _merged(records: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The blocks of an answer, in order, each once: records may repeat those of earlier ones, or have more of them."""
    merged: list[dict[str, Any]] = []
    whose: list[Any] = []
    for record in records:
        content = fields(record.get("message")).get("content")
        blocks = [{"type": "text", "text": content}] if isinstance(content, str) else objects(content)
        before, uuid = len(merged), record.get("uuid")
        for block in blocks:
            place = next((i for i in range(before) if _is_more(block, merged[i], uuid == whose[i])), None)
            if place is None:
                merged.append(block)
                whose.append(uuid)
            else:
                merged[place] = block
    return merged


def _is_more(block: dict[str, Any], earlier: dict[str, Any], is_same_record: bool) -> bool:
    """Whether a block is an earlier one again, or, of a record that was written again, one that was not whole."""
    if block == earlier:
        return True
    if block.get("type") != earlier.get("type"):
        return False
    if id := text(block.get("id")):
        return id == earlier.get("id")
    names = [name for name in ("text", "thinking") if isinstance(block.get(name), str)]
    return is_same_record and any(block[name].startswith(str(earlier.get(name) or "")) for name in names)


def _answer(
    records: Sequence[dict[str, Any]], parts: list[chat.Part], calls: list[dict[str, Any]], thoughts: list[str]
) -> Message:
    message, model = fields(records[0].get("message")), text(_last(records, "model"))
    return chat.assistant(
        parts,
        calls,
        thoughts,
        id=text(message.get("id")) or text(records[0].get("uuid")),
        at=moment(records[0].get("timestamp")),
        model=None if model == _SYNTHETIC else model,
        is_error=any(record.get("isApiErrorMessage") is True for record in records),
    )


def _beside(records: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """What an answer took, as its last record says, and why it ended."""
    costs = [cost for record in records if (cost := number(record.get("costUSD"))) is not None]
    beside = {
        "usage": _usage(fields(_last(records, "usage")), costs[-1] if costs else None),
        "stop_reason": text(_last(records, "stop_reason")),
    }
    return {name: value for name, value in beside.items() if value}


def _last(records: Sequence[dict[str, Any]], name: str) -> Any:
    values = (fields(record.get("message")).get(name) for record in reversed(records))
    return next((value for value in values if value), None)


def _usage(usage: dict[str, Any], cost: float | None) -> dict[str, Any]:
    new = count(usage.get("input_tokens"))
    cached = count(usage.get("cache_read_input_tokens")) or 0
    created = count(usage.get("cache_creation_input_tokens")) or 0
    return chat.usage_of(
        prompt=None if new is None else new + cached + created,
        completion=count(usage.get("output_tokens")),
        cached=cached,
        reasoning=count(fields(usage.get("output_tokens_details")).get("thinking_tokens")),
        cache_creation=created,
        cost=cost,
    )


def _image(source: dict[str, Any]) -> list[chat.Part]:
    data, url = text(source.get("data")), text(source.get("url"))
    if data:
        return [chat.image_part(data, text(source.get("media_type")) or "image/png")]
    if url:
        return [chat.image_part(url)]
    file_id = text(source.get("file_id"))
    return [chat.file_part(file_id=file_id)] if file_id else []


def _document(block: dict[str, Any], source: dict[str, Any]) -> list[chat.Part]:
    name, data = text(block.get("title")), text(source.get("data"))
    if data and source.get("type") == "text":
        data = base64.b64encode(data.encode(errors="surrogatepass")).decode()
    media_type = text(source.get("media_type")) or "application/octet-stream"
    address = f"data:{media_type};base64,{data}" if data else None
    file = {"file_data": address, "file_url": text(source.get("url")), "file_id": text(source.get("file_id"))}
    return [chat.file_part(filename=name, **file)] if any(file.values()) else []
