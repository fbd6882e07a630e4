"""A thread or conversation of llm as steps: one for each message of a thread, one for each response of before."""

import hashlib
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import msgspec

from clew.importers import chat, values
from clew.importers.base import title_of
from clew.importers.database import DAMAGED
from clew.importers.llm.content import Borrowed, Builder, Row, add_part, file_of, json_of, text_parts, usage_of
from clew.importers.records import Record, Records
from clew.importers.steps import Loose, Notes, Parsed, SessionInfo, Step
from clew.model import Message

_KNOWN = {
    "messages",
    "parts",
    "fragments",
    "attachments",
    "turns",
    "threads",
    "conversations",
    "responses",
    "tool_calls",
    "tool_results",
}


def parse(records: Records, notes: Notes) -> Parsed:
    """The session that these records are."""
    outline = _Outline(records)
    return Parsed(outline.info(), _Steps(outline, notes).of(records), outline.tip)


def _rows(records: Records, notes: Notes) -> Iterator[tuple[str, Row, Record]]:
    for record in records:
        value = values.fields(notes.value(record))
        yield values.text(value.get("table")) or "", values.fields(value.get("row")), record


class _Turn(msgspec.Struct):
    """One call of a model: what it is of an answer that is not in its messages."""

    at: datetime | None
    usage: dict[str, Any] = {}
    model: str | None = None


class _Outline:
    """What has to be known of a session before its steps can be told: little of each message."""

    def __init__(self, records: Records) -> None:
        self.turns: dict[str, _Turn] = {}
        """The turns by the messages that they begin and end with."""
        self._about: Row = {}
        self._thread: Row = {}
        self._models: dict[str, None] = {}
        self._times: list[datetime] = []
        self._prompt: str | None = None
        self._said: dict[bytes, str] = {}
        self._answered: set[bytes] = set()
        self._parents: dict[str, str] = {}
        self._message = self._role = ""
        for table, row, _ in _rows(records, Notes()):
            self._look_at(table, row)
        self.tip = values.text(self._thread.get("tip_message_hash"))
        self.covers_responses = bool(self._answered) and self._answered <= self._said.keys()
        """Whether the thread holds all that the responses of before say."""

    def _look_at(self, table: str, row: Row) -> None:
        if table == "threads":
            self._thread = row
        elif table == "conversations":
            self._about = row
        elif table == "messages":
            self._message, self._role = values.text(row.get("hash")) or "", values.text(row.get("role")) or ""
            self._parents[self._message] = values.text(row.get("parent_hash")) or ""
        elif table == "parts":
            self._look_at_part(row)
        elif table == "turns":
            self._take_turn(row)
        elif table == "responses":
            self._take_response(row)

    def _look_at_part(self, row: Row) -> None:
        text = row.get("text")
        if row.get("type") == "text" and isinstance(text, str) and text:
            if self._role == "assistant":
                self._said[_digest(text)] = self._message
            elif self._role == "user":
                self._prompt = self._prompt or title_of(text, "")

    def _take_turn(self, row: Row) -> None:
        turn = _Turn(self._take_time(row), usage_of(row), self._take_model(row))
        if (tip := values.text(row.get("tip_message_hash"))) is not None:
            self.turns[tip] = turn
        if (beginning := values.text(row.get("parent_message_hash"))) is not None:
            self.turns.setdefault(beginning, _Turn(turn.at))

    def _take_response(self, row: Row) -> None:
        turn = _Turn(self._take_time(row), usage_of(row), self._take_model(row))
        prompt, answer = values.text(row.get("prompt")), values.text(row.get("response"))
        self._prompt = self._prompt or title_of(prompt or "", "")
        if answer is None:
            return
        self._answered.add(_digest(answer))
        message = self._said.get(_digest(answer))
        if message is not None:  # the thread has the answer too, but not what it took and when that was
            self.turns.setdefault(message, turn)
            self.turns.setdefault(self._parents.get(message, ""), _Turn(turn.at))

    def _take_time(self, row: Row) -> datetime | None:
        at = values.moment(row.get("datetime_utc"))
        if at is not None:
            self._times.append(at)
        return at

    def _take_model(self, row: Row) -> str | None:
        model = values.storable(row.get("resolved_model")) or values.storable(row.get("model"))
        if model is not None:
            self._models[model] = None
        return model

    def info(self) -> SessionInfo:
        """What is told of the session beside its messages."""
        name = values.storable(self._about.get("name")) or values.storable(self._thread.get("name"))
        # llm names a conversation by the begin of its first prompt, and nothing changes that but the user.
        is_prompt = name is not None and " ".join(name.rstrip("….").split()) in " ".join((self._prompt or "").split())
        origin = values.storable(self._thread.get("forked_from"))
        models = list(self._models)
        model = models[-1] if models else values.storable(self._about.get("model"))
        told = {
            "kind": "main",
            "model": model,
            "models": models if len(models) > 1 else None,
            "forked_from": None if origin is None else {"session": origin},
        }
        return SessionInfo(
            title=name or self._prompt or None,
            title_origin="first_prompt" if name is None or is_prompt else "generated",
            created_at=min(self._times, default=values.moment(self._thread.get("datetime_utc"))),
            updated_at=max(self._times, default=None),
            metadata={key: value for key, value in told.items() if value is not None},
        )


def _digest(text: str) -> bytes:
    return hashlib.blake2b(text.strip().encode(errors="surrogatepass"), digest_size=16).digest()


class _Steps:
    """Tells the steps of a session, one after the other."""

    def __init__(self, outline: _Outline, notes: Notes) -> None:
        self._outline = outline
        self._notes = notes
        self._message: Row | None = None
        self._builder = Builder("", {})
        self._borrowed = Borrowed()
        self._records: list[Record] = []
        self._calls: list[Row] = []
        self._results: list[Row] = []
        self._system: str | None = None
        self._last: str | None = None
        self._seen: set[str] = set()

    def of(self, records: Records) -> Iterator[Step | Loose]:
        for table, row, record in _rows(records, self._notes):
            if table not in ("parts", "fragments", "attachments"):
                yield from self._end_message()
            if table == "messages":
                self._begin_message(row)
            self._records.append(record)
            self._take(table, row)
            if table == "responses":
                yield self._response(row)
            elif self._message is None and table in ("turns", "threads", "conversations", ""):
                yield Loose(self._records)
                self._records = []
        yield from self._end_message()
        if self._records:
            yield Loose(self._records)

    def _take(self, table: str, row: Row) -> None:
        if table == "parts" and self._message is not None:
            add_part(self._builder, row, self._borrowed, self._notes)
            self._borrowed = Borrowed()
        elif table == "fragments":
            self._borrowed.fragments.append(row)
        elif table == "attachments":
            self._borrowed.attachments.append(row)
        elif table == "tool_calls":
            self._calls.append(row)
        elif table == "tool_results":
            self._results.append({**row, "files": self._take_files(row)})
        elif table == DAMAGED:
            self._notes.broken.append((str(row.get("id")), "is on a damaged page"))
        elif table and table not in _KNOWN:
            self._notes.unknown[f"table {table}"] += 1

    def _take_files(self, result: Row) -> list[chat.Part]:
        """The attachments of a result of a tool, which stand before it."""
        own = [row for row in self._borrowed.attachments if "tool_result_id" in row]
        self._borrowed.attachments = [row for row in self._borrowed.attachments if "tool_result_id" not in row]
        return [file_of(row) for row in own]

    # ----------------------------------------------------------------------------------------------------- messages

    def _begin_message(self, row: Row) -> None:
        self._message = row
        hash = values.text(row.get("hash")) or ""
        turn = self._outline.turns.get(hash) or _Turn(None)
        role = values.text(row.get("role")) or ""
        told = {"id": hash, "at": turn.at, "usage": turn.usage, "model": turn.model}
        role = role if role in ("user", "assistant", "system", "tool") else "user"
        self._builder = Builder(role, told, hash if role == "assistant" else values.text(row.get("parent_hash")))

    def _end_message(self) -> Iterator[Step]:
        row, self._message = self._message, None
        if row is None:
            return
        key, parent = values.text(row.get("hash")) or "", values.text(row.get("parent_hash"))
        records, self._records = self._records, []
        turn = self._outline.turns.get(key)
        self._seen.add(key)
        yield Step(
            key=key,
            parent=parent if parent in self._seen else None,
            messages=self._builder.messages(),
            records=records,
            created_at=None if turn is None else turn.at,
        )

    # ---------------------------------------------------------------------------------------------------- responses

    def _response(self, row: Row) -> Step | Loose:
        records, self._records = self._records, []
        borrowed, self._borrowed = self._borrowed, Borrowed()
        calls, self._calls = self._calls, []
        results, self._results = self._results, []
        if self._outline.covers_responses:
            return Loose(records)
        key = values.text(row.get("id")) or f"#{len(self._seen)}"
        at = values.moment(row.get("datetime_utc"))
        messages = [*self._input(row, key, at, borrowed, results), *_answer(row, key, at, calls)]
        parent, self._last = self._last, key
        self._seen.add(key)
        return Step(key=key, parent=parent, messages=messages, records=records, created_at=at)

    def _input(self, row: Row, key: str, at: datetime | None, borrowed: Borrowed, results: list[Row]) -> list[Message]:
        told = {"id": key, "at": at}
        made = []
        system = _joined(borrowed, "system", row.get("system"), "\n\n")
        if system and system != self._system:
            made += [chat.message("system", system, **told)]  # type: ignore[arg-type]
            self._system = system
        tools, user = Builder("tool", told, self._last), Builder("user", told)
        for result in results:
            call, name, output = result.get("tool_call_id"), result.get("name"), result.get("output")
            tools.result(call, name, output, result["files"], result.get("exception"))
        user.say([file_of(row) for row in borrowed.attachments])
        user.say(text_parts(_joined(borrowed, "prompt", row.get("prompt"), "\n")))
        return made + tools.messages() + user.messages()


def _joined(borrowed: Borrowed, kind: str, text: Any, between: str) -> str:
    """A prompt with the fragments that go before it."""
    texts = [values.text(row.get("content")) for row in borrowed.fragments if row.get("kind") == kind]
    return between.join(part for part in [*texts, values.text(text)] if part)


def _answer(row: Row, key: str, at: datetime | None, calls: list[Row]) -> list[Message]:
    model = values.text(row.get("resolved_model")) or values.text(row.get("model"))
    builder = Builder("assistant", {"id": key, "at": at, "usage": usage_of(row), "model": model}, key)
    builder.think(row.get("reasoning"))
    builder.say(text_parts(row.get("response")))
    for call in calls:
        arguments = json_of(call.get("arguments")) or call.get("arguments")
        builder.call(call.get("tool_call_id"), call.get("name"), arguments)
    return builder.messages()
