"""Imports the sessions of Gemini CLI: JSON lines, the documents of earlier versions, and what `/chat save` keeps."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from clew.importers.formats import FormatImporter, Source
from clew.importers.gemini_cli.files import PATTERNS, files_of, home_of, read_file
from clew.importers.gemini_cli.replay import Replay
from clew.importers.gemini_cli.tree import steps_of
from clew.importers.looking import may_be_dir
from clew.importers.records import Records
from clew.importers.steps import Notes, Parsed, SessionInfo
from clew.importers.values import fields, moment, storable, text

_TOLD = ("kind", "directories")


class GeminiCliImporter(FormatImporter):
    """Sessions below `~/.gemini/tmp`, of any version."""

    name = "gemini-cli"
    summary = "Gemini CLI (~/.gemini/tmp)"
    patterns = PATTERNS

    def detect(self, path: Path) -> bool:
        try:
            return any(read_file(file, Notes()) is not None for file in files_of(path))
        except OSError:
            return False

    def locations(self, home: Path) -> list[Path]:
        path = home_of(home) / "tmp"
        return [path] if may_be_dir(path) else []

    def sources(self, path: Path, notes: Notes) -> Iterator[Source]:
        found = [source for file in files_of(path) if (source := read_file(file, notes)) is not None]
        # A session that is resumed is written anew as lines, and the document stays beside them.
        in_lines = {source.source_id for source in found if not source.context.get("document")}
        for source in found:
            if not source.context.get("document") or source.source_id not in in_lines:
                yield source

    def parse(self, records: Records, context: dict[str, Any], notes: Notes) -> Parsed:
        replay = Replay(notes)
        for record in records:
            replay.take(record)
        return Parsed(_info(replay, context), steps_of(records, replay), replay.active)


def _info(replay: Replay, context: dict[str, Any]) -> SessionInfo:
    told = replay.told
    named = ((context.get("tag"), "user"), (told.get("summary"), "generated"), (replay.prompt, "first_prompt"))
    title, origin = next(((name, origin) for name, origin in named if text(name)), (None, None))
    metadata: dict[str, Any] = {name: told[name] for name in _TOLD if told.get(name)}
    metadata.setdefault("kind", "subagent" if context.get("parent") else "main")
    if tag := text(context.get("tag")):
        metadata["tag"] = tag
    if replay.model is not None:
        metadata["model"] = replay.model
    return SessionInfo(
        title=title,
        title_origin=origin,
        cwd=storable(context.get("cwd")),
        created_at=moment(told.get("startTime")),
        updated_at=moment(told.get("lastUpdated")),
        parent=storable(fields(context).get("parent")),
        metadata=metadata,
    )
