"""Rows of the SQLite file as values of the model."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from clew.errors import CorruptStateError
from clew.messages import decode_value
from clew.model import Checkpoint, CheckpointSummary, SessionStatus, SessionSummary, State, Visibility
from clew.sqlite.content import checked
from clew.times import from_micros, to_micros

Row = Sequence[Any]

_FIRST_MICROS = to_micros(datetime.min.replace(tzinfo=UTC))
_LAST_MICROS = to_micros(datetime.max.replace(tzinfo=UTC))

SESSION_COLUMNS = 16
"""How many columns of a row `session_fields` takes: those that a session and its summary share."""


def session_fields(row: Row) -> dict[str, Any]:
    """The fields that a session and its summary share, from the leading columns of their queries."""
    (id, title, visibility, status, cwd, source, source_id, parent, forked_from,
     metadata, digest, body, revision, created_at, updated_at, _) = row[:SESSION_COLUMNS]  # fmt: skip
    try:
        return {
            "id": UUID(bytes=id),
            "title": title.decode(),
            "visibility": Visibility(visibility),
            "status": SessionStatus(status),
            "cwd": _optional_text(cwd),
            "source": _optional_text(source),
            "source_id": _optional_text(source_id),
            "parent_session_id": optional_id(parent),
            "forked_from": optional_id(forked_from),
            "metadata": _session_metadata(metadata, digest, body),
            "revision": revision,
            "created_at": from_micros(created_at),
            "updated_at": from_micros(updated_at),
        }
    except (ValueError, OverflowError) as error:
        raise CorruptStateError(f"the row of session {UUID(bytes=id)} cannot be read: {error}") from error


def session_summary(row: Row) -> SessionSummary:
    """A row of ``list_sessions``; where something of it is damaged, with stand-ins and `damage` saying so."""
    checkpoint_id, length, checkpoint_count, last_message_at = row[SESSION_COLUMNS:]
    damage = None
    try:
        fields = session_fields(row)
    except CorruptStateError as error:
        fields, damage = session_fields(_mended(row)), error.message
    return SessionSummary(
        **fields,
        message_count=length or 0,
        checkpoint_count=checkpoint_count,
        active_checkpoint_id=optional_id(checkpoint_id),
        last_message_at=None if last_message_at is None else from_micros(_in_range(last_message_at)),
        damage=damage,
    )


def _mended(row: Row) -> Row:
    """A damaged row with stand-ins for what cannot be read, so that it hides no other row of a list."""
    (id, title, visibility, status, cwd, source, source_id, parent, forked_from,
     _, _, _, revision, created_at, updated_at, active) = row[:SESSION_COLUMNS]  # fmt: skip
    texts = [
        None if text is None else text.decode(errors="replace").encode() for text in (title, cwd, source, source_id)
    ]
    return (
        id, texts[0], visibility if visibility in list(Visibility) else Visibility.PRIVATE,
        status if status in list(SessionStatus) else SessionStatus.ACTIVE, *texts[1:], parent, forked_from,
        None, None, None, revision, _in_range(created_at), _in_range(updated_at), active,
    )  # fmt: skip


def _in_range(micros: int) -> int:
    return min(max(micros, _FIRST_MICROS), _LAST_MICROS)


def _optional_text(stored: bytes | None) -> str | None:
    return None if stored is None else stored.decode()


def checkpoint(columns: Row, state: State) -> Checkpoint:
    """A checkpoint from the leading columns of ``checkpoint_by_id`` and a state."""
    id, session_id, parent_id, label, created_at, updated_at = columns
    try:
        return Checkpoint(
            id=UUID(bytes=id),
            session_id=UUID(bytes=session_id),
            parent_id=optional_id(parent_id),
            label=label,
            state=state,
            created_at=from_micros(created_at),
            updated_at=from_micros(created_at if updated_at is None else updated_at),
        )
    except (ValueError, OverflowError) as error:
        checkpoint_id = UUID(bytes=id)
        raise CorruptStateError(
            f"the row of checkpoint {checkpoint_id} cannot be read: {error}", checkpoint_id
        ) from error


def checkpoint_summary(row: Row, session_id: UUID) -> CheckpointSummary:
    """A row of ``list_checkpoints``; a damaged label or time hides no other row."""
    id, parent_id, label, length, created_at, updated_at, _ = row
    return CheckpointSummary(
        id=UUID(bytes=id),
        session_id=session_id,
        parent_id=optional_id(parent_id),
        label=None if label is None else label.decode(errors="replace"),
        message_count=length,
        created_at=from_micros(_in_range(created_at)),
        updated_at=from_micros(_in_range(created_at if updated_at is None else updated_at)),
    )


def optional_id(stored: bytes | None) -> UUID | None:
    return None if stored is None else UUID(bytes=stored)


def id_bytes(id: UUID | None) -> bytes | None:
    return None if id is None else id.bytes


def _session_metadata(key: int | None, digest: bytes | None, body: bytes | None) -> Any:
    if key is None:
        return None
    if digest is None or body is None:
        raise CorruptStateError("metadata of a session is missing")
    return decode_value(checked(digest, body, "metadata of a session"))
