"""The first reading of a rollout: who the session is, and what the second one has to know beforehand."""

import re
from bisect import bisect
from collections.abc import Iterable
from datetime import datetime
from typing import Any

import msgspec

from clew.importers.codex.items import (
    CALLS,
    OUTPUTS,
    RESULT_EVENTS,
    RESULT_ITEMS,
    SERVER_CALLS,
    call_id,
    is_context,
    prompt_in,
    text_in,
)
from clew.importers.codex.lines import EVENT, ITEM, META, TURN, Line, line_of
from clew.importers.codex.spoken import Spoken, saying_of
from clew.importers.records import Record
from clew.importers.steps import SessionInfo
from clew.importers.values import fields, moment, storable, text

_CWD = re.compile(r"<cwd>\s*([^<]+?)\s*</cwd>|^Current working directory: (.+?)\s*$", re.MULTILINE)
_PROMPT_CHARS = 10_000
_ACTION = "<user_action>"  # what Codex says in the user's name, of a review for example


class Scan(msgspec.Struct):
    """What the first reading found: the session, and the positions of the events that stand for themselves."""

    info: SessionInfo
    spoken: set[int]
    """Events that are messages, because no item is."""
    results: set[int]
    """Events that are results of calls, because no item is."""
    held: set[int] = set()
    """Messages to the model that stand between a call and its result."""


def scan(records: Iterable[Record], context: dict[str, Any]) -> Scan:
    """Read the records once. `context` is what is known from beside them: see `files`."""
    facts, spoken, results = _Facts(context), Spoken(), _Results()
    for record in records:
        try:
            line = line_of(record.value())
        except ValueError:
            continue  # the second reading notes it
        facts.add(record.position, line)
        spoken.add(record.position, line)
        results.add(record.position, line)
    spoken.end()
    return Scan(facts.info(), spoken.positions, results.positions, results.held)


class _Results:
    """Finds the events that tell the result of a call that no item tells, and what stands between calls and results."""

    def __init__(self) -> None:
        self._open: dict[str, int] = {}
        self._told: dict[str, int] = {}
        self._between: list[int] = []
        self.held: set[int] = set()
        """Messages to the model that stand between a call and its result."""

    @property
    def positions(self) -> set[int]:
        return set(self._told.values())

    def add(self, position: int, line: Line) -> None:
        if line.kind == ITEM and line.type in CALLS - SERVER_CALLS:
            self._open |= {id: position for id in (call_id(line.payload),) if id is not None}
        elif line.kind == ITEM and line.type in OUTPUTS:
            self._answer(call_id(line.payload) or "")
        elif _is_to_the_model(line):
            self._between += [position] if self._open else []
        elif (event := result_event(line)) is not None:
            id = call_id(event)
            if id is not None and id in self._open:
                self._told[id] = position

    def _answer(self, id: str) -> None:
        self._told.pop(id, None)
        called = self._open.pop(id, None)
        if called is not None:
            after = bisect(self._between, called)
            self.held.update(self._between[after:])
            del self._between[after if self._open else 0 :]


def _is_to_the_model(line: Line) -> bool:
    if line.kind == ITEM:
        return line.type == "message" and line.payload.get("role") != "assistant"
    return line.kind == EVENT and line.type == "user_message"


def result_event(line: Line) -> dict[str, Any] | None:
    """The event of a line that tells the result of a call."""
    if line.kind != EVENT:
        return None
    if line.type in RESULT_EVENTS:
        return line.payload
    item = fields(line.payload.get("item"))
    return item if line.type == "item_completed" and text(item.get("type")) in RESULT_ITEMS else None


class _Facts:
    """Collects what the lines tell of the session."""

    def __init__(self, context: dict[str, Any]) -> None:
        self._context = context
        self._begin = context.get("begins_at") or 0
        self._meta: Line | None = None
        self._first: datetime | None = None
        self._last: datetime | None = None
        self._name = text(context.get("name"))
        self._cwd: str | None = None
        self._prompt: str | None = None
        self._models: dict[str, None] = {}

    def add(self, position: int, line: Line) -> None:
        if position < self._begin and line.kind == META:
            return  # that of the rollout which this one goes on from
        if line.at is not None and position >= self._begin:
            self._first = self._first or line.at
            self._last = line.at if self._last is None else max(self._last, line.at)
        if line.kind == META and self._meta is None:
            self._meta = line
        elif line.kind == TURN:
            self._add_turn(line.payload)
        elif line.type == "thread_name_updated":
            self._add_name(line.payload)
        else:
            self._add_saying(line)

    def _add_turn(self, turn: dict[str, Any]) -> None:
        model = text(turn.get("model"))
        if model is not None:
            self._models.pop(model, None)
            self._models[model] = None
        self._cwd = self._cwd or storable(turn.get("cwd"))

    def _add_name(self, event: dict[str, Any]) -> None:
        # What is written beside the rollout is the last name; a copied event names the thread it was copied from.
        meta = {} if self._meta is None else self._meta.payload
        if "name" not in self._context and event.get("thread_id") in (None, meta.get("id")):
            self._name = text(event.get("thread_name"))

    def _add_saying(self, line: Line) -> None:
        if self._cwd is not None and self._prompt is not None:
            return
        saying = saying_of(line)
        if saying is None or saying.role != "user":
            return
        if is_context(saying.content):
            found = _CWD.search(text_in(saying.content))
            self._cwd = self._cwd or (storable(found.group(1) or found.group(2)) if found else None)
        elif not (prompt := prompt_in(text_in(saying.content))).startswith(_ACTION):
            self._prompt = self._prompt or prompt[:_PROMPT_CHARS] or None

    def info(self) -> SessionInfo:
        """What all lines told."""
        meta = {} if self._meta is None else self._meta.payload
        return SessionInfo(
            title=self._name or self._prompt,
            title_origin="user" if self._name else "first_prompt",
            cwd=storable(meta.get("cwd")) or self._cwd,
            created_at=moment(meta.get("timestamp")) or self._first,
            updated_at=self._last,
            parent=parent_of(meta),
            metadata=_metadata(meta, list(self._models), archived=self._context.get("archived") is True),
        )


def parent_of(meta: dict[str, Any]) -> str | None:
    """The id of the thread that spawned this one."""
    spawn = fields(_subagent(meta).get("thread_spawn"))
    return storable(meta.get("parent_thread_id")) or storable(spawn.get("parent_thread_id"))


def _subagent(meta: dict[str, Any]) -> dict[str, Any]:
    source = fields(meta.get("source")).get("subagent")
    return {"other": source} if isinstance(source, str) else fields(source)


def _metadata(meta: dict[str, Any], models: list[str], *, archived: bool) -> dict[str, Any]:
    git, spawn = fields(meta.get("git")), fields(_subagent(meta).get("thread_spawn"))
    is_subagent = bool(_subagent(meta)) or meta.get("thread_source") == "subagent" or parent_of(meta) is not None
    forked, source = storable(meta.get("forked_from_id")), meta.get("source")
    agent = {name: _either(meta, spawn, f"agent_{name}") for name in ("nickname", "role", "path")}
    found = {
        "git": _known(branch=git.get("branch"), commit=git.get("commit_hash"), remote=git.get("repository_url")),
        "model": models[-1] if models else None,
        "models": models if len(models) > 1 else None,
        "model_provider": text(meta.get("model_provider")),
        "tool_version": text(meta.get("cli_version")),
        "kind": "subagent" if is_subagent else "main",
        "archived": archived or None,
        "forked_from": None if forked is None else {"session": forked},
        "originator": text(meta.get("originator")),
        "source": source if isinstance(source, str) else None,
        "agent": _known(**agent),
    }
    return {name: value for name, value in found.items() if value}


def _either(first: dict[str, Any], second: dict[str, Any], name: str) -> str | None:
    return text(first.get(name)) or text(second.get(name))


def _known(**values: Any) -> dict[str, str]:
    return {name: shown for name, value in values.items() if (shown := text(value)) is not None}
