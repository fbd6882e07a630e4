"""What a message says, as far as it can be looked for: who says it, with which tools, and the text."""

from collections.abc import Iterator
from functools import lru_cache
from typing import Any, NamedTuple

from clew.search.words import without_data

VERSION = 2
"""Of what is taken out of a message, and of how it is cut into words: another one means another index."""

MAX_CHARS = 1_000_000
"""How much of the text of a message is looked at."""

_ROLES = {
    "function_call": "assistant",
    "function_call_output": "tool",
    "reasoning": "assistant",
}
"""Whose an item of OpenAI's Responses is that has no role."""

# What says how a message is built, or points elsewhere, and nothing that anybody said.
_SILENT = frozenset(
    {
        "role", "type", "id", "call_id", "tool_call_id", "tool_use_id", "signature", "encrypted_content", "media_type",
        "mime_type", "mimeType", "thoughtSignature", "thought_signature", "cache_control", "finish_reason",
        "stop_reason", "status", "usage", "timestamp", "model", "index", "format", "annotations", "logprobs",
        "created_at", "uuid", "parentUuid", "sessionId", "requestId",
    }
)  # fmt: skip


class Text(NamedTuple):
    """A message as it is found: by its role, by the tools that it calls or answers, and by its text."""

    role: str
    tools: list[str]
    text: str

    @property
    def tool(self) -> str | None:
        """The tool that it is about, where there is one."""
        return self.tools[0] if self.tools else None


class Document(NamedTuple):
    """A message as an index keeps it: what it is, and the words of a text."""

    facts: list[str]
    text: str


def text_of(message: Any) -> Text:
    """The text of a message in any form: OpenAI's chat and Responses, Anthropic's, Gemini's, or any other object."""
    fields = message if isinstance(message, dict) else {}
    role = fields.get("role")
    if not isinstance(role, str):
        kind = fields.get("type")
        role = _ROLES.get(kind, kind) if isinstance(kind, str) else ""
    parts: list[str] = []
    room = MAX_CHARS
    for part in _strings(message):
        part = without_data(part[:room])
        if part.strip():
            parts.append(part)
            room -= len(part) + 1
        if room <= 0:
            break
    return Text(role, list(dict.fromkeys(_tools(message))), "\n".join(parts))


def document_of(message: Any, family: int) -> Document:
    """What an index keeps of a message in a family of sessions."""
    found = text_of(message)
    facts = [family_fact(family), role_fact(found.role), *map(tool_fact, found.tools)]
    return Document(facts, found.text)


def family_fact(family: int) -> str:
    """What a message of a family has in the index. No word begins as facts do, which an index may keep beside them."""
    return f"\u00a1family{family}"


def role_fact(role: str) -> str:
    """The same of a role."""
    return f"\u00a1role{_spelled(role)}"


def tool_fact(tool: str) -> str:
    """The same of a tool."""
    return f"\u00a1tool{_spelled(tool)}"


@lru_cache(maxsize=1_000)
def _spelled(name: str) -> str:
    """A name without differences of case, in letters, digits and characters that no database cuts or drops."""
    folded = name.casefold().encode(errors="surrogatepass")[:200]
    return "".join(chr(byte) if chr(byte).isalnum() and byte < 128 else chr(0x100 + byte) for byte in folded)


def _tools(value: Any) -> Iterator[str]:
    """The names of the tools that a message calls or answers."""
    if not isinstance(value, dict):
        return
    kind = value.get("type")
    if value.get("role") in ("tool", "function") or kind in (
        "function_call",
        "custom_tool_call",
        "function_call_output",
    ):
        yield from _name(value)
    for call in _listed(value.get("tool_calls")):
        yield from _name(call.get("function") if isinstance(call.get("function"), dict) else call)
    for key in ("content", "parts"):
        for part in _listed(value.get(key)):
            if part.get("type") in ("tool_use", "server_tool_use", "mcp_tool_use", "tool_call", "tool-call"):
                yield from _name(part)
            for spelling in ("functionCall", "functionResponse", "function_call", "function_response"):
                yield from _name(part.get(spelling))


def _name(value: Any) -> Iterator[str]:
    for key in ("name", "toolName", "tool_name"):
        name = value.get(key) if isinstance(value, dict) else None
        if isinstance(name, str) and name:
            yield name
            return


def _listed(value: Any) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _strings(value: Any) -> Iterator[str]:
    """Every text in a value, in order, but those that say nothing. Names of fields are no text, arguments are."""
    pending: list[Any] = [value]
    while pending:
        item = pending.pop()
        if isinstance(item, str):
            yield item
        elif isinstance(item, list):
            pending.extend(reversed(item))
        elif isinstance(item, dict):
            is_bytes = item.get("type") == "base64" or "mimeType" in item or "mime_type" in item
            kept = [
                inner for key, inner in item.items() if key not in _SILENT and not (is_bytes and key in ("data", "url"))
            ]
            pending.extend(reversed(kept))
