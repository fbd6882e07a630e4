"""What model providers refuse of a conversation. Where they differ, what any of them refuses counts."""

from collections.abc import Iterable, Sequence

from clew.conversation.pairing import CallAt, Pairing, ResultAt, Turns
from clew.conversation.parts import Parts, parts_of
from clew.model import Message
from clew.reports import Flaw
from clew.text import shown

_SHOWN_ID_CHARS = 100


def light_parts(messages: Iterable[Message]) -> list[Parts]:
    """The parts of messages without what their results say: a long conversation takes little memory so."""
    return [_light(parts_of(message)) for message in messages]


def flaws(parts: Sequence[Parts]) -> list[Flaw]:
    """Everything that a provider would refuse, in the order of the positions."""
    pairing = Pairing()
    for position, message in enumerate(parts):
        pairing.add(position, message)
    lost, turns = pairing.end(), Turns(parts)
    found = [*_calls(turns, pairing), *_results(turns, pairing, lost), *_empty(parts), *_empty_lists(parts)]
    return sorted(found, key=lambda flaw: flaw.position)


def _light(parts: Parts) -> Parts:
    if not parts.results:
        return parts
    return parts._replace(results=tuple(result._replace(value={}) for result in parts.results))


def _calls(turns: Turns, pairing: Pairing) -> Iterable[Flaw]:
    for call in pairing.calls:
        if call.id is None:
            yield _of(call, "missing_id", f"the tool call of {call.name} has no id")
        elif call not in pairing.answers:
            if turns.is_last(call):
                yield _of(call, "interrupted", f"{_named(call)} has no result, and the conversation ends with it")
            else:
                yield _of(call, "call_without_result", f"{_named(call)} has no result")
    for call in pairing.repeated:
        yield _of(call, "duplicate_call", f"{_named(call)} has an id that an earlier one has")


def _results(turns: Turns, pairing: Pairing, lost: Sequence[ResultAt]) -> Iterable[Flaw]:
    for call, result in pairing.answers.items():
        if result.id is None:
            yield _nameless(result)
        elif turns.is_in_place(call, result):
            continue
        elif result.position <= call.position:
            yield _of(result, "result_before_call", f"the result of {_named(call)} comes before it")
        else:
            yield _of(result, "result_separated", f"the result of {_named(call)} does not follow it at once")
    for result in pairing.again:
        yield _of(result, "duplicate_result", f"tool call {_id(result)} has a result already")
    for result in lost:
        if result.id is None:
            yield _nameless(result)
        else:
            yield _of(result, "result_without_call", f"there is no tool call {_id(result)} that this could answer")


def _empty(parts: Sequence[Parts]) -> Iterable[Flaw]:
    last = max((position for position, message in enumerate(parts) if message.is_known), default=-1)
    for position, message in enumerate(parts):
        if is_refused_as_empty(message, is_last=position == last):
            yield Flaw(code="empty_content", position=position, message=f"the {message.role} says nothing")
        elif message.blank:
            yield Flaw(code="empty_content", position=position, message="a block of text has no text")


def _empty_lists(parts: Sequence[Parts]) -> Iterable[Flaw]:
    for position, message in enumerate(parts):
        if message.lists_no_calls:
            yield Flaw(code="empty_tool_calls", position=position, message="the list of tool calls is empty")


def is_refused_as_empty(message: Parts, *, is_last: bool) -> bool:
    """Whether a message has to say something and does not."""
    return message.is_empty and not (is_last and message.may_be_last)


def _of(at: CallAt | ResultAt, code: str, message: str) -> Flaw:
    return Flaw(code=code, position=at.position, id=at.id, message=message)


def _nameless(result: ResultAt) -> Flaw:
    return _of(result, "missing_id", "a result does not say of which tool call it is")


def _named(call: CallAt) -> str:
    return f"tool call {_id(call)} of {shown(call.name, _SHOWN_ID_CHARS)}"


def _id(at: CallAt | ResultAt) -> str:
    return shown(at.id, _SHOWN_ID_CHARS)
