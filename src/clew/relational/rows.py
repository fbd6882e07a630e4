"""Rows of the SQLite file as values of the model.

Each row that a caller is shown has a seal: a hash over its values, kept in the row. Messages and metadata have hashes
of their own; what a seal adds is the row around them: a title, a label, a parent, a time, which checkpoint is active.
Keys of other rows go in as what they lead to (ids, hashes of content), so that a key that leads elsewhere is found too.

What a caller asks for by its id is read strictly: a row that does not match its seal, or cannot be read, is a
CorruptStateError. In a list a damaged row hides no other: it is shown with what can be read of it, and `damage` says
so.
"""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, NamedTuple
from uuid import UUID

import msgspec

from clew.errors import CorruptStateError
from clew.hashing import row_seal
from clew.messages import decode_value
from clew.model import (
    Attachment,
    Checkpoint,
    CheckpointSummary,
    SessionStatus,
    SessionSummary,
    State,
    Visibility,
)
from clew.relational.content import checked
from clew.relational.transaction import Key, Row
from clew.times import from_micros, to_micros

# Where a page is damaged, a column may come out as a value of another type.
_UNREADABLE = (AttributeError, OverflowError, TypeError, ValueError)

FIRST_MICROS = to_micros(datetime.min.replace(tzinfo=UTC))
_LAST_MICROS = to_micros(datetime.max.replace(tzinfo=UTC))


class SessionRow(NamedTuple):
    """The columns of a session as the queries list them; text is UTF-8."""

    key: int
    # what a session is: sealed by `seal`
    id: bytes
    family: int
    title: bytes
    visibility: bytes
    status: bytes
    cwd: bytes | None
    source: bytes | None
    source_id: bytes | None
    parent_session_id: bytes | None
    forked_from: bytes | None
    metadata_hash: bytes | None
    created_at: int
    fingerprint: bytes | None
    owner: bytes | None
    # what every write to it changes: sealed by `tip_seal`, with the id and the family
    active: int | None
    next_seq: int
    checkpoint_count: int
    revision: int
    updated_at: int
    last_message_at: int | None
    # what is not sealed, because what it leads to is
    seal: int
    tip_seal: int
    metadata: Key | None
    metadata_body: bytes | None

    def new_seal(self) -> int:
        """The seal that the values have. The owner is in it where there is one: older rows have seals without."""
        return row_seal(self[1:14] if self.owner is None else self[1:15])

    def is_sealed(self) -> bool:
        """Whether the row is as it was written, and its metadata there."""
        return (
            self.seal == self.new_seal()
            and self.tip_seal == row_seal((self.id, self.family, *self[15:21]))
            and (self.metadata is None) is (self.metadata_hash is None)
        )


class CheckpointRow(NamedTuple):
    """The columns of a checkpoint as the queries list them; text is UTF-8."""

    # sealed by `seal`
    session_id: bytes
    seq: int
    id: bytes
    parent_id: bytes | None
    timeline: int | None
    length: int
    chain: bytes
    metadata_hash: bytes | None
    label: bytes | None
    created_at: int
    updated_at: int | None
    fingerprint: bytes | None
    attachment_count: int
    # what is not, because what it leads to is
    metadata: Key | None
    seal: int
    family: int

    def sealed(self) -> "CheckpointRow":
        """The row with the seal that its values have."""
        return self._replace(seal=row_seal(self[:13]))

    def is_sealed(self) -> bool:
        """Whether the row is as it was written, and its metadata there."""
        return self.seal == row_seal(self[:13]) and (self.metadata is None) is (self.metadata_hash is None)

    def check(self) -> "CheckpointRow":
        """Itself, where it is as it was written."""
        if not self.is_sealed():
            raise checkpoint_damaged(shown_id(self.id), "it does not match its seal")
        return self


SESSION_COLUMNS = len(SessionRow._fields)
CHECKPOINT_COLUMNS = len(CheckpointRow._fields)


def checked_session(row: Row) -> SessionRow:
    """A row of a session where it is as it was written."""
    found = SessionRow(*row)
    if not found.is_sealed():
        raise session_damaged(shown_id(found.id), "it does not match its seal")
    return found


def session_fields(row: SessionRow) -> dict[str, Any]:
    """The fields that a session and its summary share."""
    id = shown_id(row.id)
    try:
        return {
            "id": id,
            "title": row.title.decode(),
            "visibility": Visibility(row.visibility.decode()),
            "status": SessionStatus(row.status.decode()),
            "cwd": _optional_text(row.cwd),
            "source": _optional_text(row.source),
            "source_id": _optional_text(row.source_id),
            "parent_session_id": optional_id(row.parent_session_id),
            "forked_from": optional_id(row.forked_from),
            "metadata": _session_metadata(row),
            "revision": row.revision,
            "created_at": from_micros(row.created_at),
            "updated_at": from_micros(row.updated_at),
            "owner": _optional_text(row.owner),
        }
    except _UNREADABLE as error:
        raise session_damaged(id, str(error)) from error


def session_summary(columns: Row) -> SessionSummary:
    """A row of ``list_sessions``."""
    row, active = SessionRow(*columns[:SESSION_COLUMNS]), CheckpointRow(*columns[SESSION_COLUMNS:])
    damage = None
    if not row.is_sealed():
        damage = "the row of the session does not match its seal"
    elif active.seq is not None and not active.is_sealed():
        damage = "the row of its active checkpoint does not match its seal"
    try:
        fields = session_fields(row)
    except CorruptStateError as error:
        fields, damage = session_fields(_mended(row)), error.message
    return SessionSummary(
        **fields,
        message_count=_counted(active.length),
        checkpoint_count=_counted(row.checkpoint_count),
        active_checkpoint_id=optional_id(_whole_id(active.id)),
        last_message_at=None if row.last_message_at is None else from_micros(in_range(row.last_message_at)),
        damage=damage,
    )


def _mended(row: SessionRow) -> SessionRow:
    """A damaged row with stand-ins for what cannot be read."""
    return row._replace(
        id=shown_id(row.id).bytes,
        title=_readable(row.title) or b"",
        visibility=member(row.visibility, Visibility, b"PRIVATE"),
        status=member(row.status, SessionStatus, b"ACTIVE"),
        cwd=_readable(row.cwd),
        source=_readable(row.source),
        source_id=_readable(row.source_id),
        parent_session_id=_whole_id(row.parent_session_id),
        forked_from=_whole_id(row.forked_from),
        metadata=None,
        created_at=in_range(row.created_at),
        revision=_counted(row.revision),
        updated_at=in_range(row.updated_at),
        owner=_readable(row.owner),
    )


def checkpoint(row: CheckpointRow, state: State) -> Checkpoint:
    """A checkpoint with a state; CorruptStateError where its row is not as it was written."""
    row.check()
    id = UUID(bytes=row.id)
    try:
        return Checkpoint(
            id=id,
            session_id=UUID(bytes=row.session_id),
            parent_id=optional_id(row.parent_id),
            label=_optional_text(row.label),
            state=state,
            created_at=from_micros(row.created_at),
            updated_at=from_micros(row.created_at if row.updated_at is None else row.updated_at),
        )
    except (ValueError, OverflowError) as error:
        raise checkpoint_damaged(id, str(error)) from error


def checkpoint_summary(row: CheckpointRow, metadata: bytes | None = None) -> CheckpointSummary:
    """A checkpoint in a list, with its metadata where that has been read."""
    id = shown_id(row.id)
    damage = None if row.is_sealed() else "the row of the checkpoint does not match its seal"
    value = None
    if metadata is not None and row.metadata_hash is not None:
        try:
            value = decode_value(checked(row.metadata_hash, metadata, "its metadata", id), id)
        except CorruptStateError as error:
            damage = error.message
    return CheckpointSummary(
        id=id,
        session_id=shown_id(row.session_id),
        parent_id=optional_id(_whole_id(row.parent_id)),
        label=None if row.label is None else row.label.decode(errors="replace"),
        message_count=_counted(row.length),
        chain=_hexadecimal(row.chain),
        created_at=from_micros(in_range(row.created_at)),
        updated_at=from_micros(in_range(row.created_at if row.updated_at is None else row.updated_at)),
        metadata=value,
        damage=damage,
    )


def with_attachments(item: CheckpointSummary, found: dict[str, Attachment], damage: str | None) -> CheckpointSummary:
    """The item with its attachments, and what is wrong with those that cannot be read."""
    return msgspec.structs.replace(item, attachments=found, damage=item.damage or damage)


def with_damage(item: CheckpointSummary, damage: str) -> CheckpointSummary:
    """The item with what is wrong with it, unless that is said already."""
    return msgspec.structs.replace(item, damage=item.damage or damage)


def session_damaged(id: UUID, why: str) -> CorruptStateError:
    return CorruptStateError(f"the row of session {id} cannot be trusted: {why}")


def checkpoint_damaged(id: UUID, why: str) -> CorruptStateError:
    return CorruptStateError(f"the row of checkpoint {id} cannot be trusted: {why}", id)


def optional_id(stored: bytes | None) -> UUID | None:
    return None if stored is None else UUID(bytes=stored)


def id_bytes(id: UUID | None) -> bytes | None:
    return None if id is None else id.bytes


def shown_id(stored: Any) -> UUID:
    """An id that may be damaged: all zeros stand for what is none."""
    return UUID(bytes=_whole_id(stored) or bytes(16))


def in_range(micros: Any) -> int:
    return min(max(micros, FIRST_MICROS), _LAST_MICROS) if isinstance(micros, int) else FIRST_MICROS


def _counted(number: Any) -> int:
    return number if isinstance(number, int) else 0


def _hexadecimal(stored: Any) -> str:
    return stored.hex() if isinstance(stored, bytes) else ""


def _optional_text(stored: bytes | None) -> str | None:
    return None if stored is None else stored.decode()


def member(stored: Any, known: Iterable[str], otherwise: bytes) -> bytes:
    return stored if stored in [name.encode() for name in known] else otherwise


def _readable(text: bytes | None) -> bytes | None:
    return None if text is None else text.decode(errors="replace").encode()


def _whole_id(stored: Any) -> bytes | None:
    return stored if isinstance(stored, bytes) and len(stored) == 16 else None


def _session_metadata(row: SessionRow) -> Any:
    if row.metadata is None:
        return None
    if row.metadata_hash is None or row.metadata_body is None:
        raise CorruptStateError(f"metadata of session {UUID(bytes=row.id)} is missing")
    return decode_value(checked(row.metadata_hash, row.metadata_body, "metadata of a session"))
