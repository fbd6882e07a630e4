"""Losses of power: what a writer does to the disk is recorded, and then the power goes at any moment of it."""

import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from random import Random
from typing import Literal

import msgspec
from tests.faults.actors import make_shared, perform, small_pieces
from tests.faults.disk import Change, Disk, Kind, Loss
from tests.faults.histories import Told, check
from tests.faults.layers import Layer, below
from tests.faults.wholeness import Whole, check_file

import clew

NAME = "agent.db"
_AUTOCHECKPOINT = 50  # pages, so that a short recording has several checkpoints in it


class Recorder(Layer):
    """Keeps every change of the files, in order."""

    def __init__(self, *, heeds_syncs: bool = True) -> None:
        """Without `heeds_syncs` it is a disk that says a file is safe, and does nothing."""
        self.changes: list[Change] = []
        self._heeds_syncs = heeds_syncs

    def write(self, file: str, offset: int, data: bytes, carry_out: Callable[[], None]) -> None:
        carry_out()
        self.changes.append(Change(Kind.WRITE, file, offset, bytes(data)))

    def truncate(self, file: str, length: int, carry_out: Callable[[], None]) -> None:
        carry_out()
        self.changes.append(Change(Kind.TRUNCATE, file, length))

    def sync(self, file: str, carry_out: Callable[[], None]) -> None:
        carry_out()
        if self._heeds_syncs:
            self.changes.append(Change(Kind.SYNC, file))

    def remove(self, file: str, carry_out: Callable[[], None]) -> None:
        carry_out()
        self.changes.append(Change(Kind.REMOVE, file))


class Line(msgspec.Struct):
    """One actor: its steps, and after how many changes of the disk each began and was done."""

    told: Told
    began: list[int] = []
    done: list[int] = []

    def until(self, moment: int, *, durable: bool) -> Told:
        """What the actor told before a moment; where the writes are `durable`, what was done has to be there."""
        told = msgspec.structs.replace(self.told, begun=sum(at <= moment for at in self.began))
        return msgspec.structs.replace(told, least=sum(at <= moment for at in self.done) if durable else 0)


class Recording(msgspec.Struct):
    """What went to the disk while actors took their steps; all began when `began` changes had happened."""

    changes: list[Change]
    lines: list[Line]
    began: int
    seed: int


class Crash(msgspec.Struct, frozen=True):
    """The files after a loss of power at a moment, that is after so many changes."""

    moment: int
    loss: Loss
    files: dict[str, bytes]


def record(
    seed: int, *, steps: int, actors: int = 1, durability: Literal["full", "normal"], heeds_syncs: bool = True
) -> Recording:
    """Let actors, each in a thread of its own, write a new store over a disk that is recorded."""
    recorder = Recorder(heeds_syncs=heeds_syncs)
    lines = [Line(Told(str(number), seed, shared=True)) for number in range(actors)]
    with (
        small_pieces(),
        tempfile.TemporaryDirectory() as folder,
        below(recorder, autocheckpoint=_AUTOCHECKPOINT),
        clew.open(Path(folder, NAME), durability=durability, busy_timeout=60) as store,
    ):
        make_shared(store, seed)
        began = len(recorder.changes)
        threads = [threading.Thread(target=_write, args=(store, line, steps, recorder)) for line in lines]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert all(len(line.done) == steps for line in lines)
    return Recording(recorder.changes, lines, began, seed)


def _write(store: clew.Store, line: Line, steps: int, recorder: Recorder) -> None:
    actor = line.told.actor()
    for _ in range(steps):
        step = actor.next()
        line.began.append(len(recorder.changes))
        made = perform(store, step)
        line.told.made.append(made)
        line.done.append(len(recorder.changes))
        actor.done(step, made)


def crashes(recording: Recording, moments: Iterable[int]) -> Iterator[Crash]:
    """One loss of power of each kind at each of these moments."""
    disk, dice, past = Disk(NAME), Random(recording.seed), 0
    for moment in sorted(moments):
        for change in recording.changes[past:moment]:
            disk.apply(change)
        past = moment
        for loss in Loss:
            yield Crash(moment, loss, disk.after(loss, dice))


def some_moments(recording: Recording, count: int) -> list[int]:
    """Moments from the first change of the disk to the last, each different."""
    everything = range(len(recording.changes) + 1)
    return Random(recording.seed).sample(everything, min(count, len(everything)))


def survive(recording: Recording, crash: Crash, *, durable: bool) -> None:
    """Open what a crash has left; AssertionError or StorageError where it is not what was promised."""
    with tempfile.TemporaryDirectory() as folder:
        for name, content in crash.files.items():
            Path(folder, name).write_bytes(content)
        with clew.open(Path(folder, NAME), busy_timeout=0) as store:
            whole = Whole(store)
            if durable and crash.moment >= recording.began:
                assert whole.of("/shared")
            if whole.of("/shared"):
                check(whole, [line.until(crash.moment, durable=durable) for line in recording.lines])
            else:
                assert whole.world == {}
            store.create_session("after")
        check_file(Path(folder, NAME))
