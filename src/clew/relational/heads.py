"""The head of a session: what a write needs to know of it, and what every write changes of it."""

from uuid import UUID

import msgspec

from clew.backend import (
    Place,
    checkpoint_not_found,
    label_not_found,
    not_active,
    revision_moved,
    session_not_found,
)
from clew.errors import CorruptStateError
from clew.hashing import row_seal
from clew.model import ACTIVE, Label
from clew.relational.content import Content
from clew.relational.rows import CHECKPOINT_COLUMNS, CheckpointRow, session_damaged
from clew.relational.timelines import Owner, Point
from clew.relational.transaction import Row, Transaction

_TIP_COLUMNS = 9


class Tip(msgspec.Struct, frozen=True):
    """What every write to a session changes."""

    active: int | None
    next_seq: int
    checkpoint_count: int
    revision: int
    updated_at: int
    last_message_at: int | None


class Node(msgspec.Struct, frozen=True):
    """A checkpoint of a session as a place to go on from."""

    row: CheckpointRow
    point: Point

    @property
    def seq(self) -> int:
        """Its place in the order of creation."""
        return self.row.seq

    @property
    def metadata(self) -> Content | None:
        """The metadata of its state."""
        if self.row.metadata is None or self.row.metadata_hash is None:
            return None
        return Content(self.row.metadata, self.row.metadata_hash)


class Head(msgspec.Struct, frozen=True):
    """A session to write to; `active_row` is its active checkpoint with whether its timeline ends there."""

    id: UUID
    owner: Owner
    tip: Tip
    active_row: Row | None = None

    def active(self) -> Node | None:
        """The active checkpoint; CorruptStateError where it is damaged or missing."""
        if self.active_row is not None:
            return _node(self.active_row)
        if self.tip.active is not None:
            raise active_is_missing(self.id)
        return None

    def active_id(self) -> bytes | None:
        """The id of the active checkpoint, whether that is damaged or not."""
        return None if self.active_row is None else CheckpointRow(*self.active_row[:CHECKPOINT_COLUMNS]).id

    def active_label(self) -> bytes | None:
        """The label of the active checkpoint; CorruptStateError where that is damaged or missing."""
        active = self.active()
        return None if active is None else active.row.label


def read_head(db: Transaction, session_id: UUID, *, strict: bool = True, collecting: bool = False) -> Head:
    """The head of a session; NotFoundError where there is none, CorruptStateError where `strict` and it is damaged.

    From here on no other writer changes the session, and with `collecting` none its family.
    """
    db.lock_session(session_id, collecting=collecting)
    row = db.fetch_one("session_head", {"id": session_id.bytes})
    if row is None:
        raise session_not_found(session_id)
    key, family, *values, seal = row[:_TIP_COLUMNS]
    if strict and seal != row_seal((session_id.bytes, family, *values)):
        raise session_damaged(session_id, "it does not match its seal")
    active = row[_TIP_COLUMNS:]
    return Head(session_id, Owner(key, family), Tip(*values), None if active[1] is None else active)


def active_is_missing(session_id: UUID) -> CorruptStateError:
    """For a session that points at a checkpoint it does not have."""
    return CorruptStateError(f"the active checkpoint of session {session_id} is missing")


def find_node(db: Transaction, head: Head, place: Place) -> Node | None:
    """A checkpoint of the session, or its active one (None where it has none); NotFoundError for any other."""
    if place is ACTIVE:
        return head.active()
    id = labelled(db, head, place.name) if isinstance(place, Label) else place
    row = db.fetch_one("checkpoint_in_session", {**head.owner.key, "id": id.bytes})
    if row is None:
        raise checkpoint_not_found(id)
    return _node(row)


def labelled(db: Transaction, head: Head, label: str) -> UUID:
    """The checkpoint of the session that has a label; NotFoundError where none has it."""
    id = label_holder(db, head, label)
    if id is None:
        raise label_not_found(label)
    return id


def label_holder(db: Transaction, head: Head, label: str) -> UUID | None:
    """The same, None where none has it."""
    row = db.fetch_one("label_holder", {**head.owner.key, "label": label})
    return None if row is None else UUID(bytes=row[0])


def move_tip(db: Transaction, head: Head, tip: Tip, now: int) -> Head:
    """Write what has changed: one revision more, and `updated_at` moved to `now` unless that would be back."""
    tip = msgspec.structs.replace(tip, revision=tip.revision + 1, updated_at=max(now, tip.updated_at))
    seal = tip_seal(head, tip)
    db.count_change()
    db.execute("set_tip", {**msgspec.structs.asdict(tip), "tip_seal": seal, "session": head.owner.session})
    return msgspec.structs.replace(head, tip=tip)


def tip_seal(head: Head, tip: Tip) -> int:
    """The seal of a tip."""
    return row_seal((head.id.bytes, head.owner.family, *msgspec.structs.astuple(tip)))


def check_revision(head: Head, expected: int | None) -> None:
    """ConflictError where the session has changed since it had this revision."""
    if expected is not None and expected != head.tip.revision:
        raise revision_moved(expected, head.tip.revision)


def check_if_active(head: Head, expected: UUID | Label | None) -> None:
    """ConflictError where another checkpoint is active, or one without the label."""
    if isinstance(expected, Label):
        if head.active_label() != expected.name.encode():
            raise not_active(expected)
    elif expected is not None and head.active_id() != expected.bytes:
        raise not_active(expected)


def _node(columns: Row) -> Node:
    row = CheckpointRow(*columns[:CHECKPOINT_COLUMNS]).check()
    return Node(row, Point(row.timeline, row.length, row.chain, bool(columns[CHECKPOINT_COLUMNS])))
