"""What is the same for every agent's own files: a format is left to find its sessions and to parse their records.

The files of the agent are only read.
"""

from abc import abstractmethod
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import msgspec

from clew.errors import InvalidRequestError, UnavailableError
from clew.importers.base import Importer, ImportSteps, Progress, Tally
from clew.importers.looking import is_dir, require_there, unreadable
from clew.importers.records import Records
from clew.importers.steps import Notes, Parsed
from clew.store import Store


class Source(msgspec.Struct, kw_only=True):
    """One session of a source, not read yet.

    `context` is what is known of it from beside its records, as a JSON object (an index, the name of its folder): it is
    kept, so that the records can be parsed again without the source. `parent` is the `source_id` of the session that
    spawned it, where that is known already.
    """

    source_id: str
    path: Path
    records: Records
    context: dict[str, Any] = {}
    parent: str | None = None


class FormatImporter(Importer):
    """An importer of one agent's files: it finds the sessions and parses their records; the rest is done here."""

    version: ClassVar[int] = 1
    """Of the parser. Sessions that an earlier one has read are read again, where the source is still there."""

    is_deep: ClassVar[bool] = True
    """Whether the folders below a folder are looked into."""

    def folders(self, path: Path) -> list[Path]:
        """The folders that are looked into where `path` is one."""
        return [path]

    def unreadable(self, path: Path) -> Iterator[tuple[Path, str]]:
        if is_dir(path):
            return unreadable(self.folders(path), self.patterns, deep=self.is_deep)
        return super().unreadable(path)

    @abstractmethod
    def sources(self, path: Path, notes: Notes) -> Iterator[Source]:
        """The sessions of a file or folder, in a fixed order. What is none of this format is left out.

        NotFoundError where there is nothing; what cannot be read is noted.
        """

    @abstractmethod
    def parse(self, records: Records, context: dict[str, Any], notes: Notes) -> Parsed:
        """The session that these records are. They may be read several times, and again while the steps are."""

    def steps(self, store: Store, path: Path, *, dry_run: bool = False) -> ImportSteps:
        from clew.importers.sessions import SessionImport  # it is about sources, which are above

        require_there(path)
        tally, notes = Tally(self.name, path, dry_run=dry_run), Notes()
        closed = dict(self.unreadable(path))
        if path in closed:
            raise UnavailableError(f"{path} {closed[path]}")
        sources = _parents_first([source for source in self.sources(path, notes) if source.path not in closed])
        # Who looked for the sources may have met one of them too.
        notes.broken = [(where, why) for where, why in notes.broken if Path(where) not in closed]
        tally.take(str(path), notes)
        for file, why in closed.items():
            tally.broken(_kind(file), str(file), why)
        for number, source in enumerate(sources):
            yield Progress(number, len(sources), source.path.name)
            for title in SessionImport(self, store, source, tally, dry_run=dry_run).run():
                yield Progress(number, len(sources), title)
        _refuse_nothing(path, tally, is_closed=bool(closed))
        yield Progress(len(sources), len(sources), "")
        return tally.report()


def _parents_first(sources: list[Source]) -> list[Source]:
    """The sessions, each after the one that spawned it, otherwise in their order."""
    by_id = {source.source_id: source for source in sources}
    ordered: dict[int, Source] = {}

    def add(source: Source, above: frozenset[str]) -> None:
        parent = None if source.parent is None else by_id.get(source.parent)
        if parent is not None and parent is not source and parent.source_id not in above:
            add(parent, above | {source.source_id})
        ordered.setdefault(id(source), source)

    for source in sources:
        add(source, frozenset())
    return list(ordered.values())


def _kind(path: Path) -> str:
    return "folder" if is_dir(path) else "file"


def _refuse_nothing(path: Path, tally: Tally, *, is_closed: bool) -> None:
    report = tally.report()
    if report.sessions:
        return
    if report.broken:
        first = report.broken[0]
        more = f", and {len(report.broken) - 1} more" if len(report.broken) > 1 else ""
        error = UnavailableError if is_closed else InvalidRequestError  # nobody knows what is in a closed file
        raise error(f"nothing of {path} can be imported: {first}{more}")
    if path.is_file() and path.stat().st_size:
        raise InvalidRequestError(f"{path} is not empty, but no session was found in it ({tally.importer})")
