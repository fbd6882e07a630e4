"""What of a batch of messages is new. The framework may hand over messages that are stored already, or all of them."""

import json

from clew import Message


def new_part(tail: list[Message], count: int, given: list[Message]) -> list[Message]:
    """The messages of `given` that come after what it has in common with the stored ones.

    `count` is how many are stored, and `tail` the last of them, as many as are given: more of them cannot matter. Two
    messages are the same that have the same id, or no id and the same role and content. Where the only common message
    is one of the user without an id, it counts as said again.
    """
    known = [_identity(message) for message in tail]
    offered = [_identity(message) for message in given]
    said_again = bool(known) and tail[-1].get("role") == "user" and known[-1][0] != "id"
    if known and count == len(known):
        begins = _place_of_all(known, offered)
        if begins is not None and not (begins == 0 and len(known) == 1 and said_again):
            return given[begins + len(known) :]
    for length in range(min(len(known), len(offered)), 0, -1):
        if known[-length:] == offered[:length] and not (length == 1 and said_again):
            return given[length:]
    return given


def _place_of_all(known: list[tuple[object, ...]], offered: list[tuple[object, ...]]) -> int | None:
    """Where in what is offered everything that is known stands in one piece."""
    places = range(len(offered) - len(known) + 1)
    return next((place for place in places if offered[place : place + len(known)] == known), None)


def _identity(message: Message) -> tuple[object, ...]:
    id = message.get("message_id")
    if id is not None:
        return ("id", id)
    # As text: to Python the arguments 1, 1.0 and True of a call are equal.
    return ("content", message.get("role"), json.dumps(message.get("content"), sort_keys=True))
