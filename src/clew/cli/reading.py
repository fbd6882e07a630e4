"""Messages from a file or standard input: a JSON array, JSON lines, or one text.

All of it is checked before anything is written. How much is read is bounded: a text is one message, and JSON may hold
several of the largest.
"""

import re
import sys
from pathlib import Path
from typing import Any, BinaryIO

from clew import limits
from clew.cli.errors import InvalidArgumentError, write_error
from clew.errors import InvalidRequestError
from clew.importers.base import read_json
from clew.model import Message

STANDARD_INPUT = "-"
MAX_JSON_BYTES = 16 * limits.MAX_MESSAGE_BYTES
_CHUNK = 1024 * 1024
_BOM = b"\xef\xbb\xbf"
_JSON_BEGINS = re.compile(rb"(?:\xef\xbb\xbf)?\s*[\[{]")


def read_messages(file: str, role: str | None) -> list[Message]:
    """The messages in a file, or in standard input for ``-``. With a role all of it is the text of one message."""
    name = "standard input" if file == STANDARD_INPUT else file
    return parse_messages(_read(file, role), role, name)


def parse_messages(data: bytes, role: str | None, name: str = "the input") -> list[Message]:
    """The messages in `data`; InvalidRequestError naming the input where there are none."""
    data = data.removeprefix(_BOM)
    if not data.strip():
        raise InvalidRequestError(f"{name} is empty")
    if role is None and _JSON_BEGINS.match(data):
        messages = _json_messages(data, name)
    else:
        messages = [_text_message(data, role, name)]
    if not messages:
        raise InvalidRequestError(f"{name} holds no messages")
    return messages


def _read(file: str, role: str | None) -> bytes:
    if file == STANDARD_INPUT:
        return _read_bounded(_standard_input(), role, "standard input")
    try:
        with Path(file).open("rb") as stream:
            return _read_bounded(stream, role, file)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        reason = error.strerror if isinstance(error, OSError) else error
        raise InvalidArgumentError(f"cannot read '{file}': {reason}") from None


def _standard_input() -> BinaryIO:
    if sys.stdin is None:
        raise InvalidArgumentError("standard input is closed")
    if sys.stdin.isatty():
        write_error("Type the message; Ctrl-D at the beginning of a line ends it.")
    return sys.stdin.buffer


def _read_bounded(stream: BinaryIO, role: str | None, name: str) -> bytes:
    data = bytearray()
    more = True
    while more:
        chunk = stream.read(_CHUNK)
        data += chunk
        # A short read is the end: to read on would make a terminal ask for a second Ctrl-D.
        more = len(chunk) == _CHUNK
        is_json = role is None and _JSON_BEGINS.match(data)
        if len(data) > (MAX_JSON_BYTES if is_json else limits.MAX_MESSAGE_BYTES):
            most = (
                f"{MAX_JSON_BYTES:,} bytes" if is_json else f"{limits.MAX_MESSAGE_BYTES:,} bytes of MAX_MESSAGE_BYTES"
            )
            raise InvalidRequestError(f"{name} is more than the {most}")
    return bytes(data)


def _text_message(data: bytes, role: str | None, name: str) -> Message:
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise InvalidRequestError(f"{name} is not UTF-8 (byte {error.start})") from None
    if role is None:
        _refuse_other_json(data, name)
    # The line feed at the end is the terminal's or the editor's.
    return {"role": role or "user", "content": text.removesuffix("\n").removesuffix("\r")}


def _refuse_other_json(data: bytes, name: str) -> None:
    """A number, text, true, false or null as JSON is more likely a program's mistake than what somebody says."""
    try:
        read_json(data)
    except ValueError:
        return
    raise InvalidRequestError(f"{name} is JSON, but neither messages nor plain text; with --role it is taken as text")


def _json_messages(data: bytes, name: str) -> list[Message]:
    try:
        value = read_json(data)
    except ValueError as error:
        return _json_lines(data, name, error)
    return [
        _checked(message, f"{name}: messages[{index}]")
        for index, message in enumerate(value if isinstance(value, list) else [value])
    ]


def _json_lines(data: bytes, name: str, whole: ValueError) -> list[Message]:
    """The messages of JSON lines; `whole` says why all of it is not one JSON value."""
    messages: list[Message] = []
    for number, line in enumerate(data.split(b"\n"), 1):
        if not line.strip():
            continue
        try:
            value = read_json(line)
        except ValueError as error:
            raise InvalidRequestError(f"{name}: line {number} {error}" if messages else f"{name} {whole}") from None
        messages.append(_checked(value, f"{name}: line {number}"))
    return messages


def _checked(value: Any, where: str) -> Message:
    if not isinstance(value, dict):
        raise InvalidRequestError(f"{where} is not an object")
    # OpenAI's Responses API has items with a type in the place of a role.
    if not isinstance(value.get("role"), str) and not isinstance(value.get("type"), str):
        raise InvalidRequestError(f"{where} has neither a role nor a type, so it is no message")
    return value
