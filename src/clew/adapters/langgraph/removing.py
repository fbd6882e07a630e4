"""Deleting, thinning out and copying threads."""

from collections.abc import Sequence
from uuid import UUID

from clew import CheckpointSummary, ConflictError, InvalidRequestError, NotFoundError, Page, Store
from clew.adapters.by_name import ByName, one_line
from clew.adapters.langgraph.listing import sessions_of_thread, thread_of
from clew.adapters.langgraph.memory import Memory
from clew.adapters.langgraph.names import SOURCE, place_of_source
from clew.adapters.langgraph.reading import Reader, Row
from clew.adapters.listing import Listing

PAGE = 500


def delete_thread(store: Store, memory: Memory, thread: str) -> None:
    """Remove a thread for good, its namespaces first."""
    sessions = sessions_of_thread(store, memory.names, thread)
    newest = max(memory.waiting.forget(thread), default="")
    for id in sorted(sessions, key=lambda id: not sessions[id].namespace):
        try:
            labels = [summary.label or "" for summary in store.list_checkpoints(id, order="-label", limit=1)]
            newest = max([newest, *labels, *store.list_waiting(id)])
            store.purge_session(id)
        except NotFoundError:  # somebody else was first
            continue
    memory.remember_deleted(thread, newest)


def delete_for_runs(store: Store, run_ids: Sequence[str]) -> None:
    """Delete what runs have written, in every thread. What others have written from there stays as it is."""
    for run_id in run_ids:
        found: dict[UUID, list[UUID]] = {}
        cursor: str | None = None
        while True:
            page: Page[CheckpointSummary] = store.find_checkpoints(
                metadata={"run_id": run_id}, source=SOURCE, limit=PAGE, cursor=cursor
            )
            for summary in page:
                found.setdefault(summary.session_id, []).append(summary.id)
            cursor = page.next_cursor
            if cursor is None:
                break
        mine = Listing(SOURCE)
        for session, ids in found.items():
            if not mine.is_mine(store, store.get_session_summary(session)):
                continue
            store.delete_checkpoints(session, ids)
            _forget_title(store, session)


def prune(store: Store, memory: Memory, reader: Reader, threads: Sequence[str], strategy: str) -> None:
    """Keep the newest checkpoint of each namespace, or nothing."""
    if strategy not in ("keep_latest", "delete"):
        raise InvalidRequestError(f"strategy must be keep_latest or delete, not {strategy!r:.80}")
    for thread in threads:
        if strategy == "delete":
            delete_thread(store, memory, thread)
            continue
        for id in sessions_of_thread(store, memory.names, thread):
            _keep_latest(store, reader, id)


def copy_thread(store: Store, names: ByName, source: str, target: str) -> None:
    """Copy a thread with all its namespaces under another id. Content is shared.

    The metadata of a copy says the thread that it was copied from until the copy is complete, of the root until all
    are: so a call that broke off can be made again, and makes what is missing. ConflictError for a target that is
    there otherwise.
    """
    sessions = sessions_of_thread(store, names, source)
    if source == target or not sessions:
        return
    begun = {place.namespace: id for id, place in sessions_of_thread(store, names, target).items()}
    if begun and ("" not in begun or thread_of(store, begun[""]) != source):
        raise ConflictError(f"there is a thread {target!r:.80} already")
    copies: list[UUID] = []
    for id, place in sorted(sessions.items(), key=lambda item: item[1].namespace):
        copy = begun.get(place.namespace)
        if copy is None:
            copy = store.copy_session(id, source=SOURCE, source_id=place._replace(thread=target).source_id).id
        copies.append(copy)
    for copy in reversed(copies):  # the root last
        metadata = store.get_session_summary(copy).metadata or {}
        store.update_session(copy, metadata={**metadata, "thread_id": target})


def _keep_latest(store: Store, reader: Reader, session: UUID) -> None:
    """Delete all but the newest, and what a DeltaChannel of it still needs of the others."""
    seen = store.get_session_summary(session).revision
    rows = _rows(store, reader, session)
    if not rows:
        return
    by_id = {row.id: row for row in rows}
    row: Row | None = rows[0]
    missing = _deltas(reader, rows[0])
    kept: set[UUID] = set()
    while row is not None and (missing or not kept):
        kept.add(row.id)
        missing -= set(row.envelope.order)
        row = None if row.parent_id is None else by_id.get(row.parent_id)
    gone = [id for id in by_id if id not in kept]
    if gone:
        store.delete_checkpoints(session, gone, if_revision=seen)


def _deltas(reader: Reader, row: Row) -> set[str]:
    """The channels that are put together from what was written to them."""
    counted = reader.metadata(row).get("counters_since_delta_snapshot")
    return set(counted) if isinstance(counted, dict) else set()


def _rows(store: Store, reader: Reader, session: UUID) -> list[Row]:
    """All checkpoints of a session, the newest first."""
    rows: list[Row] = []
    cursor: str | None = None
    while True:
        page = store.list_checkpoints(
            session, order="-label", with_metadata=True, with_attachments="", limit=PAGE, cursor=cursor
        )
        rows.extend(map(reader.row, page))
        cursor = page.next_cursor
        if cursor is None:
            return rows


def _forget_title(store: Store, session: UUID) -> None:
    """A title is the beginning of what somebody said: where that is gone, it goes too."""
    if store.list_checkpoints(session, order="-label", limit=1).items:
        return
    summary = store.get_session_summary(session)
    place = place_of_source(summary.source_id or "")
    store.update_session(session, title=one_line(place.namespace or place.thread))
