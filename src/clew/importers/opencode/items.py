"""The records of a session of OpenCode, whichever of its generations they are from, in one form.

A record is `{"table": T, "row": {…}}` for a row of a database, and `{"table": T, "value": {…}}` for what its older
files and its export hold as JSON; `message` names there the message of a part, and `id` is the name of its file. T is
`session`, `message`, `part` (the 1.x generation and before), `session_v2`, `session_message` (2.x), or something else
that holds no message, such as `todo` and `project`. The session comes last: it changes while the messages do not.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import msgspec

from clew.importers import values
from clew.importers.base import read_json
from clew.importers.records import ListedRecords, Record, Records
from clew.importers.steps import Notes

_COLUMNS_WITH_JSON = ("revert", "model", "fork_boundary", "metadata")

DAMAGED = "damaged"
"""The type of a message or part whose column of JSON holds none."""


class Item(msgspec.Struct):
    """One record, read. `owner` is the message that a part belongs to, `at` when it was made."""

    table: str
    id: str
    owner: str
    at: datetime | None
    updated: float
    type: str
    value: dict[str, Any]
    record: Record


class Group(msgspec.Struct):
    """A message of either generation with its parts, and all records of it; no message for records beside them."""

    message: Item | None
    parts: list[Item]
    records: list[Record]


def read_item(record: Record, notes: Notes) -> Item | None:
    """The record as an item, None where it is none."""
    value = values.fields(notes.value(record))
    if not value:
        return None
    table = values.text(value.get("table")) or ""
    if "row" in value:
        return _of_row(table, values.fields(value["row"]), record, notes)
    content = values.fields(value.get("value"))
    return Item(
        table=table,
        id=values.text(content.get("id")) or values.text(value.get("id")) or "",
        owner=values.text(value.get("message")) or values.text(content.get("messageID")) or "",
        at=_time(content, "created") or _time(content, "start"),
        updated=values.number(values.fields(content.get("time")).get("updated")) or 0,
        type=values.text(content.get("type")) or "",
        value=content,
        record=record,
    )


def _of_row(table: str, row: dict[str, Any], record: Record, notes: Notes) -> Item:
    told = _json_or_text(row.get("data"))
    is_damaged = isinstance(told, str)
    if is_damaged:
        notes.broken.append((f"{table} {row.get('id')}", "the column data is not JSON"))
    data = values.fields(told)
    if table in ("session", "session_v2", "project"):
        data = {**row, **{name: _json_or_text(row.get(name)) for name in _COLUMNS_WITH_JSON}}
    return Item(
        table=table,
        id=values.text(row.get("id")) or "",
        owner=values.text(row.get("message_id")) or "",
        at=_time(data, "created") or _time(data, "start") or values.moment(row.get("time_created")),
        updated=values.number(row.get("time_updated")) or 0,
        type=values.text(row.get("type")) or (DAMAGED if is_damaged else values.text(data.get("type")) or ""),
        value=data,
        record=record,
    )


def _time(value: dict[str, Any], name: str) -> datetime | None:
    times = values.fields(value.get("time")) or values.fields(values.fields(value.get("state")).get("time"))
    return values.moment(times.get(name))


def _json_or_text(text: Any) -> Any:
    if not isinstance(text, str):
        return text
    try:
        return read_json(text.encode(errors="surrogatepass"))
    except ValueError:
        return text


def groups(records: Records, notes: Notes) -> Iterator[Group]:
    """The messages with their parts, in order; `records` are to be in the order of `in_order`."""
    current: Group | None = None
    for record in records:
        item = read_item(record, notes)
        if item is not None and item.table == "part" and current is not None and _is_of(item, current):
            current.parts.append(item)
            current.records.append(record)
        elif item is not None and current is not None and _is_version(item, current):
            current.message = _newer(current.message, item)
            current.records.append(record)
        elif item is not None and item.table in ("message", "session_message"):
            if current is not None:
                yield current
            current = Group(item, [], [record])
        else:
            if current is not None:
                yield current
            current = None
            yield Group(None, [] if item is None else [item], [record])
    if current is not None:
        yield current


def _is_of(part: Item, group: Group) -> bool:
    return group.message is not None and part.owner == group.message.id


def _is_version(item: Item, group: Group) -> bool:
    message = group.message
    return message is not None and item.id != "" and (item.table, item.id) == (message.table, message.id)


def _newer(one: Item | None, other: Item) -> Item:
    return one if one is not None and one.updated > other.updated else other


def latest(parts: list[Item]) -> list[Item]:
    """The parts, each once: of several versions of one, which an import of kept records may meet, the newest."""
    kept: dict[str, Item] = {}
    for number, part in enumerate(parts):
        key = part.id or f"#{number}"
        kept[key] = _newer(kept.get(key), part)
    return list(kept.values())


def in_order(records: Records) -> Records:
    """The records so that the parts of a message stand behind it.

    They do where they come from a source. What the store has kept of several imports of a session that has changed
    meanwhile may not.
    """
    if _is_grouped(records):
        return records
    listed = list(records)
    places: dict[str, int] = {}
    keyed: list[tuple[tuple[int, int, int], Record]] = []
    items = [read_item(record, Notes()) for record in listed]
    for item in items:
        if item is not None and item.table in ("message", "session_message"):
            places.setdefault(item.id, len(places))
    for number, (record, item) in enumerate(zip(listed, items, strict=True)):
        name = None if item is None else item.owner if item.table == "part" else item.id
        is_part = item is not None and item.table == "part"
        keyed.append(((places.get(name or "", len(places)), is_part, number), record))
    return ListedRecords([record for _, record in sorted(keyed, key=lambda pair: pair[0])])


def _is_grouped(records: Records) -> bool:
    seen: set[str] = set()
    current = ""
    for record in records:
        table, id, owner = _place(record)
        if table == "part" and owner != current:
            return False
        if table in ("message", "session_message") and id != current:
            if id in seen:
                return False
            seen.add(id)
            current = id
    return True


def _place(record: Record) -> tuple[str, str, str]:
    """The table, id and owner of a record, without reading what it says."""
    value = values.fields(Notes().value(record))
    held = values.fields(value.get("row") if "row" in value else value.get("value"))
    owner = values.text(held.get("message_id")) if "row" in value else values.text(value.get("message"))
    id = values.text(held.get("id")) or values.text(value.get("id"))
    return values.text(value.get("table")) or "", id or "", owner or values.text(held.get("messageID")) or ""
