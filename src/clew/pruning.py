"""Which sessions and checkpoints a rule about their age or number removes."""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import TypeVar
from uuid import UUID

import msgspec

from clew.backend import Backend, CheckpointQuery, SessionQuery
from clew.errors import ConflictError, InvalidRequestError, NotFoundError
from clew.model import CheckpointSummary, SessionStatus, SessionSummary
from clew.reports import Pruned, PrunePlan, Thinning

_PAGE = 1_000

T = TypeVar("T")


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """What to remove; see `Store.plan_prune`."""

    deleted_longer_than: timedelta | None
    inactive_longer_than: timedelta | None
    keep_last: int | None
    keep_checkpoints: int | None

    @property
    def remove_sessions(self) -> bool:
        """Whether any rule removes whole sessions."""
        return self.has_age or self.keep_last is not None

    @property
    def has_age(self) -> bool:
        """Whether sessions go by their age."""
        return self.deleted_longer_than is not None or self.inactive_longer_than is not None

    def removes(self, session: SessionSummary, rank: int, now: datetime) -> bool:
        """Whether a session goes; `rank` is how many that are not deleted have changed after it."""
        deleted = session.status is SessionStatus.DELETED
        if self.keep_last is not None and not deleted and rank < self.keep_last:
            return False
        if not self.has_age:
            return self.keep_last is not None
        unchanged = now - session.updated_at
        return (self.inactive_longer_than is not None and unchanged > self.inactive_longer_than) or (
            deleted and self.deleted_longer_than is not None and unchanged > self.deleted_longer_than
        )


def plan(backend: Backend, rules: Rules, now: datetime) -> PrunePlan:
    """What the rules remove now."""
    if not rules.remove_sessions and rules.keep_checkpoints is None:
        raise InvalidRequestError("no rule is given: say what to prune by its age or number")
    removed: list[SessionSummary] = []
    thinned: list[Thinning] = []
    for rank, session in _ranked(_sessions(backend)):
        if rules.removes(session, rank, now):
            removed.append(session)
        elif rules.keep_checkpoints is not None:
            surplus = _surplus(backend, session, rules.keep_checkpoints)
            if surplus:
                thinned.append(
                    Thinning(
                        session_id=session.id, title=session.title, revision=session.revision, checkpoint_ids=surplus
                    )
                )
    return PrunePlan(made_at=now, sessions=removed, thinned=thinned)


def apply(backend: Backend, plan: PrunePlan, clock: Callable[[], int]) -> Pruned:
    """Do what a plan says, wherever nothing has changed since."""
    purged: list[UUID] = []
    skipped: list[UUID] = []
    left: list[UUID] = []
    try:
        for session in plan.sessions:
            id, revision = session.id, session.revision
            outcome = _unless_changed(lambda: backend.purge_session(id, revision, erase=False))  # noqa: B023 - at once
            (skipped if outcome is None else purged).append(id)
            if outcome is False:
                left.append(id)
        deleted = _thin(backend, plan.thinned, clock, skipped)
    finally:  # once for all of them, and also for those that were purged before something failed
        log_held = bool(purged) and not backend.erase_purged()
    return Pruned(sessions=purged, checkpoints=deleted, skipped=skipped, log_held=log_held, left=left)


def _thin(backend: Backend, thinned: list[Thinning], clock: Callable[[], int], skipped: list[UUID]) -> int:
    """Delete the checkpoints, and say how many; the sessions that have changed are added to `skipped`."""
    deleted = 0
    for thinning in thinned:
        id, ids, revision = thinning.session_id, thinning.checkpoint_ids, thinning.revision
        if _unless_changed(lambda: backend.delete_checkpoints(id, ids, "reparent", clock(), revision)) is not None:  # noqa: B023
            deleted += len(ids)
        else:
            skipped.append(id)
    return deleted


def _unless_changed(act: Callable[[], T]) -> T | None:
    try:
        return act()
    except (ConflictError, NotFoundError):
        return None


def _ranked(sessions: Iterator[SessionSummary]) -> Iterator[tuple[int, SessionSummary]]:
    """Those that can be read, each with how many that are not deleted came before it.

    What cannot be read cannot be judged, nor may it be kept in the place of one that can be read.
    """
    rank = 0
    for session in sessions:
        if session.damage is None:
            yield rank, session
            rank += session.status is not SessionStatus.DELETED


def _sessions(backend: Backend) -> Iterator[SessionSummary]:
    cursor = None
    while True:
        page = backend.list_sessions(SessionQuery(limit=_PAGE, cursor=cursor))
        yield from page
        cursor = page.next_cursor
        if cursor is None:
            return


def _surplus(backend: Backend, session: SessionSummary, keep: int) -> list[UUID]:
    """The checkpoints of a session beyond the last `keep`, without those that have a label or are active."""
    if session.checkpoint_count <= keep:
        return []
    newest_first = enumerate(_checkpoints(backend, session.id))
    return [
        checkpoint.id
        for rank, checkpoint in newest_first
        if rank >= keep and checkpoint.label is None and checkpoint.id != session.active_checkpoint_id
    ]


def _checkpoints(backend: Backend, session_id: UUID) -> Iterator[CheckpointSummary]:
    cursor = None
    while True:
        query = CheckpointQuery(session_ids=[session_id], order="-created", limit=_PAGE, cursor=cursor)
        page = backend.list_checkpoints(query)
        yield from page
        cursor = page.next_cursor
        if cursor is None:
            return
