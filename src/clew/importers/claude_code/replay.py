"""The steps of a session: the records are read once more, and each unit is given out when it is whole."""

from collections import deque
from collections.abc import Iterator
from itertools import islice
from typing import Any

from clew.importers.claude_code.chains import NONE
from clew.importers.claude_code.content import Blocks
from clew.importers.claude_code.kinds import Kind, json_value, kind_of, unknown_type
from clew.importers.claude_code.tree import Tree
from clew.importers.records import Record, Records
from clew.importers.steps import Loose, Notes, Step
from clew.importers.values import fields, moment, text
from clew.model import Message

_Read = tuple[Record, dict[str, Any]]


def key_of(tree: Tree, unit: int, record: Record, value: Any) -> str:
    """What names a unit: the uuid of its first record, and its position where that is not enough."""
    uuid = text(fields(value).get("uuid"))
    return uuid if uuid and unit not in tree.keys_again else f"{uuid or ''}@{record.position}"


def active_key(records: Records, tree: Tree) -> str | None:
    """The key of the unit that Claude Code resumes from, None where there is none."""
    if tree.active == NONE:
        return None
    first = tree.units.index(tree.active)
    record = next(islice(records, first, None), None)
    return None if record is None else key_of(tree, tree.active, record, json_value(record))


class Replay:
    """Gives out the steps of a tree. What has to wait for another record is held until then."""

    def __init__(self, records: Records, tree: Tree, compactions: dict[str, dict[str, Any]], notes: Notes) -> None:
        """`compactions` has what is known of each, by the uuid of its summary."""
        self._records = records
        self._tree = tree
        self._keys: dict[int, str] = {}
        self._compactions = compactions
        self._notes = notes
        self._blocks = Blocks(self._count)
        self._parts: dict[int, list[_Read]] = {}
        self._waiting: dict[int, list[int]] = {}
        self._nameless: dict[int, deque[str]] = {}

    def __iter__(self) -> Iterator[Step | Loose]:
        units = self._tree.units
        for number, record in enumerate(self._records):
            if number >= len(units):
                break  # written since the first reading: the next import has it
            value = self._notes.value(record)
            if value is not None and (name := unknown_type(value)) is not None:
                self._count(name)
            if units[number] == NONE or not isinstance(value, dict):
                yield Loose([record])
            else:
                yield from self._take(units[number], (record, value))
        for parts in self._parts.values():
            yield Loose([record for record, _ in parts])

    def _count(self, name: str) -> None:
        self._notes.unknown[name] += 1

    def _take(self, unit: int, read: _Read) -> Iterator[Step]:
        parts = self._parts.setdefault(unit, [])
        parts.append(read)
        if len(parts) < self._tree.sizes[unit]:
            return
        parent = self._tree.parents[unit]
        if parent != NONE and parent not in self._keys:
            self._waiting.setdefault(parent, []).append(unit)
            return
        ready = deque([unit])
        while ready:
            done = ready.popleft()
            yield self._step(done)
            ready.extend(self._waiting.pop(done, ()))

    def _step(self, unit: int) -> Step:
        parts = self._parts.pop(unit)
        record, value = parts[0]
        parent, key = self._tree.parents[unit], key_of(self._tree, unit, record, value)
        self._keys[unit] = key
        return Step(
            key=key,
            parent=None if parent == NONE else self._keys[parent],
            messages=self._messages(unit, key, [value for _, value in parts]),
            records=[record for record, _ in parts],
            created_at=moment(value.get("timestamp")),
        )

    def _messages(self, unit: int, key: str, values: list[dict[str, Any]]) -> list[Message]:
        kind = kind_of(values[0])
        if kind is Kind.ANSWER:
            nameless: deque[str] = deque()
            made = self._blocks.of_answer(values, nameless, key)
            if nameless:
                self._nameless[unit] = nameless
            return made
        if kind in (Kind.QUEUED, Kind.COMMAND):
            return self._blocks.of_other(values[0])
        nameless = self._nameless.get(self._tree.answers[unit], deque())
        return self._blocks.of_user(values[0], nameless, key, self._compactions.get(key))
