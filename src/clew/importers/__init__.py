"""Imports of sessions that other programs have written.

`import_path` finds the format by itself. A later run over the same source brings only what is new.
"""

from collections.abc import Callable
from pathlib import Path

from clew.errors import InvalidRequestError
from clew.importers.base import Finding, Importer, ImportReport, ImportSteps, Progress, require_file
from clew.importers.message_array import MessageArrayImporter
from clew.importers.stakpak import StakpakImporter
from clew.store import Store

__all__ = [
    "IMPORTERS",
    "Finding",
    "ImportReport",
    "ImportSteps",
    "Importer",
    "Progress",
    "discover",
    "find_importer",
    "import_messages",
    "import_path",
    "import_stakpak",
]

IMPORTERS: dict[str, Importer] = {importer.name: importer for importer in (StakpakImporter(), MessageArrayImporter())}
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


def import_path(store: Store, path: Path | str, progress: Callable[[Progress], object] | None = None) -> ImportReport:
    """Import a file of any format that is known."""
    return find_importer(path).run(store, path, progress)


def find_importer(path: Path | str) -> Importer:
    """The importer of this file's format; InvalidRequestError where there is none."""
    path = Path(path).expanduser()
    require_file(path)
    for importer in IMPORTERS.values():
        if importer.detect(path):
            return importer
    raise InvalidRequestError(f"{path} is of no format that can be imported: {', '.join(IMPORTERS)}")


def discover(home: Path | None = None) -> list[tuple[Importer, Path]]:
    """What there is to import in the default places below a home directory, the user's own by default."""
    home = home or Path.home()
    return [(importer, path) for importer in IMPORTERS.values() for path in importer.locations(home)]
