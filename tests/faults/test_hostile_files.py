"""Files to import that were changed anywhere are read, or refused; what is taken from them is whole."""

from random import Random

import pytest
from tests.faults.import_files import TARGETS, edges, mutated, seeds

FILES = 40


@pytest.mark.parametrize("target", TARGETS)
def test_a_changed_file_is_read_or_refused_and_what_is_taken_is_whole(target: str) -> None:
    for number in range(FILES):
        dice = Random(number)
        TARGETS[target](mutated(dice.choice(seeds(target)), dice))


@pytest.mark.parametrize("target", TARGETS)
def test_a_file_of_the_worst_kind_is_read_or_refused(target: str) -> None:
    for edge in edges(target):
        TARGETS[target](edge)


@pytest.mark.parametrize("target", TARGETS)
def test_the_files_that_the_changes_begin_with_are_read(target: str) -> None:
    assert all(TARGETS[target](seed) > 0 for seed in seeds(target))
