"""Imports the sessions of the Stakpak agent from its `local.db`.

The agent writes the whole conversation into every checkpoint; clew stores of each only what its parent lacks. Ids,
times, parents, roots and branches stay as they were. Of a state its `messages` and `metadata` are kept, which is all
that the agent itself reads; the oldest agents wrote more beside them (`node_states`).

A row that cannot be read is left out and named. Its children hang onto their nearest ancestor that can be read, or
become roots, and that is reported too: each state is complete in itself, so no other checkpoint loses a message by it.

A session begins with its first checkpoint, whatever its own `created_at` says. What the source said of it (title,
visibility, status, cwd) is kept in the session's metadata under `stakpak`, so that a later run takes over what the
agent has changed since, and leaves alone what was changed in clew.
"""

import heapq
import sys
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from clew.errors import ConflictError, CorruptStateError, InvalidRequestError, NotFoundError, StorageError
from clew.importers.base import Importer, ImportSteps, Progress, Tally, require_file
from clew.importers.looking import is_file, why_unreadable
from clew.importers.stakpak_source import (
    CheckpointRow,
    Checkpoints,
    SessionRow,
    Source,
    UnreadableError,
    to_datetime,
)
from clew.importers.stakpak_state import Conversation, Mark, read_state
from clew.messages import encode_messages
from clew.model import Session, SessionStatus
from clew.store import Store

SOURCE = "stakpak"
_SHOWN_FINDINGS = 3
_PAGE = 1000
_NOT_IN_SOURCE = (sys.maxsize, "")  # the position of what was made in clew: after everything


class StakpakImporter(Importer):
    """The local store of the Stakpak agent, of any version and in any state a crash left it in."""

    name = SOURCE
    summary = "Stakpak agent (~/.stakpak/data/local.db)"

    def detect(self, path: Path) -> bool:
        try:
            require_file(path)
            Source(path, Tally(self.name, path)).close()
        except StorageError:
            return False
        return True

    def locations(self, home: Path) -> list[Path]:
        path = home / ".stakpak" / "data" / "local.db"
        return [path] if why_unreadable(path) or is_file(path) else []

    def steps(self, store: Store, path: Path, *, dry_run: bool = False) -> ImportSteps:
        require_file(path)
        tally = Tally(self.name, path, dry_run=dry_run)
        with closing(Source(path, tally)) as source:
            sessions = source.sessions()
            checkpoints = source.checkpoints()
            _leave_out_homeless(sessions, checkpoints, tally)
            done = 0
            for row in sessions:
                importing = _SessionImport(store, source, row, checkpoints, tally, dry_run=dry_run)
                for new in importing.run():
                    done += new
                    yield Progress(done, checkpoints.count, row.title)
        _refuse_nothing(path, tally, checkpoints.count)
        return tally.report()


def _leave_out_homeless(sessions: list[SessionRow], checkpoints: Checkpoints, tally: Tally) -> None:
    for session_id in checkpoints.by_session.keys() - {row.id for row in sessions}:
        for row in checkpoints.by_session.pop(session_id):
            del checkpoints.home[str(row.id)]
            tally.broken(row.table, row.key, f"its session {session_id} is not in the file, or cannot be read")


def _refuse_nothing(path: Path, tally: Tally, checkpoint_count: int) -> None:
    report = tally.report()
    if report.sessions or not (checkpoint_count or report.broken):
        return
    shown = "; ".join(str(finding) for finding in report.broken[:_SHOWN_FINDINGS])
    raise InvalidRequestError(
        f"{path} is not empty ({checkpoint_count} checkpoints), but no session of it can be read: "
        f"{len(report.broken)} rows are broken, {shown}"
    )


class _SessionImport:
    """Brings one session of the store up to what the source has."""

    def __init__(
        self,
        store: Store,
        source: Source,
        row: SessionRow,
        listing: Checkpoints,
        tally: Tally,
        *,
        dry_run: bool = False,
    ) -> None:
        self._store = store
        self._source = source
        self._row = row
        self._listing = listing
        self._tally = tally
        self._dry_run = dry_run
        self._has_checkpoint = False
        self._rows = {str(checkpoint.id): checkpoint for checkpoint in listing.by_session.get(row.id, ())}
        self._stored: Session | None = None
        self._times: list[tuple[datetime, tuple[int, str], UUID]] = []
        """Every checkpoint of the session in the store, as made: its time, and where it stands in the source."""
        self._anchors: dict[str, UUID | None] = {}
        """Where the children of a checkpoint hang: it, or what its own children would if it cannot be read."""
        self._marks: dict[UUID, Mark] = {}
        self._created: dict[UUID, int] = {}

    def run(self) -> Iterator[int]:
        """Do it; yields how many rows of the source have been dealt with since the last time."""
        try:
            self._stored = self._find()
        except CorruptStateError as error:
            self._tally.broken(self._row.table, str(self._row.id), f"the session in the store is damaged: {error}")
            return
        existed = self._stored is not None
        self._load_known()
        new = [row for key, row in self._rows.items() if key not in self._anchors]
        if len(new) < len(self._rows):
            yield len(self._rows) - len(new)
        before = self._tally.checkpoints_created
        for row in self._in_order(new):
            self._import_checkpoint(row)
            yield 1
        self._finish(existed, self._tally.checkpoints_created - before)

    def _find(self) -> Session | None:
        try:
            return self._store.find_session(SOURCE, str(self._row.id))
        except NotFoundError:
            return None

    def _load_known(self) -> None:
        if self._stored is None:
            return
        cursor: str | None = None
        while True:
            page = self._store.list_checkpoints(self._stored.id, limit=_PAGE, cursor=cursor)
            for known in page.items:
                row = self._rows.get(str(known.id))
                self._times.append((known.created_at, _NOT_IN_SOURCE if row is None else row.position, known.id))
                if row is not None:
                    self._anchors[str(known.id)] = known.id
                    self._tally.checkpoints_known += 1
            cursor = page.next_cursor
            if cursor is None:
                return

    # ------------------------------------------------------------------------------------------------------- order

    def _in_order(self, new: list[CheckpointRow]) -> Iterator[CheckpointRow]:
        """By time, then insertion, parents first even where the clock went back or they form a ring."""
        waiting: dict[str, list[CheckpointRow]] = {}
        ready: list[tuple[int, tuple[int, str], CheckpointRow]] = []
        left = {str(row.id): (self._sort_time(row), row.position, row) for row in new}
        for entry in left.values():
            parent = self._member_above(entry[2].parent)
            if parent in left:
                waiting.setdefault(parent, []).append(entry[2])
            else:
                heapq.heappush(ready, entry)
        while left:
            # With rows left and none ready, the rest descends from a ring: it is opened at its oldest row.
            entry = heapq.heappop(ready) if ready else min(left.values())
            if left.pop(str(entry[2].id), None) is None:
                continue
            yield entry[2]
            for child in waiting.pop(str(entry[2].id), ()):
                if str(child.id) in left:
                    heapq.heappush(ready, left[str(child.id)])

    def _sort_time(self, row: CheckpointRow) -> int:
        try:
            self._created[row.id] = self._source.created_at(row)
        except UnreadableError:
            return 0  # it is named when its turn comes; here it only has to come before its children
        return self._created[row.id]

    def _member_above(self, key: str | None) -> str | None:
        """The nearest of this key and its ancestors that is a row of this session, readable or not."""
        passed: set[str] = set()
        while key is not None and key not in self._rows and key not in passed:
            passed.add(key)
            key = self._listing.lineage.get(key)
        return key if key in self._rows else None

    # ------------------------------------------------------------------------------------------------- checkpoints

    def _import_checkpoint(self, row: CheckpointRow) -> None:
        member = self._member_above(row.parent)
        anchor = None if member is None else self._anchors.get(member)
        try:
            nanoseconds = self._created.get(row.id)
            created_at = to_datetime(self._source.created_at(row) if nanoseconds is None else nanoseconds)
            text = self._source.state(row)
            conversation = read_state(text, None if anchor is None else self._marks.get(anchor))
            self._write(row, conversation, anchor, created_at)
        except UnreadableError as error:
            self._leave_out(row, anchor, str(error))
        except (InvalidRequestError, ConflictError, CorruptStateError) as error:
            self._leave_out(row, anchor, f"the store refuses it: {error.message}")
        else:
            self._report_parent(row, anchor)
            self._has_checkpoint = True
            self._anchors[str(row.id)] = row.id
            self._times.append((created_at, row.position, row.id))
            self._marks[row.id] = conversation.mark
            self._tally.checkpoints_created += 1
            self._tally.bytes_read += len(text)

    def _leave_out(self, row: CheckpointRow, anchor: UUID | None, why: str) -> None:
        self._anchors[str(row.id)] = anchor
        self._tally.broken(row.table, row.key, why)

    def _report_parent(self, row: CheckpointRow, anchor: UUID | None) -> None:
        if row.parent is None or (anchor is not None and row.parent == str(anchor)):
            return
        if row.parent not in self._listing.lineage:
            why = "is not in the file"
        elif self._listing.home.get(row.parent, self._row.id) != self._row.id:
            why = "belongs to another session"
        elif row.parent in self._rows and row.parent not in self._anchors:
            why = "descends from it"
        else:
            why = "cannot be read"
        instead = "made a root" if anchor is None else f"hung onto {anchor}"
        self._tally.mended(row.table, row.key, f"its parent {row.parent} {why}: {instead}")

    def _write(self, row: CheckpointRow, conversation: Conversation, parent: UUID | None, created_at: datetime) -> None:
        if self._dry_run:
            encode_messages(conversation.messages)  # which refuses what the store would
            return
        if self._stored is None:
            self._stored = self._create_session(row, conversation, created_at)
            return
        write = self._store.append if conversation.continues else self._store.create_checkpoint
        write(
            self._stored.id,
            conversation.messages,
            metadata=conversation.metadata,
            parent_id=parent,
            id=row.id,
            created_at=created_at,
        )

    # ----------------------------------------------------------------------------------------------------- session

    def _create_session(self, root: CheckpointRow, conversation: Conversation, created_at: datetime) -> Session:
        arguments: dict[str, Any] = {
            "messages": conversation.messages,
            "metadata": conversation.metadata,
            "visibility": self._row.visibility,
            "cwd": self._row.cwd,
            "source": SOURCE,
            "source_id": str(self._row.id),
            "session_metadata": {SOURCE: {**self._said(), "status": SessionStatus.ACTIVE}},
            "checkpoint_id": root.id,
            "created_at": created_at,
        }
        try:
            self._store.get_session(self._row.id)
        except NotFoundError:
            return self._store.create_session(self._row.title, id=self._row.id, **arguments)
        session = self._store.create_session(self._row.title, **arguments)
        self._tally.mended(self._row.table, str(self._row.id), f"the id is taken in the store: now {session.id}")
        return session

    def _said(self) -> dict[str, Any]:
        """What the source says of the session, and whoever uses the agent may change."""
        row = self._row
        return {"title": row.title, "visibility": row.visibility, "status": row.status, "cwd": row.cwd}

    def _finish(self, existed: bool, created: int) -> None:
        if self._stored is None and not self._has_checkpoint:
            self._tally.broken(self._row.table, str(self._row.id), "has no checkpoint that can be read")
            return
        if created and self._stored is not None and not self._dry_run:
            self._activate_newest(self._stored.id)
        changed = self._stored is not None and self._take_over_changes(self._stored.id)
        if not existed:
            self._tally.sessions_created += 1
        elif created or changed:
            self._tally.sessions_updated += 1
        else:
            self._tally.sessions_unchanged += 1

    def _activate_newest(self, session_id: UUID) -> None:
        """The newest by the clock, of several the last inserted: the one that the agent itself would resume from."""
        *_, newest = max(self._times)
        if newest != self._times[-1][-1]:
            self._store.set_active_checkpoint(session_id, newest, updated_at=to_datetime(self._row.updated_at))

    def _take_over_changes(self, session_id: UUID) -> bool:
        """Change in the store what the source has changed since the last run; whether there was anything to change."""
        updated_at = to_datetime(self._row.updated_at)
        while True:
            session = self._store.get_session(session_id)
            changes = self._changes(session.metadata or {})
            if not changes and updated_at <= session.updated_at:
                return False
            if self._dry_run:
                return True
            try:
                self._store.update_session(session_id, **changes, updated_at=updated_at, if_revision=session.revision)
            except ConflictError:
                continue  # somebody else has changed the session meanwhile: what they wrote must not be lost
            return True

    def _changes(self, metadata: dict[str, Any]) -> dict[str, Any]:
        """What the source says otherwise than it did when this metadata was written."""
        said, said_before = self._said(), metadata.get(SOURCE)
        if not isinstance(said_before, dict):
            return {}
        changes = {name: value for name, value in said.items() if said_before.get(name) != value}
        return {**changes, "metadata": {**metadata, SOURCE: said}} if changes else {}
