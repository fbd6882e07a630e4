"""Which checkpoint a session had before somebody said something: `clew rewind --turns`."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple
from uuid import UUID

from clew.cli.rendering import preview
from clew.cli.text import counted
from clew.cli.window import Read, has_role
from clew.errors import NotFoundError
from clew.model import CheckpointSummary, Message
from clew.store import Store

_PART = 256


class Turn(NamedTuple):
    """A message of the user and its place in the conversation, from 0."""

    place: int
    message: Message


def find_turn(read: Read, count: int, turns: int) -> Turn:
    """Where the last turn but `turns` - 1 of `count` messages began; read from the end, no further than needed."""
    left = turns
    for place, message in _backwards(read, count):
        if _is_turn(message):
            left -= 1
            if left == 0:
                return Turn(place, message)
    raise NotFoundError(f"cannot go back {counted(turns, 'turn')}: the user has spoken {_times(turns - left)}")


def checkpoint_before(
    turn: Turn, ancestry: list[CheckpointSummary], is_beginning: Callable[[CheckpointSummary], bool]
) -> CheckpointSummary:
    """The nearest of the ancestors that ends before the turn; `is_beginning` says whether the conversation begins so.

    NotFoundError, naming the nearest that ends earlier, where none ends just there.
    """
    for checkpoint in ancestry[1:]:
        if checkpoint.message_count == turn.place and is_beginning(checkpoint):
            return checkpoint
    raise NotFoundError(
        f"no checkpoint ends before message {turn.place + 1:,} ({preview(turn.message)}); "
        f"{_nearest(turn, ancestry, is_beginning)}"
    )


def compare_with(store: Store, active: UUID) -> Callable[[CheckpointSummary], bool]:
    """Whether the conversation of the active checkpoint begins with all of another's, whatever their numbers say."""
    return lambda checkpoint: store.diff(checkpoint.id, active).common == checkpoint.message_count


def _nearest(turn: Turn, ancestry: list[CheckpointSummary], is_beginning: Callable[[CheckpointSummary], bool]) -> str:
    for checkpoint in sorted(ancestry[1:], key=lambda one: -one.message_count):
        if checkpoint.message_count < turn.place and is_beginning(checkpoint):
            return f"the nearest that ends earlier is {checkpoint.id} ({counted(checkpoint.message_count, 'message')})"
    return "none ends earlier either"


def _backwards(read: Read, count: int) -> Iterator[tuple[int, Message]]:
    for stop in range(count, 0, -_PART):
        start = max(0, stop - _PART)
        yield from zip(range(stop - 1, start - 1, -1), reversed(read(start, stop)), strict=True)


def _is_turn(message: Message) -> bool:
    """Whether the user speaks. In Anthropic's form the results of tools are messages of the user too, but no turns."""
    return has_role(message, "user") and not _is_results(message.get("content"))


def _is_results(content: Any) -> bool:
    return (
        isinstance(content, list)
        and bool(content)
        and all(isinstance(part, dict) and part.get("type") == "tool_result" for part in content)
    )


def _times(count: int) -> str:
    return {0: "never", 1: "once"}.get(count, f"{count:,} times")
