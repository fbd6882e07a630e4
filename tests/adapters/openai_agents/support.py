"""A model that says what it is told to, and items as the SDK stores them."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any, TypeVar

import pytest
from agents import Agent, ModelResponse, RunConfig, Usage, function_tool
from agents.models.interface import Model
from openai.types.responses import (
    Response,
    ResponseCompletedEvent,
    ResponseFunctionToolCall,
    ResponseOutputMessage,
    ResponseOutputText,
)

import clew

T = TypeVar("T")

QUIET = RunConfig(tracing_disabled=True)

READS = (
    "find_session", "find_session_summary", "get_session", "get_session_summary", "get_checkpoint", "get_messages",
    "get_active_checkpoint", "list_sessions", "list_checkpoints", "find_checkpoint",
)  # fmt: skip
"""The methods of a store that an adapter could read with."""


def user(text: str) -> dict[str, Any]:
    return {"role": "user", "content": text}


def said(items: list[Any]) -> list[str]:
    return [item["content"] for item in items]


def users(texts: str) -> list[dict[str, Any]]:
    return [user(text) for text in texts]


def answer(text: str) -> ResponseOutputMessage:
    part = ResponseOutputText(type="output_text", text=text, annotations=[], logprobs=[])
    return ResponseOutputMessage(id="msg_1", type="message", role="assistant", status="completed", content=[part])


def call(name: str, arguments: str = "{}", id: str = "call_1") -> ResponseFunctionToolCall:
    return ResponseFunctionToolCall(id=f"fc_{id}", call_id=id, type="function_call", name=name, arguments=arguments)


class Script(Model):
    """Answers with one output after the other, and remembers what it was given."""

    def __init__(self, *outputs: Any) -> None:
        self.outputs = list(outputs)
        self.inputs: list[Any] = []

    async def get_response(self, system_instructions: Any, input: Any, *args: Any, **kwargs: Any) -> ModelResponse:
        self.inputs.append(input)
        output = self.outputs.pop(0)
        if isinstance(output, Exception):
            raise output
        return ModelResponse(output=[output], usage=Usage(), response_id="resp_1")

    async def stream_response(
        self, system_instructions: Any, input: Any, *args: Any, **kwargs: Any
    ) -> AsyncIterator[Any]:
        made = await self.get_response(system_instructions, input)
        response = Response(
            id="resp_1", created_at=0, model="script", object="response", output=made.output, tool_choice="none",
            tools=[], parallel_tool_calls=False,
        )  # fmt: skip
        yield ResponseCompletedEvent(type="response.completed", sequence_number=0, response=response)


@function_tool
def weather(city: str) -> str:
    """The weather of a city."""
    return f"rain in {city}"


def agent(*outputs: Any, tools: list[Any] | None = None) -> Agent[Any]:
    return Agent(name="forecaster", model=Script(*outputs), tools=[weather] if tools is None else tools)


Main = Callable[[], Coroutine[Any, Any, T]]


def calls_of(monkeypatch: pytest.MonkeyPatch, store: clew.Store, *names: str) -> list[tuple[str, Any]]:
    """Which of these methods of a store are called from now on, in order, and their named arguments."""
    called: list[tuple[str, Any]] = []

    def noted(name: str, plain: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            called.append((name, kwargs))
            return plain(*args, **kwargs)

        return call

    for name in names:
        monkeypatch.setattr(store, name, noted(name, getattr(store, name)))
    return called


def after_the_look(monkeypatch: pytest.MonkeyPatch, store: clew.Store, look: str, meanwhile: Callable[[], Any]) -> None:
    """Once that method of the store has returned for the first time, `meanwhile` happens, and then what it was for."""
    plain = getattr(store, look)

    def looked(*args: Any, **kwargs: Any) -> Any:
        try:
            return plain(*args, **kwargs)
        finally:
            if getattr(store, look) is looked:
                monkeypatch.setattr(store, look, plain)
                asyncio.run(meanwhile())

    monkeypatch.setattr(store, look, looked)
