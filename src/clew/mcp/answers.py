"""What the tools answer: small objects that a model reads. A long text is cut, and says so.

What is stored may be any JSON: half a character, or levels upon levels. The protocol's own JSON takes neither, and
an answer that cannot be written would take the answers to everything else along.
"""

import json
from collections.abc import Sequence
from typing import Any, NotRequired

from typing_extensions import TypedDict

from clew.model import CheckpointSummary, Message, SearchHit, Session, SessionSummary
from clew.times import to_rfc3339

MARK = "**"
"""Around what was found, in a snippet."""

MAX_ANSWER_CHARS = 50_000
"""Of the messages of one answer, all together: an agent's context is small."""

_TITLE_CHARS = 200
_PATH_CHARS = 300
_NAME_CHARS = 100
_LEVELS = 32  # of a value within a message; deeper ones are shown as their JSON
_INDENT = 2  # as the SDK writes what a model reads


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
    damage: NotRequired[str]


class HitsAnswer(TypedDict):
    """A page of messages, the best first."""

    hits: list[HitAnswer]
    next_cursor: str | None


class ConversationAnswer(TypedDict):
    """A part of a conversation: the messages from `start` on. More follow at `next_start`, unless it is null."""

    session_id: str
    title: str
    checkpoint_id: str
    message_count: int
    start: int
    messages: list[dict[str, Any]]
    next_start: int | None
    note: NotRequired[str]


class WrittenAnswer(TypedDict):
    """What was written."""

    session_id: str
    checkpoint_id: str


def session_answer(session: SessionSummary) -> SessionAnswer:
    """A session as a list has it."""
    answer = SessionAnswer(
        session_id=str(session.id),
        title=_cut(session.title, _TITLE_CHARS),
        updated_at=to_rfc3339(session.updated_at),
        messages=session.message_count,
    )
    if session.cwd is not None:
        answer["cwd"] = _cut(session.cwd, _PATH_CHARS)
    if session.source is not None:
        answer["source"] = _cut(session.source, _NAME_CHARS)
    return answer


def hit_answer(hit: SearchHit) -> HitAnswer:
    """A message as a search found it."""
    answer = HitAnswer(
        session_id=str(hit.session_id),
        title=_cut(hit.title, _TITLE_CHARS),
        checkpoint_id=str(hit.checkpoint_id),
        position=hit.position,
        role=_cut(hit.role, _NAME_CHARS),
        created_at=to_rfc3339(hit.created_at),
        snippet=_whole(_marked(hit.snippet, hit.marks)),
    )
    if hit.tool is not None:
        answer["tool"] = _cut(hit.tool, _NAME_CHARS)
    if hit.cwd is not None:
        answer["cwd"] = _cut(hit.cwd, _PATH_CHARS)
    if hit.damage is not None:
        answer["damage"] = _cut(hit.damage, _TITLE_CHARS)
    return answer


def written_answer(session: Session) -> WrittenAnswer:
    """A session that has just been made."""
    active = session.active_checkpoint
    return WrittenAnswer(session_id=str(session.id), checkpoint_id="" if active is None else str(active.id))


def conversation_answer(
    session: SessionSummary, checkpoint: CheckpointSummary, start: int, messages: Sequence[Message], *, from_end: bool
) -> ConversationAnswer:
    """A part of a conversation, of which no more than fits is shown: the first messages, or `from_end` the last."""
    kept = _fitting(messages[::-1] if from_end else messages)
    left = len(messages) - len(kept)
    first = start + left if from_end else start
    stop = first + len(kept)
    answer = ConversationAnswer(
        session_id=str(session.id),
        title=_cut(session.title, _TITLE_CHARS),
        checkpoint_id=str(checkpoint.id),
        message_count=checkpoint.message_count,
        start=first,
        messages=kept[::-1] if from_end else kept,
        next_start=stop if stop < checkpoint.message_count else None,
    )
    if left:
        where = f"before {first}" if from_end else f"from {stop} on"
        answer["note"] = f"{left} more messages, {where}, would be too long for one answer: ask for them with start"
    return answer


def shortened(message: Message, max_chars: int) -> dict[str, Any]:
    """A message of which no text is longer than this; one that is too long all the same as a part of its JSON."""
    short: dict[str, Any] = _cut(message, max_chars)
    text = _json(short)
    if len(text) <= 2 * max_chars + 1_000:
        return short
    return {"role": _cut(message.get("role"), 100), "json": _cut(text, 2 * max_chars)}


def _fitting(messages: Sequence[Message]) -> list[dict[str, Any]]:
    """The messages that fit into an answer, from the first; at least one."""
    kept: list[dict[str, Any]] = []
    room = MAX_ANSWER_CHARS
    for message in messages:
        room -= len(json.dumps(message, ensure_ascii=False, indent=_INDENT))
        if kept and room < 0:
            break
        kept.append(message)
    return kept


def _cut(value: Any, max_chars: int, levels: int = _LEVELS) -> Any:
    if isinstance(value, str):
        return _whole(value if len(value) <= max_chars else f"{value[:max_chars]}{_missing(value, max_chars)}")
    if not isinstance(value, (list, dict)):
        return value
    if not levels:
        return _cut(_json(value), max_chars)
    if isinstance(value, list):
        return [_cut(item, max_chars, levels - 1) for item in value]
    return {_whole(name): _cut(item, max_chars, levels - 1) for name, item in value.items()}


def _missing(text: str, max_chars: int) -> str:
    return f"… [{len(text) - max_chars:,} more characters]"


def _json(value: Any) -> str:
    return _whole(json.dumps(value, ensure_ascii=False))


def _whole(text: str) -> str:
    """The text with the sign for what cannot be shown in place of each half of a character."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _marked(snippet: str, marks: list[tuple[int, int]]) -> str:
    parts, place = [], 0
    for start, stop in marks:
        parts += [snippet[place:start], MARK, snippet[start:stop], MARK]
        place = stop
    return "".join([*parts, snippet[place:]])
