"""The promises of going back by turns: which message ends it, and which checkpoint stands before that."""

from typing import Any
from uuid import UUID

import pytest
from tests.cli.support import minute

from clew.cli.turns import Turn, checkpoint_before, find_turn
from clew.errors import NotFoundError
from clew.model import CheckpointSummary

SESSION = UUID(int=1)


def say(role: str, content: Any = "x") -> dict[str, Any]:
    return {"role": role, "content": content}


TALK = [
    say("system"), say("user", "one"), say("assistant"), say("User", "two"), say("assistant"), say("tool"),
    say("assistant"), say("user", "three"), say("assistant"),
]  # fmt: skip


def turn(messages: list[dict[str, Any]], turns: int) -> Turn:
    return find_turn(lambda start, stop: messages[start:stop], len(messages), turns)


def ancestry(*counts: int) -> list[CheckpointSummary]:
    """Checkpoints of so many messages, each the parent of the one before."""
    return [
        CheckpointSummary(
            id=UUID(int=number), session_id=SESSION, message_count=count, created_at=minute(0), updated_at=minute(0)
        )
        for number, count in enumerate(counts)
    ]


@pytest.mark.parametrize(("turns", "place"), [(1, 7), (2, 3), (3, 1)])
def test_turns_are_counted_from_the_last_message_of_the_user(turns, place):
    assert turn(TALK, turns).place == place


@pytest.mark.parametrize(
    ("messages", "told"),
    [(TALK, "3 times"), ([], "never"), ([say("assistant")], "never"), ([say("user")], "once")],
)
def test_more_turns_than_there_are_is_an_error_that_says_how_many_there_are(messages, told):
    with pytest.raises(NotFoundError, match=f"cannot go back 4 turns: the user has spoken {told}"):
        turn(messages, 4)


def test_results_of_tools_are_no_turns_though_the_user_has_their_role():
    result = {"type": "tool_result", "tool_use_id": "t", "content": "x"}
    talk = [say("user", "one"), say("assistant"), say("user", [result, result]), say("assistant")]
    assert turn(talk, 1).place == 0
    mixed = [*talk, say("user", [result, {"type": "text", "text": "and this"}]), say("assistant")]
    assert turn(mixed, 1).place == 4
    assert turn([*talk, say("user", [])], 1).place == 4


def test_a_long_conversation_is_read_from_the_end_and_no_further_than_needed():
    read = []

    def part(start: int, stop: int) -> list[dict[str, Any]]:
        read.append((start, stop))
        return [say("user" if number % 300 == 0 else "assistant") for number in range(start, stop)]

    assert find_turn(part, 10_000, 2).place == 9_600
    assert read == [(9_744, 10_000), (9_488, 9_744)]


def test_the_checkpoint_that_ends_just_before_the_turn_is_chosen():
    line = ancestry(9, 8, 7, 3, 1)
    assert checkpoint_before(turn(TALK, 1), line, lambda _: True) is line[2]
    assert checkpoint_before(turn(TALK, 2), line, lambda _: True) is line[3]


def test_of_several_that_end_there_the_newest_is_chosen():
    line = ancestry(9, 7, 7)
    assert checkpoint_before(turn(TALK, 1), line, lambda _: True) is line[1]


def test_one_of_that_length_with_other_messages_is_not_chosen():
    line = ancestry(9, 7, 4, 7)
    assert checkpoint_before(turn(TALK, 1), line, lambda one: one is line[3]) is line[3]


def test_where_none_ends_there_the_nearest_that_ends_earlier_is_named():
    line = ancestry(9, 8, 5, 2)
    with pytest.raises(NotFoundError) as caught:
        checkpoint_before(turn(TALK, 1), line, lambda _: True)
    assert caught.value.message == (
        f"no checkpoint ends before message 8 (user: three); the nearest that ends earlier is {line[2].id} (5 messages)"
    )
    with pytest.raises(NotFoundError, match=f"earlier is {line[3].id} \\(2 messages\\)"):
        checkpoint_before(turn(TALK, 1), line, lambda one: one is not line[2])


def test_where_none_ends_earlier_either_that_is_said():
    with pytest.raises(NotFoundError, match="none ends earlier either"):
        checkpoint_before(turn(TALK, 3), ancestry(9, 5), lambda _: True)
