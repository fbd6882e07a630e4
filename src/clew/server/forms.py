"""How answers show what is stored: for the agent's strict reader, as it is, or without states.

The names and the order of keys are those of `clew.wire`. Messages and metadata go out as the bytes that are stored.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal
from uuid import UUID

import msgspec

from clew import wire
from clew.backend import Changes
from clew.conversation.strict import strict_messages, strict_value
from clew.messages import encode_messages, encode_metadata
from clew.model import (
    Attachment,
    Checkpoint,
    CheckpointSummary,
    Diff,
    Page,
    Session,
    SessionSummary,
    State,
    StoredState,
)
from clew.protocol.codec import Bodies, Json

FormName = Literal["strict", "stored", "bare"]
"""`strict` is what the agent's reader takes, `stored` what is there, `bare` the same without states."""

Form = dict[str, Any]


class Forms:
    """The forms of one kind of answer."""

    def __init__(self, *, strict: bool = False, states: bool = True) -> None:
        self._strict = strict
        self._states = states

    def session(self, value: Session) -> Form:
        """A session with its active checkpoint."""
        active = value.active_checkpoint
        return {
            **wire.session(msgspec.structs.replace(value, active_checkpoint=None, metadata=None)),
            "active_checkpoint": None if active is None else self.checkpoint(active),
            "metadata": self._value(value.metadata),
        }

    def checkpoint(self, value: Checkpoint) -> Form:
        """A checkpoint with its state, unless the form has none."""
        form = wire.checkpoint(msgspec.structs.replace(value, state=State()))
        if self._states:
            form["state"] = self._state(value.state.raw)
        else:
            del form["state"]
        return form

    def created(self, value: Session) -> Form:
        """A session that has just been created."""
        active = value.active_checkpoint
        root = None if active is None else self.checkpoint(active)
        return {
            "session_id": str(value.id),
            "checkpoint": root,
            "session": {
                **BARE.session(value),
                "active_checkpoint": None if active is None else BARE.checkpoint(active),
            },
        }

    def sessions(self, page: Page[SessionSummary]) -> Form:
        """A page of sessions: for the strict reader only those that it could show."""
        items = [item for item in page if not self._strict or (item.damage is None and item.active_checkpoint_id)]
        return {"sessions": [self.session_summary(item) for item in items], **_rest(page)}

    def session_summary(self, value: SessionSummary) -> Form:
        """A session as lists show it."""
        form = wire.session_summary(msgspec.structs.replace(value, metadata=None))
        return {**form, "metadata": self._value(value.metadata)}

    def checkpoint_summary(self, value: CheckpointSummary) -> Form:
        """A checkpoint without its messages, with what the list was asked for."""
        form = {**wire.checkpoint_summary(value), "chain": value.chain}
        if value.metadata is not None:
            form["metadata"] = self._value(value.metadata)
        if value.attachments is not None:
            form["attachments"] = attachments(value.attachments)
        return form

    def checkpoints(self, items: Sequence[CheckpointSummary]) -> Form:
        """All checkpoints of a kind."""
        return {"checkpoints": [self.checkpoint_summary(item) for item in items]}

    def checkpoint_page(self, page: Page[CheckpointSummary]) -> Form:
        """A page of checkpoints."""
        return {**self.checkpoints(page.items), **_rest(page)}

    def messages(self, bodies: Sequence[bytes]) -> Bodies:
        """Messages alone."""
        return Bodies(strict_messages(bodies) if self._strict else bodies)

    def diff(self, value: Diff) -> Form:
        """How two checkpoints differ."""
        return {
            **wire.diff(value),
            "only_a": self.messages(encode_messages(value.only_a)),
            "only_b": self.messages(encode_messages(value.only_b)),
            "metadata_a": self._value(value.metadata_a),
            "metadata_b": self._value(value.metadata_b),
        }

    def _state(self, state: StoredState) -> Form:
        form: Form = {"messages": self.messages(state.bodies)}
        if state.metadata is not None:
            form["metadata"] = self._text(state.metadata)
        return form

    def _value(self, value: Any) -> Json | None:
        """A decoded value as JSON text: it may hold what no encoder but clew's writes, such as half a character."""
        text = encode_metadata(value, "value")
        return None if text is None else self._text(text)

    def _text(self, text: bytes) -> Json:
        return Json(text=strict_value(text) if self._strict else text)


def attachments(items: Mapping[str, Attachment]) -> Form:
    """Attachments with their bytes, by name."""
    return {name: {"data": bytes(item), "content_type": item.content_type} for name, item in items.items()}


def attachments_by_checkpoint(found: Mapping[UUID, Mapping[str, Attachment]]) -> Form:
    """The attachments of some checkpoints, by checkpoint and name."""
    return {"attachments": {str(id): attachments(items) for id, items in found.items()}}


def changes(found: Changes) -> Form:
    """Changes, and where to go on."""
    return {"changes": found.items, "decided": found.decided, "more": found.more}


def _rest(page: Page[Any]) -> Form:
    return {"total": page.total, "next_cursor": page.next_cursor}


STORED = Forms()
BARE = Forms(states=False)
BY_NAME: dict[FormName, Forms] = {"strict": Forms(strict=True), "stored": STORED, "bare": BARE}
