"""The promises of the picture of a tree: exact pictures, and that any picture says what the tree is."""

import math
import re
from collections.abc import Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clew.cli.graph import MAX_COLUMNS, draw

HIDDEN = "hidden"


def tree(spec: str) -> dict[str, str | None]:
    """`b<a a` is b, whose parent is a, and a, which is older and a root."""
    words = [word.partition("<") for word in spec.split()]
    return {key: parent or None for key, _, parent in words}


def picture(parents: Mapping[str, str | None], *, active: str | None = None, letters: bool = False) -> list[str]:
    rows = draw(parents, active=active, letters=letters)
    return [f"{row.graph} {row.key}" if row.key is not None else row.graph for row in rows]


def test_a_line_of_checkpoints_is_one_column():
    assert picture(tree("c<b b<a a")) == ["○ c", "○ b", "○ a"]


def test_nothing_is_an_empty_picture():
    assert picture({}) == []


def test_a_branch_is_a_column_that_joins_where_it_began():
    assert picture(tree("d<b c<b b<a a")) == [
        "○ d",
        "│ ○ c",
        "├─╯",
        "○ b",
        "○ a",
    ]


def test_a_branch_of_several_is_drawn_in_one_piece_however_the_two_were_written_in_turns():
    assert picture(tree("g<e f<d e<c d<b c<a b<a a")) == [
        "○ g",
        "○ e",
        "○ c",
        "│ ○ f",
        "│ ○ d",
        "│ ○ b",
        "├─╯",
        "○ a",
    ]


def test_many_branches_from_one_checkpoint_take_two_columns():
    assert picture(tree("e<a d<a c<a b<a a")) == [
        "○ e",
        "│ ○ d",
        "├─╯",
        "│ ○ c",
        "├─╯",
        "│ ○ b",
        "├─╯",
        "○ a",
    ]


def test_a_branch_of_a_branch_takes_a_third_column():
    assert picture(tree("h<a g<b f<c e<d d<c c<b b<a a")) == [
        "○ h",
        "│ ○ g",
        "│ │ ○ f",
        "│ │ │ ○ e",
        "│ │ │ ○ d",
        "│ │ ├─╯",
        "│ │ ○ c",
        "│ ├─╯",
        "│ ○ b",
        "├─╯",
        "○ a",
    ]


def test_two_branch_points_below_each_other_use_the_same_column():
    assert picture(tree("g<e f<e e<b d<b c<b b<a a")) == [
        "○ g",
        "│ ○ f",
        "├─╯",
        "○ e",
        "│ ○ d",
        "├─╯",
        "│ ○ c",
        "├─╯",
        "○ b",
        "○ a",
    ]


def test_several_roots_are_trees_with_a_blank_line_between_them_the_newest_first():
    assert picture(tree("f<b e<d d c b<a a")) == ["○ f", "○ b", "○ a", "", "○ e", "○ d", "", "○ c"]


def test_the_active_one_is_a_full_circle():
    assert picture(tree("c<a b<a a"), active="b") == ["○ c", "│ ● b", "├─╯", "○ a"]
    assert picture(tree("a"), active="not drawn") == ["○ a"]


def test_letters_draw_the_same():
    assert picture(tree("d<b c<b b<x"), active="d", letters=True) == ["* d", "| o c", "|-'", "o b", "~"]


def test_parents_that_are_not_shown_are_a_wave_and_join_what_comes_from_them():
    assert picture(tree("e<x d<y c<x b<a a")) == [
        "○ e",
        "│ ○ c",
        "├─╯",
        "~",
        "",
        "○ d",
        "~",
        "",
        "○ b",
        "○ a",
    ]


def test_links_that_lead_in_a_circle_are_cut():
    assert picture(tree("c<b b<a a<c")) == ["○ c", "○ b", "○ a", "~"]
    assert picture(tree("a<a")) == ["○ a", "~"]


def stairs(count: int) -> dict[str, str | None]:
    """A line of checkpoints, and then a leaf beside each, from the last to the first."""
    line = {f"{number}": f"{number - 1}" if number else None for number in reversed(range(count))}
    return {**{f"leaf {number}": f"{number}" for number in range(count)}, **line}


def test_stairs_keep_the_newest_first_while_the_picture_is_not_too_wide():
    rows = picture(stairs(MAX_COLUMNS - 1))
    assert rows[:3] == ["○ leaf 0", "│ ○ leaf 1", "│ │ ○ leaf 2"]
    assert width(rows) == MAX_COLUMNS - 1


def test_where_the_newest_first_would_be_too_wide_the_widest_come_first():
    rows = picture(stairs(1000))
    assert width(rows) == 2
    assert len(rows) == 1000 + 1000 + 999


def test_a_tree_of_a_hundred_thousand_is_drawn_without_recursion():
    deep = {number: number - 1 if number else None for number in reversed(range(100_000))}
    assert sum(row.key is not None for row in draw(deep)) == 100_000


def width(rows: list[str]) -> int:
    return max(len(re.match(r"(?:│ )*", row)[0]) // 2 + 1 for row in rows)  # type: ignore[index]


def read(rows: list[str]) -> dict[str, str | None]:
    """The tree that a picture shows, read from the top: what each column comes from, until its parent is met."""
    parents: dict[str, str | None] = {}
    columns: list[list[str]] = []
    for row in rows:
        lines, what = re.fullmatch(r"((?:│ )*)(.*)", row).groups()  # type: ignore[union-attr]
        column = len(lines) // 2
        if what == "├─╯":
            columns[column] += columns.pop()
            assert len(columns) == column + 1
            continue
        if len(columns) == column:
            columns.append([])
        assert len(columns) == column + 1
        key = {"": None, "~": HIDDEN}.get(what, what[2:])
        parents |= dict.fromkeys(columns[column], key)
        columns[column] = [] if key in (None, HIDDEN) else [what[2:]]
    for left in columns:
        parents |= dict.fromkeys(left, None)
    return parents


@st.composite
def trees(draw_value: st.DrawFn) -> dict[str, str | None]:
    """Any tree of up to 20, written in any order, with some parents that are not shown."""
    count = draw_value(st.integers(1, 20))
    parents: dict[str, str | None] = {}
    for number in range(count):
        older = st.sampled_from([None, "hidden", *(str(other) for other in range(number))])
        near = st.just(str(number - 1)) if number else st.none()
        parents[str(number)] = draw_value(st.one_of(near, older))
    return dict(reversed(parents.items()))


@settings(max_examples=200, deadline=None)
@given(parents=trees())
def test_any_picture_says_what_the_tree_is(parents):
    rows = picture(parents)
    assert read(rows) == parents
    assert rows[0].endswith(f" {next(iter(parents))}")
    assert width(rows) <= MAX_COLUMNS


@pytest.mark.parametrize("count", [10, 1000, 5000])
def test_no_tree_is_wider_than_the_digits_of_its_size(count):
    # Each checkpoint has the one with half its number as parent: as many branches in branches as can be.
    full = {str(number): str(number // 2) if number > 1 else None for number in reversed(range(1, count + 1))}
    assert width(picture(full)) <= max(MAX_COLUMNS, math.floor(math.log2(count)) + 1)
    assert width(picture(stairs(count))) <= MAX_COLUMNS
