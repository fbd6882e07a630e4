"""Imports an archive: what `clew export` has written as JSON lines comes back equal, with its ids and times."""

import re
from pathlib import Path
from typing import cast

from clew.archive import ArchiveReader
from clew.backend import Backend
from clew.copying import Copy
from clew.errors import InvalidRequestError, StorageError
from clew.importers.base import Importer, ImportSteps, Progress, Tally, require_file
from clew.store import Store

_BEGIN = re.compile(rb'\s{0,100}\{\s{0,100}"type"\s{0,100}:\s{0,100}"clew"')


class ArchiveImporter(Importer):
    """An archive of clew's own. Sessions keep the source names that they have, as a copy between stores does."""

    name = "clew"
    summary = "clew's own archive (clew export --format jsonl)"

    def detect(self, path: Path) -> bool:
        try:
            require_file(path)
            with path.open("rb") as file:
                return _BEGIN.match(file.read(500)) is not None
        except (StorageError, OSError):
            return False

    def locations(self, home: Path) -> list[Path]:
        return []  # wherever somebody has put one

    def steps(self, store: Store, path: Path, *, dry_run: bool = False) -> ImportSteps:
        require_file(path)
        tally = Tally(self.name, path, dry_run=dry_run)
        with ArchiveReader(path) as archive:
            # A reader is what a copy needs of its source, and no more.
            copied = Copy(cast(Backend, archive), store._backend, dry_run=dry_run).run()
            for where, why in archive.problems:
                tally.broken("archive", where, why)
        for failure in copied.failed:
            tally.broken("session", str(failure.session_id), failure.message)
        if tally.report().broken and not (copied.created or copied.updated or copied.unchanged):
            raise InvalidRequestError(f"nothing of {path} can be imported: {tally.report().broken[0]}")
        tally.sessions_created, tally.sessions_updated = copied.created, copied.updated
        tally.sessions_unchanged = copied.unchanged
        tally.checkpoints_created, tally.messages, tally.bytes_read = copied.checkpoints, copied.messages, copied.bytes
        yield Progress(copied.checkpoints, copied.checkpoints, path.name)
        return tally.report()
