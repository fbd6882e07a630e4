"""Which result answers which tool call, whatever has happened to the conversation.

A result answers an open call of its id before it: of those in the latest message that has one, the first. A result
that no call before it waits for answers the first open one after it. Ids that are used again, as some models do with
every turn, so still find their results. Where there are no ids at all, results answer the calls of their turn in order.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from clew.conversation.parts import Form, Parts, Result


class CallAt(NamedTuple):
    """A call in the message at a position."""

    position: int
    form: Form
    part: int
    id: str | None
    name: str


class ResultAt(NamedTuple):
    """A result in the message at a position."""

    position: int
    form: Form
    part: int
    id: str | None
    leads: bool


class Pairing:
    """The calls and results of a conversation, added in order."""

    def __init__(self) -> None:
        self.calls: list[CallAt] = []
        self.answers: dict[CallAt, ResultAt] = {}
        self.repeated: list[CallAt] = []
        """Calls whose id an earlier one has."""
        self.again: list[ResultAt] = []
        """Results of calls that are answered already."""
        self._open: defaultdict[str | None, list[CallAt]] = defaultdict(list)
        self._seen: set[str] = set()
        self._early: list[ResultAt] = []

    def add(self, position: int, parts: Parts) -> list[tuple[CallAt, Result]]:
        """Take in a message, and return what it answers of what came before."""
        if parts.role and parts.ends and not parts.results:  # another turn begins: nothing tells what an id would
            self._open.pop(None, None)
        for call in parts.calls:
            self._add_call(CallAt(position, *call))
        answered = []
        for result in parts.results:
            waited = self._add_result(ResultAt(position, result.form, result.part, result.id, result.leads))
            if waited is not None:
                answered.append((waited, result))
        return answered

    def end(self) -> list[ResultAt]:
        """Give the results that came too early to calls after them, and return those that answer nothing."""
        lost = []
        for result in self._early:
            # Calls before it were answered by then, or it would not have come too early.
            waiting = self._open.get(result.id) if result.id is not None else None
            if waiting:
                self.answers[waiting.pop(0)] = result
            else:
                lost.append(result)
        self._early = []
        return lost

    def unanswered(self) -> list[CallAt]:
        """Calls without a result."""
        return [call for call in self.calls if call not in self.answers]

    def _add_call(self, call: CallAt) -> None:
        self.calls.append(call)
        self._open[call.id].append(call)
        if call.id is None:
            return
        if call.id in self._seen:
            self.repeated.append(call)
        self._seen.add(call.id)

    def _add_result(self, result: ResultAt) -> CallAt | None:
        waiting = self._open.get(result.id)
        if waiting:
            call = waiting.pop(0 if result.id is None else _first_of_latest(waiting))
            self.answers[call] = result
            return call
        (self.again if result.id in self._seen else self._early).append(result)
        return None


def _first_of_latest(waiting: Sequence[CallAt]) -> int:
    """The place of the first call in the latest message that has one."""
    place = len(waiting) - 1
    while place and waiting[place - 1].position == waiting[-1].position:
        place -= 1
    return place


class Turn(NamedTuple):
    """Where the results of a call may stand: the messages from `start` up to `stop`."""

    start: int
    stop: int


class Turns:
    """Where in a conversation providers look for results.

    They want them right after the message of the call; Anthropic takes several messages of one role for one. Items only
    have to come later. What every position needs is found out once, so that the cost grows with the length alone.
    """

    def __init__(self, parts: Sequence[Parts]) -> None:
        count = len(parts)
        self._count = count
        self._known = [count] * (count + 1)  # from a position on, the first message of a form that is known
        self._not_assistant = [count] * (count + 1)  # the first of those that is not the assistant's
        self._stops = [count] * (count + 1)  # where results that begin at a position are over
        for place in range(count - 1, -1, -1):
            one = parts[place]
            self._known[place] = place if one.is_known else self._known[place + 1]
            passed = not one.is_known or one.role == "assistant"
            self._not_assistant[place] = self._not_assistant[place + 1] if passed else place
            self._stops[place] = self._stop(place, one)
        self._last_end = _last(one.is_known and one.ends for one in parts)
        self._last_role = _last(one.role is not None for one in parts)

    def of(self, call: CallAt) -> Turn:
        """Where the results of a call may stand."""
        start = call.position + 1
        if call.form == "item":
            return Turn(start, self._count)
        start = (self._not_assistant if call.form == "blocks" else self._known)[start]
        return Turn(start, self._stops[start])

    def is_in_place(self, call: CallAt, result: ResultAt) -> bool:
        """Whether providers find the result of a call where it stands."""
        if result.position == call.position:  # of a provider's own tool, which answers in the message that calls it
            return (call.form, result.form) == ("chat", "blocks")
        turn = self.of(call)
        return turn.start <= result.position < turn.stop and result.leads

    def is_last(self, call: CallAt) -> bool:
        """Whether nobody has said anything since a call: its run was interrupted, or still goes on."""
        return self._last_role <= call.position if call.form == "item" else self._last_end < self.of(call).start

    def _stop(self, place: int, one: Parts) -> int:
        if one.is_known and (not one.results or one.role == "assistant"):
            return place
        return place + 1 if one.is_known and one.ends else self._stops[place + 1]


def _last(marks: Iterable[bool]) -> int:
    """The place of the last mark that is true, -1 where none is."""
    return max((place for place, mark in enumerate(marks) if mark), default=-1)
