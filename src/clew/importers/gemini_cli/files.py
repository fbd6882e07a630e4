"""Where Gemini CLI keeps its sessions, and which file is one.

Below `~/.gemini/tmp` each project has a folder, named by the SHA-256 of its path or, later, by a short name that
`~/.gemini/projects.json` and the folder's `.project_root` explain. In it are `chats/session-*.jsonl` (before: `.json`),
`chats/PARENT/ID.jsonl` of subagents, and `checkpoint-TAG.json` of `/chat save`.
"""

import hashlib
import os
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from clew import limits
from clew.errors import StorageError
from clew.importers.base import read_json
from clew.importers.formats import Source
from clew.importers.looking import is_file
from clew.importers.records import LineRecords, ListedRecords, Record, Records, Watermark
from clew.importers.steps import Notes
from clew.importers.values import fields, objects, storable, text

_LOOK_RECORDS = 10
_SAVED = "checkpoint-"
PATTERNS = ("*.jsonl", "session-*.json", _SAVED + "*.json")
_NOT_SESSIONS = frozenset(("history", "checkpoints", "tool-outputs", ".git", "node_modules"))
_ROLES = {"user": "user", "model": "gemini"}


class DocumentRecords(Records):
    """The parts of a document as the records that the program writes as lines: what it says of itself, and messages."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __iter__(self) -> Iterator[Record]:
        value = read_document(self.path)
        if value is None:
            return iter(())
        return iter(ListedRecords.of_values(_records(value)))

    def watermark(self) -> Watermark:
        return LineRecords(self.path).watermark()


def home_of(home: Path) -> Path:
    """The program's folder in a home directory; where that is the user's own, the environment may say otherwise."""
    other = os.environ.get("GEMINI_CLI_HOME")
    return (Path(other) if other and home == Path.home() else home) / ".gemini"


def files_of(path: Path) -> Iterator[Path]:
    """A file itself, and of a folder those that may be sessions, in order."""
    if not path.is_dir():
        yield from [path] if is_file(path) else []
        return
    for folder, folders, names in os.walk(path):
        folders[:] = sorted(name for name in folders if name not in _NOT_SESSIONS)
        for name in sorted(names):
            if any(fnmatch(name, pattern) for pattern in PATTERNS):
                yield Path(folder) / name


def read_file(path: Path, notes: Notes) -> Source | None:
    """The session that a file holds; None where it holds none."""
    try:
        header = _header(path)
        if header is not None:
            return _source(path, LineRecords(path), header["sessionId"], _context(path, header))
        value = read_document(path) if path.suffix != ".jsonl" else None
    except StorageError as error:
        notes.broken.append((str(path), error.message))
        return None
    if value is None:
        return None
    context: dict[str, Any] = {"document": True}
    if isinstance(value, dict) and text(value.get("sessionId")):
        return _source(path, DocumentRecords(path), value["sessionId"], {**_context(path, value), **context})
    tag = unquote(path.stem.removeprefix(_SAVED))
    # The tags of two projects may be the same.
    name = f"{path.parent.name}/{path.stem}"
    return _source(path, DocumentRecords(path), name, {**_context(path, {}), **context, "tag": tag})


def read_document(path: Path) -> Any:
    """The value of a document that is a session or a saved chat, None of another one."""
    if path.stat().st_size > limits.MAX_DOCUMENT_BYTES:
        return None
    try:
        value = read_json(path.read_bytes().removeprefix(b"\xef\xbb\xbf"))
    except (ValueError, OSError):
        return None
    if isinstance(value, dict) and isinstance(value.get("messages"), list):
        is_session = text(value.get("sessionId")) and (value.get("projectHash") or value.get("startTime"))
        return value if is_session else None
    listed = value.get("history") if isinstance(value, dict) else value
    turns = objects(listed)
    is_saved = any(text(turn.get("role")) in _ROLES and isinstance(turn.get("parts"), list) for turn in turns)
    return value if is_saved and not (isinstance(value, dict) and "toolCall" in value) else None


def _header(path: Path) -> dict[str, Any] | None:
    """The first record of a session's lines, which is not the first line of a damaged file."""
    for number, record in enumerate(LineRecords(path)):
        if number == _LOOK_RECORDS:
            return None
        try:
            value = record.value()
        except ValueError:
            continue
        named = isinstance(value, dict) and storable(value.get("sessionId"))
        if named and not {"type", "uuid", "messages"} & value.keys() and {"startTime", "projectHash"} & value.keys():
            found: dict[str, Any] = value
            return found
        if not isinstance(value, dict) or not ("$set" in value or "$rewindTo" in value or "content" in value):
            return None
    return None


def _source(path: Path, records: Records, id: str, context: dict[str, Any]) -> Source:
    return Source(source_id=id, path=path, records=records, context=context, parent=context.get("parent"))


def _records(value: Any) -> list[Any]:
    """A document as the records of lines; what it says of itself comes last: that changes while the messages do not."""
    if isinstance(value, dict) and "messages" in value:
        around = {name: item for name, item in value.items() if name != "messages"}
        return [*(_message(message, number) for number, message in enumerate(value["messages"])), around]
    around = {name: item for name, item in fields(value).items() if name != "history"}
    turns = value.get("history", []) if isinstance(value, dict) else value
    return [*(_turn(turn, number) for number, turn in enumerate(turns)), {"$set": around}]


def _message(message: Any, number: int) -> Any:
    """A message of a document, where its place names it if nothing else does."""
    if not isinstance(message, dict) or isinstance(message.get("id"), str) or not text(message.get("type")):
        return message
    return {**message, "id": f"message-{number}"}


def _turn(turn: Any, number: int) -> Any:
    """A turn of the history that is sent to the model, as a message."""
    if not isinstance(turn, dict) or text(turn.get("role")) not in _ROLES:
        return turn
    beside = {name: item for name, item in turn.items() if name not in ("role", "parts")}
    return {**beside, "id": f"turn-{number}", "type": _ROLES[turn["role"]], "content": turn.get("parts")}


def _context(path: Path, header: dict[str, Any]) -> dict[str, Any]:
    """What is known of a session from where it is."""
    folder = path.absolute().parent
    context: dict[str, Any] = {}
    if folder.parent.name == "chats":
        context["parent"] = folder.name
        folder = folder.parent
    project = folder.parent if folder.name == "chats" else folder
    cwd = _project_root(project) or _listed_project(project, text(header.get("projectHash")))
    if cwd is not None:
        context["cwd"] = cwd
    return context


def _project_root(project: Path) -> str | None:
    try:
        return storable((project / ".project_root").read_text(encoding="utf-8").strip())
    except (OSError, ValueError):
        return None


def _listed_project(project: Path, hash: str | None) -> str | None:
    """The directory whose short name, or whose SHA-256, the folder of a project has."""
    try:
        listed = fields(fields(read_json((project.parent.parent / "projects.json").read_bytes())).get("projects"))
    except (OSError, ValueError):
        return None
    for cwd, name in listed.items():
        digest = hashlib.sha256(cwd.encode(errors="surrogatepass")).hexdigest()
        if name == project.name or digest in (project.name, hash):
            return storable(cwd)
    return None
