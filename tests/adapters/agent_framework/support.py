"""What the tests of this folder share: conversations, a client that needs no network, and a workflow."""

import asyncio
from collections.abc import AsyncIterator, Coroutine, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Never, TypeVar

from agent_framework import (
    BaseChatClient,
    ChatResponse,
    ChatResponseUpdate,
    Content,
    Executor,
    Message,
    WorkflowBuilder,
    WorkflowContext,
    handler,
)

import clew

T = TypeVar("T")

SESSION = "trip-7"
FLOW = "greeting"


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(coroutine)


def said(text: str, role: str = "user", id: str | None = None) -> Message:
    return Message(role, [text], message_id=id)


def dicts(messages: Sequence[Message]) -> list[dict[str, Any]]:
    """Messages that can be compared: those of the framework are equal only to themselves."""
    return [message.to_dict() for message in messages]


def texts(messages: Sequence[Message]) -> list[str]:
    return [message.text for message in messages]


def session_of(store: clew.Store, name: str = SESSION, source: str = "agent-framework") -> clew.Session:
    return store.find_session(source, name)


def active_of(store: clew.Store, name: str = SESSION, source: str = "agent-framework") -> clew.Checkpoint:
    return store.get_active_checkpoint(session_of(store, name, source).id)


class Client(BaseChatClient):
    """Says how many messages it was given, and the last of them."""

    def _inner_get_response(
        self, *, messages: Sequence[Message], stream: bool, options: Mapping[str, Any], **kwargs: Any
    ) -> Any:
        answer = f"{len(messages)}: {messages[-1].text}"
        return self._build_response_stream(self._stream(answer)) if stream else self._answer(answer)

    async def _answer(self, answer: str) -> ChatResponse:
        return ChatResponse(messages=[Message("assistant", [answer])])

    async def _stream(self, answer: str) -> AsyncIterator[ChatResponseUpdate]:
        for part in (answer[:2], answer[2:]):
            yield ChatResponseUpdate(role="assistant", contents=[Content.from_text(part)])


class Loud(Executor):
    """Makes a text loud, and counts how many it was given."""

    seen = 0

    @handler
    async def shout(self, text: str, context: WorkflowContext[str]) -> None:
        self.seen += 1
        await context.send_message(f"{text.upper()} {self.seen}")

    async def on_checkpoint_save(self) -> dict[str, Any]:
        return {"seen": self.seen, "pair": (1, 2)}

    async def on_checkpoint_restore(self, state: dict[str, Any]) -> None:
        assert state["pair"] == (1, 2)
        self.seen = state["seen"]


class Last(Executor):
    @handler
    async def end(self, text: str, context: WorkflowContext[Never, str]) -> None:
        await context.yield_output(f"{text}!")


def workflow(storage: Any) -> Any:
    """Two steps, with a checkpoint before and after each."""
    loud, last = Loud(id="loud"), Last(id="last")
    return WorkflowBuilder(start_executor=loud, name=FLOW, checkpoint_storage=storage).add_edge(loud, last).build()


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
