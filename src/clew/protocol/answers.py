"""The bodies of answers, as a client reads them: the forms of `clew.wire`, and what only clew's own client asks for.

`value` makes a value of `clew.model`. Keys that have no field here are ignored; those that another service leaves out
have defaults.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from clew.backend import Changes
from clew.model import (
    ApiKey,
    Attachment,
    AttachmentInfo,
    Change,
    Checkpoint,
    CheckpointSummary,
    Page,
    SearchHit,
    Session,
    SessionStatus,
    SessionSummary,
    State,
    StoredState,
    Visibility,
)
from clew.protocol.codec import Bodies, Json
from clew.protocol.failures import Failure
from clew.reports import Compaction, Finding, Moved, Progress, StoreStats

Unread = Callable[[UUID], State]
"""Makes the state of a checkpoint that is read when it is first touched."""


class Answer(msgspec.Struct, kw_only=True):
    """The body of an answer."""


class StateForm(Answer, kw_only=True):
    """A state, undecoded."""

    messages: Bodies = msgspec.field(default_factory=lambda: Bodies([]))
    metadata: Json | None = None

    def value(self, checkpoint_id: UUID) -> State:
        texts = list(self.messages.texts)
        return State.stored(StoredState(texts, None if self.metadata is None else self.metadata.text, checkpoint_id))


class CheckpointForm(Answer, kw_only=True):
    """A checkpoint; without a state where the client asked for none."""

    id: UUID
    session_id: UUID
    parent_id: UUID | None = None
    state: StateForm | None = None
    created_at: datetime
    updated_at: datetime
    label: str | None = None

    def value(self, unread: Unread) -> Checkpoint:
        return Checkpoint(
            id=self.id,
            session_id=self.session_id,
            parent_id=self.parent_id,
            label=self.label,
            state=unread(self.id) if self.state is None else self.state.value(self.id),
            created_at=self.created_at,
            updated_at=self.updated_at,
        )


class AttachmentForm(Answer, kw_only=True):
    """An attachment with its bytes."""

    data: bytes
    content_type: str | None = None

    def value(self) -> Attachment:
        return Attachment(self.data, self.content_type)


class CheckpointSummaryForm(Answer, kw_only=True):
    """A checkpoint without its messages."""

    id: UUID
    session_id: UUID
    parent_id: UUID | None = None
    message_count: int
    created_at: datetime
    updated_at: datetime
    label: str | None = None
    damage: str | None = None
    chain: str = ""
    metadata: Json | None = None
    attachments: dict[str, AttachmentForm] | None = None

    def value(self) -> CheckpointSummary:
        attached = self.attachments
        return CheckpointSummary(
            id=self.id,
            session_id=self.session_id,
            parent_id=self.parent_id,
            label=self.label,
            message_count=self.message_count,
            chain=self.chain,
            created_at=self.created_at,
            updated_at=self.updated_at,
            metadata=_decoded(self.metadata),
            attachments=None if attached is None else {name: form.value() for name, form in attached.items()},
            damage=self.damage,
        )


class _SessionForm(Answer, kw_only=True):
    id: UUID
    title: str
    visibility: Visibility
    status: SessionStatus
    cwd: str | None = None
    created_at: datetime
    updated_at: datetime
    source: str | None = None
    source_id: str | None = None
    parent_session_id: UUID | None = None
    forked_from: UUID | None = None
    metadata: Json | None = None
    revision: int = 0
    owner: str | None = None

    def _fields(self) -> dict[str, Any]:
        given = {name: getattr(self, name) for name in _SessionForm.__struct_fields__}
        return {**given, "metadata": _decoded(self.metadata)}


class SessionForm(_SessionForm, kw_only=True):
    """A session with its active checkpoint."""

    active_checkpoint: CheckpointForm | None = None

    def value(self, unread: Unread) -> Session:
        active = self.active_checkpoint
        return Session(**self._fields(), active_checkpoint=None if active is None else active.value(unread))


class SessionSummaryForm(_SessionForm, kw_only=True):
    """A session in a list."""

    message_count: int
    checkpoint_count: int = 0
    active_checkpoint_id: UUID | None = None
    last_message_at: datetime | None = None
    damage: str | None = None

    def value(self) -> SessionSummary:
        return SessionSummary(
            **self._fields(),
            message_count=self.message_count,
            checkpoint_count=self.checkpoint_count,
            active_checkpoint_id=self.active_checkpoint_id,
            last_message_at=self.last_message_at,
            damage=self.damage,
        )


# -- whole answers


class OneSession(Answer, kw_only=True):
    """A session."""

    session: SessionForm


class OneSummary(Answer, kw_only=True):
    """A session as lists show it."""

    session: SessionSummaryForm


class OneCheckpoint(Answer, kw_only=True):
    """A checkpoint."""

    checkpoint: CheckpointForm


class OneCheckpointSummary(Answer, kw_only=True):
    """A checkpoint without its state."""

    checkpoint: CheckpointSummaryForm


class CreatedSession(Answer, kw_only=True):
    """A session that was created, and its root; `session` is what a clew server tells of it."""

    session_id: UUID
    checkpoint: CheckpointForm | None = None
    session: SessionForm | None = None


class DeletedSession(Answer, kw_only=True):
    """That a session was marked deleted, and when."""

    success: bool
    deleted_at: datetime


class PurgedSession(Answer, kw_only=True):
    """Whether everything of the session is gone; what it shared with something damaged is not."""

    whole: bool


class Erased(Answer, kw_only=True):
    """Whether the bytes of purged sessions are gone from every file."""

    erased: bool


class SessionList(Answer, kw_only=True):
    """A page of sessions."""

    sessions: list[SessionSummaryForm]
    total: int | None = None
    next_cursor: str | None = None

    def value(self) -> Page[SessionSummary]:
        return Page([form.value() for form in self.sessions], self.total, self.next_cursor)


class StatsAnswer(Answer, kw_only=True):
    """What is in the store, as far as the caller may see it."""

    stats: StoreStats


class MovedAnswer(Answer, kw_only=True):
    """The sessions whose directory was changed, or would be."""

    moved: Moved


class CheckpointList(Answer, kw_only=True):
    """A page of checkpoints, or all of a kind."""

    checkpoints: list[CheckpointSummaryForm]
    total: int | None = None
    next_cursor: str | None = None

    def values(self) -> list[CheckpointSummary]:
        return [form.value() for form in self.checkpoints]

    def value(self) -> Page[CheckpointSummary]:
        return Page(self.values(), self.total, self.next_cursor)


class HitList(Answer, kw_only=True):
    """A page of messages that a search found."""

    hits: list[SearchHit]
    next_cursor: str | None = None

    def value(self) -> Page[SearchHit]:
        return Page(self.hits, None, self.next_cursor)


class Descent(Answer, kw_only=True):
    """Ids of checkpoints, the youngest first."""

    ids: list[UUID]


class Messages(Answer, kw_only=True):
    """Some messages of a checkpoint."""

    messages: Bodies


class DiffAnswer(Answer, kw_only=True):
    """How two checkpoints differ."""

    checkpoint_a: UUID
    checkpoint_b: UUID
    common: int
    only_a: list[Json]
    only_b: list[Json]
    ancestor_id: UUID | None
    metadata_a: Json | None
    metadata_b: Json | None
    metadata_changed: bool


class AttachmentList(Answer, kw_only=True):
    """The attachments of a checkpoint without their bytes."""

    attachments: list[AttachmentInfo]


class AttachmentsByCheckpoint(Answer, kw_only=True):
    """The attachments of some checkpoints, by checkpoint and name."""

    attachments: dict[UUID, dict[str, AttachmentForm]]

    def value(self) -> dict[UUID, dict[str, Attachment]]:
        return {id: {name: form.value() for name, form in forms.items()} for id, forms in self.attachments.items()}


class WaitingLabels(Answer, kw_only=True):
    """What waits for labels that no checkpoint has, by label."""

    waiting: dict[str, list[AttachmentInfo]]


class Waiting(Answer, kw_only=True):
    """What waits for one label, with the bytes."""

    attachments: dict[str, AttachmentForm]

    def value(self) -> dict[str, Attachment]:
        return {name: form.value() for name, form in self.attachments.items()}


class ChangeList(Answer, kw_only=True):
    """Changes, and where to go on."""

    changes: list[Change]
    decided: int
    more: bool

    def value(self) -> Changes:
        return Changes(items=self.changes, decided=self.decided, more=self.more)


class LastChange(Answer, kw_only=True):
    """The number up to which every change has been told."""

    last_change: int


class Rung(Answer, kw_only=True):
    """How often somebody has rung for changes: another number than before is a reason to look."""

    rung: int


class Account(Answer, kw_only=True):
    """Whose key it is."""

    username: str
    id: str
    first_name: str
    last_name: str
    email: str
    scope: str | None = None


class Info(Answer, kw_only=True):
    """What a server is."""

    version: str
    backend: str


class ServerState(Answer, kw_only=True):
    """How a server is."""

    status: str


class Line(Answer, omit_defaults=True):
    """A line of the answer to something long: how far it is, what was found, how it ended."""

    progress: Progress | None = None
    finding: Finding | None = None
    compaction: Compaction | None = None
    error: Failure | None = None
    done: bool = False


class OneKey(Answer, kw_only=True):
    """An API key, without its token."""

    key: ApiKey


class FoundKey(Answer, kw_only=True):
    """An API key, where there is one."""

    key: ApiKey | None


class KeyList(Answer, kw_only=True):
    """Every API key."""

    keys: list[ApiKey]


class NewKeyAnswer(Answer, kw_only=True):
    """A key with its token, which is told this once."""

    key: ApiKey
    token: str


def _decoded(value: Json | None) -> Any:
    return None if value is None else value.value
