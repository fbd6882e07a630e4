"""Writing an archive: a session, a checkpoint, an attachment at a time."""

from collections.abc import Iterable, Iterator
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
from clew.backend import Backend, Report, session_not_found
from clew.copying.reading import Head, Node, all_heads, find_head, parents_first, read_metadata, read_tree
from clew.errors import CorruptStateError
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
        heads = all_heads(self._backend) if chosen is None else self._find(chosen)
        self._total = sum(max(head.checkpoint_count, 0) for head in heads.values())
        self._write(Begin(version=VERSION))
        for head in parents_first(heads):
            try:
                self._session(head)
            except CorruptStateError as error:
                self.failed.append((f"session {head.id}", error.message))
        self._write(End(sessions=self.sessions, checkpoints=self.checkpoints, attachments=self.attachments))
        return Archived(
            sessions=self.sessions, checkpoints=self.checkpoints, attachments=self.attachments, messages=self.messages,
            bytes=self.bytes, failed=self.failed,
        )  # fmt: skip

    def _find(self, chosen: list[UUID]) -> dict[UUID, Head]:
        found = {}
        for id in chosen:
            head = find_head(self._backend, id)
            if head is None:
                raise session_not_found(id)
            found[id] = head
        return found

    def _session(self, head: Head) -> None:
        if head.damage is not None:
            raise CorruptStateError(head.damage)
        self._masking.at(head.id, None, "the session")
        nodes = read_tree(self._backend, head.id)
        self._write(self._session_line(head, len(nodes)))
        self.sessions += 1
        sent: dict[UUID, _Sent] = {}
        instead: dict[UUID | None, UUID | None] = {}
        for node, (_, metadata) in zip(nodes, self._metadata(head.id, nodes), strict=True):
            parent = node.parent_id if node.parent_id in sent else instead.get(node.parent_id)
            try:
                sent[node.id] = self._checkpoint(node, head.id, parent, sent, metadata)
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
            source_id=head.source_id,
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
        self, node: Node, session_id: UUID, parent_id: UUID | None, sent: dict[UUID, _Sent], metadata: bytes | None
    ) -> _Sent:
        parent = None if parent_id is None else sent[parent_id]
        shared, bodies, chain = self._own_messages(node, session_id, parent_id, parent)
        self._masking.at(session_id, node.id, "the checkpoint")
        self._write(
            CheckpointLine(
                id=node.id,
                session_id=session_id,
                parent_id=parent_id,
                label=self._text(node.label),
                shared=shared,
                messages=[msgspec.Raw(body) for body in bodies],
                metadata=self._masked(metadata),
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

    def _metadata(self, session_id: UUID, nodes: list[Node]) -> Iterator[tuple[UUID, bytes | None]]:
        return read_metadata(self._backend, session_id, {node.id for node in nodes}, 0)

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
        for name, data in self._backend.get_waiting(session_id, label).items():
            self._attachment(session_id, None, label, name, data)

    def _attachment(
        self, session_id: UUID, checkpoint_id: UUID | None, label: str | None, name: str, stored: Attachment
    ) -> None:
        self._masking.at(session_id, checkpoint_id, f"attachment {name}")
        data = self._masking.attachment(stored)
        size = limits.ATTACHMENT_CHUNK_BYTES
        pieces = [self._piece(data[start : start + size]) for start in range(0, len(data), size)]
        self._write(
            AttachmentLine(
                session_id=session_id,
                checkpoint_id=checkpoint_id,
                label=self._text(label),
                name=self._masking.text(name),
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
            self._write(PieceLine(number=self._pieces[digest], data=data))
        return self._pieces[digest]

    def _write(self, line: Line) -> None:
        text = encode(line)
        self._out.write(text + b"\n")
        self.bytes += len(text) + 1
