"""The bodies of requests, each with its way to the values of the seam and back.

`of` makes a body from a value of the seam, for the client; `seam` checks a body as the store's methods check their
arguments and makes the value, with the time of the server's clock. Unknown fields are refused. Fields that are left out
have the defaults of the store's methods.
"""

from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

import msgspec
from msgspec import UNSET, UnsetType

from clew import checks, limits
from clew.backend import (
    CheckpointQuery,
    CheckpointSearch,
    DirectoryMove,
    MessageSearch,
    NewApiKey,
    NewAttachment,
    NewAttachments,
    NewCheckpoint,
    NewCopy,
    NewFork,
    NewSession,
    Place,
    Prefix,
    SessionChanges,
    SessionQuery,
)
from clew.errors import InvalidRequestError
from clew.hashing import fingerprint
from clew.ids import new_id
from clew.model import ACTIVE, KEEP, SAME, Attachment, Keep, Label, Same
from clew.protocol.codec import MSGPACK, Json, encode, json_bodies, json_metadata
from clew.times import from_micros, to_micros

T = TypeVar("T")

_SHA256_BYTES = 32


class Request(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    """The body of a request."""

    def call(self, *parts: object) -> bytes:
        """A fingerprint of the call, for callers that chose an id and send none."""
        return fingerprint(type(self).__name__, *parts, encode(self, MSGPACK))


class LabelForm(Request, kw_only=True):
    """A checkpoint named by its label."""

    label: str


PlaceForm = str | LabelForm | None
"""A checkpoint of a session: its id, "ACTIVE" or an object with its label."""


class StateForm(Request, kw_only=True):
    """A state: messages, and whatever its program keeps beside them."""

    messages: list[Json] = []
    metadata: Json | None = None


class PrefixForm(Request, kw_only=True):
    """The beginning that a conversation has in common with its parent's."""

    count: int
    chain: bytes
    whole: bytes


class AttachmentForm(Request, kw_only=True):
    """Bytes to attach; without `data` those that the parent has under the name."""

    data: bytes | None = None
    content_type: str | None = None


# -- sessions


class CreateSession(Request, kw_only=True):
    """A session to create. `checkpoint_id` null makes it without a checkpoint."""

    title: str
    owner: str | None = None
    visibility: str = "PRIVATE"
    cwd: str | None = None
    state: StateForm = msgspec.field(default_factory=StateForm)
    source: str | None = None
    source_id: str | None = None
    parent_session_id: UUID | None = None
    parent_may_be_missing: bool = False
    forked_from: UUID | None = None
    metadata: Json | None = None
    id: UUID | None = None
    checkpoint_id: UUID | UnsetType | None = UNSET
    created_at: datetime | None = None
    fingerprint: bytes | UnsetType | None = UNSET

    @classmethod
    def of(cls, new: NewSession) -> "CreateSession":
        return cls(
            title=new.title, owner=new.owner, visibility=new.visibility.value, cwd=new.cwd,
            source=new.source, source_id=new.source_id,
            state=StateForm(messages=_texts(new.bodies), metadata=_text(new.metadata)), id=new.id,
            parent_session_id=new.parent_session_id, parent_may_be_missing=new.parent_may_be_missing,
            forked_from=new.forked_from, metadata=_text(new.session_metadata), checkpoint_id=new.checkpoint_id,
            created_at=_moment(new.created_at), fingerprint=new.fingerprint,
        )  # fmt: skip

    def seam(self, now: int, *, ensure: bool = False) -> NewSession:
        source, source_id = self.source, self.source_id
        if ensure or source is not None or source_id is not None:
            source, source_id = checks.source_name(source, source_id)
        return NewSession(
            id=self.id or new_id(),
            checkpoint_id=_given(self.checkpoint_id, new_id()),
            title=checks.title(self.title),
            owner=checks.optional_owner(self.owner),
            bodies=json_bodies(self.state.messages),
            metadata=json_metadata(self.state.metadata),
            session_metadata=_object_text(self.metadata),
            visibility=checks.visibility(self.visibility),
            cwd=checks.optional_cwd(self.cwd),
            source=source,
            source_id=source_id,
            parent_session_id=self.parent_session_id,
            parent_may_be_missing=self.parent_may_be_missing,
            forked_from=self.forked_from,
            created_at=_micros(self.created_at, "created_at"),
            now=now,
            fingerprint=_fingerprint(self, self.fingerprint, self.id),
        )


class EnsureSession(CreateSession, kw_only=True):
    """A session to find by its source, or to create."""

    title: str = ""


class UpdateSession(Request, kw_only=True):
    """What to change in a session."""

    title: str | UnsetType = UNSET
    visibility: str | UnsetType = UNSET
    status: str | UnsetType = UNSET
    cwd: str | UnsetType | None = UNSET
    metadata: Json | UnsetType | None = UNSET
    owner: str | UnsetType | None = UNSET
    if_revision: int | None = None
    updated_at: datetime | None = None

    @classmethod
    def of(cls, changes: SessionChanges) -> "UpdateSession":
        return cls(
            title=_unless_kept(changes.title),
            visibility=_unless_kept(changes.visibility),
            status=_unless_kept(changes.status),
            cwd=_unless_kept(changes.cwd),
            metadata=UNSET if changes.metadata is KEEP else _text(changes.metadata),
            owner=_unless_kept(changes.owner),
            if_revision=sendable(changes.if_revision),
            updated_at=_moment(changes.updated_at),
        )

    def seam(self, now: int) -> SessionChanges:
        return SessionChanges(
            title=KEEP if self.title is UNSET else checks.title(self.title),
            visibility=KEEP if self.visibility is UNSET else checks.visibility(self.visibility),
            status=KEEP if self.status is UNSET else checks.status(self.status),
            cwd=KEEP if self.cwd is UNSET else checks.optional_cwd(self.cwd),
            metadata=KEEP if self.metadata is UNSET else _object_text(self.metadata),
            owner=_owner(self.owner),
            if_revision=self.if_revision,
            updated_at=_micros(self.updated_at, "updated_at"),
            now=now,
        )


class ForkSession(Request, kw_only=True):
    """A session to begin at a checkpoint of another. `root_id` null makes it without a checkpoint."""

    checkpoint_id: PlaceForm = "ACTIVE"
    title: str | None = None
    owner: str | UnsetType | None = UNSET
    id: UUID | None = None
    root_id: UUID | UnsetType | None = UNSET
    created_at: datetime | None = None
    fingerprint: bytes | UnsetType | None = UNSET

    @classmethod
    def of(cls, new: NewFork) -> "ForkSession":
        return cls(
            checkpoint_id=_place_form(new.source_checkpoint), title=new.title, owner=_unless_kept(new.owner),
            id=new.id, root_id=new.checkpoint_id, created_at=_moment(new.created_at), fingerprint=new.fingerprint,
        )  # fmt: skip

    def seam(self, session_id: UUID, now: int) -> NewFork:
        return NewFork(
            id=self.id or new_id(),
            checkpoint_id=_given(self.root_id, new_id()),
            source_checkpoint=_place(self.checkpoint_id, "checkpoint_id"),
            title=None if self.title is None else checks.title(self.title),
            owner=_owner(self.owner),
            created_at=_micros(self.created_at, "created_at"),
            now=now,
            fingerprint=_fingerprint(self, self.fingerprint, self.id, session_id),
        )


class CopySession(Request, kw_only=True):
    """A session to make with the tree of another."""

    title: str | None = None
    owner: str | UnsetType | None = UNSET
    source: str | None = None
    source_id: str | None = None
    id: UUID | None = None
    fingerprint: bytes | UnsetType | None = UNSET

    @classmethod
    def of(cls, new: NewCopy) -> "CopySession":
        return cls(
            title=new.title, owner=_unless_kept(new.owner), source=new.source, source_id=new.source_id, id=new.id,
            fingerprint=new.fingerprint,
        )  # fmt: skip

    def seam(self, session_id: UUID, now: int) -> NewCopy:
        source, source_id = self.source, self.source_id
        if source is not None or source_id is not None:
            source, source_id = checks.source_name(source, source_id)
        return NewCopy(
            id=self.id or new_id(),
            title=None if self.title is None else checks.title(self.title),
            owner=_owner(self.owner),
            source=source,
            source_id=source_id,
            now=now,
            fingerprint=_fingerprint(self, self.fingerprint, self.id, session_id),
        )


class PurgeSession(Request, kw_only=True):
    """How to purge a session. Without `erase` its bytes are left to a purge of everything that waits for it."""

    if_revision: int | None = None
    erase: bool = True


class ListSessions(Request, kw_only=True):
    """Which sessions to list."""

    limit: int = limits.DEFAULT_PAGE
    offset: int = 0
    cursor: str | None = None
    search: str | None = None
    status: str | None = None
    visibility: str | None = None
    cwd: str | None = None
    source: str | None = None
    source_id: str | None = None
    parent_session_id: UUID | None = None
    owner: str | None = None
    metadata: Json | None = None
    count: bool = False

    @classmethod
    def of(cls, query: SessionQuery) -> "ListSessions":
        return cls(
            limit=query.limit, offset=query.offset, cursor=query.cursor, search=query.search, status=query.status,
            visibility=query.visibility, cwd=query.cwd, source=query.source, source_id=query.source_id,
            parent_session_id=query.parent_session_id, owner=query.owner, metadata=_text(query.metadata),
            count=query.count,
        )  # fmt: skip

    def seam(self) -> SessionQuery:
        checks.page(self.limit, self.offset, self.cursor)
        return SessionQuery(
            limit=self.limit,
            offset=self.offset,
            cursor=self.cursor,
            search=checks.optional_search(self.search),
            status=checks.optional_status(self.status),
            visibility=checks.optional_visibility(self.visibility),
            cwd=checks.optional_cwd(self.cwd),
            source=checks.optional_source(self.source),
            source_id=checks.optional_source_id(self.source_id, self.source),
            parent_session_id=self.parent_session_id,
            owner=checks.optional_owner(self.owner),
            metadata=checks.optional_filter(None if self.metadata is None else self.metadata.value),
            count=self.count,
        )


class MoveDirectory(Request, kw_only=True):
    """A directory to look for in those of sessions, and what comes in its place."""

    old: str
    new: str
    owner: str | None = None
    dry_run: bool = False

    @classmethod
    def of(cls, move: DirectoryMove) -> "MoveDirectory":
        return cls(old=move.old, new=move.new, owner=move.owner, dry_run=move.dry_run)

    def seam(self) -> DirectoryMove:
        return DirectoryMove(
            old=checks.directory(self.old, "old"),
            new=checks.directory(self.new, "new"),
            owner=checks.optional_owner(self.owner),
            dry_run=self.dry_run,
        )


# -- checkpoints


class _NewCheckpoint(Request, kw_only=True):
    label: str | None = None
    move: bool = False
    attachments: dict[str, AttachmentForm] = {}
    id: UUID | None = None
    if_active: UUID | LabelForm | None = None
    activate: bool = True
    created_at: datetime | None = None
    updated_at: datetime | None = None
    fingerprint: bytes | UnsetType | None = UNSET

    def _seam(
        self, session_id: UUID, now: int, messages: list[Json], metadata: bytes | Keep | None, parent: Place | None,
        prefix: PrefixForm | None = None, *, full: bool, after: int | None = None,
    ) -> NewCheckpoint:  # fmt: skip
        return NewCheckpoint(
            id=self.id or new_id(),
            bodies=json_bodies(messages),
            full=full,
            prefix=None if prefix is None else Prefix(count=prefix.count, chain=prefix.chain, whole=prefix.whole),
            parent=parent,
            after=after,
            metadata=metadata,
            label=checks.optional_label(self.label),
            move=checks.move(self.move, self.label),
            attachments=_attachments(self.attachments, may_be_same=True),
            if_active=_expected(self.if_active),
            activate=self.activate,
            created_at=_micros(self.created_at, "created_at"),
            updated_at=_micros(self.updated_at, "updated_at"),
            now=now,
            fingerprint=_fingerprint(self, self.fingerprint, self.id, session_id),
        )


class CreateCheckpoint(_NewCheckpoint, kw_only=True):
    """A checkpoint with its state in full, or from the end of `prefix` on."""

    state: StateForm
    parent_id: PlaceForm = None
    prefix: PrefixForm | None = None

    @classmethod
    def of(cls, new: NewCheckpoint) -> "CreateCheckpoint":
        prefix = new.prefix
        return cls(
            state=StateForm(
                messages=_texts(new.bodies), metadata=None if new.metadata is KEEP else _text(new.metadata)
            ),
            parent_id=_place_form(new.parent),
            prefix=None if prefix is None else PrefixForm(count=prefix.count, chain=prefix.chain, whole=prefix.whole),
            **_common(new),
        )

    def seam(self, session_id: UUID, now: int) -> NewCheckpoint:
        return self._seam(
            session_id, now, self.state.messages, json_metadata(self.state.metadata),
            _optional_place(self.parent_id, "parent_id"), self.prefix, full=True,
        )  # fmt: skip


class Append(_NewCheckpoint, kw_only=True):
    """Messages to add to a checkpoint. Without `metadata` the parent's is taken over."""

    messages: list[Json]
    metadata: Json | UnsetType | None = UNSET
    parent_id: PlaceForm = "ACTIVE"
    after: int | None = None

    @classmethod
    def of(cls, new: NewCheckpoint) -> "Append":
        return cls(
            messages=_texts(new.bodies),
            metadata=UNSET if new.metadata is KEEP else _text(new.metadata),
            parent_id=_place_form(new.parent),
            after=new.after,
            **_common(new),
        )

    def seam(self, session_id: UUID, now: int) -> NewCheckpoint:
        metadata: bytes | Keep | None = KEEP if self.metadata is UNSET else json_metadata(self.metadata)
        parent = _optional_place(self.parent_id, "parent_id")
        after = checks.optional_after(self.after, parent)
        return self._seam(session_id, now, self.messages, metadata, parent, full=False, after=after)


class SetActive(Request, kw_only=True):
    """The checkpoint to resume from."""

    checkpoint_id: PlaceForm

    @classmethod
    def of(cls, place: Place) -> "SetActive":
        return cls(checkpoint_id=_place_form(place))

    def seam(self) -> Place:
        return _place(self.checkpoint_id, "checkpoint_id")


class SetLabel(Request, kw_only=True):
    """The label of a checkpoint; null takes it away."""

    label: str | None
    move: bool = False


class DeleteCheckpoints(Request, kw_only=True):
    """Checkpoints to delete."""

    ids: list[UUID]
    children: str = "reparent"
    if_revision: int | None = None


class ListCheckpoints(Request, kw_only=True):
    """Which checkpoints of some sessions to list."""

    session_ids: list[UUID]
    limit: int = limits.DEFAULT_PAGE
    order: str = "created"
    active: bool = False
    before_label: str | None = None
    offset: int = 0
    cursor: str | None = None
    metadata: Json | None = None
    with_metadata: bool = False
    with_attachments: str | None = None

    @classmethod
    def of(cls, query: CheckpointQuery) -> "ListCheckpoints":
        return cls(
            session_ids=list(query.session_ids), limit=query.limit, order=query.order, active=query.active,
            before_label=query.before_label, offset=query.offset, cursor=query.cursor,
            metadata=_text(query.metadata), with_metadata=query.with_metadata,
            with_attachments=query.with_attachments,
        )  # fmt: skip

    def seam(self) -> CheckpointQuery:
        checks.page(self.limit, self.offset, self.cursor)
        return CheckpointQuery(
            session_ids=checks.ids(self.session_ids, "session_ids"),
            limit=self.limit,
            order=checks.order(self.order),
            active=self.active,
            before_label=checks.optional_label(self.before_label, "before_label"),
            offset=self.offset,
            cursor=self.cursor,
            metadata=checks.optional_filter(None if self.metadata is None else self.metadata.value),
            with_metadata=self.with_metadata,
            with_attachments=checks.optional_prefix(self.with_attachments, "with_attachments"),
        )


class FindCheckpoints(Request, kw_only=True):
    """Which checkpoints of all sessions to find."""

    metadata: Json | None = None
    source: str | None = None
    owner: str | None = None
    limit: int = limits.DEFAULT_PAGE
    cursor: str | None = None
    with_attachments: str | None = None

    @classmethod
    def of(cls, search: CheckpointSearch) -> "FindCheckpoints":
        return cls(
            metadata=_text(search.metadata), source=search.source, owner=search.owner, limit=search.limit,
            cursor=search.cursor, with_attachments=search.with_attachments,
        )  # fmt: skip

    def seam(self) -> CheckpointSearch:
        checks.page(self.limit, 0, self.cursor)
        return CheckpointSearch(
            metadata=checks.optional_filter(None if self.metadata is None else self.metadata.value),
            source=checks.optional_source(self.source),
            owner=checks.optional_owner(self.owner),
            limit=self.limit,
            cursor=self.cursor,
            with_attachments=checks.optional_prefix(self.with_attachments, "with_attachments"),
        )


class SearchMessages(Request, kw_only=True):
    """Which messages to find."""

    query: str
    limit: int = limits.DEFAULT_HITS
    cursor: str | None = None
    session_id: UUID | None = None
    role: str | None = None
    tool: str | None = None
    cwd: str | None = None
    source: str | None = None
    owner: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    status: str | None = "ACTIVE"

    @classmethod
    def of(cls, search: MessageSearch) -> "SearchMessages":
        return cls(
            query=search.text, limit=search.limit, cursor=search.cursor, session_id=search.session_id,
            role=search.role, tool=search.tool, cwd=search.cwd, source=search.source, owner=search.owner,
            since=_moment(search.since), until=_moment(search.until),
            status=None if search.status is None else search.status.value,
        )  # fmt: skip

    def seam(self) -> MessageSearch:
        checks.page(self.limit, 0, self.cursor)
        return MessageSearch(
            text=checks.query(self.query),
            limit=self.limit,
            cursor=self.cursor,
            session_id=self.session_id,
            role=checks.optional_name(self.role, "role"),
            tool=checks.optional_name(self.tool, "tool"),
            cwd=checks.optional_cwd(self.cwd),
            source=checks.optional_source(self.source),
            owner=checks.optional_owner(self.owner),
            since=_micros(self.since, "since"),
            until=_micros(self.until, "until"),
            status=checks.optional_status(self.status),
        )


# -- attachments


class Attach(Request, kw_only=True):
    """Bytes by name to keep beside a checkpoint, or for a label whose checkpoint may come later."""

    items: dict[str, AttachmentForm]
    checkpoint_id: PlaceForm = "ACTIVE"
    on_conflict: str = "error"

    @classmethod
    def of(cls, new: NewAttachments) -> "Attach":
        return cls(
            items=_attachment_forms(new.items), checkpoint_id=_place_form(new.place), on_conflict=new.on_conflict
        )

    def seam(self, now: int) -> NewAttachments:
        return NewAttachments(
            items=_attachments(self.items, may_be_same=False),
            place=_place(self.checkpoint_id, "checkpoint_id"),
            on_conflict=checks.on_conflict(self.on_conflict),
            now=now,
        )


class Detach(Request, kw_only=True):
    """Names of attachments to take away."""

    names: list[str]
    checkpoint_id: PlaceForm = "ACTIVE"

    def place(self) -> Place:
        return _place(self.checkpoint_id, "checkpoint_id")

    @classmethod
    def of(cls, place: Place, names: list[str]) -> "Detach":
        return cls(names=names, checkpoint_id=_place_form(place))


class GetAttachments(Request, kw_only=True):
    """Which attachments of some checkpoints to read."""

    checkpoint_ids: list[UUID]
    prefix: str = ""


# -- keys


class CreateKey(Request, kw_only=True):
    """An API key to make."""

    name: str
    role: str


class KeepKey(Request, kw_only=True):
    """An API key to keep, by the SHA-256 of its token."""

    id: UUID
    name: str
    role: str
    digest: bytes

    @classmethod
    def of(cls, new: NewApiKey) -> "KeepKey":
        return cls(id=new.id, name=new.name, role=new.role.value, digest=new.digest)

    def seam(self, now: int) -> NewApiKey:
        return NewApiKey(
            id=self.id,
            name=checks.owner(self.name, "name"),
            role=checks.role(self.role),
            digest=_sha256(self.digest),
            now=now,
        )


class FindKey(Request, kw_only=True):
    """An API key to look for."""

    digest: bytes

    def seam(self) -> bytes:
        return _sha256(self.digest)


# -- parts


def sendable(revision: int | None) -> int | None:
    """A revision as MessagePack can say it; beyond that there is none that a session could have."""
    return None if revision is None else max(-1, min(revision, limits.MAX_COUNT))


def _texts(bodies: Any) -> list[Json]:
    return [Json(text=body) for body in bodies]


def _text(metadata: bytes | None) -> Json | None:
    return None if metadata is None else Json(text=metadata)


def _object_text(metadata: Json | None) -> bytes | None:
    return checks.session_metadata(None if metadata is None else metadata.value, "metadata")


def _unless_kept(value: T | Keep) -> T | UnsetType:
    return UNSET if value is KEEP else value


def _owner(given: str | UnsetType | None) -> str | Keep | None:
    return checks.kept_or_owner(KEEP if given is UNSET else given)


def _given(value: T | UnsetType, otherwise: T) -> T:
    return otherwise if value is UNSET else value


def _moment(micros: int | None) -> datetime | None:
    return None if micros is None else from_micros(micros)


def _sha256(digest: bytes) -> bytes:
    if len(digest) != _SHA256_BYTES:
        raise InvalidRequestError(f"digest must be the {_SHA256_BYTES} bytes of a SHA-256, not {len(digest):,}")
    return digest


def _micros(moment: datetime | None, name: str) -> int | None:
    return None if moment is None else to_micros(moment, name)


def _place_form(place: Place | None) -> PlaceForm:
    if isinstance(place, Label):
        return LabelForm(label=place.name)
    return None if place is None else "ACTIVE" if place is ACTIVE else str(place)


def _expected_form(expected: UUID | Label | None) -> UUID | LabelForm | None:
    return LabelForm(label=expected.name) if isinstance(expected, Label) else expected


def _expected(form: UUID | LabelForm | None) -> UUID | Label | None:
    return Label(checks.label(form.label, "if_active")) if isinstance(form, LabelForm) else form


def _optional_place(form: PlaceForm, name: str) -> Place | None:
    return None if form is None else _place(form, name)


def _place(form: PlaceForm, name: str) -> Place:
    if form is None:
        raise InvalidRequestError(f"{name} is missing")
    if isinstance(form, LabelForm):
        return checks.place(Label(form.label), name)
    return ACTIVE if form == "ACTIVE" else checks.place(form, name)


def _fingerprint(request: Request, given: bytes | UnsetType | None, id: UUID | None, *parts: UUID) -> bytes | None:
    """What tells one call with the id from another; none where clew made the id."""
    if given is UNSET:
        return None if id is None else request.call(*parts)
    return given


def _common(new: NewCheckpoint) -> dict[str, Any]:
    return {
        "label": new.label, "move": new.move, "attachments": _attachment_forms(new.attachments), "id": new.id,
        "if_active": _expected_form(new.if_active), "activate": new.activate, "created_at": _moment(new.created_at),
        "updated_at": _moment(new.updated_at), "fingerprint": new.fingerprint,
    }  # fmt: skip


def _attachment_forms(items: Any) -> dict[str, AttachmentForm]:
    return {
        item.name: AttachmentForm(data=None if item.data is SAME else bytes(item.data), content_type=item.content_type)
        for item in items
    }


def _attachments(forms: dict[str, AttachmentForm], *, may_be_same: bool) -> list[NewAttachment]:
    given: dict[str, Attachment | Same] = {
        name: SAME if form.data is None else Attachment(form.data, form.content_type) for name, form in forms.items()
    }
    return checks.attachments(given, "attachments", may_be_same=may_be_same)
