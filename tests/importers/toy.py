"""A format for tests: a line is `{"id", "parent", "role", "text"}`, with more where a step has it, or `{"title"}`."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from clew.importers import chat
from clew.importers.formats import FormatImporter, Source
from clew.importers.records import LineRecords, Records
from clew.importers.steps import Loose, Notes, Parsed, SessionInfo, Step
from clew.importers.values import moment


class ToyImporter(FormatImporter):
    """Version 1 leaves `thought` out; a later one reads it."""

    name = "toy"
    summary = "toy sessions"

    def __init__(self, version: int = 1) -> None:
        self.version = version  # type: ignore[misc]
        self.context: dict[str, Any] = {}

    def detect(self, path: Path) -> bool:
        return path.suffix == ".toy"

    def locations(self, home: Path) -> list[Path]:
        return []

    def sources(self, path: Path, notes: Notes) -> Iterator[Source]:
        for file in sorted(path.glob("*.toy")) if path.is_dir() else [path]:
            name = file.name.split(".")[0]
            yield Source(source_id=name, path=file, records=LineRecords(file), context=self.context)

    def parse(self, records: Records, context: dict[str, Any], notes: Notes) -> Parsed:
        told: dict[str, Any] = {"cwd": context.get("cwd")}
        for record in records:
            value = notes.value(record)
            told.update({key: value[key] for key in ("title", "cwd", "active") if key in (value or {})})
        info = SessionInfo(title=told.get("title"), title_origin="user", cwd=told["cwd"])
        return Parsed(info, self._steps(records), told.get("active"))

    def _steps(self, records: Records) -> Iterator[Step | Loose]:
        for record in records:
            try:
                value = record.value()
            except ValueError:
                value = {}
            if "id" not in value:
                yield Loose([record])
                continue
            thought = value.get("thought") if self.version > 1 else None
            made = [chat.message(value["role"], value["text"], reasoning_content=thought)] if "text" in value else []
            yield Step(
                key=value["id"],
                parent=value.get("parent"),
                messages=made,
                records=[record],
                created_at=moment(value.get("at")),
                label=value.get("label"),
                restarts=value.get("restarts", False),
            )


def row(id: str, parent: str | None, text: str | None = None, role: str = "user", **more: Any) -> dict[str, Any]:
    """A line with a step."""
    said = {} if text is None else {"role": role, "text": text}
    return {"id": id, "parent": parent, **said, **more}


def write(path: Path, *rows: dict[str, Any], mode: str = "w") -> None:
    """Write or append lines."""
    with path.open(mode) as file:
        file.writelines(json.dumps(value) + "\n" for value in rows)
