"""Checkpoints of LangGraph into the store: what is new of each, and nothing else."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple
from uuid import UUID

from langgraph.checkpoint.base import EXCLUDED_METADATA_KEYS

from clew import SAME, Checkpoint, ConflictError, Message, NotFoundError, Session, Store
from clew.adapters.by_name import one_line, settled, title_of
from clew.adapters.langgraph.differences import difference
from clew.adapters.langgraph.envelopes import Envelope, is_short, name_of
from clew.adapters.langgraph.layouts import Key, Layout, channels_of
from clew.adapters.langgraph.memory import Memory
from clew.adapters.langgraph.messages import are_messages
from clew.adapters.langgraph.names import ENVELOPE, METADATA, SOURCE, Place
from clew.adapters.langgraph.reading import Reader
from clew.adapters.langgraph.values import plain_json
from clew.adapters.langgraph.writes import are_special, dumped

_IN_CLEAR = ("source", "step", "run_id")
"""Of the metadata, what can be asked for although the rest is sealed."""


class Part(NamedTuple):
    """What of a list channel is written."""

    items: list[Any]
    kept: int
    forms: list[Message]
    bodies: list[bytes]


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

    def is_same(self, channel: str, parent: Layout) -> bool:
        """Whether a channel is as the parent has it, by what LangGraph says."""
        if channel in self.new_versions or channel not in self.versions:
            return False
        return bool(parent.versions.get(channel) == self.versions[channel])


class Prepared(NamedTuple):
    """A checkpoint, ready to be written."""

    label: str
    parent_key: Key | None
    parent: Layout | None
    kept: int
    parts: dict[str, Part]
    attached: frozenset[str]
    attachments: dict[str, Any]
    metadata: dict[str, Any]

    @property
    def messages(self) -> list[Message]:
        """The new messages of the session, those of one channel after those of another."""
        return [form for part in self.parts.values() for form in part.forms]


class Writer:
    """Writes through one serializer."""

    def __init__(self, memory: Memory, reader: Reader) -> None:
        self._memory = memory
        self._reader = reader
        self._values = reader.values
        self._messages = reader.messages

    def put(
        self,
        store: Store,
        place: Place,
        checkpoint: Mapping[str, Any],
        metadata: dict[str, Any],
        new_versions: Mapping[str, Any],
    ) -> None:
        """Write a checkpoint after the one that `place` names, or as the first of a branch."""
        given = Given(checkpoint, metadata, new_versions, self._memory.suspects(place.source_id))
        if place.checkpoint is None:
            first = self._prepared(store, None, given)
            ensured(store, self._memory, place, lambda session: self._write(store, session, place, first, given))
            return

        def write(session: UUID) -> bool:
            prepared = self._prepared(store, (session, place.checkpoint or ""), given)
            self._write(store, session, place, prepared, given)
            return True

        if not self._memory.names.look(store, place.source_id, write, False):
            raise NotFoundError(f"the thread {place.thread!r:.80} has no checkpoint {place.checkpoint!r:.80}")

    def put_writes(self, store: Store, place: Place, writes: Sequence[tuple[str, Any]], task: str, path: str) -> None:
        """Keep what a task has written for the checkpoint that `place` names, which may come later."""
        self._memory.suspect(place.source_id, (value for _, value in writes))
        label = place.checkpoint or ""
        items = dumped(writes, task, path, self._values)
        if not items:
            return

        def write(session: UUID) -> bool:
            store.attach(session, items, label=label, on_conflict="replace" if are_special(writes) else "keep")
            return True

        if self._memory.names.look(store, place.source_id, write, False):
            return
        if self._memory.was_deleted(place.thread, label):
            raise NotFoundError(f"the thread {place.thread!r:.80} was deleted")
        ensured(store, self._memory, place, write)

    def _write(self, store: Store, session: UUID, place: Place, prepared: Prepared, given: Given) -> None:
        try:
            written = _append(store, session, prepared)
        except ConflictError:
            self._check_same(store, session, place.checkpoint, given.checkpoint)
            return
        self._remember(session, prepared, given, written)
        if prepared.messages and not prepared.kept:
            self._title(store, session, place, prepared)

    def _prepared(self, store: Store, parent_key: Key | None, given: Given) -> Prepared:
        parent = None if parent_key is None else self._layout(store, parent_key)
        values = given.checkpoint["channel_values"]
        same = set() if parent is None else {channel for channel in values if given.is_same(channel, parent)}
        kept = {}
        if parent is not None and parent_key is not None:
            thorough = not _goes_on(given.metadata, parent)
            for channel in parent.lists & values.keys():
                items = values[channel]
                if channel in same:
                    kept[channel] = parent.count_of(channel)
                elif type(items) is list:
                    kept[channel] = self._unchanged(store, parent_key, channel, items, thorough, given.suspects)
        lists = [
            channel
            for channel, items in values.items()
            if type(items) is list and items and are_messages(items[kept.get(channel, 0) :])
        ]
        kept = {channel: kept.get(channel, 0) for channel in lists}
        # What is written again goes last, so that the next time nothing else comes after it.
        edited = {channel for channel in lists if parent is not None and kept[channel] < parent.count_of(channel)}
        count, kept = (0, {}) if parent is None else parent.prefix(kept)
        short = {channel: item for channel, item in values.items() if channel not in lists and is_short(item)}
        attached = frozenset(values.keys() - lists - short.keys())
        envelope = Envelope(
            checkpoint={name: held for name, held in given.checkpoint.items() if name != "channel_values"},
            order=list(values), inline=short, lists=lists,
            parent=None if parent_key is None else parent_key[1],
            parent_id=None if parent is None else str(parent.id),
            kept=count,
        )  # fmt: skip
        attachments: dict[str, Any] = {ENVELOPE: envelope.dumps(self._values)}
        for channel in attached:
            keeps = parent is not None and channel in same and channel in parent.attached
            said = f"the channel {channel!r}"
            attachments[name_of(channel)] = SAME if keeps else self._values.dumps(values[channel], said)
        filterable = self._filterable(given.metadata)
        if filterable.keys() != given.metadata.keys():
            attachments[METADATA] = self._values.dumps(given.metadata, "the metadata")
        in_order = sorted(lists, key=edited.__contains__)
        parts = {channel: self._part(channel, values[channel], kept.get(channel, 0)) for channel in in_order}
        return Prepared(given.checkpoint["id"], parent_key, parent, count, parts, attached, attachments, filterable)

    def _part(self, channel: str, items: list[Any], kept: int) -> Part:
        forms, bodies = self._messages.stored(items[kept:], channel)
        return Part(items, kept, forms, bodies)

    def _layout(self, store: Store, key: Key) -> Layout:
        """How the parent is laid out: read where this process does not know it."""
        layout = self._memory.layouts.get(key)
        if layout is None:
            self._reader.find(store, *key)
            layout = self._memory.layouts.get(key)
        if layout is None:
            raise NotFoundError(f"no checkpoint {key[1]!r:.80}")
        return layout

    def _unchanged(
        self, store: Store, key: Key, channel: str, items: list[Any], thorough: bool, suspects: list[Any]
    ) -> int:
        """How many items are as the parent has them."""
        encode = self._messages.encode(channel)
        known = (*key, channel)
        count = self._memory.known.unchanged(known, items, encode, thorough=thorough, suspects=suspects)
        if count is not None:
            return count
        _, lists = self._reader.find(store, *key)
        count = self._memory.known.unchanged(known, items, encode, thorough=True)
        if count is not None:
            return count
        stored = map(encode, lists[channel])  # more than may be remembered
        return next(
            (place for place, (body, item) in enumerate(zip(stored, items, strict=False)) if encode(item) != body),
            min(len(items), len(lists[channel])),
        )

    def _filterable(self, metadata: dict[str, Any]) -> dict[str, Any]:
        """What of the metadata the store may see, as JSON."""
        names = metadata.keys() if self._values.is_open else _IN_CLEAR
        return {name: metadata[name] for name in names if name in metadata and plain_json({name: metadata[name]})}

    def _check_same(self, store: Store, session: UUID, parent: str | None, checkpoint: Mapping[str, Any]) -> None:
        """Somebody has written this checkpoint: a repeated call is fine, another checkpoint of this id is not."""
        row, lists = self._reader.find(store, session, checkpoint["id"])
        stored = self._reader.tuple_of(Place("", "", None), row, lists, None, {}).checkpoint
        told = self._reader.parent(store, row)
        if told != parent or difference(dict(sorted(checkpoint.items())), dict(sorted(stored.items()))):
            raise ConflictError(f"there is another checkpoint {checkpoint['id']!r:.80} in this thread")

    def _remember(self, session: UUID, prepared: Prepared, given: Given, written: Checkpoint) -> None:
        key = (session, prepared.label)
        for channel, part in prepared.parts.items():
            before = ((*prepared.parent_key, channel), part.kept) if prepared.parent_key and part.kept else None
            self._memory.known.remember((*key, channel), part.items, part.bodies, after=before)
        count = prepared.kept + sum(len(part.forms) for part in prepared.parts.values())
        self._memory.layouts.remember(
            key,
            Layout(
                written.id, dict(given.versions), prepared.attached, frozenset(prepared.parts), _channels(prepared),
                count, given.metadata.get("step"),
            ),
        )  # fmt: skip

    def _title(self, store: Store, session: UUID, place: Place, prepared: Prepared) -> None:
        """The first messages of a thread give it its title, where nobody has given it another one."""
        if not self._values.is_open or place.namespace:
            return
        said = title_of(prepared.messages, "")
        if not said:
            return

        def attempt() -> None:
            summary = store.get_session_summary(session)
            if summary.title == one_line(place.thread):
                store.update_session(session, title=said, if_revision=summary.revision)

        settled(attempt)  # tasks of the same step may be writing


def ensured(store: Store, memory: Memory, place: Place, write: Callable[[UUID], object]) -> None:
    """`write` in the session of a namespace, which is made where there is none."""

    def make(id: UUID) -> Session:
        parent = None
        if place.namespace:
            root = Place(place.thread, "", None)
            found: list[UUID] = []
            ensured(store, memory, root, found.append)
            parent = found[0]
        session = store.ensure_session(
            SOURCE,
            place.source_id,
            one_line(place.namespace or place.thread),
            parent_session_id=parent,
            session_metadata={"thread_id": place.thread, "checkpoint_ns": place.namespace},
            id=id,
        )
        if session.id == id:
            write(id)
        return session

    memory.names.change(store, place.source_id, write, make)


def merged(config: Any, metadata: Mapping[str, Any]) -> dict[str, Any]:
    """The metadata of a checkpoint with what the run's configuration says of itself, by LangGraph's rule."""
    found = dict(metadata)
    for said in (config.get("metadata"), config.get("configurable")):
        for name, value in (said or {}).items():
            is_said = name in found or name in EXCLUDED_METADATA_KEYS or name.startswith("__")
            if not is_said and isinstance(value, str | int | bool | float):
                found[name] = value
    return found


def _append(store: Store, session: UUID, prepared: Prepared) -> Checkpoint:
    if prepared.parent is None:
        return store.create_checkpoint(
            session, prepared.messages, metadata=prepared.metadata, label=prepared.label,
            attachments=prepared.attachments,
        )  # fmt: skip
    after = None if prepared.kept == prepared.parent.length else prepared.kept
    return store.append(
        session, prepared.messages, metadata=prepared.metadata, parent_id=prepared.parent.id, after=after,
        label=prepared.label, attachments=prepared.attachments,
    )  # fmt: skip


def _goes_on(metadata: dict[str, Any], parent: Layout) -> bool:
    """Whether a graph goes on within a run, so that nobody but its nodes has had the messages."""
    step = metadata.get("step")
    return metadata.get("source") == "loop" and type(step) is int and parent.step == step - 1


def _channels(prepared: Prepared) -> Sequence[str] | None:
    parent = prepared.parent
    if len(prepared.parts) < 2:
        return None
    before: Sequence[str] = []
    if parent is not None:
        before = parent.channels or [next(iter(parent.lists), "")] * parent.length
    new = [channel for channel, part in prepared.parts.items() for _ in part.forms]
    return channels_of([*before[: prepared.kept], *new])
