"""Hashes that prove stored content unchanged: of one value, and of a conversation as a chain.

XXH3-128 finds damage and finds candidates for sharing; it is not relied on against forgery, so whoever shares content
because two hashes agree compares the bytes as well.
"""

import struct
from collections.abc import Callable, Iterable

import msgspec
import xxhash

EMPTY_CHAIN = bytes(16)
"""The chain of a conversation without messages."""

content_hash = xxhash.xxh3_128_digest
"""The 16-byte hash of one stored value."""

content_hasher = xxhash.xxh3_128
"""The same for a value that comes in pieces: `update` takes one, `digest` gives the hash."""

_row_digest = xxhash.xxh3_64_digest
_pack = msgspec.msgpack.Encoder().encode
_first_bits: Callable[[bytes], tuple[int]] = struct.Struct(">Q").unpack


def extend_chain(chain: bytes, bodies: Iterable[bytes]) -> bytes:
    """The chain of a conversation whose first part has the chain `chain` and which goes on with `bodies`.

    Each link is the hash of the link before it and the hash of the message, so a message lost, doubled, changed or
    moved changes every later link.
    """
    return link_chain(chain, map(content_hash, bodies))


def link_chain(chain: bytes, hashes: Iterable[bytes]) -> bytes:
    """The same, from the hashes of the messages."""
    for digest in hashes:
        chain = content_hash(chain + digest)
    return chain


def fingerprint(*parts: object) -> bytes:
    """16 bytes that tell one call from another: `parts` are text, bytes, UUIDs, numbers or None."""
    return content_hash(_pack(parts))


def row_seal(values: tuple[object, ...]) -> int:
    """31 bits over the values of a stored row: text, bytes, whole numbers or None.

    Kept beside the row, so that a changed bit in it is an error and not another title, parent or time. 31 bits take
    four bytes in a row, and let one change in two thousand million go unseen.
    """
    return _first_bits(_row_digest(_pack(values)))[0] >> 33
