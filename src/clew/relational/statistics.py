"""What a store holds in numbers, inside a transaction that the caller holds: all of one moment."""

from datetime import date, timedelta
from uuid import UUID

from clew import limits
from clew.model import SessionStatus
from clew.relational.transaction import Transaction
from clew.reports import DayActivity, SessionSize, SourceCount, StoreStats

_FIRST_DAY = date(1970, 1, 1)


def store_stats(db: Transaction, owner: str | None) -> StoreStats:
    """See `Backend.store_stats`."""
    whose = {"owner": owner, "limit": limits.BIGGEST_SESSIONS}
    statuses, sources = _sessions(db, owner)
    ((messages, stored),) = db.fetch_all("stats_stored", whose)
    ((copied,),) = db.fetch_all("stats_copied", whose)
    days = [
        DayActivity(day=_FIRST_DAY + timedelta(days=day), checkpoints=checkpoints, sessions=sessions)
        for day, checkpoints, sessions in db.fetch_all("stats_days", whose)
    ]
    return StoreStats(
        sessions=sum(statuses.values()),
        active_sessions=statuses.get(SessionStatus.ACTIVE, 0),
        deleted_sessions=statuses.get(SessionStatus.DELETED, 0),
        sources=sources,
        checkpoint_count=sum(day.checkpoints for day in days),
        message_count=messages,
        message_bytes=stored,
        copied_bytes=copied,
        biggest=[
            SessionSize(
                session_id=UUID(bytes=id),
                title=_text(title) or "",
                bytes=size,
                checkpoint_count=checkpoints,
            )
            for id, title, size, checkpoints in db.fetch_all("stats_biggest", whose)
        ],
        days=days,
    )


def _sessions(db: Transaction, owner: str | None) -> tuple[dict[str, int], list[SourceCount]]:
    """How many there are by status, and by source, the most first."""
    statuses: dict[str, int] = {}
    sources: dict[str | None, int] = {}
    for status, source, count in db.fetch_all("stats_sessions", {"owner": owner}):
        of, came_from = _text(status) or "", _text(source)
        statuses[of] = statuses.get(of, 0) + count
        sources[came_from] = sources.get(came_from, 0) + count
    ordered = sorted(sources.items(), key=lambda item: (-item[1], item[0] or ""))
    return statuses, [SourceCount(source=source, sessions=count) for source, count in ordered]


def _text(stored: bytes | str | None) -> str | None:
    """Text that may be damaged: these are numbers, and `verify` tells of the rest."""
    return stored.decode(errors="replace") if isinstance(stored, bytes) else stored
