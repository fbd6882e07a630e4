"""The form in which imported messages are stored: OpenAI's chat messages, with what agents add under names of its own.

    {"role": "user", "content": TEXT or PARTS}
    {"role": "assistant", "content": TEXT, PARTS or None, "tool_calls": [...], "reasoning_content": TEXT}
    {"role": "tool", "tool_call_id": ID, "name": TOOL, "content": TEXT or PARTS, "is_error": true}
    {"role": "system", "content": TEXT}

Parts are `{"type": "text", "text": …}`, `{"type": "image_url", "image_url": {"url": "data:…"}}` and
`{"type": "file", "file": {…}}`. Where the source says so, a message has also `id` (its name there), `timestamp`
(RFC 3339, UTC), `model` (of the answer), `usage` (below), `stop_reason` (as the source says it), `status` (`aborted`
where an answer was interrupted) and `compaction`, an object, on the summary that stands for what was before it. What
does not hold is left out: there is no `is_error: false`.

`usage` has OpenAI's names: `prompt_tokens` (all of them, those from a cache too), `completion_tokens`,
`prompt_tokens_details.cached_tokens`, `completion_tokens_details.reasoning_tokens`; and `cache_creation_tokens` and
`cost` (US dollars), which OpenAI has no name for.
"""

import json
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from clew.model import Message
from clew.times import to_rfc3339

Part = dict[str, Any]


def message(
    role: str,
    content: str | list[Part] | None,
    *,
    id: str | None = None,
    at: datetime | None = None,
    model: str | None = None,
    usage: dict[str, Any] | None = None,
    **more: Any,
) -> Message:
    """A message of this form; of what else is given, what is None, False or empty is left out."""
    made: Message = {"role": role, "content": content}
    timestamp = None if at is None else to_rfc3339(at)
    beside = {**more, "id": id, "timestamp": timestamp, "model": model, "usage": usage}
    made.update({name: value for name, value in beside.items() if value not in (None, False, "", [], {})})
    return made


def assistant(
    parts: Iterable[Part], calls: Sequence[dict[str, Any]] = (), reasoning: Iterable[str] = (), **more: Any
) -> Message:
    """An answer: its text and other parts, its tool calls, and what it thought before."""
    content = content_of(parts)
    thought = "\n\n".join(text for text in reasoning if text)
    return message("assistant", content or None, tool_calls=list(calls), reasoning_content=thought, **more)


def tool_call(id: str, name: str, arguments: Any) -> dict[str, Any]:
    """A call as an answer has it; arguments that are not text yet become JSON."""
    text = arguments if isinstance(arguments, str) else json_text({} if arguments is None else arguments)
    return {"id": id, "type": "function", "function": {"name": name, "arguments": text}}


def tool_result(
    call_id: str, content: str | Iterable[Part], *, name: str | None = None, is_error: bool = False, **more: Any
) -> Message:
    """What a tool call came to."""
    shown = content if isinstance(content, str) else content_of(content)
    return message("tool", shown, tool_call_id=call_id, name=name, is_error=is_error, **more)


def text_part(text: str) -> Part:
    """A part that is text."""
    return {"type": "text", "text": text}


def image_part(data: str, media_type: str | None = None) -> Part:
    """A part that is an image: a URL, or the base64 of its bytes, which takes its media type."""
    url = data if media_type is None else f"data:{media_type};base64,{data}"
    return {"type": "image_url", "image_url": {"url": url}}


def file_part(**file: Any) -> Part:
    """A part that is a file: `file_data` (a data: URL), `filename`, `path`, … as far as they are known."""
    return {"type": "file", "file": {name: value for name, value in file.items() if value is not None}}


def content_of(parts: Iterable[Part]) -> str | list[Part]:
    """The content that has these parts: text where they are nothing but one text, or none."""
    listed = list(parts)
    if not listed:
        return ""
    if len(listed) == 1 and listed[0]["type"] == "text":
        text: str = listed[0]["text"]
        return text
    return listed


def text_of(made: Message) -> str:
    """The text of a message of this form, its parts a line each; plain messages may hold anything."""
    content = made.get("content")
    if isinstance(content, str):
        return content
    parts = (part for part in content if isinstance(part, dict)) if isinstance(content, list) else ()
    texts = (part.get("text") for part in parts if part.get("type") == "text")
    return "\n".join(text for text in texts if isinstance(text, str))


def usage_of(
    *,
    prompt: int | None = None,
    completion: int | None = None,
    cached: int | None = None,
    reasoning: int | None = None,
    cache_creation: int | None = None,
    cost: float | None = None,
) -> dict[str, Any]:
    """What an answer took, as far as it is known; what is None or 0 is left out but for prompt and completion."""
    usage: dict[str, Any] = {"prompt_tokens": prompt, "completion_tokens": completion}
    usage = {name: value for name, value in usage.items() if value is not None}
    if cached:
        usage["prompt_tokens_details"] = {"cached_tokens": cached}
    if reasoning:
        usage["completion_tokens_details"] = {"reasoning_tokens": reasoning}
    if cache_creation:
        usage["cache_creation_tokens"] = cache_creation
    if cost:
        usage["cost"] = cost
    return usage


def json_text(value: Any) -> str:
    """A value as the text of a tool call's arguments."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
