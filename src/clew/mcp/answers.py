"""What the tools answer: small objects that a model reads. A long text is cut, and says so."""

import json
from typing import Any, NotRequired

from typing_extensions import TypedDict

from clew.model import Message, SearchHit, Session, SessionSummary
from clew.times import to_rfc3339

MARK = "**"
"""Around what was found, in a snippet."""


class SessionAnswer(TypedDict):
    """A session in a list."""

    session_id: str
    title: str
    updated_at: str
    messages: int
    cwd: NotRequired[str]
    source: NotRequired[str]


class SessionsAnswer(TypedDict):
    """A page of sessions, the last changed first."""

    sessions: list[SessionAnswer]
    next_cursor: str | None


class HitAnswer(TypedDict):
    """A message that was found; `position` counts from 0, as `start` of show_session does."""

    session_id: str
    title: str
    checkpoint_id: str
    position: int
    role: str
    created_at: str
    snippet: str
    tool: NotRequired[str]
    cwd: NotRequired[str]


class HitsAnswer(TypedDict):
    """A page of messages, the best first."""

    hits: list[HitAnswer]
    next_cursor: str | None


class ConversationAnswer(TypedDict):
    """A part of a conversation: the messages from `start` on."""

    session_id: str
    title: str
    checkpoint_id: str
    message_count: int
    start: int
    messages: list[dict[str, Any]]


class WrittenAnswer(TypedDict):
    """What was written."""

    session_id: str
    checkpoint_id: str


def session_answer(session: SessionSummary) -> SessionAnswer:
    """A session as a list has it."""
    answer = SessionAnswer(
        session_id=str(session.id),
        title=session.title,
        updated_at=to_rfc3339(session.updated_at),
        messages=session.message_count,
    )
    if session.cwd is not None:
        answer["cwd"] = session.cwd
    if session.source is not None:
        answer["source"] = session.source
    return answer


def hit_answer(hit: SearchHit) -> HitAnswer:
    """A message as a search found it."""
    answer = HitAnswer(
        session_id=str(hit.session_id),
        title=hit.title,
        checkpoint_id=str(hit.checkpoint_id),
        position=hit.position,
        role=hit.role,
        created_at=to_rfc3339(hit.created_at),
        snippet=_marked(hit.snippet, hit.marks),
    )
    if hit.tool is not None:
        answer["tool"] = hit.tool
    if hit.cwd is not None:
        answer["cwd"] = hit.cwd
    return answer


def written_answer(session: Session) -> WrittenAnswer:
    """A session that has just been made."""
    active = session.active_checkpoint
    return WrittenAnswer(session_id=str(session.id), checkpoint_id="" if active is None else str(active.id))


def shortened(message: Message, max_chars: int) -> dict[str, Any]:
    """A message of which no text is longer than this; one that is too long all the same as a part of its JSON."""
    short: dict[str, Any] = {name: _cut(value, max_chars) for name, value in message.items()}
    text = json.dumps(short, ensure_ascii=False)
    if len(text) <= 2 * max_chars + 1_000:
        return short
    return {"role": _cut(message.get("role"), 100), "json": _cut(text, 2 * max_chars)}


def _cut(value: Any, max_chars: int) -> Any:
    if isinstance(value, str) and len(value) > max_chars:
        return f"{value[:max_chars]}… [{len(value) - max_chars:,} more characters]"
    if isinstance(value, list):
        return [_cut(item, max_chars) for item in value]
    if isinstance(value, dict):
        return {name: _cut(item, max_chars) for name, item in value.items()}
    return value


def _marked(snippet: str, marks: list[tuple[int, int]]) -> str:
    parts, place = [], 0
    for start, stop in marks:
        parts += [snippet[place:start], MARK, snippet[start:stop], MARK]
        place = stop
    return "".join([*parts, snippet[place:]])
