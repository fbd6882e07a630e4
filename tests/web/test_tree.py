"""Where the steps of a session stand in the list that shows their tree."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clew.model import CheckpointSummary
from clew.server.web.arranging import MAX_COLUMN, Row, Run, Step, arrange

START = datetime(2026, 1, 1, tzinfo=UTC)


def step(number: int, parent: int | None, **fields: object) -> CheckpointSummary:
    moment = START + timedelta(minutes=number)
    return CheckpointSummary(
        id=UUID(int=number), session_id=UUID(int=0), parent_id=None if parent is None else UUID(int=parent),
        message_count=number, created_at=moment, updated_at=moment, **fields,  # type: ignore[arg-type]
    )  # fmt: skip


def tree(parents: list[int | None]) -> list[CheckpointSummary]:
    """Checkpoints 1, 2, … with these parents."""
    return [step(number, parent) for number, parent in enumerate(parents, 1)]


def drawn(rows: list[Row]) -> list[str]:
    """A row as its column, and the number of its step or how many are folded."""
    return [f"{row.column}:{f'…{len(row.steps)}' if isinstance(row, Run) else row.id.int}" for row in rows]


def test_a_branch_stands_further_right_above_what_leads_to_the_active_step() -> None:
    rows = arrange(tree([None, 1, 2, 2, 3, 4]), active=UUID(int=6))
    assert drawn(rows) == ["0:1", "0:2", "1:3", "1:5", "0:4", "0:6"]
    rows = arrange(tree([None, 1, 2, 2, 3, 4]), active=UUID(int=5))
    assert drawn(rows) == ["0:1", "0:2", "1:4", "1:6", "0:3", "0:5"]


def test_the_first_of_a_branch_is_known() -> None:
    rows = arrange(tree([None, 1, 1, 2]), active=UUID(int=3))
    assert [isinstance(row, Step) and row.begins for row in rows] == [False, True, False, False]


def test_steps_in_a_row_are_folded_between_those_that_say_something() -> None:
    steps = tree([None, 1, 2, 3, 4, 5, 6, 7, 8])
    assert drawn(arrange(steps, active=UUID(int=9))) == ["0:1", "0:…7", "0:9"]
    assert drawn(arrange(steps, active=UUID(int=9), kept={UUID(int=5)})) == ["0:1", "0:…3", "0:5", "0:…3", "0:9"]
    assert drawn(arrange(steps, active=UUID(int=4))) == ["0:1", "0:2", "0:3", "0:4", "0:…4", "0:9"]


@pytest.mark.parametrize("fields", [{"label": "x"}, {"damage": "x"}])
def test_what_has_a_label_or_is_damaged_is_not_folded(fields: dict[str, str]) -> None:
    steps = [*tree([None, 1, 2, 3, 4]), step(6, 5, **fields), *(step(n, n - 1) for n in range(7, 12))]
    assert drawn(arrange(steps, active=UUID(int=11))) == ["0:1", "0:…4", "0:6", "0:…4", "0:11"]


def test_what_is_folded_can_be_opened() -> None:
    steps = tree([None, 1, 2, 3, 4, 5])
    assert drawn(arrange(steps, active=UUID(int=6), opened=UUID(int=2))) == [f"0:{n}" for n in range(1, 7)]


def test_a_step_whose_parent_is_not_in_the_list_begins_a_tree() -> None:
    rows = arrange([step(5, 4), step(6, 5), step(7, None)], active=UUID(int=6))
    assert [(row.is_root, row.has_hidden_parent) for row in rows if isinstance(row, Step)] == [
        (True, False),
        (True, True),
        (False, False),
    ]


def test_links_that_lead_in_a_circle_do_no_harm() -> None:
    assert drawn(arrange([step(1, 2), step(2, 1), step(3, 3)], active=UUID(int=2))) == ["0:3", "0:1", "0:2"]


def test_a_hundred_thousand_steps_are_no_recursion() -> None:
    rows = arrange(tree([None, *range(1, 100_000)]), active=UUID(int=100_000))
    assert drawn(rows) == ["0:1", "0:…99998", "0:100000"]


@given(st.lists(st.integers(0, 30), max_size=40), st.integers(1, 40))
def test_every_step_is_there_once_below_its_parent(choices: list[int], active: int) -> None:
    parents = [None if choice == 0 else min(choice, number) or None for number, choice in enumerate(choices)]
    rows = arrange(tree(parents), active=UUID(int=active))
    steps = [one for row in rows for one in (row.steps if isinstance(row, Run) else [row])]
    places = {one.id.int: place for place, one in enumerate(steps)}
    assert sorted(places) == list(range(1, len(parents) + 1))
    columns = {one.id.int: one.column for one in steps}
    for number, parent in enumerate(parents, 1):
        if parent is not None:
            assert places[parent] < places[number]
            assert columns[parent] <= columns[number] <= min(columns[parent] + 1, MAX_COLUMN)
    _check_that_columns_go_on(steps)


def _check_that_columns_go_on(steps: list[Step]) -> None:
    """A line that is drawn beside a branch leads to a step below it: in a column further left one of them comes."""
    for place, one in enumerate(steps):
        if 0 < one.column < MAX_COLUMN:
            assert any(below.column < one.column for below in steps[place + 1 :])
