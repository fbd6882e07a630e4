"""What an adapter knows of the lists it stored: the same objects are taken for stored, changed ones are found."""

import json
import threading
from typing import Any

import pytest

from clew.adapters.known import TAIL, Known

Item = dict[str, Any]


class Encoder:
    """Encodes items as JSON, and counts how many."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, item: Any) -> bytes:
        self.calls += 1
        return json.dumps(item).encode()


def conversation(length: int) -> list[Item]:
    return [{"n": number} for number in range(length)]


def bodies(items: list[Item]) -> list[bytes]:
    return [json.dumps(item).encode() for item in items]


@pytest.fixture
def known() -> Known:
    return Known()


@pytest.fixture
def items(known: Known) -> list[Item]:
    made = conversation(100)
    known.remember("key", made, bodies(made))
    return made


def test_nothing_is_known_of_a_key_that_was_never_remembered(known: Known) -> None:
    assert known.unchanged("key", conversation(3), Encoder()) is None
    assert "key" not in known


def test_the_same_objects_and_more_are_unchanged_for_the_cost_of_the_tail(known: Known, items: list[Item]) -> None:
    encode = Encoder()
    assert known.unchanged("key", [*items, {"n": "new"}], encode) == 100
    assert encode.calls == TAIL


def test_equal_objects_are_unchanged_too(known: Known, items: list[Item]) -> None:
    assert known.unchanged("key", conversation(100), Encoder()) == 100


def test_a_list_cut_short_is_unchanged_up_to_its_end(known: Known, items: list[Item]) -> None:
    assert known.unchanged("key", items[:40], Encoder()) == 40
    assert known.unchanged("key", [], Encoder()) == 0


@pytest.mark.parametrize("place", [0, 50, 99])
def test_a_replaced_item_ends_what_is_unchanged(known: Known, items: list[Item], place: int) -> None:
    assert known.unchanged("key", [*items[:place], {"n": "other"}, *items[place + 1 :]], Encoder()) == place


@pytest.mark.parametrize("place", [0, 50, 99])
def test_a_removed_item_ends_what_is_unchanged(known: Known, items: list[Item], place: int) -> None:
    assert known.unchanged("key", items[:place] + items[place + 1 :], Encoder()) == place


@pytest.mark.parametrize("place", [100 - TAIL, 99])
def test_an_item_near_the_end_changed_in_place_is_found(known: Known, items: list[Item], place: int) -> None:
    items[place]["n"] = "edited"
    assert known.unchanged("key", [*items, {"n": "new"}], Encoder()) == place


def test_a_suspect_changed_in_place_is_found_wherever_it_is(known: Known, items: list[Item]) -> None:
    items[7]["n"] = "edited"
    assert known.unchanged("key", items, Encoder()) == 100
    assert known.unchanged("key", items, Encoder(), suspects=[{"n": 0}, items[7]]) == 7


def test_the_first_of_several_changes_counts(known: Known, items: list[Item]) -> None:
    items[3]["n"], items[95]["n"] = "edited", "edited"
    assert known.unchanged("key", items, Encoder(), suspects=[items[3]]) == 3


def test_a_thorough_look_finds_any_change(known: Known, items: list[Item]) -> None:
    items[7]["n"] = "edited"
    encode = Encoder()
    assert known.unchanged("key", items, encode, thorough=True) == 7
    assert encode.calls == 8


def test_equal_items_of_other_types_are_told_apart(known: Known) -> None:
    known.remember("key", [1, 2], [b"1", b"2"])
    assert known.unchanged("key", [True, 2], Encoder()) == 0
    assert known.unchanged("key", [1, 2.0], Encoder()) == 1


def test_a_list_goes_on_from_another_one(known: Known, items: list[Item]) -> None:
    longer = [*items[:60], {"n": "x"}, {"n": "y"}]
    known.remember("next", longer, bodies(longer[60:]), after=("key", 60))
    assert known.unchanged("next", conversation(60) + longer[60:], Encoder(), thorough=True) == 62
    assert known.unchanged("key", items, Encoder(), thorough=True) == 100


def test_the_bytes_of_a_list_can_be_had_again(known: Known, items: list[Item]) -> None:
    known.remember("next", [*items[:50], {"n": "x"}], bodies([{"n": "x"}]), after=("key", 50))
    assert known.bodies("next") == bodies([*items[:50], {"n": "x"}])
    assert known.bodies("other") is None


def test_what_goes_on_from_a_forgotten_list_is_not_known(known: Known, items: list[Item]) -> None:
    known.forget("key")
    known.remember("next", [*items, {"n": "x"}], bodies([{"n": "x"}]), after=("key", 100))
    assert "next" not in known


def test_what_was_used_longest_ago_is_forgotten_first() -> None:
    first, second, third = (conversation(10) for _ in range(3))
    known = Known(max_bytes=2_000)
    known.remember("first", first, bodies(first))
    known.remember("second", second, bodies(second))
    known.unchanged("first", first, Encoder())
    known.remember("third", third, bodies(third))
    assert [key for key in ("first", "second", "third") if key in known] == ["first", "third"]


def test_a_list_that_another_one_goes_on_from_is_the_first_to_go() -> None:
    old, other = conversation(10), conversation(10)
    known = Known(max_bytes=2_000)
    known.remember("other", other, bodies(other))
    known.remember("old", old, bodies(old))
    known.remember("new", [*old, {"n": "x"}], bodies([{"n": "x"}]), after=("old", 10))
    assert [key for key in ("other", "old", "new") if key in known] == ["other", "new"]


def test_a_list_larger_than_the_limit_is_not_kept_and_forgets_nothing_else() -> None:
    small, large = conversation(3), conversation(1_000)
    known = Known(max_bytes=1_000)
    known.remember("small", small, bodies(small))
    known.remember("large", large, bodies(large))
    assert "small" in known
    assert "large" not in known


def test_several_threads_may_use_it_at_once(known: Known) -> None:
    def work(name: str) -> None:
        items: list[Item] = []
        known.remember((name, 0), items, [])
        for turn in range(200):
            items = [*items, {"n": turn}]
            found.append(known.unchanged((name, turn), items, Encoder()))
            known.remember((name, turn + 1), items, bodies(items[turn:]), after=((name, turn), turn))

    found: list[int | None] = []
    threads = [threading.Thread(target=work, args=(str(number),)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(number for number in found if number is not None) == sorted(4 * list(range(200)))
