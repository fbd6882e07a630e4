"""Attachments: named bytes beside a checkpoint, or waiting for a label that no checkpoint has yet."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple
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
from clew.sqlite.queries import execute, fetch_all, fetch_one
from clew.sqlite.rows import CheckpointRow


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


def target_at(session: int, row: CheckpointRow) -> Target:
    """A checkpoint of a session."""
    return Target(session, row.id, row.seq, None)


def attach(connection: apsw.Connection, session_id: UUID, new: NewAttachments) -> None:
    """See `Backend.attach`."""
    head = read_head(connection, session_id)
    node = _owner(connection, head, new.place)
    if node is None:
        assert isinstance(new.place, Label)  # noqa: S101 - for any other place there is a node
        target = Target(head.owner.session, session_id.bytes, None, new.place.name)
    else:
        target = target_at(head.owner.session, node.row)
    changes = [_put(connection, head, target, item, new.on_conflict) for item in new.items]
    if any(changes):
        move_tip(connection, head, head.tip, new.now)
        if node is not None:
            touch(connection, head, node.row, new.now)


def touch(connection: apsw.Connection, head: Head, row: CheckpointRow, now: int) -> CheckpointRow:
    """Write a checkpoint's label, and that it changed now."""
    row = row._replace(updated_at=max(now, row.created_at if row.updated_at is None else row.updated_at)).sealed()
    execute(
        connection,
        "touch_checkpoint",
        {
            "session": head.owner.session,
            "seq": row.seq,
            "label": None if row.label is None else row.label.decode(),
            "updated_at": row.updated_at,
            "seal": row.seal,
        },
    )
    return row


def attach_to_new(
    connection: apsw.Connection, head: Head, row: CheckpointRow, parent: Node | None, new: NewCheckpoint
) -> None:
    """Give a checkpoint just written what it comes with, and what waited for its label."""
    if new.label is not None:
        take_waiting(connection, head, row, new.label)
    target = target_at(head.owner.session, row)
    for item in new.attachments:
        if item.data is SAME:
            _insert(connection, target, _of_parent(connection, head, parent, item.name))
        else:
            _put(connection, head, target, item, "error")


def take_waiting(connection: apsw.Connection, head: Head, row: CheckpointRow, label: str) -> bool:
    """Give a checkpoint what waited for its label; whether there was anything."""
    waiting = Target(head.owner.session, head.id.bytes, None, label)
    found = [AttachmentRow(*columns) for columns in fetch_all(connection, "waiting_attachments", waiting.place)]
    for attachment in found:
        _check(attachment, waiting)
        _insert(connection, target_at(head.owner.session, row), attachment)
    if found:
        execute(connection, "end_waiting", waiting.place)
    return bool(found)


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
    for columns in fetch_all(connection, "attachment_names", {"id": node.row.id, "prefix": ""}):
        _write(connection, target_at(copy.owner.session, row), _check(AttachmentRow(*columns), source))


# -- reading


def load_attachments(
    connection: apsw.Connection, ids: Sequence[UUID], prefix: str
) -> dict[UUID, dict[str, Attachment]]:
    """See `Backend.get_attachments`."""
    found: dict[UUID, dict[str, Attachment]] = {id: {} for id in ids}
    for id, name, attachment in _read_many(connection, ids, prefix):
        if isinstance(attachment, CorruptStateError):
            raise attachment
        found[id][name] = attachment
    return found


def load_readable(
    connection: apsw.Connection, ids: Sequence[UUID], prefix: str
) -> dict[UUID, tuple[dict[str, Attachment], str | None]]:
    """The attachments of checkpoints that can be read, and what is wrong with the first that cannot."""
    found: dict[UUID, tuple[dict[str, Attachment], str | None]] = {id: ({}, None) for id in ids}
    for id, name, attachment in _read_many(connection, ids, prefix):
        readable, damage = found[id]
        if isinstance(attachment, CorruptStateError):
            found[id] = (readable, damage or attachment.message)
        else:
            readable[name] = attachment
    return found


def list_attachments(connection: apsw.Connection, checkpoint_id: UUID, prefix: str) -> list[AttachmentInfo]:
    """See `Backend.list_attachments`."""
    found = fetch_all(connection, "attachment_names", {"id": checkpoint_id.bytes, "prefix": prefix})
    if not found:
        _check_exists(connection, checkpoint_id)
    return [_info(_check(AttachmentRow(*columns), _reading(checkpoint_id))) for columns in found]


def load_slice(
    connection: apsw.Connection, checkpoint_id: UUID, name: str, start: int | None, stop: int | None
) -> Attachment:
    """See `Backend.get_attachment`."""
    columns = fetch_one(connection, "attachment_by_name", {"id": checkpoint_id.bytes, "name": name})
    if columns is None:
        _check_exists(connection, checkpoint_id)
        raise attachment_not_found(name, checkpoint_id)
    return _content(connection, checkpoint_id, columns, start, stop)


def _read_many(
    connection: apsw.Connection, ids: Sequence[UUID], prefix: str
) -> Iterator[tuple[UUID, str, Attachment | CorruptStateError]]:
    wanted = msgspec.json.encode([id.hex for id in ids]).decode()
    for asked, id, *columns in fetch_all(connection, "attachments_of_many", {"ids": wanted, "prefix": prefix}):
        if id is None:
            raise checkpoint_not_found(UUID(bytes=asked))
        if columns[0] is None:
            continue
        checkpoint_id = UUID(bytes=id)
        try:
            yield checkpoint_id, columns[0].decode(), _content(connection, checkpoint_id, columns)
        except CorruptStateError as error:
            yield checkpoint_id, columns[0].decode(errors="replace"), error


def _content(
    connection: apsw.Connection,
    checkpoint_id: UUID,
    columns: Sequence[Any],
    start: int | None = None,
    stop: int | None = None,
) -> Attachment:
    """The bytes of an attachment, whose body comes after the columns of its row."""
    row = _check(AttachmentRow(*columns[:-1]), _reading(checkpoint_id))
    try:
        data = pieces.read(connection, row.stored(), columns[-1], start, stop)
    except CorruptStateError as error:
        raise _damaged(row, checkpoint_id, error.message) from error
    return Attachment(data, _text(row.content_type))


def _info(row: AttachmentRow) -> AttachmentInfo:
    return AttachmentInfo(name=row.name.decode(), size=row.size, content_type=_text(row.content_type))


def _check_exists(connection: apsw.Connection, checkpoint_id: UUID) -> None:
    if fetch_one(connection, "checkpoint_claim", {"id": checkpoint_id.bytes}) is None:
        raise checkpoint_not_found(checkpoint_id)


# -- writing


def _owner(connection: apsw.Connection, head: Head, place: Place) -> Node | None:
    """The checkpoint to attach to, None for a label that nothing has yet."""
    try:
        node = find_node(connection, head, place)
    except NotFoundError:
        if isinstance(place, Label):
            return None
        raise
    if node is None:
        raise no_active_checkpoint(head.id)
    return node


def _put(connection: apsw.Connection, head: Head, target: Target, item: NewAttachment, on_conflict: OnConflict) -> bool:
    """Store an attachment; whether that changed anything."""
    assert item.data is not SAME  # noqa: S101 - only a checkpoint with a parent takes that
    taken = _existing(connection, target, item.name.encode())
    if taken is not None and on_conflict == "keep":
        return False
    size, chunk_size, content = pieces.store(connection, head.owner.family, item.data)
    content_type = None if item.content_type is None else item.content_type.encode()
    row = AttachmentRow(item.name.encode(), content_type, size, chunk_size, content.key, 0, content.hash)
    if taken is not None and taken.is_like(row):
        return False
    if taken is not None and on_conflict == "error":
        raise attachment_taken(item.name)
    _write(connection, target, row)
    return True


def _insert(connection: apsw.Connection, target: Target, row: AttachmentRow) -> None:
    """Store an attachment whose bytes are there; ConflictError where the name has others."""
    taken = _existing(connection, target, row.name)
    if taken is None:
        _write(connection, target, row)
    elif not taken.is_like(row):
        raise attachment_taken(row.name.decode())


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


def _reading(checkpoint_id: UUID) -> Target:
    """A checkpoint to check the seals of attachments against."""
    return Target(0, checkpoint_id.bytes, None, None)


def _check(row: AttachmentRow, target: Target) -> AttachmentRow:
    """The row, where it is as it was written there."""
    if row.hash is None or row.seal != row.seal_at(target):
        checkpoint_id = UUID(bytes=target.owner) if target.label is None else None
        raise _damaged(row, checkpoint_id, "has a row that does not match its seal")
    return row


def _damaged(row: AttachmentRow, checkpoint_id: UUID | None, what: str) -> CorruptStateError:
    name = row.name.decode(errors="replace")
    owner = "" if checkpoint_id is None else f" of checkpoint {checkpoint_id}"
    return CorruptStateError(f"attachment {name!r}{owner} {what}", checkpoint_id)


def _text(stored: bytes | None) -> str | None:
    return None if stored is None else stored.decode()
