"""What of a checkpoint of LangGraph is kept beside its messages: what it is made of, and from what it came."""

from collections.abc import Mapping
from typing import Any, NamedTuple
from uuid import UUID

from clew import CorruptStateError
from clew.adapters.langgraph.names import ENVELOPE
from clew.adapters.langgraph.values import Values, is_plain

INLINE_CHARS = 64
"""Up to how long a value is kept in the envelope, instead of an attachment of its own."""


class Envelope(NamedTuple):
    """A checkpoint without what its large channels hold."""

    checkpoint: dict[str, Any]
    """LangGraph's, without `channel_values`."""
    order: list[str]
    """The channels that have a value, in LangGraph's order."""
    inline: dict[str, Any]
    """The values that are short."""
    lists: list[str]
    """The channels whose items are messages of the session, be they messages of LangChain or anything else."""
    parent: str | None
    """LangGraph's id of the parent."""
    parent_id: str | None
    """The store's id of it when this was written: in a copy the parent has another."""
    kept: int
    """How many of the parent's messages this one begins with."""
    marks: dict[str, list[Any]] | None = None
    """Of the channels that are attachments and hold a list: how many items it has, and what tells these from others.
    None where it was written before there were any."""

    def dumps(self, values: Values) -> bytes:
        """The bytes to keep."""
        return values.dumps(self._asdict(), "the checkpoint")


def load(attachments: Mapping[str, bytes], values: Values, id: UUID) -> Envelope:
    """The envelope of a checkpoint of the store."""
    body = attachments.get(ENVELOPE)
    if body is None:
        raise CorruptStateError("the checkpoint lacks what LangGraph's saver keeps beside it", id)
    try:
        return Envelope(**values.loads(body))
    except TypeError as error:
        raise CorruptStateError("what LangGraph's saver keeps beside the checkpoint is damaged", id) from error


def is_short(value: Any) -> bool:
    """Whether a value is kept in the envelope."""
    if value is None or type(value) in (bool, int, float):
        return is_plain(value) and len(repr(value)) <= INLINE_CHARS
    return type(value) is str and len(value) <= INLINE_CHARS and value.isprintable()
