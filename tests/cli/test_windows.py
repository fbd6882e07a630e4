"""The promises of the window over a session's messages: the role first, then a part counted from the newest."""

from typing import Any

import pytest

from clew.cli.window import Window, read_window

Messages = list[dict[str, Any]]

TALK: Messages = [
    {"role": role, "content": number}
    for number, role in enumerate(("system", "user", "assistant", "tool", "developer", "user", "assistant", "user"))
]


def window(
    messages: Messages, *, role: str | None = None, limit: int = 0, offset: int = 0
) -> tuple[list[Any], int, int]:
    """The contents shown, the place of the first, and the total."""
    found = read_window(lambda a, b: messages[a:b], len(messages), role=role, limit=limit, offset=offset)
    return [message["content"] for message in found.messages], found.first, found.total


@pytest.mark.parametrize(
    ("role", "shown"), [("user", [1, 5, 7]), ("assistant", [2, 6]), ("tool", [3]), ("system", [0, 4])]
)
def test_a_role_shows_its_messages_and_counts_them_and_system_takes_in_developer(role, shown):
    assert window(TALK, role=role) == (shown, 0, len(shown))


def test_a_limit_keeps_the_newest_in_their_order():
    assert window(TALK, limit=3) == ([5, 6, 7], 5, 8)


def test_an_offset_leaves_out_the_newest():
    assert window(TALK, offset=2) == ([0, 1, 2, 3, 4, 5], 0, 8)


def test_a_limit_and_an_offset_show_a_part_in_the_middle():
    assert window(TALK, limit=3, offset=2) == ([3, 4, 5], 3, 8)


@pytest.mark.parametrize("offset", [8, 9, 10**30])
def test_an_offset_beyond_the_oldest_shows_nothing_and_still_counts(offset):
    assert window(TALK, limit=3, offset=offset) == ([], 0, 8)
    assert window(TALK, role="user", limit=3, offset=offset) == ([], 0, 3)


def test_a_limit_beyond_the_rest_shows_the_rest():
    assert window(TALK, limit=100, offset=6) == ([0, 1], 0, 8)
    assert window(TALK, limit=10**30) == (list(range(8)), 0, 8)


def test_the_role_is_applied_before_the_limit():
    assert window(TALK, role="user", limit=2) == ([5, 7], 1, 3)


def test_the_role_is_applied_before_the_offset():
    assert window(TALK, role="user", limit=1, offset=1) == ([5], 1, 3)


def test_no_messages_show_nothing():
    assert window([]) == ([], 0, 0)
    assert window([], role="user", limit=5, offset=5) == ([], 0, 0)


def test_a_role_that_nobody_has_shows_nothing():
    assert window(TALK[:2], role="tool") == ([], 0, 0)


def test_a_stored_role_of_another_case_or_type_is_compared_and_never_an_error():
    odd: Messages = [{"role": "User", "content": 0}, {"role": 1, "content": 1}, {"content": 2}, {"role": None}]
    assert window(odd, role="user") == ([0], 0, 1)


@pytest.mark.parametrize("role", [None, "user"])
@pytest.mark.parametrize("count", [0, 1, 2, 255, 256, 257, 600])
def test_every_window_is_a_slice_of_what_its_role_leaves(role, count):
    messages: Messages = [{"role": ("user", "tool")[number % 3 == 2], "content": number} for number in range(count)]
    left = [message["content"] for message in messages if role in (None, message["role"])]
    for limit in (0, 1, 3, 300):
        for offset in (0, 1, 250, 700):
            end = max(0, len(left) - offset)
            start = 0 if limit == 0 else max(0, end - limit)
            assert window(messages, role=role, limit=limit, offset=offset) == (left[start:end], start, len(left))


def test_without_a_role_nothing_but_the_window_is_read():
    read = []
    found = read_window(
        lambda a, b: read.append((a, b)) or TALK[a:b],  # type: ignore[func-returns-value]
        8,
        role=None,
        limit=2,
        offset=3,
    )
    assert found == Window(TALK[3:5], 3, 8)
    assert read == [(3, 5)]


def test_a_role_reads_each_message_once_and_a_part_at_a_time():
    read: list[tuple[int, int]] = []

    def part(start: int, stop: int) -> Messages:
        read.append((start, stop))
        return [{"role": "user", "content": number} for number in range(start, stop)]

    found = read_window(part, 100_000, role="user", limit=2, offset=1)
    assert [message["content"] for message in found.messages] == [99_997, 99_998]
    assert [number for start, stop in read for number in range(start, stop)] == list(range(100_000))
    assert max(stop - start for start, stop in read) <= 1000
