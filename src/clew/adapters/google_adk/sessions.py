"""The sessions of ADK in a store: what the service awaits, written once and for any store."""

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID, uuid4, uuid5

from google.adk.errors import StaleSessionError
from google.adk.errors.already_exists_error import AlreadyExistsError
from google.adk.errors.session_not_found_error import SessionNotFoundError
from google.adk.events.event import Event
from google.adk.sessions import Session

import clew
from clew import KEEP, ConflictError, CorruptStateError, Message, NotFoundError, SessionSummary, StorageError, Store
from clew.adapters.by_name import ByName, one_line
from clew.adapters.google_adk import listing, scopes
from clew.adapters.google_adk.events import spoken, timestamp_of, to_event
from clew.adapters.google_adk.names import SOURCE, Name, app_scope, session_name, user_scope
from clew.adapters.google_adk.state import Delta, Values, merged, split, stored_state

Commit = Callable[[Session, Event], object]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LOCKS = 256


class Place(NamedTuple):
    """Where a session stood when it was read: its active checkpoint, and how many events that has."""

    checkpoint: UUID
    events: int

    def __str__(self) -> str:
        return f"{self.events}:{self.checkpoint}"

    @classmethod
    def of(cls, marker: str) -> "Place":
        """The place that a session of ADK's was marked with; StaleSessionError where another service marked it."""
        count, _, checkpoint = marker.partition(":")
        try:
            return cls(UUID(checkpoint), int(count))
        except ValueError as error:
            raise StaleSessionError(f"the session was not read from clew: {marker!r} is no mark of it") from error


class Sessions:
    """Reads and writes the sessions of ADK. Safe to share between threads."""

    def __init__(self) -> None:
        self._by_name = ByName(SOURCE)
        self._locks = [threading.Lock() for _ in range(_LOCKS)]

    def create(self, store: Store, name: Name, state: Values | None, time: float) -> Session:
        """A new session; AlreadyExistsError where there is one of its name, marked deleted or not."""
        delta, root = split(state), uuid4()
        changes = _shared(name, delta)
        scopes.announce_all(store, changes, root)
        try:
            made = store.create_session(
                one_line(str(name)), metadata=delta.session, source=SOURCE, source_id=name.source_id,
                session_metadata=name.metadata, checkpoint_id=root, created_at=_moment(time),
            )  # fmt: skip
        except (ConflictError, clew.InvalidRequestError) as error:
            scopes.withdraw_all(store, changes, root)
            if isinstance(error, ConflictError):
                raise AlreadyExistsError(f"Session with id {name.session_id} already exists.") from error
            raise
        scopes.settle_all(store, changes)
        return _session(store, name, Place(root, 0), delta.session, [], listing.seconds(made.created_at))

    def get(self, store: Store, name: Name, count: int | None, after: float | None) -> Session | None:
        """The session with its newest `count` events (None for all) since `after`, in seconds since 1970."""
        if count is not None and after is None:
            return self._by_name.look(store, name.source_id, lambda id: _get_newest(store, id, name, count), None)
        try:
            found = store.find_session(SOURCE, name.source_id)
        except NotFoundError:
            return None
        checkpoint = found.active_checkpoint
        if checkpoint is None or found.status is clew.SessionStatus.DELETED:
            return None
        place = Place(checkpoint.id, len(checkpoint.state.messages))
        state = stored_state(checkpoint.state.metadata, checkpoint.id)
        messages = checkpoint.state.messages
        time = timestamp_of(messages[-1], checkpoint.id) if messages else listing.seconds(checkpoint.created_at)
        wanted = [message for message in messages if after is None or timestamp_of(message, checkpoint.id) >= after]
        return _session(store, name, place, state, _last(wanted, count), time)

    def delete(self, store: Store, name: Name) -> None:
        """Remove a session for good; what it changed in shared states stays."""
        self._by_name.look(store, name.source_id, lambda id: _delete(store, id, name), None)

    def append(self, store: Store, session: Session, event: Event, message: Message, *, commit: Commit) -> None:
        """Write an event, mark the session with where it stands then, and `commit` the event to it.

        One writer at a time for all copies of a session: a second event finds the mark that the first one left.
        """
        name = session_name(session.app_name, session.user_id, session.id)
        with self._locks[hash(name) % _LOCKS]:
            try:
                written = self._by_name.look(
                    store, name.source_id, lambda id: _append(store, id, name, session, event, message), None
                )
            except NotFoundError as error:
                raise SessionNotFoundError(f"Session {session.id} not found.") from error
            if written is None:
                raise SessionNotFoundError(f"Session {session.id} not found.")
            place, is_new = written
            session._storage_update_marker = str(place)
            if is_new:
                session.last_update_time = event.timestamp
                commit(session, event)


def list_all(store: Store, app_name: str, user_id: str | None) -> list[Session]:
    """The sessions of an app, or of one of its users, without events; least recently written to first."""
    rows = listing.rows(store, app_name, user_id)
    app = scopes.read(store, app_scope(app_name))
    users = _user_states(store, app_name, user_id)
    sessions = [_listed(row, app, users.get(row.name.user_id or "", {})) for row in rows]
    return sorted(sessions, key=lambda session: (session.last_update_time, session.user_id, session.id))


def _append(store: Store, id: UUID, name: Name, session: Session, event: Event, message: Message) -> tuple[Place, bool]:
    marker = session._storage_update_marker
    place = _believed(store, id, session) if marker is None else Place.of(marker)
    delta, commit = split(event.actions.state_delta), uuid5(id, event.id)
    changes = _shared(name, delta)
    metadata = {**_state_at(store, id, place.checkpoint), **delta.session} if delta.session else KEEP
    # One that is written already, by a call whose answer was lost, has announced its changes too.
    if changes and not scopes.is_written(store, commit):
        for scope, values in changes:
            scopes.announce(store, scope, values, commit, (id, place.checkpoint))
    try:
        written = store.append(
            id, [message], metadata=metadata, id=commit, if_active=place.checkpoint, created_at=_moment(event.timestamp)
        )
    except ConflictError as error:
        raise _refused(store, changes, commit, name, event) from error
    scopes.settle_all(store, changes)
    if written.parent_id != place.checkpoint:
        return place, False
    if place.events == 0:
        _entitle(store, id, message)
    return Place(commit, place.events + 1), True


def _refused(store: Store, changes: scopes.Changes, commit: UUID, name: Name, event: Event) -> Exception:
    """Why an event was not written: another one has its id, or somebody else has written to the session."""
    if scopes.is_written(store, commit):
        return AlreadyExistsError(f"Session {name.session_id} has another event with the id {event.id}.")
    scopes.withdraw_all(store, changes, commit)
    return StaleSessionError(
        f"Session {name.session_id} has been modified in storage since it was read: read it again."
    )


def _believed(store: Store, id: UUID, session: Session) -> Place:
    """Where a session stands that nobody marked, one made by hand or from JSON: where its last event is the stored one.

    StaleSessionError where it is not.
    """
    summary = store.get_session_summary(id)
    place = _active(summary)
    if place.events == 0:
        return place
    last = to_event(store.get_messages(place.checkpoint, start=-1)[0], place.checkpoint)
    if session.events and session.events[-1].id == last.id:
        return place
    if not session.events and session.last_update_time == last.timestamp:
        return place
    raise StaleSessionError(f"Session {session.id} has been modified in storage since it was read: read it again.")


def _get_newest(store: Store, id: UUID, name: Name, count: int) -> Session | None:
    summary = store.get_session_summary(id)
    if summary.status is clew.SessionStatus.DELETED:
        return None
    place = _active(summary)
    state = _state_at(store, id, place.checkpoint)
    if place.events == 0:
        time = listing.seconds(store.get_checkpoint_summary(place.checkpoint).created_at)
        return _session(store, name, place, state, [], time)
    messages = store.get_messages(place.checkpoint, start=-max(count, 1))
    time = timestamp_of(messages[-1], place.checkpoint)
    return _session(store, name, place, state, _last(messages, count), time)


def _delete(store: Store, id: UUID, name: Name) -> None:
    # Whether an event was written cannot be seen any more when it is purged.
    for scope in _scopes(name):
        if scopes.has_pending(store, scope, id):
            scopes.settle(store, scope)
    store.purge_session(id)


def _state_at(store: Store, id: UUID, checkpoint: UUID) -> Values:
    """The session's own state at a checkpoint, without reading its events where it is the active one."""
    for item in store.list_checkpoints(id, active=True, with_metadata=True):
        if item.damage is not None:
            raise CorruptStateError(f"checkpoint {item.id} cannot be read: {item.damage}", item.id)
        if item.id == checkpoint:
            return stored_state(item.metadata, checkpoint)
    try:
        return stored_state(store.get_checkpoint(checkpoint).state.metadata, checkpoint)
    except NotFoundError as error:
        raise StaleSessionError("what the session was read as is not stored any more: read it again") from error


def _active(summary: SessionSummary) -> Place:
    if summary.damage is not None or summary.active_checkpoint_id is None:
        raise CorruptStateError(f"session {summary.id} cannot be read: {summary.damage or 'no active checkpoint'}")
    return Place(summary.active_checkpoint_id, summary.message_count)


def _entitle(store: Store, id: UUID, message: Message) -> None:
    """Call a session what its user began with. One that cannot be called so keeps the name that it has."""
    title = one_line(spoken(message))
    if title:
        with suppress(StorageError):
            store.update_session(id, title=title)


def _shared(name: Name, delta: Delta) -> scopes.Changes:
    """The shared states that a delta changes."""
    return [(scope, values) for scope, values in zip(_scopes(name), (delta.app, delta.user), strict=True) if values]


def _scopes(name: Name) -> tuple[Name, Name]:
    return app_scope(name.app_name), user_scope(name.app_name, name.user_id or "")


def _session(
    store: Store, name: Name, place: Place, state: Values, messages: Iterable[Message], time: float
) -> Session:
    app, user = (scopes.read(store, scope) for scope in _scopes(name))
    session = Session(
        app_name=name.app_name,
        user_id=name.user_id or "",
        id=name.session_id or "",
        state=merged(app, user, state),
        events=[to_event(message, place.checkpoint) for message in messages],
        last_update_time=time,
    )
    session._storage_update_marker = str(place)
    return session


def _listed(row: listing.Row, app: Values, user: Values) -> Session:
    session = Session(
        app_name=row.name.app_name,
        user_id=row.name.user_id or "",
        id=row.name.session_id or "",
        state=merged(app, user, row.state),
        last_update_time=listing.seconds(row.checkpoint.created_at),
    )
    session._storage_update_marker = str(Place(row.checkpoint.id, row.checkpoint.message_count))
    return session


def _user_states(store: Store, app_name: str, user_id: str | None) -> dict[str, Values]:
    if user_id is not None:
        return {user_id: scopes.read(store, user_scope(app_name, user_id))}
    return {name.user_id or "": scopes.state_of(store, summary) for name, summary in _user_scopes(store, app_name)}


def _user_scopes(store: Store, app_name: str) -> Iterator[tuple[Name, SessionSummary]]:
    wanted = {"kind": "user", "app_name": app_name}
    return listing.named(store, wanted, status=None)


def _last(messages: list[Message], count: int | None) -> list[Message]:
    return messages if count is None else messages[len(messages) - min(count, len(messages)) :]


def _moment(time: float) -> datetime | None:
    """A time of ADK's, in seconds since 1970, to the microsecond; None where it is no moment of a calendar."""
    with suppress(OverflowError, ValueError):
        return _EPOCH + timedelta(seconds=time)
    return None


def user_state(store: Store, app_name: str, user_id: str) -> dict[str, Any]:
    """What all sessions of a user share."""
    return scopes.read(store, user_scope(app_name, user_id))
