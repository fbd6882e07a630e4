"""What of a checkpoint of LangGraph is new, ready to be written.

A channel is kept in one of three ways. A short value is part of the envelope. A list is shared, which means that its
items are messages of the session, if all of them are chat messages, or if it begins with all items that its parent's
had, at least one, and has more; it stays shared for as long as its first item stays. Everything else is an attachment:
so is a list that never grew, and one that was replaced, until it grows again.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from clew import SAME, Message, NotFoundError, Store
from clew.adapters.langgraph.envelopes import Envelope, is_short
from clew.adapters.langgraph.forms import are_messages
from clew.adapters.langgraph.layouts import Key, Layout
from clew.adapters.langgraph.memory import Memory
from clew.adapters.langgraph.names import ENVELOPE, METADATA, name_of
from clew.adapters.langgraph.reading import Reader
from clew.adapters.langgraph.values import plain_json

_IN_CLEAR = ("source", "step", "run_id")
"""Of the metadata, what can be asked for although the rest is sealed."""


class Part(NamedTuple):
    """What of a shared list is written."""

    items: list[Any]
    kept: int
    forms: list[Message]
    bodies: list[bytes]
    again: int
    """How many of `forms` the parent has too: they are written again as something before them has changed."""


class Given(NamedTuple):
    """What LangGraph gives."""

    checkpoint: Mapping[str, Any]
    metadata: dict[str, Any]
    new_versions: Mapping[str, Any]
    suspects: list[Any]

    @property
    def versions(self) -> dict[str, Any]:
        """The versions of the channels."""
        return self.checkpoint.get("channel_versions") or {}

    @property
    def values(self) -> dict[str, Any]:
        """What the channels hold."""
        held: dict[str, Any] = self.checkpoint["channel_values"]
        return held

    def same_as(self, parent: Layout | None) -> set[str]:
        """The channels that are as the parent has them, by what LangGraph says."""
        if parent is None:
            return set()
        return {
            channel
            for channel in self.values
            if channel not in self.new_versions
            and channel in self.versions
            and parent.versions.get(channel) == self.versions[channel]
        }

    def goes_on_from(self, parent: Layout) -> bool:
        """Whether a graph goes on within a run, so that nobody but its nodes has had the items."""
        step = self.metadata.get("step")
        return self.metadata.get("source") == "loop" and type(step) is int and parent.step == step - 1


class Attached(NamedTuple):
    """The channels that are attachments."""

    bodies: dict[str, Any]
    marks: dict[str, list[Any]]


class Prepared(NamedTuple):
    """A checkpoint, ready to be written."""

    label: str
    parent_key: Key | None
    parent: Layout | None
    kept: int
    parts: dict[str, Part]
    attached: Attached
    attachments: dict[str, Any]
    metadata: dict[str, Any]

    @property
    def new(self) -> list[tuple[str, Message]]:
        """The new messages of the session, each with its channel: those that are written again, then the others.

        What has changed will most likely change again. Behind it nothing may lie that would then be written once more.
        """
        again = [(name, form) for name, part in self.parts.items() for form in part.forms[: part.again]]
        return again + [(name, form) for name, part in self.parts.items() for form in part.forms[part.again :]]

    @property
    def messages(self) -> list[Message]:
        """The new messages of the session."""
        return [form for _, form in self.new]

    @property
    def begins(self) -> bool:
        """Whether a list begins that the parent does not share."""
        before = frozenset() if self.parent is None else self.parent.lists
        return not before.issuperset(self.parts)


class Preparer:
    """Prepares for one serializer."""

    def __init__(self, memory: Memory, reader: Reader) -> None:
        self._memory = memory
        self._reader = reader
        self._values = reader.values
        self._messages = reader.messages

    def prepared(self, store: Store, parent_key: Key | None, given: Given) -> Prepared:
        """The checkpoint that goes on from this parent, or begins a branch. UnkeepableError for what would change."""
        parent = None if parent_key is None else self._layout(store, parent_key)
        values, same = given.values, given.same_as(parent)
        alike = {} if parent is None or parent_key is None else self._alike(store, parent_key, parent, given, same)
        lists = [name for name, held in values.items() if self._is_shared(name, held, alike.get(name, 0), parent, same)]
        # A list that was changed goes last, so that the next time nothing else comes after it.
        edited = {name for name in lists if parent is not None and alike.get(name, 0) < parent.count_of(name)}
        count, kept = (0, {}) if parent is None else parent.prefix({name: alike.get(name, 0) for name in lists})
        in_order = sorted(lists, key=edited.__contains__)
        parts = {name: self._part(name, values[name], kept.get(name, 0), alike.get(name, 0)) for name in in_order}
        short = {name: held for name, held in values.items() if name not in parts and is_short(held)}
        others = {name: held for name, held in values.items() if name not in parts and name not in short}
        attached = self._attached(others, parent, same)
        envelope = Envelope(
            checkpoint={name: held for name, held in given.checkpoint.items() if name != "channel_values"},
            order=list(values), inline=short, lists=lists,
            parent=None if parent_key is None else parent_key[1],
            parent_id=None if parent is None else str(parent.id),
            kept=count, marks=attached.marks,
        )  # fmt: skip
        attachments = {ENVELOPE: envelope.dumps(self._values)}
        attachments.update((name_of(name), body) for name, body in attached.bodies.items())
        metadata = self._filterable(given.metadata)
        if metadata.keys() != given.metadata.keys():
            attachments[METADATA] = self._values.dumps(given.metadata, "the metadata")
        label = given.checkpoint["id"]
        return Prepared(label, parent_key, parent, count, parts, attached, attachments, metadata)

    def _layout(self, store: Store, key: Key) -> Layout:
        """How the parent is laid out: read where this process does not know it."""
        layout = self._memory.layouts.get(key)
        if layout is None:
            self._reader.find(store, *key)
            layout = self._memory.layouts.get(key)
        if layout is None:
            raise NotFoundError(f"no checkpoint {key[1]!r:.80}")
        return layout

    def _alike(self, store: Store, key: Key, parent: Layout, given: Given, same: set[str]) -> dict[str, int]:
        """How many items of each list that the parent shares are as the parent has them."""
        alike, thorough = {}, not given.goes_on_from(parent)
        for channel in parent.lists & given.values.keys():
            items = given.values[channel]
            if channel in same:
                alike[channel] = parent.count_of(channel)
            elif type(items) is list:
                alike[channel] = self._unchanged(store, (*key, channel), items, thorough, given.suspects)
        return alike

    def _unchanged(
        self, store: Store, key: tuple[Any, str, str], items: list[Any], thorough: bool, suspects: Sequence[Any]
    ) -> int:
        session, label, channel = key
        encode = self._messages.encode(channel)
        count = self._memory.known.unchanged(key, items, encode, thorough=thorough, suspects=suspects)
        if count is not None:
            return count
        _, lists = self._reader.find(store, session, label)
        count = self._memory.known.unchanged(key, items, encode, thorough=True)
        if count is not None:
            return count
        stored = map(encode, lists[channel])  # more than may be remembered
        return next(
            (place for place, (body, item) in enumerate(zip(stored, items, strict=False)) if encode(item) != body),
            min(len(items), len(lists[channel])),
        )

    def _is_shared(self, channel: str, held: Any, kept: int, parent: Layout | None, same: set[str]) -> bool:
        """The rule of this module, for one channel of which `kept` items are shared already."""
        if type(held) is not list or not held:
            return False
        if kept or are_messages(held):
            return True
        return parent is not None and channel not in same and self._has_grown(channel, held, parent.marks.get(channel))

    def _has_grown(self, channel: str, items: list[Any], mark: list[Any] | None) -> bool:
        count = 0 if mark is None else mark[0]
        return 0 < count < len(items) and self._messages.mark(items[:count], _said(channel)) == mark

    def _part(self, channel: str, items: list[Any], kept: int, alike: int) -> Part:
        forms, bodies = self._messages.stored(items[kept:], channel)
        return Part(items, kept, forms, bodies, alike - kept)

    def _attached(self, held: dict[str, Any], parent: Layout | None, same: set[str]) -> Attached:
        attached = Attached({}, {})
        for channel, value in held.items():
            if parent is not None and channel in same and channel in parent.attached:
                attached.bodies[channel] = SAME
                mark = parent.marks.get(channel)
            else:
                attached.bodies[channel] = body = self._values.dumps(value, _said(channel))
                is_list = type(value) is list and len(value) > 0
                mark = self._messages.mark(value, _said(channel), body) if is_list else None
            if mark is not None:
                attached.marks[channel] = mark
        return attached

    def _filterable(self, metadata: dict[str, Any]) -> dict[str, Any]:
        """What of the metadata the store may see, as JSON."""
        names = metadata.keys() if self._values.is_open else _IN_CLEAR
        return {name: metadata[name] for name in names if name in metadata and plain_json({name: metadata[name]})}


def _said(channel: str) -> str:
    """What errors call it."""
    return f"the channel {channel!r}"
