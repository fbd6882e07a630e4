"""Content of a family: JSON text and bytes, kept once, however often they are referred to."""

from typing import NamedTuple
from uuid import UUID

from clew.errors import CorruptStateError
from clew.hashing import content_hash
from clew.relational.transaction import Key, Transaction


class Content(NamedTuple):
    """Something stored: its key, and the hash of its bytes."""

    key: Key
    hash: bytes


def store_json(db: Transaction, family: int, body: bytes) -> Content:
    """JSON text in the family, written only where the family does not have it."""
    digest = content_hash(body)
    return Content(db.store_content(family, body, digest, "metadata"), digest)


def read_content(db: Transaction, family: int, key: Key | None, checkpoint_id: UUID | None = None) -> bytes | None:
    """The value under `key`, None for no key; CorruptStateError where it is missing or not what was written."""
    if key is None:
        return None
    row = db.fetch_one("read_content", {"family": family, "key": key})
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
