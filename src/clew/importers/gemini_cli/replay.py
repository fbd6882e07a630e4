"""What a session of Gemini CLI comes to when its records are played again, as the program does to resume it.

A record is a message (one that is there already is replaced), `$rewindTo` (that message and all after it go), `$set`
(what is told of the session; its `messages` are all that there are from then on), or the header. Here what goes stays:
as the branch that it was.
"""

import hashlib
from collections.abc import Iterator
from typing import Any

from clew.importers.chat import json_text
from clew.importers.gemini_cli.content import (
    calls_of,
    is_summary,
    kind_of,
    messages_of,
    plain_text,
    read_content,
    responses_of,
    said_in,
)
from clew.importers.records import Record
from clew.importers.steps import Notes
from clew.importers.values import fields, objects, text

TYPES = frozenset(("user", "gemini", "info", "error", "warning"))
_LOOK_BACK = 100  # messages between a call and a message with its result
_COMPARED = ("role", "content", "tool_calls", "tool_call_id", "is_error")
_NOT_PROMPTS = ("<session_context>", "<state_snapshot>", "This is the Gemini CLI.", "<hook_context>", "/", "?")


class Node:
    """One message, with the record that has its last version; `item` is the place within a record of several."""

    __slots__ = ("answered", "calls", "digest", "item", "key", "parent", "position", "responses", "restarts", "results")

    def __init__(self, key: str, parent: int | None) -> None:
        self.key = key
        self.parent = parent
        self.restarts = False
        """Whether its messages are those of its record up to it, and replace what was before."""

    def read(self, value: dict[str, Any], position: int, item: int) -> None:
        """Have this version of the message."""
        self.position, self.item = position, item
        self.results, self.calls = responses_of(value), calls_of(value)
        self.responses = tuple(result.id for result in self.results if result.id is not None)
        """The calls whose results are here alone or a second time."""
        made = messages_of(value)
        self.answered = tuple(message["tool_call_id"] for message in made if message.get("tool_call_id"))
        self.digest = _digest([message for message in made if message.get("tool_call_id") not in self.responses])


class Replay:
    """The tree of a session. Of each message a few hundred bytes are kept."""

    def __init__(self, notes: Notes) -> None:
        self._notes = notes
        self.nodes: list[Node] = []
        self.told: dict[str, Any] = {}
        """What header and `$set` say, the last of each name."""
        self.prompt: str | None = None
        self.model: str | None = None
        self._live: dict[str, int] = {}
        """The messages that a resume would load, in order."""
        self._keys: set[str] = set()

    @property
    def active(self) -> str | None:
        """The key of the last message that a resume would load."""
        last = self._last()
        return None if last is None else self.nodes[last].key

    def take(self, record: Record) -> None:
        """The next record. Their order of precedence is the program's own."""
        value = self._notes.value(record)
        if value is None:
            return
        if not isinstance(value, dict):
            self._notes.unknown[type(value).__name__] += 1
        elif isinstance(value.get("$rewindTo"), str):
            self._rewind(value["$rewindTo"])
        elif isinstance(value.get("id"), str):
            self._message(value, record.position)
        elif isinstance(value.get("$set"), dict):
            self._tell(value["$set"], record.position)
        elif isinstance(value.get("sessionId"), str):
            self._tell(value, record.position)
        else:
            self._notes.unknown[str(text(value.get("type")) or next(iter(value), "an empty object"))] += 1

    def answered(self, node: Node) -> list[str]:
        """Of the calls whose results a message holds, those that have theirs before it already."""
        above, left = node.parent, set(node.responses)
        found: list[str] = []
        for _ in range(_LOOK_BACK):
            if above is None or not left:
                break
            found += left.intersection(self.nodes[above].answered)
            left.difference_update(found)
            above = self.nodes[above].parent
        return found

    def named(self, node: Node) -> dict[int, str]:
        """The calls that the results in a message are of, by the place of each, where the calls came without an id.

        The API needs none: results are of the answer before them, and in its order for each tool. Gemini CLI makes up
        an id that the call has not, and writes it to the result alone.
        """
        way: list[Node] = []
        above: Node | None = node
        while above is not None and above.results and len(way) < _LOOK_BACK:
            way.append(above)
            above = None if above.parent is None else self.nodes[above.parent]
        found: dict[int, str] = {}
        if above is None:
            return found
        own, left = {call.id for call in above.calls[0]}, list(above.calls[1])
        for holder in reversed(way):
            found = {}
            for place, result in enumerate(holder.results):
                call = next((call for call in left if call.name == result.name), None)
                if call is not None and call.id is not None and result.id not in own:
                    left.remove(call)
                    found[place] = call.id
        return found

    def _last(self) -> int | None:
        return next(reversed(self._live.values()), None)

    def _rewind(self, id: str) -> None:
        ids = list(self._live)
        for gone in ids[ids.index(id) :] if id in self._live else ids:
            del self._live[gone]

    def _message(self, value: dict[str, Any], position: int) -> None:
        known = self._live.get(value["id"])
        if known is None:
            known = self._add(value["id"], self._last(), position, 0)
            self._live[value["id"]] = known
        self._read(self.nodes[known], value, position, 0)

    def _tell(self, told: dict[str, Any], position: int) -> None:
        self.told.update({name: value for name, value in told.items() if name != "messages"})
        if isinstance(told.get("messages"), list):
            self._replace(objects(told["messages"]), position)

    def _replace(self, values: list[dict[str, Any]], position: int) -> None:
        """These are all messages from now on: as long as they are those that there were, they are the same."""
        before, left = self._live, iter(list(self._told_nodes()))
        self._live, parent, shared = {}, None, True
        answered: set[str] = set()
        for item, value in enumerate(values):
            node = Node("", parent)
            node.read(value, position, item)
            said = _said(node, answered)
            same = next(left, None) if shared and said is not None else None
            if same is not None and same[1] == said:
                parent = same[0]
            elif said is not None or not shared:
                shared, first = False, shared
                number = self._add(text(value.get("id")) or f"{position}.{item}", parent, position, item)
                self._read(self.nodes[number], value, position, item)
                if first and before and is_summary(value):
                    self.nodes[number].restarts = True
                    self.nodes[number].parent = next(reversed(before.values()))
                parent = number
            if parent is not None:
                self._live[text(value.get("id")) or f"{position}.{item}"] = parent

    def _told_nodes(self) -> Iterator[tuple[int, bytes]]:
        """The messages that are live, as far as they say something, each with what it says."""
        answered: set[str] = set()
        for number in self._live.values():
            said = _said(self.nodes[number], answered)
            if said is not None:
                yield number, said

    def _add(self, id: str, parent: int | None, position: int, item: int) -> int:
        key = id if id not in self._keys else f"{id}@{position}.{item}"
        self._keys.add(key)
        self.nodes.append(Node(key, parent))
        return len(self.nodes) - 1

    def _read(self, node: Node, value: dict[str, Any], position: int, item: int) -> None:
        node.read(value, position, item)
        kind = kind_of(value)
        if kind not in TYPES:
            self._notes.unknown[kind or "a message without a type"] += 1
        for unknown in read_content(said_in(value)).unknown if kind in ("user", "gemini") else ():
            self._notes.unknown[f"part {unknown}"] += 1
        self.model = text(value.get("model")) or self.model
        if self.prompt is None and kind == "user":
            self.prompt = _prompt(value)


def items_of(value: Any) -> list[dict[str, Any]]:
    """The messages of a record that has several, or the one that it is."""
    if not isinstance(value, dict) or isinstance(value.get("id"), str):
        return [fields(value)]
    return objects(fields(value.get("$set", value)).get("messages"))


def _said(node: Node, answered: set[str]) -> bytes | None:
    """What tells a message from others, given the calls that are answered before; None where it says nothing new."""
    new = [id for id in node.responses if id not in answered]
    answered.update(node.answered)
    return node.digest + "\n".join(new).encode(errors="surrogatepass") if new or node.digest else None


def _digest(messages: list[dict[str, Any]]) -> bytes:
    """What messages say, without names and numbers that are given anew; nothing for none."""
    if not messages:
        return b""
    said = [{name: message.get(name) for name in _COMPARED} for message in messages]
    return hashlib.blake2b(json_text(said).encode(errors="surrogatepass"), digest_size=16).digest()


def _prompt(value: dict[str, Any]) -> str | None:
    """What the user has typed; None where it is not a prompt."""
    for content in (value.get("displayContent"), said_in(value)):
        typed = plain_text(content).strip() if content else ""
        if typed and not typed.startswith(_NOT_PROMPTS):
            return typed
    return None
