"""The files of Codex: where they are, which rollouts are one session, and what is known of them beside their lines."""

import os
import re
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec

from clew.errors import InvalidRequestError, StorageError
from clew.importers.base import read_json
from clew.importers.codex.lines import KINDS, META, line_of
from clew.importers.looking import is_dir, is_file
from clew.importers.records import ZSTD_SUFFIX, LineRecords, ListedRecords, Record, Records, Watermark
from clew.importers.values import count, fields, objects, storable, text

SESSIONS = "sessions"
ARCHIVED = "archived_sessions"
INDEX = "session_index.jsonl"
PATTERNS = ("*.jsonl", "*.jsonl" + ZSTD_SUFFIX, "rollout-*.json")
_FOLDERS_DEEP = 5  # sessions/YYYY/MM/DD, and some more
_FILES_LOOKED_AT = 1_000  # of a folder that may be none of Codex's
_LOOKED_AT = 5  # records at the begin of a file
_UUID = r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
_NAME = re.compile(rf"rollout-.*?({_UUID})(?:_({_UUID}))?\.jsonl")
_MAX_DOCUMENT_BYTES = 256 * 1024 * 1024


class Base(msgspec.Struct, frozen=True):
    """What a rollout goes on from: the records of another one before a place in it."""

    records: Records
    begins_at: int
    """The position that its first own record has."""
    end_byte: int
    """Its own records before this byte, counted from its begin."""


class Rollout(Records):
    """The records of one rollout, after those of the rollouts that it goes on from.

    Their positions go on from those of the base too, so that what two rollouts share has the same positions in both.
    """

    def __init__(self, path: Path, base: Base | None) -> None:
        self._own = own_records(path)
        self._base = base

    def __iter__(self) -> Iterator[Record]:
        begin = 0
        if self._base is not None:
            begin = self._base.begins_at + self._base.end_byte
            for record in self._base.records:
                if record.position >= begin:
                    break
                yield record
        for record in self._own:
            yield msgspec.structs.replace(record, position=begin + record.position) if begin else record

    def watermark(self) -> Watermark:
        return self._own.watermark()  # what it goes on from does not change


class _Document(Records):
    """A rollout of Codex as it was written first: one JSON document with all items."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __iter__(self) -> Iterator[Record]:
        return iter(self._listed())

    def watermark(self) -> Watermark:
        return self._listed().watermark()

    def _listed(self) -> ListedRecords:
        document = _document(self._path)
        header = {"instructions": None, **fields(document.get("session"))}
        return ListedRecords.of_values([header, *objects(document.get("items"))])


def _document(path: Path) -> dict[str, Any]:
    """The document; InvalidRequestError where the file is none."""
    try:
        if path.stat().st_size > _MAX_DOCUMENT_BYTES:
            raise InvalidRequestError(f"{path} is larger than the {_MAX_DOCUMENT_BYTES:,} bytes that are read of one")
        found = fields(read_json(path.read_bytes()))
    except ValueError as error:
        raise InvalidRequestError(f"{path} {error}") from error
    if not {"session", "items"} & found.keys():
        raise InvalidRequestError(f"{path} is JSON, but no rollout: it has neither a session nor items")
    return found


def own_records(path: Path) -> Records:
    """The records of a file alone."""
    return _Document(path) if path.suffix == ".json" else LineRecords(path)


def first_values(path: Path) -> list[Any]:
    """The first values of a file; none where it cannot be read."""
    values: list[Any] = []
    try:
        for number, record in enumerate(own_records(path)):
            if number == _LOOKED_AT:
                break
            try:
                values.append(record.value())
            except ValueError:
                continue
    except (StorageError, OSError, EOFError):
        pass
    return values


def is_rollout(path: Path) -> bool:
    """Whether a file of a folder is Codex's own: by what is in it, and it has a name that Codex may give."""
    return is_file(path) and any(path.match(pattern) for pattern in PATTERNS) and holds_rollout(path)


def holds_rollout(path: Path) -> bool:
    """Whether what is in a file is a rollout."""
    values = first_values(path)
    enveloped = (text(value.get("type")) in KINDS and "payload" in value for value in values if isinstance(value, dict))
    return any(enveloped) or bool(values and _is_header(values[0]))


def _is_named_so(path: Path) -> bool:
    """Whether a file has the name of a rollout, and something in it: one that nobody can read is not passed over."""
    return rollout_id(path) is not None and is_file(path) and path.stat().st_size > 0


def _is_header(value: Any) -> bool:
    return line_of(value).kind == META


def rollouts(path: Path) -> list[Path]:
    """The rollouts of a file or folder, by name. Of a rollout and its compressed copy the former counts."""
    if path.is_file():
        return [path]
    named = (file for folder in folders(path) for pattern in PATTERNS for file in folder.rglob(pattern))
    files = (file for file in named if not _has_plain_copy(file) and (is_rollout(file) or _is_named_so(file)))
    return sorted(files, key=lambda file: (file.name, str(file)))


def has_rollouts(path: Path) -> bool:
    """Whether there are rollouts in a folder: one of the first files is."""
    near = (
        file
        for folder in folders(path)
        for depth in range(_FOLDERS_DEEP)
        for pattern in PATTERNS
        for file in folder.glob("*/" * depth + pattern)
    )
    return any(is_rollout(file) for file in islice(near, _FILES_LOOKED_AT))


def folders(path: Path) -> list[Path]:
    """Where the rollouts of a folder are: in that of Codex itself nothing else is looked at."""
    own = [folder for name in (SESSIONS, ARCHIVED) if is_dir(folder := path / name)]
    return own or [path]


def _has_plain_copy(path: Path) -> bool:
    return path.suffix == ZSTD_SUFFIX and is_file(path.with_suffix(""))


def home_of(path: Path) -> Path | None:
    """The folder of Codex that a rollout lies in."""
    for folder in path.parents:
        if folder.name in (SESSIONS, ARCHIVED):
            return folder.parent
    return next((folder for folder in (path.parent, *path.parents) if (folder / INDEX).is_file()), None)


def default_home(home: Path) -> Path:
    """The folder that Codex uses by default."""
    moved = os.environ.get("CODEX_HOME") if home == Path.home() else None
    return Path(moved).expanduser() if moved else home / ".codex"


class Homes:
    """What lies beside rollouts: their names, and which rollout has which id."""

    def __init__(self) -> None:
        self._names: dict[Path, dict[str, str]] = {}
        self._rollouts: dict[Path, dict[str, Path]] = {}

    def context(self, path: Path, thread: str) -> dict[str, Any]:
        """What is known of a session from beside its rollout."""
        home, context = home_of(path), dict[str, Any]()
        name = self._named(home).get(thread) if home is not None else None
        if name is not None:
            context["name"] = name
        if ARCHIVED in path.parts:
            context["archived"] = True
        return context

    def base(self, path: Path, meta: dict[str, Any], seen: frozenset[Path] = frozenset()) -> Base | None:
        """What a rollout goes on from, None where it begins by itself; LookupError where that is not there."""
        place = fields(meta.get("history_base"))
        if not place:
            return None
        name = text(place.get("thread_id")) or "?"
        found = self._rollout(path, name)
        if found is None or found in seen or found == path:
            raise LookupError(name)
        below = self.base(found, meta_of(first_values(found)), seen | {path})
        begin = 0 if below is None else below.begins_at + below.end_byte
        return Base(Rollout(found, below), begin, _end_of(found, place))

    def _named(self, home: Path) -> dict[str, str]:
        if home not in self._names:
            self._names[home] = dict(_index_entries(home / INDEX))
        return self._names[home]

    def _rollout(self, path: Path, rollout: str) -> Path | None:
        home = home_of(path) or path.parent
        if home not in self._rollouts:
            folders = [home / SESSIONS, home / ARCHIVED] if home_of(path) is not None else [home]
            files = (file for folder in folders for file in sorted(folder.rglob("rollout-*.jsonl*")))
            self._rollouts[home] = {
                id: file for file in files if (id := rollout_id(file)) and not _has_plain_copy(file)
            }
        return self._rollouts[home].get(rollout)


def rollout_id(path: Path) -> str | None:
    """The id of a rollout, which its name has: the thread's, or its own where the thread was reverted."""
    named = _NAME.match(path.name)
    return None if named is None else named.group(2) or named.group(1)


def meta_of(values: list[Any]) -> dict[str, Any]:
    """What the first line that says who the session is says."""
    lines = (line_of(value) for value in values)
    return next((line.payload for line in lines if line.kind == META), {})


def thread_of(path: Path, meta: dict[str, Any]) -> str:
    """The id of the session that a rollout is."""
    named = _NAME.match(path.name)
    told = storable(meta.get("id")) or (named.group(1) if named else storable(meta.get("session_id")))
    return told or path.name.split(".")[0]


def _index_entries(path: Path) -> Iterator[tuple[str, str]]:
    try:
        for record in LineRecords(path):
            try:
                entry = fields(record.value())
            except ValueError:
                continue
            id, name = text(entry.get("id")), entry.get("thread_name")
            if id is not None and isinstance(name, str):
                yield id, name
    except (StorageError, OSError):
        return


def _end_of(path: Path, place: dict[str, Any]) -> int:
    """Where in a file the part ends that another one goes on from."""
    byte, ordinal = count(place.get("end_byte_offset")), count(place.get("end_ordinal_exclusive"))
    if byte or ordinal is None:
        return byte or 0
    end = 0
    for record in own_records(path):
        try:
            number = count(fields(record.value()).get("ordinal"))
        except ValueError:
            number = None
        if number is not None and number >= ordinal:
            return record.position
        end = record.position + len(record.text) + 1
    return end
