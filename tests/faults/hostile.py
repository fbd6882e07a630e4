"""Calls of the library with any arguments: they work or are refused, and a refused one has changed nothing."""

from collections.abc import Iterator
from contextlib import chdir
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from tests.faults.junk import CHECKPOINT, OTHER, SESSION, arguments
from tests.faults.wholeness import Whole

import clew
from clew.testing.contract.base import contents


def quietly(examples: int, *, varied: bool = False) -> settings:
    """Settings for this many examples, the same in every run unless they are to be `varied`."""
    return settings(
        max_examples=examples,
        derandomize=not varied,
        database=None,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
    )


def call_with_anything(method: str, folder: Path, how: settings) -> None:
    """Call a method with any arguments, in a folder of its own; AssertionError where it does what none may do."""

    @how
    @given(arguments(method))
    def call(given: dict[str, Any]) -> None:
        _call(method, given)

    with chdir(folder):
        call()


def _call(method: str, given: dict[str, Any]) -> None:
    with clew.open(":memory:") as store:
        _fill(store)
        before = contents(store)
        refusal = _refusal(store, method, given)
        if refusal is not None:
            assert refusal.code != "internal_error", refusal
            assert contents(store) == before
        Whole(store)


def _refusal(store: clew.Store, method: str, given: dict[str, Any]) -> clew.StorageError | None:
    try:
        _use(getattr(store, method)(**given))
    except clew.StorageError as error:
        return error
    return None


def _fill(store: clew.Store) -> None:
    """Something of everything, for the arguments to be about."""
    store.create_session(
        "first", messages=[{"role": "user"}], id=SESSION, checkpoint_id=CHECKPOINT, source="tool", source_id="0"
    )
    store.append(SESSION, [{"role": "assistant"}], id=OTHER, label="taken", metadata={"k": 1})
    store.create_session("second")


def _use(result: object) -> None:
    """Read all of what a call gives."""
    if isinstance(result, Iterator):
        list(result)
    if isinstance(result, clew.Checkpoint):
        assert result.state.messages is not None
    assert repr(result)
