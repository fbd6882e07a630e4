"""The contract of a store, in parts; `StoreContract` is all of it."""

from clew.testing.contract.active_lists import ActiveListContract
from clew.testing.contract.arguments import ArgumentContract
from clew.testing.contract.arriving import ArrivalContract
from clew.testing.contract.attachments import AttachmentContract
from clew.testing.contract.backups import BackupContract
from clew.testing.contract.base import Contract
from clew.testing.contract.beginnings import BeginningContract
from clew.testing.contract.changes import ChangeContract
from clew.testing.contract.checkpoints import CheckpointContract
from clew.testing.contract.copies import CopyContract
from clew.testing.contract.deletes import DeleteContract
from clew.testing.contract.detaching import DetachContract
from clew.testing.contract.directories import DirectoryContract
from clew.testing.contract.forks import ForkContract
from clew.testing.contract.keys import KeyContract
from clew.testing.contract.labels import LabelContract
from clew.testing.contract.lists import ListContract
from clew.testing.contract.maintenance import MaintenanceContract
from clew.testing.contract.messages import MessageContract
from clew.testing.contract.names import NameContract
from clew.testing.contract.owners import OwnerContract
from clew.testing.contract.repairing import RepairContract
from clew.testing.contract.repeats import RepeatContract
from clew.testing.contract.search import SearchContract
from clew.testing.contract.sessions import SessionContract
from clew.testing.contract.statistics import StatisticsContract
from clew.testing.contract.store import WholeStoreContract
from clew.testing.contract.times import TimeContract
from clew.testing.contract.together import TogetherContract
from clew.testing.contract.trees import TreeContract
from clew.testing.contract.waiting import WaitingContract
from clew.testing.contract.watching import WatchContract

__all__ = [
    "ActiveListContract",
    "ArgumentContract",
    "ArrivalContract",
    "AttachmentContract",
    "BackupContract",
    "BeginningContract",
    "ChangeContract",
    "CheckpointContract",
    "Contract",
    "CopyContract",
    "DeleteContract",
    "DetachContract",
    "DirectoryContract",
    "ForkContract",
    "KeyContract",
    "LabelContract",
    "ListContract",
    "MaintenanceContract",
    "MessageContract",
    "NameContract",
    "OwnerContract",
    "RepairContract",
    "RepeatContract",
    "SearchContract",
    "SessionContract",
    "StatisticsContract",
    "StoreContract",
    "TimeContract",
    "TogetherContract",
    "TreeContract",
    "WaitingContract",
    "WatchContract",
    "WholeStoreContract",
]


class StoreContract(
    SessionContract,
    ChangeContract,
    ListContract,
    NameContract,
    OwnerContract,
    CheckpointContract,
    BeginningContract,
    LabelContract,
    TreeContract,
    ActiveListContract,
    DeleteContract,
    AttachmentContract,
    WaitingContract,
    DetachContract,
    ForkContract,
    CopyContract,
    ArrivalContract,
    MessageContract,
    SearchContract,
    ArgumentContract,
    RepeatContract,
    TimeContract,
    TogetherContract,
    MaintenanceContract,
    WatchContract,
    KeyContract,
    StatisticsContract,
    RepairContract,
    DirectoryContract,
    WholeStoreContract,
):
    """Every promise of a store. A backend's tests subclass it and give one fixture, `store`.

    Those of a backend that makes backups subclass `BackupContract` too.
    """
