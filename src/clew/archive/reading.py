"""An archive as a source of sessions, for a copy into a store.

The file is read once for where everything stands; messages and attachments are read when they are asked for. What is
needed of a line is small: a checkpoint takes a few hundred bytes of memory, whatever its messages are.
"""

from collections.abc import Sequence
from itertools import chain
from pathlib import Path
from typing import IO, Self
from uuid import UUID

import msgspec

from clew.archive.index import Entry, Index
from clew.archive.lines import AttachmentLine, CheckpointLine, PieceLine, decode, from_metadata
from clew.backend import CheckpointQuery, SessionQuery, checkpoint_not_found, session_not_found
from clew.errors import CorruptStateError
from clew.hashing import content_hash
from clew.messages import decode_value
from clew.model import (
    Attachment,
    AttachmentInfo,
    BackendInfo,
    Checkpoint,
    CheckpointSummary,
    Page,
    Session,
    SessionSummary,
    State,
    StoredState,
)


class ArchiveReader:
    """The sessions of an archive, with the methods that a copy reads its source by.

    InvalidRequestError where a file is no archive, or one of a later version. What is wrong within it is in `problems`:
    lines that cannot be read, that are there twice or belong to nothing, and what is missing. Close it, or use it as a
    context manager.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: IO[bytes] = path.open("rb")
        try:
            self._index = Index(path, self._file)
        except BaseException:
            self._file.close()
            raise
        self.problems = self._index.problems
        """Where something is wrong, and what."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    # ----------------------------------------------------------------------------------------------------- sessions

    def list_sessions(self, query: SessionQuery) -> Page[SessionSummary]:
        """All of them, the last changed first."""
        listed = sorted(self._index.sessions.values(), key=lambda one: (one.updated_at, one.id), reverse=True)
        return Page(items=listed, total=len(listed), next_cursor=None)

    def get_session(self, session_id: UUID) -> Session:
        """One session; its active checkpoint has no state yet."""
        summary = self._index.sessions.get(session_id)
        if summary is None:
            raise session_not_found(session_id)
        active = None if summary.active_checkpoint_id is None else self._index.entries.get(summary.active_checkpoint_id)
        common = {name: getattr(summary, name) for name in Session.__struct_fields__ if name != "active_checkpoint"}
        return Session(**common, active_checkpoint=None if active is None else self._checkpoint(active))

    # -------------------------------------------------------------------------------------------------- checkpoints

    def list_checkpoints(self, query: CheckpointQuery) -> Page[CheckpointSummary]:
        """Those of the sessions, as they were created."""
        start = query.offset if query.cursor is None else int(query.cursor)
        trees = [self._index.trees.get(id, []) for id in query.session_ids]
        entries = trees[0] if len(trees) == 1 else list(chain.from_iterable(trees))
        chosen = entries[start : start + query.limit]
        end = start + len(chosen)
        items = [self._with_metadata(entry) if query.with_metadata else entry.summary for entry in chosen]
        return Page(items=items, total=len(entries), next_cursor=str(end) if end < len(entries) else None)

    def get_checkpoint(self, checkpoint_id: UUID) -> Checkpoint:
        """A checkpoint with its whole conversation."""
        return self._checkpoint(self._entry(checkpoint_id))

    def get_messages(self, checkpoint_id: UUID, start: int | None, stop: int | None) -> Sequence[bytes]:
        """A slice of the messages as they are stored."""
        entry = self._entry(checkpoint_id)
        begin, end, _ = slice(start, stop).indices(entry.summary.message_count)
        if begin >= entry.shared:
            return self._own(entry)[begin - entry.shared : max(end - entry.shared, 0)]
        return self._conversation(entry)[begin:end]

    def _entry(self, checkpoint_id: UUID) -> Entry:
        try:
            return self._index.entries[checkpoint_id]
        except KeyError:
            raise checkpoint_not_found(checkpoint_id) from None

    def _checkpoint(self, entry: Entry) -> Checkpoint:
        summary = entry.summary
        return Checkpoint(
            id=summary.id,
            session_id=summary.session_id,
            parent_id=summary.parent_id,
            label=summary.label,
            state=State.deferred(lambda: StoredState(self._conversation(entry), self._metadata(entry), summary.id)),
            created_at=summary.created_at,
            updated_at=summary.updated_at,
        )

    def _conversation(self, entry: Entry) -> list[bytes]:
        """All messages: those of the checkpoint, and before them what it shares with its ancestors."""
        parts, wanted, at = list[list[bytes]](), entry.summary.message_count, entry
        while wanted:
            if wanted > at.shared:
                parts.append(self._own(at)[: wanted - at.shared])
                wanted = at.shared
            if wanted:
                at = self._entry(at.summary.parent_id or at.summary.id)  # what is shared is a parent's
        return [body for part in reversed(parts) for body in part]

    def _own(self, entry: Entry) -> list[bytes]:
        return [bytes(message) for message in self._line(entry).messages]

    def _metadata(self, entry: Entry) -> bytes | None:
        return from_metadata(self._line(entry).metadata)

    def _with_metadata(self, entry: Entry) -> CheckpointSummary:
        text = self._metadata(entry)
        metadata = None if text is None else decode_value(text, entry.summary.id)
        return msgspec.structs.replace(entry.summary, metadata=metadata)

    def _line(self, entry: Entry) -> CheckpointLine:
        line = self._read(entry.offset)
        if not isinstance(line, CheckpointLine) or line.id != entry.summary.id:
            raise CorruptStateError(f"{self._path} has changed while it was read", entry.summary.id)
        return line

    def _read(self, offset: int) -> object:
        self._file.seek(offset)
        try:
            return decode(self._file.readline())
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            raise CorruptStateError(f"{self._path} has changed while it was read: {error}") from error

    # -------------------------------------------------------------------------------------------------- attachments

    def list_attachments(self, checkpoint_id: UUID, prefix: str) -> list[AttachmentInfo]:
        """Those of a checkpoint, without their bytes."""
        self._entry(checkpoint_id)
        return [
            _info(line)
            for line in self._index.attachments.get(checkpoint_id, {}).values()
            if line.name.startswith(prefix)
        ]

    def get_attachments(self, checkpoint_ids: Sequence[UUID], prefix: str) -> dict[UUID, dict[str, Attachment]]:
        """Those of several checkpoints."""
        return {
            id: {
                info.name: self.get_attachment(id, info.name, None, None) for info in self.list_attachments(id, prefix)
            }
            for id in checkpoint_ids
        }

    def get_attachment(self, checkpoint_id: UUID, name: str, start: int | None, stop: int | None) -> Attachment:
        """One of a checkpoint."""
        line = self._index.attachments[checkpoint_id][name]
        return Attachment(self._bytes(line)[start:stop], line.content_type)

    def list_waiting(self, session_id: UUID) -> dict[str, list[AttachmentInfo]]:
        """What waits for labels."""
        waiting = self._index.waiting.get(session_id, {})
        return {label: [_info(line) for line in lines.values()] for label, lines in waiting.items()}

    def get_waiting(self, session_id: UUID, label: str) -> dict[str, Attachment]:
        """What waits for one."""
        lines = self._index.waiting.get(session_id, {}).get(label, {})
        return {name: Attachment(self._bytes(line), line.content_type) for name, line in lines.items()}

    def _bytes(self, line: AttachmentLine) -> bytes:
        pieces = [self._piece(number, line) for number in line.pieces]
        data = b"".join(pieces)
        if len(data) != line.size:
            raise CorruptStateError(
                f"{self._path} has {len(data):,} of {line.size:,} bytes of attachment {line.name!r}"
            )
        return data

    def _piece(self, number: int, line: AttachmentLine) -> bytes:
        piece = self._read(self._index.pieces[number]) if number in self._index.pieces else None
        if not isinstance(piece, PieceLine):
            raise CorruptStateError(f"{self._path} lacks piece {number} of attachment {line.name!r}")
        if piece.hash not in (None, content_hash(piece.data).hex()):
            raise CorruptStateError(f"{self._path} has other bytes in piece {number} of attachment {line.name!r}")
        return piece.data

    def info(self) -> BackendInfo:
        """Where it is."""
        return BackendInfo(kind="archive", store_path=str(self._path))


def _info(line: AttachmentLine) -> AttachmentInfo:
    return AttachmentInfo(name=line.name, size=line.size, content_type=line.content_type)
