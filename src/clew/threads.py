"""Threads that run calls for event loops.

`loop.run_in_executor` wakes the loop once a call, through two kinds of futures. When one commit finishes the calls of
sixty threads at once, that costs more than the calls: here the loop is woken once for all of them.
"""

import asyncio
import os
import threading
from collections import deque
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any, NamedTuple, TypeVar
from weakref import WeakKeyDictionary

T = TypeVar("T")


class _Enduring(asyncio.Future[T]):
    """A future that no cancellation ends: who awaits it is cancelled once the call has ended.

    A task asks what it awaits to be cancelled. Where that refuses, the task remembers, and raises CancelledError when
    it goes on. `asyncio.shield` would need a second future, and one more turn of the loop, for every call.
    """

    def cancel(self, msg: Any = None) -> bool:
        return False


class _Outbox:
    """Outcomes on their way to one event loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._finished: deque[tuple[asyncio.Future[Any], Any, BaseException | None]] = deque()
        self._mutex = threading.Lock()
        self._called = False

    def send(self, future: asyncio.Future[Any], result: Any, error: BaseException | None) -> None:
        """Called in a worker thread. A loop that has been closed is not waiting for anything any more."""
        self._finished.append((future, result, error))
        with self._mutex:
            call, self._called = not self._called, True
        if call and not self._loop.is_closed():
            try:
                self._loop.call_soon_threadsafe(self._deliver)
            except RuntimeError:  # closed since the line above
                return

    def _deliver(self) -> None:
        with self._mutex:
            self._called = False
        while self._finished:
            future, result, error = self._finished.popleft()
            if future.done():  # cancelled: the call was carried out all the same
                continue
            if error is None:
                future.set_result(result)
            else:
                future.set_exception(error)


class _Call(NamedTuple):
    run: Callable[[], Any]
    future: asyncio.Future[Any]
    outbox: _Outbox


class Threads:
    """Up to `most` daemon threads, started as calls need them, and again by a call after `stop`."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._start_over()

    def _start_over(self) -> None:
        self._process = os.getpid()
        self._started = 0
        self._waiting = 0  # calls submitted and not finished
        self._calls: SimpleQueue[_Call | None] = SimpleQueue()
        self._mutex = threading.Lock()
        self._outboxes: WeakKeyDictionary[asyncio.AbstractEventLoop, _Outbox] = WeakKeyDictionary()

    def run(self, call: Callable[[], T], *, enduring: bool = False) -> "asyncio.Future[T]":
        """Run `call` in a thread; called in an event loop.

        A future cancelled before its turn is not run. One that is `enduring` cannot be cancelled: whoever awaits it
        and is cancelled learns of it when the call has ended.
        """
        if self._process != os.getpid():  # forked: the threads are the parent's, and its locks may be held for ever
            self._start_over()
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = _Enduring(loop=loop) if enduring else loop.create_future()
        outbox = self._outboxes.get(loop)
        if outbox is None:
            outbox = self._outboxes[loop] = _Outbox(loop)
        with self._mutex:
            self._waiting += 1
            needs_thread = self._waiting > self._started < self._most
            self._started += needs_thread
        if needs_thread:
            threading.Thread(target=self._work, name="clew", daemon=True).start()
        self._calls.put(_Call(call, future, outbox))
        return future

    def stop(self) -> None:
        """End every thread once it has finished what is queued before this."""
        with self._mutex:
            started, self._started = self._started, 0
        for _ in range(started):
            self._calls.put(None)

    def _work(self) -> None:
        while (call := self._calls.get()) is not None:
            result, error = None, None
            if not call.future.cancelled():
                try:
                    result = call.run()
                except BaseException as raised:  # handed to the coroutine that waits
                    error = raised
            with self._mutex:
                self._waiting -= 1
            call.outbox.send(call.future, result, error)
            del call, result, error
