"""What has changed since a number, inside a transaction that the caller holds.

A number is given to each change; a session has that of its last one. `decided` is the number up to which nothing can
come any more: where several write at once, a change with a smaller number may be committed after one with a greater.
Those beyond it are told at once and told again later, so nobody waits for whoever is slow, and nothing is missed.

What a watcher goes on from is the number of a change that is there, not just one that is decided: a server gives out
numbers to what never comes to be, and after a crash it may give these out again.
"""

from typing import NamedTuple
from uuid import UUID

from clew.backend import Changes, beyond_changes
from clew.model import Change
from clew.relational.transaction import MAX_ROWS, Row, Transaction
from clew.times import from_micros


class _Numbers(NamedTuple):
    decided: int
    newest: int
    """The greatest of those up to `decided` that a session or a purge has."""


def last_change(db: Transaction) -> int:
    """See `Backend.last_change`."""
    return _numbers(db).newest


def list_changes(db: Transaction, after: int, session_id: UUID | None, limit: int, owner: str | None = None) -> Changes:
    """See `Backend.list_changes`."""
    decided, newest = _numbers(db)
    if after > decided:
        raise beyond_changes(after, decided)
    newest = max(after, newest)
    if session_id is not None:
        found = db.fetch_all("changes_of_session", {"after": after, "id": session_id.bytes, "owner": owner})
        return Changes(items=[_change(row, decided, newest) for row in found], decided=newest, more=False)
    found = db.fetch_all("changes", {"after": after, "limit": min(limit + 1, MAX_ROWS), "owner": owner})
    items = [_change(row, decided, newest) for row in found[:limit]]
    # What is not decided comes last. Where it does not fit, it is told once it is decided.
    if len(found) > limit and found[limit][1] <= decided:
        return Changes(items=items, decided=items[-1].sequence if items else after, more=True)
    return Changes(items=items, decided=newest, more=False)


def _numbers(db: Transaction) -> _Numbers:
    ((decided, newest),) = db.fetch_all("newest_change", {})
    return _Numbers(decided, newest)


def _change(row: Row, decided: int, newest: int) -> Change:
    id, number, revision, updated_at, active = row
    return Change(
        sequence=number if number <= decided else newest,
        session_id=UUID(bytes=id),
        revision=revision,
        updated_at=None if updated_at is None else from_micros(updated_at),
        active_checkpoint_id=None if active is None else UUID(bytes=active),
    )
