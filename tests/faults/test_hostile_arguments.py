"""Whatever a method is called with, it works or says why not, and then nothing is changed."""

from pathlib import Path

import pytest
from tests.faults.hostile import call_with_anything, quietly
from tests.faults.junk import METHODS

import clew

EXAMPLES = 12


@pytest.mark.parametrize("method", METHODS)
def test_a_call_with_any_arguments_works_or_is_refused_and_then_changes_nothing(tmp_path: Path, method: str) -> None:
    call_with_anything(method, tmp_path, quietly(EXAMPLES))


@pytest.mark.parametrize("method", METHODS)
def test_an_argument_that_a_method_does_not_have_is_a_type_error(method: str) -> None:
    with clew.open(":memory:") as store, pytest.raises(TypeError):
        getattr(store, method)(**{"no such argument": 1})
