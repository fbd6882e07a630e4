"""What SQLite tells of its file by itself, and a PostgreSQL store has to look for: rows that lead nowhere.

There are no foreign keys, and the keys of partitions keep an id or a label from being there twice only within one. What
filters look into is a second form of metadata, which has to say the same as the first.
"""

import msgspec

from clew.errors import CorruptStateError
from clew.hashing import content_hash
from clew.messages import decode_value
from clew.postgres.objects import searchable_or_none
from clew.relational import verification
from clew.relational.rows import optional_id
from clew.relational.transaction import Transaction
from clew.reports import Finding

FAMILIES = (
    *verification.FAMILIES, "checkpoint_families", "entry_families", "attachment_families", "waiting_families",
    "chunk_families",
)  # fmt: skip

_STRAYS = {
    b"checkpoint": ("reference", "a checkpoint belongs to a session that its family does not have"),
    b"entry": ("reference", "a message belongs to a timeline that its family does not have"),
    b"attachment": ("reference", "an attachment belongs to a session that its family does not have"),
    b"waiting": ("reference", "an attachment waits in a session that its family does not have"),
    b"chunk": ("reference", "a piece of an attachment refers to content that its family does not have"),
    b"tip": ("reference", "a session has another id where it is listed"),
    b"id": ("checkpoint", "two checkpoints have the same id"),
    b"label": ("checkpoint", "two checkpoints of a session have the same label"),
}


def stray_tips(db: Transaction) -> list[Finding]:
    """What every write changes of a session, without the session."""
    ((count,),) = db.fetch_all("stray_tips", {})
    return [Finding(kind="reference", message=f"{count} sessions are listed that are not there")] if count else []


def stray_directories(db: Transaction) -> list[Finding]:
    """Where sessions were before that are not there."""
    ((count,),) = db.fetch_all("stray_directories", {})
    message = f"{count} former directories belong to sessions that are not there"
    return [Finding(kind="reference", message=message)] if count else []


def strays(db: Transaction, family: int) -> list[Finding]:
    """Rows of a family that lead nowhere, or are there twice."""
    found = db.fetch_all("strays_of_family", {"family": family})
    told = [(*_STRAYS[name], count) for name, count in found if count]
    return [Finding(kind=kind, message=f"family {family}: {what} ({count} times)") for kind, what, count in told]


def disowned(db: Transaction, family: int) -> list[Finding]:
    """Sessions of a family that a list of their owner's does not have, or that of another has looked at in vain."""
    ids = [optional_id(id) for (id,) in db.fetch_all("disowned_of_family", {"family": family})]
    return [Finding(kind="session", message=f"session {id} cannot be found by its owner", session_id=id) for id in ids]


def searched(db: Transaction, family: int) -> list[Finding]:
    """Metadata of a family that filters see as something else than it is. Where it is damaged, others say so."""
    found: list[Finding] = []
    for digest, body, object, session, checkpoint in db.iterate("searched_of_family", {"family": family}):
        if content_hash(body) == digest and not _says_the_same(body, object):
            holder = "content" if session is None else f"session {optional_id(session)}"
            holder = holder if checkpoint is None else f"checkpoint {optional_id(checkpoint)}"
            found.append(
                Finding(
                    kind="metadata",
                    message=f"{holder} cannot be found by its metadata",
                    session_id=optional_id(session),
                    checkpoint_id=optional_id(checkpoint),
                )
            )
    return found


def _says_the_same(body: bytes, object: bytes | None) -> bool:
    try:
        wanted = searchable_or_none(body)
    except CorruptStateError:  # bytes of an attachment, which nobody searches
        wanted = None
    if wanted is None or object is None:
        return wanted is None and object is None
    return _ordered(object) == _ordered(wanted.encode())


def _ordered(text: bytes) -> bytes:
    """JSON text that is the same for equal values, and tells true from 1."""
    return msgspec.json.encode(decode_value(text), order="deterministic")
