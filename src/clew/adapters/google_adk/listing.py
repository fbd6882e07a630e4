"""Lists of sessions with their states, in pages."""

from collections.abc import Iterator
from datetime import datetime
from itertools import islice
from typing import Any, NamedTuple
from uuid import UUID

from clew import CheckpointSummary, CorruptStateError, NotFoundError, SessionStatus, SessionSummary, Store
from clew.adapters.google_adk.names import SOURCE, Name, name_of
from clew.adapters.google_adk.state import Values, stored_state
from clew.adapters.listing import Listing

PAGE = 500


class Row(NamedTuple):
    """A session with its active checkpoint and its own state."""

    name: Name
    checkpoint: CheckpointSummary
    state: Values


def rows(store: Store, app_name: str, user_id: str | None) -> Iterator[Row]:
    """The sessions of an app, or of one of its users, that are not marked deleted."""
    wanted = {"kind": "session", "app_name": app_name} | ({} if user_id is None else {"user_id": user_id})
    found = named(store, wanted, status=SessionStatus.ACTIVE)
    while page := list(islice(found, PAGE)):
        names = {summary.id: name for name, summary in page}
        for checkpoint in _active_checkpoints(store, list(names)):
            state = stored_state(checkpoint.metadata, checkpoint.id)
            yield Row(names[checkpoint.session_id], checkpoint, state)


def named(
    store: Store, wanted: dict[str, Any], *, status: SessionStatus | None
) -> Iterator[tuple[Name, SessionSummary]]:
    """The sessions whose metadata has these values, each once."""
    for page in Listing(SOURCE).pages(store, status=status, metadata=wanted, size=PAGE):
        for summary in page:
            yield name_of(summary), summary


def seconds(moment: datetime) -> float:
    """A moment as ADK has it: seconds since 1970."""
    return moment.timestamp()


def _active_checkpoints(store: Store, sessions: list[UUID]) -> list[CheckpointSummary]:
    """The active checkpoint of each session. One that has been purged since it was listed has none."""
    try:
        found = store.list_checkpoints(sessions, active=True, with_metadata=True, limit=PAGE).items
    except NotFoundError:
        return _active_checkpoints(store, [id for id in sessions if _is_there(store, id)])
    for item in found:
        if item.damage is not None:
            raise CorruptStateError(f"checkpoint {item.id} cannot be read: {item.damage}", item.id)
    if len(found) < len(sessions):
        without = next(id for id in sessions if id not in {item.session_id for item in found})
        raise CorruptStateError(f"session {without} has no active checkpoint")
    return found


def _is_there(store: Store, session: UUID) -> bool:
    try:
        store.get_session_summary(session)
    except NotFoundError:
        return False
    return True
