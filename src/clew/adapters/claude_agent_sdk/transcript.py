"""Adding to a transcript.

What a process has to know to add lines without reading those that are there: the checkpoint it left, and the uuids of
the lines up to it. Both are read once. A write asks for that checkpoint to be the active one still; where it is not,
what has come meanwhile is read, and the lines are looked through again. So no line is stored twice, by however many
processes, and none is taken to be there that is not.
"""

import json
from typing import Any
from uuid import UUID, uuid4

from claude_agent_sdk import SessionKey, SessionSummaryEntry, fold_session_summary

from clew import Attachment, Checkpoint, ConflictError, CorruptStateError, Session, Store
from clew.adapters.claude_agent_sdk.entries import to_entries, to_message, uuid_of
from clew.adapters.claude_agent_sdk.names import SOURCE, main_key, source_id, storable, title_of

SUMMARY = "claude-agent-sdk/summary.json"
"""The attachment of a checkpoint that has what the SDK's list shows of the transcript up to it."""

Entry = dict[str, Any]

MAX_STEPS = 32
"""How many checkpoints of others are looked through for the one that was left, before all of it is read again."""

MAX_RETITLES = 10


class Transcript:
    """What is known of a stored transcript, found or made in the store. Not for two threads at once."""

    def __init__(self, store: Store, key: SessionKey, first: list[Entry], owner: str | None) -> None:
        """`first` are the lines that are to be added, for the title of a session that is made here."""
        self._key = key
        session = ensure(store, key, first, owner)
        self.session_id = session.id
        self._title = (session.metadata or {}).get("title")
        self._cwd = session.cwd
        # Lines without a uuid whose write failed are known again by all of their batch, and the id it had.
        self._failed: tuple[list[Entry], UUID] | None = None
        self._read(_active(session))

    def add(self, store: Store, entries: list[Entry]) -> bool:
        """Add the lines that are not there yet. False where the transcript had changed: nothing was added then.

        NotFoundError where it has been deleted meanwhile.
        """
        new = self._missing(entries)
        if not new:
            return not self._has_changed(store)
        summary = fold(self._summary, self._key, new)
        self._retitle(store, summary)
        id = self._failed[1] if self._failed is not None and self._failed[0] == new else uuid4()
        self._failed = (new, id)
        try:
            checkpoint = store.append(
                self.session_id,
                [to_message(entry) for entry in new],
                attachments={SUMMARY: _encoded(summary)},
                id=id,
                if_active=self._checkpoint_id,
            )
        except ConflictError:
            self._failed = None
            self.refresh(store)
            return False
        self._failed = None
        self._absorb(checkpoint.id, new, summary)
        return True

    def refresh(self, store: Store) -> None:
        """Read what others have added, or all of it where it no longer goes on from what is known."""
        active = store.get_session_summary(self.session_id).active_checkpoint_id
        if active is None:
            raise CorruptStateError(f"session {self.session_id} has no active checkpoint")
        tail = self._added(store, active)
        if tail is None:
            self._read(store.get_checkpoint(active))
        else:
            self._absorb(active, tail, fold(self._summary, self._key, tail))

    def _added(self, store: Store, active: UUID) -> list[Entry] | None:
        """The lines after those that are known; None where a checkpoint does not go on from these.

        A descendant may have other lines in their place: then the last one is most likely another one too.
        """
        if not _descends(store, active, self._checkpoint_id):
            return None
        known = min(self._count, 1)
        lines = to_entries(store.get_messages(active, start=self._count - known), active)
        return lines[known:] if lines[:known] == self._last[:known] else None

    def _read(self, checkpoint: Checkpoint) -> None:
        """Know this checkpoint, and nothing of what was known before."""
        self._count = 0
        self._last: list[Entry] = []
        self._uuids: set[str] = set()
        entries = to_entries(checkpoint.state.messages, checkpoint.id)
        self._absorb(checkpoint.id, entries, fold(None, self._key, entries))

    def _absorb(self, checkpoint_id: UUID, entries: list[Entry], summary: SessionSummaryEntry) -> None:
        self._checkpoint_id = checkpoint_id
        self._count += len(entries)
        self._last = entries[-1:] or self._last
        self._uuids.update(uuid for entry in entries if (uuid := uuid_of(entry)) is not None)
        self._summary = summary

    def _missing(self, entries: list[Entry]) -> list[Entry]:
        """The lines that are not there yet, each once: what came first stays, as the SDK allows."""
        fresh: dict[str, None] = {}
        missing = []
        for entry in entries:
            uuid = uuid_of(entry)
            if uuid is None:
                missing.append(entry)
            elif uuid not in self._uuids and uuid not in fresh:
                fresh[uuid] = None
                missing.append(entry)
        return missing

    def _has_changed(self, store: Store) -> bool:
        """Whether what is known is of the past; then it is read anew."""
        if store.get_session_summary(self.session_id).active_checkpoint_id == self._checkpoint_id:
            return False
        self.refresh(store)
        return True

    def _retitle(self, store: Store, summary: SessionSummaryEntry) -> None:
        """Give the session the title and folder that the lines say, before they are added.

        Afterwards an error would be told as that of the lines, which would then come again. A title that somebody
        gave it in clew stays: only the one set here is replaced.
        """
        title, cwd = title_of(self._key, summary["data"]), _cwd(summary)
        if title == self._title and (self._cwd is not None or cwd is None):
            return
        for _ in range(MAX_RETITLES):
            found = store.get_session_summary(self.session_id)
            changes: dict[str, Any] = {"cwd": cwd} if found.cwd is None and cwd is not None else {}
            if found.title == (found.metadata or {}).get("title"):
                changes |= {"title": title, "metadata": {**(found.metadata or {}), "title": title}}
            try:
                store.update_session(self.session_id, if_revision=found.revision, **changes)
            except ConflictError:  # somebody else has written to it
                continue
            self._title, self._cwd = title, found.cwd or cwd
            return
        raise ConflictError(f"others have changed session {self.session_id} {MAX_RETITLES} times meanwhile")


def ensure(store: Store, key: SessionKey, entries: list[Entry], owner: str | None) -> Session:
    """The session of a transcript, made where there is none; a subagent's is the child of the main transcript's."""
    is_main = key.get("subpath") is None
    parent = None if is_main else ensure(store, main_key(key), [], owner)
    summary = fold(None, key, entries)
    title = title_of(key, summary["data"])
    return store.ensure_session(
        SOURCE,
        source_id(key),
        title,
        cwd=_cwd(summary),
        owner=owner,
        parent_session_id=None if parent is None else parent.id,
        session_metadata={
            "project_key": key["project_key"],
            "session_id": key["session_id"],
            "subpath": key.get("subpath"),
            "title": title,
        },
    )


def read_summary(key: SessionKey, attachments: dict[str, Attachment], checkpoint_id: UUID) -> dict[str, Any] | None:
    """What the SDK has folded up to a checkpoint; None where that was not written by this adapter."""
    if SUMMARY not in attachments:
        return None
    try:
        data = json.loads(attachments[SUMMARY])
    except ValueError:
        data = None
    if not isinstance(data, dict):
        raise CorruptStateError(f"the summary of checkpoint {checkpoint_id} of {source_id(key)} is none", checkpoint_id)
    return data


def fold(before: SessionSummaryEntry | None, key: SessionKey, entries: list[Any]) -> SessionSummaryEntry:
    """What the SDK's list shows of a transcript after some more lines."""
    return fold_session_summary(before, key, entries)


def _encoded(summary: SessionSummaryEntry) -> Attachment:
    return Attachment(json.dumps(summary["data"]).encode(), "application/json")


def _cwd(summary: SessionSummaryEntry) -> str | None:
    found = summary["data"].get("cwd")
    return storable(found) if isinstance(found, str) and found else None


def _active(session: Session) -> Checkpoint:
    if session.active_checkpoint is None:
        raise CorruptStateError(f"session {session.id} has no active checkpoint")
    return session.active_checkpoint


def _descends(store: Store, checkpoint_id: UUID, ancestor: UUID) -> bool:
    """Whether one checkpoint is a few steps after another."""
    found: UUID | None = checkpoint_id
    for _ in range(MAX_STEPS):
        if found is None or found == ancestor:
            break
        found = store.get_checkpoint_summary(found).parent_id
    return found == ancestor
