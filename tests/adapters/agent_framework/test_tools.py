"""An agent that calls tools: what it said and did is kept as the framework itself keeps it."""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

import pytest
from agent_framework import (
    Agent,
    BaseChatClient,
    ChatResponse,
    ChatResponseUpdate,
    Content,
    FunctionInvocationLayer,
    HistoryProvider,
    InMemoryHistoryProvider,
    Message,
    tool,
)
from tests.adapters.agent_framework.support import SESSION, active_of, dicts, run

import clew
from clew.adapters.agent_framework import ClewHistoryProvider


class Caller(FunctionInvocationLayer, BaseChatClient):
    """Calls its tools in the first turn, and then answers."""

    def __init__(self, *calls: tuple[str, Any]) -> None:
        super().__init__()
        self.calls = calls
        self.seen: list[list[dict[str, Any]]] = []

    def _inner_get_response(
        self, *, messages: Sequence[Message], stream: bool, options: Mapping[str, Any], **kwargs: Any
    ) -> Any:
        self.seen.append([_compared(message) for message in dicts(messages)])
        calls = self.calls if len(self.seen) == 1 else ()
        contents = [
            Content.from_function_call(call_id=f"c{place}", name=name, arguments=arguments)
            for place, (name, arguments) in enumerate(calls)
        ] or [Content.from_text("done")]
        return self._build_response_stream(self._stream(contents)) if stream else self._answer(contents)

    async def _answer(self, contents: list[Content]) -> ChatResponse:
        return ChatResponse(messages=[Message("assistant", contents)])

    async def _stream(self, contents: list[Content]) -> AsyncIterator[ChatResponseUpdate]:
        for content in contents:
            yield ChatResponseUpdate(role="assistant", contents=[content])


# The ids that the framework draws at random, which provider a message is from, and what no provider's file keeps.
_LEFT_OUT = {"id", "_attribution", "exception"}


def _compared(fields: Any) -> Any:
    if isinstance(fields, list):
        return [_compared(item) for item in fields]
    if not isinstance(fields, dict):
        return fields
    return {key: _compared(value) for key, value in fields.items() if key not in _LEFT_OUT}


@tool
def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


@tool
def fail() -> str:
    """Fail."""
    raise ValueError("no")


@tool(approval_mode="always_require")
def remove(name: str) -> str:
    """Remove a file."""
    return f"removed {name}"


def agent(provider: HistoryProvider, *calls: tuple[str, Any]) -> Agent:
    return Agent(client=Caller(*calls), tools=[add, fail, remove], context_providers=[provider])


async def _two_turns(provider: HistoryProvider, stream: bool) -> list[list[dict[str, Any]]]:
    asked = agent(provider, ("add", {"a": 1, "b": 2}), ("fail", "{}"), ("add", '{"a": 3, "b": 4}'))
    session = asked.create_session(session_id=SESSION)
    for question in ("one", "two"):
        if stream:
            async for _ in asked.run(question, session=session, stream=True):
                pass
        else:
            await asked.run(question, session=session)
    return asked.client.seen


async def _approved(provider: HistoryProvider) -> list[list[dict[str, Any]]]:
    asked = agent(provider, ("remove", {"name": "a"}))
    session = asked.create_session(session_id=SESSION)
    [request] = (await asked.run("tidy up", session=session)).user_input_requests
    await asked.run(Message("user", [request.to_function_approval_response(True)]), session=session)
    await asked.run("and then?", session=session)
    return asked.client.seen


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_calls_at_once_and_their_results_are_remembered_as_in_memory(store, stream):
    seen = run(_two_turns(ClewHistoryProvider(store), stream))

    assert seen == run(_two_turns(InMemoryHistoryProvider(), stream))
    calls = active_of(store).state.messages[1]["content"]
    assert [(part["type"], part["id"], part["name"]) for part in calls] == [
        ("tool_use", "c0", "add"), ("tool_use", "c1", "fail"), ("tool_use", "c2", "add"),
    ]  # fmt: skip


def test_a_call_that_waits_for_approval_is_remembered_as_in_memory(file_store: clew.Store):
    assert run(_approved(ClewHistoryProvider(file_store))) == run(_approved(InMemoryHistoryProvider()))
