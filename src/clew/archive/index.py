"""Where everything stands in an archive, and what is wrong with it."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any
from uuid import UUID

import msgspec

from clew.archive.checking import check_line
from clew.archive.lines import (
    VERSION,
    AttachmentLine,
    Begin,
    CheckpointLine,
    End,
    PieceLine,
    SessionLine,
    decode,
)
from clew.errors import InvalidRequestError
from clew.messages import decode_value
from clew.model import CheckpointSummary, SessionStatus, SessionSummary, Visibility


class Entry(msgspec.Struct, frozen=True):
    """A checkpoint: its line, and what it says without its messages."""

    offset: int
    shared: int
    own: int
    summary: CheckpointSummary


class Index:
    """What a file holds, read once from beginning to end: messages and the bytes of attachments stay in the file.

    InvalidRequestError where it is no archive, or one of a later version; `problems` names what is wrong within it.
    """

    def __init__(self, path: Path, file: IO[bytes]) -> None:
        self._path = path
        self._file = file
        self.sessions: dict[UUID, SessionSummary] = {}
        self.trees: dict[UUID, list[Entry]] = {}
        self.entries: dict[UUID, Entry] = {}
        self.attachments: dict[UUID, dict[str, AttachmentLine]] = {}
        self.waiting: dict[UUID, dict[str, dict[str, AttachmentLine]]] = {}
        self.pieces: dict[int, int] = {}
        self.problems: list[tuple[str, str]] = []
        self._read()

    def _read(self) -> None:
        end: End | None = None
        found, number = Counter[type](), 0
        for number, (offset, text) in enumerate(self._lines(), 1):
            if end is not None:
                self.problems.append((f"line {number}", "stands after the end, and is not read, nor is what follows"))
                break
            line = self._read_line(number, text)
            found[type(line)] += 1
            if number == 1:
                self._check_begin(line)
            elif isinstance(line, End):
                end = line
            elif line is not None and (problem := self._note(offset, line)) is not None:
                self.problems.append((f"line {number}", problem))
        if not number:
            raise InvalidRequestError(f"{self._path} is no archive of clew: it is empty")
        self._check_whole(found, end)

    def _read_line(self, number: int, text: bytes) -> Any:
        """A line, None where it cannot be read."""
        try:
            line = decode(text)
            check_line(line)
        except (msgspec.MsgspecError, ValueError, RecursionError, InvalidRequestError) as error:
            reason = error.message if isinstance(error, InvalidRequestError) else str(error)
            if number == 1:
                raise InvalidRequestError(f"{self._path} is no archive of clew: {reason}") from None
            self.problems.append((f"line {number}", f"cannot be read: {reason}"))
            return None
        return line

    def _check_begin(self, line: object) -> None:
        if not isinstance(line, Begin):
            raise InvalidRequestError(f"{self._path} is no archive of clew: its first line does not say so")
        if line.version > VERSION:
            raise InvalidRequestError(f"{self._path} is an archive of version {line.version}; {VERSION} can be read")

    def _check_whole(self, found: Counter[type], end: End | None) -> None:
        """Note what should be there and is not. For an active checkpoint the newest that is there stands in."""
        if end is None:
            self.problems.append(("the end", "is missing: the archive has broken off"))
            self._leave_out_last()
        else:
            kinds = {"sessions": SessionLine, "checkpoints": CheckpointLine, "attachments": AttachmentLine}
            for name, kind in kinds.items():
                if (told := getattr(end, name)) != found[kind]:
                    self.problems.append(("the end", f"tells of {told:,} {name}, and {found[kind]:,} can be read"))
        for session in list(self.sessions.values()):
            there, told = len(self.trees[session.id]), session.checkpoint_count
            if there != told:
                self.problems.append((f"session {session.id}", f"has {there:,} of its {told:,} checkpoints"))
            active = session.active_checkpoint_id
            if active not in self.entries and (there or active is not None):
                self.problems.append((f"session {session.id}", f"its active checkpoint {active or ''} is not there"))
                newest = self.trees[session.id][-1].summary.id if there else None
                self.sessions[session.id] = msgspec.structs.replace(session, active_checkpoint_id=newest)

    def _leave_out_last(self) -> None:
        """Leave out the last checkpoint of an archive that has broken off, since its attachments may have been next.

        A copy brings a checkpoint once: without them it would stay without them when the whole archive comes.
        """
        if self.entries:
            id, entry = self.entries.popitem()
            self.trees[entry.summary.session_id].remove(entry)
            self.attachments.pop(id, None)
            self.problems.append((f"checkpoint {id}", "is left out: what is attached to it may be missing"))

    def _lines(self) -> Iterator[tuple[int, bytes]]:
        offset = 0
        self._file.seek(0)
        for text in self._file:
            if text.strip():
                yield offset, text
            offset += len(text)

    def _note(self, offset: int, line: object) -> str | None:
        """Remember where a line is; what is wrong with it."""
        if isinstance(line, SessionLine):
            if line.id in self.sessions:
                return f"session {line.id} is there twice"
            self.sessions[line.id] = _session(line)
            self.trees[line.id] = []
        elif isinstance(line, PieceLine):
            if line.number in self.pieces:
                return f"piece {line.number} is there twice"
            self.pieces[line.number] = offset
        elif isinstance(line, CheckpointLine):
            return self._note_checkpoint(offset, line)
        elif isinstance(line, AttachmentLine):
            return self._note_attachment(line)
        return None

    def _note_checkpoint(self, offset: int, line: CheckpointLine) -> str | None:
        parent = None if line.parent_id is None else self.entries.get(line.parent_id)
        if line.session_id not in self.sessions:
            return f"its session {line.session_id} is not there"
        if line.id in self.entries:
            return f"checkpoint {line.id} is there twice"
        if (line.parent_id is None) != (parent is None) or line.shared > (
            parent.summary.message_count if parent else 0
        ):
            return f"its parent {line.parent_id} is not there as it was"
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
        self.entries[line.id] = Entry(offset, line.shared, len(line.messages), summary)
        self.trees[line.session_id].append(self.entries[line.id])
        return None

    def _note_attachment(self, line: AttachmentLine) -> str | None:
        if line.checkpoint_id is None:
            if line.session_id not in self.sessions:
                return f"its session {line.session_id} is not there"
            place = self.waiting.setdefault(line.session_id, {}).setdefault(line.label or "", {})
        else:
            entry = self.entries.get(line.checkpoint_id)
            if entry is None or entry.summary.session_id != line.session_id:
                return f"its checkpoint {line.checkpoint_id} of session {line.session_id} is not there"
            place = self.attachments.setdefault(line.checkpoint_id, {})
        if line.name in place:
            return f"attachment {line.name!r} is there twice"
        place[line.name] = line
        return None


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
