"""The records of a session as a graph: which of them name which, before anything is put together.

Of each record little is kept, so that a session of a gigabyte fits. Texts are kept as hashes.
"""

from array import array
from collections.abc import Callable
from typing import Any

from clew.hashing import content_hash
from clew.importers.claude_code.kinds import CHAIN, Kind, content_of, kind_of
from clew.importers.records import Record, encode_value
from clew.importers.values import fields, objects, text

NONE = -1
LONGEST_ANSWER = 1_000
"""How many nodes may be between two records of one answer: what comes between them waits for the second."""

_LONGEST_WALK = 100_000  # of a look for a cycle, at parents that stand after their children


class Chains:
    """Nodes, in the order of the file, and the node before each of them.

    A node is a record of a type that has a place in a chain; a later version of an answer's record, under the same
    uuid, belongs to the node of the first. `records` has the node of each record: NONE for one beside the chains.
    """

    def __init__(self) -> None:
        self.records = array("q")
        self.parents = array("q")
        self.kinds = bytearray()
        self.messages = array("Q")
        """The hash of an answer's `message.id`, 0 where it has none."""
        self.contents = array("Q")
        """The hash of what a node says."""
        self.calls: dict[int, tuple[int, ...]] = {}
        """The hashes of the ids of the tool calls that a node makes, or has the results of."""
        self.is_meta: set[int] = set()
        """Nodes whose records say that they are not the user's, or are another agent's."""
        self.of_call: dict[int, int] = {}
        """Nodes that were written for a tool call, such as the text of a skill, and the hash of its id."""
        self.again: set[int] = set()
        """Nodes whose uuid another one has, too."""
        self._by_uuid: dict[int, int] = {}
        self._ahead: list[tuple[int, int]] = []
        self._kept: dict[int, int] = {}
        self._summary = NONE

    def add(self, record: Record, value: Any) -> int:
        """Take the next record; its node, or NONE where it has no place in a chain."""
        if not isinstance(value, dict) or not _is_of_chain(value):
            self.records.append(NONE)
            return NONE
        uuid, kind = text(value.get("uuid")), kind_of(value)
        if kind is Kind.QUEUED and self.knows(fields(value.get("attachment")).get("source_uuid")):
            kind = Kind.PASS  # the prompt has a record of its own
        key = _hash(uuid) if uuid else 0
        content = _hash_of_content(value, kind)
        message = _message_hash(value) if kind is Kind.ANSWER else 0
        known = self._by_uuid.get(key, NONE) if uuid else NONE
        if known != NONE and self._is_same(known, kind, content, message):
            return self._add_again(known, value, content)
        self._connect(value)
        node = len(self.kinds)
        self.records.append(node)
        self.kinds.append(kind)
        self.messages.append(message)
        self.contents.append(content)
        self._note(node, value, kind)
        if uuid:
            if known != NONE:
                self.again.add(node)
            self._by_uuid[key] = node
        return node

    def finish(self) -> None:
        """Join the nodes whose parents stand after them, and those whose parents are nowhere to what was before."""
        lost = [node for node, key in self._ahead if not self._join(node, self._by_uuid.get(key, NONE))]
        for node in lost:
            self._join(node, node - 1)
        self._by_uuid.clear()
        self._kept.clear()

    def knows(self, uuid: Any) -> bool:
        """Whether a record so far has this uuid."""
        return isinstance(uuid, str) and _hash(uuid) in self._by_uuid

    def has_forward_links(self) -> bool:
        """Whether a node stands before its parent."""
        return bool(self._ahead)

    def _is_same(self, known: int, kind: Kind, content: int, message: int) -> bool:
        if self.kinds[known] != kind or kind is Kind.PASS:
            return False
        return self.contents[known] == content or (message != 0 and self.messages[known] == message)

    def _add_again(self, known: int, value: dict[str, Any], content: int) -> int:
        """A record that was written twice, or an answer's that has more than the one of its uuid before."""
        is_copy = self.contents[known] == content or len(self.kinds) - known > LONGEST_ANSWER
        self.records.append(NONE if is_copy else known)
        if not is_copy:
            self.calls[known] = (*self.calls.get(known, ()), *_calls(value, Kind.ANSWER))
        return known

    def _connect(self, value: dict[str, Any]) -> None:
        """Find the node before the next one: what it names, or the one before it in the file."""
        node, before = len(self.kinds), len(self.kinds) - 1
        named = _parent_named(value, self.knows)
        if named is None or named == value.get("uuid"):
            self.parents.append(before if named is not None or not _is_root(value) else NONE)
            return
        key = _hash(named)
        parent = self._by_uuid.get(key)
        if parent is None:
            self._ahead.append((node, key))
        self.parents.append(NONE if parent is None else self._after_compaction(parent, value))

    def _after_compaction(self, parent: int, value: dict[str, Any]) -> int:
        # What a compaction has kept as it was is followed by what comes after the summary.
        boundary = self._kept.get(parent, NONE)
        if boundary == NONE or value.get("isCompactSummary") or value.get("type") == "system":
            return parent
        return max(boundary, self._summary)

    def _note(self, node: int, value: dict[str, Any], kind: Kind) -> None:
        if value.get("isMeta") or value.get("teamName"):
            self.is_meta.add(node)
        if calls := _calls(value, kind):
            self.calls[node] = calls
        if kind is Kind.PROMPT and (source := text(value.get("sourceToolUseID"))):
            self.of_call[node] = _hash(source)
        if value.get("isCompactSummary"):
            self._summary = node
        if _is_boundary(value):
            last = _last_kept(fields(value.get("compactMetadata")))
            if last and (tail := self._by_uuid.get(_hash(last))) is not None:
                self._kept[tail] = node

    def _join(self, node: int, parent: int) -> bool:
        """Put a node after another one, unless that leads to it."""
        is_right = parent != NONE and not self._is_above(node, parent)
        if is_right:
            self.parents[node] = parent
        return is_right

    def _is_above(self, node: int, other: int) -> bool:
        """Whether a node is another one, or leads to it."""
        for _ in range(_LONGEST_WALK):
            if other == node:
                return True
            if other == NONE:
                return False
            other = self.parents[other]
        return True


def _is_of_chain(value: dict[str, Any]) -> bool:
    kind = value.get("type")
    # A type that is new and has a place in a chain must not cut it.
    return (isinstance(kind, str) and kind in CHAIN) or ("parentUuid" in value and text(value.get("uuid")) is not None)


def _is_boundary(value: dict[str, Any]) -> bool:
    return value.get("subtype") == "compact_boundary"


def _last_kept(told: dict[str, Any]) -> str | None:
    """The uuid of the last record that a compaction has kept as it was: versions tell it in two ways."""
    listed = fields(told.get("preservedMessages")).get("uuids")
    uuids = listed if isinstance(listed, list) else []
    return text(fields(told.get("preservedSegment")).get("tailUuid")) or (text(uuids[-1]) if uuids else None)


def _is_root(value: dict[str, Any]) -> bool:
    """Whether a record says that there is none before it. A compaction's says so, but means the model's context."""
    return "parentUuid" in value and value["parentUuid"] is None and not _is_boundary(value)


def _parent_named(value: dict[str, Any], knows: Callable[[Any], bool]) -> str | None:
    """The uuid of the record before, as a record names it."""
    named, logical = text(value.get("parentUuid")), text(value.get("logicalParentUuid"))
    if not _is_boundary(value) or logical is None:
        return named
    return logical if named is None or knows(logical) else named


def _hash(name: str) -> int:
    return _short(name.encode(errors="surrogatepass"))


def _short(content: bytes) -> int:
    return int.from_bytes(content_hash(content)[:8])


def _message_hash(value: dict[str, Any]) -> int:
    name = text(fields(value.get("message")).get("id"))
    return _hash(name) if name else 0


def _hash_of_content(value: dict[str, Any], kind: Kind) -> int:
    if kind is Kind.PASS:
        return 0
    return _short(encode_value(value.get("attachment") if kind is Kind.QUEUED else content_of(value)))


def _calls(value: dict[str, Any], kind: Kind) -> tuple[int, ...]:
    if kind not in (Kind.ANSWER, Kind.RESULT):
        return ()
    blocks = objects(fields(value.get("message")).get("content"))
    made, name = ("tool_use", "id") if kind is Kind.ANSWER else ("tool_result", "tool_use_id")
    ids = (text(block.get(name)) for block in blocks if block.get("type") == made)
    return tuple(_hash(id) if id else 0 for id in ids)
