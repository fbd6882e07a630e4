"""What looking after a store tells: findings, plans, and what was done."""

from datetime import datetime
from uuid import UUID

import msgspec

from clew.model import SessionSummary

__all__ = ["Backup", "Compaction", "Finding", "Progress", "PrunePlan", "Pruned", "Thinning"]


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """Something that `verify` found wrong.

    `kind` is a stable name for programs, `message` says it in words. The ids say where, as exactly as is known:
    `position` is the place of a message, `attachment` the name of one.
    """

    kind: str
    message: str
    session_id: UUID | None = None
    checkpoint_id: UUID | None = None
    position: int | None = None
    attachment: str | None = None


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """How far a long call has come: `done` of `total` (None where nobody knows) `unit`, such as sessions or pages."""

    done: int
    total: int | None
    unit: str


class Backup(msgspec.Struct, frozen=True, kw_only=True):
    """A copy that `backup` made: where it is, how large, and what it holds. `verified` where it was read back whole."""

    path: str
    bytes: int
    sessions: int
    verified: bool


class Compaction(msgspec.Struct, frozen=True, kw_only=True):
    """What `compact` did: the bytes the store took before and takes now."""

    bytes_before: int
    bytes_after: int


class Thinning(msgspec.Struct, frozen=True, kw_only=True):
    """Checkpoints of one session that a plan would delete."""

    session_id: UUID
    title: str
    revision: int
    checkpoint_ids: list[UUID]


class PrunePlan(msgspec.Struct, frozen=True, kw_only=True):
    """What `apply_prune` would remove: whole `sessions`, and checkpoints of others (`thinned`). Nothing is done yet."""

    made_at: datetime
    sessions: list[SessionSummary]
    thinned: list[Thinning]


class Pruned(msgspec.Struct, frozen=True, kw_only=True):
    """What `apply_prune` removed. `skipped` are the sessions that had changed since the plan was made: they stay.

    `log_held` where a reader kept the store from emptying its write-ahead log within the time limit: the sessions are
    purged, but their bytes are still in that log. They go with the next purge, or when the last one closes the store.
    `left` are sessions that are purged, while what they shared with others is left, because some of that is damaged.
    """

    sessions: list[UUID]
    checkpoints: int
    skipped: list[UUID]
    log_held: bool = False
    left: list[UUID] = []
