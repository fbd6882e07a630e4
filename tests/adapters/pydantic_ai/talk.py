"""Histories and agents that the tests use."""

from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic_ai import Agent
from pydantic_ai.messages import (
    ModelMessage,
    ModelRequest,
    ModelResponse,
    TextPart,
    ToolCallPart,
    ToolReturnPart,
    UserPromptPart,
)
from pydantic_ai.models.function import AgentInfo, FunctionModel
from pydantic_ai.models.test import TestModel
from pydantic_ai_harness.step_persistence import ContinuableSnapshot

START = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)


def at(seconds: int) -> datetime:
    """A time on a day in May."""
    return START + timedelta(seconds=seconds)


def turn(number: int) -> list[ModelMessage]:
    """A question and its answer."""
    return [
        ModelRequest(parts=[UserPromptPart(f"question {number}", timestamp=at(number))]),
        ModelResponse(parts=[TextPart(f"answer {number}")], timestamp=at(number)),
    ]


def turns(count: int) -> list[ModelMessage]:
    """So many questions and answers."""
    return [message for number in range(count) for message in turn(number)]


def tool_turn() -> list[ModelMessage]:
    """A call of a tool and its result."""
    return [
        ModelResponse(parts=[ToolCallPart("add", {"a": 1, "b": 2}, "call-1")], timestamp=at(1)),
        ModelRequest(parts=[ToolReturnPart("add", 3, "call-1", timestamp=at(2))]),
    ]


def snapshot(messages: list[ModelMessage], run_id: str = "r1", step_index: int = 0, **more: Any) -> ContinuableSnapshot:
    """A snapshot at a fixed time."""
    return ContinuableSnapshot(run_id=run_id, step_index=step_index, messages=messages, timestamp=at(0), **more)


def adding(*capabilities: Any, **more: Any) -> Agent[None, str]:
    """An agent whose model calls its one tool and then answers."""
    agent: Agent[None, str] = Agent(TestModel(), capabilities=list(capabilities), **more)

    @agent.tool_plain
    def add(a: int, b: int) -> int:
        return a + b

    return agent


def answering(*capabilities: Any, **more: Any) -> Agent[None, str]:
    """An agent whose model says how many messages it has seen."""

    def answer(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        return ModelResponse(parts=[TextPart(f"seen {len(messages)}")])

    return Agent(FunctionModel(answer), capabilities=list(capabilities), **more)
