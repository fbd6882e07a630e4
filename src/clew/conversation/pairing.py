"""Which result answers which tool call, whatever has happened to the conversation.

A result answers an open call of its id before it: of those in the latest message that has one, the first. A result
that no call before it waits for answers the first open one after it. Ids that are used again, as some models do with
every turn, so still find their results.
"""

from collections import defaultdict
from collections.abc import Sequence
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
        self._open: defaultdict[str, list[CallAt]] = defaultdict(list)
        self._seen: set[str] = set()
        self._early: list[ResultAt] = []

    def add(self, position: int, parts: Parts) -> list[tuple[CallAt, Result]]:
        """Take in a message, and return what it answers of what came before."""
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
            waiting = [call for call in self._waiting(result.id) if call.position > result.position]
            if waiting:
                self._answer(waiting[0], result)
            else:
                lost.append(result)
        self._early = []
        return lost

    def unanswered(self) -> list[CallAt]:
        """Calls without a result."""
        return [call for call in self.calls if call not in self.answers]

    def _add_call(self, call: CallAt) -> None:
        self.calls.append(call)
        if call.id is None:
            return
        if call.id in self._seen:
            self.repeated.append(call)
        self._seen.add(call.id)
        self._open[call.id].append(call)

    def _add_result(self, result: ResultAt) -> CallAt | None:
        waiting = self._waiting(result.id)
        if waiting:
            latest = waiting[-1].position
            call = next(call for call in waiting if call.position == latest)
            self._answer(call, result)
            return call
        (self.again if result.id in self._seen else self._early).append(result)
        return None

    def _waiting(self, id: str | None) -> list[CallAt]:
        return [] if id is None else self._open.get(id, [])

    def _answer(self, call: CallAt, result: ResultAt) -> None:
        self.answers[call] = result
        self._waiting(call.id).remove(call)


class Turn(NamedTuple):
    """Where the results of a call may stand: the messages from `start` up to `stop`."""

    start: int
    stop: int


def turn_of(parts: Sequence[Parts], call: CallAt) -> Turn:
    """Where providers look for the result of a call.

    They want it right after the message of the call; Anthropic takes several messages of one role for one. Items only
    have to come later.
    """
    if call.form == "item":
        return Turn(call.position + 1, len(parts))
    start = call.position + 1
    while start < len(parts) and _is_passed(parts[start], call.form):
        start += 1
    stop = start
    while stop < len(parts) and (parts[stop].results or not parts[stop].is_known):
        stop += 1
        if parts[stop - 1].is_known and parts[stop - 1].ends:
            break
    return Turn(start, stop)


def is_in_place(parts: Sequence[Parts], call: CallAt, result: ResultAt) -> bool:
    """Whether providers find the result of a call where it stands."""
    turn = turn_of(parts, call)
    return turn.start <= result.position < turn.stop and result.leads


def is_last(parts: Sequence[Parts], call: CallAt) -> bool:
    """Whether nobody has said anything since a call: its run was interrupted, or still goes on."""
    if call.form == "item":
        return not any(later.role for later in parts[call.position + 1 :])
    return not any(later.is_known and later.ends for later in parts[turn_of(parts, call).start :])


def _is_passed(parts: Parts, form: Form) -> bool:
    return not parts.is_known or (form == "blocks" and parts.role == "assistant")
