"""Checkpoints of LangGraph into the store: what is new of each, and nothing else."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import takewhile
from typing import Any
from uuid import UUID

from langgraph.checkpoint.base import EXCLUDED_METADATA_KEYS

from clew import Checkpoint, ConflictError, NotFoundError, Session, Store
from clew.adapters.by_name import one_line, settled, title_of
from clew.adapters.langgraph.differences import difference
from clew.adapters.langgraph.layouts import Layout, channels_of
from clew.adapters.langgraph.memory import Memory
from clew.adapters.langgraph.names import SOURCE, Place
from clew.adapters.langgraph.preparing import Given, Prepared, Preparer
from clew.adapters.langgraph.reading import Reader
from clew.adapters.langgraph.values import UnkeepableError
from clew.adapters.langgraph.waiting import Early
from clew.adapters.langgraph.writes import are_special, channel_of, dumped, long_lists, shortened


class Writer:
    """Writes through one serializer."""

    def __init__(self, memory: Memory, reader: Reader) -> None:
        self._memory = memory
        self._reader = reader
        self._values = reader.values
        self._preparer = Preparer(memory, reader)

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
        try:
            with self._memory.putting(place.source_id, checkpoint["id"]):
                self._put(store, place, given)
        except BaseException:
            self._memory.suspect(place.source_id, given.suspects)  # the next one has to look at them
            raise
        self._deliver(store, place)

    def put_writes(self, store: Store, place: Place, writes: Sequence[tuple[str, Any]], task: str, path: str) -> None:
        """Keep what a task has written for the checkpoint that `place` names, which may come later."""
        self._memory.suspect(place.source_id, (value for _, value in writes))
        label = place.checkpoint or ""
        is_known = self._memory.names.look(store, place.source_id, lambda id: self._knows(id, label), False)
        kept = partial(self._kept, store, place, label)
        items = dumped(writes, task, path, self._values, kept if is_known else None)
        if not items:
            return
        bodies = {} if is_known else self._bodies(writes, task)
        early = Early(label, items, "replace" if are_special(writes) else "keep", bodies)
        waits_behind = any(each.label == label for each in self._memory.waiting.of(place.source_id))
        if not waits_behind and self._attach(store, place, early):
            return
        if self._memory.was_deleted(place.thread, early.label):
            raise NotFoundError(f"the thread {place.thread!r:.80} was deleted")
        self._memory.waiting.add(place.source_id, early)
        self._deliver(store, place)  # the session may have come meanwhile

    def _kept(self, store: Store, place: Place, label: str, channel: str, items: list[Any]) -> int:
        """How many of `items` the list of a checkpoint begins with, by what is known of it: 0 where that is nothing."""

        def count(session: UUID) -> int:
            encode = self._reader.messages.encode(channel)
            try:
                return self._memory.known.unchanged((session, label, channel), items, encode, thorough=True) or 0
            except UnkeepableError:  # it is said of the whole value, by whoever keeps that
                return 0

        return self._memory.names.look(store, place.source_id, count, 0)

    def _deliver(self, store: Store, place: Place) -> None:
        """Store the writes that came before what they waited for, those of one checkpoint in their order."""
        still: set[str] = set()
        for early in self._memory.waiting.of(place.source_id):
            if early.label not in still and self._attach(store, place, early):
                self._memory.waiting.remove(place.source_id, early)
            else:
                still.add(early.label)

    def _attach(self, store: Store, place: Place, early: Early) -> bool:
        """Store writes; False where they have to wait."""

        def attach(session: UUID) -> bool:
            if early.bodies and not self._is_there(store, session, place.source_id, early.label):
                return False
            items = shortened(early.items, self._values, self._counts(session, early)) if early.bodies else early.items
            store.attach(session, items, label=early.label, on_conflict=early.on_conflict)
            return True

        return self._memory.names.look(store, place.source_id, attach, False)

    def _bodies(self, writes: Sequence[tuple[str, Any]], task: str) -> dict[str, list[bytes]]:
        """What tells of each item of a long list whether the checkpoint has it, once that is there."""
        try:
            return {
                name: [*map(self._reader.messages.encode(channel), items)]
                for name, (channel, items) in long_lists(writes, task).items()
            }
        except UnkeepableError:  # an item that is kept in its list, but not by itself
            return {}

    def _counts(self, session: UUID, early: Early) -> dict[str, int]:
        """How many items the checkpoint has at the beginning of each long list."""
        found = {}
        for name, bodies in early.bodies.items():
            held = self._memory.known.bodies((session, early.label, channel_of(early.items[name]))) or []
            same = takewhile(lambda pair: pair[0] == pair[1], zip(held, bodies, strict=False))
            found[name] = sum(1 for _ in same)
        return found

    def _knows(self, session: UUID, label: str) -> bool:
        return self._memory.layouts.get((session, label)) is not None

    def _is_there(self, store: Store, session: UUID, source_id: str, label: str) -> bool:
        """Whether a checkpoint has been stored, or may have been: there are later ones.

        One that is being put here is not yet: what it is made of is known when that has ended.
        """
        if self._memory.is_being_put(source_id, label):
            return False
        if self._knows(session, label):
            return True
        newest = store.list_checkpoints(session, order="-label", limit=1).items
        return bool(newest) and (newest[0].label or "") >= label

    def _put(self, store: Store, place: Place, given: Given) -> None:
        if place.checkpoint is None:
            first = self._preparer.prepared(store, None, given)
            ensured(store, self._memory, place, lambda session: self._write(store, session, place, first, given))
            return

        def write(session: UUID) -> bool:
            prepared = self._preparer.prepared(store, (session, place.checkpoint or ""), given)
            self._write(store, session, place, prepared, given)
            return True

        if not self._memory.names.look(store, place.source_id, write, False):
            raise NotFoundError(f"the thread {place.thread!r:.80} has no checkpoint {place.checkpoint!r:.80}")

    def _write(self, store: Store, session: UUID, place: Place, prepared: Prepared, given: Given) -> None:
        try:
            written = _append(store, session, prepared)
        except ConflictError:
            self._check_same(store, session, place.checkpoint, given.checkpoint)
            return
        self._remember(session, prepared, given, written)
        if prepared.begins:
            self._title(store, session, place, prepared)

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
                written.id, dict(given.versions), frozenset(prepared.attached.bodies), frozenset(prepared.parts),
                prepared.attached.marks, _channels(prepared), count, given.metadata.get("step"),
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
            # The id that is remembered may be that of a session that somebody else has purged: it has to be looked up.
            ensured(store, memory, root, lambda id: found.append(store.get_session_summary(id).id))
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


def _channels(prepared: Prepared) -> Sequence[str] | None:
    parent = prepared.parent
    if len(prepared.parts) < 2:
        return None
    before: Sequence[str] = []
    if parent is not None:
        before = parent.channels or [next(iter(parent.lists), "")] * parent.length
    return channels_of([*before[: prepared.kept], *(channel for channel, _ in prepared.new)])
