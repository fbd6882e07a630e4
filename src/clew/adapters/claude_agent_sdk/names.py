"""What the SDK calls a transcript, and what clew calls it."""

import re
from typing import Any
from urllib.parse import quote, unquote

from claude_agent_sdk import SessionKey

from clew import CorruptStateError, InvalidRequestError

SOURCE = "claude-agent-sdk"
"""The `source` of the sessions."""

MAX_TITLE_CHARS = 200

# What would end a part too early, and what no store takes in a name.
_IN_A_PART = re.compile("[%/\0\ud800-\udfff]")
_IN_THE_LAST = re.compile("[%\0\ud800-\udfff]")
_NOT_IN_TEXT = re.compile("[\0\ud800-\udfff]")

# What an SDK's summary says of a transcript, in the order in which its own list looks for a title.
_TITLES = ("custom_title", "ai_title", "last_prompt", "summary_hint", "first_prompt", "command_fallback")


def source_id(key: SessionKey) -> str:
    """The `source_id` of a transcript: ``project_key/session_id``, and ``/subpath`` for a subagent's.

    A percent sign, NUL and lone surrogates are written as in a URL, and so are slashes in the first two.
    InvalidRequestError for a key that is none.
    """
    parts = [_escaped(_IN_A_PART, _part(key, name)) for name in ("project_key", "session_id")]
    if key.get("subpath") is not None:
        subpath = _part(key, "subpath")
        if not subpath:
            raise InvalidRequestError("subpath must not be empty: a main transcript's key has none")
        parts.append(_escaped(_IN_THE_LAST, subpath))
    return "/".join(parts)


def key_of(source_id: str) -> SessionKey:
    """The key that has this `source_id`; CorruptStateError where none has it."""
    parts = [unquote(part, errors="surrogatepass") for part in source_id.split("/", 2)]
    if len(parts) < 2:
        raise CorruptStateError(f"{source_id!r} is no source_id of a transcript")
    key: SessionKey = {"project_key": parts[0], "session_id": parts[1]}
    if len(parts) > 2:
        key["subpath"] = parts[2]
    return key


def main_key(key: SessionKey) -> SessionKey:
    """The key of the main transcript."""
    return {"project_key": key["project_key"], "session_id": key["session_id"]}


def title_of(key: SessionKey, summary: dict[str, Any]) -> str:
    """What the SDK's own list would show, in one line; the transcript's name while there is nothing else.

    The SDK says that a summary is its own business: one with other names costs the title, and nothing else.
    """
    found = next((summary[name] for name in _TITLES if isinstance(summary.get(name), str) and summary[name]), None)
    title = storable(found or key.get("subpath") or key["session_id"])
    return title if len(title) <= MAX_TITLE_CHARS else title[: MAX_TITLE_CHARS - 1] + "…"


def storable(text: str) -> str:
    """A text as a store takes it for a title or a folder: NUL and lone surrogates as Python writes them."""
    return _NOT_IN_TEXT.sub(lambda found: ascii(found[0])[1:-1], text)


def _part(key: SessionKey, name: str) -> str:
    found = key.get(name)
    if not isinstance(found, str):
        raise InvalidRequestError(f"{name} of a session key must be text, not {type(found).__name__}")
    return found


def _escaped(pattern: re.Pattern[str], text: str) -> str:
    return pattern.sub(lambda found: quote(found[0], safe="", errors="surrogatepass"), text)
