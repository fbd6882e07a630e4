"""An agent of the OpenAI Agents SDK that goes on in another object, and on a branch, without a network."""

import asyncio
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from agents import Agent, ModelResponse, RunConfig, Runner, Usage, function_tool
from agents.models.interface import Model
from openai.types.responses import ResponseFunctionToolCall, ResponseOutputMessage, ResponseOutputText

import clew
from clew.adapters.openai_agents import ClewSession


@function_tool
def weather(city: str) -> str:
    """The weather of a city."""
    return f"rain in {city}"


class Forecaster(Model):
    """Looks up the weather where it is asked for a city, and counts otherwise."""

    async def get_response(self, system_instructions: Any, input: Any, *args: Any, **kwargs: Any) -> ModelResponse:
        last = input[-1]
        output: Any
        if last.get("type") == "function_call_output":
            output = _said(f"Take an umbrella: {last['output']}.")
        elif last["content"].endswith("?"):
            output = ResponseFunctionToolCall(
                type="function_call", call_id=f"call_{len(input)}", name="weather", arguments='{"city": "Rome"}'
            )
        else:
            output = _said(f"Items before that: {len(input) - 1}.")
        return ModelResponse(output=[output], usage=Usage(), response_id=None)

    def stream_response(self, *args: Any, **kwargs: Any) -> AsyncIterator[Any]:
        raise NotImplementedError


def _said(text: str) -> ResponseOutputMessage:
    part = ResponseOutputText(type="output_text", text=text, annotations=[])
    return ResponseOutputMessage(id="msg", type="message", role="assistant", status="completed", content=[part])


async def ask(prompt: str, memory: ClewSession) -> None:
    """Ask an agent that knows nothing but what the session has."""
    forecaster = Agent(name="forecaster", model=Forecaster(), tools=[weather])
    result = await Runner.run(forecaster, prompt, session=memory, run_config=RunConfig(tracing_disabled=True))
    print(f"> {prompt}\n  {result.final_output}")


async def main(path: Path) -> None:
    """Two questions, the second one in another object, and then another second one on a branch."""
    memory = ClewSession("trip", path)
    await ask("Do I need an umbrella in Rome?", memory)
    memory.close()

    memory = ClewSession("trip", path)
    await ask("Thanks.", memory)
    await memory.create_branch("shorter", at=1)
    await ask("Never mind.", memory)
    for branch in await memory.list_branches():
        print(f"{branch.name}: {branch.item_count} items{' (current)' if branch.is_current else ''}")
    memory.close()


with tempfile.TemporaryDirectory() as name:
    place = Path(name) / "agent.db"
    asyncio.run(main(place))
    with clew.open(place) as store:
        for summary in store.list_sessions():
            print(f"{summary.source}: {summary.title!r}")
