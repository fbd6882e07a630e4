"""The examples of docs/testing.md, with SQLite in memory as the backend."""

import re
from pathlib import Path
from typing import Any

from clew import Store
from clew.sqlite import open_backend
from clew.testing import BackupContract, Clock, StoreContract, StoreMachine

PAGE = Path(__file__).parents[2] / "docs" / "testing.md"


def test_the_examples_define_tests_of_a_backend() -> None:
    names: dict[str, Any] = {"MyBackend": lambda *_: open_backend(None, busy_timeout=5)}
    for block in re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL):
        exec(block, names)
    assert issubclass(names["TestMyBackend"], StoreContract)
    assert issubclass(names["TestMyBackendWithBackups"], StoreContract)
    assert issubclass(names["TestMyBackendWithBackups"], BackupContract)
    assert issubclass(names["TestMyBackendAwaited"], StoreContract)
    assert issubclass(names["MyMachine"], StoreMachine)
    machine = names["MyMachine"]()
    assert [type(store) for store in machine.stores] == [Store, Store]
    machine.teardown()
    for name in ("TestMyBackend", "TestMyBackendWithBackups", "TestMyBackendAwaited"):
        fixture = names[name].store.__wrapped__
        (store, *more) = fixture(names[name](), Clock(), None)
        assert more == []
        assert type(store).__name__ in ("Store", "_SyncOverAsync")
