"""Importing again whenever the files of an agent change.

The operating system tells which files have changed. A file that holds sessions by itself is imported alone; of anything
else, such as a database and what lies beside it, the whole place is.
"""

from collections.abc import Iterable, Iterator
from fnmatch import fnmatch
from pathlib import Path
from threading import Event

from watchfiles import Change
from watchfiles import watch as watch_files

from clew.errors import StorageError
from clew.importers.base import Failure, Importer, ImportReport, Place
from clew.store import Store

_LOOK_MS = 200  # how soon `stop` is noticed
_QUIET_MS = 500  # for how long nothing is written before it is read: an answer comes in several pieces
_LONGEST_MS = 10_000  # after which it is read all the same


def watch(store: Store, places: Iterable[Place], *, stop: Event | None = None) -> Iterator[ImportReport | Failure]:
    """Import every place, and again what changes in it, until `stop` is set; the report of each import.

    Programs write their files while they are read: what is not whole yet comes with the next change.
    """
    listed = [(importer, path.resolve()) for importer, path in places]
    # The watch begins before the first import: what changes meanwhile is told afterwards.
    folders = {_watched(path) for _, path in listed}
    changes = watch_files(
        *folders, watch_filter=None, stop_event=stop, yield_on_timeout=True, rust_timeout=_LOOK_MS, step=_QUIET_MS,
        debounce=_LONGEST_MS,
    )  # fmt: skip
    next(changes, None)
    for importer, path in listed:
        yield _imported(store, importer, path)
    for found in changes:
        for importer, path in _affected(listed, found):
            yield _imported(store, importer, path)


def _watched(path: Path) -> Path:
    # A database is changed through files beside it, and a file may be replaced by another one of its name.
    return path if path.is_dir() else path.parent


def _imported(store: Store, importer: Importer, path: Path) -> ImportReport | Failure:
    try:
        return importer.run(store, path)
    except StorageError as error:
        return Failure(importer.name, path, error)


def _affected(places: list[Place], changes: set[tuple[Change, str]]) -> list[Place]:
    """What is to be imported again after these changes, each once."""
    affected: dict[tuple[str, Path], Importer] = {}
    for change, name in sorted(changes, key=lambda item: item[1]):
        changed = Path(name)
        for importer, place in places:
            if changed != place and not _is_beside(place, changed):
                continue
            alone = change is not Change.deleted and _holds_sessions(importer, place, changed)
            affected[importer.name, changed if alone else place] = importer
    return [(importer, path) for (_, path), importer in affected.items()]


def _holds_sessions(importer: Importer, place: Path, changed: Path) -> bool:
    """Whether a file of a folder holds sessions by itself. One that an editor has put there has another name."""
    is_named_so = any(fnmatch(changed.name, pattern) for pattern in importer.patterns)
    return place.is_dir() and is_named_so and importer.detect(changed)


def _is_beside(place: Path, changed: Path) -> bool:
    """Whether a file is in the folder, or one that a database keeps beside itself."""
    return place in changed.parents if place.is_dir() else changed.name.startswith(place.name + "-")
