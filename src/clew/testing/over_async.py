"""The plain methods of an awaited store, so that one contract covers both."""

import asyncio
import inspect
import threading
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, cast

from clew.aio import AsyncStore
from clew.store import Store


@contextmanager
def over_async(store: AsyncStore) -> Iterator[Store]:
    """An `AsyncStore` with the methods of `Store`: each is awaited on an event loop in a thread of its own.

    A method that is gone through with ``async for`` gives an iterator, which awaits each item when it is asked for.

    Any number of threads may call at once; their calls are then concurrent tasks of the loop. At the end the store is
    closed and the loop with it.
    """
    with _running_loop() as loop:
        plain = _SyncOverAsync(store, loop)
        try:
            yield cast(Store, plain)
        finally:
            plain.close()


class _SyncOverAsync:
    def __init__(self, store: AsyncStore, loop: asyncio.AbstractEventLoop) -> None:
        self._store = store
        self._loop = loop

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self._store, name)
        if inspect.isasyncgenfunction(method):
            return lambda *args, **kwargs: self._iterate(method(*args, **kwargs))

        def call(*args: Any, **kwargs: Any) -> Any:
            return self._await(method(*args, **kwargs))

        return call

    def close(self) -> None:
        self._await(self._store.close())

    def _iterate(self, items: AsyncGenerator[Any, None]) -> Iterator[Any]:
        end = object()
        try:
            while (item := self._await(_next(items, end))) is not end:
                yield item
        finally:
            self._await(items.aclose())

    def _await(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result()


async def _next(items: AsyncGenerator[Any, None], end: object) -> Any:
    return await anext(items, end)


@contextmanager
def _running_loop() -> Iterator[asyncio.AbstractEventLoop]:
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="clew-testing-loop", daemon=True)
    thread.start()
    try:
        yield loop
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
