"""Putting the items of one answer together: what was thought, said and called, and what the calls came to."""

from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import msgspec

from clew import limits
from clew.importers import chat
from clew.importers.chat import Part
from clew.importers.codex import usage
from clew.importers.records import Record
from clew.importers.steps import Loose, Step
from clew.model import Message


class Result(msgspec.Struct):
    """What a call came to."""

    key: str
    message: Message
    records: list[Record]
    at: datetime | None


class Heard(msgspec.Struct):
    """A message to the model; `is_prompt` where it is the user's or another agent's, and not Codex's own."""

    record: Record
    at: datetime | None
    message: Message
    is_prompt: bool


class Answer:
    """One answer of the model, while its items come, and the results of its calls after it.

    It ends where something comes that is no part of it; until then its usage may come, and that it was aborted.
    """

    def __init__(self, key: str, at: datetime | None, model: str | None) -> None:
        self.key = key
        self.at = at
        self.model = model
        self.id: str | None = None
        self.thoughts: list[str] = []
        self.parts: list[Part] = []
        self.calls: list[dict[str, Any]] = []
        self.tokens: usage.Tokens = {}
        self.is_aborted = False
        self.records: list[Record] = []
        self.results: list[Result] = []
        self.heard: list[Heard] = []
        """What came before the results that are still to come: it follows them."""
        self._is_prompted = False
        self.loose: list[Record] = []
        """Records of no message that came meanwhile. They may not go ahead of it: it may be in the store already."""
        self.loose_bytes = 0
        self._by_server: dict[str, tuple[str, list[Part], bool]] = {}
        """The calls that the server carried out: the tool, and what came of it."""

    def takes_text(self) -> bool:
        """Whether a text or thought that comes belongs to it: nothing may come between calls and their results."""
        if self.results or self.heard:
            return False
        return self._waits() or not (self.parts or self.calls)

    def takes_call(self) -> bool:
        """Whether a call that comes belongs to it: calls in a row are made at once."""
        return not self.results and not self._is_prompted

    def hear(self, heard: Heard) -> None:
        """Take what comes before results that are still to come."""
        self.heard.append(heard)
        self._is_prompted = self._is_prompted or heard.is_prompt

    def first_waiting(self) -> str | None:
        """The first call whose result has not come."""
        told = {result.message["tool_call_id"] for result in self.results}
        return next((call["id"] for call in self.calls if call["id"] not in told), None)

    def has_ended(self) -> bool:
        """Whether what the model took for it and what its calls came to are known: what it takes next is another's."""
        return bool(self.results and self.tokens)

    def _waits(self) -> bool:
        """Whether there are calls whose results have not come."""
        return len(self.calls) > len(self._by_server)

    def add_server_call(self, call: dict[str, Any], parts: list[Part], is_error: bool) -> None:
        self.calls.append(call)
        self._by_server[call["id"]] = (call["function"]["name"], parts, is_error)

    def settle(self, id: str, parts: list[Part]) -> bool:
        """Take the results of a call that the server carried out; False where it is none of this answer."""
        if id not in self._by_server:
            return False
        name, _, is_error = self._by_server[id]
        self._by_server[id] = (name, parts, is_error)
        return True

    def keep(self, record: Record) -> bool:
        """Keep a record of no message; False where there are so many that nobody can wait for what may still come."""
        self.loose.append(record)
        self.loose_bytes += len(record.text)
        return self.loose_bytes <= limits.MAX_IMPORT_GROUP_BYTES

    def steps(self, parent: str | None) -> Iterator[Step | Loose]:
        """The answer and its results as steps, one after the other."""
        messages = [self._message(), *self._server_results()]
        key = self.key
        yield Step(key=key, parent=parent, messages=messages, records=self.records, created_at=self.at)
        for result in self.results:
            yield Step(
                key=result.key, parent=key, messages=[result.message], records=result.records, created_at=result.at
            )
            key = result.key
        if self.loose:
            yield Loose(self.loose)

    def last_key(self) -> str:
        """The key of the last of its steps."""
        return self.results[-1].key if self.results else self.key

    def _message(self) -> Message:
        return chat.assistant(
            self.parts,
            self.calls,
            self.thoughts,
            id=self.id,
            at=self.at,
            model=self.model,
            usage=usage.usage_of(self.tokens),
            status="aborted" if self.is_aborted else None,
        )

    def _server_results(self) -> Iterator[Message]:
        for id, (name, parts, is_error) in self._by_server.items():
            yield chat.tool_result(id, parts, name=name, is_error=is_error, at=self.at)


class Thoughts:
    """Takes what items and events tell of the model's thinking, each thought once.

    Both tell the same, in either order; the text of an item may be encrypted, and then only events tell it.
    """

    def __init__(self) -> None:
        self._of_items: Counter[int] = Counter()
        self._of_events: Counter[int] = Counter()

    def of_item(self, shown: list[str], told: list[str]) -> list[str]:
        """The thoughts of an item that no event has told; `told` is all that it says, `shown` what is to be kept."""
        new = [thought for thought in shown if self._of_items[_name(thought)] >= self._of_events[_name(thought)]]
        self._of_items.update(map(_name, told))
        return new

    def of_event(self, told: list[str]) -> list[str]:
        """The thoughts of an event that no item has told."""
        new = [thought for thought in told if self._of_events[_name(thought)] >= self._of_items[_name(thought)]]
        self._of_events.update(map(_name, told))
        return new


def _name(thought: str) -> int:
    return hash(thought.strip())
