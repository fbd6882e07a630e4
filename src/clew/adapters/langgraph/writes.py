"""Pending writes: what tasks have written that no checkpoint has yet."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from langgraph.checkpoint.base import WRITES_IDX_MAP, writes_sort_key

from clew import CorruptStateError
from clew.adapters.langgraph.names import WRITE, write_name
from clew.adapters.langgraph.values import Values


class Write(NamedTuple):
    """One of them, with its value still as bytes."""

    path: str
    task: str
    place: int
    channel: str
    body: bytes


def dumped(writes: Sequence[tuple[str, Any]], task: str, path: str, values: Values) -> dict[str, bytes]:
    """The attachments of a task's writes. Those that say how a task went have one place each, whatever else is written.

    An exception is kept as its text, as other savers do: it is for people, and its class may run code.
    """
    found = {}
    for place, (channel, value) in enumerate(writes):
        index = WRITES_IDX_MAP.get(channel, place)
        shown = repr(value) if isinstance(value, BaseException) else value
        said = json.dumps([path, task, index, channel]).encode()
        found[write_name(task, index)] = said + b"\n" + values.dumps(shown, f"what is written to {channel!r}")
    return found


def are_special(writes: Sequence[tuple[str, Any]]) -> bool:
    """Whether all say how a task went: the last ones hold."""
    return all(channel in WRITES_IDX_MAP for channel, _ in writes)


def loaded(attachments: Mapping[str, bytes]) -> list[Write]:
    """The writes among attachments, in the order in which a graph applies them."""
    found = [_load(body) for name, body in attachments.items() if name.startswith(WRITE)]
    return sorted(found, key=lambda write: writes_sort_key(write.path, write.task, write.place))


def _load(body: bytes) -> Write:
    said, _, value = bytes(body).partition(b"\n")
    try:
        path, task, place, channel = json.loads(said)
    except (ValueError, TypeError) as error:
        raise CorruptStateError("a pending write of LangGraph cannot be read") from error
    return Write(path, task, place, channel, value)
