"""Which events are messages of their own.

Codex tells what the user and the model said twice, as an item and as one or two events. Which of them a file has
depends on the version, and one that was resumed by another version has both ways. An event is a message where no item
says the same nearby.
"""

import re
from collections.abc import Iterable
from typing import Any

import msgspec

from clew.hashing import content_hash
from clew.importers.codex.items import is_context, text_in
from clew.importers.codex.lines import EVENT, ITEM, Line
from clew.importers.values import fields, objects, text

_SPACE = re.compile(r"\s+")
_KEPT = 200  # characters of the begin and end of a text
_LOOKED_AT = 20_000  # of a text, so that a very long one costs no more than a long one
_NEAR = 1  # stretches between an item and its event

_ITEM = "item"
_EVENT_ROLES = {"user_message": "user", "agent_message": "assistant"}
_COMPLETED_ROLES = {"UserMessage": "user", "AgentMessage": "assistant"}


class Saying(msgspec.Struct, frozen=True):
    """What somebody said, in one of the ways: `way` is `item` or the type of the event."""

    role: str
    way: str
    content: Any


def saying_of(line: Line) -> Saying | None:
    """What a line says, None where it is no message of the user or the model."""
    if line.kind == ITEM and line.type == "message":
        role = text(line.payload.get("role"))
        return Saying(role, _ITEM, line.payload.get("content")) if role in ("user", "assistant") else None
    if line.kind != EVENT:
        return None
    if line.type in _EVENT_ROLES:
        return Saying(_EVENT_ROLES[line.type], line.type, event_content(line.payload))
    item = fields(line.payload.get("item"))
    role = _COMPLETED_ROLES.get(text(item.get("type")) or "") if line.type == "item_completed" else None
    return None if role is None else Saying(role, "item_completed", item.get("content"))


def event_content(event: dict[str, Any]) -> list[dict[str, Any]]:
    """The text and the images of an event, as the content of an item."""
    message = text(event.get("message"))
    content: list[dict[str, Any]] = [] if message is None else [{"type": "input_text", "text": message}]
    for name, key in (("images", "image_url"), ("local_images", "path")):
        listed = event.get(name)
        images = [text(image) for image in listed] if isinstance(listed, list) else []
        content += [{"type": "input_image", key: image} for image in images if image is not None]
    return content


class _Heard:
    """One thing that was said, with the ways that told it so far."""

    def __init__(self, position: int, saying: Saying, stretch: int) -> None:
        shown = _SPACE.sub(" ", text_in(saying.content)[:_LOOKED_AT]).strip()
        self.position = position
        self.ways = {saying.way}
        self.stretch = stretch
        self.is_context = saying.role == "user" and is_context(saying.content)
        self.size, self.begin, self.end = len(shown), shown[:_KEPT], shown[-_KEPT:]
        self.hash = content_hash(shown.encode(errors="surrogatepass"))

    def is_like(self, item: "_Heard") -> bool:
        """Whether an item holds what this says, and more: an editor's context before it, a citation after it."""
        if self.size >= item.size:
            return self.size == 0
        return item.begin.startswith(self.begin) or item.end.endswith(self.end)


class Spoken:
    """Finds the events that are messages of their own, while the lines go by."""

    def __init__(self) -> None:
        self.positions: set[int] = set()
        """Of the events that are messages."""
        self._heard: dict[str, list[_Heard]] = {"user": [], "assistant": []}
        self._same: dict[tuple[str, bytes], list[_Heard]] = {}
        self._stretch = 0
        self._user_speaks = False

    def add(self, position: int, line: Line) -> None:
        """Look at the next line."""
        saying = saying_of(line)
        if saying is None:
            self._user_speaks &= line.kind != ITEM or line.type == "message"
            return
        if saying.role == "user" and not self._user_speaks:
            self._stretch += 1
            self._settle(self._stretch - _NEAR)
        self._user_speaks = saying.role == "user"
        if text_in(saying.content) or images_of(saying.content):
            self._join(_Heard(position, saying, self._stretch), saying)

    def end(self) -> None:
        """There are no more lines."""
        self._settle(self._stretch + 1)

    def _join(self, new: _Heard, saying: Saying) -> None:
        same = self._same.setdefault((saying.role, new.hash), [])
        for known in same:
            if known.stretch >= new.stretch - _NEAR and saying.way not in known.ways:
                known.ways.add(saying.way)
                return
        same.append(new)
        self._heard[saying.role].append(new)

    def _settle(self, before: int) -> None:
        """Decide what was said in the stretches before this one: nothing that belongs to it comes any more."""
        self._same.clear()
        for role, heard in self._heard.items():
            for event in (known for known in heard if known.stretch < before and _ITEM not in known.ways):
                item = _item_of(event, heard)
                if item is None:
                    self.positions.add(event.position)
                else:
                    item.ways |= event.ways
            self._heard[role] = [known for known in heard if known.stretch >= before - _NEAR]
            for known in self._heard[role]:
                self._same.setdefault((role, known.hash), []).append(known)


def _item_of(event: _Heard, heard: Iterable[_Heard]) -> _Heard | None:
    for item in heard:
        near = abs(item.stretch - event.stretch) <= _NEAR and not item.is_context
        if near and _ITEM in item.ways and not item.ways & event.ways and event.is_like(item):
            return item
    return None


def images_of(content: Any) -> int:
    """How many images a content has."""
    return sum(1 for part in objects(content) if "image" in str(part.get("type")))
