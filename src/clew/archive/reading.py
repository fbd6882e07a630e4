"""An archive as a source of sessions, for a copy into a store.

The file is read once for where everything stands; messages and attachments are read when they are asked for. What is
needed of a line is small: a checkpoint takes a few hundred bytes of memory, whatever its messages are.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Self
from uuid import UUID

import msgspec

from clew.archive.lines import (
    VERSION,
    AttachmentLine,
    Begin,
    CheckpointLine,
    End,
    PieceLine,
    SessionLine,
    decode,
    from_metadata,
)
from clew.backend import CheckpointQuery, SessionQuery, checkpoint_not_found, session_not_found
from clew.errors import CorruptStateError, InvalidRequestError
from clew.messages import decode_value
from clew.model import (
    Attachment,
    AttachmentInfo,
    BackendInfo,
    Checkpoint,
    CheckpointSummary,
    Page,
    Session,
    SessionStatus,
    SessionSummary,
    State,
    StoredState,
    Visibility,
)


class _Entry(msgspec.Struct, frozen=True):
    """A checkpoint: its line, and what it says without its messages."""

    offset: int
    shared: int
    own: int
    summary: CheckpointSummary


class ArchiveReader:
    """The sessions of an archive, with the methods that a copy reads its source by.

    InvalidRequestError where a file is no archive, or one of a later version. What is wrong within it is in `problems`:
    lines that cannot be read, and a missing end. Close it, or use it as a context manager.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: IO[bytes] = path.open("rb")
        self._sessions: dict[UUID, SessionSummary] = {}
        self._trees: dict[UUID, list[_Entry]] = {}
        self._entries: dict[UUID, _Entry] = {}
        self._attachments: dict[UUID | tuple[UUID, str], dict[str, AttachmentLine]] = {}
        self._pieces: dict[int, int] = {}
        self.problems: list[tuple[str, str]] = []
        """Where something is wrong, and what."""
        try:
            self._index()
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    # -------------------------------------------------------------------------------------------------------- index

    def _index(self) -> None:
        end: End | None = None
        number = 0
        for number, (offset, text) in enumerate(self._lines(), 1):
            try:
                line = decode(text)
            except (msgspec.MsgspecError, ValueError) as error:
                if number == 1:
                    raise InvalidRequestError(f"{self._path} is no archive of clew: {error}") from None
                self.problems.append((f"line {number}", f"cannot be read: {error}"))
                continue
            if number == 1:
                self._check_begin(line)
            elif isinstance(line, End):
                end = line
            else:
                self._note(number, offset, line)
        if not number:
            raise InvalidRequestError(f"{self._path} is no archive of clew: it is empty")
        if end is None:
            self.problems.append(("the end", "is missing: the archive has broken off"))

    def _check_begin(self, line: object) -> None:
        if not isinstance(line, Begin):
            raise InvalidRequestError(f"{self._path} is no archive of clew: its first line does not say so")
        if line.version > VERSION:
            raise InvalidRequestError(f"{self._path} is an archive of version {line.version}; {VERSION} can be read")

    def _lines(self) -> Iterator[tuple[int, bytes]]:
        offset = 0
        self._file.seek(0)
        for text in self._file:
            if text.strip():
                yield offset, text
            offset += len(text)

    def _note(self, number: int, offset: int, line: object) -> None:
        if isinstance(line, SessionLine):
            self._sessions[line.id] = _session(line)
            self._trees.setdefault(line.id, [])
        elif isinstance(line, PieceLine):
            self._pieces[line.number] = offset
        elif isinstance(line, CheckpointLine):
            self._note_checkpoint(number, offset, line)
        elif isinstance(line, AttachmentLine):
            place = line.checkpoint_id or (line.session_id, line.label or "")
            self._attachments.setdefault(place, {})[line.name] = line

    def _note_checkpoint(self, number: int, offset: int, line: CheckpointLine) -> None:
        parent = None if line.parent_id is None else self._entries.get(line.parent_id)
        if line.session_id not in self._sessions:
            self.problems.append((f"line {number}", f"its session {line.session_id} is not there"))
        elif (line.parent_id is None) != (parent is None) or line.shared > (
            parent.summary.message_count if parent else 0
        ):
            self.problems.append((f"line {number}", f"its parent {line.parent_id} is not there as it was"))
        else:
            summary = CheckpointSummary(
                id=line.id,
                session_id=line.session_id,
                parent_id=line.parent_id,
                label=line.label,
                message_count=line.shared + len(line.messages),
                chain=line.chain,
                created_at=line.created_at,
                updated_at=line.updated_at,
            )
            entry = _Entry(offset, line.shared, len(line.messages), summary)
            self._entries[line.id] = entry
            self._trees[line.session_id].append(entry)

    # ----------------------------------------------------------------------------------------------------- sessions

    def list_sessions(self, query: SessionQuery) -> Page[SessionSummary]:
        """All of them, the last changed first."""
        listed = sorted(self._sessions.values(), key=lambda one: (one.updated_at, one.id), reverse=True)
        return Page(items=listed, total=len(listed), next_cursor=None)

    def get_session(self, session_id: UUID) -> Session:
        """One session; its active checkpoint has no state yet."""
        summary = self._sessions.get(session_id)
        if summary is None:
            raise session_not_found(session_id)
        active = None if summary.active_checkpoint_id is None else self._entries.get(summary.active_checkpoint_id)
        common = {name: getattr(summary, name) for name in Session.__struct_fields__ if name != "active_checkpoint"}
        return Session(**common, active_checkpoint=None if active is None else self._checkpoint(active))

    # -------------------------------------------------------------------------------------------------- checkpoints

    def list_checkpoints(self, query: CheckpointQuery) -> Page[CheckpointSummary]:
        """Those of the sessions, as they were created."""
        start = query.offset if query.cursor is None else int(query.cursor)
        entries = [entry for id in query.session_ids for entry in self._trees.get(id, ())]
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

    def _entry(self, checkpoint_id: UUID) -> _Entry:
        try:
            return self._entries[checkpoint_id]
        except KeyError:
            raise checkpoint_not_found(checkpoint_id) from None

    def _checkpoint(self, entry: _Entry) -> Checkpoint:
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

    def _conversation(self, entry: _Entry) -> list[bytes]:
        """All messages: those of the checkpoint, and before them what it shares with its ancestors."""
        parts, wanted, at = list[list[bytes]](), entry.summary.message_count, entry
        while wanted:
            if wanted > at.shared:
                parts.append(self._own(at)[: wanted - at.shared])
                wanted = at.shared
            if wanted:
                at = self._entry(at.summary.parent_id or at.summary.id)  # what is shared is a parent's
        return [body for part in reversed(parts) for body in part]

    def _own(self, entry: _Entry) -> list[bytes]:
        return [bytes(message) for message in self._line(entry).messages]

    def _metadata(self, entry: _Entry) -> bytes | None:
        return from_metadata(self._line(entry).metadata)

    def _with_metadata(self, entry: _Entry) -> CheckpointSummary:
        text = self._metadata(entry)
        metadata = None if text is None else decode_value(text, entry.summary.id)
        return msgspec.structs.replace(entry.summary, metadata=metadata)

    def _line(self, entry: _Entry) -> CheckpointLine:
        line = self._read(entry.offset)
        if not isinstance(line, CheckpointLine) or line.id != entry.summary.id:
            raise CorruptStateError(f"{self._path} has changed while it was read", entry.summary.id)
        return line

    def _read(self, offset: int) -> object:
        self._file.seek(offset)
        try:
            return decode(self._file.readline())
        except (msgspec.MsgspecError, ValueError) as error:
            raise CorruptStateError(f"{self._path} has changed while it was read: {error}") from error

    # -------------------------------------------------------------------------------------------------- attachments

    def list_attachments(self, checkpoint_id: UUID, prefix: str) -> list[AttachmentInfo]:
        """Those of a checkpoint, without their bytes."""
        self._entry(checkpoint_id)
        return [
            _info(line) for line in self._attachments.get(checkpoint_id, {}).values() if line.name.startswith(prefix)
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
        line = self._attachments[checkpoint_id][name]
        return Attachment(self._bytes(line)[start:stop], line.content_type)

    def list_waiting(self, session_id: UUID) -> dict[str, list[AttachmentInfo]]:
        """What waits for labels."""
        return {
            place[1]: [_info(line) for line in lines.values()]
            for place, lines in self._attachments.items()
            if isinstance(place, tuple) and place[0] == session_id
        }

    def get_waiting(self, session_id: UUID, label: str) -> dict[str, Attachment]:
        """What waits for one."""
        lines = self._attachments.get((session_id, label), {})
        return {name: Attachment(self._bytes(line), line.content_type) for name, line in lines.items()}

    def _bytes(self, line: AttachmentLine) -> bytes:
        pieces = []
        for number in line.pieces:
            piece = self._read(self._pieces[number]) if number in self._pieces else None
            if not isinstance(piece, PieceLine):
                raise CorruptStateError(f"{self._path} lacks piece {number} of attachment {line.name!r}")
            pieces.append(piece.data)
        data = b"".join(pieces)
        if len(data) != line.size:
            raise CorruptStateError(
                f"{self._path} has {len(data):,} of {line.size:,} bytes of attachment {line.name!r}"
            )
        return data

    def info(self) -> BackendInfo:
        """Where it is."""
        return BackendInfo(kind="archive", store_path=str(self._path))


def _session(line: SessionLine) -> SessionSummary:
    return SessionSummary(
        id=line.id,
        title=line.title,
        visibility=Visibility(line.visibility),
        status=SessionStatus(line.status),
        cwd=line.cwd,
        source=line.source,
        source_id=line.source_id,
        parent_session_id=line.parent_session_id,
        forked_from=line.forked_from,
        metadata=decode_value(bytes(line.metadata)),
        revision=0,  # that is each store's own
        created_at=line.created_at,
        updated_at=line.updated_at,
        owner=line.owner,
        message_count=0,
        checkpoint_count=line.checkpoint_count,
        active_checkpoint_id=line.active_checkpoint_id,
    )


def _info(line: AttachmentLine) -> AttachmentInfo:
    return AttachmentInfo(name=line.name, size=line.size, content_type=line.content_type)
