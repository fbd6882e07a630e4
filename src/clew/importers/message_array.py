"""Imports one conversation from a file of messages, as programs that call a model's API keep it.

Taken are a JSON array of messages, JSON lines with a message each, and an object with the array under `messages`,
which is the body of a request to OpenAI or Anthropic; Anthropic's `system` becomes the first message, and what else the
object holds (`model`, `tools`, …) is kept in the session's metadata under `messages`.

The name of the session is the hash of its messages: the same conversation is imported once, wherever the file is moved
and whichever of the forms it is in. A conversation that has grown is a new one.
"""

import hashlib
import json
from pathlib import Path
from typing import Any

import msgspec

from clew import checks
from clew.errors import InvalidRequestError, NotFoundError, StorageError
from clew.importers.base import Importer, ImportSteps, Progress, Tally, read_json, require_file, title_of
from clew.messages import encode_messages
from clew.model import Message
from clew.store import Store

SOURCE = "messages"
_BOM = b"\xef\xbb\xbf"
_LOOK_BYTES = 4096


class MessageArrayImporter(Importer):
    """A file that holds one conversation in OpenAI's or Anthropic's form."""

    name = SOURCE
    summary = "OpenAI or Anthropic messages (JSON or JSON lines)"

    def detect(self, path: Path) -> bool:
        try:
            require_file(path)
            with path.open("rb") as file:
                begin = file.read(_LOOK_BYTES).removeprefix(_BOM).lstrip()
            if begin[:1] not in (b"[", b"{"):
                return False  # not worth reading: it may be large
            _read_file(path, Tally(self.name, path))
        except (StorageError, OSError):
            return False
        return True

    def locations(self, home: Path) -> list[Path]:
        return []  # no program's own place

    def steps(self, store: Store, path: Path, *, dry_run: bool = False) -> ImportSteps:
        tally = Tally(self.name, path, dry_run=dry_run)
        conversation = _read_file(path, tally)
        title = title_of(_first_request(conversation.messages), path.stem)
        if _exists(store, conversation.name):
            tally.sessions_unchanged = tally.checkpoints_known = 1
        else:
            if dry_run:
                _check(conversation)
            else:
                _write(store, conversation, title)
            tally.sessions_created = tally.checkpoints_created = 1
            tally.messages = len(conversation.messages)
        yield Progress(1, 1, title)
        return tally.report()


def _write(store: Store, conversation: "_Conversation", title: str) -> None:
    # Another import may be doing the same: whoever is second finds what the first has made.
    store.ensure_session(
        SOURCE,
        conversation.name,
        title=title,
        messages=conversation.messages,
        session_metadata={SOURCE: conversation.around} if conversation.around else None,
    )


def _check(conversation: "_Conversation") -> None:
    """Refuse what the store would."""
    encode_messages(conversation.messages)
    checks.session_metadata({SOURCE: conversation.around} if conversation.around else None, "session_metadata")


class _Conversation(msgspec.Struct, frozen=True):
    """What a file holds; `around` is what stood beside the messages."""

    messages: list[Message]
    around: dict[str, Any]

    @property
    def name(self) -> str:
        """The same for the same messages, however the file spells them."""
        digest = hashlib.sha256()
        for message in self.messages:
            digest.update(json.dumps(message, sort_keys=True, separators=(",", ":")).encode() + b"\n")
        return digest.hexdigest()


def _exists(store: Store, name: str) -> bool:
    try:
        store.find_session(SOURCE, name)
    except NotFoundError:
        return False
    return True


def _read_file(path: Path, tally: Tally) -> _Conversation:
    """The conversation in the file; InvalidRequestError where there is none."""
    require_file(path)
    text = path.read_bytes().removeprefix(_BOM)
    tally.bytes_read = len(text)
    try:
        value = read_json(text)
    except ValueError as error:
        conversation = _Conversation(_read_lines(path, text, error, tally), {})
    else:
        conversation = _of_value(path, value, tally)
    # A request in Responses form has items without one, and the records of an agent's own log have none at all.
    if not any(isinstance(message.get("role"), str) for message in conversation.messages):
        raise InvalidRequestError(f"{path} holds no messages: nothing in it has a role")
    return conversation


def _of_value(path: Path, value: Any, tally: Tally) -> _Conversation:
    if isinstance(value, list):
        return _Conversation(_objects(value, tally), {})
    if isinstance(value, dict) and isinstance(value.get("messages"), list):
        around = {name: item for name, item in value.items() if name not in ("messages", "system")}
        system = [{"role": "system", "content": value["system"]}] if value.get("system") else []
        return _Conversation(system + _objects(value["messages"], tally), around)
    if isinstance(value, dict) and "role" in value:
        return _Conversation([value], {})  # JSON lines, one line of them
    raise InvalidRequestError(f"{path} is neither an array of messages nor an object with an array under messages")


def _objects(values: list[Any], tally: Tally) -> list[Message]:
    messages = []
    for index, value in enumerate(values):
        if isinstance(value, dict):
            messages.append(value)
        else:
            tally.broken("messages", str(index), "is not an object")
    return messages


def _read_lines(path: Path, text: bytes, whole: ValueError, tally: Tally) -> list[Message]:
    """The messages of JSON lines; `whole` is why the text is not JSON as a whole.

    The first line decides: a damaged array could have lines, too, that are messages on their own.
    """
    messages: list[Message] = []
    for number, line in enumerate(text.split(b"\n"), 1):
        if not line.strip():
            continue
        try:
            messages.append(_object(line))
        except ValueError as error:
            if not messages:
                raise InvalidRequestError(f"{path} {whole}") from None
            tally.broken("line", str(number), str(error))
    return messages


def _object(line: bytes) -> Message:
    value = read_json(line)
    if not isinstance(value, dict):
        raise ValueError("is not an object")
    return value


def _first_request(messages: list[Message]) -> str:
    """The text of the first message in which the user says something."""
    for message in messages:
        content = message.get("content")
        parts = content if isinstance(content, list) else [{"text": content}]
        for part in parts if message.get("role") == "user" else ():
            text = part.get("text") if isinstance(part, dict) else None
            if isinstance(text, str) and text.strip():
                return text
    return ""
