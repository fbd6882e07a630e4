"""What a storage backend has to pass: the contract of a store as pytest classes, and a state machine over it.

Needs pytest and hypothesis (the extra ``testing``). ``docs/testing.md`` shows how a backend's tests use it.
"""

import pytest

# Before the modules are imported: a failing assert of a module that pytest has not rewritten shows no values.
pytest.register_assert_rewrite(
    "clew.testing.beside",
    "clew.testing.contract",
    "clew.testing.damage",
    "clew.testing.erasure",
    "clew.testing.faults",
    "clew.testing.key_steps",
    "clew.testing.steps",
)

from clew.testing.clock import Clock  # noqa: E402
from clew.testing.contract import BackupContract, StoreContract  # noqa: E402
from clew.testing.damage import DamageContract, DamagedBackupContract  # noqa: E402
from clew.testing.faults import FaultContract, Faults  # noqa: E402
from clew.testing.machine import StoreMachine, machine_test  # noqa: E402
from clew.testing.model import Model  # noqa: E402
from clew.testing.over_async import over_async  # noqa: E402
from clew.testing.tamper import Tamper  # noqa: E402

__all__ = [
    "BackupContract",
    "Clock",
    "DamageContract",
    "DamagedBackupContract",
    "FaultContract",
    "Faults",
    "Model",
    "StoreContract",
    "StoreMachine",
    "Tamper",
    "machine_test",
    "over_async",
]
