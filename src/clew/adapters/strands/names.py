"""What Strands calls its sessions and agents, and what clew calls them."""

import re
from urllib.parse import quote

from clew import InvalidRequestError

SOURCE = "strands"
"""The `source` of the sessions."""

MAX_TITLE_CHARS = 200

_NOT_IN_A_PART = re.compile("[%/\0\ud800-\udfff]")
_NOT_IN_TEXT = re.compile("[\0\ud800-\udfff]")


def session_name(session_id: str) -> str:
    """The `source_id` of a session: its id, in which slashes and what no store takes are written as in a URL."""
    return _escaped(session_id, "session_id")


def agent_name(session_id: str, agent_id: str) -> str:
    """The `source_id` of an agent."""
    return f"{_escaped(session_id, 'session_id')}/agent/{_escaped(agent_id, 'agent_id')}"


def multi_agent_name(session_id: str, multi_agent_id: str) -> str:
    """The `source_id` of a graph or swarm."""
    return f"{_escaped(session_id, 'session_id')}/multi-agent/{_escaped(multi_agent_id, 'multi_agent_id')}"


def title(text: str) -> str:
    """A text as a store takes it for a title: NUL and lone surrogates as Python writes them, and cut."""
    line = _NOT_IN_TEXT.sub(lambda found: ascii(found[0])[1:-1], text)
    return line if len(line) <= MAX_TITLE_CHARS else line[: MAX_TITLE_CHARS - 1] + "…"


def _escaped(text: str, name: str) -> str:
    if not isinstance(text, str):
        raise InvalidRequestError(f"{name} must be text, not {type(text).__name__}")
    return _NOT_IN_A_PART.sub(lambda found: quote(found[0], safe="", errors="surrogatepass"), text)
