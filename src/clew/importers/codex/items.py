"""What the items of OpenAI's Responses API, and the events of Codex, hold: text, parts, calls and their results."""

import json
import re
from collections.abc import Iterable
from typing import Any

from clew.importers import chat
from clew.importers.chat import Part
from clew.importers.values import fields, number, objects, text

_TEXTS = frozenset(
    ("input_text", "output_text", "text", "Text", "inputText", "summary_text", "reasoning_text", "refusal")
)
_IMAGES = frozenset(("input_image", "image", "inputImage", "local_image"))
_EXIT = re.compile(r"(?:Exit code: |(?:.{0,200}\n)?Process exited with code )(-?\d+)", re.DOTALL)
_BASE64_BEGINNINGS = {"iVBOR": "image/png", "/9j/": "image/jpeg", "UklGR": "image/webp", "R0lGOD": "image/gif"}

_CONTEXTS = """environment_context user_instructions permissions turn_aborted user_shell_command skill
subagent_notification recommended_plugins collaboration_mode apps_instructions plugins_instructions
skills_instructions hook_prompt model_switch realtime_conversation personality_spec legacy_ instructions
goal_context"""
_ABORTED = "<turn_aborted"
_CONTEXT_BEGINNINGS = ("# agents.md instructions", *(f"<{tag}" for tag in _CONTEXTS.split()))
_REQUEST = "## My request for Codex:"  # what an editor's extension puts between its context and the prompt


def parts_of(content: Any) -> list[Part]:
    """The parts of a content: text, or a list of texts, images and files."""
    if isinstance(content, str):
        return [chat.text_part(content)] if content else []
    found = (_part(item) for item in objects([content] if isinstance(content, dict) else content))
    return [part for part in found if part is not None]


def _part(item: dict[str, Any]) -> Part | None:
    kind = text(item.get("type"))
    if kind in _IMAGES:
        return _image(item)
    if kind == "input_file":
        return chat.file_part(file_data=text(item.get("file_data")), filename=text(item.get("filename")))
    shown = text(item.get("text"))
    if shown is not None and (kind in _TEXTS or kind is None):
        return chat.text_part(shown)
    return None


def _image(item: dict[str, Any]) -> Part | None:
    url = item.get("image_url", item.get("imageUrl"))
    url = text(url.get("url")) if isinstance(url, dict) else text(url)
    data = text(item.get("data"))
    if url is None and data is not None:
        return picture(data, text(item.get("mimeType")))
    if url is None:
        path = text(item.get("path"))
        return None if path is None else chat.file_part(path=path)
    return chat.image_part(url)


def picture(data: str, media_type: str | None = None) -> Part:
    """An image, by the base64 of its bytes."""
    begins = (kind for begin, kind in _BASE64_BEGINNINGS.items() if data.startswith(begin))
    return chat.image_part(data, media_type or next(begins, "image/png"))


def text_in(content: Any) -> str:
    """The text of a content."""
    return "\n".join(part["text"] for part in parts_of(content) if part["type"] == "text")


def is_context(content: Any) -> bool:
    """Whether what stands as a user's message is Codex's own: the environment, instructions, a notice."""
    return _begins_with(content, _CONTEXT_BEGINNINGS)


def tells_of_abortion(content: Any) -> bool:
    """Whether a message is what Codex tells the model of a turn that was interrupted. It comes before the event."""
    return _begins_with(content, (_ABORTED,))


def _begins_with(content: Any, beginnings: tuple[str, ...]) -> bool:
    texts = (part["text"] for part in parts_of(content) if part["type"] == "text")
    return any(shown.lstrip()[:60].lower().startswith(beginnings) for shown in texts)


def prompt_in(shown: str) -> str:
    """What the user wrote, without what an editor put before it."""
    return shown.rsplit(_REQUEST, 1)[-1].strip()


def thoughts_of(item: dict[str, Any]) -> tuple[list[str], list[str]]:
    """What a reasoning item says: what is to be shown of it, and all of it."""
    summary = [text_in(part) for part in objects(item.get("summary"))]
    raw = [text_in(part) for part in objects(item.get("content"))]
    summary, raw = [part for part in summary if part], [part for part in raw if part]
    return summary or raw, summary + raw


# ------------------------------------------------------------------------------------------------------------- calls


def call_of(kind: str, item: dict[str, Any], position: int) -> dict[str, Any]:
    """The tool call that an item is."""
    id = call_id(item) or f"call_{position}"
    if kind == "local_shell_call":
        return chat.tool_call(id, "local_shell", fields(item.get("action")))
    if kind == "web_search_call":
        return chat.tool_call(id, "web_search", fields(item.get("action")))
    if kind == "image_generation_call":
        prompt = text(item.get("revised_prompt"))
        return chat.tool_call(id, "image_generation", {} if prompt is None else {"prompt": prompt})
    if kind == "tool_search_call":
        return chat.tool_call(id, "tool_search", item.get("arguments"))
    given = item.get("input")
    if kind == "custom_tool_call" and isinstance(given, str):
        # What such a tool takes is any text; arguments are JSON.
        return chat.tool_call(id, _tool_name(item), {"input": given})
    arguments = given if kind == "custom_tool_call" else item.get("arguments")
    return chat.tool_call(id, _tool_name(item), arguments if arguments is not None else given)


def call_id(item: dict[str, Any]) -> str | None:
    """What a call and its result name each other by."""
    names = ("call_id", "callId", "tool_call_id", "id")
    return next((id for name in names if (id := text(item.get(name))) is not None), None)


def _tool_name(item: dict[str, Any]) -> str:
    name = text(item.get("name")) or text(fields(item.get("function")).get("name")) or text(item.get("tool")) or "?"
    space = text(item.get("namespace"))
    if space is None:
        return name
    return space + name if space.endswith("_") else f"{space}.{name}"


SERVER_CALLS = frozenset(("web_search_call", "image_generation_call"))
"""Calls that the model's server carries out: no item tells what came of them but the call itself."""

CALLS = SERVER_CALLS | {"function_call", "custom_tool_call", "local_shell_call", "tool_search_call", "tool_call"}
OUTPUTS = frozenset(("function_call_output", "custom_tool_call_output", "tool_search_output", "tool_result"))


def server_result(kind: str, item: dict[str, Any]) -> tuple[list[Part], bool]:
    """What came of a call that the server carried out, and whether it failed."""
    status, result = text(item.get("status")), text(item.get("result"))
    parts = [picture(result)] if kind == "image_generation_call" and result is not None else []
    return parts or [chat.text_part(status or "completed")], status == "failed"


# ----------------------------------------------------------------------------------------------------------- results


def output_of(kind: str, item: dict[str, Any]) -> tuple[list[Part], bool]:
    """The content of a result, and whether it is an error."""
    if kind == "tool_search_output":
        return [chat.text_part(chat.json_text(item.get("tools") or []))], item.get("status") == "failed"
    if kind == "tool_result":
        value = next((item[name] for name in ("output", "result", "content") if name in item), None)
        return _loose_output(value)
    return _output(item.get("output"))


def _output(output: Any) -> tuple[list[Part], bool]:
    if isinstance(output, str):
        return _told_output(output)
    if isinstance(output, dict) and "type" not in output:
        body = output.get("content_items") or output.get("content")
        return _parts_or_json(body), output.get("success") is False
    return _parts_or_json(output), False


def _told_output(output: str) -> tuple[list[Part], bool]:
    """The result of a command is often JSON in text, with its exit code beside what it printed."""
    if output.startswith("{"):
        told = _json_object(output)
        if isinstance(told.get("output"), str) and isinstance(told.get("metadata"), dict):
            return _texts(told["output"]), _failed(told["metadata"].get("exit_code"))
    exited = _EXIT.match(output)
    return _texts(output), exited is not None and int(exited.group(1)) != 0


def _loose_output(value: Any) -> tuple[list[Part], bool]:
    told = fields(value)
    if "stdout" in told or "stderr" in told:
        printed = [shown for name in ("stdout", "stderr") if (shown := text(told.get(name))) is not None]
        return _texts("".join(printed)), _failed(told.get("exitCode", told.get("exit_code")))
    return _output(value)


def _json_object(output: str) -> dict[str, Any]:
    try:
        return fields(json.loads(output))
    except (ValueError, RecursionError):
        return {}


def _failed(exit_code: Any) -> bool:
    return number(exit_code) not in (None, 0.0)


def _texts(shown: str) -> list[Part]:
    return [chat.text_part(shown)] if shown else []


def _parts_or_json(value: Any) -> list[Part]:
    if value is None:
        return []
    return parts_of(value) or ([] if value in ("", [], {}) else [chat.text_part(chat.json_text(value))])


RESULT_EVENTS = frozenset(("exec_command_end", "mcp_tool_call_end", "patch_apply_end", "dynamic_tool_call_response"))
"""Events that tell the result of a call too."""

RESULT_ITEMS = frozenset(("CommandExecution", "McpToolCall", "FileChange"))
"""And the types of `item_completed` that do."""


def event_result(event: dict[str, Any]) -> tuple[list[Part], bool]:
    """The result that an event tells of."""
    failed = event.get("success") is False or event.get("status") == "failed" or _failed(event.get("exit_code"))
    result, items = fields(event.get("result")), event.get("content_items")
    if result or items is not None:
        return _told_by_server(result, items, failed)
    names = ("aggregated_output", "formatted_output")
    printed = next((shown for name in names if (shown := text(event.get(name))) is not None), None)
    if printed is None:
        printed = "".join(shown for name in ("stdout", "stderr") if (shown := text(event.get(name))) is not None)
    return _texts(printed), failed


def _told_by_server(result: dict[str, Any], items: Any, failed: bool) -> tuple[list[Part], bool]:
    if "Err" in result:
        return _parts_or_json(result["Err"]), True
    told = fields(result.get("Ok")) or result
    body = told.get("content") if items is None else items
    return _parts_or_json(body), failed or told.get("isError") is True


def texts_of_event(kind: str | None, event: dict[str, Any]) -> list[str]:
    """What an event says that was thought."""
    if kind == "item_completed":
        item = fields(event.get("item"))
        listed: Iterable[Any] = [*_listed(item.get("summary_text")), *_listed(item.get("raw_content"))]
    else:
        listed = [event.get("text")]
    return [shown for value in listed if (shown := text(value)) is not None]


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
