"""Imports of sessions that other programs have written.

`import_path` finds the format by itself. A later run over the same source brings only what is new.
"""

from collections.abc import Callable
from pathlib import Path

from clew.errors import InvalidRequestError, NotFoundError
from clew.importers.archive import ArchiveImporter
from clew.importers.base import Failure, Finding, Importer, ImportReport, ImportSteps, Place, Progress
from clew.importers.claude_code import ClaudeCodeImporter
from clew.importers.codex import CodexImporter
from clew.importers.gemini_cli import GeminiCliImporter
from clew.importers.goose import GooseImporter
from clew.importers.llm import LlmImporter
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
    """Import a file or folder of any format that is known; in a `dry_run` only find out what that would do."""
    return find_importer(path).run(store, path, progress, dry_run=dry_run)


def find_importer(path: Path | str) -> Importer:
    """The importer of this file's or folder's format; NotFoundError, InvalidRequestError where there is none."""
    path = Path(path).expanduser()
    if not path.exists():
        raise NotFoundError(f"{path} does not exist")
    for importer in IMPORTERS.values():
        if importer.detect(path):
            return importer
    raise InvalidRequestError(f"{path} is of no format that can be imported: {', '.join(IMPORTERS)}")


def discover(home: Path | None = None) -> list[Place]:
    """What there is to import in the default places below a home directory, the user's own by default."""
    home = home or Path.home()
    return [(importer, path) for importer in IMPORTERS.values() for path in importer.locations(home)]
