"""What every export takes and tells, and what it reads of a store."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import BinaryIO, ClassVar
from uuid import UUID

import msgspec

from clew.archive import Masking
from clew.backend import Report
from clew.errors import InvalidRequestError
from clew.messages import decode_value
from clew.model import CheckpointSummary, Message, SessionSummary
from clew.store import Store

AT_ONCE = 100
"""Messages that are read at once."""


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be exported, and how.

    Without `sessions` all of them, deleted ones too. `checkpoint_id` is one of a single session, its active one by
    default. With `all_branches` what other branches say follows, where a format can show it. Of the result of a tool
    only `result_lines` are written to formats for people, where it is given.
    """

    sessions: list[UUID] | None = None
    checkpoint_id: UUID | None = None
    all_branches: bool = False
    result_lines: int | None = None
    attachments: bool = True
    masking: Masking = msgspec.field(default_factory=Masking)
    progress: Report | None = None


class Exported(msgspec.Struct, frozen=True, kw_only=True):
    """What has been written. `failed` names what is damaged and was left out: what, and why; `notes` what a format
    could not take as it is."""

    format: str
    sessions: int = 0
    checkpoints: int = 0
    messages: int = 0
    attachments: int = 0
    failed: list[tuple[str, str]] = []
    notes: list[str] = []


class Exporter(ABC):
    """Writes one format. `suffix` ends the names of its files."""

    name: ClassVar[str]
    summary: ClassVar[str]
    suffix: ClassVar[str]
    takes_many: ClassVar[bool] = False
    """Whether a file holds several sessions, with all of their checkpoints."""
    is_binary: ClassVar[bool] = False
    is_experimental: ClassVar[bool] = False

    @abstractmethod
    def write(self, store: Store, wanted: Wanted, out: BinaryIO) -> Exported:
        """Write it; NotFoundError where something of what is wanted is not there."""


class Conversation:
    """One conversation of a store on its way out: a session, one of its checkpoints, and the messages of that."""

    def __init__(self, store: Store, wanted: Wanted) -> None:
        if wanted.sessions is None or len(wanted.sessions) != 1:
            raise InvalidRequestError("this format holds one conversation: name one session")
        self.session: SessionSummary = store.get_session_summary(wanted.sessions[0])
        chosen = wanted.checkpoint_id or self.session.active_checkpoint_id
        if chosen is None and self.session.checkpoint_count:
            store.get_session(self.session.id)  # which says so where the active checkpoint is lost
        self.checkpoint: CheckpointSummary | None = None if chosen is None else store.get_checkpoint_summary(chosen)
        if self.checkpoint is not None and self.checkpoint.session_id != self.session.id:
            raise InvalidRequestError(f"checkpoint {chosen} is not of session {self.session.id}")
        self._store = store
        self._masking = wanted.masking
        self._masking.at(self.session.id, None, "the session")
        self.title = self._masking.text(self.session.title)
        self.cwd = None if self.session.cwd is None else self._masking.text(self.session.cwd)

    @property
    def count(self) -> int:
        """How many messages it has."""
        return 0 if self.checkpoint is None else self.checkpoint.message_count

    def messages(self) -> Iterator[Message]:
        """Its messages, masked."""
        if self.checkpoint is not None:
            yield from read_messages(self._store, self.checkpoint, self._masking)


def read_messages(store: Store, checkpoint: CheckpointSummary, masking: Masking, first: int = 0) -> Iterator[Message]:
    """The messages of a checkpoint from number `first` on, masked; some are read at a time."""
    for start in range(first, checkpoint.message_count, AT_ONCE):
        stop = min(start + AT_ONCE, checkpoint.message_count)
        for number, body in enumerate(store._backend.get_messages(checkpoint.id, start, stop), start + 1):
            masking.at(checkpoint.session_id, checkpoint.id, f"message {number}")
            yield decode_value(masking.json(body), checkpoint.id)
