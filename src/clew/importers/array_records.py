"""The records of a file of messages: each line of JSON lines, or what a JSON document holds, a message each."""

from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec

from clew import limits
from clew.errors import InvalidRequestError
from clew.importers.base import read_json
from clew.importers.records import LineRecords, Record, Records, Watermark, encode_value, open_source
from clew.model import Message

ENVELOPE = 0
"""The position of what stands around the messages of a document; the messages come after it."""

_BOM = b"\xef\xbb\xbf"
_CHUNK = 1024 * 1024


class DocumentRecords(Records):
    """What stands around the array of a document, where it is an object, and each element of the array."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __iter__(self) -> Iterator[Record]:
        around, elements = _document(self.path)
        if around is not None:
            yield Record(ENVELOPE, around)
        for number, element in enumerate(elements, ENVELOPE + 1):
            yield Record(number, _on_one_line(bytes(element)))

    def watermark(self) -> Watermark:
        return LineRecords(self.path).watermark()


def records_of(path: Path, *, is_document: bool) -> Records:
    """The records of a file."""
    return DocumentRecords(path) if is_document else LineRecords(path)


def is_document(path: Path) -> bool:
    """Whether a file is one JSON value, and not a message a line; InvalidRequestError where it is neither.

    The first line decides: a damaged array could have lines, too, that are messages on their own.
    """
    records = list(islice(LineRecords(path), 2))
    if not records:
        return False
    try:
        first = records[0].value()
    except ValueError:
        return True
    is_message = isinstance(first, dict) and "role" in first and "messages" not in first
    return not (isinstance(first, dict) and (len(records) > 1 or is_message))


def messages_in(records: Iterable[Record], *, is_document: bool) -> Iterator[Message]:
    """The messages; what is none is passed over. The first may be the system prompt of a request."""
    for record in records:
        value = _value(record)
        if not isinstance(value, dict):
            continue
        if not is_document or record.position != ENVELOPE:
            yield value
        elif value.get("system"):
            yield {"role": "system", "content": value["system"]}


def around_of(records: Records) -> dict[str, Any]:
    """What a document says beside its messages."""
    first = next(iter(records), None)
    value = _value(first) if first is not None and first.position == ENVELOPE else None
    return {name: item for name, item in value.items() if name != "system"} if isinstance(value, dict) else {}


def _value(record: Record) -> Any:
    """The value of a record, None where it has none."""
    try:
        return record.value()
    except ValueError:
        return None


def why_broken(record: Record) -> str | None:
    """What is the matter with a record that is no message; None where it is one."""
    try:
        value = record.value()
    except ValueError as error:
        return str(error) if record.is_whole else "is too long to be read"
    return None if isinstance(value, dict) else "is not an object"


def line_numbers(path: Path, positions: Iterable[int]) -> Iterator[int]:
    """Which line of a file it is that begins at each of these positions, which are to come in order."""
    number, place = 1, 0
    with open_source(path) as file:
        for position in positions:
            while place < position and (chunk := file.read(min(position - place, _CHUNK))):
                number, place = number + chunk.count(b"\n"), place + len(chunk)
            yield number


def _document(path: Path) -> tuple[bytes | None, list[Any]]:
    """What stands around the array of a document, and its elements, each as its text."""
    size = path.stat().st_size
    if size > limits.MAX_DOCUMENT_BYTES:
        raise InvalidRequestError(
            f"{path} is one JSON document of {size:,} bytes, more than the {limits.MAX_DOCUMENT_BYTES:,} of "
            "MAX_DOCUMENT_BYTES; JSON lines may be of any size"
        )
    with open_source(path) as file:
        text = file.read().removeprefix(_BOM)
    try:
        found = _split(text)
    except ValueError as error:
        raise InvalidRequestError(f"{path} {error}") from None
    if found is None:
        raise InvalidRequestError(f"{path} is neither an array of messages nor an object with an array under messages")
    return found


def _split(text: bytes) -> tuple[bytes | None, list[Any]] | None:
    """A document in pieces, None where it is of another form; ValueError where it is no JSON."""
    try:
        value: Any = msgspec.json.decode(text, type=dict[str, msgspec.Raw] | list[msgspec.Raw])
        listed = _elements(value["messages"]) if isinstance(value, dict) and "messages" in value else value
        listed = listed if isinstance(listed, list) else None
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        value = read_json(text)  # the fast decoder refuses some without need
        held = value.get("messages") if isinstance(value, dict) else value
        listed = [encode_value(item) for item in held] if isinstance(held, list) else None
    if listed is None:
        return None
    if not isinstance(value, dict):
        return None, listed
    return encode_value({name: item for name, item in value.items() if name != "messages"}), listed


def _elements(array: msgspec.Raw) -> list[msgspec.Raw]:
    return msgspec.json.decode(array, type=list[msgspec.Raw])


def _on_one_line(text: bytes) -> bytes:
    """JSON without ends of lines, which can only be white space in it."""
    return text.replace(b"\r", b" ").replace(b"\n", b" ")
