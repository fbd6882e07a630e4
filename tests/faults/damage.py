"""What reading a damaged copy of a store may give: what was written, or an error."""

import tempfile
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar
from uuid import UUID

import msgspec
from tests.faults.expected import Kept, Point, same
from tests.faults.harm import harm
from tests.faults.original import Original

import clew

ROWS_ARE_SEALED = False
"""Whether the rows of sessions and checkpoints carry a check of their own, so that a changed one is noticed.

With it, every field of theirs is compared. Without it, a row is taken at its word: what it says itself, and which
metadata it refers to.
"""

_FIELDS = (
    "title", "visibility", "status", "cwd", "source", "source_id", "parent_session_id", "forked_from", "metadata",
    "revision",
)  # fmt: skip

Value = TypeVar("Value")


class Verdict(msgspec.Struct):
    """What came of reading one copy; `wrong` is what must not be, `judged` whether all that is readable was known."""

    seed: int
    returned: int = 0
    refused: int = 0
    judged: bool = False
    wrong: str = ""


def examine(original: Original, seed: int) -> Verdict:
    """Damage a copy, and read it by every method."""
    verdict = Verdict(seed)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "copy.db")
        path.write_bytes(harm(original.content, seed))
        readable = original.still_readable(path)
        verdict.judged = readable is not None
        try:
            with clew.open(path, read_only=seed % 2 == 0, busy_timeout=1) as store:
                _Reading(original, store, verdict, readable or set()).read()
        except clew.StorageError:
            verdict.refused += 1
            if readable:
                verdict.wrong = "the whole store is refused, though most of it can be read"
        except Exception as error:
            verdict.wrong = f"{type(error).__name__}: {error}\n{traceback.format_exc(limit=-4)}"
    return verdict


class _Reading:
    """Reads one copy, and compares what comes back. What is refused is counted."""

    def __init__(self, original: Original, store: clew.Store, verdict: Verdict, readable: set[UUID]) -> None:
        self._original = original
        self._store = store
        self._verdict = verdict
        self._readable = readable

    def read(self) -> None:
        """Ask for everything that was written, then write."""
        for id in self._original.points:
            self._read_checkpoint(id)
        for kept in self._original.world.values():
            self._read_session(kept)
        self._ask(lambda: self._store.list_sessions(limit=3, search="session", count=True))
        for summary in self._ask(lambda: self._store.list_sessions(limit=1_000).items) or []:
            self._compare_session(summary)
        for found in self._ask(lambda: self._store.find_checkpoints(metadata={}, limit=1_000).items) or []:
            self._compare_row(found)
        self._verify()
        for kept in self._original.world.values():
            self._write(kept)

    def _ask(self, call: Callable[[], Value], *, must: bool = False) -> Value | None:
        """What the call returns, None where it is refused."""
        try:
            value = call()
        except clew.StorageError as error:
            self._verdict.refused += 1
            if must:
                raise AssertionError(f"refused, though nothing of it is damaged: {error}") from error
            return None
        self._verdict.returned += 1
        return value

    def _read_checkpoint(self, id: UUID) -> None:
        must, known = id in self._readable, self._original.points[id].messages
        found = self._ask(lambda: _loaded(self._store.get_checkpoint(id)), must=must)
        if found is not None:
            self._compare_checkpoint(found)
        for start, stop in ((None, None), (1, -1), (-2, None)):
            messages = self._ask(lambda: self._store.get_messages(id, start=start, stop=stop), must=must)  # noqa: B023
            _expect(f"messages {start}:{stop} of {id}", messages, known[start:stop])
        for related in (self._store.ancestry, self._store.children):
            for summary in self._ask(lambda: related(id)) or []:  # noqa: B023
                self._compare_row(summary)
        self._read_attachments(self._original.points[id])

    def _read_attachments(self, point: Point) -> None:
        """All at once, and one at a time. Where the structure of the file is damaged, some may be missing."""
        store, known = self._store, point.attachments
        found = self._ask(lambda: store.get_attachments(point.id)[point.id]) or {}
        for name, attachment in found.items():
            _expect(f"attachment {name} of {point.id}", bytes(attachment), known.get(name))
        for info in self._ask(lambda: store.list_attachments(point.id)) or []:
            if info.damage is not None:
                continue
            _expect(f"size of attachment {info.name} of {point.id}", info.size, len(known[info.name]))
        for name, data in known.items():
            one = self._ask(lambda: bytes(store.get_attachment(point.id, name)))  # noqa: B023
            _expect(f"attachment {name} of {point.id}", one, data)
            part = self._ask(lambda: bytes(store.get_attachment(point.id, name, start=5, stop=-5)))  # noqa: B023
            _expect(f"part of attachment {name} of {point.id}", part, data[5:-5])

    def _read_session(self, kept: Kept) -> None:
        store = self._store
        sessions = [lambda: store.get_session(kept.id)]
        if kept.source is not None and kept.source_id is not None:
            source, source_id = kept.source, kept.source_id
            sessions.append(lambda: store.find_session(source, source_id))
        for call in sessions:
            session = self._ask(call)
            if session is not None:
                self._compare_session(session)
                self._compare_active(session)
        active = self._ask(lambda: _loaded(store.get_active_checkpoint(kept.id)))
        if active is not None:
            self._compare_checkpoint(active)
        for summary in self._ask(lambda: store.list_checkpoints(kept.id, limit=1_000).items) or []:
            self._compare_row(summary)
        for summary in self._ask(lambda: store.branches(kept.id)) or []:
            self._compare_row(summary)
        for label in {point.label for point in kept.points} - {None}:
            labelled = self._ask(lambda: _loaded(store.find_checkpoint(kept.id, str(label))))  # noqa: B023
            if labelled is not None:
                self._compare_checkpoint(labelled)
        self._compare_differences(kept)

    def _compare_differences(self, kept: Kept) -> None:
        first = kept.points[0]
        for point in kept.points[1:]:
            found = self._ask(lambda: self._store.diff(first.id, point.id))  # noqa: B023
            if found is not None:
                common = first.messages[: found.common]
                _expect(f"{first.id} in a difference", [*common, *found.only_a], first.messages)
                _expect(f"{point.id} in a difference", [*common, *found.only_b], point.messages)

    def _compare_active(self, session: clew.Session) -> None:
        active = session.active_checkpoint
        if active is not None and self._ask(lambda: _loaded(active)) is not None:
            self._compare_checkpoint(active)

    def _compare_checkpoint(self, found: clew.Checkpoint) -> None:
        known = self._original.points.get(found.id)
        if known is not None:
            _expect(f"messages of {found.id}", found.state.messages, known.messages)
        if known is not None and ROWS_ARE_SEALED:
            _expect(f"metadata of {found.id}", found.state.metadata, known.metadata)
        self._compare_row(found)

    def _compare_row(self, found: clew.Checkpoint | clew.CheckpointSummary) -> None:
        """What a checkpoint's own row says."""
        if not ROWS_ARE_SEALED or getattr(found, "damage", None) is not None:
            return
        assert found.id in self._original.points, f"checkpoint {found.id} was never written"
        known = self._original.points[found.id]
        _expect(f"row of {found.id}", (found.parent_id, found.label), (known.parent, known.label))
        _expect(f"times of {found.id}", (found.created_at, found.updated_at), self._original.times[found.id])
        if isinstance(found, clew.CheckpointSummary):
            _expect(f"length of {found.id}", found.message_count, len(known.messages))

    def _compare_session(self, found: clew.Session | clew.SessionSummary) -> None:
        if not ROWS_ARE_SEALED or getattr(found, "damage", None) is not None:
            return
        assert found.id in self._original.world, f"session {found.id} was never written"
        known = self._original.world[found.id]
        for name in _FIELDS:
            _expect(f"{name} of session {found.id}", getattr(found, name), getattr(known, name))
        times = self._original.times[found.id]
        _expect(f"times of session {found.id}", (found.created_at, found.updated_at), times[:2])
        if isinstance(found, clew.SessionSummary):
            _expect(f"active checkpoint of session {found.id}", found.active_checkpoint_id, known.active)
            _expect(f"last message of session {found.id}", found.last_message_at, times[2])
            _expect(f"length of session {found.id}", found.message_count, len(known.point(None).messages))
            _expect(f"checkpoints of session {found.id}", found.checkpoint_count, len(known.points))

    def _verify(self) -> None:
        refused = self._verdict.refused
        found = self._ask(lambda: list(self._store.verify()))
        assert found != [] or not refused, f"{refused} reads were refused, and verify finds nothing"

    def _write(self, kept: Kept) -> None:
        """A write goes on from what was written, or is refused."""
        message = {"role": "user", "content": "after the damage"}
        written = self._ask(lambda: self._store.append(kept.id, [message]))
        if written is None or written.parent_id not in self._original.points:
            return
        # As a whole, which its chain protects: the new message may have taken the key of one that was lost.
        messages = self._ask(lambda: self._store.get_checkpoint(written.id).state.messages)
        known = self._original.points[written.parent_id].messages
        _expect(f"messages appended to {written.parent_id}", messages, [*known, message])


def _loaded(checkpoint: clew.Checkpoint) -> clew.Checkpoint:
    """The checkpoint with its state decoded."""
    assert checkpoint.state.messages is not None
    assert checkpoint.state.metadata is not ...
    return checkpoint


def _expect(what: str, found: object, known: object) -> None:
    """Nothing, or what was written."""
    assert found is None or same(found, known), f"{what}: {found!r:.300}, not {known!r:.300}"
