"""Messages as lines of text.

Messages are whatever was stored: a field of another type than its name suggests is shown as JSON, never an error.
"""

import json
from collections.abc import Iterator
from typing import Any

from clew.cli.output import Line, Styled
from clew.cli.text import PREVIEW_CHARS, clean, fit, one_line, shorten
from clew.model import Message

_INDENT = " " * 4
_DEEP = " " * 8
_LOOKED_AT = 10 * PREVIEW_CHARS


def message_lines(message: Message, number: int) -> Iterator[Line]:
    """One message: its number and role, its text, its tool calls, the call that it answers."""
    yield ""
    yield Styled(f"[{number}] {_role(message)}", "bold")
    yield from _body(message)


def preview(message: Message) -> str:
    """The first words of a message in one line, with its role."""
    role, words = shorten(_role(message)), ""
    for line in _body(message):
        words = f"{words} {one_line(_text(line))}".strip()
        if len(words) > PREVIEW_CHARS:
            break
    return fit(f"{role}: {words}", PREVIEW_CHARS) if words else role


def _body(message: Message) -> Iterator[Line]:
    if "role" not in message:
        yield from _item(message)
    yield from _content(message.get("content"))
    calls = message.get("tool_calls")
    if calls is not None:
        for call in calls if isinstance(calls, list) else [calls]:
            yield from _openai_call(call)
    if message.get("tool_call_id") is not None:
        yield f"{_INDENT}[tool_call_id] {_short(message['tool_call_id'])}"


def _item(message: Message) -> Iterator[Line]:
    """What the items of OpenAI's newer interface that are no messages say: calls, their results, reasoning."""
    kind = message.get("type")
    if kind == "function_call":
        yield from _call(message.get("name"), message.get("call_id"), message.get("arguments"))
    elif kind == "function_call_output":
        yield from _content(message.get("output"))
        yield f"{_INDENT}[tool_call_id] {_short(message.get('call_id'))}"
    elif kind == "reasoning":
        yield from _content(message.get("summary"))


def _text(line: Line) -> str:
    return (line if isinstance(line, str) else line.text)[:_LOOKED_AT]


def _role(message: Message) -> str:
    return _short(message.get("role") or message.get("type") or "(no role)")


def _content(content: Any) -> Iterator[Line]:
    if content is None:
        return
    for part in content if isinstance(content, list) else [content]:
        if isinstance(part, dict):
            yield from _part(part)
        else:
            yield from _indented(_shown(part), _INDENT)


def _part(part: dict[str, Any]) -> Iterator[Line]:
    kind = part.get("type")
    text = part.get("refusal") if kind == "refusal" else part.get("text")
    if isinstance(text, str):
        yield from _indented(text, _INDENT)
    elif kind == "tool_use":
        yield from _call(part.get("name"), part.get("id"), part.get("input"))
    elif kind == "tool_result":
        yield from _content(part.get("content"))
        yield f"{_INDENT}[tool_call_id] {_short(part.get('tool_use_id'))}"
    else:
        yield f"{_INDENT}[{_short(kind or 'part')}]"


def _openai_call(call: Any) -> Iterator[Line]:
    if not isinstance(call, dict) or not isinstance(call.get("function"), dict):
        yield f"{_INDENT}[tool_call]"
        yield from _indented(_shown(call), _DEEP)
        return
    function = call["function"]
    yield from _call(function.get("name"), call.get("id"), function.get("arguments"))


def _call(name: Any, id: Any, arguments: Any) -> Iterator[Line]:
    yield f"{_INDENT}[tool_call] {_short(name)} ({_short(id)})"
    yield "      arguments:"
    yield from _indented(_arguments(arguments), _DEEP)


def _arguments(arguments: Any) -> str:
    """Arguments as JSON over several lines; text that is no JSON as it is."""
    if not isinstance(arguments, str):
        return _shown(arguments)
    try:
        return json.dumps(json.loads(arguments), indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):
        return arguments


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False)


def _short(value: Any) -> str:
    return one_line(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))


def _indented(text: str, indent: str) -> Iterator[Line]:
    for line in clean(text).split("\n"):
        yield f"{indent}{line}" if line else ""
