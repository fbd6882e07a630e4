"""A session of OpenCode as steps: one for each prompt, and one for each call of the model."""

from collections.abc import Iterator
from typing import Any

from clew.importers import values
from clew.importers.database import DAMAGED as LOST
from clew.importers.opencode import first, second
from clew.importers.opencode.items import DAMAGED, Group, Item, groups, in_order, latest
from clew.importers.opencode.oldest import expanded
from clew.importers.opencode.outline import SESSIONS, START, Outline, role_of, step_key
from clew.importers.records import Record, Records
from clew.importers.steps import Loose, Notes, Parsed, Step
from clew.model import Message

_SILENT_TABLES = {*SESSIONS, "todo", "project", "part"}


def parse(records: Records, notes: Notes) -> Parsed:
    """The session that these records are."""
    records = in_order(records)
    outline = Outline(records)
    return Parsed(outline.info(), _Steps(outline, notes).of(records), outline.active)


class _Steps:
    """Tells the steps of a session, one after the other."""

    def __init__(self, outline: Outline, notes: Notes) -> None:
        self._outline = outline
        self._notes = notes
        self._last: str | None = None
        self._count = 0
        self._tails: dict[str, list[Message]] = {}
        """The messages since each that a compaction will keep the conversation from."""
        self._question: list[Message] = []
        self._tail: list[Message] = []
        """What stays before and after the next answer, when that is a summary."""
        self._mark: dict[str, Any] = {}

    def of(self, records: Records) -> Iterator[Step | Loose]:
        if self._outline.active == START:
            self._last = START
            yield Step(key=START, parent=None, messages=[], records=[])
        for group in groups(records, self._notes):
            if group.message is None or self._outline.is_superseded(group.message):
                self._note_loose(group)
                yield Loose(group.records)
            else:
                whole = expanded(group)
                yield from self._of_message(whole, whole.message or group.message)

    def _note_loose(self, group: Group) -> None:
        for item in group.parts:
            if item.table == LOST:
                self._notes.broken.append((item.id, "is on a damaged page"))
            elif group.message is None and item.table not in _SILENT_TABLES:
                self._notes.unknown[f"table {item.table}"] += 1
            elif group.message is None and item.table == "part":
                self._notes.mended.append((f"part {item.id}", "is of a message that is not there: left out"))

    def _of_message(self, group: Group, message: Item) -> Iterator[Step]:
        self._count += 1
        if message.id in self._outline.tails:
            self._tails[message.id] = []
        records = group.records
        for number, (messages, restarts) in enumerate(self._messages(group, message)):
            for tail in self._tails.values():
                tail += messages
            yield self._step(step_key(message.id or f"#{self._count}", number), messages, records, message, restarts)
            records = []

    def _step(self, key: str, messages: list[Message], records: list[Record], message: Item, restarts: bool) -> Step:
        parent, self._last = self._last, key
        made = values.moment(messages[0].get("timestamp")) if messages else None
        at = made or message.at
        return Step(key=key, parent=parent, messages=messages, records=records, created_at=at, restarts=restarts)

    def _messages(self, group: Group, message: Item) -> Iterator[tuple[list[Message], bool]]:
        """The messages of each step of a message, and whether they are all that stays of the conversation."""
        if message.table == "session_message":
            yield second.messages(message, self._notes), second.is_compaction(message)
            return
        parts = latest(group.parts)
        first.unknown_parts(parts, self._notes)
        role = role_of(message)
        if role == "assistant":
            yield from self._answers(message, parts)
            return
        if role != "user" and message.type != DAMAGED:
            self._notes.unknown[f"message {role}"] += 1
        messages = first.user(message, parts) if role == "user" else []
        yield messages, False
        self._look_for_question(messages, parts)

    def _look_for_question(self, messages: list[Message], parts: list[Item]) -> None:
        """Whether the message asks for a summary: then know what is to stay beside that."""
        self._question, self._tail, self._mark = [], [], {}
        for part in parts:
            if part.type == "compaction":
                tail = self._tails.pop(values.text(part.value.get("tail_start_id")) or "", messages)
                self._question, self._tail = messages, tail[: len(tail) - len(messages)]
                self._mark = {"reason": "auto" if part.value.get("auto") else "manual"}

    def _answers(self, message: Item, parts: list[Item]) -> Iterator[tuple[list[Message], bool]]:
        cut = self._outline.cut if message.id == self._outline.reverted else None
        made = first.calls(parts, cut)
        told = any(call.finish for call in made)
        compaction = (self._mark or {"reason": "manual"}) if _is_summary(message.value) else {}
        for number, call in enumerate(made):
            is_last = number == len(made) - 1
            usage = first.usage_of(call.finish if told else message.value if is_last else {})
            messages = first.answer(message, call, usage=usage, first=number == 0, compaction=compaction)
            restarts = bool(compaction and messages)
            # What is kept is newer than what the summary stands for, and OpenCode has the model read it in that order.
            yield ([*self._question, *messages, *self._tail] if restarts else messages), restarts
            if restarts:
                compaction = {}
        self._question, self._tail, self._mark = [], [], {}


def _is_summary(info: dict[str, Any]) -> bool:
    """Whether an answer is a summary from which OpenCode goes on."""
    done = info.get("finish") or values.fields(info.get("time")).get("completed")
    return info.get("summary") is True and bool(done) and not info.get("error")
