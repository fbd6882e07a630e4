"""Writing, reading and listing sessions, inside a transaction that the caller holds."""

from typing import Any, NamedTuple
from uuid import UUID

import apsw

from clew.backend import (
    NewFork,
    NewSession,
    SessionChanges,
    SessionQuery,
    id_taken,
    revision_moved,
    session_not_found,
    source_not_found,
    source_taken,
)
from clew.cursors import decode_cursor, encode_cursor
from clew.errors import NotFoundError
from clew.hashing import content_hash
from clew.model import KEEP, Page, Session, SessionStatus, SessionSummary
from clew.sqlite import rows
from clew.sqlite.checkpoints import (
    MAX_ROWS,
    Deferred,
    Head,
    active_is_missing,
    checkpoint_from_row,
    find_node,
    insert_checkpoint,
    read_head,
)
from clew.sqlite.content import store_content
from clew.sqlite.queries import execute, fetch_all, fetch_one
from clew.sqlite.timelines import EMPTY, Owner, extend
from clew.text import fold, folded_or_none
from clew.times import to_micros


def create_session(connection: apsw.Connection, new: NewSession, *, ensure: bool, deferred: Deferred) -> Session:
    """See `Backend.create_session`."""
    existing = _existing(connection, new, ensure)
    if existing is not None:
        return load_session(connection, existing, deferred)
    if new.parent_session_id is not None:
        _check_exists(connection, new.parent_session_id)
    if fetch_one(connection, "checkpoint_claim", {"id": new.checkpoint_id.bytes}):
        raise id_taken("checkpoint", new.checkpoint_id)
    created_at = new.now if new.created_at is None else new.created_at
    head = _insert_session(connection, _columns(new, created_at))
    if new.session_metadata is not None:
        _set_metadata(
            connection,
            head,
            store_content(connection, head.owner.family, new.session_metadata, content_hash(new.session_metadata)),
        )
    insert_checkpoint(
        connection,
        head,
        id=new.checkpoint_id,
        parent=None,
        point=extend(connection, head.owner, EMPTY, new.bodies),
        metadata=None
        if new.metadata is None
        else store_content(connection, head.owner.family, new.metadata, content_hash(new.metadata)),
        label=None,
        created_at=created_at,
        fingerprint=None,
        has_news=bool(new.bodies),
    )
    return load_session(connection, new.id, deferred)


def fork_session(connection: apsw.Connection, session_id: UUID, new: NewFork, deferred: Deferred) -> Session:
    """See `Backend.fork_session`."""
    origin = read_head(connection, session_id)
    node = find_node(connection, origin, new.source_checkpoint)
    if node is None:
        raise NotFoundError(f"Session {session_id} has no active checkpoint")
    stored = _stored_fields(connection, session_id)
    title = stored.title if new.title is None else new.title
    columns = {
        "id": new.id.bytes,
        "title": title,
        "title_folded": folded_or_none(title),
        "visibility": stored.visibility,
        "cwd": stored.cwd,
        "source": None,
        "source_id": None,
        "parent_session_id": session_id.bytes,
        "forked_from": node.id,
        "created_at": new.now,
        "fingerprint": None,
    }
    head = _insert_session(connection, columns, origin.owner.family)
    _set_metadata(connection, head, stored.metadata)
    insert_checkpoint(
        connection,
        head,
        id=new.checkpoint_id,
        parent=None,
        point=node.point,
        metadata=node.metadata,
        label=None,
        created_at=new.now,
        fingerprint=None,
        has_news=node.point.length > 0,
    )
    return load_session(connection, new.id, deferred)


def load_session(connection: apsw.Connection, session_id: UUID, deferred: Deferred | None = None) -> Session:
    """A session with its active checkpoint, whose state is read now, or when touched where `deferred` is given."""
    row = fetch_one(connection, "session_by_id", {"id": session_id.bytes})
    if row is None:
        raise session_not_found(session_id)
    active = None
    if row[rows.SESSION_COLUMNS - 1] is not None:
        if row[rows.SESSION_COLUMNS] is None:
            raise active_is_missing(session_id)
        active = checkpoint_from_row(connection, row[rows.SESSION_COLUMNS :], deferred)
    return Session(**rows.session_fields(row), active_checkpoint=active)


def find_session_id(connection: apsw.Connection, source: str, source_id: str) -> UUID:
    """The id of the session that another program knows by this name."""
    row = fetch_one(connection, "session_id_by_source", {"source": source, "source_id": source_id})
    if row is None:
        raise source_not_found(source, source_id)
    return UUID(bytes=row[0])


def list_sessions(connection: apsw.Connection, query: SessionQuery) -> Page[SessionSummary]:
    """See `Backend.list_sessions`."""
    filters = _filters(query)
    cursor_at, cursor_id = None, None
    if query.cursor is not None:
        cursor_at, cursor_id = decode_cursor("sessions", query.cursor, (int, bytes))
    parameters = {
        **filters,
        "cursor_at": cursor_at,
        "cursor_id": cursor_id,
        "limit": min(query.limit + 1, MAX_ROWS),
        "offset": query.offset,
    }
    found = fetch_all(connection, "list_sessions", parameters)
    items = [rows.session_summary(row) for row in found[: query.limit]]
    more = bool(items) and len(found) > len(items)
    return Page(
        items=items,
        total=_total(connection, query, filters),
        next_cursor=_cursor_after(items[-1]) if more else None,
    )


def update_session(
    connection: apsw.Connection, session_id: UUID, changes: SessionChanges, deferred: Deferred
) -> Session:
    """See `Backend.update_session`."""
    stored = _stored_fields(connection, session_id)
    if changes.if_revision is not None and changes.if_revision != stored.revision:
        raise revision_moved(changes.if_revision, stored.revision)
    wanted = stored._replace(
        title=_kept(changes.title, stored.title),
        visibility=_kept(changes.visibility, stored.visibility),
        status=_kept(changes.status, stored.status),
        cwd=_kept(changes.cwd, stored.cwd),
        metadata=_changed_metadata(connection, changes, stored),
        updated_at=stored.updated_at if changes.updated_at is None else max(stored.updated_at, changes.updated_at),
    )
    if wanted != stored:
        moment = changes.now if changes.updated_at is None else changes.updated_at
        fetch_one(
            connection,
            "update_session",
            {
                "session": stored.key,
                "title": wanted.title,
                "title_folded": folded_or_none(wanted.title),
                "visibility": wanted.visibility,
                "status": wanted.status,
                "cwd": wanted.cwd,
                "metadata": wanted.metadata,
                "updated_at": max(stored.updated_at, moment),
            },
        )
    return load_session(connection, session_id, deferred)


def set_active_checkpoint(
    connection: apsw.Connection, session_id: UUID, checkpoint_id: UUID, now: int, deferred: Deferred
) -> Session:
    """See `Backend.set_active_checkpoint`."""
    head = read_head(connection, session_id)
    node = find_node(connection, head, checkpoint_id)
    if node is not None and node != head.active:
        execute(
            connection,
            "set_active",
            {"session": head.owner.session, "seq": node.seq, "updated_at": max(now, head.updated_at)},
        )
    return load_session(connection, session_id, deferred)


class _Stored(NamedTuple):
    """What a user can change of a session, as stored."""

    key: int
    family: int
    revision: int
    updated_at: int
    title: str
    visibility: str
    status: str
    cwd: str | None
    metadata: int | None


def _stored_fields(connection: apsw.Connection, session_id: UUID) -> _Stored:
    row = fetch_one(connection, "session_fields", {"id": session_id.bytes})
    if row is None:
        raise session_not_found(session_id)
    return _Stored(*row)


def _kept(change: Any, stored: Any) -> Any:
    return stored if change is KEEP else change


def _changed_metadata(connection: apsw.Connection, changes: SessionChanges, stored: _Stored) -> int | None:
    if changes.metadata is KEEP:
        return stored.metadata
    return (
        None
        if changes.metadata is None
        else store_content(connection, stored.family, changes.metadata, content_hash(changes.metadata))
    )


def _existing(connection: apsw.Connection, new: NewSession, ensure: bool) -> UUID | None:
    """The session that the call asks for, where it exists; ConflictError where something of it is taken."""
    if ensure and new.source is not None and new.source_id is not None:
        row = fetch_one(connection, "session_id_by_source", {"source": new.source, "source_id": new.source_id})
        if row is not None:
            return UUID(bytes=row[0])
    claim = fetch_one(connection, "session_claim", {"id": new.id.bytes})
    if claim is not None:
        if new.fingerprint is None or claim[0] != new.fingerprint:
            raise id_taken("session", new.id)
        return new.id
    _check_source_free(connection, new)
    return None


def _check_source_free(connection: apsw.Connection, new: NewSession) -> None:
    if new.source is None or new.source_id is None:
        return
    if fetch_one(connection, "session_id_by_source", {"source": new.source, "source_id": new.source_id}):
        raise source_taken(new.source, new.source_id)


def _check_exists(connection: apsw.Connection, session_id: UUID) -> None:
    if not fetch_one(connection, "session_exists", {"id": session_id.bytes}):
        raise session_not_found(session_id)


def _columns(new: NewSession, created_at: int) -> dict[str, Any]:
    return {
        "id": new.id.bytes,
        "title": new.title,
        "title_folded": folded_or_none(new.title),
        "visibility": new.visibility,
        "cwd": new.cwd,
        "source": new.source,
        "source_id": new.source_id,
        "parent_session_id": rows.id_bytes(new.parent_session_id),
        "forked_from": None,
        "created_at": created_at,
        "fingerprint": new.fingerprint,
    }


def _insert_session(connection: apsw.Connection, columns: dict[str, Any], family: int | None = None) -> Head:
    """Insert a session without checkpoints, in a family of its own unless one is given."""
    execute(connection, "insert_session", {**columns, "family": family or 0})
    session = connection.last_insert_rowid()
    if family is None:
        family = session
        execute(connection, "begin_family", {"session": session})
    return Head(Owner(session, family), 1, columns["created_at"], None)


def _set_metadata(connection: apsw.Connection, head: Head, metadata: int | None) -> None:
    if metadata is not None:
        execute(connection, "set_session_metadata", {"session": head.owner.session, "metadata": metadata})


def _filters(query: SessionQuery) -> dict[str, Any]:
    return {
        "active": query.status in (None, SessionStatus.ACTIVE),
        "deleted": query.status in (None, SessionStatus.DELETED),
        "visibility": query.visibility,
        "cwd": query.cwd,
        "source": query.source,
        "parent_session_id": rows.id_bytes(query.parent_session_id),
        "search": fold(query.search) if query.search else None,
        "metadata": None if query.metadata is None else query.metadata.decode(),
    }


def _total(connection: apsw.Connection, query: SessionQuery, filters: dict[str, Any]) -> int | None:
    if all(filters[name] is None for name in filters if name not in ("active", "deleted")):
        counted = "count_sessions_kept"
    elif query.count:
        counted = "count_sessions_filtered"
    else:
        return None
    ((total,),) = fetch_all(connection, counted, filters)
    return int(total)


def _cursor_after(last: SessionSummary) -> str:
    return encode_cursor("sessions", to_micros(last.updated_at), last.id.bytes)
