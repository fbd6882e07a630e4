"""Whether a store is whole: everything in it is read by every method that there is, and all of them agree."""

from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import TypeVar
from uuid import UUID

import apsw
from tests.faults.expected import Kept, Point, World, same

import clew

EVERYTHING = 1_000_000
_FEW = 7  # so that lists have several pages

Item = TypeVar("Item")
Times = dict[UUID, tuple[datetime | None, ...]]


class Whole:
    """A store that was read and found whole: its `world`, and the `times` of every session and checkpoint."""

    def __init__(self, store: clew.Store) -> None:
        """Read all of it; AssertionError where two methods disagree, or `verify` finds something."""
        self.world: World = {}
        self.times: Times = {}
        for summary in self._sessions(store):
            self.world[summary.id] = self._read_session(store, summary)
        assert [finding.message for finding in store.verify()] == []

    def of(self, cwd: str) -> World:
        """The sessions with this `cwd`."""
        return {id: kept for id, kept in self.world.items() if kept.cwd == cwd}

    def _sessions(self, store: clew.Store) -> list[clew.SessionSummary]:
        page = store.list_sessions(limit=EVERYTHING)
        found = page.items
        assert page.total == len(found)
        assert same(found, list(paged(lambda cursor: store.list_sessions(limit=_FEW, cursor=cursor))))
        for status in clew.SessionStatus:
            part = store.list_sessions(limit=EVERYTHING, status=status)
            assert same(part.items, [summary for summary in found if summary.status == status])
            assert part.total == len(part)
        assert store.list_sessions(limit=0, search="session", count=True).total == sum(
            "session" in summary.title.casefold() for summary in found
        )
        return found

    def _read_session(self, store: clew.Store, summary: clew.SessionSummary) -> Kept:
        session = store.get_session(summary.id)
        if session.source is not None and session.source_id is not None:
            assert same(store.find_session(session.source, session.source_id), session)
        active = session.active_checkpoint
        if active is not None:
            assert same(store.get_active_checkpoint(session.id), active)
            assert summary.message_count == len(active.state.messages)
        assert summary.active_checkpoint_id == (None if active is None else active.id)
        assert summary.damage is None
        self.times[session.id] = (session.created_at, session.updated_at, summary.last_message_at)
        kept = Kept(
            id=session.id,
            title=session.title,
            visibility=str(session.visibility),
            status=str(session.status),
            cwd=session.cwd,
            source=session.source,
            source_id=session.source_id,
            parent_session_id=session.parent_session_id,
            forked_from=session.forked_from,
            metadata=session.metadata,
            revision=session.revision,
            active=summary.active_checkpoint_id,
            points=self._read_tree(store, summary),
        )
        _compare_with_summary(kept, summary)
        _compare_tree(store, kept)
        return kept

    def _read_tree(self, store: clew.Store, session: clew.SessionSummary) -> list[Point]:
        page = store.list_checkpoints(session.id, limit=EVERYTHING, with_metadata=True, with_attachments="")
        assert page.total == len(page) == session.checkpoint_count
        assert same(page.items, list(paged(lambda cursor: _few(store, session.id, cursor))))
        points: dict[UUID | None, Point] = {}
        for summary in page:
            points[summary.id] = self._read_checkpoint(store, summary)
            if summary.parent_id is not None:
                _compare_with_parent(store, points[summary.id], points[summary.parent_id])
        return list(points.values())

    def _read_checkpoint(self, store: clew.Store, summary: clew.CheckpointSummary) -> Point:
        checkpoint = store.get_checkpoint(summary.id)
        messages = checkpoint.state.messages
        for name in ("id", "session_id", "parent_id", "label", "created_at", "updated_at"):
            assert getattr(checkpoint, name) == getattr(summary, name), name
        assert summary.message_count == len(messages)
        assert same(store.get_messages(summary.id), messages)
        assert same(store.get_messages(summary.id, start=1, stop=-1), messages[1:-1])
        assert same(store.get_messages(summary.id, start=-2), messages[-2:])
        assert same(summary.metadata, checkpoint.state.metadata)
        assert summary.damage is None
        self.times[summary.id] = (summary.created_at, summary.updated_at)
        attachments = _read_attachments(store, summary)
        return Point(summary.id, summary.parent_id, summary.label, messages, checkpoint.state.metadata, attachments)


def paged(ask: Callable[[str | None], clew.Page[Item]]) -> Iterator[Item]:
    """A list by its pages."""
    page = ask(None)
    yield from page.items
    while page.next_cursor is not None:
        page = ask(page.next_cursor)
        yield from page.items


def check_file(path: Path) -> None:
    """SQLite itself finds nothing wrong with the file."""
    connection = apsw.Connection(str(path))
    try:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
    finally:
        connection.close()


def _few(store: clew.Store, session_id: UUID, cursor: str | None) -> clew.Page[clew.CheckpointSummary]:
    return store.list_checkpoints(session_id, limit=_FEW, cursor=cursor, with_metadata=True, with_attachments="")


def _read_attachments(store: clew.Store, summary: clew.CheckpointSummary) -> dict[str, bytes]:
    found = store.get_attachments(summary.id)[summary.id]
    assert same(found, summary.attachments)
    infos = [
        clew.AttachmentInfo(name=name, size=len(data), content_type=data.content_type) for name, data in found.items()
    ]
    assert same(infos, store.list_attachments(summary.id))
    for name, data in found.items():
        assert same(store.get_attachment(summary.id, name), data)
        assert bytes(store.get_attachment(summary.id, name, start=5, stop=-5)) == data[5:-5]
    return {name: bytes(data) for name, data in found.items()}


def _compare_tree(store: clew.Store, kept: Kept) -> None:
    """Each way through the tree leads where the parents say."""
    leaves = {point.id for point in kept.points} - {point.parent for point in kept.points}
    assert {leaf.id for leaf in store.branches(kept.id)} == leaves
    for point in kept.points:
        assert [above.id for above in store.ancestry(point.id)] == kept.line(point.id)
        below = [other.id for other in kept.points if other.parent == point.id]
        assert sorted(child.id for child in store.children(point.id)) == sorted(below)
        if point.label is not None:
            assert store.find_checkpoint(kept.id, point.label).id == point.id


def _compare_with_summary(kept: Kept, summary: clew.SessionSummary) -> None:
    for name in ("title", "visibility", "status", "cwd", "source", "source_id", "parent_session_id", "forked_from"):
        assert getattr(summary, name) == getattr(kept, name), name
    assert same(summary.metadata, kept.metadata)
    assert summary.revision == kept.revision


def _compare_with_parent(store: clew.Store, point: Point, parent: Point) -> None:
    found = store.diff(parent.id, point.id)
    assert found.ancestor_id == parent.id
    assert same(found.only_a, parent.messages[found.common :])
    assert same(found.only_b, point.messages[found.common :])
    assert same(parent.messages[: found.common], point.messages[: found.common])
    assert same((found.metadata_a, found.metadata_b), (parent.metadata, point.metadata))
