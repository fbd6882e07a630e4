"""An agent of Pydantic AI whose conversation and steps are kept in clew. The model is a stand-in: no network.

pip install '.[pydantic-ai]'
python examples/with_pydantic_ai.py
"""

import asyncio
import tempfile
from pathlib import Path

from pydantic_ai import Agent
from pydantic_ai.messages import ModelMessage, ModelResponse, TextPart, ToolCallPart, ToolReturnPart
from pydantic_ai.models.function import AgentInfo, FunctionModel
from pydantic_ai_harness.step_persistence import StepPersistence, continue_run

import clew
from clew.adapters.pydantic_ai import ClewMessageHistory, ClewStepStore


def model(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
    """Looks at the log once, then answers."""
    if info.function_tools and not isinstance(messages[-1].parts[-1], ToolReturnPart):
        return ModelResponse(parts=[ToolCallPart("read_log", {"name": "ci.log"})])
    return ModelResponse(parts=[TextPart(f"I have read {len(messages)} messages, and the test reads the clock.")])


async def with_steps(store: clew.Store) -> None:
    """Every step is kept while the run goes on: a process that dies is continued from its last snapshot."""
    steps = ClewStepStore(store)
    agent = Agent(FunctionModel(model), name="ci-doctor", capabilities=[StepPersistence(store=steps)])

    @agent.tool_plain
    def read_log(name: str) -> str:
        return f"{name}: 1 failed, 41 passed"

    await agent.run("Why does CI fail?", conversation_id="ci")
    [run] = await steps.list_runs(conversation_id="ci")
    history = await continue_run(steps, run_id=run.run_id)
    result = await agent.run("Then freeze the clock.", message_history=history)
    print("agent:", result.output)

    for checkpoint in await steps.list_checkpoints(run_id=run.run_id):
        print(f"snapshot {str(checkpoint.id)[:8]}: {checkpoint.message_count} messages")
    for event in (await steps.list_events(run_id=run.run_id))[:3]:
        print("event:", event.kind)


async def with_history(store: clew.Store) -> None:
    """A plain agent: load, run, save; and a fork of the conversation from its beginning."""
    agent = Agent(FunctionModel(model))
    history = ClewMessageHistory(store, "chat")
    first = await history.asave(await agent.run("Hello", message_history=await history.aload()))
    await history.asave(await agent.run("And then?", message_history=await history.aload()))
    fork = await history.afork(at=first.id, title="Another way")
    print(f"chat: {len(await history.aload())} messages, its fork: {len(await fork.aload())}")


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, clew.open(Path(folder) / "agent.db") as store:
        asyncio.run(with_steps(store))
        asyncio.run(with_history(store))
        for session in store.list_sessions():
            print(f"session: {session.title} ({session.message_count} messages)")


if __name__ == "__main__":
    main()
