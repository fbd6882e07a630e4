"""Whether what says what a family reaches can be trusted, before anything unreached is deleted.

Sessions, checkpoints, timelines and attachments are looked at; content and entries are not read, because a damaged one
makes nothing else unreached.
"""

from collections import Counter

from clew.hashing import content_hash
from clew.relational.attachments import AttachmentRow, Target, target_at
from clew.relational.damage import unreadable
from clew.relational.rows import SESSION_COLUMNS, CheckpointRow, SessionRow
from clew.relational.timelines import timeline_seal
from clew.relational.transaction import Transaction


def is_whole(db: Transaction, family: int) -> bool:
    """Whether all rows of a family that say what is reached are as they were written."""
    try:
        return _has_whole_timelines(db, family) and all(
            _reaches_what_it_did(db, SessionRow(*columns[:SESSION_COLUMNS]), family)
            for columns in db.fetch_all("sessions_of_family", {"family": family})
        )
    except unreadable(db):
        return False


def _has_whole_timelines(db: Transaction, family: int) -> bool:
    found = db.fetch_all("owned_timelines_of_family", {"family": family})
    return all(
        seal == timeline_seal(timeline, family, ancestor, start) and (owner is None or owner_family == family)
        for timeline, owner, owner_family, ancestor, start, seal in found
    )


def _reaches_what_it_did(db: Transaction, session: SessionRow, family: int) -> bool:
    key = {"family": family, "session": session.key}
    if not session.is_sealed() or session.family != family:
        return False
    owners = {
        row.seq: row for row in (CheckpointRow(*columns[1:]) for columns in db.fetch_all("checkpoints_of_session", key))
    }
    if not all(row.is_sealed() for row in owners.values()) or len(owners) != session.checkpoint_count:
        return False
    found = db.fetch_all("attachments_of_session", key)
    counted = Counter(seq for seq, *_ in found)
    if any(counted[seq] != row.attachment_count for seq, row in owners.items()):
        return False
    attached = [(AttachmentRow(*columns), target_at(session.key, owners[seq])) for seq, *columns in found]
    waiting = [
        (AttachmentRow(*columns), Target(family, session.key, session.id, None, label.decode()))
        for label, *columns in db.fetch_all("waiting_attachments_of_session", key)
    ]
    return all(
        row.seal == row.seal_at(target) and _has_its_pieces(db, family, row) for row, target in [*attached, *waiting]
    )


def _has_its_pieces(db: Transaction, family: int, row: AttachmentRow) -> bool:
    if row.chunk_size is None:
        return True
    ((digest, hashes),) = db.fetch_all("read_content", {"family": family, "key": row.content})
    pieces = db.fetch_all("chunks_of_whole", {"family": family, "whole": row.content})
    return bool(content_hash(hashes) == digest and b"".join(piece[2] for piece in pieces) == hashes)
