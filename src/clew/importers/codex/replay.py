"""The second reading of a rollout: its lines as steps.

A rollback goes on from before the turns that it takes back, which stay as a branch. A compaction begins anew with the
history that Codex went on with.
"""

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

from clew.importers import chat
from clew.importers.codex import items, lines, usage
from clew.importers.codex.answers import Answer, Heard, Result, Thoughts
from clew.importers.codex.compaction import NO_SUMMARY, Turns, mark_summary
from clew.importers.codex.lines import Line, line_of
from clew.importers.codex.scan import Scan, result_event
from clew.importers.codex.spoken import saying_of
from clew.importers.records import ListedRecords, Record, Records
from clew.importers.steps import Loose, Notes, SessionInfo, Step
from clew.importers.values import count, fields, objects, text
from clew.model import Message

BEGIN = "begin"
"""The key of the step before the first one."""

_MAX_BEGINNING = 200  # messages before the first prompt that are repeated after a compaction


class Replay:
    """Makes the steps of the lines that go by. Keys are positions: a rollout is only appended to."""

    def __init__(self, scan: Scan, notes: Notes) -> None:
        self._scan = scan
        self._notes = notes
        self.tip = BEGIN
        """The key of the step that the next one follows."""
        self._answer: Answer | None = None
        self._names: dict[str, str] = {}
        self._thoughts = Thoughts()
        self._meter = usage.Meter()
        self._early: usage.Tokens = {}
        self._model: str | None = None
        self._turns = Turns()
        self._context_from: str | None = None
        self._beginning: list[Message] = []
        self._made: list[Step | Loose] = []

    def steps(self, records: Records) -> Iterator[Step | Loose]:
        """All steps, parents first; `tip` is the last one that counts, afterwards."""
        yield Step(key=BEGIN, parent=None, messages=[], records=[])
        for record in records:
            value = self._notes.value(record)
            if value is None or not self._take(record, line_of(value)):
                self._set_aside(record)
            yield from self._made
            self._made.clear()
        self._end_answer()
        yield from self._made

    def _set_aside(self, record: Record) -> None:
        """Keep a record that is part of no message."""
        if self._answer is None:
            self._made.append(Loose([record]))
        elif not self._answer.keep(record):
            self._end_answer()

    # ------------------------------------------------------------------------------------------------- kinds of lines

    def _take(self, record: Record, line: Line) -> bool:
        """Take a line; False where it is part of no message."""
        if (unknown := line.unknown) is not None:
            self._notes.unknown[unknown] += 1
            return False
        if line.kind == lines.ITEM:
            return self._take_item(record, line)
        if line.kind == lines.EVENT:
            return self._take_event(record, line)
        if line.kind == lines.COMPACTED:
            return self._compact(record, line)
        if line.kind == lines.MAIL:
            return self._take_mail(record, line)
        if line.kind == lines.TURN:
            self._model = text(line.payload.get("model")) or self._model
        return False

    def _take_item(self, record: Record, line: Line) -> bool:
        kind, item = line.type or "", line.payload
        if kind == "message":
            return self._say(record, line, text(item.get("role")) or "", item.get("content"))
        if kind == "reasoning":
            return self._think(record, line, self._thoughts.of_item(*items.thoughts_of(item)))
        if kind in items.CALLS:
            return self._call(record, line)
        if kind in items.OUTPUTS:
            parts, is_error = items.output_of(kind, item)
            return self._result(record, line, self._id_of_output(record, item), parts, is_error)
        if kind == "agent_message":
            return self._take_mail(record, line)
        return False

    def _take_event(self, record: Record, line: Line) -> bool:
        if record.position in self._scan.spoken and (saying := saying_of(line)) is not None:
            return self._say(record, line, saying.role, saying.content)
        if record.position in self._scan.results and (event := result_event(line)) is not None:
            return self._result(record, line, items.call_id(event) or "", *items.event_result(event))
        take = _EVENTS.get(line.type or "")
        return take is not None and take(self, record, line)

    # ------------------------------------------------------------------------------------------------------- messages

    def _say(self, record: Record, line: Line, role: str, content: Any) -> bool:
        parts = items.parts_of(content)
        if not parts or not role:
            return False
        if role == "assistant":
            answer = self._open(record, line, Answer.takes_text)
            answer.parts += parts
            answer.id = answer.id or text(line.payload.get("id"))
            answer.records.append(record)
            return True
        if items.tells_of_abortion(content):
            self._mark_aborted()
        made = chat.message(role, chat.content_of(parts), id=text(line.payload.get("id")), at=line.at)
        self._hear(Heard(record, line.at, made, is_prompt=role == "user" and not items.is_context(content)))
        return True

    def _take_mail(self, record: Record, line: Line) -> bool:
        """What another agent has written to this one."""
        parts = items.parts_of(line.payload.get("content"))
        if parts:
            author, id = text(line.payload.get("author")), text(line.payload.get("id"))
            told = chat.message("user", chat.content_of(parts), name=author, id=id, at=line.at)
            self._hear(Heard(record, line.at, told, is_prompt=True))
        return bool(parts)

    def _hear(self, heard: Heard) -> None:
        """Add what is said to the model, after the results of its last answer that are still to come."""
        if heard.is_prompt:
            self._thoughts = Thoughts()
        if self._answer is not None and heard.record.position in self._scan.held:
            self._answer.hear(heard)
            return
        self._end_answer()
        self._add_heard(heard)

    def _add_heard(self, heard: Heard) -> None:
        if heard.is_prompt:
            self._begin_turn(heard.message)
        else:
            self._context_from = self._context_from or self.tip
            if not self._turns and len(self._beginning) < _MAX_BEGINNING:
                self._beginning.append(heard.message)
        self._add([heard.message], heard.record, heard.at)

    def _begin_turn(self, prompt: Message) -> None:
        # What Codex told the model just before belongs to the turn, but for what it tells at the very beginning.
        is_first = not self._turns or self._context_from is None
        before = self.tip if is_first else self._context_from
        self._turns.add(before or self.tip, chat.text_of(prompt))
        self._context_from = None

    def _add(self, messages: list[Message], record: Record, at: datetime | None, *, restarts: bool = False) -> None:
        key, parent, self.tip = str(record.position), self.tip, str(record.position)
        step = Step(key=key, parent=parent, messages=messages, records=[record], created_at=at, restarts=restarts)
        self._made.append(step)

    # -------------------------------------------------------------------------------------------------------- answers

    def _open(self, record: Record, line: Line, takes: Callable[[Answer], bool]) -> Answer:
        """The answer that this item belongs to, a new one where it is no part of the last one."""
        if self._answer is None or not takes(self._answer):
            self._end_answer()
            self._answer = Answer(str(record.position), line.at, self._model)
            self._answer.tokens, self._early = self._early, {}
            self._context_from = None
        return self._answer

    def _end_answer(self) -> None:
        answer, self._answer = self._answer, None
        if answer is not None:
            self._made += answer.steps(self.tip)
            self.tip = answer.last_key()
            for heard in answer.heard:
                self._add_heard(heard)

    def _think(self, record: Record, line: Line, thoughts: list[str]) -> bool:
        if not thoughts:
            return False
        answer = self._open(record, line, Answer.takes_text)
        answer.thoughts += thoughts
        answer.records.append(record)
        return True

    def _call(self, record: Record, line: Line) -> bool:
        kind, item = line.type or "", line.payload
        answer = self._open(record, line, Answer.takes_call)
        call = items.call_of(kind, item, record.position)
        self._names[call["id"]] = call["function"]["name"]
        if kind in items.SERVER_CALLS:
            answer.add_server_call(call, *items.server_result(kind, item))
        else:
            answer.calls.append(call)
        answer.records.append(record)
        return True

    def _id_of_output(self, record: Record, item: dict[str, Any]) -> str:
        """The call that a result is of. Other programs leave it out: then it is the first one that has none yet."""
        id = items.call_id(item)
        if id is None and self._answer is not None:
            id = self._answer.first_waiting()
        return id or f"call_{record.position}"

    def _result(self, record: Record, line: Line, id: str, parts: list[chat.Part], is_error: bool) -> bool:
        made = chat.tool_result(id, parts, name=self._names.pop(id, None), is_error=is_error, at=line.at)
        if self._answer is not None:
            self._answer.results.append(Result(str(record.position), made, [record], line.at))
        else:
            self._add([made], record, line.at)
        return True

    # --------------------------------------------------------------------------------------------------------- events

    def _take_thought(self, record: Record, line: Line) -> bool:
        return self._think(record, line, self._thoughts.of_event(items.texts_of_event(line.type, line.payload)))

    def _take_completed(self, record: Record, line: Line) -> bool:
        return fields(line.payload.get("item")).get("type") == "Reasoning" and self._take_thought(record, line)

    def _take_search(self, record: Record, line: Line) -> bool:
        id, results = items.call_id(line.payload), line.payload.get("results")
        if self._answer is None or id is None or not results:
            return False
        if not self._answer.settle(id, [chat.text_part(chat.json_text(results))]):
            return False
        self._answer.records.append(record)
        return True

    def _take_tokens(self, record: Record, line: Line) -> bool:
        if not (taken := self._meter.read(line.payload)):
            return False
        if self._answer is None or self._answer.has_ended():
            self._early = usage.add(self._early, taken)  # some versions tell it before the answer
            return False
        self._answer.tokens = usage.add(self._answer.tokens, taken)
        self._answer.records.append(record)
        return True

    def _abort(self, record: Record, line: Line) -> bool:
        if (answer := self._mark_aborted()) is None:
            return False
        answer.records.append(record)
        return True

    def _mark_aborted(self) -> Answer | None:
        """Mark the answer that an interruption ended; None where there is none, or a tool's result came last."""
        if self._answer is None or self._answer.results:
            return None
        self._answer.is_aborted = True
        return self._answer

    def _roll_back(self, record: Record, line: Line) -> bool:
        self._end_answer()
        before = self._turns.take_back(count(line.payload.get("num_turns")) or 0)
        if before is not None:
            self.tip, self._context_from = before, None
        return False

    # ----------------------------------------------------------------------------------------------------- compaction

    def _compact(self, record: Record, line: Line) -> bool:
        self._end_answer()
        told, summary = line.payload.get("replacement_history"), text(line.payload.get("message"))
        if isinstance(told, list):
            messages = messages_of(objects(told), self._notes)
        else:
            stands = chat.message("user", summary or NO_SUMMARY, at=line.at)
            messages = [*self._beginning, *self._turns.prompts(), stands]
        mark_summary(messages, summary, line.payload)
        self._context_from = None
        self._add(messages, record, line.at, restarts=True)
        return True


_EVENTS: dict[str, Callable[[Replay, Record, Line], bool]] = {
    "agent_reasoning": Replay._take_thought,
    "agent_reasoning_raw_content": Replay._take_thought,
    "item_completed": Replay._take_completed,
    "web_search_end": Replay._take_search,
    "token_count": Replay._take_tokens,
    "turn_aborted": Replay._abort,
    "thread_rolled_back": Replay._roll_back,
}


def messages_of(told: list[dict[str, Any]], notes: Notes) -> list[Message]:
    """The messages that items are which stand in a list, as those of a line do."""
    nothing = Scan(info=SessionInfo(), spoken=set(), results=set())
    steps = Replay(nothing, notes).steps(ListedRecords.of_values(told))
    return [message for step in steps if isinstance(step, Step) for message in step.messages]
