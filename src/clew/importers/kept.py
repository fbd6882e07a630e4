"""The records of an imported session that the store has kept, beside all of its checkpoints.

Of a place in a file there may be several: a line that was torn when it was first read, a document written anew.
What the last import has read is known by its inventory, so nothing is taken for it that it is not.
"""

from collections.abc import Iterator
from typing import NamedTuple
from uuid import UUID

from clew.errors import CorruptStateError, NotFoundError
from clew.importers import raw
from clew.importers.records import Inventory, Record, Records, Watermark
from clew.store import Store

_PAGE = 1_000
_HELD = 8  # attachments whose records stay in memory: those of a file are read in its order


class _Version(NamedTuple):
    """What a place in a file held: where it is kept, and whether on the way to what the session resumes from."""

    attachment: int
    row: int
    fingerprint: int
    is_torn: bool
    is_current: bool
    path: str


class Choice:
    """The records of one file."""

    def __init__(self, kept: "Kept", versions: dict[int, _Version]) -> None:
        self._kept = kept
        self.versions = versions

    def is_within(self, other: "Choice") -> bool:
        """Whether the other one has all of these records."""
        return all(
            position in other.versions and other.versions[position].fingerprint == version.fingerprint
            for position, version in self.versions.items()
        )

    def inventory(self) -> Inventory:
        """That of these records."""
        listed = self.versions.items()
        return Inventory.of_fingerprints((place, found.fingerprint) for place, found in listed if not found.is_torn)

    def records(self) -> Records:
        """The records themselves, in the order of the file, read as they are asked for."""
        places = ((found.attachment, found.row) for _, found in sorted(self.versions.items()))
        return _KeptRecords(self._kept, list(places))


class Kept:
    """All kept records of a session; CorruptStateError where some cannot be read."""

    def __init__(self, store: Store, session_id: UUID, active: UUID | None) -> None:
        self._store = store
        self._attachments: list[tuple[UUID, str]] = []
        self._held: dict[int, list[Record]] = {}
        self._versions: dict[int, list[_Version]] = {}
        current = self._way_to(active)
        for checkpoint in self._checkpoints(session_id):
            for name in sorted(info.name for info in store.list_attachments(checkpoint, prefix=raw.PREFIX)):
                self._take(checkpoint, name, is_current=checkpoint in current)

    def choose(self, path: str, wanted: Inventory) -> Choice:
        """The records that an import of this file has read; CorruptStateError where they are not all there."""
        every = {place: versions for place, versions in self._versions.items() if place <= wanted.last}
        choices = (
            {place: max(versions, key=lambda found: _worth(found, path)) for place, versions in every.items()},
            {place: found for place, versions in every.items() for found in versions if found.is_current},
            {place: found for place, versions in every.items() for found in versions if found.path == path},
        )
        for versions in choices:
            choice = Choice(self, {place: found for place, found in versions.items() if not found.is_torn})
            if choice.inventory() == wanted:
                choice.versions.update(self._torn_end(path, wanted))
                return choice
        raise CorruptStateError(f"of the {wanted.count:,} records of {path} not all are kept as they were")

    def load(self, attachment: int) -> list[Record]:
        """The records of one attachment."""
        found = self._held.pop(attachment, None)
        if found is None:
            checkpoint, name = self._attachments[attachment]
            found = raw.unpack(bytes(self._store.get_attachment(checkpoint, name)))[1]
        self._held[attachment] = found
        while len(self._held) > _HELD:
            del self._held[next(iter(self._held))]
        return found

    def _torn_end(self, path: str, wanted: Inventory) -> dict[int, _Version]:
        """A last line without an end, which is not in the inventory."""
        ends = {
            place: found
            for place, versions in self._versions.items()
            for found in versions
            if place > wanted.last and found.is_torn and found.path == path
        }
        last = max(ends, default=None)
        return {} if last is None else {last: ends[last]}

    def _way_to(self, checkpoint: UUID | None) -> set[UUID]:
        if checkpoint is None:
            return set()
        try:
            return {above.id for above in self._store.ancestry(checkpoint)} | {checkpoint}
        except NotFoundError:
            return set()

    def _checkpoints(self, session_id: UUID) -> Iterator[UUID]:
        cursor: str | None = None
        while True:
            page = self._store.list_checkpoints(session_id, limit=_PAGE, cursor=cursor)
            yield from (checkpoint.id for checkpoint in page.items)
            cursor = page.next_cursor
            if cursor is None:
                return

    def _take(self, checkpoint: UUID, name: str, *, is_current: bool) -> None:
        path, records = raw.unpack(bytes(self._store.get_attachment(checkpoint, name)))
        for row, record in enumerate(records):
            found = _Version(len(self._attachments), row, record.fingerprint(), record.is_torn, is_current, path)
            versions = self._versions.setdefault(record.position, [])
            if (found.fingerprint, found.path) not in {(known.fingerprint, known.path) for known in versions}:
                versions.append(found)
        self._attachments.append((checkpoint, name))


class _KeptRecords(Records):
    def __init__(self, kept: Kept, places: list[tuple[int, int]]) -> None:
        self._kept = kept
        self._places = places

    def __iter__(self) -> Iterator[Record]:
        for attachment, row in self._places:
            yield self._kept.load(attachment)[row]

    def watermark(self) -> Watermark:
        count = len(self._places)
        return Watermark(count, Inventory.of(self).sum)


def _worth(found: _Version, path: str) -> tuple[bool, bool, bool]:
    return not found.is_torn, found.is_current, found.path == path
