"""Imports the sessions of OpenAI's Codex: its rollouts, of all versions, compressed or not, archived or not.

A rollout is a file of JSON lines that Codex appends to; what it shows in lists comes from databases that can be made
anew and are not needed here.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from clew.importers.codex import files
from clew.importers.codex.replay import Replay
from clew.importers.codex.scan import parent_of, scan
from clew.importers.formats import FormatImporter, Source
from clew.importers.looking import may_be_dir
from clew.importers.records import Records
from clew.importers.steps import Loose, Notes, Parsed, Step


class CodexImporter(FormatImporter):
    """The rollouts of Codex."""

    name = "codex"
    summary = "Codex CLI (rollouts)"
    version = 1
    patterns = files.PATTERNS

    def detect(self, path: Path) -> bool:
        try:
            if path.is_file():
                return files.holds_rollout(path)
            return path.is_dir() and files.has_rollouts(path)
        except OSError:
            return False

    def locations(self, home: Path) -> list[Path]:
        folder = files.default_home(home)
        kept = [folder / name for name in (files.SESSIONS, files.ARCHIVED)]
        return [folder] if any(map(may_be_dir, kept)) else []

    def folders(self, path: Path) -> list[Path]:
        return files.folders(path)

    def sources(self, path: Path, notes: Notes) -> Iterator[Source]:
        homes = files.Homes()
        for file in files.rollouts(path):
            meta = files.meta_of(files.first_values(file))
            thread = files.thread_of(file, meta)
            context = homes.context(file, thread)
            base = _base(homes, file, meta, notes)
            if base is not None:
                context["begins_at"] = base.begins_at + base.end_byte
            yield Source(
                source_id=thread,
                path=file,
                records=files.Rollout(file, base),
                context=context,
                parent=parent_of(meta),
            )

    def parse(self, records: Records, context: dict[str, Any], notes: Notes) -> Parsed:
        found = scan(records, context)
        replay = Replay(found, notes)
        parsed = Parsed(found.info, iter(()))

        def steps() -> Iterator[Step | Loose]:
            yield from replay.steps(records)
            parsed.active = replay.tip  # where the last rollback has left it is known only now

        parsed.steps = steps()
        return parsed


def _base(homes: files.Homes, file: Path, meta: dict[str, Any], notes: Notes) -> files.Base | None:
    try:
        return homes.base(file, meta)
    except LookupError as error:
        notes.mended.append((file.name, f"what came before is in rollout {error.args[0]}, which is not here: left out"))
        return None
