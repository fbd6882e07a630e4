"""The lines of an archive. Ids are text, times are RFC 3339 in UTC, `chain` is that of `CheckpointSummary`."""

import re
from datetime import datetime
from itertools import count
from typing import Any
from uuid import UUID

import msgspec

VERSION = 1

# Messages and metadata are kept as the text that is stored, so that nothing of them is spelled otherwise.


class _Line(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", omit_defaults=True):
    pass


class Begin(_Line, frozen=True, kw_only=True, tag="clew"):
    """The first line."""

    version: int


class SessionLine(_Line, frozen=True, kw_only=True, tag="session"):
    """A session without its tree."""

    id: UUID
    title: str
    visibility: str
    status: str
    cwd: str | None = None
    source: str | None = None
    source_id: str | None = None
    parent_session_id: UUID | None = None
    forked_from: UUID | None = None
    metadata: msgspec.Raw = msgspec.Raw(b"null")
    owner: str | None = None
    created_at: datetime
    updated_at: datetime
    active_checkpoint_id: UUID | None = None
    checkpoint_count: int


class CheckpointLine(_Line, frozen=True, kw_only=True, tag="checkpoint"):
    """A checkpoint; its conversation is the first `shared` messages of its parent's, and then `messages`."""

    id: UUID
    session_id: UUID
    parent_id: UUID | None = None
    label: str | None = None
    shared: int = 0
    messages: list[msgspec.Raw] = []
    metadata: msgspec.Raw = msgspec.Raw(b"null")
    chain: str
    created_at: datetime
    updated_at: datetime


class PieceLine(_Line, frozen=True, kw_only=True, tag="piece"):
    """Bytes that attachments are made of, numbered from 0; `hash` is their XXH3-128 in hexadecimal digits."""

    number: int
    data: bytes
    hash: str | None = None


class AttachmentLine(_Line, frozen=True, kw_only=True, tag="attachment"):
    """An attachment of a checkpoint; or one that waits for a label, without `checkpoint_id`."""

    session_id: UUID
    checkpoint_id: UUID | None = None
    label: str | None = None
    name: str
    content_type: str | None = None
    size: int
    pieces: list[int] = []


class End(_Line, frozen=True, kw_only=True, tag="end"):
    """The last line: how much there was."""

    sessions: int
    checkpoints: int
    attachments: int


Line = Begin | SessionLine | CheckpointLine | PieceLine | AttachmentLine | End

encode = msgspec.json.Encoder().encode
_decode: Any = msgspec.json.Decoder(Line).decode
_HALF_ESCAPE = re.compile(rb"(?<!\\)((?:\\\\)*)\\u(?=[dD][89a-fA-F])")


def decode(text: bytes) -> Any:
    """A line; msgspec.MsgspecError or ValueError where it is none.

    The decoder refuses the escape of half a character even in values that it hands on as they are. So in a line that
    has one these escapes are something else while it is read.
    """
    try:
        return _decode(text)
    except msgspec.DecodeError:
        if not _HALF_ESCAPE.search(text):
            raise
    mark = next(mark for number in count() if (mark := b"<%d>" % number) not in text)
    line = _decode(_HALF_ESCAPE.sub(rb"\1" + mark, text))
    fields = {name: _restored(getattr(line, name), mark) for name in line.__struct_fields__}
    return msgspec.structs.replace(line, **fields)


def _restored(value: Any, mark: bytes) -> Any:
    if isinstance(value, msgspec.Raw):
        return msgspec.Raw(bytes(value).replace(mark, b"\\u"))
    if isinstance(value, list):
        return [_restored(item, mark) for item in value]
    if isinstance(value, str) and mark.decode() in value:
        halves = re.sub(mark.decode() + "([0-9a-fA-F]{4})", lambda found: chr(int(found[1], 16)), value)
        return halves.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")
    return value


def one_line(text: bytes) -> bytes:
    """Stored JSON as a part of a line: a line end in it, which is white space there, becomes a space."""
    return text.replace(b"\n", b" ").replace(b"\r", b" ")


def to_metadata(text: bytes | None) -> msgspec.Raw:
    """Stored metadata as a part of a line."""
    return msgspec.Raw(b"null" if text is None else one_line(text))


def from_metadata(value: msgspec.Raw) -> bytes | None:
    """And back."""
    text = bytes(value)
    return None if text == b"null" else text
