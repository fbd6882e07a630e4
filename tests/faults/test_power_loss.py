"""Whenever the power goes, the store is whole; with durability full every acknowledged write is there."""

from random import Random

import pytest
from tests.faults.disk import SECTOR, Change, Disk, Kind, Loss
from tests.faults.power import Recording, crashes, record, some_moments, survive

import clew

MOMENTS = 10


def survives(recording: Recording, *, durable: bool) -> list[bool]:
    """For some crashes, whether what they leave is what was promised."""
    outcomes = []
    for crash in crashes(recording, some_moments(recording, MOMENTS)):
        try:
            survive(recording, crash, durable=durable)
        except (AssertionError, clew.StorageError):
            outcomes.append(False)
        else:
            outcomes.append(True)
    return outcomes


def survive_all(recording: Recording, *, durable: bool) -> None:
    for crash in crashes(recording, some_moments(recording, MOMENTS)):
        survive(recording, crash, durable=durable)


def test_every_acknowledged_write_survives_a_loss_of_power() -> None:
    survive_all(record(1, steps=45, durability="full"), durable=True)


def test_writers_that_share_commits_lose_no_acknowledged_write_to_a_loss_of_power() -> None:
    survive_all(record(2, steps=15, actors=3, durability="full"), durable=True)


def test_with_durability_normal_a_loss_of_power_takes_only_the_last_writes() -> None:
    survive_all(record(3, steps=45, durability="normal"), durable=False)


def disk_with(*changes: Change) -> Disk:
    disk = Disk()
    for change in changes:
        disk.apply(change)
    return disk


def dice(seed: int) -> Random:
    return Random(seed)


class TestTheDiskThatLosesItsPowerIsOne:
    """A store that would not survive is seen not to."""

    def test_a_disk_that_lies_about_syncs_loses_acknowledged_writes(self) -> None:
        assert not all(survives(record(4, steps=30, durability="full", heeds_syncs=False), durable=True))

    def test_durability_normal_does_not_keep_what_full_promises(self) -> None:
        assert not all(survives(record(5, steps=30, durability="normal"), durable=True))

    @pytest.mark.parametrize("loss", Loss)
    def test_what_was_synced_is_there(self, loss: Loss) -> None:
        disk = disk_with(Change(Kind.WRITE, "a", 0, b"x" * 2_000), Change(Kind.SYNC, "a"))
        assert {disk.after(loss, dice(seed))["a"] for seed in range(50)} == {b"x" * 2_000}

    def test_what_was_not_synced_is_there_in_any_part(self) -> None:
        disk = disk_with(
            Change(Kind.WRITE, "a", 0, b"x" * 2 * SECTOR), Change(Kind.SYNC, "a"),
            Change(Kind.WRITE, "a", 10, b"y" * SECTOR), Change(Kind.SYNC, "other"), Change(Kind.WRITE, "a", 0, b"z"),
        )  # fmt: skip
        first, second = b"y" * (SECTOR - 10), b"y" * 10
        beginnings = {b"x" * SECTOR, b"x" * 10 + first, b"z" + b"x" * 9 + first}
        ends = {b"x" * SECTOR, second + b"x" * (SECTOR - 10)}
        found = {disk.after(Loss.TORN, dice(seed))["a"] for seed in range(100)}
        assert found == {begin + end for begin in beginnings for end in ends}

    def test_a_length_that_was_not_synced_may_be_any_that_the_file_had(self) -> None:
        disk = disk_with(
            Change(Kind.WRITE, "a", 0, b"x" * 100), Change(Kind.SYNC, "a"), Change(Kind.TRUNCATE, "a", 10),
            Change(Kind.WRITE, "a", 150, b"y"),
        )  # fmt: skip
        found = {disk.after(Loss.TORN, dice(seed))["a"] for seed in range(100)}
        assert {len(content) for content in found} == {10, 100, 151}
        assert disk.after(Loss.ALL_KEPT, dice(0))["a"] == b"x" * 10 + bytes(140) + b"y"

    def test_a_removed_file_may_be_back_until_something_is_synced(self) -> None:
        disk = disk_with(Change(Kind.WRITE, "a", 0, b"x"), Change(Kind.SYNC, "a"), Change(Kind.REMOVE, "a"))
        assert {"a" in disk.after(Loss.TORN, dice(seed)) for seed in range(50)} == {True, False}
        disk.apply(Change(Kind.SYNC, "b"))
        assert "a" not in disk.after(Loss.TORN, dice(0))
