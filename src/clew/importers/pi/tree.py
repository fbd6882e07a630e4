"""The first reading of a session of pi: how its entries hang together, their labels, and who the session is."""

from datetime import datetime
from typing import Any

import msgspec

from clew.importers import chat
from clew.importers.chat import Part
from clew.importers.steps import SessionInfo
from clew.importers.values import count, fields, moment, objects, storable, text

_SILENT = "model_change thinking_level_change custom session_info label session usage context_edit leaf"
SILENT = frozenset(_SILENT.split())
"""The entries that hold no message. They are steps all the same: others may follow them."""

_PROMPT_CHARS = 10_000


class Entry(msgspec.Struct, frozen=True):
    """Where an entry is in the tree."""

    key: str
    parent: str | None


class Tree:
    """Collects what the entries tell of their places, and of the session."""

    def __init__(self) -> None:
        self.entries: dict[int, Entry] = {}
        self.labels: dict[str, str] = {}
        self._labelled: dict[str | None, str] = {}
        self.last: str | None = None
        self._keys: set[str] = set()
        self._silent: dict[str, str | None] = {}
        self._header: dict[str, Any] = {}
        self._title: str | None = None
        self._prompt: str | None = None
        self._models: dict[str, None] = {}
        self._times: list[datetime] = []

    def add(self, position: int, entry: dict[str, Any]) -> None:
        kind = entry.get("type")
        if kind == "session" and not self._header:
            self._header = entry
        self._add_time(moment(entry.get("timestamp")))
        if kind == "session":
            return
        self._place(position, entry)
        if kind == "leaf":
            self._move(entry)
        elif kind == "label":
            self._add_label(entry)
        elif kind == "session_info":
            self._title = text(entry.get("name"))
        elif kind == "model_change":
            self._add_model(entry.get("modelId"))
        elif kind == "message":
            self._add_message(fields(entry.get("message")))

    def _place(self, position: int, entry: dict[str, Any]) -> None:
        id = text(entry.get("id"))
        key = id if id is not None and id not in self._keys else str(position)
        above = text(entry.get("parentId"))
        # An entry without a place, or with one that nobody has seen, follows the one before it.
        parent = above if above in self._keys else None if "parentId" in entry and above is None else self.last
        self._keys.add(key)
        if text(entry.get("type")) in SILENT:
            self._silent[key] = parent
        self.entries[position] = Entry(key, parent)
        self.last = key

    def _move(self, entry: dict[str, Any]) -> None:
        """Go on from where the user has moved to; from the last entry where that is the very beginning."""
        target = text(entry.get("targetId"))
        if target in self._keys:
            self.last = target

    def _add_label(self, entry: dict[str, Any]) -> None:
        target, label = text(entry.get("targetId")), storable(entry.get("label"))
        if target is None:
            return
        self.labels.pop(target, None)
        if label is not None:
            self.labels[target] = label

    def label_of(self, key: str) -> str | None:
        """The label of a step; that of an entry without a message is with the message before it."""
        if not self._labelled:
            for target, label in self.labels.items():
                self._labelled.setdefault(self._told_before(target), label)
        return self._labelled.get(key)

    def _told_before(self, key: str | None) -> str | None:
        seen = set()
        while key in self._silent and key not in seen:
            seen.add(key)
            key = self._silent[key]
        return key

    def _add_message(self, message: dict[str, Any]) -> None:
        if message.get("role") == "user" and self._prompt is None:
            shown = chat.text_of({"content": chat.content_of(parts_of(message.get("content")))})
            self._prompt = shown.strip()[:_PROMPT_CHARS] or None
        elif message.get("role") == "assistant":
            self._add_model(message.get("model"))

    def _add_model(self, model: Any) -> None:
        if (name := text(model)) is not None:
            self._models.pop(name, None)
            self._models[name] = None

    def _add_time(self, at: datetime | None) -> None:
        if at is not None:
            self._times = [min([at, *self._times]), max([at, *self._times])]

    def info(self, context: dict[str, Any]) -> SessionInfo:
        """What all entries told."""
        models = list(self._models) or [name for name in [text(self._header.get("modelId"))] if name is not None]
        found = {
            "kind": "main",
            "model": models[-1] if models else None,
            "models": models if len(models) > 1 else None,
            "forked_from": context.get("forked_from"),
            "format_version": count(self._header.get("version")),
        }
        return SessionInfo(
            title=self._title or self._prompt,
            title_origin="user" if self._title else "first_prompt",
            cwd=storable(self._header.get("cwd")),
            created_at=moment(self._header.get("timestamp")) or (self._times[0] if self._times else None),
            updated_at=self._times[-1] if self._times else None,
            metadata={name: value for name, value in found.items() if value},
        )


def parts_of(content: Any) -> list[Part]:
    if isinstance(content, str):
        return [chat.text_part(content)] if content else []
    parts = (_part(block) for block in objects(content))
    return [part for part in parts if part is not None]


def _part(block: dict[str, Any]) -> Part | None:
    shown, data = text(block.get("text")), text(block.get("data"))
    if block.get("type") == "text" and shown is not None:
        return chat.text_part(shown)
    if block.get("type") == "image" and data is not None:
        return chat.image_part(data, text(block.get("mimeType")) or "image/png")
    return None
