"""The contract of a store, in parts; `StoreContract` is all of it."""

from clew.testing.contract.arguments import ArgumentContract
from clew.testing.contract.base import Contract
from clew.testing.contract.changes import ChangeContract
from clew.testing.contract.checkpoints import CheckpointContract
from clew.testing.contract.forks import ForkContract
from clew.testing.contract.lists import ListContract
from clew.testing.contract.messages import MessageContract
from clew.testing.contract.repeats import RepeatContract
from clew.testing.contract.sessions import SessionContract
from clew.testing.contract.store import WholeStoreContract
from clew.testing.contract.times import TimeContract
from clew.testing.contract.together import TogetherContract

__all__ = [
    "ArgumentContract",
    "ChangeContract",
    "CheckpointContract",
    "Contract",
    "ForkContract",
    "ListContract",
    "MessageContract",
    "RepeatContract",
    "SessionContract",
    "StoreContract",
    "TimeContract",
    "TogetherContract",
    "WholeStoreContract",
]


class StoreContract(
    SessionContract,
    ChangeContract,
    ListContract,
    CheckpointContract,
    ForkContract,
    MessageContract,
    ArgumentContract,
    RepeatContract,
    TimeContract,
    TogetherContract,
    WholeStoreContract,
):
    """Every promise of a store. A backend's tests subclass it and give one fixture, `store`."""
