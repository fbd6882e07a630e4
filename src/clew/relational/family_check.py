"""Checking one family: its content, timelines, sessions, checkpoints and attachments, against each other.

Every body is hashed once. The chain of every checkpoint is computed anew along the timelines, ancestors first, so each
entry is read once, however many checkpoints and branches share it.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import suppress
from uuid import UUID

from clew.hashing import EMPTY_CHAIN, content_hash, link_chain
from clew.relational.attachments import AttachmentRow, Target, target_at
from clew.relational.damage import unreadable
from clew.relational.directories import former_seal
from clew.relational.rows import SESSION_COLUMNS, CheckpointRow, SessionRow
from clew.relational.timelines import entry_seal, timeline_seal
from clew.relational.transaction import Key, Row, Transaction
from clew.reports import Finding
from clew.text import folded_or_none

Place = tuple[int | None, int]
"""A timeline and a length."""

_HASH_BYTES = 16


class FamilyCheck:
    """The check of a family in one read transaction; `run` returns what is wrong."""

    def __init__(self, db: Transaction, family: int) -> None:
        self._db = db
        self._family = family
        self._unreadable = unreadable(db)
        self._found: list[Finding] = []
        self._damaged: set[Key] = set()  # keys of content
        self._chains: dict[Place, bytes | None] = {(None, 0): EMPTY_CHAIN}
        self._wanted: defaultdict[int, set[int]] = defaultdict(set)  # lengths whose chain somebody needs, by timeline
        self._points: defaultdict[int, list[tuple[int, UUID, UUID]]] = defaultdict(list)
        self._branches: defaultdict[int, list[tuple[int, int]]] = defaultdict(list)

    def run(self) -> list[Finding]:
        """Everything that is wrong. A part that cannot be read does not keep the others from being checked."""
        for part in (self._content, self._places, self._timelines, self._sessions):
            self._attempt(part)
        return self._found

    def _attempt(self, part: Callable[[], None]) -> None:
        try:
            part()
        except self._unreadable as error:
            for session in self._session_ids():
                self._tell("unreadable", f"a part of session {session} cannot be read: {error}", session)

    def _session_ids(self) -> list[UUID | None]:
        """Whose family it is; None where even that cannot be read."""
        with suppress(*self._unreadable):
            return [UUID(bytes=id) for (id,) in self._all("session_ids_of_family")] or [None]
        return [None]

    def _tell(
        self,
        kind: str,
        message: str,
        session: bytes | UUID | None = None,
        checkpoint: bytes | UUID | None = None,
        position: int | None = None,
        attachment: str | None = None,
    ) -> None:
        self._found.append(
            Finding(
                kind=kind,
                message=message,
                session_id=_uuid(session),
                checkpoint_id=_uuid(checkpoint),
                position=position,
                attachment=attachment,
            )
        )

    def _all(self, name: str, **parameters: object) -> list[Row]:
        return self._db.fetch_all(name, {"family": self._family, **parameters})

    def _each(self, name: str, **parameters: object) -> Iterator[Row]:
        return self._db.iterate(name, {"family": self._family, **parameters})

    # -- content and timelines

    def _content(self) -> None:
        for key, digest, body in self._each("content_of_family"):
            if content_hash(body) != digest:
                self._damaged.add(key)

    def _places(self) -> None:
        """Which points somebody stands on, to be known while the timelines are walked."""
        for session, checkpoint, timeline, length, _ in self._each("points_of_family"):
            if timeline is not None:
                self._wanted[timeline].add(length)
                self._points[timeline].append((length, UUID(bytes=session), UUID(bytes=checkpoint)))
        for timeline, _, _, ancestor, length, _ in self._each("owned_timelines_of_family"):
            if ancestor is not None:
                self._wanted[ancestor].add(length)
                self._branches[ancestor].append((length, timeline))

    def _timelines(self) -> None:
        known: set[int] = set()
        for timeline, owner, owner_family, ancestor, start, seal in self._all("owned_timelines_of_family"):
            if seal != timeline_seal(timeline, self._family, ancestor, start):
                self._tell("timeline", f"timeline {timeline} does not match its seal")
            if owner is not None and owner_family != self._family:
                self._tell("timeline", f"timeline {timeline} belongs to a session that its family does not have")
            if ancestor is not None and ancestor not in known:
                self._tell("timeline", f"timeline {timeline} continues {ancestor}, which its family does not have")
            known.add(timeline)
            self._walk(timeline, start, self._chains.get((ancestor, start)))

    def _walk(self, timeline: int, start: int, chain: bytes | None) -> None:
        """Go along the entries of a timeline; a `chain` of None is one that cannot be known any more."""
        position = start
        wanted = self._wanted[timeline]
        for place, content, seal, digest, family in self._each("entries_of_timeline", timeline=timeline):
            if place != position:
                self._tell_message("message_missing", timeline, position, "is not there")
                chain, position = None, place
            if digest is None or family != self._family:
                self._tell_message("message_missing", timeline, position, "refers to content that is not there")
                chain = None
            elif content in self._damaged:
                self._tell_message("message", timeline, position, "does not match its hash")
            elif seal != entry_seal(timeline, place, digest):
                self._tell_message("message", timeline, position, "is out of place")
            chain = None if chain is None or digest is None else link_chain(chain, (digest,))
            position += 1
            if position in wanted:
                self._chains[timeline, position] = chain
        if position == start:
            self._tell("timeline", f"timeline {timeline} has no messages of its own")
        for length in sorted(wanted):
            if length > position:
                self._tell_message("message_missing", timeline, position, "is not there")
                break

    def _tell_message(self, kind: str, timeline: int, position: int, what: str) -> None:
        session, checkpoint = self._reader_of(timeline, position)
        owner = f"timeline {timeline}" if checkpoint is None else f"checkpoint {checkpoint}"
        self._tell(kind, f"message {position} of {owner} {what}", session, checkpoint, position)

    def _reader_of(self, timeline: int, position: int) -> tuple[UUID | None, UUID | None]:
        """A checkpoint that has the message at a position of a timeline, the shortest one, and its session."""
        waiting, seen = [timeline], set[int]()
        while waiting:
            current = waiting.pop(0)
            reaching = [point for point in self._points[current] if point[0] > position]
            if reaching:
                _, session, checkpoint = min(reaching, key=lambda point: point[0])
                return session, checkpoint
            seen.add(current)
            waiting += [child for length, child in self._branches[current] if length > position and child not in seen]
        return None, None

    # -- sessions and checkpoints

    def _sessions(self) -> None:
        sessions = self._all("sessions_of_family")
        # A family that is all gone was purged since the families were listed.
        if not sessions and self._all("anything_of_family"):
            self._tell("family", f"family {self._family} has content or timelines, and no session")
        for columns in sessions:
            row = SessionRow(*columns[:SESSION_COLUMNS])
            self._attempt(lambda: self._session(row, columns[SESSION_COLUMNS]))  # noqa: B023 - called at once
            self._attempt(lambda: self._attachments(row))  # noqa: B023 - called at once

    def _session(self, row: SessionRow, folded: bytes | None) -> None:
        if not row.is_sealed():
            self._tell("session", f"the row of session {UUID(bytes=row.id)} does not match its seal", row.id)
        if row.metadata is not None and (row.metadata_hash is None or row.metadata in self._damaged):
            self._tell("session_metadata", f"the metadata of session {UUID(bytes=row.id)} is damaged", row.id)
        expected = folded_or_none(row.title.decode(errors="replace"))
        if folded != (None if expected is None else expected.encode()):
            self._tell("session", f"session {UUID(bytes=row.id)} cannot be found by its title", row.id)
        for former, seal in self._all("former_directories", session=row.key):
            if seal != former_seal(row.id, former):
                self._tell("former_directory", f"session {UUID(bytes=row.id)} has a damaged former directory", row.id)
        seqs = self._tree(row)
        if (row.active not in seqs) if seqs else (row.active is not None):
            self._tell("active", f"session {UUID(bytes=row.id)} has no checkpoint that is the active one", row.id)
        if row.checkpoint_count != len(seqs) or row.next_seq <= max(seqs, default=0):
            self._tell("checkpoint_count", f"session {UUID(bytes=row.id)} miscounts its checkpoints", row.id)

    def _tree(self, session: SessionRow) -> set[int]:
        """Check the checkpoints of a session; the seq of each."""
        seqs: set[int] = set()
        for parent, *columns in self._each("checkpoints_of_session", session=session.key):
            row = CheckpointRow(*columns)
            self._checkpoint(row, parent is None or parent in seqs)
            seqs.add(row.seq)
        return seqs

    def _checkpoint(self, row: CheckpointRow, has_parent: bool) -> None:
        name = f"checkpoint {UUID(bytes=row.id)}"
        if not row.is_sealed():
            self._tell("checkpoint", f"the row of {name} does not match its seal", row.session_id, row.id)
        if not has_parent:
            self._tell("parent", f"the parent of {name} is not there", row.session_id, row.id)
        if row.metadata is not None and (row.metadata_hash is None or row.metadata in self._damaged):
            self._tell("metadata", f"the metadata of {name} is damaged", row.session_id, row.id)
        chain = self._chains.get((row.timeline, row.length))
        if chain != row.chain:
            why = "cannot be put together" if chain is None else "are not those that were written"
            self._tell("messages", f"the messages of {name} {why}", row.session_id, row.id)

    # -- attachments

    def _attachments(self, session: SessionRow) -> None:
        owners = {row.seq: row for row in self._rows(session)}
        counted: Counter[int] = Counter()
        for seq, *columns in self._all("attachments_of_session", session=session.key):
            row, owner = AttachmentRow(*columns), owners.get(seq)
            counted[seq] += 1
            if owner is None:
                self._tell_attachment(row, session.id, None, "belongs to a checkpoint that is not there")
            else:
                self._attachment(row, target_at(session.key, owner), session.id, owner.id)
        for seq, owner in owners.items():
            if counted[seq] != owner.attachment_count:
                found = f"{counted[seq]} of its {owner.attachment_count} attachments"
                what = f"checkpoint {UUID(bytes=owner.id)} has {found}"
                self._tell("attachment", what, session.id, owner.id)
        for label, *columns in self._all("waiting_attachments_of_session", session=session.key):
            target = Target(self._family, session.key, session.id, None, label.decode())
            self._attachment(AttachmentRow(*columns), target, session.id, None)

    def _rows(self, session: SessionRow) -> Iterator[CheckpointRow]:
        for _, *columns in self._each("checkpoints_of_session", session=session.key):
            yield CheckpointRow(*columns)

    def _attachment(self, row: AttachmentRow, target: Target, session: bytes, checkpoint: bytes | None) -> None:
        if row.hash is None:
            self._tell_attachment(row, session, checkpoint, "has lost its content")
        elif row.seal != row.seal_at(target):
            self._tell_attachment(row, session, checkpoint, "has a row that does not match its seal")
        elif row.content in self._damaged:
            self._tell_attachment(row, session, checkpoint, "does not match its hash")
        elif row.chunk_size is not None:
            self._pieces(row, row.chunk_size, session, checkpoint)

    def _pieces(self, row: AttachmentRow, size: int, session: bytes, checkpoint: bytes | None) -> None:
        ((_, hashes),) = self._all("read_content", key=row.content)
        count = -(-row.size // size)
        lengths = [size] * (count - 1) + [row.size - size * (count - 1)]
        expected = [
            (position, hashes[position * _HASH_BYTES : (position + 1) * _HASH_BYTES], length)
            for position, length in enumerate(lengths)
        ]
        pieces = self._all("chunks_of_whole", whole=row.content)
        if len(hashes) != count * _HASH_BYTES or [piece[1:] for piece in pieces] != expected:
            self._tell_attachment(row, session, checkpoint, "has lost pieces")
        elif not self._damaged.isdisjoint(piece[0] for piece in pieces):
            self._tell_attachment(row, session, checkpoint, "has a piece that does not match its hash")

    def _tell_attachment(self, row: AttachmentRow, session: bytes, checkpoint: bytes | None, what: str) -> None:
        name = row.name.decode(errors="replace")
        owner = "" if checkpoint is None else f" of checkpoint {UUID(bytes=checkpoint)}"
        self._tell("attachment", f"attachment {name!r}{owner} {what}", session, checkpoint, attachment=name)


def _uuid(id: bytes | UUID | None) -> UUID | None:
    return UUID(bytes=id) if isinstance(id, bytes) else id
