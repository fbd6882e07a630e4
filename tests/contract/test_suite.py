"""The contract itself: that it is whole, and that its parts do not hide each other."""

import asyncio
import inspect
import re
import threading
from collections import Counter
from collections.abc import AsyncIterator, Generator
from pathlib import Path
from typing import cast

import pytest

import clew.testing
from clew import AsyncStore, Finding, Store
from clew.backend import Report
from clew.sqlite import open_backend
from clew.testing import BackupContract, DamageContract, DamagedBackupContract, StoreContract, over_async
from clew.testing.contract.base import Contract
from clew.testing.contract.calls import EVERY


def test_the_contract_calls_every_method_of_the_store() -> None:
    methods = {
        name
        for name, _ in inspect.getmembers(Store, inspect.isfunction)
        if not name.startswith("_") and name != "close"
    }
    assert set(EVERY) == methods


class Whole(StoreContract, BackupContract): ...


class WholeDamage(DamageContract, DamagedBackupContract): ...


@pytest.mark.parametrize(("whole", "most"), [(Whole, 150), (WholeDamage, 40)])
def test_no_part_of_a_contract_hides_a_test_or_fixture_of_another(whole: type[Contract], most: int) -> None:
    parts = [part for part in whole.__mro__[1:] if part.__module__.startswith("clew.testing.")]
    names = Counter(name for part in parts for name in vars(part) if not name.startswith("__"))
    assert [name for name, count in names.items() if count > 1] == []
    assert len(names) > most


def test_no_test_of_the_contract_is_skipped() -> None:
    """Whoever cannot pass a part leaves it out, and sees so; a test that is skipped looks like one that passes."""
    for path in Path(clew.testing.__path__[0]).rglob("*.py"):
        assert re.search(r"\bskip(if)?\(|importorskip|mark\.skip", path.read_text(encoding="utf-8")) is None, path


@pytest.mark.parametrize("contract", [BackupContract, DamagedBackupContract])
def test_only_the_contracts_about_backups_need_backups(contract: type[Contract]) -> None:
    needing = {name for part in (StoreContract, DamageContract) for name in _tests_with(part, "backups")}
    assert needing == set()
    assert _tests_with(contract, "backups")


def test_who_gives_backups_and_leaves_out_their_contract_is_told(tmp_path: Path) -> None:
    with Store(open_backend(None, busy_timeout=1)) as store, pytest.raises(AssertionError, match="BackupContract"):
        StoreContract().test_a_backend_that_makes_no_backups_says_so(store, lambda path: store, tmp_path)


def _tests_with(contract: type[Contract], fixture: str) -> set[str]:
    """The tests of a contract that take a fixture."""
    members = inspect.getmembers(contract, inspect.isfunction)
    return {name for name, test in members if fixture in inspect.signature(test).parameters}


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
