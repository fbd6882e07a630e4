"""Copies of stores in which anything has been done, between backends, killed, gone on, and in both directions."""

from collections.abc import Callable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.copying.stores import Counter, Killed, copy_whole, everything, open_file, without_order
from tests.copying.walk import Walk

from clew import Store
from clew.testing import Clock, StoreMachine, machine_test
from clew.testing.profiles import examples

OpenStore = Callable[[Clock], Store]

seeds = st.integers(0, 2**32 - 1)


class Copied(StoreMachine):
    """A store after any walk is copied whole, and whole again after a kill."""

    def open_store(self, clock: Clock) -> Store:
        return open_file(None, clock)

    def teardown(self) -> None:
        try:
            self.check_copies()
        finally:
            super().teardown()

    def check_copies(self) -> None:
        here, counter = everything(self.store), Counter()
        with self.open_store(self.clock) as there:
            copy_whole(self.store, there, counter)
            assert everything(there) == here
            assert list(there.verify()) == []
            for source, destination in ((self.store, there), (there, self.store)):
                assert copy_whole(source, destination, Counter(0)).unchanged == len(here)
        most = self.steps % (len(counter.calls) or 1)
        with self.open_store(self.clock) as there:
            try:
                copy_whole(self.store, there, Counter(most))
            except Killed:
                copy_whole(self.store, there)
            assert everything(there) == here
            assert list(there.verify()) == []


TestAnyStoreIsCopiedWhole = machine_test(Copied, walks=5)


@pytest.fixture(params=["memory", "postgres"])
def open_team(request: pytest.FixtureRequest) -> Iterator[OpenStore]:
    """Opens an empty store of the team."""
    if request.param != "postgres":
        yield lambda clock: open_file(None, clock)
        return
    from tests.support.postgres_stores import open_store

    database = request.getfixturevalue("postgres_database")

    def open_emptied(clock: Clock) -> Store:
        database.empty()
        return open_store(database.url, clock)

    yield open_emptied


@examples(4)
@given(seeds, st.integers(0, 60), st.sampled_from([0, 1, 1]), st.booleans())
def test_two_stores_that_have_both_gone_on_become_equal_by_a_copy_in_each_direction(
    open_team: OpenStore, seed: int, most: int, tick: int, deletes: bool
) -> None:
    clock = Clock(tick=1)  # one clock for both: by its times each side says what it has changed last
    with open_file(None, clock) as laptop, open_team(clock) as team:
        at_home, at_work = Walk(laptop, seed, deletes=deletes), Walk(team, seed + 1, names="6789", deletes=deletes)
        at_home.go(30)
        copy_whole(laptop, team)
        for _ in range(2):
            at_home.go(8)
            at_work.go(8)
            before, had = everything(laptop), everything(team)
            try:
                copy_whole(laptop, team, Counter(most))
            except Killed:
                at_home.go(tick)
                before = everything(laptop)
                copy_whole(laptop, team)
            has = everything(team)
            for id, row in [*before.items(), *had.items()]:
                assert row["checkpoints"].keys() <= has[id]["checkpoints"].keys()
            copy_whole(team, laptop)
            assert without_order(everything(laptop)) == without_order(has)
            for source, destination in ((laptop, team), (team, laptop)):
                assert copy_whole(source, destination, Counter(0)).unchanged == len(has)
        assert list(laptop.verify()) == list(team.verify()) == []


@examples(2)
@given(seeds, st.sampled_from([0, 1]))
def test_a_copy_of_any_store_is_the_same_in_every_backend(open_team: OpenStore, seed: int, tick: int) -> None:
    clock = Clock(tick=tick)
    with open_file(None, clock) as laptop, open_team(clock) as team, open_file(None, clock) as another:
        Walk(laptop, seed).go(40)
        copy_whole(laptop, team)
        copy_whole(team, another)
        assert everything(laptop) == everything(team) == everything(another)
        assert list(team.verify()) == list(another.verify()) == []


@examples(2)
@given(seeds, st.integers(-60_000_000, 60_000_000))
def test_clocks_that_disagree_raise_no_alarm(open_team: OpenStore, seed: int, off: int) -> None:
    here, there = Clock(tick=2), Clock(tick=2)
    there.now += off
    with open_file(None, here) as laptop, open_team(there) as team:
        at_home, at_work = Walk(laptop, seed), Walk(team, seed + 1, names="6789")
        for _ in range(3):
            at_home.go(12)
            at_work.go(6)
            copy_whole(laptop, team)
            assert copy_whole(laptop, team, Counter(0)).checkpoints == 0
            copy_whole(team, laptop)
