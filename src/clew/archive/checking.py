"""Whether the lines of an archive are such as a store may hold: it may have been changed, or written by anybody."""

import re
from typing import Any

import msgspec

from clew import checks, limits
from clew.archive.lines import AttachmentLine, CheckpointLine, PieceLine, SessionLine
from clew.errors import InvalidRequestError
from clew.text import checked_text
from clew.times import to_micros

_CHAIN = re.compile("[0-9a-f]{32}")


def check_line(line: Any) -> None:
    """InvalidRequestError saying what of a line no store could take."""
    if isinstance(line, SessionLine):
        _session(line)
    elif isinstance(line, CheckpointLine):
        _checkpoint(line)
    elif isinstance(line, AttachmentLine):
        _attachment(line)
    elif isinstance(line, PieceLine) and len(line.data) > limits.ATTACHMENT_CHUNK_BYTES:
        raise InvalidRequestError(f"its data is more than {limits.ATTACHMENT_CHUNK_BYTES:,} bytes")


def _session(line: SessionLine) -> None:
    checks.title(line.title)
    checks.visibility(line.visibility)
    checks.status(line.status)
    checks.optional_cwd(line.cwd)
    checks.optional_owner(line.owner)
    if line.source is not None or line.source_id is not None:
        checks.source_name(line.source, line.source_id)
    if bytes(line.metadata)[:1] not in b"{n":
        raise InvalidRequestError("its metadata must be an object or null")
    _times(line)


def _checkpoint(line: CheckpointLine) -> None:
    checks.optional_label(line.label)
    if line.shared < 0:
        raise InvalidRequestError("shared must not be negative")
    if not _CHAIN.fullmatch(line.chain):
        raise InvalidRequestError("chain must be 32 hexadecimal digits")
    for index, message in enumerate(line.messages):
        if bytes(message)[:1] != b"{":
            raise InvalidRequestError(f"messages[{index}] must be an object")
    _times(line)


def _attachment(line: AttachmentLine) -> None:
    checks.attachment_name(line.name)
    if line.checkpoint_id is None:
        checks.label(line.label)
    if line.content_type is not None:
        limit = limits.MAX_CONTENT_TYPE_CHARS
        checked_text("content_type", line.content_type, limit, "MAX_CONTENT_TYPE_CHARS")


def _times(line: msgspec.Struct) -> None:
    for name in ("created_at", "updated_at"):
        to_micros(getattr(line, name), name)
