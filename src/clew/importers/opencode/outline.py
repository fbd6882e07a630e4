"""What has to be known of a session of OpenCode before its steps can be told."""

import re
from collections import Counter
from datetime import datetime
from typing import Any

from clew.importers import values
from clew.importers.base import title_of
from clew.importers.opencode import first, second
from clew.importers.opencode.items import Group, Item, groups, latest
from clew.importers.opencode.oldest import expanded
from clew.importers.records import Records
from clew.importers.steps import Notes, SessionInfo

SESSIONS = ("session", "session_v2")

START = "start"
"""The key of the step before the first message, which a session is at when all of it has been taken back."""

_DEFAULT_TITLE = re.compile(r"(New|Child) session - \d{4}-\d\d-\d\dT")


class Outline:
    """A session without its messages: of each it keeps its id, and how many steps it is."""

    def __init__(self, records: Records) -> None:
        self._sessions: dict[str, Item] = {}
        self._models: Counter[str] = Counter()
        self._prompt: str | None = None
        self._worktree: str | None = None
        self._steps: dict[str, int] = {}
        self.has_entries = False
        """Whether the session is in the form of 2.x: then what there is in that of 1.x is an older state of it."""
        self.tails: set[str] = set()
        """The messages from which on a compaction has kept the conversation."""
        for group in groups(records, Notes()):
            self._look_at(expanded(group))
        reverted = values.fields(self._session.get("revert"))
        self.reverted = values.text(reverted.get("messageID"))
        self.cut = values.text(reverted.get("partID"))
        self.active = self._active(records)

    @property
    def _session(self) -> dict[str, Any]:
        found = [self._sessions[name].value for name in SESSIONS if name in self._sessions]
        return {name: value for session in found for name, value in session.items()}

    def _look_at(self, group: Group) -> None:
        message = group.message
        if message is None:
            self._sessions.update({item.table: item for item in group.parts if item.table in SESSIONS})
            for item in group.parts:
                self._look_at_project(item)
            return
        if message.table == "session_message" and not self.has_entries and second.is_said(message.type):
            self.has_entries = True
            self._steps.clear()
        if self.is_superseded(message):
            return
        role = role_of(message)
        self._steps[message.id] = len(first.calls(latest(group.parts))) if role == "assistant" else 1
        if role == "assistant" and (model := first.model_of(message.value)) is not None:
            self._models[model] += 1
        if role == "user":
            self.tails |= {tail for part in group.parts if (tail := values.text(part.value.get("tail_start_id")))}
            self._prompt = self._prompt or _prompt(message, latest(group.parts))

    def _look_at_project(self, item: Item) -> None:
        worktree = values.storable(item.value.get("worktree")) if item.table == "project" else None
        if worktree is not None and worktree != "/":  # which stands for what is in no repository
            self._worktree = worktree

    def is_superseded(self, message: Item) -> bool:
        """Whether the message is one of 1.x in a session that has gone on in 2.x."""
        return self.has_entries and message.table == "message"

    def _active(self, records: Records) -> str | None:
        """The step that OpenCode would go on from: what is from the reverted message on is taken back."""
        if self.reverted is None or self.reverted not in self._steps:
            return None
        if self.cut is not None and (number := self._calls_before_cut(records)):
            return step_key(self.reverted, number - 1)
        ids = list(self._steps)
        place = ids.index(self.reverted)
        return step_key(ids[place - 1], self._steps[ids[place - 1]] - 1) if place else START

    def _calls_before_cut(self, records: Records) -> int:
        for group in groups(records, Notes()):
            if group.message is not None and group.message.id == self.reverted:
                made = first.calls(latest(expanded(group).parts), self.cut)
                return next((number for number, call in enumerate(made) if call.is_cut and made[0].parts), 0)
        return 0

    def info(self) -> SessionInfo:
        """What is told of the session beside its messages."""
        session = self._session
        title = values.storable(session.get("title"))
        if title is not None and _DEFAULT_TITLE.match(title):
            title = None
        parent = values.text(session.get("parent_id")) or values.text(session.get("parentID"))
        return SessionInfo(
            title=title or self._prompt,
            title_origin="generated" if title else "first_prompt",
            cwd=values.storable(session.get("directory")) or self._worktree,
            created_at=_moment(session, "created"),
            updated_at=_moment(session, "updated"),
            parent=parent,
            metadata=self._metadata(session, parent),
        )

    def _metadata(self, session: dict[str, Any], parent: str | None) -> dict[str, Any]:
        models = [name for name, _ in self._models.most_common()]
        model = models[0] if models else first.model_of(session)
        told = {
            "kind": "main" if parent is None else "subagent",
            "model": values.storable(model),
            "models": [name for name in models if values.storable(name)] if len(models) > 1 else None,
            "tool_version": values.storable(session.get("version")),
            "agent": values.storable(session.get("agent")),
            "archived": _moment(session, "archived") is not None or None,
            "forked_from": _forked_from(session),
        }
        return {name: value for name, value in told.items() if value is not None}


def step_key(message: str, number: int) -> str:
    """The name of a step of a message."""
    return f"{message}/{number}"


def role_of(message: Item) -> str:
    """Who says a message: `user`, `assistant`, or something else."""
    return message.type if message.table == "session_message" else values.text(message.value.get("role")) or ""


def _prompt(message: Item, parts: list[Item]) -> str | None:
    """A title from what a user wrote in a message."""
    written = [part.value.get("text") or part.value.get("prompt") for part in parts if first.is_prompt(part)]
    texts = [message.value.get("text")] if message.table == "session_message" else written
    return next((title for text in texts if isinstance(text, str) and (title := title_of(text, ""))), None)


def _moment(session: dict[str, Any], name: str) -> datetime | None:
    held = session.get(f"time_{name}")
    return values.moment(values.fields(session.get("time")).get(name) if held is None else held)


def _forked_from(session: dict[str, Any]) -> dict[str, str] | None:
    origin = values.storable(session.get("fork_session_id"))
    if origin is None:
        return None
    boundary = session.get("fork_boundary")
    named = boundary.get("messageID") if isinstance(boundary, dict) else boundary
    message = values.storable(named)
    return {"session": origin} if message is None else {"session": origin, "message": message}
