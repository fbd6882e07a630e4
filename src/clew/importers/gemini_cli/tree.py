"""The steps of a session, out of its records and the tree that they come to."""

from collections.abc import Iterator

from clew.importers.gemini_cli.content import messages_of
from clew.importers.gemini_cli.replay import Node, Replay, items_of
from clew.importers.records import Record, Records
from clew.importers.steps import Loose, Step
from clew.importers.values import moment

_MAX_WAITING_BYTES = 64 * 1024 * 1024


def steps_of(records: Records, replay: Replay) -> Iterator[Step | Loose]:
    """The steps, each after its parent.

    A message may be replaced after others have come that follow it: these wait for it. Where they are too many to wait
    in memory, the records are read once more.
    """
    tree = _Tree(replay)
    yield from tree.read(records, is_first=True)
    while tree.left:
        before = tree.left
        yield from tree.read(records, is_first=False)
        if tree.left == before:
            return  # the file is another one by now; the next import reads it


class _Tree:
    def __init__(self, replay: Replay) -> None:
        self._replay = replay
        self._at: dict[int, list[int]] = {}
        """The messages that each position has the last version of."""
        for number, node in enumerate(replay.nodes):
            self._at.setdefault(node.position, []).append(number)
        self._done = bytearray(len(replay.nodes))
        self._waiting: dict[int, list[tuple[int, Step]]] = {}
        self._bytes = 0
        self.left = len(replay.nodes)

    def read(self, records: Records, *, is_first: bool) -> Iterator[Step | Loose]:
        """Read all records; each of them is given back when that is done first."""
        self._waiting, self._bytes = {}, 0
        for record in records:
            numbers = [number for number in self._at.get(record.position, ()) if not self._done[number]]
            kept = [record] if is_first else []
            if numbers and self._bytes > _MAX_WAITING_BYTES and self._waits(numbers[0]):
                numbers = []
            if not numbers and kept:
                yield Loose(kept)
            for number, step in self._steps(numbers, record, kept):
                yield from self._give(number, step, len(record.text))

    def _steps(self, numbers: list[int], record: Record, kept: list[Record]) -> Iterator[tuple[int, Step]]:
        values = items_of(record.value()) if numbers else []
        for number in numbers:
            node = self._replay.nodes[number]
            above = None if node.parent is None else self._replay.nodes[node.parent].key
            if node.item >= len(values):
                continue  # the file is another one by now
            listed = values[: node.item + 1] if node.restarts else [values[node.item]]
            answered, named = self._replay.answered(node), self._replay.named(node)
            yield (
                number,
                Step(
                    key=node.key,
                    parent=above,
                    messages=[
                        message
                        for value in listed
                        for message in messages_of(value, answered, named if value is listed[-1] else None)
                    ],
                    records=kept,
                    created_at=moment(listed[-1].get("timestamp")),
                    restarts=node.restarts,
                ),
            )
            kept = []

    def _give(self, number: int, step: Step, size: int) -> Iterator[Step]:
        """Give a step, and those that have waited for it; or have it wait."""
        if self._waits(number):
            self._waiting.setdefault(self._parent(number), []).append((number, step))
            self._bytes += size
            return
        ready = [(number, step)]
        while ready:
            number, step = ready.pop()
            self._done[number] = True
            self.left -= 1
            yield step
            ready += reversed(self._waiting.pop(number, []))

    def _waits(self, number: int) -> bool:
        parent = self._parent(number)
        return parent >= 0 and not self._done[parent]

    def _parent(self, number: int) -> int:
        node: Node = self._replay.nodes[number]
        return -1 if node.parent is None else node.parent
