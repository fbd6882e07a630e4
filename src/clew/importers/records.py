"""Reading what a source holds, a record at a time.

A record is one line of a file, or one row of a database, and its place in it. The parsers read records and nothing
else, so what the store kept of them can be parsed again as the file itself was.
"""

import io
import json
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import IO, Any

import msgspec

from clew import limits
from clew.errors import InvalidRequestError, NotFoundError, StorageError
from clew.hashing import content_hash, content_hasher
from clew.importers.base import read_json
from clew.importers.compression import zstd
from clew.importers.shortening import ShortenedLine

ZSTD_SUFFIX = ".zst"
_BOM = b"\xef\xbb\xbf"
_CHUNK = 1024 * 1024
_SUMS = 1 << 128
_KEPT_OF_STRINGS = (1024 * 1024, 64 * 1024, 1024)  # bytes; the first that makes the line short enough


class Record(msgspec.Struct, frozen=True):
    """One record of a source: its bytes, and where they stand.

    `position` orders the records of a source and names this one as long as the source only grows: the offset in bytes
    of a line, the number of a row. `is_whole` is False where strings of it were cut because it is longer than
    `MAX_RECORD_BYTES`; `is_torn` is True for a last line without an end that is no JSON object, or not yet: a
    program may still be writing it.
    """

    position: int
    text: bytes
    is_whole: bool = True
    is_torn: bool = False

    def value(self) -> Any:
        """The JSON value; ValueError saying what it is where it is no JSON."""
        return read_json(self.text)

    def fingerprint(self) -> int:
        """A number that is another one for another text or position."""
        return int.from_bytes(content_hash(b"%d\n%b" % (self.position, self.text)))


class Watermark(msgspec.Struct, frozen=True):
    """What has been read of a source: as long as it is the same, there is nothing new."""

    size: int
    hash: str


class Inventory(msgspec.Struct, frozen=True):
    """Which records there are, whatever their order: how many, the last position, and a sum over all of them.

    A torn last line is not counted, since it may be another one the next time.
    """

    count: int = 0
    last: int = -1
    sum: str = ""

    @classmethod
    def of(cls, records: Iterable[Record]) -> "Inventory":
        """That of these records."""
        return cls.of_fingerprints((record.position, record.fingerprint()) for record in records if not record.is_torn)

    @classmethod
    def of_fingerprints(cls, records: Iterable[tuple[int, int]]) -> "Inventory":
        """That of the records with these positions and fingerprints."""
        count, last, total = 0, -1, 0
        for position, fingerprint in records:
            count, last, total = count + 1, max(last, position), total + fingerprint
        return cls(count, last, f"{total % _SUMS:032x}")


class Records(ABC):
    """The records of one session, in order, as often as somebody asks for them."""

    @abstractmethod
    def __iter__(self) -> Iterator[Record]: ...

    @abstractmethod
    def watermark(self) -> Watermark:
        """What tells whether anything has changed, from the content alone and never from a time."""


class LineRecords(Records):
    """The lines of a file, which may be compressed with Zstandard. Empty lines are no records."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __iter__(self) -> Iterator[Record]:
        with open_source(self.path) as file:
            position = _skip_bom(file)
            while line := file.readline(limits.MAX_RECORD_BYTES):
                start = position
                position += len(line)
                if len(line) == limits.MAX_RECORD_BYTES and not line.endswith(b"\n"):
                    record, position = _long_record(file, line, start)
                    yield record
                elif text := line.strip():
                    yield Record(start, text, is_torn=not line.endswith(b"\n") and not _is_object(text))

    def watermark(self) -> Watermark:
        digest, size = content_hasher(), 0
        with open_source(self.path) as file:
            while chunk := file.read(_CHUNK):
                digest.update(chunk)
                size += len(chunk)
        return Watermark(size, digest.hexdigest())


class ListedRecords(Records):
    """Records that are in memory: the rows of a session of a database, or what the store has kept."""

    def __init__(self, records: Sequence[Record]) -> None:
        self._records = records

    @classmethod
    def of_values(cls, values: Sequence[Any]) -> "ListedRecords":
        """JSON values as records, numbered from 0."""
        return cls([Record(number, encode_value(value)) for number, value in enumerate(values)])

    def __iter__(self) -> Iterator[Record]:
        return iter(self._records)

    def watermark(self) -> Watermark:
        return _watermark(self)


class GeneratedRecords(Records):
    """Records that are made anew each time somebody asks for them, such as the rows of a large database."""

    @abstractmethod
    def texts(self) -> Iterator[bytes]:
        """The records as JSON, in order."""

    def __iter__(self) -> Iterator[Record]:
        for number, text in enumerate(self.texts()):
            yield Record(number, text)

    def watermark(self) -> Watermark:
        return _watermark(self)


def _watermark(records: Iterable[Record]) -> Watermark:
    digest, size = content_hasher(), 0
    for record in records:
        digest.update(b"%d %d\n" % (record.position, len(record.text)))
        digest.update(record.text)
        size += len(record.text)
    return Watermark(size, digest.hexdigest())


def encode_value(value: Any) -> bytes:
    """A value as JSON on one line."""
    try:
        return msgspec.json.encode(value)
    except (TypeError, ValueError):  # a lone surrogate, which JSON's escapes can hold
        return json.dumps(value, separators=(",", ":")).encode()


def open_source(path: Path) -> IO[bytes]:
    """A file of a source, for reading only, and decompressed; NotFoundError, InvalidRequestError where it is none."""
    try:
        file = path.open("rb")
    except FileNotFoundError:
        raise NotFoundError(f"{path} does not exist") from None
    except OSError as error:
        raise InvalidRequestError(f"{path} cannot be read: {error.strerror}") from error
    return io.BufferedReader(_Decompressed(file, path)) if path.suffix == ZSTD_SUFFIX else file


class _Decompressed(io.RawIOBase):
    """What a compressed file holds; damage is InvalidRequestError, wherever in the file it is met."""

    def __init__(self, file: IO[bytes], path: Path) -> None:
        self._file = file
        self._path = path
        self._inner = zstd.ZstdFile(file)

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        return self._inner.seek(offset, whence)

    def readinto(self, buffer: Any) -> int:
        try:
            return self._inner.readinto(buffer)
        except (zstd.ZstdError, EOFError) as error:
            raise InvalidRequestError(f"{self._path} is damaged: {error}") from error

    def close(self) -> None:
        self._inner.close()
        self._file.close()
        super().close()


def _is_object(text: bytes) -> bool:
    """Whether a line is a whole JSON object, to which nothing can be added any more."""
    try:
        return isinstance(read_json(text), dict)
    except ValueError:
        return False


def first_record(path: Path) -> Any:
    """The value of the first line of a file, None where it has none that is JSON, or cannot be read."""
    try:
        record = next(iter(LineRecords(path)), None)
        return None if record is None else record.value()
    except (ValueError, OSError, StorageError):
        return None


def _skip_bom(file: IO[bytes]) -> int:
    begin = file.read(len(_BOM))
    if begin == _BOM:
        return len(_BOM)
    file.seek(0)
    return 0


def _long_record(file: IO[bytes], begin: bytes, start: int) -> tuple[Record, int]:
    """The record of a line that is too long to be held, with its long strings cut, and the position after it.

    An empty text, which is no JSON, where it is too long even so.
    """
    shortened = [ShortenedLine(keep) for keep in _KEPT_OF_STRINGS]
    position, chunk, ended = start, begin, False
    while chunk:
        position += len(chunk)
        ended = chunk.endswith(b"\n")
        for line in shortened:
            line.feed(chunk.rstrip(b"\r\n") if ended else chunk)
        chunk = b"" if ended else file.readline(_CHUNK)
    text = next((line.text() for line in shortened if line.size <= limits.MAX_RECORD_BYTES), b"")
    return Record(start, text, is_whole=False, is_torn=not ended and not _is_object(text)), position
