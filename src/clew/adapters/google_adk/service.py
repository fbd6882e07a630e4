"""`ClewSessionService`: ADK's session service over clew."""

from functools import partial
from typing import Any

from google.adk.events.event import Event
from google.adk.platform import time as platform_time
from google.adk.platform import uuid as platform_uuid
from google.adk.sessions import BaseSessionService, Session
from google.adk.sessions.base_session_service import GetSessionConfig, ListSessionsResponse

from clew.adapters.google_adk import sessions
from clew.adapters.google_adk.events import to_message
from clew.adapters.google_adk.names import session_name
from clew.adapters.handle import AnyStore, Handle


class ClewSessionService(BaseSessionService):
    """Keeps the sessions of ADK's agents. For asyncio; one object may serve several loops and many tasks at once.

    A session is a clew session with the source "google-adk", each event a message and a checkpoint whose state's
    metadata is the session's state. Events come back equal and in the order in which they were appended, whatever their
    times say. Of two writers that read the same session the second gets StaleSessionError; `app:` and `user:` state is
    shared, and of two writers each keeps what the other wrote under other keys, the later one wins under the same.
    """

    def __init__(self, store: AnyStore) -> None:
        """`store` is a `clew.Store` or a `clew.AsyncStore`, which the caller closes, or a URL or path to open here."""
        self._handle = Handle(store)
        self._sessions = sessions.Sessions()

    async def create_session(
        self, *, app_name: str, user_id: str, state: dict[str, Any] | None = None, session_id: str | None = None
    ) -> Session:
        """Create a session. White space around its id is dropped, and an id of nothing else is as none: a new one.

        AlreadyExistsError where the user has one of that id in the app. A value of the state that is nothing JSON has a
        form for is clew's InvalidRequestError. Keys that begin with `temp:` are dropped.
        """
        id = (session_id or "").strip() or platform_uuid.new_uuid()
        name = session_name(app_name, user_id, id)
        return await self._handle.run(self._sessions.create, name, state, platform_time.get_time())

    async def get_session(
        self, *, app_name: str, user_id: str, session_id: str, config: GetSessionConfig | None = None
    ) -> Session | None:
        """The session with its events, None where there is none or it is marked deleted in clew.

        With `num_recent_events` only so many of the last ones are read; `after_timestamp`, in seconds since 1970,
        leaves out those before it, for which all are read.
        """
        name, config = session_name(app_name, user_id, session_id), config or GetSessionConfig()
        return await self._handle.run(self._sessions.get, name, config.num_recent_events, config.after_timestamp)

    async def list_sessions(self, *, app_name: str, user_id: str | None = None) -> ListSessionsResponse:
        """The sessions of a user, or of all users of an app, with their states and without events.

        In the order of their `last_update_time`, which is true to a microsecond here, the oldest first.
        """
        return ListSessionsResponse(sessions=await self._handle.run(sessions.list_all, app_name, user_id))

    async def delete_session(self, *, app_name: str, user_id: str, session_id: str) -> None:
        """Remove a session for good, with all its checkpoints; nothing where there is none. This cannot be undone."""
        await self._handle.run(self._sessions.delete, session_name(app_name, user_id, session_id))

    async def get_user_state(self, *, app_name: str, user_id: str) -> dict[str, Any]:
        """What all sessions of a user share in an app, without the prefix `user:`."""
        return await self._handle.run(sessions.user_state, app_name, user_id)

    async def append_event(self, session: Session, event: Event) -> Event:
        """Write an event and what it changes in the state, and bring `session` up to date.

        An event that is `partial` is returned as it is. StaleSessionError where somebody else has written to the
        session since it was read; clocks are never asked. A session that was not read from this service counts as up to
        date where its last event is the stored one or, without events, its `last_update_time` that event's.
        SessionNotFoundError where the session is gone, AlreadyExistsError where it has another event of this id; the
        same event again, as after an answer that was lost, changes nothing.
        """
        if event.partial:
            return event
        self._apply_temp_state(session, event)
        event = self._trim_temp_delta_state(event)
        # The session is brought up to date in the same breath as the store, so that a cancellation comes after both.
        write = partial(self._sessions.append, commit=self._commit_event_to_session)
        await self._handle.run(write, session, event, to_message(event))
        return event

    async def close(self) -> None:
        """Close the store where it was opened here."""
        self._handle.close()
