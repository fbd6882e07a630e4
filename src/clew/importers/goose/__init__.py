"""Imports sessions of Goose: its database, and the JSON lines of before 1.10.

Messages that a compaction has hidden from the agent stay where they were; the conversation begins anew with the summary
that stands for them. Goose leaves the files of before where they are when it reads them into the database, so a session
that is in the database is not read from its file.
"""

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from clew.errors import StorageError
from clew.importers import values
from clew.importers.database import is_database
from clew.importers.formats import FormatImporter, Source
from clew.importers.goose import rows
from clew.importers.goose.parsing import parse
from clew.importers.looking import is_file
from clew.importers.records import LineRecords, Records, first_record
from clew.importers.steps import Notes, Parsed

_HEAD = {"working_dir", "description"}
_MESSAGE = {"role", "created", "content"}


class GooseImporter(FormatImporter):
    """Goose's folder, or a database or file of sessions in it."""

    name = "goose"
    summary = "Goose (sessions.db or sessions/*.jsonl)"
    patterns = ("*.db", "*.jsonl")
    is_deep = False

    def detect(self, path: Path) -> bool:
        try:
            if path.is_dir():
                return any(_is_database(file) or _head_of(file) is not None for file in _files(path))
            return _is_database(path) or _head_of(path) is not None
        except (StorageError, OSError):
            return False

    def locations(self, home: Path) -> list[Path]:
        found = dict.fromkeys(_folders(home))
        return [folder for folder in found if self.detect(folder) or any(self.unreadable(folder))]

    def folders(self, path: Path) -> list[Path]:
        return _looked_into(path)

    def sources(self, path: Path, notes: Notes) -> Iterator[Source]:
        files = _files(path) if path.is_dir() else [path]
        stored: set[str] = set()
        for file in files:
            try:
                found = list(self._of_file(file, notes))
            except StorageError as error:
                notes.broken.append((file.name, error.message))
                continue
            for source in found:
                if not (isinstance(source.records, LineRecords) and source.source_id in stored):
                    yield source
            stored.update(source.source_id for source in found if not isinstance(source.records, LineRecords))

    def parse(self, records: Records, context: dict[str, Any], notes: Notes) -> Parsed:
        return parse(records, notes)

    def _of_file(self, file: Path, notes: Notes) -> Iterator[Source]:
        if _is_database(file):
            yield from rows.sources(file, notes)
        elif (head := _head_of(file)) is not None:
            id = values.storable(head.get("id")) or file.stem
            parent = values.text(head.get("parent_session_id"))
            yield Source(source_id=id, path=file, records=LineRecords(file), parent=parent)


def _files(folder: Path) -> list[Path]:
    """The files of a folder that may be Goose's, databases first."""
    found = [sorted(place.glob(pattern)) for pattern in GooseImporter.patterns for place in _looked_into(folder)]
    return list(dict.fromkeys(path for paths in found for path in paths if is_file(path)))


def _looked_into(folder: Path) -> list[Path]:
    return [folder, folder / "sessions", folder / "data" / "sessions"]


def _is_database(path: Path) -> bool:
    return path.suffix != ".jsonl" and rows.is_goose(path)


def _head_of(path: Path) -> dict[str, Any] | None:
    """The first line of a file of before, which tells of the session; None where it is no such file."""
    if is_database(path):
        return None
    head = values.fields(first_record(path))
    if head.keys() >= _HEAD and not {"role", "type", "messages"} & head.keys():
        return head
    # The first versions wrote nothing but messages.
    is_message = head.keys() >= _MESSAGE and "type" not in head and isinstance(head["content"], list)
    return {} if is_message and isinstance(head["created"], int) else None


def _folders(home: Path) -> Iterator[Path]:
    """Where Goose keeps its data by default."""
    if home == Path.home():
        if root := os.environ.get("GOOSE_PATH_ROOT"):
            yield Path(root) / "data" / "sessions"
        data = Path(os.environ.get("XDG_DATA_HOME") or home / ".local/share")
        if sys.platform == "win32" and (roaming := os.environ.get("APPDATA")):
            yield Path(roaming) / "Block/goose/data/sessions"
    else:
        data = home / ".local/share"
    yield data / "goose" / "sessions"
    yield home / "AppData/Roaming/Block/goose/data/sessions"
