"""Where the runs of an agent are in a store.

A conversation is a session. A run begins as a checkpoint of it that adds no message: its anchor, found by an id made of
the run's id, and labelled, so that pruning leaves it. What is said of the run beside its messages is attached to it.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from uuid import UUID, uuid4, uuid5

from pydantic_ai_harness.step_persistence import RunRecord

from clew import (
    CheckpointSummary,
    ConflictError,
    CorruptStateError,
    InvalidRequestError,
    NotFoundError,
    Session,
    SessionStatus,
    Store,
)
from clew.adapters.by_name import present
from clew.adapters.pydantic_ai.histories import SOURCE, Histories, Recent, not_deleted
from clew.adapters.pydantic_ai.records import from_bytes, from_fields, to_bytes, to_fields

ANCHOR = {"pydantic_ai": "run"}
"""The metadata of an anchor."""

RECORD = "run"
"""The attachment that is a run's record."""

_LABEL = "run "
_PAGE = 1000
_IDS = UUID("5f1e2b1c-6e5c-4a52-9a39-6d7d3b6f1c0a")
_MAX_CHARS = 900  # so that a label and an id have room for it
_REMEMBERED = 1024


@dataclass
class Run:
    """What this process knows of a run: where it is, its last snapshot (None: not looked for yet), and the places of
    its next events (None: not looked for yet)."""

    anchor: UUID
    session_id: UUID
    head: UUID | None = None
    events: Iterator[int] | None = None
    is_untitled: bool = False


class Runs:
    """Finds and registers runs. Those it has seen last are found without asking the store."""

    def __init__(self, namespace: str, histories: Histories) -> None:
        self._namespace = namespace
        self._histories = histories
        self._runs: Recent[str, Run] = Recent(_REMEMBERED)
        self._sessions: Recent[str, Session] = Recent(_REMEMBERED)

    def id_of(self, *names: str) -> UUID:
        """The id of what has these names."""
        return uuid5(_IDS, json.dumps([self._namespace, *names]))

    def anchor_of(self, run_id: str) -> UUID:
        """The id of a run's anchor, whether it is there or not."""
        return self.id_of("run", run_id)

    def forget(self, run_id: str) -> None:
        """Ask the store about a run next time: what was known of it no longer holds."""
        self._runs.forget(run_id)
        self._sessions.clear()

    def register(self, store: Store, record: RunRecord) -> Run:
        """The run of a new record; ConflictError where it has another one."""
        data = to_bytes(to_fields(record, "run_id"))
        session = self._session(store, record)
        try:
            return self._anchored(store, record.run_id, session, data)
        except ConflictError:
            run = self.find(store, record.run_id)
            if run is None:
                raise
        if run.session_id != session.id:
            raise ConflictError(f"run {record.run_id!r} has been written to before, and not in this conversation")
        try:
            store.attach(run.session_id, {RECORD: data}, checkpoint_id=run.anchor)
        except ConflictError as error:
            raise ConflictError(f"run {record.run_id!r} is registered already") from error
        return run

    def ensure(self, store: Store, run_id: str, conversation_id: str | None) -> Run:
        """The run, begun here where nobody has registered it."""
        run = self.find(store, run_id)
        if run is None:
            session = self._session(store, RunRecord(run_id=run_id, conversation_id=conversation_id))
            try:
                return self._anchored(store, run_id, session, None)
            except ConflictError:  # somebody else was first
                run = self.find(store, run_id)
                if run is None:
                    raise
        return run

    def find(self, store: Store, run_id: str) -> Run | None:
        """The run, None where nothing has been written of it."""
        known = self._runs.get(run_id)
        if known is not None:
            return known
        try:
            summary = store.get_checkpoint_summary(self.anchor_of(run_id))
        except NotFoundError:
            return None
        return self._runs.put(run_id, Run(summary.id, summary.session_id))

    def record(self, store: Store, run_id: str) -> RunRecord | None:
        """What was registered of a run, None where nothing was."""
        anchor = self.anchor_of(run_id)
        try:
            data = store.get_attachment(anchor, RECORD)
        except NotFoundError:
            return None
        return from_fields(RunRecord, from_bytes(data, anchor), anchor, run_id=run_id)

    def select(self, store: Store, parent_run_id: str | None, conversation_id: str | None) -> list[RunRecord]:
        """The records that both filters let through, by the time the runs started."""
        found = [
            record
            for record in self._records(store, conversation_id)
            if parent_run_id in (None, record.parent_run_id) and conversation_id in (None, record.conversation_id)
        ]
        return sorted(found, key=lambda record: record.started_at)

    def _records(self, store: Store, conversation_id: str | None) -> Iterator[RunRecord]:
        hidden = _deleted(store) if conversation_id is None else frozenset()
        for anchor in _anchors(store, conversation_id):
            if anchor.session_id in hidden:
                continue
            data = (anchor.attachments or {}).get(RECORD)
            run_id = (anchor.label or "").removeprefix(_LABEL)
            # The anchors of another namespace, and of a session that was copied, have other ids.
            if data is not None and anchor.id == self.anchor_of(run_id):
                yield from_fields(RunRecord, from_bytes(data, anchor.id), anchor.id, run_id=run_id)

    def _anchored(self, store: Store, run_id: str, session: Session, record: bytes | None) -> Run:
        anchor = store.append(
            session.id,
            [],
            metadata=ANCHOR,
            label=_LABEL + run_id,
            attachments=None if record is None else {RECORD: record},
            id=self.anchor_of(run_id),
        )
        self._histories.know_same(anchor)
        is_untitled = session.title == session.source_id
        # Where its next event goes is not known: a run that is registered again by the same record has some.
        run = Run(anchor.id, session.id, anchor.id, is_untitled=is_untitled)
        return self._runs.put(run_id, run)

    def _session(self, store: Store, record: RunRecord) -> Session:
        """The session of a run's conversation; a run of none has one of its own."""
        _check("run_id", record.run_id)
        name = record.run_id if record.conversation_id is None else record.conversation_id
        _check("conversation_id", name)
        known = self._sessions.get(name)
        if known is not None:
            not_deleted(store.get_session_summary(known.id))
            return known
        above = None if record.parent_run_id is None else self.find(store, record.parent_run_id)
        root = uuid4()
        session = store.ensure_session(
            SOURCE,
            name,
            name,
            checkpoint_id=root,
            parent_session_id=None if above is None else above.session_id,
            session_metadata=None if record.agent_name is None else {"agent_name": record.agent_name},
        )
        active = not_deleted(session).active_checkpoint
        if active is not None and active.id == root:  # made here
            self._histories.know_empty(active)
        return self._sessions.put(name, session)


def sound(items: list[CheckpointSummary]) -> list[CheckpointSummary]:
    """A page of checkpoints; CorruptStateError where one of them cannot be trusted."""
    for item in items:
        if item.damage is not None:
            raise CorruptStateError(f"checkpoint {item.id}: {item.damage}", item.id)
    return items


def _anchors(store: Store, conversation_id: str | None) -> Iterator[CheckpointSummary]:
    if conversation_id is None:
        read = partial(store.find_checkpoints, metadata=ANCHOR, source=SOURCE)
    else:
        try:
            session = present(store.find_session_summary(SOURCE, conversation_id))
        except NotFoundError:
            return
        read = partial(store.list_checkpoints, session.id, order="label", metadata=ANCHOR)
    cursor = None
    while True:
        page = read(with_attachments=RECORD, limit=_PAGE, cursor=cursor)
        yield from sound(page.items)
        cursor = page.next_cursor
        if cursor is None:
            return


def _deleted(store: Store) -> frozenset[UUID]:
    """The sessions that are marked deleted."""
    found: set[UUID] = set()
    cursor = None
    while True:
        page = store.list_sessions(source=SOURCE, status=SessionStatus.DELETED, limit=_PAGE, cursor=cursor)
        found.update(session.id for session in page)
        cursor = page.next_cursor
        if cursor is None:
            return frozenset(found)


def _check(name: str, value: str) -> None:
    """Refuse, before anything is written, an id that no store can keep as a name."""
    if not isinstance(value, str) or not value or len(value) > _MAX_CHARS or "\0" in value:
        raise InvalidRequestError(f"{name} must be text of 1 to {_MAX_CHARS} characters, none of them NUL")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise InvalidRequestError(f"{name} holds a lone surrogate, which is no character") from None
