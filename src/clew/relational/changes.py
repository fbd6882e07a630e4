"""What has changed since a number, inside a transaction that the caller holds.

A number is given to each change; a session has that of its last one. `decided` is the number up to which nothing can
come any more: where several write at once, a change with a smaller number may be committed after one with a greater.
Those beyond it are told at once and told again later, so nobody waits for whoever is slow, and nothing is missed.
"""

from uuid import UUID

from clew.backend import Changes
from clew.model import Change
from clew.relational.transaction import MAX_ROWS, Row, Transaction
from clew.times import from_micros


def last_change(db: Transaction) -> int:
    """See `Backend.last_change`."""
    ((decided,),) = db.fetch_all("newest_change", {})
    return int(decided)


def list_changes(db: Transaction, after: int, session_id: UUID | None, limit: int) -> Changes:
    """See `Backend.list_changes`."""
    decided = last_change(db)
    if session_id is not None:
        found = db.fetch_all("changes_of_session", {"after": after, "id": session_id.bytes})
        return Changes(items=[_change(row, decided) for row in found], decided=max(after, decided), more=False)
    place = {"after": after, "decided": decided, "limit": min(limit + 1, MAX_ROWS)}
    found = db.fetch_all("changes", place)
    if len(found) > limit:
        items = [_change(row, decided) for row in found[:limit]]
        return Changes(items=items, decided=items[-1].sequence, more=True)
    found += db.fetch_all("changes_undecided", place)
    return Changes(items=[_change(row, decided) for row in found], decided=max(after, decided), more=False)


def _change(row: Row, decided: int) -> Change:
    id, number, revision, updated_at, active = row
    return Change(
        sequence=min(number, decided),
        session_id=UUID(bytes=id),
        revision=revision,
        updated_at=None if updated_at is None else from_micros(updated_at),
        active_checkpoint_id=None if active is None else UUID(bytes=active),
    )
