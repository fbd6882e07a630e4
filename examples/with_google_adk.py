"""An agent of Google ADK that clew remembers: it answers, its process ends, another one goes on. Nothing is asked of a
network: the model counts what it is asked."""

import asyncio
import tempfile
from collections.abc import AsyncGenerator
from pathlib import Path

from google.adk.agents import LlmAgent
from google.adk.models import BaseLlm, LlmRequest, LlmResponse
from google.adk.runners import Runner
from google.genai import types

import clew
from clew.adapters.google_adk import ClewSessionService


class Counting(BaseLlm):
    model: str = "counting"

    async def generate_content_async(
        self, llm_request: LlmRequest, stream: bool = False
    ) -> AsyncGenerator[LlmResponse, None]:
        asked = sum(content.role == "user" for content in llm_request.contents)
        text = types.Part(text=f"You asked for {asked} things.")
        usage = types.GenerateContentResponseUsageMetadata(prompt_token_count=asked, total_token_count=asked)
        yield LlmResponse(content=types.Content(role="model", parts=[text]), usage_metadata=usage)


async def ask(path: Path, words: str) -> None:
    service = ClewSessionService(path)
    agent = LlmAgent(name="counter", model=Counting())
    runner = Runner(app_name="counting", agent=agent, session_service=service, auto_create_session=True)
    message = types.Content(role="user", parts=[types.Part(text=words)])
    async for event in runner.run_async(user_id="ada", session_id="first", new_message=message):
        print(f"{event.author}: {event.content.parts[0].text}")
    await service.close()


with tempfile.TemporaryDirectory() as folder:
    path = Path(folder) / "agent.db"
    asyncio.run(ask(path, "A cup of tea, please."))
    asyncio.run(ask(path, "And some sugar."))
    with clew.open(path) as store:
        for session in store.list_sessions():
            print(f"{session.title!r}: {session.message_count} messages, {session.checkpoint_count} checkpoints")
