"""Whether what says what a family reaches can be trusted, before anything unreached is deleted.

Sessions, checkpoints, timelines and attachments are looked at; content and entries are not read, because a damaged one
makes nothing else unreached.
"""

import apsw

from clew.hashing import content_hash
from clew.sqlite.attachments import AttachmentRow, Target
from clew.sqlite.family_check import UNREADABLE
from clew.sqlite.queries import fetch_all
from clew.sqlite.rows import SESSION_COLUMNS, CheckpointRow, SessionRow
from clew.sqlite.timelines import timeline_seal


def is_whole(connection: apsw.Connection, family: int) -> bool:
    """Whether all rows of a family that say what is reached are as they were written."""
    try:
        return _has_whole_timelines(connection, family) and all(
            _reaches_what_it_did(connection, SessionRow(*columns[:SESSION_COLUMNS]), family)
            for columns in fetch_all(connection, "sessions_of_family", {"family": family})
        )
    except UNREADABLE:
        return False


def _has_whole_timelines(connection: apsw.Connection, family: int) -> bool:
    found = fetch_all(connection, "owned_timelines_of_family", {"family": family})
    return all(
        seal == timeline_seal(timeline, family, ancestor, start) and (owner is None or owner_family == family)
        for timeline, owner, owner_family, ancestor, start, seal in found
    )


def _reaches_what_it_did(connection: apsw.Connection, session: SessionRow, family: int) -> bool:
    key = {"session": session.key}
    if not session.is_sealed() or session.family != family:
        return False
    owners: dict[int, bytes] = {}
    for _, *columns in fetch_all(connection, "checkpoints_of_session", key):
        row = CheckpointRow(*columns)
        if not row.is_sealed():
            return False
        owners[row.seq] = row.id
    attached = [
        (AttachmentRow(*columns), Target(session.key, owners[seq], seq, None))
        for seq, *columns in fetch_all(connection, "attachments_of_session", key)
    ]
    waiting = [
        (AttachmentRow(*columns), Target(session.key, session.id, None, label.decode()))
        for label, *columns in fetch_all(connection, "waiting_attachments_of_session", key)
    ]
    return all(
        row.seal == row.seal_at(target) and _has_its_pieces(connection, row) for row, target in [*attached, *waiting]
    )


def _has_its_pieces(connection: apsw.Connection, row: AttachmentRow) -> bool:
    if row.chunk_size is None:
        return True
    ((digest, hashes),) = fetch_all(connection, "read_content", {"key": row.content})
    pieces = fetch_all(connection, "chunks_of_whole", {"whole": row.content})
    return bool(content_hash(hashes) == digest and b"".join(piece[2] for piece in pieces) == hashes)
