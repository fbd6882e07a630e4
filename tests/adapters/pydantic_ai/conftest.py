"""What the tests of the Pydantic AI adapter share."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

import clew
from clew.adapters.pydantic_ai import ClewStepStore


@pytest.fixture
def steps(store: clew.Store) -> ClewStepStore:
    """A step store over each kind of store."""
    return ClewStepStore(store)


@pytest.fixture
def file_steps(file_store: clew.Store) -> ClewStepStore:
    """A step store over a file."""
    return ClewStepStore(file_store)


@pytest.fixture
def run() -> Callable[[Coroutine[Any, Any, Any]], Any]:
    """Runs a coroutine to its end."""
    return asyncio.run
