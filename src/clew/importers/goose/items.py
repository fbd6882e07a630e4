"""The records of a session of Goose in one form: rows of its database, or lines of its files of before."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import msgspec

from clew.importers import values
from clew.importers.base import read_json
from clew.importers.records import Record, Records
from clew.importers.steps import Notes


class Said(msgspec.Struct):
    """A message as Goose keeps it. `usage` is what is told of it in the message itself."""

    key: str
    id: str | None
    role: str
    at: datetime | None
    content: list[dict[str, Any]]
    for_user: bool
    for_agent: bool
    usage: dict[str, Any]
    record: Record


class Told(msgspec.Struct):
    """A record that is no message: of which table it is (`sessions` too for the head of a file), and what it says."""

    table: str
    value: dict[str, Any]
    record: Record


def items(records: Records, notes: Notes) -> Iterator[Said | Told]:
    """The records in order. A message without an id of its own is named by its number."""
    count = 0
    seen: set[str] = set()
    for record in records:
        value = values.fields(notes.value(record))
        table = values.text(value.get("table"))
        row = values.fields(value.get("row")) if table is not None and "row" in value else None
        if row is None:
            table, row = ("messages", value) if "role" in value else ("sessions" if value else "", value)
        if table != "messages":
            yield Told(table or "", row, record)
            continue
        count += 1
        said = _said(row, record, f"#{count}", notes)
        if said.key in seen:
            said.key = f"{said.key}#{count}"
        seen.add(said.key)
        yield said


def _said(row: dict[str, Any], record: Record, number: str, notes: Notes) -> Said:
    content = _json(row.get("content_json", row.get("content")), record, notes)
    about = values.fields(_json(row.get("metadata_json", row.get("metadata")), record, notes))
    id = values.text(row.get("message_id")) or (None if "content_json" in row else values.text(row.get("id")))
    return Said(
        key=id or number,
        id=id,
        role=values.text(row.get("role")) or "",
        at=values.moment(row.get("created_timestamp", row.get("created"))) or values.moment(row.get("timestamp")),
        content=[{"type": "text", "text": content}] if isinstance(content, str) else values.objects(content),
        for_user=about.get("userVisible") is not False,
        for_agent=about.get("agentVisible") is not False,
        usage=values.fields(about.get("usage")),
        record=record,
    )


def _json(held: Any, record: Record, notes: Notes) -> Any:
    """The value of a column with JSON, which is a value already in a file of lines."""
    if not isinstance(held, str) or not held:
        return held
    try:
        return read_json(held.encode(errors="surrogatepass"))
    except ValueError as error:
        notes.broken.append((f"at {record.position}", f"a column {error}"))
        return None
