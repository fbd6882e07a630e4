"""Changes: asking for them, waiting for them, and a stream of them."""

import asyncio
import math
import time
from collections.abc import AsyncIterator
from typing import Annotated, Any
from uuid import UUID

import litestar
import msgspec
from litestar import Controller
from litestar.params import FromQuery, HeaderParameter
from litestar.response import ServerSentEvent, ServerSentEventMessage

from clew import checks, limits
from clew.backend import Changes
from clew.errors import InvalidRequestError, NotFoundError, UnauthorizedError
from clew.protocol import answers
from clew.server import forms as plain
from clew.server.bodies import Answer
from clew.server.served import Served, Serving, get

MAX_WAIT = 30.0  # seconds
QUIET_SECONDS = 15.0
"""After so long without an event a comment keeps the connection alive."""

LastEventId = Annotated[int | None, HeaderParameter(name="Last-Event-ID")]


class ChangeRoutes(Controller):
    """What others write."""

    path = "/v1"
    tags = ("Changes",)

    @get("/changes")
    def list_changes(
        self,
        served: Served,
        after: FromQuery[int] = 0,
        session_id: FromQuery[UUID | None] = None,
        limit: FromQuery[int] = limits.WATCH_PAGE,
        owner: FromQuery[str | None] = None,
    ) -> Answer[answers.ChangeList]:
        """The last change of each session, or of one, or of those of an owner, that has changed after a number."""
        checks.page(limit, after, None)
        found = served.backend.list_changes(after, session_id, limit, checks.optional_owner(owner))
        return Answer(plain.changes(found))

    @get("/changes/last")
    def last_change(self, served: Served) -> Answer[answers.LastChange]:
        """The number of the newest change."""
        return Answer({"last_change": served.backend.last_change()})

    @litestar.get("/changes/wait")
    async def wait(
        self, served: Served, heard: FromQuery[int] = 0, seconds: FromQuery[float] = MAX_WAIT
    ) -> Answer[answers.Rung]:
        """Answers once something may have changed since it said `heard`, or after that many seconds."""
        if math.isnan(seconds) or seconds < 0:
            raise InvalidRequestError("seconds must be a number from 0 on")
        return Answer({"rung": await served.bell.wait(heard, min(seconds, MAX_WAIT))})

    @litestar.get("/events")
    async def events(
        self, served: Served, session_id: FromQuery[UUID | None] = None, last_event_id: LastEventId = None
    ) -> ServerSentEvent:
        """Changes as server-sent events; the id of each is what `Last-Event-ID` goes on from."""
        position = await asyncio.to_thread(_begin, served, session_id, last_event_id)
        return ServerSentEvent(change_events(served, session_id, position))


def _begin(served: Serving, session_id: UUID | None, after: int | None) -> int:
    """Where to begin: after a number that there has been, or now."""
    after = checks.optional_count(after, "Last-Event-ID")
    if after is None:
        after = served.backend.last_change()
    served.backend.list_changes(after, session_id, 1)  # which refuses what it would refuse at the first look
    return after


async def change_events(
    served: Serving, session_id: UUID | None, position: int
) -> AsyncIterator[ServerSentEventMessage]:
    """Changes after a number, as they happen: until the server ends, or whoever listens is let in no more."""
    told: dict[UUID, int | None] = {}  # beyond what is decided, so these will be listed again
    rung, spoken = 0, time.monotonic()
    while not served.bell.is_stopped:
        found = await asyncio.to_thread(_look, served, position, session_id)
        if found is None:
            return
        for change in found.items:
            if change.session_id not in told or told[change.session_id] != change.revision:
                yield _event(change)
                spoken = time.monotonic()
        position = found.decided
        told = {change.session_id: change.revision for change in found.items if change.sequence >= position}
        if not found.more:
            rung = await served.bell.wait(rung, QUIET_SECONDS)
        if time.monotonic() - spoken >= QUIET_SECONDS:
            yield ServerSentEventMessage(data=None, comment="still here")
            spoken = time.monotonic()


def _look(served: Serving, position: int, session_id: UUID | None) -> Changes | None:
    """What has changed; None for whoever may not see it any more, or not come in."""
    try:
        served.check_caller()
        return served.backend.list_changes(position, session_id, limits.WATCH_PAGE)
    except (NotFoundError, UnauthorizedError):
        return None


def _event(change: Any) -> ServerSentEventMessage:
    kind = "purge" if change.is_purge else "change"
    return ServerSentEventMessage(data=msgspec.json.encode(change).decode(), event=kind, id=change.sequence)
