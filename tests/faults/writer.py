"""A process that writes, and tells on its standard output when it begins a step and when that is done.

    python -m tests.faults.writer ORDERS

ORDERS is the JSON of `Orders`. After "ready" it waits for a line on standard input. What it tells is written at once
and in one piece, so that whoever kills it has been told of every step that was done.
"""

import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from contextlib import nullcontext
from itertools import count
from typing import Literal, NoReturn

import msgspec
from tests.faults.actors import make_shared, perform, shared_id, small_pieces
from tests.faults.expected import Made
from tests.faults.histories import Told
from tests.faults.layers import Layer, below

import clew

_LOG_PAGES = 50  # so that a process is also killed while it moves the log into the file


class Orders(msgspec.Struct, frozen=True, kw_only=True):
    """What a process is to do: `steps` steps of each of `actors`, beside threads that read."""

    path: str
    seed: int
    actors: list[str]
    steps: int
    durability: Literal["full", "normal"] = "full"
    readers: int = 0
    compacts: bool = True
    busy_timeout: float = 30.0
    last_change: int | None = None
    """At this change of its files the process kills itself."""


class Line(msgspec.Struct, frozen=True, array_like=True):
    """A step has begun; where `made` is not None, it is done and took so many seconds."""

    actor: str
    number: int
    made: Made | None = None
    seconds: float = 0.0


def main() -> None:
    """Follow the orders in the first argument."""
    orders = msgspec.json.decode(sys.argv[1], type=Orders)
    tell(b"ready")
    sys.stdin.readline()
    tell(b"opening")
    with (
        small_pieces(),
        nullcontext() if orders.last_change is None else below(Deadly(orders.last_change), autocheckpoint=_LOG_PAGES),
        clew.open(orders.path, durability=orders.durability, busy_timeout=orders.busy_timeout) as store,
    ):
        make_shared(store, orders.seed)
        follow(store, orders)


class Deadly(Layer):
    """Files at one of whose changes the process ends, however many threads it has."""

    def __init__(self, last_change: int) -> None:
        self._changes = count(1)
        self._last = last_change

    def write(self, file: str, offset: int, data: bytes, carry_out: Callable[[], None]) -> None:
        self._count()
        carry_out()

    def truncate(self, file: str, length: int, carry_out: Callable[[], None]) -> None:
        self._count()
        carry_out()

    def sync(self, file: str, carry_out: Callable[[], None]) -> None:
        self._count()
        carry_out()

    def remove(self, file: str, carry_out: Callable[[], None]) -> None:
        self._count()
        carry_out()

    def _count(self) -> None:
        if next(self._changes) == self._last:
            os.kill(os.getpid(), signal.SIGKILL)


def history(orders: Orders, name: str) -> Told:
    """What an actor has told before its first step."""
    return Told(name, orders.seed, shared=True, compacts=orders.compacts)


def follow(store: clew.Store, orders: Orders) -> None:
    """Let every actor take its steps in a thread of its own, with the readers reading until the last is done."""
    finished = threading.Event()
    writers = [_thread(write, store, name, orders) for name in orders.actors]
    readers = [_thread(read, store, orders.seed, finished) for _ in range(orders.readers)]
    for writer in writers:
        writer.join()
    finished.set()
    for reader in readers:
        reader.join()


def write(store: clew.Store, name: str, orders: Orders) -> None:
    """The steps of one actor."""
    actor = history(orders, name).actor()
    for number in range(orders.steps):
        step = actor.next()
        tell(msgspec.json.encode(Line(name, number)))
        began = time.perf_counter()
        made = perform(store, step)
        seconds = time.perf_counter() - began
        tell(msgspec.json.encode(Line(name, number, made, seconds)))
        actor.done(step, made)


def read(store: clew.Store, seed: int, finished: threading.Event) -> None:
    """Read the shared session and the list until all is written: what was there once stays there."""
    seen: list[object] = []
    while not finished.is_set():
        messages = store.get_active_checkpoint(shared_id(seed)).state.messages
        assert repr(messages[: len(seen)]) == repr(seen)
        seen = list(messages)
        for summary in store.list_sessions(limit=5):
            assert summary.damage is None


def tell(line: bytes) -> None:
    """Write a line in one piece, past every buffer."""
    os.write(1, line + b"\n")


def _thread(work: object, *arguments: object) -> threading.Thread:
    """A started thread; what goes wrong in it ends the process."""

    def run() -> None:
        try:
            work(*arguments)  # type: ignore[operator]
        except BaseException:
            _end()

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def _end() -> NoReturn:
    import traceback

    traceback.print_exc()
    sys.stderr.flush()
    os._exit(1)


if __name__ == "__main__":
    main()
