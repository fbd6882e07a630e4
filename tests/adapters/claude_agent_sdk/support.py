"""What the tests of this folder share: keys and lines of transcripts, and ways to look at what is done with a store."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

import clew

PROJECT = "-home-u-parser"
KEY = {"project_key": PROJECT, "session_id": "7d3f5a52-0e5d-4a55-9f5a-0d6c6c1b3a11"}
AGENT = {**KEY, "subpath": "subagents/agent-a1"}
OTHER = {**KEY, "session_id": "11111111-0e5d-4a55-9f5a-0d6c6c1b3a11"}


def run(awaitable: Awaitable[Any]) -> Any:
    async def main() -> Any:
        return await awaitable

    return asyncio.run(main())


def said(text: str, role: str = "user", **more: Any) -> dict[str, Any]:
    """A line of the conversation."""
    return {"type": role, "message": {"role": role, "content": text}, "uuid": str(uuid4()), **more}


@contextmanager
def watched(store: clew.Store) -> Iterator[list[str]]:
    """The names of the store's methods that are called meanwhile."""
    calls: list[str] = []

    def watching(name: str, method: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            calls.append(name)
            return method(*args, **kwargs)

        return call

    before = dict(vars(store))
    names = [name for name in dir(store) if not name.startswith("_") and name not in ("aio", "close")]
    for name in names:
        setattr(store, name, watching(name, getattr(store, name)))
    try:
        yield calls
    finally:
        for name in names:
            delattr(store, name)
        vars(store).update(before)


@contextmanager
def lost_answers(store: clew.Store, name: str, *, is_done: bool = True) -> Iterator[list[str]]:
    """The next call of a method fails, after it was done or before."""
    method = getattr(store, name)
    failed: list[str] = []

    def call(*args: Any, **kwargs: Any) -> Any:
        if failed:
            return method(*args, **kwargs)
        failed.append(name)
        if is_done:
            method(*args, **kwargs)
        raise clew.UnavailableError("the connection was lost")

    setattr(store, name, call)
    try:
        yield failed
    finally:
        delattr(store, name)
