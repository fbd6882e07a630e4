"""Imports the log of Simon Willison's llm: threads of messages since 0.32, conversations of responses before.

A thread and a conversation of the same name are one session: llm goes on with a conversation as a thread that holds all
of it.
"""

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from clew.errors import InvalidRequestError, StorageError
from clew.importers.formats import FormatImporter, Source
from clew.importers.llm import rows
from clew.importers.llm.parsing import parse
from clew.importers.looking import is_file, why_unreadable
from clew.importers.records import Records
from clew.importers.steps import Notes, Parsed

_FOLDER = "io.datasette.llm"


class LlmImporter(FormatImporter):
    """llm's folder, or the `logs.db` in it."""

    name = "llm"
    summary = "simonw/llm (logs.db)"
    patterns = ("*.db",)
    is_deep = False

    def detect(self, path: Path) -> bool:
        try:
            return any(map(rows.is_llm, _files(path)))
        except (StorageError, OSError):
            return False

    def locations(self, home: Path) -> list[Path]:
        files = [folder / "logs.db" for folder in dict.fromkeys(_folders(home))]
        return [file for file in files if rows.is_llm(file) or why_unreadable(file)]

    def sources(self, path: Path, notes: Notes) -> Iterator[Source]:
        files = [file for file in _files(path) if rows.is_llm(file)]
        if is_file(path) and not files:
            raise InvalidRequestError(f"{path} is no log of llm")
        for file in files:
            yield from rows.sources(file)

    def parse(self, records: Records, context: dict[str, Any], notes: Notes) -> Parsed:
        return parse(records, notes)


def _files(path: Path) -> list[Path]:
    return sorted(path.glob("*.db")) if path.is_dir() else [path]


def _folders(home: Path) -> Iterator[Path]:
    """Where llm keeps its log by default."""
    config = home / ".config"
    if home == Path.home():
        if own := os.environ.get("LLM_USER_PATH"):
            yield Path(own)
        config = Path(os.environ.get("XDG_CONFIG_HOME") or config)
        if sys.platform == "win32" and (roaming := os.environ.get("APPDATA")):
            yield Path(roaming) / _FOLDER
    yield config / _FOLDER
    yield home / "Library/Application Support" / _FOLDER
    yield home / "AppData/Roaming" / _FOLDER
