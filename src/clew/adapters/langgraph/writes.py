"""Pending writes: what tasks have written that no checkpoint has yet.

A task that hands over a whole list writes again what its checkpoint has of it already. Of such a list only the rest is
kept: it goes when the checkpoint goes, and until then that has all its items.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from langgraph.checkpoint.base import WRITES_IDX_MAP, writes_sort_key

from clew import CorruptStateError
from clew.adapters.langgraph.names import WRITE, write_name
from clew.adapters.langgraph.values import Values

LONG = 16
"""From how many items on a list waits for its checkpoint."""

Kept = Callable[[str, list[Any]], int]
"""How many items at the beginning of a list the checkpoint has of that channel."""


class Write(NamedTuple):
    """One of them, with its value still as bytes."""

    path: str
    task: str
    place: int
    channel: str
    body: bytes
    kept: int = 0
    """How many items of the checkpoint's list come before those of the body."""


def dumped(
    writes: Sequence[tuple[str, Any]], task: str, path: str, values: Values, kept: Kept | None
) -> dict[str, bytes]:
    """The attachments of a task's writes. Those that say how a task went have one place each, whatever else is written.

    An exception is kept as its text, as other savers do: it is for people, and its class may run code. Lists are whole
    where there is no `kept`.
    """
    found = {}
    for place, (channel, value) in enumerate(writes):
        index = WRITES_IDX_MAP.get(channel, place)
        shown = repr(value) if isinstance(value, BaseException) else value
        count = kept(channel, shown) if kept is not None and type(shown) is list and shown else 0
        write = Write(path, task, index, channel, b"", count)
        found[write_name(task, index)] = _dump(write, shown[count:] if count else shown, values)
    return found


def shortened(items: Mapping[str, bytes], values: Values, counts: Mapping[str, int]) -> dict[str, bytes]:
    """Writes that are whole, without so many items at the beginning of each, which the checkpoint has by now."""
    found = dict(items)
    for name in filter(counts.get, items):
        write, count = _load(items[name]), counts[name]
        rest = values.loads(write.body)[count:]
        found[name] = _dump(write._replace(kept=count), rest, values)
    return found


def long_lists(writes: Sequence[tuple[str, Any]], task: str) -> dict[str, tuple[str, list[Any]]]:
    """The lists of which the checkpoint may have much: the names of their writes, their channels, and they."""
    return {
        write_name(task, place): (channel, value)
        for place, (channel, value) in enumerate(writes)
        if type(value) is list and len(value) >= LONG and channel not in WRITES_IDX_MAP
    }


def channel_of(body: bytes) -> str:
    """The channel of a write."""
    return _load(body).channel


def are_special(writes: Sequence[tuple[str, Any]]) -> bool:
    """Whether all say how a task went: the last ones hold."""
    return all(channel in WRITES_IDX_MAP for channel, _ in writes)


def loaded(attachments: Mapping[str, bytes]) -> list[Write]:
    """The writes among attachments, in the order in which a graph applies them."""
    found = [_load(body) for name, body in attachments.items() if name.startswith(WRITE)]
    return sorted(found, key=lambda write: writes_sort_key(write.path, write.task, write.place))


def value_of(write: Write, values: Values, held: Any) -> Any:
    """What was written; `held` is what the checkpoint has of the channel."""
    value = values.loads(write.body)
    if not write.kept:
        return value
    if type(value) is not list or type(held) is not list or len(held) < write.kept:
        raise CorruptStateError(f"a write to the channel {write.channel!r} goes on from a list that is not there")
    return held[: write.kept] + value


def _dump(write: Write, value: Any, values: Values) -> bytes:
    said = json.dumps([write.path, write.task, write.place, write.channel, *([write.kept] if write.kept else [])])
    return said.encode() + b"\n" + values.dumps(value, f"what is written to {write.channel!r}")


def _load(body: bytes) -> Write:
    said, _, value = bytes(body).partition(b"\n")
    try:
        path, task, place, channel, *kept = json.loads(said)
    except (ValueError, TypeError) as error:
        raise CorruptStateError("a pending write of LangGraph cannot be read") from error
    return Write(path, task, place, channel, value, *kept)
