"""Reading imported sessions again from the records that the store has kept, without the files that they came from.

What a later parser reads otherwise becomes a branch, as if the source had changed, and what was there stays.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import UUID

from clew.errors import InvalidRequestError, StorageError
from clew.importers import IMPORTERS
from clew.importers.base import ImportReport, Progress, Tally
from clew.importers.formats import FormatImporter, Source
from clew.importers.kept import Choice, Kept
from clew.importers.sessions import KEY, ImportState, ReadFile, SessionImport, find
from clew.model import SessionSummary
from clew.store import Store

_PAGE = 1_000
_WHERE = Path("kept records")


def reimport(
    store: Store,
    *,
    source: str | None = None,
    session_id: UUID | str | None = None,
    progress: Callable[[Progress], object] | None = None,
) -> Iterator[ImportReport]:
    """Parse the kept records of every imported session, of those of one `source`, or of one session; a report a format.

    A session that cannot be read again is named in the report and stays as it is. NotFoundError where there is no such
    session, InvalidRequestError where it was not imported.
    """
    tallies: dict[str, Tally] = {}
    sessions = list(_imported(store, source)) if session_id is None else [_wanted(store, session_id)]
    for number, (id, name) in enumerate(sessions):
        tally = tallies.setdefault(name, Tally(name, _WHERE))
        for title in _SessionReimport(store, id, tally).run():
            if progress is not None:
                progress(Progress(number, len(sessions), title))
    if progress is not None:
        progress(Progress(len(sessions), len(sessions), ""))
    for tally in tallies.values():
        yield tally.report()


def _imported(store: Store, source: str | None) -> Iterator[tuple[UUID, str]]:
    cursor: str | None = None
    while True:
        page = store.list_sessions(source=source, limit=_PAGE, cursor=cursor)
        for session in page.items:
            if session.source is not None and KEY in (session.metadata or {}):
                yield session.id, session.source
        cursor = page.next_cursor
        if cursor is None:
            return


def _wanted(store: Store, session_id: UUID | str) -> tuple[UUID, str]:
    session = store.get_session_summary(session_id)
    if session.source is None or KEY not in (session.metadata or {}):
        raise InvalidRequestError(f"session {session.id} was not imported from records that are kept")
    return session.id, session.source


class _SessionReimport:
    """One session, and every file that it was imported from."""

    def __init__(self, store: Store, id: UUID, tally: Tally) -> None:
        self._store = store
        self._id = id
        self._tally = tally

    def run(self) -> Iterator[str]:
        """Do it; yields the title after each checkpoint."""
        try:
            session = self._store.get_session_summary(self._id)
            importer = self._importer(session)
            for path, file, choice in self._chosen(session):
                records = choice.records()
                source = Source(
                    source_id=str(session.source_id), path=Path(path), records=records, context=file.context
                )
                yield from SessionImport(importer, self._store, source, self._tally).run(known=file)
        except StorageError as error:
            self._tally.broken("session", str(self._id), error.message)

    def _importer(self, session: SessionSummary) -> FormatImporter:
        importer = IMPORTERS.get(str(session.source))
        if not isinstance(importer, FormatImporter):
            raise InvalidRequestError(f"there is no importer for {session.source} that could read it again")
        found = find(self._store, importer.name, str(session.source_id))
        if found is None or found.id != self._id:
            raise InvalidRequestError("belongs to an owner, and imports belong to nobody")
        return importer

    def _chosen(self, session: SessionSummary) -> list[tuple[str, ReadFile, Choice]]:
        """The records of each file; of one that a later one holds too, as after a move, none."""
        state = ImportState.of(session)
        if not state.files:
            raise InvalidRequestError("its import was not finished: import it once more")
        kept = Kept(self._store, session.id, state.active)
        chosen = [(path, file, kept.choose(path, file.inventory)) for path, file in state.files.items()]
        return [
            (path, file, choice)
            for number, (path, file, choice) in enumerate(chosen)
            if not any(choice.is_within(later) for _, _, later in chosen[number + 1 :])
        ]
