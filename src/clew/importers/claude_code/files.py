"""The files of Claude Code: which they are, and whose session each of them holds."""

import os
import re
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec

from clew.errors import StorageError
from clew.importers.base import read_json
from clew.importers.claude_code.kinds import BESIDE, CHAIN, json_value
from clew.importers.looking import is_file
from clew.importers.records import LineRecords
from clew.importers.values import fields, text

SUFFIX = ".jsonl"
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_LOOKED_AT = 50  # records at the beginning of a file
_MAX_META_BYTES = 1024 * 1024
_AGENT = "agent-"
_SUBAGENTS = "subagents"


class Peek(msgspec.Struct):
    """What the first records of a file tell."""

    is_session: bool = False
    session: str | None = None
    agent_id: str | None = None
    is_sidechain: bool = False


def peek(path: Path) -> Peek:
    """Look at the first records of a file. What cannot be read is no session."""
    found = Peek()
    try:
        for record in islice(LineRecords(path), _LOOKED_AT):
            value = fields(json_value(record))
            found.session = found.session or text(value.get("sessionId"))
            if "parts" in fields(value.get("message")):
                return Peek()  # Qwen Code's records are like these, but what they hold is Gemini's
            found.is_session = found.is_session or _is_of_chain(value) or _is_beside(value)
            if value.get("type") in ("user", "assistant") and "content" in fields(value.get("message")):
                found.agent_id = text(value.get("agentId"))
                found.is_session, found.is_sidechain = True, value.get("isSidechain") is True
                return found
    except (StorageError, OSError):
        return Peek()
    return found


def _is_of_chain(value: dict[str, Any]) -> bool:
    is_talk = value.get("type") in ("user", "assistant")  # which has a message, or is another program's
    return not is_talk and text(value.get("sessionId")) is not None and "parentUuid" in value and "uuid" in value


def _is_beside(value: dict[str, Any]) -> bool:
    kind = value.get("type")
    if kind == "summary":
        return "leafUuid" in value
    if kind == "file-history-snapshot":
        return "snapshot" in value
    is_known = isinstance(kind, str) and kind in BESIDE and "-" in kind  # other tools have records of the plain names
    return is_known and "payload" not in value and text(value.get("sessionId")) is not None


def holds_only_facts(path: Path) -> bool:
    """Whether every record of a file is of a type that is known to hold no message."""
    values = (fields(json_value(record)).get("type") for record in LineRecords(path))
    known = (BESIDE | CHAIN) - {"user", "assistant"}
    return all(isinstance(kind, str) and kind in known for kind in values)


def is_damaged(path: Path) -> bool:
    """Whether a file has the name of a session's or subagent's, but nothing in it that can be read."""
    if not is_named_by_id(path) and not is_agents(path, Peek()):
        return False
    try:
        values = (json_value(record) for record in islice(LineRecords(path), _LOOKED_AT))
        return not any(isinstance(value, dict) for value in values)
    except (StorageError, OSError):
        return True


def files(folder: Path, note: Callable[[str, str], object]) -> Iterator[Path]:
    """The files below a folder that may hold sessions, in a fixed order; `note` is told what cannot be listed."""

    def failed(error: OSError) -> None:
        note(str(error.filename), f"cannot be listed: {error.strerror}")

    for top, folders, names in os.walk(folder, onerror=failed):
        folders.sort()
        for name in sorted(names):
            path = Path(top, name)
            if path.suffix == SUFFIX and is_file(path) and path.stat().st_size:
                yield path


def is_named_by_id(path: Path) -> bool:
    """Whether a file has the name that Claude Code gives to one of a session."""
    return _UUID.fullmatch(path.stem) is not None


def is_agents(path: Path, look: Peek) -> bool:
    """Whether a file is that of a subagent."""
    return path.stem.startswith(_AGENT) and (_SUBAGENTS in path.parts or look.agent_id is not None or look.is_sidechain)


class AgentFile:
    """Whose a subagent's file is: where it lies, and the sidecar beside it."""

    def __init__(self, path: Path, look: Peek) -> None:
        self.meta = _read_meta(path.with_suffix(".meta.json"))
        self.id = look.agent_id or path.stem.removeprefix(_AGENT)
        home = path.parent
        while _SUBAGENTS in home.parts and home.name != _SUBAGENTS:
            home = home.parent
        is_below = home.name == _SUBAGENTS
        named = look.session if look.session and not look.session.startswith(_AGENT) else None
        self.session = home.parent.name if is_below else named
        self.project = home.parent.parent if is_below else path.parent

    @property
    def main_file(self) -> Path | None:
        """The file of the session that it belongs to, where it is there."""
        path = self.project / f"{self.session}{SUFFIX}"
        return path if self.session and path.is_file() else None

    @property
    def source_id(self) -> str:
        return agent_source_id(self.session, self.id)

    @property
    def parent(self) -> str | None:
        """The `source_id` of the session that spawned it."""
        above = text(self.meta.get("parentAgentId"))
        return self.session if above is None else agent_source_id(self.session, above.removeprefix(_AGENT))


def agent_source_id(session: str | None, agent_id: str) -> str:
    """The name of a subagent's session: agents have short ids, so that of the session stands before it."""
    return f"{session}/{_AGENT}{agent_id}" if session else f"{_AGENT}{agent_id}"


def _read_meta(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            return fields(read_json(file.read(_MAX_META_BYTES)))
    except (OSError, ValueError):
        return {}  # it is optional, and the records say most of it
