"""Writing an archive: a session, a checkpoint, an attachment at a time."""

from collections.abc import Iterable
from itertools import takewhile
from typing import BinaryIO
from uuid import UUID

import msgspec

from clew import checks, limits
from clew.archive.lines import (
    VERSION,
    AttachmentLine,
    Begin,
    CheckpointLine,
    End,
    Line,
    PieceLine,
    SessionLine,
    encode,
    one_line,
    to_metadata,
)
from clew.archive.masking import Masking
from clew.archive.trees import Described, check_row, check_session, describe, find_heads, note_lost_active
from clew.backend import Backend, Report
from clew.copying.reading import Head, Node, parents_first, read_tree
from clew.errors import CorruptStateError, NotFoundError
from clew.hashing import EMPTY_CHAIN, content_hash, extend_chain
from clew.model import Attachment
from clew.reports import Progress
from clew.store import Id, Store
from clew.times import from_micros


class Archived(msgspec.Struct, frozen=True, kw_only=True):
    """What an archive holds. `failed` names what is damaged in the store and was left out: the id, and why."""

    sessions: int = 0
    checkpoints: int = 0
    attachments: int = 0
    messages: int = 0
    bytes: int = 0
    failed: list[tuple[str, str]] = []


def write_archive(
    store: Store,
    out: BinaryIO,
    *,
    sessions: Id | Iterable[Id] | None = None,
    attachments: bool = True,
    masking: Masking | None = None,
    progress: Report | None = None,
) -> Archived:
    """Write every session of a store, deleted ones too, or only `sessions`, as JSON lines.

    What is damaged is left out and named in the result; the rest is whole. Where a checkpoint is left out its children
    hang onto the one before it. NotFoundError where one of `sessions` is not there. Memory is bounded by one
    checkpoint and its attachments.
    """
    chosen = None if sessions is None else checks.ids(sessions, "sessions")
    return _Writer(store._backend, out, attachments, masking or Masking(), progress).run(chosen)


class _Sent(msgspec.Struct, frozen=True):
    """A checkpoint that has been written: how many messages it has, the chain of them as stored, and as written."""

    count: int
    stored: bytes
    chain: bytes


class _Writer:
    def __init__(
        self, backend: Backend, out: BinaryIO, attachments: bool, masking: Masking, progress: Report | None
    ) -> None:
        self._backend = backend
        self._out = out
        self._with_attachments = attachments
        self._masking = masking
        self._progress = progress
        self._pieces: dict[bytes, int] = {}
        self._total: int | None = None
        self.sessions = self.checkpoints = self.attachments = self.messages = self.bytes = 0
        self.failed: list[tuple[str, str]] = []

    def run(self, chosen: list[UUID] | None) -> Archived:
        heads = find_heads(self._backend, chosen, self.failed)
        self._total = sum(max(head.checkpoint_count, 0) for head in heads.values())
        self._write(Begin(version=VERSION))
        for head in parents_first(heads):
            try:
                self._session(head)
            except (CorruptStateError, NotFoundError) as error:  # damaged, or somebody takes it away meanwhile
                self.failed.append((f"session {head.id}", error.message))
        self._write(End(sessions=self.sessions, checkpoints=self.checkpoints, attachments=self.attachments))
        return Archived(
            sessions=self.sessions, checkpoints=self.checkpoints, attachments=self.attachments, messages=self.messages,
            bytes=self.bytes, failed=self.failed,
        )  # fmt: skip

    def _session(self, head: Head) -> None:
        check_session(self._backend, head, self.failed)
        self._masking.at(head.id, None, "the session")
        nodes = read_tree(self._backend, head.id)
        note_lost_active(self._backend, head, nodes, self.failed)
        self._write(self._session_line(head, len(nodes)))
        self.sessions += 1
        sent: dict[UUID, _Sent] = {}
        instead: dict[UUID | None, UUID | None] = {}
        for described in describe(self._backend, head.id, nodes):
            node = described.node
            parent = node.parent_id if node.parent_id in sent else instead.get(node.parent_id)
            try:
                sent[node.id] = self._checkpoint(described, head.id, parent, sent)
            except CorruptStateError as error:
                instead[node.id] = parent
                self.failed.append((f"checkpoint {node.id}", error.message))
        if self._with_attachments:
            for label in self._backend.list_waiting(head.id):
                self._waiting(head.id, label)

    def _session_line(self, head: Head, checkpoint_count: int) -> SessionLine:
        return SessionLine(
            id=head.id,
            title=self._masking.text(head.title),
            visibility=head.visibility,
            status=head.status,
            cwd=self._text(head.cwd),
            source=head.source,
            source_id=self._text(head.source_id),
            parent_session_id=head.parent_session_id,
            forked_from=head.forked_from,
            metadata=self._masked(head.metadata),
            owner=head.owner,
            created_at=from_micros(head.created_at),
            updated_at=from_micros(head.updated_at),
            active_checkpoint_id=head.active,
            checkpoint_count=checkpoint_count,
        )

    def _text(self, text: str | None) -> str | None:
        return None if text is None else self._masking.text(text)

    def _masked(self, text: bytes | None) -> msgspec.Raw:
        return to_metadata(None if text is None else self._masking.json(text))

    def _checkpoint(
        self, described: Described, session_id: UUID, parent_id: UUID | None, sent: dict[UUID, _Sent]
    ) -> _Sent:
        check_row(self._backend, described)
        node = described.node
        parent = None if parent_id is None else sent[parent_id]
        shared, bodies, chain = self._own_messages(node, session_id, parent_id, parent)
        if described.damage is not None:
            self.failed.append((f"metadata of checkpoint {node.id}", described.damage))
        self._masking.at(session_id, node.id, "the checkpoint")
        self._write(
            CheckpointLine(
                id=node.id,
                session_id=session_id,
                parent_id=parent_id,
                label=self._text(node.label),
                shared=shared,
                messages=[msgspec.Raw(body) for body in bodies],
                metadata=self._masked(described.metadata),
                chain=chain.hex(),
                created_at=from_micros(node.created_at),
                updated_at=from_micros(node.updated_at),
            )
        )
        self.checkpoints += 1
        self.messages += len(bodies)
        if self._with_attachments:
            self._attachments(session_id, node.id)
        if self._progress is not None:
            self._progress(Progress(done=self.checkpoints, total=self._total, unit="checkpoints"))
        return _Sent(count=node.count, stored=node.chain, chain=chain)

    def _own_messages(
        self, node: Node, session_id: UUID, parent_id: UUID | None, parent: _Sent | None
    ) -> tuple[int, list[bytes], bytes]:
        """How many messages are the parent's, the others as they are written, and the chain of all of them."""
        if parent is not None and parent.count <= node.count:
            bodies = list(self._backend.get_messages(node.id, parent.count, None)) if parent.count < node.count else []
            if extend_chain(parent.stored, bodies) == node.chain:
                own = self._bodies(node, session_id, bodies, parent.count)
                return parent.count, own, extend_chain(parent.chain, own)
        bodies = self._backend.get_checkpoint(node.id).state.raw.bodies
        above = [] if parent_id is None else self._backend.get_checkpoint(parent_id).state.raw.bodies
        shared = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(bodies, above, strict=False)))
        whole = self._bodies(node, session_id, bodies, 0)
        return shared, whole[shared:], extend_chain(EMPTY_CHAIN, whole)

    def _bodies(self, node: Node, session_id: UUID, stored: Iterable[bytes], first: int) -> list[bytes]:
        written = []
        for number, body in enumerate(stored, first + 1):
            self._masking.at(session_id, node.id, f"message {number}")
            written.append(one_line(self._masking.json(body)))
        return written

    # -------------------------------------------------------------------------------------------------- attachments

    def _attachments(self, session_id: UUID, checkpoint_id: UUID) -> None:
        for info in self._backend.list_attachments(checkpoint_id, ""):
            try:
                data = self._backend.get_attachment(checkpoint_id, info.name, None, None)
            except CorruptStateError as error:
                name = self._masking.text(info.name)
                self.failed.append((f"attachment {name} of checkpoint {checkpoint_id}", error.message))
            else:
                self._attachment(session_id, checkpoint_id, None, info.name, data)

    def _waiting(self, session_id: UUID, label: str) -> None:
        try:
            waiting = self._backend.get_waiting(session_id, label)
        except CorruptStateError as error:
            self._masking.at(session_id, None, "what waits for a label")
            self.failed.append((f"what waits for label {self._text(label)} of session {session_id}", error.message))
            return
        for name, data in waiting.items():
            self._attachment(session_id, None, label, name, data)

    def _attachment(
        self, session_id: UUID, checkpoint_id: UUID | None, label: str | None, name: str, stored: Attachment
    ) -> None:
        self._masking.at(session_id, checkpoint_id, "the name of an attachment")
        name, label = self._masking.text(name), self._text(label)
        self._masking.at(session_id, checkpoint_id, f"attachment {name}")
        data = self._masking.attachment(stored)
        size = limits.ATTACHMENT_CHUNK_BYTES
        pieces = [self._piece(data[start : start + size]) for start in range(0, len(data), size)]
        self._write(
            AttachmentLine(
                session_id=session_id,
                checkpoint_id=checkpoint_id,
                label=label,
                name=name,
                content_type=data.content_type,
                size=len(data),
                pieces=pieces,
            )
        )
        self.attachments += 1

    def _piece(self, data: bytes) -> int:
        """The number of these bytes, which are written where they have not been before."""
        digest = content_hash(data)
        if digest not in self._pieces:
            self._pieces[digest] = len(self._pieces)
            self._write(PieceLine(number=self._pieces[digest], data=data, hash=digest.hex()))
        return self._pieces[digest]

    def _write(self, line: Line) -> None:
        text = encode(line)
        self._out.write(text + b"\n")
        self.bytes += len(text) + 1
