"""The conversation as a tree, out of the chains of its records.

One answer of the model is written as several records, and the results of its parallel calls hang on the record of their
call: the chain forks there though nothing was rewound. Here such an answer is one unit, its results follow it one after
the other, and what points at any of these records follows the last of them. Every other fork is a branch.
"""

from array import array
from collections.abc import Iterator

from clew.importers.claude_code.chains import LONGEST_ANSWER, NONE, Chains
from clew.importers.claude_code.kinds import Kind


class Tree:
    """Units, each of one record or of the records of one answer, and the unit before each of them.

    `parents` has the unit before each unit, `sizes` the number of its records, `answers` the unit of the answer whose
    calls it has the results of. `active` is the unit that Claude Code resumes from.
    """

    def __init__(self, chains: Chains) -> None:
        self._chains = chains
        self._of_node = array("q", [NONE]) * len(chains.kinds)
        self._hosts = array("q", [NONE]) * len(chains.kinds)  # the nearest node with a message, at a node or above
        self.parents = array("q")
        self.answers = array("q")
        self.keys_again: set[int] = set()
        self._after = array("q")  # the answer after whose results a unit comes
        self._results: dict[int, list[int]] = {}
        self._companions: dict[int, list[int]] = {}
        self._calls: dict[int, set[int]] = {}
        self._answered: dict[int, set[int]] = {}
        self._nodes = array("q")
        self._joined: dict[tuple[int, int], int] = {}
        self._copies: set[int] = set()
        self._has_next = self._find_what_has_next()
        for node in self._in_order():
            self._place(node)
        self._settle()
        self.units = array("q", (self._unit_of(node) for node in chains.records))
        self.sizes = array("q", [0]) * len(self.parents)
        self._last = array("q", [NONE]) * len(self.parents)
        for number, unit in enumerate(self.units):
            if unit != NONE:
                self.sizes[unit] += 1
                self._last[unit] = number
        self.active = self._find_active()

    def _unit_of(self, node: int) -> int:
        return NONE if node == NONE or node in self._copies else self._of_node[node]

    def _is_answer(self, unit: int) -> bool:
        return self._chains.kinds[self._nodes[unit]] == Kind.ANSWER

    def _in_order(self) -> Iterator[int]:
        """The nodes, each after its parent, otherwise in the order of the file."""
        parents = self._chains.parents
        if not self._chains.has_forward_links():
            yield from range(len(parents))
            return
        done = bytearray(len(parents))
        for node in range(len(parents)):
            way = []
            while node != NONE and not done[node]:
                done[node] = 1
                way.append(node)
                node = parents[node]
            yield from reversed(way)

    def _find_what_has_next(self) -> bytearray:
        """Nodes that a node with a message names, itself or by records without one between them."""
        chains, has_next = self._chains, bytearray(len(self._chains.kinds))
        for node in self._in_order():
            parent = chains.parents[node]
            above = NONE if parent == NONE else self._hosts[parent]
            self._hosts[node] = node if chains.kinds[node] != Kind.PASS else above
            if chains.kinds[node] != Kind.PASS and above != NONE:
                has_next[above] = 1
        return has_next

    def _place(self, node: int) -> None:
        kind = self._chains.kinds[node]
        if kind == Kind.PASS:
            return
        parent = self._chains.parents[node]
        above = NONE if parent == NONE or self._hosts[parent] == NONE else self._of_node[self._hosts[parent]]
        answer = NONE if above == NONE else above if self._is_answer(above) else self.answers[above]
        if kind == Kind.ANSWER:
            self._place_answer(node, above, answer)
        elif kind == Kind.RESULT and answer != NONE:
            self._place_result(node, above, answer)
        else:
            unit = self._new(node, above, answer)
            if answer != NONE and self._is_companion(node, answer):
                self._companions.setdefault(answer, []).append(unit)
                self.answers[unit] = answer

    def _new(self, node: int, above: int, after: int = NONE) -> int:
        unit = len(self.parents)
        self._of_node[node] = unit
        self._nodes.append(node)
        self.parents.append(above)
        self._after.append(after)
        self.answers.append(NONE)
        if node in self._chains.again:
            self.keys_again.add(unit)
        return unit

    def _place_answer(self, node: int, above: int, answer: int) -> None:
        """Add a record of an answer to those of the same answer, or begin one."""
        message, calls = self._chains.messages[node], self._chains.calls.get(node, ())
        unit = NONE
        if message:
            is_more = answer != NONE and self._chains.messages[self._nodes[answer]] == message
            # What is beside the first record, and not after it, is of the same answer, too.
            unit = answer if is_more else self._joined.get((message, above), NONE)
        if unit == NONE:
            unit = self._new(node, above, answer)
            if message:
                self._remember(message, above, unit)
        self._of_node[node] = unit
        if calls:
            self._calls.setdefault(unit, set()).update(calls)

    def _remember(self, message: int, above: int, unit: int) -> None:
        self._joined[message, above] = unit
        if len(self._joined) > LONGEST_ANSWER:
            del self._joined[next(iter(self._joined))]

    def _place_result(self, node: int, above: int, answer: int) -> None:
        ids = {id for id in self._chains.calls.get(node, ()) if id}
        results = self._results.setdefault(answer, [])
        content = self._chains.contents[node]
        for unit in results:
            if ids and self._chains.contents[self._nodes[unit]] == content:
                self._of_node[node] = unit  # written twice, under two names
                self._copies.add(node)
                return
        if ids & self._answered.get(answer, set()):
            self._new(node, above)  # another result of the same call: a branch
            return
        is_its = not ids or bool(ids & self._calls.get(answer, set()))
        unit = self._new(node, above, NONE if is_its else answer)
        if is_its:
            self._answered.setdefault(answer, set()).update(ids)
            self.answers[unit] = answer
            results.append(unit)

    def _is_companion(self, node: int, answer: int) -> bool:
        """Whether a message belongs to the results of an answer's calls, as the text of a skill does, or a prompt that
        was waiting: one that nothing follows would else be a branch of its own."""
        calls, kind = self._calls.get(answer, set()), self._chains.kinds[node]
        if self._chains.of_call.get(node) in calls:
            return True
        if kind in (Kind.QUEUED, Kind.COMMAND) and calls - self._answered.get(answer, set()):
            return True  # given while a tool runs: its result may follow
        is_dependent = node in self._chains.is_meta or kind == Kind.QUEUED
        return is_dependent and bool(calls) and not self._has_next[node]

    def _settle(self) -> None:
        """Put the results of each answer, and what belongs to them, one after the other."""
        ends: dict[int, int] = {}
        for answer in self._results.keys() | self._companions.keys():
            end = answer
            for unit in (*self._results.get(answer, ()), *self._companions.get(answer, ())):
                self.parents[unit], self._after[unit] = end, NONE
                end = unit
            ends[answer] = end
        for unit, answer in enumerate(self._after):
            if answer != NONE:
                self.parents[unit] = ends.get(answer, answer)

    def _find_active(self) -> int:
        """The last end of a branch in the file that is the user's or an answer, as the tool itself chooses."""
        ends = bytearray(b"\1") * len(self.parents)
        for parent in self.parents:
            if parent != NONE:
                ends[parent] = 0
        all_ends = [unit for unit, is_end in enumerate(ends) if is_end]
        own = [unit for unit in all_ends if self._nodes[unit] not in self._chains.is_meta]
        return max(own or all_ends, key=self._last.__getitem__, default=NONE)
