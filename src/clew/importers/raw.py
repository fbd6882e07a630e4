"""The records that messages were made from, as the store keeps them: compressed, beside the checkpoints.

An attachment is Zstandard over a line that says where the records stood and how long they are, and then the records as
they are, a line each: `zstd -dc` shows them. So a later version reads what this one left out, though the source may be
gone.
"""

import hashlib
from collections.abc import Iterable, Sequence

import msgspec

from clew.errors import CorruptStateError
from clew.importers.compression import zstd
from clew.importers.records import Record
from clew.model import Attachment

PREFIX = "import/"
RECORDS = PREFIX + "records.zst"
"""The attachment with the records of a checkpoint."""
TRAILING = PREFIX + "trailing.zst"
"""And of the last one: what came after it in the source and belongs to no message yet."""


def loose_name(path: str, position: int) -> str:
    """The attachment with records from a position on that belong to no message and are too many for `RECORDS`."""
    digest = hashlib.blake2b(shown_path(path).encode(), digest_size=4).hexdigest()
    return f"{PREFIX}loose-{digest}-{position:015}.zst"


_CONTENT_TYPE = "application/zstd"


class _Head(msgspec.Struct):
    path: str
    positions: list[int]
    sizes: list[int]  # in bytes: a record of a database may have several lines
    cut: list[int] = []  # the positions of records of which strings were cut
    torn: list[int] = []  # and of those without an end


def pack(path: str, records: Sequence[Record]) -> Attachment:
    """The records of a source as an attachment."""
    head = _Head(
        shown_path(path),
        [record.position for record in records],
        [len(record.text) for record in records],
        [record.position for record in records if not record.is_whole],
        [record.position for record in records if record.is_torn],
    )
    lines = [msgspec.json.encode(head), *(record.text for record in records), b""]
    return Attachment(zstd.compress(b"\n".join(lines)), _CONTENT_TYPE)


def unpack(attachment: bytes) -> tuple[str, list[Record]]:
    """The source and the records of an attachment; CorruptStateError where it holds none."""
    try:
        first, _, lines = zstd.decompress(attachment).partition(b"\n")
        head = msgspec.json.decode(first, type=_Head)
    except (zstd.ZstdError, msgspec.MsgspecError, ValueError) as error:
        raise CorruptStateError(f"the imported records of a checkpoint cannot be read: {error}") from error
    if len(head.sizes) != len(head.positions) or sum(head.sizes) + len(head.sizes) != len(lines):
        raise CorruptStateError(f"{len(head.positions)} imported records of a checkpoint do not have their lengths")
    cut, torn, records, start = set(head.cut), set(head.torn), [], 0
    for position, size in zip(head.positions, head.sizes, strict=True):
        text = lines[start : start + size]
        records.append(Record(position, text, is_whole=position not in cut, is_torn=position in torn))
        start += size + 1
    return head.path, records


def shown_path(path: str) -> str:
    """A path as JSON takes it: of a name that is no text, the bytes are escaped."""
    return path.encode(errors="backslashreplace").decode()


def size(records: Iterable[Record]) -> int:
    """How many bytes the records have."""
    return sum(len(record.text) for record in records)
