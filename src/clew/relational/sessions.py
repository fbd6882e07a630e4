"""Writing, reading and listing sessions, inside a transaction that the caller holds."""

from contextlib import suppress
from typing import Any
from uuid import UUID

import msgspec

from clew.backend import (
    NewCopy,
    NewFork,
    NewSession,
    Place,
    SessionChanges,
    SessionQuery,
    id_taken,
    no_active_checkpoint,
    session_not_found,
    source_not_found,
    source_taken,
)
from clew.cursors import decode_cursor, encode_cursor
from clew.errors import NotFoundError
from clew.ids import new_id
from clew.model import KEEP, Keep, Page, Session, SessionStatus, SessionSummary
from clew.relational import attachments, directories, rows
from clew.relational.checkpoints import (
    Deferred,
    checkpoint_from_row,
    insert_checkpoint,
    insert_row,
    new_row,
)
from clew.relational.content import Content, store_json
from clew.relational.heads import (
    Head,
    Node,
    Tip,
    active_is_missing,
    check_revision,
    find_node,
    move_tip,
    read_head,
)
from clew.relational.rows import CheckpointRow, SessionRow
from clew.relational.session_rows import update_row
from clew.relational.timelines import EMPTY, Owner, extend
from clew.relational.transaction import MAX_ROWS, Transaction
from clew.text import fold, folded_or_none
from clew.times import to_micros

_COUNT_FOR = {
    "list_sessions": "count_sessions_filtered",
    "list_sessions_of_owner": "count_sessions_of_owner",
    "list_sessions_of_name": "count_sessions_of_name",
}
"""By the statement for a page, the one for the total of a list that filters."""


def create_session(db: Transaction, new: NewSession, *, ensure: bool, deferred: Deferred) -> Session:
    """See `Backend.create_session`."""
    existing = _existing(db, new, ensure)
    if existing is not None:
        return load_session(db, existing, deferred)
    _check_parent(db, new)
    if new.checkpoint_id is not None:
        db.lock_id(new.checkpoint_id)
        if db.fetch_one("checkpoint_claim", {"id": new.checkpoint_id.bytes}):
            raise id_taken("checkpoint", new.checkpoint_id)
    head = _begin_family(db, new)
    if new.checkpoint_id is None:
        move_tip(db, head, head.tip, head.tip.updated_at)
    else:
        _insert_root(db, head, new, new.checkpoint_id)
    return load_session(db, new.id, deferred)


def _check_parent(db: Transaction, new: NewSession) -> None:
    if new.parent_session_id is None or new.parent_may_be_missing:
        return
    if not db.fetch_one("session_exists", {"id": new.parent_session_id.bytes}):
        raise session_not_found(new.parent_session_id)


def _insert_root(db: Transaction, head: Head, new: NewSession, checkpoint_id: UUID) -> None:
    row = new_row(
        head,
        id=checkpoint_id,
        parent=None,
        point=extend(db, head.owner, EMPTY, new.bodies),
        metadata=None if new.metadata is None else store_json(db, head.owner.family, new.metadata),
        label=None,
        created_at=head.tip.updated_at,
        fingerprint=None,
    )
    insert_checkpoint(db, head, row, None, has_news=bool(new.bodies))


def fork_session(db: Transaction, session_id: UUID, new: NewFork, deferred: Deferred) -> Session:
    """See `Backend.fork_session`."""
    if _is_written(db, new.id, new.fingerprint):
        return load_session(db, new.id, deferred)
    origin = read_head(db, session_id)
    node = find_node(db, origin, new.source_checkpoint)
    if node is None:
        raise no_active_checkpoint(session_id)
    head = _insert_alike(db, read_stored(db, session_id), new, forked_from=node.row.id)
    if new.checkpoint_id is None:
        move_tip(db, head, head.tip, head.tip.updated_at)
    else:
        _insert_fork_root(db, origin, node, head, new.checkpoint_id)
    return load_session(db, new.id, deferred)


def _insert_fork_root(db: Transaction, origin: Head, node: Node, head: Head, checkpoint_id: UUID) -> None:
    row = new_row(
        head,
        id=checkpoint_id,
        parent=None,
        point=node.point,
        metadata=node.metadata,
        label=None,
        created_at=head.tip.updated_at,
        fingerprint=None,
    )
    insert_checkpoint(db, head, row, None, has_news=node.point.length > 0)
    attachments.copy_one(db, node, origin, head, row)


def copy_session(db: Transaction, session_id: UUID, new: NewCopy, deferred: Deferred) -> Session:
    """See `Backend.copy_session`."""
    if _is_written(db, new.id, new.fingerprint):
        return load_session(db, new.id, deferred)
    origin = read_head(db, session_id)
    stored = read_stored(db, session_id)
    _check_source_free(db, _utf8(new.source), _utf8(new.source_id), _owner_after(stored, new.owner))
    head = _insert_alike(db, stored, new)
    ids = _copy_checkpoints(db, origin, head)
    attachments.copy_all(db, origin, head, ids)
    move_tip(db, head, msgspec.structs.replace(origin.tip, revision=0), new.now)
    return load_session(db, new.id, deferred)


def load_session(db: Transaction, session_id: UUID, deferred: Deferred | None = None) -> Session:
    """A session with its active checkpoint, whose state is read now, or when touched where `deferred` is given."""
    columns = db.fetch_one("session_by_id", {"id": session_id.bytes})
    if columns is None:
        raise session_not_found(session_id)
    row, checkpoint = rows.checked_session(columns[: rows.SESSION_COLUMNS]), columns[rows.SESSION_COLUMNS :]
    active = None
    if row.active is not None:
        if checkpoint[1] is None:
            raise active_is_missing(session_id)
        active = checkpoint_from_row(db, checkpoint, deferred)
    return Session(**rows.session_fields(row), active_checkpoint=active)


def load_if_there(db: Transaction, session_id: UUID, deferred: Deferred) -> Session | None:
    """The same, None where there is no such session; whoever is still writing to it is waited for."""
    db.lock_session(session_id)
    with suppress(NotFoundError):
        return load_session(db, session_id, deferred)
    return None


def read_stored(db: Transaction, session_id: UUID) -> SessionRow:
    """The row of a session, which is as it was written."""
    columns = db.fetch_one("session_row", {"id": session_id.bytes})
    if columns is None:
        raise session_not_found(session_id)
    return rows.checked_session(columns)


def load_summary(db: Transaction, session_id: UUID) -> SessionSummary:
    """See `Backend.get_session_summary`."""
    columns = db.fetch_one("session_by_id", {"id": session_id.bytes})
    if columns is None:
        raise session_not_found(session_id)
    rows.checked_session(columns[: rows.SESSION_COLUMNS])
    return rows.session_summary(columns)


def find_session_id(db: Transaction, source: str, source_id: str, owner: str | None) -> UUID:
    """The id of the session that another program knows by this name, among those of an owner."""
    row = db.fetch_one("session_id_by_source", {"source": source, "source_id": source_id, "owner": owner})
    if row is None:
        raise source_not_found(source, source_id)
    return UUID(bytes=row[0])


def list_sessions(db: Transaction, query: SessionQuery) -> Page[SessionSummary]:
    """See `Backend.list_sessions`."""
    filters = _filters(query)
    cursor_at, cursor_id = None, None
    if query.cursor is not None:
        cursor_at, cursor_id = decode_cursor("sessions", query.cursor, (int, bytes))
    parameters = {
        **filters,
        "cursor_at": cursor_at,
        "cursor_id": cursor_id,
        "earliest": rows.FIRST_MICROS,
        "limit": min(query.limit + 1, MAX_ROWS),
        "offset": query.offset,
    }
    found = db.fetch_all(_list_for(query), parameters)
    items = [rows.session_summary(row) for row in found[: query.limit]]
    more = bool(items) and len(found) > len(items)
    return Page(
        items=items,
        total=_total(db, query, filters),
        next_cursor=_cursor_after(items[-1]) if more else None,
    )


def _list_for(query: SessionQuery) -> str:
    """The statement that looks at the fewest sessions."""
    if query.source_id is not None:
        return "list_sessions_of_name"
    return "list_sessions" if query.owner is None else "list_sessions_of_owner"


def update_session(db: Transaction, session_id: UUID, changes: SessionChanges, deferred: Deferred) -> Session:
    """See `Backend.update_session`."""
    head = read_head(db, session_id)
    check_revision(head, changes.if_revision)
    stored = read_stored(db, session_id)
    metadata = _changed_metadata(db, changes, stored)
    wanted = stored._replace(
        title=stored.title if changes.title is KEEP else changes.title.encode(),
        visibility=stored.visibility if changes.visibility is KEEP else changes.visibility.encode(),
        status=stored.status if changes.status is KEEP else changes.status.encode(),
        cwd=stored.cwd if changes.cwd is KEEP else _utf8(changes.cwd),
        metadata=None if metadata is None else metadata.key,
        metadata_hash=None if metadata is None else metadata.hash,
        owner=_owner_after(stored, changes.owner),
    )
    if wanted.owner != stored.owner:
        _check_source_free(db, stored.source, stored.source_id, wanted.owner)
    moved = changes.updated_at is not None and changes.updated_at > stored.updated_at
    if wanted != stored:
        update_row(db, wanted)
    if wanted != stored or moved:
        move_tip(db, head, head.tip, changes.now if changes.updated_at is None else changes.updated_at)
    return load_session(db, session_id, deferred)


def set_active_checkpoint(db: Transaction, session_id: UUID, place: Place, now: int, deferred: Deferred) -> Session:
    """See `Backend.set_active_checkpoint`."""
    head = read_head(db, session_id)
    node = find_node(db, head, place)
    if node is not None and node.seq != head.tip.active:
        move_tip(db, head, msgspec.structs.replace(head.tip, active=node.seq), now)
    return load_session(db, session_id, deferred)


def _changed_metadata(db: Transaction, changes: SessionChanges, stored: SessionRow) -> Content | None:
    if changes.metadata is KEEP:
        if stored.metadata is None or stored.metadata_hash is None:
            return None
        return Content(stored.metadata, stored.metadata_hash)
    return None if changes.metadata is None else store_json(db, stored.family, changes.metadata)


def _existing(db: Transaction, new: NewSession, ensure: bool) -> UUID | None:
    """The session that the call asks for, where it exists; ConflictError where something of it is taken."""
    if ensure and new.source is not None and new.source_id is not None:
        name = {"source": new.source, "source_id": new.source_id, "owner": new.owner}
        row = db.fetch_one("session_id_by_source", name)
        if row is not None:
            return UUID(bytes=row[0])
    if _is_written(db, new.id, new.fingerprint):
        return new.id
    if not ensure:
        _check_source_free(db, _utf8(new.source), _utf8(new.source_id), _utf8(new.owner))
    return None


def _is_written(db: Transaction, id: UUID, fingerprint: bytes | None) -> bool:
    """Whether the same call has made the session; ConflictError where another one has."""
    claim = db.fetch_one("session_claim", {"id": id.bytes})
    if claim is None:
        return False
    if fingerprint is None or claim[0] != fingerprint:
        raise id_taken("session", id)
    db.lock_session(id)  # so that this answer is as safe as the first one, which a standby may not have confirmed yet
    return True


def _check_source_free(db: Transaction, source: bytes | None, source_id: bytes | None, owner: bytes | None) -> None:
    if source is None or source_id is None:
        return
    name = {"source": source.decode(), "source_id": source_id.decode(), "owner": _text(owner)}
    if db.fetch_one("session_id_by_source", name):
        raise source_taken(source.decode(), source_id.decode())


def _owner_after(stored: SessionRow, owner: str | Keep | None) -> bytes | None:
    """Whose it is after a call that may say so."""
    return stored.owner if owner is KEEP else _utf8(owner)


def _begin_family(db: Transaction, new: NewSession) -> Head:
    """Insert a session without checkpoints that begins a family, which has the number of its key."""
    created_at = new.now if new.created_at is None else new.created_at
    row = _unsealed(
        id=new.id.bytes,
        title=new.title.encode(),
        visibility=new.visibility.encode(),
        cwd=_utf8(new.cwd),
        source=_utf8(new.source),
        source_id=_utf8(new.source_id),
        parent_session_id=rows.id_bytes(new.parent_session_id),
        forked_from=rows.id_bytes(new.forked_from),
        created_at=created_at,
        fingerprint=new.fingerprint,
        owner=_utf8(new.owner),
    )
    head = _insert(db, row)
    metadata = None
    if new.session_metadata is not None:
        metadata = store_json(db, head.owner.session, new.session_metadata)
    row = row._replace(family=head.owner.session, metadata_hash=None if metadata is None else metadata.hash)
    key = None if metadata is None else metadata.key
    db.execute("begin_family", {"session": head.owner.session, "metadata": key, "seal": row.new_seal()})
    return msgspec.structs.replace(head, owner=Owner(head.owner.session, head.owner.session))


def _insert_alike(
    db: Transaction, stored: SessionRow, new: NewFork | NewCopy, *, forked_from: bytes | None = None
) -> Head:
    """Insert a session without checkpoints that is of another's family and takes over what a user set of it."""
    source, source_id, created_at = None, None, new.now
    if isinstance(new, NewCopy):
        source, source_id = new.source, new.source_id
    elif new.created_at is not None:
        created_at = new.created_at
    row = _unsealed(
        id=new.id.bytes,
        family=stored.family,
        title=stored.title if new.title is None else new.title.encode(),
        visibility=stored.visibility,
        cwd=stored.cwd,
        source=_utf8(source),
        source_id=_utf8(source_id),
        parent_session_id=stored.id,
        forked_from=forked_from,
        metadata=stored.metadata,
        metadata_hash=stored.metadata_hash,
        created_at=created_at,
        fingerprint=new.fingerprint,
        owner=_owner_after(stored, new.owner),
    )
    head = _insert(db, row._replace(seal=row.new_seal()))
    directories.copy_former(db, stored, head)
    return head


def _unsealed(*, id: bytes, title: bytes, visibility: bytes, created_at: int, **others: Any) -> SessionRow:
    """A session that nothing has been written to."""
    nothing: dict[str, Any] = dict.fromkeys(SessionRow._fields)
    begun = {"key": 0, "family": 0, "status": b"ACTIVE", "seal": 0, "tip_seal": 0, "updated_at": created_at}
    given = {"id": id, "title": title, "visibility": visibility, "created_at": created_at, **others}
    return SessionRow(**{**nothing, **begun, **given, "next_seq": 1, "checkpoint_count": 0, "revision": 0})


def _insert(db: Transaction, row: SessionRow) -> Head:
    title = row.title.decode()
    texts = {name: _text(getattr(row, name)) for name in ("visibility", "cwd", "source", "source_id", "owner")}
    key = db.insert_session({**row._asdict(), **texts, "title": title, "title_folded": folded_or_none(title)})
    tip = Tip(None, row.next_seq, row.checkpoint_count, row.revision, row.updated_at, None)
    return Head(UUID(bytes=row.id), Owner(key, row.family), tip)


def _copy_checkpoints(db: Transaction, origin: Head, copy: Head) -> dict[int, tuple[bytes, bytes]]:
    """Write every checkpoint of `origin` again under a new id; the old and the new id of each by seq."""
    ids: dict[int, tuple[bytes, bytes]] = {}
    for parent, *columns in db.fetch_all("checkpoints_of_session", origin.owner.key):
        row = CheckpointRow(*columns).check()
        ids[row.seq] = (row.id, new_id().bytes)
        copied = row._replace(
            session_id=copy.id.bytes,
            id=ids[row.seq][1],
            parent_id=None if parent is None else ids[parent][1],
            fingerprint=None,
        )
        insert_row(db, copy.owner, copied.sealed(), parent)
    return ids


def _filters(query: SessionQuery) -> dict[str, Any]:
    return {
        "active": query.status in (None, SessionStatus.ACTIVE),
        "deleted": query.status in (None, SessionStatus.DELETED),
        "visibility": query.visibility,
        "cwd": query.cwd,
        "source": query.source,
        "source_id": query.source_id,
        "parent_session_id": rows.id_bytes(query.parent_session_id),
        "search": fold(query.search) if query.search else None,
        "metadata": None if query.metadata is None else query.metadata.decode(),
        "owner": query.owner,
    }


def _total(db: Transaction, query: SessionQuery, filters: dict[str, Any]) -> int | None:
    if all(filters[name] is None for name in filters if name not in ("active", "deleted")):
        counted = "count_sessions_kept"
    elif query.count:
        counted = _COUNT_FOR[_list_for(query)]
    else:
        return None
    ((total,),) = db.fetch_all(counted, filters)
    return int(total)


def _cursor_after(last: SessionSummary) -> str:
    return encode_cursor("sessions", to_micros(last.updated_at), last.id.bytes)


def _utf8(text: str | None) -> bytes | None:
    return None if text is None else text.encode()


def _text(utf8: bytes | None) -> str | None:
    return None if utf8 is None else utf8.decode()
