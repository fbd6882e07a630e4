"""A session of Goose as steps, one for each message."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from clew.importers import values
from clew.importers.base import read_json, title_of
from clew.importers.database import DAMAGED
from clew.importers.goose.content import messages, usage_of
from clew.importers.goose.items import Said, Told, items
from clew.importers.records import Records
from clew.importers.steps import Loose, Notes, Parsed, SessionInfo, Step

_DEFAULT_NAMES = {"CLI Session", "New Chat", "New Session", "New session", "ACP Session"}
_KNOWN_TABLES = {"sessions", "usage_ledger"}


def parse(records: Records, notes: Notes) -> Parsed:
    """The session that these records are."""
    outline = _Outline(records)
    return Parsed(outline.info(), _steps(outline, records, notes))


class _Outline:
    """What has to be known of a session before its steps can be told: little of each message."""

    def __init__(self, records: Records) -> None:
        self._session: dict[str, Any] = {}
        self._answers: list[tuple[str, datetime]] = []
        self._ledger: list[tuple[datetime, dict[str, Any], str | None]] = []
        self._prompt: str | None = None
        self._hidden = 0
        self.summaries: set[str] = set()
        """The messages that stand for all that was before them."""
        before: Said | None = None
        for item in items(records, Notes()):
            if isinstance(item, Told):
                self._look_at(item)
            else:
                self._hear(item, before)
                before = item
        self.usage = self._usage()

    def _look_at(self, told: Told) -> None:
        if told.table == "sessions":
            self._session = told.value
        elif told.table == "usage_ledger" and not told.value.get("is_compaction"):
            at = values.moment(told.value.get("created_timestamp"))
            if at is not None:
                self._ledger.append((at, usage_of(told.value), values.text(told.value.get("model"))))

    def _hear(self, said: Said, before: Said | None) -> None:
        self._hidden += not said.for_agent
        if said.role == "assistant" and said.at is not None:
            self._answers.append((said.key, said.at))
        # A compaction leaves a summary and a word of the assistant on how to go on, neither of which the user sees. A
        # summary alone stands for a tool's result only.
        unseen = before is not None and not (before.for_user or said.for_user)
        if before is not None and unseen and self._hidden and (before.role, said.role) == ("user", "assistant"):
            self.summaries.add(before.key)
        if self._prompt is None and said.role == "user" and said.for_user:
            texts = (content.get("text") for content in said.content if content.get("type") == "text")
            self._prompt = next(
                (title for text in texts if isinstance(text, str) and (title := title_of(text, ""))), None
            )

    def _usage(self) -> dict[str, tuple[dict[str, Any], str | None]]:
        """What each answer took: the ledger tells when that was, and it is written after the answer has begun."""
        found: dict[str, tuple[dict[str, Any], str | None]] = {}
        begun = taken = 0
        for at, usage, model in self._ledger:
            while begun < len(self._answers) and self._answers[begun][1] <= at:
                begun += 1
            if usage and begun > taken:
                found[self._answers[begun - 1][0]] = (usage, model)
                taken = begun
        return found

    def info(self) -> SessionInfo:
        """What is told of the session beside its messages."""
        session = self._session
        name = values.storable(session.get("name")) or values.storable(session.get("description"))
        by_user = bool(session.get("user_set_name"))
        title = name if by_user or name not in _DEFAULT_NAMES else None
        return SessionInfo(
            title=title or self._prompt,
            title_origin="first_prompt" if title is None else "user" if by_user else "generated",
            cwd=values.storable(session.get("working_dir")),
            created_at=values.moment(session.get("created_at")),
            updated_at=values.moment(session.get("updated_at")),
            parent=values.text(session.get("parent_session_id")),
            metadata=self._metadata(),
        )

    def _metadata(self) -> dict[str, Any]:
        session = self._session
        kind = values.text(session.get("session_type")) or "user"
        models = list(dict.fromkeys(model for *_, model in self._ledger if model))
        config = values.fields(_json(session.get("model_config_json")))
        model = models[-1] if models else values.text(config.get("model_name"))
        is_child = kind == "sub_agent" or session.get("parent_session_id") is not None
        told = {
            "kind": "subagent" if is_child else "main",
            "session_type": None if kind == "user" else values.storable(kind),
            "model": values.storable(model),
            "provider": values.storable(session.get("provider_name")),
            "archived": values.moment(session.get("archived_at")) is not None or None,
            "usage": self._total(),
            "hidden_messages": self._hidden or None,
        }
        return {name: value for name, value in told.items() if value is not None}

    def _total(self) -> dict[str, Any] | None:
        """What the whole session took, as Goose has added it up."""
        kept = {
            name.removeprefix("accumulated_"): value for name, value in self._session.items() if "accumulated" in name
        }
        return usage_of(kept) or None


def _json(text: Any) -> Any:
    try:
        return read_json(text.encode(errors="surrogatepass")) if isinstance(text, str) else text
    except ValueError:
        return None


def _steps(outline: _Outline, records: Records, notes: Notes) -> Iterator[Step | Loose]:
    last: str | None = None
    tools: dict[str, str] = {}
    for item in items(records, notes):
        if isinstance(item, Told):
            if item.table == DAMAGED:
                notes.broken.append((str(item.value.get("id")), "is on a damaged page"))
            elif item.table not in _KNOWN_TABLES and item.table:
                notes.unknown[f"table {item.table}"] += 1
            yield Loose([item.record])
            continue
        if item.role not in ("user", "assistant", "system"):
            notes.unknown[f"message {item.role}"] += 1
            item.content = []
        usage, model = outline.usage.get(item.key, (usage_of(item.usage), None))
        made = messages(item, tools, notes, usage, model)
        restarts = item.key in outline.summaries and bool(made)
        if restarts:
            made[0]["compaction"] = {"reason": "compaction"}
        yield Step(
            key=item.key, parent=last, messages=made, records=[item.record], created_at=item.at, restarts=restarts
        )
        last = item.key
