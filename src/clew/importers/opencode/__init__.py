"""Imports sessions of OpenCode: its databases of 1.x and 2.x, the files of before, and `opencode export`."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from clew.errors import StorageError
from clew.importers.formats import FormatImporter, Source
from clew.importers.looking import is_dir, is_file, unreadable
from clew.importers.opencode import files, rows
from clew.importers.opencode.parsing import parse
from clew.importers.records import Records
from clew.importers.steps import Notes, Parsed


class OpenCodeImporter(FormatImporter):
    """OpenCode's folder, or a database, a tree of files or an export of it."""

    name = "opencode"
    summary = "OpenCode (opencode.db, its JSON files, or opencode export)"
    patterns = ("*.db", "*.json")

    def detect(self, path: Path) -> bool:
        try:
            if path.is_dir():
                return any(map(files.is_tree, files.trees(path))) or any(map(_is_file_of_it, _files(path)))
            return _is_file_of_it(path)
        except (StorageError, OSError):
            return False

    def locations(self, home: Path) -> list[Path]:
        own = home == Path.home()
        data = Path(os.environ.get("XDG_DATA_HOME") or home / ".local/share") if own else home / ".local/share"
        folder = data / "opencode"
        named = os.environ.get("OPENCODE_DB", "") if own else ""
        places = [folder] if self.detect(folder) or any(self.unreadable(folder)) else []
        if named and named != ":memory:" and (path := folder / named).parent != folder and self.detect(path):
            places.append(path)
        return places

    def unreadable(self, path: Path) -> Iterator[tuple[Path, str]]:
        if not is_dir(path):
            yield from super().unreadable(path)
            return
        # What else OpenCode keeps there (snapshots, logs, programs) is not looked into.
        yield from unreadable([path], self.patterns, deep=False)
        yield from unreadable(files.tree_folders(path), self.patterns, deep=True)

    def sources(self, path: Path, notes: Notes) -> Iterator[Source]:
        seen: set[str] = set()
        for source in self._all(path, notes):
            # What the database has was read from the files when OpenCode was updated, and has gone on since.
            is_older = isinstance(source.records, files.TreeRecords) and source.source_id in seen
            if not is_older:
                seen.add(source.source_id)
                yield source

    def parse(self, records: Records, context: dict[str, Any], notes: Notes) -> Parsed:
        return parse(records, notes)

    def _all(self, path: Path, notes: Notes) -> Iterator[Source]:
        if path.is_file():
            yield from _sources_of_file(path, notes)
            return
        for file in _files(path):
            yield from _sources_of_file(file, notes)
        for tree in files.trees(path):
            if files.is_tree(tree):
                yield from files.tree_sources(tree)


def _files(folder: Path) -> list[Path]:
    """The files in a folder that may be OpenCode's."""
    found = sorted(folder.glob("*.db")) + sorted(folder.glob("*.json"))
    return [path for path in found if is_file(path)]


def _is_file_of_it(path: Path) -> bool:
    return rows.is_opencode(path) or files.is_export(path)


def _sources_of_file(path: Path, notes: Notes) -> Iterator[Source]:
    try:
        if rows.is_opencode(path):
            yield from rows.sources(path, notes)
        elif files.is_export(path):
            yield from files.export_sources(path, notes)
    except StorageError as error:
        notes.broken.append((path.name, error.message))
