"""Attachments: named bytes beside a checkpoint, or waiting for a label that no checkpoint has yet."""

import enum
from collections.abc import Sequence
from typing import NamedTuple
from uuid import UUID

import apsw
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
from clew.sqlite import pieces
from clew.sqlite.content import Content
from clew.sqlite.heads import Head, Node, find_node, move_tip, read_head
from clew.sqlite.pieces import Bytes
from clew.sqlite.queries import Row, execute, fetch_all, fetch_one
from clew.sqlite.rows import CheckpointRow, shown_id


class AttachmentRow(NamedTuple):
    """The columns of an attachment as the queries list them; text is UTF-8."""

    name: bytes
    content_type: bytes | None
    size: int
    chunk_size: int | None
    content: int
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

    session: int
    owner: bytes
    seq: int | None
    label: str | None

    @property
    def place(self) -> dict[str, int | str | None]:
        """The part of the primary key that all its attachments share."""
        return {"session": self.session, **({"seq": self.seq} if self.label is None else {"label": self.label})}

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
    return Target(session, row.id, row.seq, None)


Cuts = dict[str, pieces.Cut]
"""The bytes of a call by name, cut and hashed before its write begins."""


def cut_all(items: Sequence[NewAttachment]) -> Cuts:
    """The bytes of the items; SAME has none."""
    return {item.name: pieces.cut(item.data) for item in items if item.data is not SAME}


def attach(connection: apsw.Connection, session_id: UUID, new: NewAttachments, cuts: Cuts) -> None:
    """See `Backend.attach`."""
    head = read_head(connection, session_id)
    node, target = _owner(connection, head, new.place)
    outcomes = [_put(connection, head, target, item, cuts[item.name], new.on_conflict) for item in new.items]
    if any(outcome is not _Outcome.KEPT for outcome in outcomes):
        move_tip(connection, head, head.tip, new.now)
        if node is not None:
            touch(connection, head, node.row, new.now, attached=outcomes.count(_Outcome.ADDED))


def detach(connection: apsw.Connection, session_id: UUID, place: Place, names: Sequence[str], now: int) -> None:
    """See `Backend.detach`."""
    head = read_head(connection, session_id)
    node, target = _owner(connection, head, place)
    for name in names:
        if _existing(connection, target, name.encode()) is None:
            raise attachment_not_found(name, None if node is None else UUID(bytes=node.row.id))
        execute(connection, target.delete_query, {**target.place, "name": name})
    if names:
        move_tip(connection, head, head.tip, now)
        if node is not None:
            touch(connection, head, node.row, now, attached=-len(names))


class _Outcome(enum.Enum):
    ADDED = "a name that was not there"
    REPLACED = "other bytes under a name"
    KEPT = "nothing has changed"


def touch(connection: apsw.Connection, head: Head, row: CheckpointRow, now: int, *, attached: int = 0) -> CheckpointRow:
    """Write a checkpoint's label, how many more attachments it has, and that it changed now."""
    updated_at = max(now, row.created_at if row.updated_at is None else row.updated_at)
    return _update(connection, head, row._replace(updated_at=updated_at), attached)


def attach_to_new(
    connection: apsw.Connection, head: Head, row: CheckpointRow, parent: Node | None, new: NewCheckpoint, cuts: Cuts
) -> None:
    """Give a checkpoint just written what it comes with, and what waited for its label."""
    attached = 0 if new.label is None else take_waiting(connection, head, row, new.label)
    target = target_at(head.owner.session, row)
    for item in new.attachments:
        if item.data is SAME:
            outcome = _insert(connection, target, _of_parent(connection, head, parent, item.name))
        else:
            outcome = _put(connection, head, target, item, cuts[item.name], "error")
        attached += outcome is _Outcome.ADDED
    if attached:
        _update(connection, head, row, attached)


def take_waiting(connection: apsw.Connection, head: Head, row: CheckpointRow, label: str) -> int:
    """Give a checkpoint what waited for its label; how many attachments it has more by that."""
    waiting = Target(head.owner.session, head.id.bytes, None, label)
    found = [AttachmentRow(*columns) for columns in fetch_all(connection, "waiting_attachments", waiting.place)]
    target = target_at(head.owner.session, row)
    outcomes = [_insert(connection, target, _check(attachment, waiting)) for attachment in found]
    if found:
        execute(connection, "end_waiting", waiting.place)
    return outcomes.count(_Outcome.ADDED)


def _update(connection: apsw.Connection, head: Head, row: CheckpointRow, attached: int) -> CheckpointRow:
    row = row._replace(attachment_count=row.attachment_count + attached).sealed()
    label = None if row.label is None else row.label.decode()
    execute(connection, "touch_checkpoint", {**row._asdict(), "session": head.owner.session, "label": label})
    return row


def copy_all(connection: apsw.Connection, origin: Head, copy: Head, ids: dict[int, tuple[bytes, bytes]]) -> None:
    """Give the checkpoints of a copied session their attachments; `ids` are the old and the new id of each by seq."""
    session, target = {"session": origin.owner.session}, copy.owner.session
    for seq, *columns in fetch_all(connection, "attachments_of_session", session):
        old, new = ids[seq]
        row = _check(AttachmentRow(*columns), Target(origin.owner.session, old, seq, None))
        _write(connection, Target(target, new, seq, None), row)
    for label, *columns in fetch_all(connection, "waiting_attachments_of_session", session):
        waiting = Target(origin.owner.session, origin.id.bytes, None, label.decode())
        row = _check(AttachmentRow(*columns), waiting)
        _write(connection, waiting._replace(session=target, owner=copy.id.bytes), row)


def copy_one(connection: apsw.Connection, node: Node, origin: Head, copy: Head, row: CheckpointRow) -> None:
    """Give the root of a fork the attachments of the checkpoint that it began as."""
    source = target_at(origin.owner.session, node.row)
    (found,) = _rows(connection, [source])
    for attachment in found:
        _write(connection, target_at(copy.owner.session, row), _check(attachment, source))
    if found:
        _update(connection, copy, row, len(found))


# -- reading


def load_attachments(
    connection: apsw.Connection, ids: Sequence[UUID], prefix: str
) -> dict[UUID, dict[str, Attachment]]:
    """See `Backend.get_attachments`."""
    owners = [_read_owner(columns) for columns in _by_id(connection, ids)]
    found: dict[UUID, dict[str, Attachment]] = {}
    for id, (readable, damage) in zip(ids, load_readable(connection, owners, prefix), strict=True):
        if damage is not None:
            raise damage
        found[id] = readable
    return found


def load_readable(
    connection: apsw.Connection, owners: Sequence[tuple[int, CheckpointRow]], prefix: str
) -> list[tuple[dict[str, Attachment], CorruptStateError | None]]:
    """For each checkpoint its attachments that can be read, and what is wrong with the first that cannot.

    In two queries for all of them, and one for each that is kept in pieces. Bytes that several have are read once.
    """
    targets = [target_at(session, row) for session, row in owners]
    wanted = prefix.encode()
    everything = _rows(connection, targets)
    chosen = [[row for row in found if row.name is not None and row.name.startswith(wanted)] for found in everything]
    bodies = _Bodies(connection, {row.content for found in chosen for row in found})
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


def list_attachments(connection: apsw.Connection, checkpoint_id: UUID, prefix: str) -> list[AttachmentInfo]:
    """See `Backend.list_attachments`."""
    ((session, owner),) = [_read_owner(columns) for columns in _by_id(connection, [checkpoint_id])]
    target = target_at(session, owner)
    (found,) = _rows(connection, [target])
    infos = [_info(row, target) for row in found]
    lost = _lost(owner, len(found))
    if lost is not None:
        infos.append(AttachmentInfo(name="", size=0, damage=lost.message))
    return [info for info in infos if info.name.startswith(prefix) or info.damage is not None]


def list_waiting(connection: apsw.Connection, session_id: UUID) -> dict[str, list[AttachmentInfo]]:
    """See `Backend.list_waiting`."""
    head = read_head(connection, session_id)
    found: dict[str, list[AttachmentInfo]] = {}
    for label, *columns in fetch_all(connection, "waiting_attachments_of_session", {"session": head.owner.session}):
        target = Target(head.owner.session, session_id.bytes, None, label.decode(errors="replace"))
        found.setdefault(label.decode(errors="replace"), []).append(_info(AttachmentRow(*columns), target))
    return found


def load_slice(
    connection: apsw.Connection, checkpoint_id: UUID, name: str, start: int | None, stop: int | None
) -> Attachment:
    """See `Backend.get_attachment`."""
    ((session, owner),) = [_read_owner(columns) for columns in _by_id(connection, [checkpoint_id])]
    target = target_at(session, owner)
    row = _existing(connection, target, name.encode())
    if row is None:
        (found,) = _rows(connection, [target])
        raise _lost(owner, len(found)) or attachment_not_found(name, checkpoint_id)
    return _Bodies(connection, {row.content}).read(_check(row, target), target, start, stop)


class _Bodies:
    """The bytes of some content, each read once, and each attachment made of it once."""

    def __init__(self, connection: apsw.Connection, keys: set[int]) -> None:
        wanted = msgspec.json.encode(sorted(key for key in keys if isinstance(key, int))).decode()
        self._connection = connection
        self._bodies: dict[int, bytes] = dict(fetch_all(connection, "bodies_by_key", {"keys": wanted}))
        self._made: dict[tuple[int, bytes | None], Attachment] = {}

    def read(self, row: AttachmentRow, target: Target, start: int | None = None, stop: int | None = None) -> Attachment:
        """The bytes of an attachment whose row has been checked."""
        kind = (row.content, row.content_type)
        if kind not in self._made:
            try:
                data = pieces.read(self._connection, row.stored(), self._bodies.get(row.content), start, stop)
            except CorruptStateError as error:
                raise _damaged(row, shown_id(target.owner), error.message) from error
            self._made[kind] = Attachment(data, _text(row.content_type))
        return self._made[kind]


def _by_id(connection: apsw.Connection, ids: Sequence[UUID]) -> list[Row]:
    wanted = msgspec.json.encode([id.hex for id in ids]).decode()
    return fetch_all(connection, "checkpoints_by_id", {"ids": wanted})


def _read_owner(columns: Row) -> tuple[int, CheckpointRow]:
    """The key of its session, and the row of a checkpoint; NotFoundError where there is none."""
    asked, session, *row = columns
    if session is None:
        raise checkpoint_not_found(UUID(bytes=asked))
    return session, CheckpointRow(*row).check()


def _rows(connection: apsw.Connection, targets: Sequence[Target]) -> list[list[AttachmentRow]]:
    """The attachments of each checkpoint, in the order of their names."""
    page = msgspec.json.encode([(target.session, target.seq) for target in targets]).decode()
    found: list[list[AttachmentRow]] = [[] for _ in targets]
    for index, *columns in fetch_all(connection, "attachments_on_page", {"page": page}):
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


def _owner(connection: apsw.Connection, head: Head, place: Place) -> tuple[Node | None, Target]:
    """The checkpoint to attach to, None for a label that nothing has yet, and where its attachments are."""
    try:
        node = find_node(connection, head, place)
    except NotFoundError:
        if isinstance(place, Label):
            return None, Target(head.owner.session, head.id.bytes, None, place.name)
        raise
    if node is None:
        raise no_active_checkpoint(head.id)
    return node, target_at(head.owner.session, node.row)


def _put(
    connection: apsw.Connection,
    head: Head,
    target: Target,
    item: NewAttachment,
    data: pieces.Cut,
    on_conflict: OnConflict,
) -> _Outcome:
    """Store an attachment."""
    taken = _existing(connection, target, item.name.encode())
    if taken is not None and on_conflict == "keep":
        return _Outcome.KEPT
    size, chunk_size, content = pieces.store(connection, head.owner.family, data)
    content_type = None if item.content_type is None else item.content_type.encode()
    row = AttachmentRow(item.name.encode(), content_type, size, chunk_size, content.key, 0, content.hash)
    if taken is not None and taken.is_like(row):
        return _Outcome.KEPT
    if taken is not None and on_conflict == "error":
        raise attachment_taken(item.name)
    _write(connection, target, row)
    return _Outcome.ADDED if taken is None else _Outcome.REPLACED


def _insert(connection: apsw.Connection, target: Target, row: AttachmentRow) -> _Outcome:
    """Store an attachment whose bytes are there; ConflictError where the name has others."""
    taken = _existing(connection, target, row.name)
    if taken is None:
        _write(connection, target, row)
        return _Outcome.ADDED
    if not taken.is_like(row):
        raise attachment_taken(row.name.decode())
    return _Outcome.KEPT


def _write(connection: apsw.Connection, target: Target, row: AttachmentRow) -> None:
    values = {**row._asdict(), **target.place, "name": row.name.decode(), "content_type": _text(row.content_type)}
    execute(connection, target.put_query, {**values, "seal": row.seal_at(target)})


def _existing(connection: apsw.Connection, target: Target, name: bytes) -> AttachmentRow | None:
    columns = fetch_one(connection, target.find_query, {**target.place, "name": name.decode()})
    return None if columns is None else AttachmentRow(*columns)


def _of_parent(connection: apsw.Connection, head: Head, parent: Node | None, name: str) -> AttachmentRow:
    if parent is None:
        raise attachment_not_found(name, None)
    target = target_at(head.owner.session, parent.row)
    row = _existing(connection, target, name.encode())
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
