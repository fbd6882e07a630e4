"""Lists of checkpoints, and the walk along the parents of one."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from uuid import UUID

from langgraph.checkpoint.base import CheckpointTuple, DeltaChannelHistory

from clew import NotFoundError, Store
from clew.adapters.by_name import ByName
from clew.adapters.langgraph.names import SOURCE, Place, place_of_source
from clew.adapters.langgraph.reading import Reader, Row, by_channel
from clew.adapters.langgraph.writes import loaded
from clew.adapters.listing import Listing

PAGE = 50


def sessions_of(store: Store, names: ByName, place: Place) -> dict[UUID, Place]:
    """The session of a namespace, by its id; none where there is none."""

    def summary(id: UUID) -> dict[UUID, Place]:
        store.get_session_summary(id)  # NotFoundError where it was purged meanwhile
        return {id: place._replace(checkpoint=None)}

    empty: dict[UUID, Place] = {}
    return names.look(store, place.source_id, summary, empty)


def sessions_of_thread(store: Store, names: ByName, thread: str | None) -> dict[UUID, Place]:
    """The sessions of a thread with all its namespaces, or (None) of all threads."""
    found = _sessions(store, thread, thread)
    if thread is None or any(not place.namespace for place in found.values()):
        return found
    # None, or a copy that broke off, whose sessions still say that they are of the thread that they were copied from.
    place = Place(thread, "", None)
    copied_from = names.look(store, place.source_id, lambda id: thread_of(store, id), None)
    return found if copied_from is None else found | _sessions(store, copied_from, thread)


def _sessions(store: Store, said: str | None, thread: str | None) -> dict[UUID, Place]:
    """The sessions that say that they are of one thread, as far as their names say that they are of another."""
    wanted = None if said is None else {"thread_id": said}
    found: dict[UUID, Place] = {}
    for page in Listing(SOURCE).pages(store, metadata=wanted, size=1_000, with_damaged=True):
        for session in page:
            place = place_of_source(session.source_id or "")
            if session.source_id is not None and thread in (None, place.thread):
                found[session.id] = place
    return found


def thread_of(store: Store, session: UUID) -> str | None:
    """The thread that a session says it is of; of a copy that broke off, the one that it was copied from."""
    said = (store.get_session_summary(session).metadata or {}).get("thread_id")
    return said if isinstance(said, str) else None


class Lister:
    """Reads many checkpoints, a page at a time."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    def tuples(
        self,
        store: Store,
        sessions: Mapping[UUID, Place],
        *,
        before: str | None,
        wanted: Mapping[str, Any],
        limit: int | None,
    ) -> Iterator[CheckpointTuple]:
        """The newest first, by their ids. The messages of one that only went on from another are read for both."""
        longer: dict[tuple[UUID, str], tuple[list[Any], list[str], int]] = {}
        labels: dict[UUID, str] = {}
        left = limit
        for rows in self._pages(store, sessions, before, PAGE if limit is None or wanted else min(limit, PAGE)):
            labels |= {row.id: row.label for row in rows}
            for row in rows:
                if left is not None and left <= 0:
                    return
                metadata = self._reader.metadata(row)
                if not all(metadata.get(name) == value for name, value in wanted.items()):
                    self._pass_on(longer, row)
                    continue
                items, channels = self._items(store, longer, row)
                lists = by_channel(row, items, channels)
                parent = self._parent(store, row, labels)
                yield self._reader.tuple_of(sessions[row.session], row, lists, parent, metadata)
                left = None if left is None else left - 1

    def history(self, store: Store, start: Row, channels: Sequence[str]) -> dict[str, DeltaChannelHistory]:
        """What was written to channels on the way to a checkpoint, and the value that each began with."""
        writes: dict[str, list[tuple[str, str, Any]]] = {channel: [] for channel in channels}
        seeds: dict[str, Any] = {}
        for row in self._ancestors(store, start):
            remaining = [channel for channel in writes if channel not in seeds]
            if not remaining:
                break
            for write in reversed(loaded(row.attachments)):
                if write.channel in remaining:
                    value = self._reader.written(store, row, write)
                    writes[write.channel].append((write.task, write.channel, value))
            for channel in remaining:
                has, value = self._reader.value(store, row, channel)
                if has:
                    seeds[channel] = value
        return {channel: _history(found, channel, seeds) for channel, found in writes.items()}

    def _ancestors(self, store: Store, start: Row) -> Iterator[Row]:
        """The parent of a checkpoint, its parent, and so on: they come by the page, as nearly all are older."""
        pages = self._pages(store, {start.session: Place("", "", None)}, start.label, PAGE)
        near: dict[UUID, Row] = {}
        wanted = start.parent_id
        while wanted is not None:
            row = near.pop(wanted, None)
            while row is None:
                page = next(pages, None)
                if page is None:
                    break
                near |= {found.id: found for found in page}
                row = near.pop(wanted, None)
            if row is None:
                label = store.get_checkpoint_summary(wanted).label
                if label is None:
                    return
                row = self._reader.find(store, start.session, label)[0]
            yield row
            wanted = row.parent_id

    def _pages(
        self, store: Store, sessions: Mapping[UUID, Place], before: str | None, size: int
    ) -> Iterator[list[Row]]:
        cursor: str | None = None
        while sessions:
            try:
                page = store.list_checkpoints(
                    list(sessions), order="-label", before_label=before, with_metadata=True, with_attachments="",
                    limit=size, cursor=cursor,
                )  # fmt: skip
            except NotFoundError:  # purged meanwhile: what is left of the list is not there any more
                sessions = {id: place for id, place in sessions.items() if _is_there(store, id)}
                continue
            yield [self._reader.row(summary) for summary in page]
            cursor = page.next_cursor
            if cursor is None:
                return

    def _items(
        self, store: Store, longer: dict[tuple[UUID, str], tuple[list[Any], list[str], int]], row: Row
    ) -> tuple[list[Any], list[str]]:
        found = longer.pop((row.session, row.label), None)
        if found is None or found[2] != row.length:
            bodies = store.get_checkpoint(row.id).state.raw.bodies if row.length else []
            items, channels = self._reader.messages.restored(bodies)
        else:
            items, channels, _ = found
        if row.envelope.parent is not None:
            longer[row.session, row.envelope.parent] = (items, channels, row.envelope.kept)
        return items, channels

    def _pass_on(self, longer: dict[tuple[UUID, str], tuple[list[Any], list[str], int]], row: Row) -> None:
        """What goes on from a checkpoint that is left out serves its parent too."""
        found = longer.pop((row.session, row.label), None)
        if found is not None and found[2] == row.length and row.envelope.parent is not None:
            longer[row.session, row.envelope.parent] = (found[0], found[1], row.envelope.kept)

    def _parent(self, store: Store, row: Row, labels: dict[UUID, str]) -> str | None:
        if row.parent_id in labels:
            return labels[row.parent_id]
        return self._reader.parent(store, row)


def _history(writes: list[tuple[str, str, Any]], channel: str, seeds: dict[str, Any]) -> DeltaChannelHistory:
    entry: DeltaChannelHistory = {"writes": writes[::-1]}
    if channel in seeds:
        entry["seed"] = seeds[channel]
    return entry


def _is_there(store: Store, id: UUID) -> bool:
    try:
        store.get_session_summary(id)
    except NotFoundError:
        return False
    return True
