"""Writing and reading checkpoints, inside a transaction that the caller holds."""

from collections.abc import Callable
from uuid import UUID

import apsw
import msgspec

from clew.backend import (
    CheckpointQuery,
    NewCheckpoint,
    StalePrefixError,
    checkpoint_not_found,
    id_taken,
    label_taken,
    not_active,
    session_not_found,
)
from clew.cursors import decode_cursor, encode_cursor
from clew.errors import CorruptStateError
from clew.hashing import EMPTY_CHAIN, content_hash, extend_chain
from clew.model import ACTIVE, KEEP, Active, Checkpoint, CheckpointSummary, Page, State, StoredState
from clew.sqlite import rows
from clew.sqlite.content import read_content, store_content
from clew.sqlite.queries import execute, fetch_all, fetch_one, iterate
from clew.sqlite.timelines import EMPTY, Owner, Point, beginning, common_prefix, extend, read, read_slice
from clew.times import from_micros

Deferred = Callable[[UUID], State]
"""Makes the state of a checkpoint that is read when first touched."""


MAX_ROWS = 2**63 - 1
"""The largest LIMIT that SQLite takes."""


class Node(msgspec.Struct, frozen=True):
    """A checkpoint of a session as a place to go on from."""

    seq: int
    id: bytes
    point: Point
    metadata: int | None


class Head(msgspec.Struct, frozen=True):
    """What a write needs to know of a session."""

    owner: Owner
    next_seq: int
    updated_at: int
    active: Node | None
    lost_active_of: UUID | None = None
    """The session, where it points at a checkpoint that is not there: nothing may go on from that."""


def read_head(connection: apsw.Connection, session_id: UUID) -> Head:
    """The head of a session; NotFoundError where there is none."""
    row = fetch_one(connection, "session_head", {"id": session_id.bytes})
    if row is None:
        raise session_not_found(session_id)
    key, family, next_seq, updated_at, active_seq, *active = row
    node = None if active[0] is None else _node(active)
    lost = session_id if node is None and active_seq is not None else None
    return Head(Owner(key, family), next_seq, updated_at, node, lost)


def active_is_missing(session_id: UUID) -> CorruptStateError:
    """For a session that points at a checkpoint it does not have."""
    return CorruptStateError(f"the active checkpoint of session {session_id} is missing")


def find_node(connection: apsw.Connection, head: Head, checkpoint_id: UUID | Active) -> Node | None:
    """A checkpoint of the session, or its active one (None where it has none); NotFoundError for any other."""
    if checkpoint_id is ACTIVE:
        if head.lost_active_of is not None:
            raise active_is_missing(head.lost_active_of)
        return head.active
    row = fetch_one(connection, "checkpoint_in_session", {"id": checkpoint_id.bytes, "session": head.owner.session})
    if row is None:
        raise checkpoint_not_found(checkpoint_id)
    return _node(row)


def write_checkpoint(
    connection: apsw.Connection, session_id: UUID, new: NewCheckpoint, deferred: Deferred
) -> Checkpoint:
    """See `Backend.write_checkpoint`."""
    head = read_head(connection, session_id)
    if new.fingerprint is not None and _is_written(connection, head, new):
        return load_checkpoint(connection, new.id, deferred)
    if new.if_active is not None:
        _check_if_active(head, new.if_active)
    parent = None if new.parent is None else find_node(connection, head, new.parent)
    if new.label is not None:
        _check_label(connection, head.owner.session, new.label)
    created_at = max(new.now, head.updated_at) if new.created_at is None else new.created_at
    point, brought = _place(connection, head, parent, new)
    insert_checkpoint(
        connection,
        head,
        id=new.id,
        parent=parent,
        point=point,
        metadata=_metadata(connection, head, parent, new),
        label=new.label,
        created_at=created_at,
        fingerprint=new.fingerprint,
        has_news=brought > 0,
    )
    moment = from_micros(created_at)
    return Checkpoint(
        id=new.id,
        session_id=session_id,
        parent_id=None if parent is None else UUID(bytes=parent.id),
        label=new.label,
        state=deferred(new.id),
        created_at=moment,
        updated_at=moment,
    )


def insert_checkpoint(
    connection: apsw.Connection,
    head: Head,
    *,
    id: UUID,
    parent: Node | None,
    point: Point,
    metadata: int | None,
    label: str | None,
    created_at: int,
    fingerprint: bytes | None,
    has_news: bool,
) -> None:
    """Add a checkpoint at a point and make it the session's active one; `has_news` where it brings messages."""
    execute(
        connection,
        "insert_checkpoint",
        {
            "session": head.owner.session,
            "seq": head.next_seq,
            "id": id.bytes,
            "parent": None if parent is None else parent.seq,
            "timeline": point.timeline,
            "length": point.length,
            "chain": point.chain,
            "metadata": metadata,
            "label": label,
            "created_at": created_at,
            "fingerprint": fingerprint,
        },
    )
    execute(
        connection,
        "advance_session",
        {
            "session": head.owner.session,
            "updated_at": max(created_at, head.updated_at),
            "last_message_at": created_at if has_news else None,
        },
    )


def load_checkpoint(connection: apsw.Connection, checkpoint_id: UUID, deferred: Deferred | None = None) -> Checkpoint:
    """A checkpoint, its state read now, or when first touched where `deferred` is given."""
    row = fetch_one(connection, "checkpoint_by_id", {"id": checkpoint_id.bytes})
    if row is None:
        raise checkpoint_not_found(checkpoint_id)
    return checkpoint_from_row(connection, row, deferred)


def checkpoint_from_row(connection: apsw.Connection, row: rows.Row, deferred: Deferred | None) -> Checkpoint:
    """A checkpoint from the columns of ``checkpoint_by_id``."""
    *columns, timeline, length, chain, metadata = row
    id = UUID(bytes=row[0])
    if deferred is not None:
        state = deferred(id)
    else:
        state = State.stored(read_state(connection, id, Point(timeline, length, chain), metadata))
    return rows.checkpoint(columns, state)


def read_state(connection: apsw.Connection, checkpoint_id: UUID, point: Point, metadata: int | None) -> StoredState:
    """The bytes of a state, checked; CorruptStateError naming the checkpoint where they are damaged."""
    bodies = read(connection, point, checkpoint_id)
    return StoredState(bodies, read_content(connection, metadata, checkpoint_id), checkpoint_id)


def load_state(connection: apsw.Connection, checkpoint_id: UUID) -> StoredState:
    """The bytes of the state of a checkpoint."""
    row = fetch_one(connection, "checkpoint_by_id", {"id": checkpoint_id.bytes})
    if row is None:
        raise checkpoint_not_found(checkpoint_id)
    timeline, length, chain, metadata = row[-4:]
    return read_state(connection, checkpoint_id, Point(timeline, length, chain), metadata)


def load_slice(connection: apsw.Connection, checkpoint_id: UUID, start: int | None, stop: int | None) -> list[bytes]:
    """The bodies of a slice of a checkpoint's messages."""
    row = fetch_one(connection, "checkpoint_point", {"id": checkpoint_id.bytes})
    if row is None:
        raise checkpoint_not_found(checkpoint_id)
    point = Point(*row)
    first, beyond, _ = slice(start, stop).indices(point.length)
    return read_slice(connection, point, first, beyond, checkpoint_id)


def list_checkpoints(connection: apsw.Connection, session_id: UUID, query: CheckpointQuery) -> Page[CheckpointSummary]:
    """See `Backend.list_checkpoints`."""
    found = fetch_one(connection, "session_checkpoint_count", {"id": session_id.bytes})
    if found is None:
        raise session_not_found(session_id)
    session, total = found
    after = 0 if query.cursor is None else decode_cursor("checkpoints", query.cursor, (int,))[0]
    parameters = {
        "session": session,
        "after": after,
        "metadata": None if query.metadata is None else query.metadata.decode(),
        "limit": min(query.limit + 1, MAX_ROWS),
        "offset": query.offset,
    }
    found_rows = fetch_all(connection, "list_checkpoints", parameters)
    shown = found_rows[: query.limit]
    return Page(
        items=[rows.checkpoint_summary(row, session_id) for row in shown],
        total=total if query.metadata is None else None,
        next_cursor=encode_cursor("checkpoints", shown[-1][-1]) if shown and len(found_rows) > len(shown) else None,
    )


def list_ancestry(connection: apsw.Connection, checkpoint_id: UUID) -> list[UUID]:
    """The checkpoint, its parent, and so on to the root."""
    found = [UUID(bytes=id) for (id,) in iterate(connection, "ancestry", {"id": checkpoint_id.bytes})]
    if not found:
        raise checkpoint_not_found(checkpoint_id)
    return found


def _node(row: rows.Row) -> Node:
    seq, id, metadata, timeline, length, chain, is_end = row
    return Node(seq, id, Point(timeline, length, chain, bool(is_end)), metadata)


def _is_written(connection: apsw.Connection, head: Head, new: NewCheckpoint) -> bool:
    claim = fetch_one(connection, "checkpoint_claim", {"id": new.id.bytes})
    if claim is None:
        return False
    if claim != (head.owner.session, new.fingerprint):
        raise id_taken("checkpoint", new.id)
    return True


def _check_if_active(head: Head, expected: UUID) -> None:
    if head.active is None or head.active.id != expected.bytes:
        raise not_active(expected)


def _check_label(connection: apsw.Connection, session: int, label: str) -> None:
    if fetch_one(connection, "label_taken", {"session": session, "label": label}):
        raise label_taken(label)


def _place(connection: apsw.Connection, head: Head, parent: Node | None, new: NewCheckpoint) -> tuple[Point, int]:
    """Where the new checkpoint lies, and how many messages it has beyond its parent."""
    basis, bodies = EMPTY if parent is None else parent.point, new.bodies
    if new.prefix is not None:
        if new.prefix.whole != basis.chain:
            raise StalePrefixError("the parent is not the conversation that was remembered")
        basis = beginning(connection, basis, new.prefix.count, new.prefix.chain)
    elif new.full:
        # Timelines need not follow the tree: a new root most often repeats what the active checkpoint holds.
        if parent is None and head.active is not None:
            basis = head.active.point
        shared = common_prefix(connection, basis, bodies)
        basis = beginning(connection, basis, shared, extend_chain(EMPTY_CHAIN, bodies[:shared]))
        bodies = bodies[shared:]
    return extend(connection, head.owner, basis, bodies), len(new.bodies if parent is None else bodies)


def _metadata(connection: apsw.Connection, head: Head, parent: Node | None, new: NewCheckpoint) -> int | None:
    if new.metadata is KEEP:
        return None if parent is None else parent.metadata
    if new.metadata is None:
        return None
    return store_content(connection, head.owner.family, new.metadata, content_hash(new.metadata))
