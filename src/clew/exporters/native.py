"""What the files of other agents have in common: parts, arguments, counts, lines."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from clew.importers.values import count, fields, text


def parts_of(content: Any) -> Iterator[dict[str, Any]]:
    """The parts of a content as texts, images and files that are whole; of any other its JSON as text."""
    for part in content if isinstance(content, list) else [] if content is None else [content]:
        if isinstance(part, str):
            yield {"type": "text", "text": part}
        elif isinstance(part, dict) and (known := _known(part)) is not None:
            yield known
        else:
            yield {"type": "text", "text": json.dumps(part, ensure_ascii=False)}


def _known(part: dict[str, Any]) -> dict[str, Any] | None:
    kind = part.get("type")
    if kind == "text" and isinstance(part.get("text"), str):
        return {"type": "text", "text": part["text"]}
    if kind == "image_url":
        given = part.get("image_url")
        url = text(fields(given).get("url")) or text(given)
        return None if url is None else {"type": "image_url", "image_url": {"url": url}}
    if kind == "file" and isinstance(part.get("file"), dict):
        return {"type": "file", "file": part["file"]}
    return None


def arguments_of(function: dict[str, Any]) -> dict[str, Any]:
    """The arguments of a call as an object; those that are none stand under a name of their own."""
    given = function.get("arguments")
    if isinstance(given, str):
        try:
            value = json.loads(given) if given else {}
        except (ValueError, RecursionError):
            return {"arguments": given}
        return value if isinstance(value, dict) else {"arguments": value}
    return given if isinstance(given, dict) else {} if given is None else {"arguments": given}


def usage_counts(usage: dict[str, Any]) -> dict[str, int]:
    """The tokens that an answer took, by what for; 0 where that is not known."""
    prompt, completion = fields(usage.get("prompt_tokens_details")), fields(usage.get("completion_tokens_details"))
    counts = {
        "prompt": usage.get("prompt_tokens"),
        "completion": usage.get("completion_tokens"),
        "cached": prompt.get("cached_tokens"),
        "reasoning": completion.get("reasoning_tokens"),
        "created": usage.get("cache_creation_tokens"),
    }
    return {name: count(value) or 0 for name, value in counts.items()}


def milliseconds(moment: datetime) -> str:
    """A time as agents write it: UTC, to a millisecond."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03}Z"


def json_line(value: Any) -> bytes:
    """A value as a line of JSON; half a character as an escape."""
    try:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
    except UnicodeEncodeError:
        return json.dumps(value, separators=(",", ":")).encode() + b"\n"
