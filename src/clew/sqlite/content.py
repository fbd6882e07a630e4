"""Content of a family: JSON text and bytes, kept once, however often they are referred to."""

from collections.abc import Sequence
from typing import NamedTuple
from uuid import UUID

import apsw

from clew.errors import CorruptStateError
from clew.hashing import content_hash
from clew.sqlite.queries import execute, execute_many, fetch_all, fetch_one


class Content(NamedTuple):
    """Something stored: its key, and the hash of its bytes."""

    key: int
    hash: bytes


def store_json(connection: apsw.Connection, family: int, body: bytes) -> Content:
    """JSON text in the family, written only where the family does not have it."""
    digest = content_hash(body)
    return Content(store_content(connection, family, body, digest), digest)


def store_messages(
    connection: apsw.Connection, family: int, bodies: Sequence[bytes], digests: Sequence[bytes]
) -> Sequence[int]:
    """The key of each message, written only where the family does not have it.

    Nearly always all are new: then they are written in one go, and their keys follow each other.
    """
    before = connection.total_changes()
    rows = [(family, digest, 0, body) for body, digest in zip(bodies, digests, strict=True)]
    execute_many(connection, "insert_content", rows)
    if connection.total_changes() - before == len(rows):
        last = connection.last_insert_rowid()
        return range(last - len(rows) + 1, last + 1)
    return [store_content(connection, family, body, digest) for _, digest, _, body in rows]


def store_content(connection: apsw.Connection, family: int, body: bytes, digest: bytes, *, is_text: bool = True) -> int:
    """The key of `body`, whose hash is `digest`, in the family; written only where the family does not have it.

    The hash finds candidates and the bytes decide: a collision can never put other content in the place of `body`.
    Text has even numbers among what shares a hash and bytes odd ones, so that neither depends on the other being there.
    """
    key = _insert(connection, family, digest, 0, body, is_text)
    if key is not None:
        return key
    candidates = [
        (key, stored)
        for key, is_bytes, stored in fetch_all(connection, "find_content", {"family": family, "hash": digest})
        if bool(is_bytes) is not is_text
    ]
    for key, stored in candidates:
        if stored == body:
            return int(key)
    key = _insert(connection, family, digest, len(candidates), body, is_text)
    if key is None:
        raise CorruptStateError(f"content of family {family} is not numbered in order")
    return key


def _insert(
    connection: apsw.Connection, family: int, digest: bytes, number: int, body: bytes, is_text: bool
) -> int | None:
    statement, tie = ("insert_content", 2 * number) if is_text else ("insert_bytes", 2 * number + 1)
    execute(connection, statement, {"family": family, "hash": digest, "tie": tie, "body": body})
    return connection.last_insert_rowid() if connection.changes() else None


def read_content(connection: apsw.Connection, key: int | None, checkpoint_id: UUID | None = None) -> bytes | None:
    """The value under `key`, None for no key; CorruptStateError where it is missing or not what was written."""
    if key is None:
        return None
    row = fetch_one(connection, "read_content", {"key": key})
    if row is None:
        raise CorruptStateError(f"metadata{_of(checkpoint_id)} is missing", checkpoint_id)
    digest, body = row
    return checked(digest, body, f"metadata{_of(checkpoint_id)}", checkpoint_id)


def checked(digest: bytes, body: bytes, what: str, checkpoint_id: UUID | None = None) -> bytes:
    """`body` where it has the hash that was stored with it."""
    if content_hash(body) != digest:
        raise CorruptStateError(f"{what} does not match its hash", checkpoint_id)
    return body


def _of(checkpoint_id: UUID | None) -> str:
    return "" if checkpoint_id is None else f" of checkpoint {checkpoint_id}"
