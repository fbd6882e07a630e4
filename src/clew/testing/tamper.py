"""Changes to stored bytes behind a store's back: how a contract asks for them, and what it changes."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any, Protocol
from uuid import UUID

from clew import limits
from clew.model import ApiKey, Checkpoint, Session
from clew.testing.contract.attachments import some_bytes
from clew.testing.contract.base import active

LONG = some_bytes(5 * limits.ATTACHMENT_CHUNK_BYTES // 2)
"""Bytes of two and a half pieces, where they are kept in pieces."""

BODIES = {
    "another message": b'{"role":"user","content":"z"}',
    "no message": b"{}",
    "null": b"null",
    "an array": b"[]",
    "half of a message": b'{"role":"us',
    "nothing": b"",
    "a NUL": b"\0",
    "a message with more after it": b'{"role":"user","content":"b"},{}',
    "the same message spelled differently": b'{"role": "user", "content": "b"}',
    "what is no UTF-8": b'{"role":"user","content":"\xff"}',
}
"""What the second of the messages abcd may have turned into."""


SESSION_FIELDS: dict[str, Callable[[Session], Any]] = {
    "title": lambda session: "dbmaged",
    "visibility": lambda session: "PUBLIC",
    "status": lambda session: "DELETED",
    "cwd": lambda session: "/other",
    "source": lambda session: "other",
    "source_id": lambda session: "2",
    "parent_session_id": lambda session: session.id,
    "forked_from": lambda session: active(session).id,
    "owner": lambda session: "Bob",
    "no owner": lambda session: None,
    "revision": lambda session: session.revision + 1,
    "created_at": lambda session: session.created_at + timedelta(microseconds=1),
    "updated_at": lambda session: session.updated_at - timedelta(microseconds=1),
    "last_message_at": lambda session: session.updated_at + timedelta(days=1),
    "active_checkpoint_id": lambda session: active(session).parent_id,
}
"""The fields of a session that may change behind the store's back, and what each may have turned into."""

CHECKPOINT_FIELDS: dict[str, Callable[[Checkpoint], Any]] = {
    "label": lambda step: "poins",
    "no label": lambda step: None,
    "parent_id": lambda step: None,
    "created_at": lambda step: step.created_at + timedelta(microseconds=1),
    "updated_at": lambda step: step.updated_at + timedelta(days=1),
    "message_count": lambda step: len(step.state.messages) - 1,
}
"""The same of a checkpoint."""


KEY_FIELDS: dict[str, Callable[[ApiKey], Any]] = {
    "name": lambda key: "Bob",
    "role": lambda key: "admin",
    "created_at": lambda key: key.created_at + timedelta(microseconds=1),
    "last_used_at": lambda key: key.created_at + timedelta(days=1),
    "revoked_at": lambda key: None,
}
"""The same of an API key."""


class Tamper(Protocol):
    """Changes and looks for stored bytes behind the store's back."""

    def replace_message(self, checkpoint_id: UUID, position: int, body: bytes) -> None:
        """Put other bytes in the place of one message, and leave everything that checks it as it was."""

    def lose_message(self, checkpoint_id: UUID, position: int) -> None:
        """Remove one message from its place."""

    def replace_metadata(self, checkpoint_id: UUID, body: bytes) -> None:
        """Put other bytes in the place of the metadata of a checkpoint."""

    def replace_attachment(self, checkpoint_id: UUID, name: str, body: bytes, piece: int = 0) -> None:
        """Put other bytes in the place of an attachment, or of one piece of it where it is kept in pieces."""

    def lose_attachment(self, checkpoint_id: UUID, name: str) -> None:
        """Remove the bytes of an attachment, and leave what says that it has some."""

    def replace_waiting_attachment(self, session_id: UUID, label: str, name: str, body: bytes) -> None:
        """Put other bytes in the place of an attachment that waits for its label."""

    def change_session(self, session_id: UUID, field: str, value: Any) -> None:
        """Change one field of `SessionSummary`, and leave everything that checks it as it was."""

    def change_checkpoint(self, checkpoint_id: UUID, field: str, value: Any) -> None:
        """The same for a field of `CheckpointSummary`."""

    def change_key(self, key_id: UUID, field: str, value: Any) -> None:
        """The same for a field of `ApiKey`."""

    def lose_checkpoint(self, checkpoint_id: UUID) -> None:
        """Remove a checkpoint, and leave what refers to it."""

    def holds(self, needle: bytes) -> bool:
        """Whether these bytes are anywhere in what the backend keeps, in unused places and logs too."""
