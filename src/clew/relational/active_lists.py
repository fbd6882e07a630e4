"""A list of the active checkpoints of sessions: each is found by its key, and no other checkpoint is looked at."""

from collections.abc import Sequence
from uuid import UUID

from clew.backend import CheckpointQuery
from clew.relational.heads import active_is_missing
from clew.relational.matching import contains
from clew.relational.rows import CheckpointRow, SessionRow, in_range, session_damaged, shown_id
from clew.relational.transaction import Row

DAMAGE = "the row of its session, which says that it is active, does not match its seal"
"""What is wrong with a checkpoint that is shown as the active one on the word of a damaged row."""


def active_places(sessions: Sequence[SessionRow]) -> list[tuple[int, int]]:
    """The key of the active checkpoint of each session that has one; an error where nobody can tell."""
    places: list[tuple[int, int]] = []
    for session in sessions:
        if session.active is not None:
            places.append((session.key, session.active))
        elif not session.is_sealed():
            raise session_damaged(shown_id(session.id), "it does not match its seal")
    return places


def check_all_there(sessions: Sequence[SessionRow], read: Sequence[tuple[int, CheckpointRow, bytes | None]]) -> None:
    """A session whose active checkpoint is lost is no session without one."""
    found = {session for session, _, _ in read}
    for session in sessions:
        if session.active is not None and session.key not in found:
            raise active_is_missing(UUID(bytes=session.id))


def active_page(
    sessions: Sequence[SessionRow],
    read: Sequence[tuple[int, CheckpointRow, bytes | None]],
    query: CheckpointQuery,
    after: Row | None,
) -> list[Row]:
    """The keys on the page and one more, with what each is ordered by: session, seq and that.

    `read` has the metadata of each where the query filters by it; `after` is what the page before ended with. What is
    active on the word of a damaged row is shown whatever its metadata is: another one may be.
    """
    doubtful = {session.key for session in sessions if not session.is_sealed()}
    by_label, descending = query.order.endswith("label"), query.order.startswith("-")
    found: list[Row] = [
        (row.label if by_label else in_range(row.created_at), session, row.seq)
        for session, row, metadata in read
        if _has_label(row, query) and (session in doubtful or _has_metadata(row, metadata, query))
    ]
    found.sort(reverse=descending)
    if after is not None:
        found = [item for item in found if (item < after if descending else item > after)]
    return [(session, seq, key) for key, session, seq in found[query.offset : query.offset + query.limit + 1]]


def _has_label(row: CheckpointRow, query: CheckpointQuery) -> bool:
    """Whether it has a label such as the query asks for, or the query asks for none."""
    if row.label is None:
        return query.before_label is None and not query.order.endswith("label")
    return query.before_label is None or row.label < query.before_label.encode()


def _has_metadata(row: CheckpointRow, metadata: bytes | None, query: CheckpointQuery) -> bool:
    """The same of its metadata. Metadata that is lost cannot be ruled out."""
    is_lost = metadata is None and row.metadata is not None
    return query.metadata is None or is_lost or contains(metadata, row.metadata_hash, query.metadata.decode())
