"""Attachments: named bytes beside a checkpoint, or waiting for a label that no checkpoint has yet."""

import enum
from collections.abc import Sequence
from typing import NamedTuple
from uuid import UUID

import msgspec

from clew.backend import (
    NewAttachment,
    NewAttachments,
    NewCheckpoint,
    OnConflict,
    Place,
    attachment_not_found,
    attachment_taken,
    checkpoint_not_found,
    no_active_checkpoint,
)
from clew.errors import CorruptStateError, NotFoundError
from clew.hashing import row_seal
from clew.model import SAME, Attachment, AttachmentInfo, Label
from clew.relational import pieces
from clew.relational.content import Content
from clew.relational.heads import Head, Node, find_node, move_tip, read_head
from clew.relational.pieces import Bytes
from clew.relational.rows import CheckpointRow, shown_id
from clew.relational.transaction import Key, Row, Transaction


class AttachmentRow(NamedTuple):
    """The columns of an attachment as the queries list them; text is UTF-8."""

    name: bytes
    content_type: bytes | None
    size: int
    chunk_size: int | None
    content: Key
    seal: int
    hash: bytes | None

    def stored(self) -> Bytes:
        """Where the bytes are."""
        return Bytes(self.size, self.chunk_size, Content(self.content, self.hash or b""))

    def seal_at(self, target: "Target") -> int:
        """The seal that it has there."""
        label = None if target.label is None else target.label.encode()
        return row_seal((target.owner, label, self.name, self.content_type, self.size, self.chunk_size, self.hash))

    def is_like(self, other: "AttachmentRow") -> bool:
        """Whether both are the same bytes of the same type."""
        return self[1:5] == other[1:5]


class Target(NamedTuple):
    """What an attachment belongs to: a checkpoint (`owner` is its id), or a label of the session `owner`."""

    family: int
    session: int
    owner: bytes
    seq: int | None
    label: str | None

    @property
    def place(self) -> dict[str, int | str | None]:
        """The part of the primary key that all its attachments share."""
        return {
            "family": self.family,
            "session": self.session,
            **({"seq": self.seq} if self.label is None else {"label": self.label}),
        }

    @property
    def find_query(self) -> str:
        """The query for an attachment by its name."""
        return "attachment_at" if self.label is None else "attachment_at_waiting"

    @property
    def put_query(self) -> str:
        """The query that writes one."""
        return "put_attachment" if self.label is None else "put_attachment_waiting"

    @property
    def delete_query(self) -> str:
        """The query that removes one."""
        return "delete_attachment" if self.label is None else "delete_attachment_waiting"


def target_at(session: int, row: CheckpointRow) -> Target:
    """A checkpoint of a session."""
    return Target(row.family, session, row.id, row.seq, None)


def label_target(head: Head, label: str) -> Target:
    """A label of a session that no checkpoint has yet."""
    return Target(head.owner.family, head.owner.session, head.id.bytes, None, label)


Cuts = dict[str, pieces.Cut]
"""The bytes of a call by name, cut and hashed before its write begins."""


def cut_all(items: Sequence[NewAttachment]) -> Cuts:
    """The bytes of the items; SAME has none."""
    return {item.name: pieces.cut(item.data) for item in items if item.data is not SAME}


def attach(db: Transaction, session_id: UUID, new: NewAttachments, cuts: Cuts) -> None:
    """See `Backend.attach`."""
    head = read_head(db, session_id)
    node, target = _owner(db, head, new.place)
    outcomes = [_put(db, head, target, item, cuts[item.name], new.on_conflict) for item in new.items]
    if any(outcome is not _Outcome.KEPT for outcome in outcomes):
        move_tip(db, head, head.tip, new.now)
        if node is not None:
            touch(db, head, node.row, new.now, attached=outcomes.count(_Outcome.ADDED))


def detach(db: Transaction, session_id: UUID, place: Place, names: Sequence[str], now: int) -> None:
    """See `Backend.detach`."""
    head = read_head(db, session_id)
    node, target = _owner(db, head, place)
    for name in names:
        if _existing(db, target, name.encode()) is None:
            raise attachment_not_found(name, None if node is None else UUID(bytes=node.row.id))
        db.execute(target.delete_query, {**target.place, "name": name})
    if names:
        move_tip(db, head, head.tip, now)
        if node is not None:
            touch(db, head, node.row, now, attached=-len(names))


class _Outcome(enum.Enum):
    ADDED = "a name that was not there"
    REPLACED = "other bytes under a name"
    KEPT = "nothing has changed"


def touch(db: Transaction, head: Head, row: CheckpointRow, now: int, *, attached: int = 0) -> CheckpointRow:
    """Write a checkpoint's label, how many more attachments it has, and that it changed now."""
    updated_at = max(now, row.created_at if row.updated_at is None else row.updated_at)
    return _update(db, head, row._replace(updated_at=updated_at), attached)


def attach_to_new(
    db: Transaction, head: Head, row: CheckpointRow, parent: Node | None, new: NewCheckpoint, cuts: Cuts
) -> None:
    """Give a checkpoint just written what it comes with, and what waited for its label."""
    attached = 0 if new.label is None else take_waiting(db, head, row, new.label)
    target = target_at(head.owner.session, row)
    for item in new.attachments:
        if item.data is SAME:
            outcome = _insert(db, target, _of_parent(db, head, parent, item.name))
        else:
            outcome = _put(db, head, target, item, cuts[item.name], "error")
        attached += outcome is _Outcome.ADDED
    if attached:
        _update(db, head, row, attached)


def take_waiting(db: Transaction, head: Head, row: CheckpointRow, label: str) -> int:
    """Give a checkpoint what waited for its label; how many attachments it has more by that."""
    waiting = label_target(head, label)
    found = [AttachmentRow(*columns) for columns in db.fetch_all("waiting_attachments", waiting.place)]
    target = target_at(head.owner.session, row)
    outcomes = [_insert(db, target, _check(attachment, waiting)) for attachment in found]
    if found:
        db.execute("end_waiting", waiting.place)
    return outcomes.count(_Outcome.ADDED)


def _update(db: Transaction, head: Head, row: CheckpointRow, attached: int) -> CheckpointRow:
    row = row._replace(attachment_count=row.attachment_count + attached).sealed()
    label = None if row.label is None else row.label.decode()
    db.execute("touch_checkpoint", {**row._asdict(), **head.owner.key, "label": label})
    return row


def copy_all(db: Transaction, origin: Head, copy: Head, ids: dict[int, tuple[bytes, bytes]]) -> None:
    """Give the checkpoints of a copied session their attachments; `ids` are the old and the new id of each by seq."""
    family, session = copy.owner.family, copy.owner.session
    for seq, *columns in db.fetch_all("attachments_of_session", origin.owner.key):
        old, new = ids[seq]
        row = _check(AttachmentRow(*columns), Target(family, origin.owner.session, old, seq, None))
        _write(db, Target(family, session, new, seq, None), row)
    for label, *columns in db.fetch_all("waiting_attachments_of_session", origin.owner.key):
        waiting = label_target(origin, label.decode())
        row = _check(AttachmentRow(*columns), waiting)
        _write(db, waiting._replace(session=session, owner=copy.id.bytes), row)


def copy_one(db: Transaction, node: Node, origin: Head, copy: Head, row: CheckpointRow) -> None:
    """Give the root of a fork the attachments of the checkpoint that it began as."""
    source = target_at(origin.owner.session, node.row)
    (found,) = _rows(db, [source])
    for attachment in found:
        _write(db, target_at(copy.owner.session, row), _check(attachment, source))
    if found:
        _update(db, copy, row, len(found))


# -- reading


def load_attachments(db: Transaction, ids: Sequence[UUID], prefix: str) -> dict[UUID, dict[str, Attachment]]:
    """See `Backend.get_attachments`."""
    owners = [_read_owner(columns) for columns in _by_id(db, ids)]
    found: dict[UUID, dict[str, Attachment]] = {}
    for id, (readable, damage) in zip(ids, load_readable(db, owners, prefix), strict=True):
        if damage is not None:
            raise damage
        found[id] = readable
    return found


def load_readable(
    db: Transaction, owners: Sequence[tuple[int, CheckpointRow]], prefix: str
) -> list[tuple[dict[str, Attachment], CorruptStateError | None]]:
    """For each checkpoint its attachments that can be read, and what is wrong with the first that cannot.

    In two queries for all of them, and one for each that is kept in pieces. Bytes that several have are read once.
    """
    targets = [target_at(session, row) for session, row in owners]
    wanted = prefix.encode()
    everything = _rows(db, targets)
    chosen = [[row for row in found if row.name is not None and row.name.startswith(wanted)] for found in everything]
    bodies = _Bodies(db, targets, chosen)
    results: list[tuple[dict[str, Attachment], CorruptStateError | None]] = []
    for (_, owner), target, found, rows in zip(owners, targets, everything, chosen, strict=True):
        readable: dict[str, Attachment] = {}
        damage = _lost(owner, len(found))
        for row in rows:
            try:
                readable[row.name.decode(errors="replace")] = bodies.read(_check(row, target), target)
            except CorruptStateError as error:
                damage = damage or error
        results.append((readable, damage))
    return results


def list_attachments(db: Transaction, checkpoint_id: UUID, prefix: str) -> list[AttachmentInfo]:
    """See `Backend.list_attachments`."""
    ((session, owner),) = [_read_owner(columns) for columns in _by_id(db, [checkpoint_id])]
    target = target_at(session, owner)
    (found,) = _rows(db, [target])
    infos = [_info(row, target) for row in found]
    lost = _lost(owner, len(found))
    if lost is not None:
        infos.append(AttachmentInfo(name="", size=0, damage=lost.message))
    return [info for info in infos if info.name.startswith(prefix) or info.damage is not None]


def list_waiting(db: Transaction, session_id: UUID) -> dict[str, list[AttachmentInfo]]:
    """See `Backend.list_waiting`."""
    head = read_head(db, session_id)
    found: dict[str, list[AttachmentInfo]] = {}
    for label, *columns in db.fetch_all("waiting_attachments_of_session", head.owner.key):
        target = label_target(head, label.decode(errors="replace"))
        found.setdefault(label.decode(errors="replace"), []).append(_info(AttachmentRow(*columns), target))
    return found


def load_waiting(db: Transaction, session_id: UUID, label: str) -> dict[str, Attachment]:
    """See `Backend.get_waiting`."""
    target = label_target(read_head(db, session_id), label)
    found = [AttachmentRow(*columns) for columns in db.fetch_all("waiting_attachments", target.place)]
    bodies = _Bodies(db, [target], [found])
    return {row.name.decode(errors="replace"): bodies.read(_check(row, target), target) for row in found}


def load_slice(db: Transaction, checkpoint_id: UUID, name: str, start: int | None, stop: int | None) -> Attachment:
    """See `Backend.get_attachment`."""
    ((session, owner),) = [_read_owner(columns) for columns in _by_id(db, [checkpoint_id])]
    target = target_at(session, owner)
    row = _existing(db, target, name.encode())
    if row is None:
        (found,) = _rows(db, [target])
        raise _lost(owner, len(found)) or attachment_not_found(name, checkpoint_id)
    return _Bodies(db, [target], [[row]]).read(_check(row, target), target, start, stop)


class _Bodies:
    """The bytes of some content, each read once, and each attachment made of it once."""

    def __init__(self, db: Transaction, targets: Sequence[Target], rows: Sequence[Sequence[AttachmentRow]]) -> None:
        """The attachments of each target."""
        self._db = db
        self._bodies = db.bodies(
            {(target.family, row.content) for target, found in zip(targets, rows, strict=True) for row in found}
        )
        self._made: dict[tuple[int, Key, bytes | None], Attachment] = {}

    def read(self, row: AttachmentRow, target: Target, start: int | None = None, stop: int | None = None) -> Attachment:
        """The bytes of an attachment whose row has been checked."""
        kind = (target.family, row.content, row.content_type)
        if kind not in self._made:
            try:
                body = self._bodies.get((target.family, row.content))
                data = pieces.read(self._db, target.family, row.stored(), body, start, stop)
            except CorruptStateError as error:
                raise _damaged(row, shown_id(target.owner), error.message) from error
            self._made[kind] = Attachment(data, _text(row.content_type))
        return self._made[kind]


def _by_id(db: Transaction, ids: Sequence[UUID]) -> list[Row]:
    wanted = msgspec.json.encode([id.hex for id in ids]).decode()
    return db.fetch_all("checkpoints_by_id", {"ids": wanted})


def _read_owner(columns: Row) -> tuple[int, CheckpointRow]:
    """The key of its session, and the row of a checkpoint; NotFoundError where there is none."""
    asked, session, *row = columns
    if session is None:
        raise checkpoint_not_found(UUID(bytes=asked))
    return session, CheckpointRow(*row).check()


def _rows(db: Transaction, targets: Sequence[Target]) -> list[list[AttachmentRow]]:
    """The attachments of each checkpoint, in the order of their names."""
    page = msgspec.json.encode([(target.session, target.seq) for target in targets]).decode()
    found: list[list[AttachmentRow]] = [[] for _ in targets]
    for index, *columns in db.fetch_all("attachments_on_page", {"page": page}):
        found[index].append(AttachmentRow(*columns))
    return found


def _info(row: AttachmentRow, target: Target) -> AttachmentInfo:
    damage = None
    try:
        _check(row, target)
    except CorruptStateError as error:
        damage = error.message
    size = row.size if isinstance(row.size, int) else 0
    content_type = None if row.content_type is None else row.content_type.decode(errors="replace")
    return AttachmentInfo(name=_shown_name(row), size=size, content_type=content_type, damage=damage)


# -- writing


def _owner(db: Transaction, head: Head, place: Place) -> tuple[Node | None, Target]:
    """The checkpoint to attach to, None for a label that nothing has yet, and where its attachments are."""
    try:
        node = find_node(db, head, place)
    except NotFoundError:
        if isinstance(place, Label):
            return None, label_target(head, place.name)
        raise
    if node is None:
        raise no_active_checkpoint(head.id)
    return node, target_at(head.owner.session, node.row)


def _put(
    db: Transaction,
    head: Head,
    target: Target,
    item: NewAttachment,
    data: pieces.Cut,
    on_conflict: OnConflict,
) -> _Outcome:
    """Store an attachment."""
    taken = _existing(db, target, item.name.encode())
    if taken is not None and on_conflict == "keep":
        return _Outcome.KEPT
    size, chunk_size, content = pieces.store(db, head.owner.family, data)
    content_type = None if item.content_type is None else item.content_type.encode()
    row = AttachmentRow(item.name.encode(), content_type, size, chunk_size, content.key, 0, content.hash)
    if taken is not None and taken.is_like(row):
        return _Outcome.KEPT
    if taken is not None and on_conflict == "error":
        raise attachment_taken(item.name)
    _write(db, target, row)
    return _Outcome.ADDED if taken is None else _Outcome.REPLACED


def _insert(db: Transaction, target: Target, row: AttachmentRow) -> _Outcome:
    """Store an attachment whose bytes are there; ConflictError where the name has others."""
    taken = _existing(db, target, row.name)
    if taken is None:
        _write(db, target, row)
        return _Outcome.ADDED
    if not taken.is_like(row):
        raise attachment_taken(row.name.decode())
    return _Outcome.KEPT


def _write(db: Transaction, target: Target, row: AttachmentRow) -> None:
    values = {**row._asdict(), **target.place, "name": row.name.decode(), "content_type": _text(row.content_type)}
    db.execute(target.put_query, {**values, "seal": row.seal_at(target)})


def _existing(db: Transaction, target: Target, name: bytes) -> AttachmentRow | None:
    columns = db.fetch_one(target.find_query, {**target.place, "name": name.decode()})
    return None if columns is None else AttachmentRow(*columns)


def _of_parent(db: Transaction, head: Head, parent: Node | None, name: str) -> AttachmentRow:
    if parent is None:
        raise attachment_not_found(name, None)
    target = target_at(head.owner.session, parent.row)
    row = _existing(db, target, name.encode())
    if row is None:
        raise attachment_not_found(name, UUID(bytes=parent.row.id))
    return _check(row, target)


# -- damage


def _check(row: AttachmentRow, target: Target) -> AttachmentRow:
    """The row, where it is as it was written there."""
    if row.hash is None or row.seal != row.seal_at(target):
        checkpoint_id = shown_id(target.owner) if target.label is None else None
        raise _damaged(row, checkpoint_id, "has a row that does not match its seal")
    return row


def _damaged(row: AttachmentRow, checkpoint_id: UUID | None, what: str) -> CorruptStateError:
    name = _shown_name(row)
    owner = "" if checkpoint_id is None else f" of checkpoint {checkpoint_id}"
    return CorruptStateError(f"attachment {name!r}{owner} {what}", checkpoint_id)


def _lost(owner: CheckpointRow, found: int) -> CorruptStateError | None:
    """What is wrong where a checkpoint does not have as many attachments as it should."""
    if found == owner.attachment_count:
        return None
    id = shown_id(owner.id)
    return CorruptStateError(f"checkpoint {id} has {found} of its {owner.attachment_count} attachments", id)


def _shown_name(row: AttachmentRow) -> str:
    return row.name.decode(errors="replace") if isinstance(row.name, bytes) else ""


def _text(stored: bytes | None) -> str | None:
    return None if stored is None else stored.decode()
