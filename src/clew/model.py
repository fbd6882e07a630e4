"""The values that a user of a store holds. All are frozen; ids are UUIDs, times aware datetimes in UTC."""

import enum
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any, Final, Generic, Literal, NamedTuple, TypeVar
from uuid import UUID

import msgspec

from clew.messages import decode_messages, decode_value, encode_message, encode_metadata, join_bodies

__all__ = [
    "ACTIVE",
    "KEEP",
    "SAME",
    "Active",
    "ApiKey",
    "Attachment",
    "AttachmentInfo",
    "BackendInfo",
    "Checkpoint",
    "CheckpointSummary",
    "Diff",
    "Keep",
    "Label",
    "Message",
    "MigrationStatus",
    "NewKey",
    "Page",
    "Role",
    "Same",
    "SearchHit",
    "Session",
    "SessionStatus",
    "SessionSummary",
    "State",
    "StoredState",
    "Visibility",
]

Message = dict[str, Any]
"""One message: any JSON object; by convention in OpenAI's chat form, with a ``role`` and ``content``."""


class _Default(enum.Enum):
    KEEP = "KEEP"
    ACTIVE = "ACTIVE"
    SAME = "SAME"

    def __repr__(self) -> str:
        return self.name


KEEP: Final = _Default.KEEP
"""Leave it as it is: the parent's metadata in `append`, the stored value in `update_session`."""

ACTIVE: Final = _Default.ACTIVE
"""The session's active checkpoint, whichever it is when the call takes effect."""

SAME: Final = _Default.SAME
"""The attachment that the parent has under this name, without sending its bytes again."""

Keep = Literal[_Default.KEEP]
Active = Literal[_Default.ACTIVE]
Same = Literal[_Default.SAME]


class Label(msgspec.Struct, frozen=True):
    """The checkpoint of the session that has this label, whichever it is when the call takes effect."""

    name: str


class Attachment(bytes):
    """Bytes kept beside a checkpoint: equal to any `bytes` of the same content.

    `content_type` is a media type such as ``image/png``, or None where nobody said.
    """

    _content_type: str | None

    def __new__(cls, data: bytes | bytearray | memoryview = b"", content_type: str | None = None) -> "Attachment":
        self = super().__new__(cls, data)
        self._content_type = content_type
        return self

    @property
    def content_type(self) -> str | None:
        """The media type that came with the bytes."""
        return self._content_type

    def __repr__(self) -> str:
        return f"Attachment({bytes(self)!r}, content_type={self.content_type!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        return Attachment, (bytes(self), self.content_type)


class Visibility(enum.StrEnum):
    """Who may read a session where a server stands before the store."""

    PRIVATE = "PRIVATE"
    PUBLIC = "PUBLIC"


class SessionStatus(enum.StrEnum):
    """A deleted session keeps everything until it is purged."""

    ACTIVE = "ACTIVE"
    DELETED = "DELETED"


class Role(enum.StrEnum):
    """What an API key is good for where a server stands before the store; each can do what those before it can."""

    READ = "read"
    WRITE = "write"
    ADMIN = "admin"


class StoredState(NamedTuple):
    """A state as bytes: the JSON text of each message in order, and of the metadata (None where there is none)."""

    bodies: list[bytes]
    metadata: bytes | None
    checkpoint_id: UUID | None = None


class State(msgspec.Struct, frozen=True, dict=True, eq=False):
    """What a checkpoint holds: the conversation, and whatever its program keeps beside it.

    `messages` is a list of JSON objects, `metadata` any JSON value (by convention an object) or None. A state that
    comes from a store is decoded when `messages` or `metadata` is first touched; `messages_json` gives the bytes
    undecoded. The decoded list is the caller's own: changing it changes nothing stored. What has not been touched yet
    is unset for msgspec's own functions (`to_builtins`, `json.encode`): touch it first.
    """

    messages: list[Message] = []
    metadata: Any = None

    @classmethod
    def deferred(cls, load: Callable[[], StoredState]) -> "State":
        """A state whose bytes `load` brings when they are first needed (for backends)."""
        state = cls()
        # An unset slot sends the first access to __getattr__; the descriptors go round the frozen __setattr__.
        cls.messages.__delete__(state)  # type: ignore[attr-defined]
        cls.metadata.__delete__(state)
        state.__dict__["_load"] = load
        return state

    @classmethod
    def stored(cls, state: StoredState) -> "State":
        """A state over bytes already read, not decoded yet (for backends)."""
        return cls.deferred(lambda: state)

    @property
    def raw(self) -> StoredState:
        """The state as bytes: what is stored, or would be (for backends and comparisons)."""
        found: StoredState | None = self.__dict__.get("_stored_state")
        if found is None:
            load = self.__dict__.get("_load")
            if load is None:
                bodies = [encode_message(message, index) for index, message in enumerate(self.messages)]
                return StoredState(bodies, encode_metadata(self.metadata))
            found = self.__dict__["_stored_state"] = load()
        return found

    def __getattr__(self, name: str) -> Any:
        if name == "messages":
            stored = self.raw
            value: Any = decode_messages(stored.bodies, stored.checkpoint_id)
        elif name == "metadata":
            stored = self.raw
            value = None if stored.metadata is None else decode_value(stored.metadata, stored.checkpoint_id)
        else:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        msgspec.structs.force_setattr(self, name, value)
        return value

    @property
    def messages_json(self) -> bytes:
        """The messages as one JSON array in UTF-8, exactly as stored, without decoding them."""
        return join_bodies(self.raw.bodies)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, State):
            return NotImplemented
        return self.messages == other.messages and self.metadata == other.metadata

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"State(messages={self.messages!r}, metadata={self.metadata!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        return State, (self.messages, self.metadata)

    def __copy__(self) -> "State":
        return State(self.messages, self.metadata)


class Checkpoint(msgspec.Struct, frozen=True, kw_only=True):
    """An immutable state of a session. The checkpoints of a session form a tree through `parent_id`.

    `updated_at` moves with the label and the attachments; the state never changes.
    """

    id: UUID
    session_id: UUID
    parent_id: UUID | None = None
    label: str | None = None
    state: State
    created_at: datetime
    updated_at: datetime


class CheckpointSummary(msgspec.Struct, frozen=True, kw_only=True):
    """A checkpoint without its messages.

    `chain` is the chained hash of its messages (32 hexadecimal digits): the same for the same messages in the same
    order, in every store. `metadata` (the state's) and `attachments` (by name) are there where a list was asked for
    them. `damage` says what of the row cannot be trusted; the list goes on, while `get_checkpoint` raises
    CorruptStateError.
    """

    id: UUID
    session_id: UUID
    parent_id: UUID | None = None
    label: str | None = None
    message_count: int
    chain: str = ""
    created_at: datetime
    updated_at: datetime
    metadata: Any = None
    attachments: dict[str, Attachment] | None = None
    damage: str | None = None


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """That a session has changed, and what it is since: several changes close together are told as the last of them.

    `sequence` is where to go on from (`watch(after=)`). A session that was purged has no `revision`, and not the rest.
    """

    sequence: int
    session_id: UUID
    revision: int | None = None
    updated_at: datetime | None = None
    active_checkpoint_id: UUID | None = None

    @property
    def is_purge(self) -> bool:
        """Whether the session is gone for good."""
        return self.revision is None


class AttachmentInfo(msgspec.Struct, frozen=True, kw_only=True):
    """An attachment of a checkpoint without its bytes; `size` is how many there are.

    `damage` says what of its row cannot be trusted; `get_attachment` raises CorruptStateError for it.
    """

    name: str
    size: int
    content_type: str | None = None
    damage: str | None = None


class _SessionFields(msgspec.Struct, frozen=True, kw_only=True):
    id: UUID
    title: str
    visibility: Visibility = Visibility.PRIVATE
    status: SessionStatus = SessionStatus.ACTIVE
    cwd: str | None = None
    source: str | None = None
    source_id: str | None = None
    parent_session_id: UUID | None = None
    forked_from: UUID | None = None
    metadata: dict[str, Any] | None = None
    revision: int
    created_at: datetime
    updated_at: datetime
    owner: str | None = None


class Session(_SessionFields, frozen=True, kw_only=True):
    """One conversation with its active checkpoint.

    `source` and `source_id` are the name another program knows it by; `parent_session_id` is the session it was spawned
    or forked from and `forked_from` the checkpoint it began as; `metadata` is a JSON object of the session's own;
    `revision` grows by one with every change of the session or its tree; `owner` is whose it is, None where that is
    nobody's business.
    """

    active_checkpoint: Checkpoint | None = None


class SessionSummary(_SessionFields, frozen=True, kw_only=True):
    """A session in a list.

    `message_count` is that of the active checkpoint; `last_message_at` is the time of the newest checkpoint that
    brought messages, None while there is none. `damage` says what of the row cannot be read; the list goes on with a
    stand-in for it, while `get_session` raises CorruptStateError.
    """

    message_count: int
    checkpoint_count: int
    active_checkpoint_id: UUID | None = None
    last_message_at: datetime | None = None
    damage: str | None = None


class SearchHit(msgspec.Struct, frozen=True, kw_only=True):
    """A message that a search found, and where it stands.

    It is shown in the session that wrote it, or, where that is not searched, in the oldest of its forks and copies that
    has it; `checkpoint_id` is the first checkpoint there that has it, `created_at` is of that, and `position` counts
    the messages before it. `tool` is the tool that it calls or answers. `snippet` is the part of its text where the
    words stand, in one line, and each of `marks` is from where to where in it. The greater the `score`, the better it
    fits; only scores of one search can be compared. `damage` says what cannot be trusted, None where all is well.
    """

    session_id: UUID
    title: str
    cwd: str | None
    source: str | None
    checkpoint_id: UUID
    created_at: datetime
    position: int
    role: str
    tool: str | None
    snippet: str
    marks: list[tuple[int, int]]
    score: float
    damage: str | None = None


class ApiKey(msgspec.Struct, frozen=True, kw_only=True):
    """A key that a server lets in, without its token, which only `create_key` ever returns.

    `name` is whose it is: the owner of the sessions that it creates. `last_used_at` is true to a minute. `damage` says
    what of its row cannot be trusted; such a key lets nobody in.
    """

    id: UUID
    name: str
    role: Role
    created_at: datetime
    last_used_at: datetime | None = None
    revoked_at: datetime | None = None
    damage: str | None = None


class NewKey(msgspec.Struct, frozen=True, kw_only=True):
    """A key that has just been made, with its token. The token is kept nowhere: whoever loses it makes another key."""

    key: ApiKey
    token: str

    def __repr__(self) -> str:
        return f"NewKey(key={self.key!r}, token=...)"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return [("key", self.key)]


T = TypeVar("T")


class Page(msgspec.Struct, Generic[T], frozen=True):
    """A part of a list: the items, how many there are without the limit (None where nobody counted), and where the next
    page begins (None on the last)."""

    items: list[T]
    total: int | None = None
    next_cursor: str | None = None

    def __iter__(self) -> Iterator[T]:
        return iter(self.items)

    def __len__(self) -> int:
        return len(self.items)


class Diff(msgspec.Struct, frozen=True, kw_only=True):
    """How two checkpoints differ.

    `common` messages at the start are the same in both; `only_a` and `only_b` are what each has after them;
    `ancestor_id` is the nearest checkpoint that both descend from (itself included), across forks too, None where there
    is none;
    `metadata_a` and `metadata_b` are the metadata of each, and `metadata_changed` says whether they differ.
    """

    checkpoint_a: UUID
    checkpoint_b: UUID
    common: int
    only_a: list[Message]
    only_b: list[Message]
    ancestor_id: UUID | None = None
    metadata_a: Any = None
    metadata_b: Any = None
    metadata_changed: bool = False


class BackendInfo(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Where a store keeps its data, without secrets: `kind` is ``local``, ``postgresql`` or ``http``."""

    kind: str
    profile: str | None = None
    endpoint: str | None = None
    store_path: str | None = None


class MigrationStatus(msgspec.Struct, frozen=True, kw_only=True):
    """The schema of a store: the versions applied to it and those that this release knows and are not."""

    current: int
    latest: int
    applied: list[int]
    pending: list[int]
