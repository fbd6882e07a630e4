"""Reads the states of the Stakpak agent: JSON texts of a whole conversation each, most of it that of the one before."""

import hashlib
import json
from typing import Any

import msgspec

from clew.importers.base import read_json
from clew.importers.stakpak_source import UnreadableError
from clew.model import Message


class Mark(msgspec.Struct, frozen=True):
    """Recognises a conversation at the beginning of a longer one, without keeping it.

    `digest` is of the JSON text of its messages without the closing bracket, `length` the size of that text.
    """

    count: int
    length: int
    digest: bytes


_NOTHING = Mark(0, 0, b"")


class Conversation(msgspec.Struct, frozen=True):
    """A state: all its messages, or, where it `continues` its parent's, those that come after them."""

    messages: list[Message]
    continues: bool
    metadata: Any
    mark: Mark


_fields_of = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


def read_state(text: bytes, parent: Mark | None) -> Conversation:
    """The conversation in a state.

    Most states begin with the text of their parent's. Of such a one only the rest is decoded: the repeated messages
    cost what their bytes cost to hash, not what they cost to decode, check and compare.
    """
    fields = _fields(text)
    array = memoryview(fields.get("messages", b"[]"))
    if bytes(array[:1]) != b"[":
        raise UnreadableError("state: messages is not an array")
    metadata = _read(bytes(fields.get("metadata", b"null")), "state: metadata")
    digest = hashlib.sha256()
    rest = None if parent is None else _after(array, parent, digest)
    if parent is None or rest is None:
        parent, rest, digest = _NOTHING, bytes(array), hashlib.sha256()
    digest.update(array[parent.length : -1])
    messages = _read_messages(rest, parent.count)
    mark = Mark(parent.count + len(messages), len(array) - 1, digest.digest())
    return Conversation(messages, parent is not _NOTHING, metadata, mark)


def _after(array: memoryview, parent: Mark, digest: "hashlib._Hash") -> bytes | None:
    """The messages after the parent's as an array of their own, None where the parent's are not what it begins with."""
    digest.update(array[: parent.length])
    if parent.count == 0 or digest.digest() != parent.digest:
        return None
    match bytes(array[parent.length : parent.length + 1]):
        case b",":
            return b"[" + bytes(array[parent.length + 1 :])
        case b"]":
            return b"[]"
    return None


def _fields(text: bytes) -> dict[str, Any]:
    """The JSON text of each field of a state; like the agent, it takes an array for the fields in their order."""
    try:
        return _fields_of(text)
    except (msgspec.MsgspecError, RecursionError):
        state = _read(text, "state")  # read in full, to say what is wrong
    if isinstance(state, list) and len(state) <= 2:
        state = dict(zip(("messages", "metadata"), state, strict=False))
    if not isinstance(state, dict):
        raise UnreadableError("state is not an object")
    return {name: json.dumps(value).encode() for name, value in state.items()}


def _read_messages(array: bytes, first_index: int) -> list[Message]:
    messages = _read(array, "state: messages")
    for index, message in enumerate(messages, first_index):
        if not isinstance(message, dict):
            raise UnreadableError(f"state: messages[{index}] is not an object")
    return list(messages)


def _read(text: bytes, what: str) -> Any:
    try:
        return read_json(text)
    except ValueError as error:
        raise UnreadableError(f"{what} {error}") from None
