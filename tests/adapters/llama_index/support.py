"""What the tests of this folder share: conversations, and ways to look at what is done with a store."""

import asyncio
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from llama_index.core.llms import ChatMessage

import clew

T = TypeVar("T")

KEY = "trip-7"


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(coroutine)


def said(text: str, role: str = "user", **kwargs: Any) -> ChatMessage:
    return ChatMessage(role=role, content=text, additional_kwargs=kwargs)


def talk(*texts: str) -> list[ChatMessage]:
    """A conversation in which user and assistant take turns."""
    return [said(text, "assistant" if index % 2 else "user") for index, text in enumerate(texts)]


def texts(messages: list[ChatMessage]) -> list[str | None]:
    return [message.content for message in messages]


def session_of(store: clew.Store, key: str = KEY) -> clew.Session:
    return store.find_session("llama-index", key)


def active_of(store: clew.Store, key: str = KEY) -> clew.Checkpoint:
    return store.get_active_checkpoint(session_of(store, key).id)


@contextmanager
def watched(store: clew.Store) -> Iterator[list[tuple[str, tuple[Any, ...], dict[str, Any]]]]:
    """The calls of the store's methods meanwhile: name, arguments, keywords."""
    calls: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = []
    names = [name for name in dir(clew.Store) if not name.startswith("_") and name not in ("aio", "close")]

    def watching(name: str, method: Any) -> Any:
        def call(*args: Any, **kwargs: Any) -> Any:
            calls.append((name, args, kwargs))
            return method(*args, **kwargs)

        return call

    for name in names:
        if callable(getattr(store, name)):
            setattr(store, name, watching(name, getattr(store, name)))
    try:
        yield calls
    finally:
        for name in names:
            vars(store).pop(name, None)


WRITES = {"append", "create_checkpoint", "create_session", "ensure_session", "update_session", "delete_checkpoints"}
WHOLE_READS = {"find_session", "get_session", "get_checkpoint", "get_active_checkpoint"}
"""The methods that read a state in full."""
