"""The contract itself: that it is whole, and that its parts do not hide each other."""

import asyncio
import inspect
import threading
from collections import Counter
from collections.abc import AsyncIterator, Generator
from typing import cast

from clew import AsyncStore, Finding, Store
from clew.backend import Report
from clew.sqlite import open_backend
from clew.testing import StoreContract, over_async
from clew.testing.contract.calls import EVERY


def test_the_contract_calls_every_method_of_the_store() -> None:
    methods = {
        name
        for name, _ in inspect.getmembers(Store, inspect.isfunction)
        if not name.startswith("_") and name != "close"
    }
    assert set(EVERY) == methods


def test_no_part_of_the_contract_hides_a_test_or_fixture_of_another() -> None:
    parts = [part for part in StoreContract.__mro__[1:] if part.__module__.startswith("clew.testing.contract.")]
    names = Counter(name for part in parts for name in vars(part) if not name.startswith("__"))
    assert [name for name, count in names.items() if count > 1] == []
    assert len(names) > 150


def test_the_awaited_methods_run_on_a_loop_in_another_thread() -> None:
    seen = []

    class Watched(AsyncStore):
        async def _opened(self) -> Store:
            seen.append((asyncio.get_running_loop(), threading.current_thread()))
            return await super()._opened()

    with over_async(Watched(lambda: Store(open_backend(None, busy_timeout=1)))) as store:
        assert store.list_sessions().items == []
    ((loop, thread), *_) = seen
    assert loop.is_closed()
    assert thread is not threading.current_thread()
    assert not thread.is_alive()


def test_an_awaited_iterator_gives_its_items_and_is_closed_where_it_is_left() -> None:
    closed = []

    class Watched(AsyncStore):
        async def verify(self, *, progress: Report | None = None) -> AsyncIterator[Finding]:
            try:
                for kind in "abc":
                    yield Finding(kind=kind, message="")
            finally:
                closed.append(asyncio.get_running_loop())

    with over_async(Watched(lambda: Store(open_backend(None, busy_timeout=1)))) as store:
        assert [finding.kind for finding in store.verify()] == ["a", "b", "c"]
        items = cast(Generator[Finding, None, None], store.verify())
        assert next(items).kind == "a"
        assert len(closed) == 1
        items.close()
        assert len(closed) == 2
