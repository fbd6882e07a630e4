"""Real runs of ADK's Runner, with a model that plays a script, remembered by clew."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from google.adk.agents import LlmAgent, RunConfig, SequentialAgent
from google.adk.agents.run_config import StreamingMode
from google.adk.events import Event
from google.adk.models import LlmRequest
from google.adk.runners import Runner
from google.adk.sessions import BaseSessionService, InMemorySessionService
from google.adk.sessions.base_session_service import GetSessionConfig
from google.adk.tools import ToolContext
from google.genai import types
from tests.adapters.google_adk.support import APP, USER, Reply, Scripted, Service, said, texts

import clew
from clew.adapters.google_adk import ClewSessionService


def last_text(request: LlmRequest) -> str:
    part = request.contents[-1].parts[-1]
    return part.text or ""


def forecaster(request: LlmRequest) -> Reply:
    """Calls the tool when asked for the weather, tells its answer, and otherwise counts what was said."""
    part = request.contents[-1].parts[-1]
    if part.function_response is not None:
        return f"It is {part.function_response.response['sky']}."
    if "weather" in last_text(request):
        return ("weather", {"city": "Rome"})
    return f"You said {len([c for c in request.contents if c.role == 'user' and c.parts[0].text])} things."


def weather(city: str, tool_context: ToolContext) -> dict[str, str]:
    """The weather in a city."""
    tool_context.state["last_city"] = city
    tool_context.state["user:home"] = city
    tool_context.state["app:calls"] = tool_context.state.get("app:calls", 0) + 1
    tool_context.state["temp:now"] = "not kept"
    return {"sky": "blue"}


def runner(service: BaseSessionService, answer: Any = forecaster) -> Runner:
    agent = LlmAgent(name="forecaster", model=Scripted(answer=answer), tools=[weather])
    return Runner(app_name=APP, agent=agent, session_service=service)


async def ask(run: Runner, words: str, session_id: str = "s", config: RunConfig | None = None) -> list[Event]:
    content = types.Content(role="user", parts=[types.Part(text=words)])
    given = {} if config is None else {"run_config": config}
    return [e async for e in run.run_async(user_id=USER, session_id=session_id, new_message=content, **given)]


def test_a_run_with_a_tool_is_remembered_and_resumed_by_a_new_service(store: clew.Store) -> None:
    async def first() -> list[Event]:
        service = ClewSessionService(store)
        await service.create_session(app_name=APP, user_id=USER, session_id="s")
        return await ask(runner(service), "How is the weather?")

    async def second() -> list[Event]:
        return await ask(runner(ClewSessionService(store)), "And now?")

    seen = asyncio.run(first())
    session = Service(store).read("s")
    assert [event.id for event in session.events[1:]] == [event.id for event in seen]
    assert session.events[1:] == seen
    assert session.state == {"last_city": "Rome", "user:home": "Rome", "app:calls": 1}
    assert asyncio.run(second())[-1].content.parts[0].text == "You said 2 things."
    stored = store.list_sessions(search="How is the weather?").items[0]
    messages = store.get_session(stored.id).active_checkpoint.state.messages  # type: ignore[union-attr]
    assert [message["role"] for message in messages] == ["user", "assistant", "tool", "assistant", "user", "assistant"]
    assert messages[1]["tool_calls"][0]["id"] == messages[2]["tool_call_id"]


def test_pieces_of_a_streamed_answer_are_not_stored(file_store: clew.Store) -> None:
    async def main() -> list[Event]:
        service = ClewSessionService(file_store)
        await service.create_session(app_name=APP, user_id=USER, session_id="s")
        return await ask(runner(service), "Hello", config=RunConfig(streaming_mode=StreamingMode.SSE))

    seen = asyncio.run(main())
    assert [bool(event.partial) for event in seen] == [True, True, False]
    assert texts(Service(file_store).read("s")) == ["Hello", "You said 1 things."]


def test_a_run_may_ask_for_the_newest_events_only(file_store: clew.Store) -> None:
    async def main() -> None:
        service = ClewSessionService(file_store)
        await service.create_session(app_name=APP, user_id=USER, session_id="s")
        run = runner(service)
        for words in ("one", "two", "three"):
            await ask(run, words)
        config = RunConfig(get_session_config=GetSessionConfig(num_recent_events=2))
        answer = await ask(run, "four", config=config)
        assert answer[-1].content.parts[0].text == "You said 2 things."

    asyncio.run(main())
    assert len(Service(file_store).read("s").events) == 8


# ADK asks for its workflows instead, which no agent can be part of yet.
@pytest.mark.filterwarnings("ignore:SequentialAgent is deprecated:DeprecationWarning")
def test_agents_one_after_the_other_hand_on_temporary_state(file_store: clew.Store) -> None:
    first = LlmAgent(name="first", model=Scripted(answer=lambda _: "draft"), output_key="temp:draft")
    second = LlmAgent(
        name="second",
        model=Scripted(answer=lambda r: str(r.config.system_instruction)),
        instruction="Use {temp:draft}.",
    )

    async def main() -> None:
        service = ClewSessionService(file_store)
        await service.create_session(app_name=APP, user_id=USER, session_id="s")
        agent = SequentialAgent(name="both", sub_agents=[first, second])
        answers = await ask(Runner(app_name=APP, agent=agent, session_service=service), "Write")
        assert "Use draft." in answers[-1].content.parts[0].text

    asyncio.run(main())
    assert Service(file_store).read("s").state == {}


def test_a_rewound_run_goes_on_as_it_does_in_memory(store: clew.Store) -> None:
    async def rewound(service: BaseSessionService) -> tuple[Any, ...]:
        await service.create_session(app_name=APP, user_id=USER, session_id="s", state={"kept": True})
        run = runner(service)
        await ask(run, "one")
        second = await ask(run, "How is the weather?")
        await run.rewind_async(user_id=USER, session_id="s", rewind_before_invocation_id=second[0].invocation_id)
        session = await service.get_session(app_name=APP, user_id=USER, session_id="s")
        answer = await ask(run, "two")
        assert session is not None
        return session.state, [event.author for event in session.events], answer[-1].content.parts[0].text

    found = asyncio.run(rewound(ClewSessionService(store)))
    assert found == asyncio.run(rewound(InMemorySessionService()))
    assert found[2] == "You said 2 things."


def test_a_cancelled_append_is_done_in_the_store_and_in_the_session(file_store: clew.Store) -> None:
    service = ClewSessionService(file_store)

    async def main() -> None:
        session = await service.create_session(app_name=APP, user_id=USER, session_id="s")
        task = asyncio.ensure_future(service.append_event(session, said("Hello")))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        stored = await service.get_session(app_name=APP, user_id=USER, session_id="s")
        assert stored == session
        await service.append_event(session, said("go on"))

    asyncio.run(main())


def test_a_service_opens_and_closes_a_store_of_its_own(tmp_path: Path) -> None:
    async def main() -> None:
        service = ClewSessionService(tmp_path / "own.db")
        await service.create_session(app_name=APP, user_id=USER, session_id="s")
        await service.close()
        with pytest.raises(clew.UnavailableError):
            await service.get_session(app_name=APP, user_id=USER, session_id="s")

    asyncio.run(main())
    with clew.open(tmp_path / "own.db") as store:
        service = ClewSessionService(store.aio)
        assert len(asyncio.run(service.list_sessions(app_name=APP)).sessions) == 1
        asyncio.run(service.close())
        assert store.list_sessions().total == 1
