"""What a message of Goose holds, as messages of the common form."""

from typing import Any

from clew.importers import chat, values
from clew.importers.goose.items import Said
from clew.importers.steps import Notes
from clew.model import Message

_SILENT = {
    "redactedThinking",  # sealed by the provider
    "toolInputDelta",  # a part of the arguments, as the model wrote them
    "toolConfirmationRequest",
    "actionRequired",
    "systemNotification",
    "conversationCompacted",
    "contextLengthExceeded",
    "summarizationRequested",
}


def messages(
    said: Said, tools: dict[str, str], notes: Notes, usage: dict[str, Any], model: str | None
) -> list[Message]:
    """The messages of one of Goose's: what was said, and the results of tools, which Goose has the user say.

    `tools` has the name of the tool of each call, and takes those of the calls that are new.
    """
    parts: list[chat.Part] = []
    thoughts, calls, results = [], [], []
    for content in said.content:
        kind = values.text(content.get("type")) or ""
        if kind in ("text", "image", "resource"):
            parts += _parts(content)
        elif kind in ("thinking", "reasoning"):
            thoughts.append(values.text(content.get("thinking")) or values.text(content.get("text")) or "")
        elif kind in ("toolRequest", "frontendToolRequest"):
            call = _call(content)
            tools[call["id"]] = call["function"]["name"]
            calls.append(call)
        elif kind == "toolResponse":
            results.append(_result(content, tools, said))
        elif kind not in _SILENT:
            notes.unknown[f"content {kind}"] += 1
    return [*_spoken(said, parts, calls, thoughts, usage, model), *results]


def _spoken(
    said: Said, parts: list[chat.Part], calls: list[Any], thoughts: list[str], usage: dict[str, Any], model: str | None
) -> list[Message]:
    """The message itself, where it says something."""
    seen_by = None if said.for_user else "agent"
    if said.role == "assistant" and (parts or calls or any(thoughts)):
        told: dict[str, Any] = {"id": said.id, "at": said.at, "usage": usage, "model": model, "visible_to": seen_by}
        return [chat.assistant(parts, calls, thoughts, **told)]
    if said.role != "assistant" and parts:
        content = chat.content_of(parts)
        return [chat.message(said.role or "user", content, id=said.id, at=said.at, visible_to=seen_by)]
    return []


def _call(content: dict[str, Any]) -> dict[str, Any]:
    """A call; one that Goose could not read has no more than its id."""
    held = values.fields(content.get("toolCall"))
    value = values.fields(held.get("value")) or (held if "name" in held else {})
    return chat.tool_call(
        values.text(content.get("id")) or "", values.text(value.get("name")) or "", value.get("arguments")
    )


def _result(content: dict[str, Any], tools: dict[str, str], said: Said) -> Message:
    id = values.text(content.get("id")) or ""
    held = content.get("toolResult")
    result = values.fields(held)
    value = result.get("value", held if isinstance(held, (list, str)) else None)
    inner = values.fields(value)
    is_error = result.get("status") == "error" or inner.get("isError") is True
    listed = inner.get("content") if inner else value
    parts: list[chat.Part] = []
    for item in _for_agent(values.objects(listed)):
        parts += _parts(item)
    if not parts:
        parts = _text_parts(result.get("error") if is_error else value if isinstance(value, str) else None)
    if not parts and inner.get("structuredContent") is not None:
        parts = _text_parts(chat.json_text(inner["structuredContent"]))
    return chat.tool_result(id, parts, name=tools.get(id), is_error=is_error, id=said.id, at=said.at)


def _for_agent(listed: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What of a result the model was given, or all of it: many tools tell the same again for the eye alone."""
    audiences = [values.fields(item.get("annotations")).get("audience") for item in listed]
    told = [
        item
        for item, audience in zip(listed, audiences, strict=True)
        if not isinstance(audience, list) or not audience or "assistant" in audience
    ]
    return told or listed


def _parts(content: dict[str, Any]) -> list[chat.Part]:
    """Content as MCP has it: text, an image, a sound, or a file."""
    if content.get("type") == "image" and (data := values.text(content.get("data"))):
        return [chat.image_part(data, values.text(content.get("mimeType")) or "image/png")]
    if content.get("type") == "audio" and (data := values.text(content.get("data"))):
        return [chat.file_part(file_data=f"data:{values.text(content.get('mimeType')) or 'audio/wav'};base64,{data}")]
    if content.get("type") == "resource_link" and (link := values.text(content.get("uri"))):
        name, media_type = values.text(content.get("name")), values.text(content.get("mimeType"))
        return [chat.file_part(url=link, filename=name, media_type=media_type)]
    if content.get("type") == "resource":
        resource = values.fields(content.get("resource"))
        uri, blob = values.text(resource.get("uri")), values.text(resource.get("blob"))
        media_type = values.text(resource.get("mimeType"))
        if blob is not None:
            data = f"data:{media_type or 'application/octet-stream'};base64,{blob}"
            return [chat.file_part(file_data=data, url=uri, media_type=media_type)]
        return _text_parts(resource.get("text"))
    return _text_parts(content.get("text"))


def _text_parts(text: Any) -> list[chat.Part]:
    return [chat.text_part(text)] if isinstance(text, str) and text else []


def usage_of(row: dict[str, Any]) -> dict[str, Any]:
    """The usage of a row of the ledger, or of a message that tells it."""
    taken = _first(row, "input_tokens", "inputTokens")
    given = _first(row, "output_tokens", "outputTokens")
    if taken is None and given is None:
        return {}
    return chat.usage_of(
        prompt=taken,
        completion=given,
        cached=_first(row, "cache_read_tokens", "cacheReadInputTokens", "cache_read_input_tokens"),
        cache_creation=_first(row, "cache_write_tokens", "cacheWriteInputTokens", "cache_write_input_tokens"),
        cost=values.number(row.get("cost")),
    )


def _first(row: dict[str, Any], *names: str) -> int | None:
    return next((count for name in names if (count := values.count(row.get(name))) is not None), None)
