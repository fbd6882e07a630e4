"""The states that sessions share, of an app and of a user: changed together with an event of one session.

A store changes one session at a time, and an event that changes a shared state changes two or three. The event decides:
its changes are announced in the shared state (`pending`) before the event is written, and made when it is there. So
whoever reads a shared state looks whether the events of what is announced have been written: if they have, the changes
count, whether or not the writer lived to make them; if not, they do not. Each change is made once, in the order of the
announcements. A shared state is the metadata of a clew session, changed only while its revision is the one that was
read.
"""

from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any
from uuid import UUID

from clew import CorruptStateError, NotFoundError, Session, SessionSummary, StorageError, Store
from clew.adapters.by_name import one_line, settled
from clew.adapters.google_adk.names import SOURCE, Name
from clew.adapters.google_adk.state import Values

Changes = list[tuple[Name, Values]]
"""What an event changes in shared states, each at most once."""

Record = dict[str, Any]
Pending = dict[str, Any]


def read(store: Store, scope: Name) -> Values:
    """The shared state, with every change whose event is written.

    What a dead writer did not live to make is made now, while its event is there to tell that it counts: old events may
    be pruned. Where that fails, such as in a store that is only read, it is left to the next reader.
    """
    try:
        session = store.find_session(SOURCE, scope.source_id)
    except NotFoundError:
        return {}
    written = _written(store, session)
    if written:
        with suppress(StorageError):
            settle(store, scope)
    return _with(session, written)


def state_of(store: Store, session: Session | SessionSummary) -> Values:
    """The shared state that is kept in a clew session."""
    return _with(session, _written(store, session))


def announce(store: Store, scope: Name, delta: Values, checkpoint: UUID, after: tuple[UUID, UUID] | None) -> None:
    """Say that `delta` counts from when the checkpoint is written.

    `after` is the session that it will be in and the checkpoint that must be active there for it to be written; None
    for the root of a new session.
    """
    session, parent = (None, None) if after is None else (str(after[0]), str(after[1]))
    own = {"checkpoint": str(checkpoint), "session": session, "after": parent, "delta": delta}

    def with_own(record: Record) -> Record:
        made = _with_made(store, record)
        others = [change for change in made["pending"] if change["checkpoint"] != own["checkpoint"]]
        return {**made, "pending": [*others, own]}

    _change(store, scope, with_own)


def announce_all(store: Store, changes: Changes, root: UUID) -> None:
    """Announce the changes of the root of a new session: all of them or none.

    Nobody would ever find out that the session of one that is left behind is not made any more.
    """
    try:
        for scope, delta in changes:
            announce(store, scope, delta, root, None)
    except StorageError:
        withdraw_all(store, changes, root)
        raise


def settle(store: Store, scope: Name) -> None:
    """Make the changes whose events are written, and forget those whose events can no longer be."""
    _change(store, scope, lambda record: _with_made(store, record))


def settle_all(store: Store, changes: Changes) -> None:
    """Make the changes of an event that is written. Where that fails, they count all the same."""
    for scope, _ in changes:
        with suppress(StorageError):
            settle(store, scope)


def withdraw_all(store: Store, changes: Changes, checkpoint: UUID) -> None:
    """Take the announcements of an event back that was refused. One that cannot be taken back does nothing."""
    for scope, _ in changes:
        with suppress(StorageError):
            _withdraw(store, scope, checkpoint)


def _withdraw(store: Store, scope: Name, checkpoint: UUID) -> None:

    def without(record: Record) -> Record:
        return {**record, "pending": [c for c in record["pending"] if c["checkpoint"] != str(checkpoint)]}

    _change(store, scope, without)


def has_pending(store: Store, scope: Name, session: UUID | None = None) -> bool:
    """Whether there are announced changes, of any session or of one."""
    try:
        record = _record(store.find_session(SOURCE, scope.source_id))
    except NotFoundError:
        return False
    return any(session is None or change["session"] == str(session) for change in record["pending"])


def is_written(store: Store, checkpoint: UUID) -> bool:
    """Whether there is such a checkpoint."""
    try:
        store.get_checkpoint_summary(checkpoint)
    except NotFoundError:
        return False
    return True


def _written(store: Store, session: Session | SessionSummary) -> list[Pending]:
    """The announced changes whose events are written."""
    return [change for change in _record(session)["pending"] if is_written(store, UUID(change["checkpoint"]))]


def _with(session: Session | SessionSummary, changes: list[Pending]) -> Values:
    state: Values = dict(_record(session)["state"])
    for change in changes:
        state.update(change["delta"])
    return state


def _with_made(store: Store, record: Record) -> Record:
    state, pending = dict(record["state"]), []
    for change in record["pending"]:
        is_open = _is_open(store, change)  # asked first: what is closed now was written before, or never will be
        if is_written(store, UUID(change["checkpoint"])):
            state.update(change["delta"])
        elif is_open:
            pending.append(change)
    return {**record, "state": state, "pending": pending}


def _is_open(store: Store, change: Pending) -> bool:
    """Whether the event of an announced change can still be written."""
    if change["session"] is None:
        return True
    try:
        return str(store.get_session_summary(change["session"]).active_checkpoint_id) == change["after"]
    except NotFoundError:
        return False


def _change(store: Store, scope: Name, call: Callable[[Record], Record]) -> None:
    def attempt() -> None:
        session = _ensured(store, scope)
        record = _record(session)
        changed = call(record)
        if changed != record:
            store.update_session(session.id, metadata=changed, if_revision=session.revision)

    settled(attempt)


def _ensured(store: Store, scope: Name) -> Session:
    try:
        return store.find_session(SOURCE, scope.source_id)
    except NotFoundError:
        empty = {**scope.metadata, "state": {}, "pending": []}
        return store.ensure_session(SOURCE, scope.source_id, one_line(str(scope)), session_metadata=empty)


def _record(session: Session | SessionSummary) -> Record:
    record = session.metadata or {}
    if not isinstance(record.get("state"), dict) or not all(map(_is_pending, _listed(record.get("pending")))):
        raise CorruptStateError(f"session {session.id} is no shared state of ADK's")
    return record


def _listed(value: Any) -> Iterator[Any]:
    return iter(value if isinstance(value, list) else [None])


def _is_pending(change: Any) -> bool:
    if not isinstance(change, dict) or not isinstance(change.get("delta"), dict):
        return False
    try:
        UUID(change.get("checkpoint"))
    except (AttributeError, TypeError, ValueError):
        return False
    return all(change.get(key) is None or isinstance(change[key], str) for key in ("session", "after"))
