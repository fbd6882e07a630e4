"""The bytes of attachments: short ones as they are, long ones in pieces of one size.

A long one has the hashes of its pieces as its content, and the table chunk leads from there to the pieces. So a slice
reads the pieces it touches and checks each, and a file that has grown shares all its pieces but the last.
"""

from typing import NamedTuple

from clew import limits
from clew.errors import CorruptStateError
from clew.hashing import content_hash
from clew.relational.content import Content
from clew.relational.transaction import Transaction

_HASH_BYTES = 16


class Bytes(NamedTuple):
    """Stored bytes: how many, in pieces of which size where there are pieces, and the content that stands for them."""

    size: int
    chunk_size: int | None
    content: Content


class Cut(NamedTuple):
    """Bytes ready to be stored: hashed, and cut where they are long. Made before a write, which it would hold up."""

    size: int
    chunk_size: int | None
    pieces: list[tuple[bytes, bytes]]

    @property
    def hashes(self) -> bytes:
        """The hashes of the pieces in order."""
        return b"".join(digest for _, digest in self.pieces)


def cut(data: bytes) -> Cut:
    """Each piece with its hash; bytes that are not long are one piece."""
    size = limits.ATTACHMENT_CHUNK_BYTES
    if len(data) <= size:
        return Cut(len(data), None, [(data, content_hash(data))])
    view = memoryview(data)
    pieces = [bytes(view[start : start + size]) for start in range(0, len(data), size)]
    return Cut(len(data), size, [(piece, content_hash(piece)) for piece in pieces])


def store(db: Transaction, family: int, data: Cut) -> Bytes:
    """Store bytes in a family; what of them is there already is not stored again."""
    stored = [Content(db.store_content(family, piece, digest, "bytes"), digest) for piece, digest in data.pieces]
    if data.chunk_size is None:
        return Bytes(data.size, None, stored[0])
    hashes = data.hashes
    digest = content_hash(hashes)
    whole = Content(db.store_content(family, hashes, digest, "bytes"), digest)
    for position, piece in enumerate(stored):
        link = {"family": family, "whole": whole.key, "position": position, "content": piece.key}
        db.execute("insert_chunk", link)
    return Bytes(data.size, data.chunk_size, whole)


def read(
    db: Transaction, family: int, stored: Bytes, body: bytes | None, start: int | None = None, stop: int | None = None
) -> bytes:
    """A slice of stored bytes, every part of it checked; `body` is what is kept under the key of the content."""
    if body is None or content_hash(body) != stored.content.hash:
        raise CorruptStateError("does not match its hash")
    first, beyond, _ = slice(start, stop).indices(stored.size)
    if stored.chunk_size is None:
        if len(body) != stored.size:
            raise CorruptStateError("is not as long as it was")
        return body[first:beyond]
    if len(body) != _HASH_BYTES * -(-stored.size // stored.chunk_size):
        raise CorruptStateError("has lost pieces")
    return _read_pieces(db, family, stored, body, first, max(first, beyond))


def _read_pieces(db: Transaction, family: int, stored: Bytes, hashes: bytes, first: int, beyond: int) -> bytes:
    assert stored.chunk_size is not None  # noqa: S101 - the caller has looked
    start, stop = first // stored.chunk_size, -(-beyond // stored.chunk_size)
    stretch = {"family": family, "whole": stored.content.key, "start": start, "stop": stop}
    rows = db.fetch_all("read_chunks", stretch)
    if len(rows) != max(stop - start, 0):
        raise CorruptStateError("has lost pieces")
    for position, (digest, piece) in enumerate(rows, start):
        known = hashes[position * _HASH_BYTES : (position + 1) * _HASH_BYTES]
        if piece is None or digest != known or content_hash(piece) != known:
            raise CorruptStateError(f"has a piece {position} that does not match its hash")
    skipped = first - start * stored.chunk_size
    return b"".join([piece for _, piece in rows])[skipped : skipped + beyond - first]
