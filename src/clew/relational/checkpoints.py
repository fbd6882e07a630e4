"""Writing checkpoints and reading their states, inside a transaction that the caller holds."""

from collections.abc import Callable
from contextlib import suppress
from uuid import UUID

import msgspec

from clew.backend import (
    NewCheckpoint,
    Place,
    StalePrefixError,
    checkpoint_not_found,
    id_taken,
    label_taken,
    messages_kept,
    no_active_checkpoint,
    session_missing,
)
from clew.errors import CorruptStateError, NotFoundError
from clew.hashing import EMPTY_CHAIN, extend_chain, row_seal
from clew.model import KEEP, Checkpoint, State, StoredState
from clew.relational import rows
from clew.relational.attachments import Cuts, attach_to_new, touch
from clew.relational.content import Content, read_content, store_json
from clew.relational.heads import Head, Node, check_if_active, find_node, label_holder, labelled, move_tip, read_head
from clew.relational.prefixes import first_messages
from clew.relational.rows import CheckpointRow
from clew.relational.timelines import EMPTY, Owner, Point, beginning, common_prefix, extend, read, read_slice
from clew.relational.trails import Trails
from clew.relational.transaction import Row, Transaction
from clew.times import from_micros

Deferred = Callable[[UUID], State]
"""Makes the state of a checkpoint that is read when first touched."""


def write_checkpoint(
    db: Transaction, session_id: UUID, new: NewCheckpoint, cuts: Cuts, deferred: Deferred, trails: Trails
) -> Checkpoint:
    """See `Backend.write_checkpoint`; `cuts` are the bytes of the attachments."""
    head = read_head(db, session_id)
    if new.fingerprint is not None:
        db.lock_id(new.id)
    if new.fingerprint is not None and _is_written(db, head, new):
        return load_checkpoint(db, new.id, deferred)
    check_if_active(head, new.if_active)
    parent = None if new.parent is None else trails.along(find_node(db, head, new.parent))
    if new.label is not None:
        free_label(db, head, new.label, new.now, move=new.move)
    created_at = max(new.now, head.tip.updated_at) if new.created_at is None else new.created_at
    point, brought = _place(db, head, parent, new)
    trails.remember(new.id.bytes, point)
    row = new_row(
        head,
        id=new.id,
        parent=parent,
        point=point,
        metadata=_metadata(db, head, parent, new),
        label=new.label,
        created_at=created_at,
        updated_at=new.updated_at,
        fingerprint=new.fingerprint,
    )
    seq = None if parent is None else parent.seq
    insert_checkpoint(db, head, row, seq, has_news=brought > 0, activate=new.activate)
    if new.attachments or new.label is not None:
        attach_to_new(db, head, row, parent, new, cuts)
    moment = from_micros(created_at)
    return Checkpoint(
        id=new.id,
        session_id=session_id,
        parent_id=None if parent is None else UUID(bytes=parent.row.id),
        label=new.label,
        state=deferred(new.id),
        created_at=moment,
        updated_at=moment if new.updated_at is None else from_micros(new.updated_at),
    )


def new_row(
    head: Head,
    *,
    id: UUID,
    parent: Node | None,
    point: Point,
    metadata: Content | None,
    label: str | None,
    created_at: int,
    updated_at: int | None = None,
    fingerprint: bytes | None,
) -> CheckpointRow:
    """The next checkpoint of a session, not written yet."""
    sealed = (
        head.id.bytes,
        head.tip.next_seq,
        id.bytes,
        None if parent is None else parent.row.id,
        point.timeline,
        point.length,
        point.chain,
        None if metadata is None else metadata.hash,
        None if label is None else label.encode(),
        created_at,
        updated_at,
        fingerprint,
        0,
    )
    return CheckpointRow(*sealed, None if metadata is None else metadata.key, row_seal(sealed), head.owner.family)


def insert_checkpoint(
    db: Transaction, head: Head, row: CheckpointRow, parent: int | None, *, has_news: bool, activate: bool = True
) -> None:
    """Write a checkpoint and make it the session's active one; `has_news` where it brings messages."""
    insert_row(db, head.owner, row, parent)
    tip = msgspec.structs.replace(
        head.tip,
        active=row.seq if activate else head.tip.active,
        next_seq=row.seq + 1,
        checkpoint_count=head.tip.checkpoint_count + 1,
        last_message_at=row.created_at if has_news else head.tip.last_message_at,
    )
    move_tip(db, head, tip, row.created_at)


def insert_row(db: Transaction, owner: Owner, row: CheckpointRow, parent: int | None) -> None:
    """Write the row of a checkpoint; `parent` is the seq of its parent."""
    label = None if row.label is None else row.label.decode()
    db.execute("insert_checkpoint", {**row._asdict(), **owner.key, "parent": parent, "label": label})


def load_checkpoint(db: Transaction, checkpoint_id: UUID, deferred: Deferred | None = None) -> Checkpoint:
    """A checkpoint, its state read now, or when first touched where `deferred` is given."""
    return checkpoint_from_row(db, read_row(db, checkpoint_id), deferred)


def load_if_there(db: Transaction, session_id: UUID, checkpoint_id: UUID, deferred: Deferred) -> Checkpoint | None:
    """The same, None where there is no such checkpoint; whoever is still writing to the session is waited for."""
    db.lock_session(session_id)
    with suppress(NotFoundError):
        return load_checkpoint(db, checkpoint_id, deferred)
    return None


def load_labelled(db: Transaction, session_id: UUID, label: str) -> Checkpoint:
    """The checkpoint of a session that has a label."""
    return load_checkpoint(db, labelled(db, read_head(db, session_id), label))


def read_row(db: Transaction, checkpoint_id: UUID) -> Row:
    """The columns of a checkpoint; NotFoundError where there is none."""
    row = db.fetch_one("checkpoint_by_id", {"id": checkpoint_id.bytes})
    if row is None:
        raise checkpoint_not_found(checkpoint_id)
    return row


def checkpoint_from_row(db: Transaction, columns: Row, deferred: Deferred | None) -> Checkpoint:
    """A checkpoint from the columns of ``checkpoint_by_id``."""
    row = CheckpointRow(*columns).check()
    id = UUID(bytes=row.id)
    return rows.checkpoint(row, deferred(id) if deferred is not None else State.stored(_read_state(db, row)))


def load_state(db: Transaction, checkpoint_id: UUID) -> StoredState:
    """The bytes of the state of a checkpoint, checked; CorruptStateError naming it where they are damaged."""
    return _read_state(db, CheckpointRow(*read_row(db, checkpoint_id)).check())


def load_slice(
    db: Transaction, place: Place, start: int | None, stop: int | None, session_id: UUID | None
) -> list[bytes]:
    """See `Backend.get_messages`."""
    row = _row_at(db, place, session_id)
    checkpoint_id = UUID(bytes=row.id)
    first, beyond, _ = slice(start, stop).indices(row.length)
    return read_slice(db, row.family, Point(row.timeline, row.length, row.chain), first, beyond, checkpoint_id)


def free_label(db: Transaction, head: Head, label: str, now: int, *, move: bool) -> None:
    """Take a label from the checkpoint of the session that has it; without `move` that one is a ConflictError."""
    holder = label_holder(db, head, label)
    if holder is None:
        return
    if not move:
        raise label_taken(label)
    touch(db, head, CheckpointRow(*read_row(db, holder)).check()._replace(label=None), now)


def _row_at(db: Transaction, place: Place, session_id: UUID | None) -> CheckpointRow:
    if isinstance(place, UUID):
        return CheckpointRow(*read_row(db, place)).check()
    if session_id is None:
        raise session_missing()
    node = find_node(db, read_head(db, session_id), place)
    if node is None:
        raise no_active_checkpoint(session_id)
    return node.row


def _read_state(db: Transaction, row: CheckpointRow) -> StoredState:
    checkpoint_id = UUID(bytes=row.id)
    bodies = read(db, row.family, Point(row.timeline, row.length, row.chain), checkpoint_id)
    return StoredState(bodies, read_content(db, row.family, row.metadata, checkpoint_id), checkpoint_id)


def _is_written(db: Transaction, head: Head, new: NewCheckpoint) -> bool:
    claim = db.fetch_one("checkpoint_claim", {"id": new.id.bytes})
    if claim is None:
        return False
    if claim != (head.owner.session, new.fingerprint):
        raise id_taken("checkpoint", new.id)
    return True


def _place(db: Transaction, head: Head, parent: Node | None, new: NewCheckpoint) -> tuple[Point, int]:
    """Where the new checkpoint lies, and how many messages it has beyond its parent."""
    basis, bodies = EMPTY if parent is None else parent.point, new.bodies
    if new.prefix is not None:
        if new.prefix.whole != basis.chain:
            raise StalePrefixError("the parent is not the conversation that was remembered")
        basis = beginning(db, head.owner.family, basis, new.prefix.count, new.prefix.chain)
    elif new.full:
        # Timelines need not follow the tree: a new root most often repeats what the active checkpoint holds.
        if parent is None:
            basis = _active_point(head)
        shared = common_prefix(db, head.owner.family, basis, bodies)
        basis = beginning(db, head.owner.family, basis, shared, extend_chain(EMPTY_CHAIN, bodies[:shared]))
        bodies = bodies[shared:]
    elif new.after is not None:
        basis = _kept(db, head, parent, new.after)
    return extend(db, head.owner, basis, bodies), len(new.bodies if parent is None else bodies)


def _kept(db: Transaction, head: Head, parent: Node | None, after: int) -> Point:
    """The beginning of the parent's conversation that the new checkpoint takes over."""
    count = messages_kept(after, 0 if parent is None else parent.point.length)
    return EMPTY if parent is None else first_messages(db, head, parent, count)


def _active_point(head: Head) -> Point:
    """Where the active checkpoint lies; nothing where it is damaged, because nothing depends on it here."""
    with suppress(CorruptStateError):
        active = head.active()
        return EMPTY if active is None else active.point
    return EMPTY


def _metadata(db: Transaction, head: Head, parent: Node | None, new: NewCheckpoint) -> Content | None:
    if new.metadata is KEEP:
        return None if parent is None else parent.metadata
    return None if new.metadata is None else store_json(db, head.owner.family, new.metadata)
