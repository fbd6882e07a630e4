"""Checkpoints of LangGraph into the store: what is new of each, and nothing else."""

from collections.abc import Callable, Mapping, Sequence
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
from clew.adapters.langgraph.waiting import Early
from clew.adapters.langgraph.writes import are_special, dumped


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
            self._put(store, place, given)
        except BaseException:
            self._memory.suspect(place.source_id, given.suspects)  # the next one has to look at them
            raise
        self._deliver(store, place)

    def put_writes(self, store: Store, place: Place, writes: Sequence[tuple[str, Any]], task: str, path: str) -> None:
        """Keep what a task has written for the checkpoint that `place` names, which may come later."""
        self._memory.suspect(place.source_id, (value for _, value in writes))
        items = dumped(writes, task, path, self._values)
        if not items:
            return
        early = Early(place.checkpoint or "", items, "replace" if are_special(writes) else "keep")
        if self._attach(store, place, early):
            return
        if self._memory.was_deleted(place.thread, early.label):
            raise NotFoundError(f"the thread {place.thread!r:.80} was deleted")
        self._memory.waiting.add(place.source_id, early)
        self._deliver(store, place)  # the session may have come meanwhile

    def _deliver(self, store: Store, place: Place) -> None:
        """Store the writes that came before their session."""
        for early in self._memory.waiting.of(place.source_id):
            if self._attach(store, place, early):
                self._memory.waiting.remove(place.source_id, early)

    def _attach(self, store: Store, place: Place, early: Early) -> bool:
        def attach(session: UUID) -> bool:
            store.attach(session, early.items, label=early.label, on_conflict=early.on_conflict)
            return True

        return self._memory.names.look(store, place.source_id, attach, False)

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


def _channels(prepared: Prepared) -> Sequence[str] | None:
    parent = prepared.parent
    if len(prepared.parts) < 2:
        return None
    before: Sequence[str] = []
    if parent is not None:
        before = parent.channels or [next(iter(parent.lists), "")] * parent.length
    new = [channel for channel, part in prepared.parts.items() for _ in part.forms]
    return channels_of([*before[: prepared.kept], *new])
