"""Rows of the SQLite file as values of the model."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from clew.errors import CorruptStateError
from clew.messages import decode_value
from clew.model import Checkpoint, CheckpointSummary, SessionStatus, SessionSummary, State, Visibility
from clew.sqlite.content import checked
from clew.times import from_micros

Row = Sequence[Any]

SESSION_COLUMNS = 14
"""How many columns of a row `session_fields` takes: those that a session and its summary share."""


def session_fields(row: Row) -> dict[str, Any]:
    """The fields that a session and its summary share, from the leading columns of their queries."""
    (id, title, visibility, status, cwd, source, source_id, parent, forked_from,
     digest, metadata, revision, created_at, updated_at) = row[:SESSION_COLUMNS]  # fmt: skip
    try:
        return {
            "id": UUID(bytes=id),
            "title": title,
            "visibility": Visibility(visibility),
            "status": SessionStatus(status),
            "cwd": cwd,
            "source": source,
            "source_id": source_id,
            "parent_session_id": optional_id(parent),
            "forked_from": optional_id(forked_from),
            "metadata": _session_metadata(digest, metadata),
            "revision": revision,
            "created_at": from_micros(created_at),
            "updated_at": from_micros(updated_at),
        }
    except (ValueError, OverflowError) as error:
        raise CorruptStateError(f"the row of session {id.hex()} cannot be read: {error}") from error


def session_summary(row: Row) -> SessionSummary:
    """A row of ``list_sessions``."""
    checkpoint_id, length, checkpoint_count, last_message_at = row[SESSION_COLUMNS:]
    return SessionSummary(
        **session_fields(row),
        message_count=length or 0,
        checkpoint_count=checkpoint_count,
        active_checkpoint_id=optional_id(checkpoint_id),
        last_message_at=None if last_message_at is None else from_micros(last_message_at),
    )


def checkpoint(columns: Row, state: State) -> Checkpoint:
    """A checkpoint from the leading columns of ``checkpoint_by_id`` and a state."""
    id, session_id, parent_id, label, created_at, updated_at = columns
    return Checkpoint(
        id=UUID(bytes=id),
        session_id=UUID(bytes=session_id),
        parent_id=optional_id(parent_id),
        label=label,
        state=state,
        created_at=from_micros(created_at),
        updated_at=from_micros(created_at if updated_at is None else updated_at),
    )


def checkpoint_summary(row: Row, session_id: UUID) -> CheckpointSummary:
    """A row of ``list_checkpoints``."""
    id, parent_id, label, length, created_at, updated_at, _ = row
    return CheckpointSummary(
        id=UUID(bytes=id),
        session_id=session_id,
        parent_id=optional_id(parent_id),
        label=label,
        message_count=length,
        created_at=from_micros(created_at),
        updated_at=from_micros(created_at if updated_at is None else updated_at),
    )


def optional_id(stored: bytes | None) -> UUID | None:
    return None if stored is None else UUID(bytes=stored)


def id_bytes(id: UUID | None) -> bytes | None:
    return None if id is None else id.bytes


def _session_metadata(digest: bytes | None, body: bytes | None) -> Any:
    if digest is None or body is None:
        return None
    return decode_value(checked(digest, body, "metadata of a session"))
