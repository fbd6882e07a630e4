"""The whole of LangGraph's own suite for checkpointers, over every kind of store."""

import asyncio
from collections.abc import AsyncIterator

from langgraph.checkpoint.conformance import checkpointer_test, validate

from clew import Store
from clew.adapters.langgraph import ClewSaver

BASE, EXTENDED = 58, 23


def test_every_capability_of_the_suite_passes(store: Store) -> None:
    @checkpointer_test(name="ClewSaver")
    async def saver() -> AsyncIterator[ClewSaver]:
        yield ClewSaver(store)

    report = asyncio.run(validate(saver))
    failures = [failure for result in report.results.values() for failure in result.failures or []]
    assert not failures
    assert report.passed_all_base()
    assert report.passed_all()
    assert all(result.detected for result in report.results.values())
    assert sum(result.tests_passed for result in report.results.values()) == BASE + EXTENDED
