"""Imports the sessions of pi, a coding agent: JSON lines that are a tree.

The first line tells who the session is. Each of the others is an entry with an id and the id of the entry that it
follows; the first version had neither, and there an entry follows the one before it. pi goes on from the last entry.

A compaction is a message: what was before it stays, and what pi keeps in mind of that can be read from its entry.
"""

import os
import re
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from clew.errors import StorageError
from clew.importers.formats import FormatImporter, Source
from clew.importers.looking import is_file, may_be_dir
from clew.importers.pi.messages import Steps
from clew.importers.pi.tree import Tree
from clew.importers.records import LineRecords, Record, Records
from clew.importers.steps import Notes, Parsed
from clew.importers.values import fields, storable, text

_SUFFIXES = ("*.jsonl", "*.jsonl.zst")
_FILES_LOOKED_AT = 1_000  # of a folder that may be none of pi's
_LINES_LOOKED_AT = 5
_UUID = r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
_NAME = re.compile(rf"\d{{4}}-\d\d-\d\dT[^_]*_({_UUID})\.jsonl")


class PiImporter(FormatImporter):
    """The sessions of pi."""

    name = "pi"
    summary = "pi coding agent (sessions)"
    version = 1
    patterns = _SUFFIXES

    def detect(self, path: Path) -> bool:
        try:
            if path.is_dir():
                found = (file for suffix in _SUFFIXES for file in path.rglob(suffix))
                return any(_is_session(file) for file in islice(found, _FILES_LOOKED_AT))
            return path.is_file() and _is_session(path)
        except OSError:
            return False

    def locations(self, home: Path) -> list[Path]:
        moved = os.environ.get("PI_CODING_AGENT_DIR") if home == Path.home() else None
        folder = (Path(moved).expanduser() if moved else home / ".pi" / "agent") / "sessions"
        return [folder] if may_be_dir(folder) else []

    def sources(self, path: Path, notes: Notes) -> Iterator[Source]:
        found = (file for suffix in _SUFFIXES for file in path.rglob(suffix)) if path.is_dir() else iter([path])
        for file in sorted(file for file in found if not _has_plain_copy(file) and (file == path or _is_its(file))):
            header = _header(file)
            yield Source(
                source_id=storable(header.get("id")) or _id_in_name(file),
                path=file,
                records=LineRecords(file),
                context=_origin(header, file),
            )

    def parse(self, records: Records, context: dict[str, Any], notes: Notes) -> Parsed:
        tree = Tree()
        for record in records:
            try:
                tree.add(record.position, fields(record.value()))
            except ValueError:
                continue  # the second reading notes it
        return Parsed(tree.info(context), Steps(tree, notes).all(records), active=tree.last)


def _is_session(path: Path) -> bool:
    values = _first_values(path)
    # The first line may be damaged.
    return any(_is_header(value) or _is_entry(value) for value in values)


def _is_header(value: dict[str, Any]) -> bool:
    # Headers of the first sessions have no directory.
    is_told = "cwd" in value or (text(value.get("timestamp")) is not None and "modelId" in value)
    return value.get("type") == "session" and text(value.get("id")) is not None and is_told


def _is_entry(value: dict[str, Any]) -> bool:
    is_message = value.get("type") == "message" and text(fields(value.get("message")).get("role")) is not None
    return is_message and "parentId" in value and text(value.get("timestamp")) is not None


def _is_its(path: Path) -> bool:
    """Whether a file of a folder is a session, or is named like one and has nothing in it that can be read."""
    if _is_session(path):
        return True
    is_named_so = _NAME.match(path.name) is not None and is_file(path) and path.stat().st_size > 0
    return is_named_so and not _first_values(path)


def _id_in_name(path: Path) -> str:
    """The id of a session whose header is lost: pi has it in the name of the file, too."""
    named = _NAME.match(path.name)
    return path.name.split(".")[0] if named is None else named[1]


def _has_plain_copy(path: Path) -> bool:
    return path.suffix == ".zst" and path.with_suffix("").is_file()


def _header(path: Path) -> dict[str, Any]:
    return next((value for value in _first_values(path) if value.get("type") == "session"), {})


def _first_values(path: Path) -> list[dict[str, Any]]:
    """What the first lines hold that are objects; nothing where the file cannot be read."""
    try:
        values = (_value(record) for record in islice(LineRecords(path), _LINES_LOOKED_AT))
        return [value for value in values if value]
    except (StorageError, OSError):
        return []


def _value(record: Record) -> dict[str, Any]:
    try:
        return fields(record.value())
    except ValueError:
        return {}


def _origin(header: dict[str, Any], path: Path) -> dict[str, Any]:
    """The session that this one was made from, by its id where its file is still there."""
    origin = storable(header.get("parentSession")) or storable(header.get("branchedFrom"))
    if origin is None:
        return {}
    name = origin.replace("\\", "/").rsplit("/", 1)[-1]
    for file in (Path(origin), path.parent / name):
        try:
            id = storable(_header(file).get("id")) if file.is_file() else None
        except OSError:
            continue  # a name that no file can have
        if id is not None:
            return {"forked_from": {"session": id, "path": origin}}
    return {"forked_from": {"path": origin}}
