"""Imports of sessions that other programs have written.

`import_path` finds the format by itself. A later run over the same source brings only what is new.
"""

from collections.abc import Callable
from pathlib import Path

from clew.errors import InvalidRequestError, StorageError, UnavailableError
from clew.importers.archive import ArchiveImporter
from clew.importers.base import Failure, Finding, Importer, ImportReport, ImportSteps, Place, Progress
from clew.importers.claude_code import ClaudeCodeImporter
from clew.importers.codex import CodexImporter
from clew.importers.gemini_cli import GeminiCliImporter
from clew.importers.goose import GooseImporter
from clew.importers.llm import LlmImporter
from clew.importers.looking import names_in, require_there
from clew.importers.message_array import MessageArrayImporter
from clew.importers.opencode import OpenCodeImporter
from clew.importers.pi import PiImporter
from clew.importers.stakpak import StakpakImporter
from clew.store import Store

__all__ = [
    "IMPORTERS",
    "Failure",
    "Finding",
    "ImportReport",
    "ImportSteps",
    "Importer",
    "Place",
    "Progress",
    "discover",
    "find_importer",
    "find_places",
    "import_messages",
    "import_path",
    "import_stakpak",
]

IMPORTERS: dict[str, Importer] = {
    importer.name: importer
    for importer in (
        ArchiveImporter(),
        StakpakImporter(),
        OpenCodeImporter(),
        LlmImporter(),
        GooseImporter(),
        ClaudeCodeImporter(),
        CodexImporter(),
        PiImporter(),
        GeminiCliImporter(),
        MessageArrayImporter(),
    )
}
"""Every importer by its name; `find_importer` asks them in this order."""


def import_stakpak(
    store: Store, path: Path | str, progress: Callable[[Progress], object] | None = None
) -> ImportReport:
    """Import the Stakpak agent's `local.db`."""
    return IMPORTERS["stakpak"].run(store, path, progress)


def import_messages(
    store: Store, path: Path | str, progress: Callable[[Progress], object] | None = None
) -> ImportReport:
    """Import a file of OpenAI's or Anthropic's messages as one session."""
    return IMPORTERS["messages"].run(store, path, progress)


def import_path(
    store: Store,
    path: Path | str,
    progress: Callable[[Progress], object] | None = None,
    *,
    dry_run: bool = False,
) -> ImportReport:
    """Import a file or folder of any format that is known; in a `dry_run` only find out what that would do.

    Of a folder with several formats the first one is taken: `find_places` has them all.
    """
    return find_importer(path).run(store, path, progress, dry_run=dry_run)


def find_importer(path: Path | str) -> Importer:
    """The importer of this file's or folder's format; NotFoundError, InvalidRequestError where there is none."""
    path = Path(path).expanduser()
    require_there(path)
    for importer in IMPORTERS.values():
        if importer.detect(path):
            return importer
    raise _of_no_format(path)


def find_places(path: Path | str) -> list[Place]:
    """What there is to import at `path`: a file is of one format, in a folder there may be several.

    In a copy of a home directory the places are found where the programs keep them. Errors are those of
    `find_importer`.
    """
    path = Path(path).expanduser()
    require_there(path)
    if not path.is_dir():
        return [(find_importer(path), path)]
    found = [(importer, place) for importer in IMPORTERS.values() for place in _places_in(importer, path)]
    if not found:
        raise _of_no_format(path)
    return found


def _places_in(importer: Importer, folder: Path) -> list[Path]:
    if importer.detect(folder):
        return [folder]
    # The environment may name places elsewhere, if this is the home directory. A place of which nobody may say whether
    # it is there counts where the folder lists at least the beginning of the way to it.
    places = [place for place in importer.locations(folder) if folder in place.parents]
    return [place for place in places if place.relative_to(folder).parts[0] in names_in(folder)]


def _of_no_format(path: Path) -> StorageError:
    """That nothing here can be imported, or that nobody can say so, since it cannot be read."""
    closed = {place: why for importer in IMPORTERS.values() for place, why in importer.unreadable(path)}
    if not closed:
        return InvalidRequestError(f"{path} is of no format that can be imported: {', '.join(IMPORTERS)}")
    first, why = next(iter(closed.items()))
    if first == path:
        return UnavailableError(f"{path} {why}")
    more = f", and {len(closed) - 1} more" if len(closed) > 1 else ""
    return UnavailableError(f"nothing of {path} can be imported: {first} {why}{more}")


def discover(home: Path | None = None) -> list[Place]:
    """What there is to import in the default places below a home directory, the user's own by default."""
    home = home or Path.home()
    return [(importer, path) for importer in IMPORTERS.values() for path in importer.locations(home)]
