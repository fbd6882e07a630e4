"""Real runs of the SDK over it, with a model that is a script."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from agents import Agent, Runner, RunState
from tests.adapters.openai_agents.support import QUIET, agent, answer, call, said, weather

import clew
from clew.adapters.openai_agents import ClewSession


def kinds(items: list[Any]) -> list[str]:
    return [item.get("type") or item["role"] for item in items]


def session(store: Any) -> Any:
    return ClewSession("talk", store)


async def _streamed(who: Agent[Any], text: str, memory: Any) -> str:
    running = Runner.run_streamed(who, text, session=memory, run_config=QUIET)
    async for _ in running.stream_events():
        pass
    return str(running.final_output)


async def _plain(who: Agent[Any], text: str, memory: Any) -> str:
    return str((await Runner.run(who, text, session=memory, run_config=QUIET)).final_output)


@pytest.mark.parametrize("run", [_plain, _streamed], ids=["run", "run_streamed"])
def test_a_conversation_goes_on_in_another_object_with_all_that_was_said(store: clew.Store, run: Any) -> None:
    async def main() -> None:
        first = agent(call("weather", '{"city": "Rome"}'), answer("It rains."))
        assert await run(first, "Rome?", session(store)) == "It rains."
        second = agent(answer("As I said."))
        assert await run(second, "Sure?", session(store)) == "As I said."
        given = second.model.inputs[0]  # type: ignore[union-attr]
        assert kinds(given) == ["user", "function_call", "function_call_output", "message", "user"]
        assert given[2]["output"] == "rain in Rome"
        assert kinds(await session(store).get_items()) == [*kinds(given), "message"]

    asyncio.run(main())


@pytest.fixture
def thread_loop() -> Iterator[None]:
    """The loop that `run_sync` uses, which it would leave open."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    yield
    asyncio.set_event_loop(None)
    loop.close()


@pytest.mark.usefixtures("thread_loop")
def test_run_sync_works_too(file_store: clew.Store) -> None:
    for text in ("one", "two"):
        who = agent(answer(text.upper()))
        assert Runner.run_sync(who, text, session=session(file_store), run_config=QUIET).final_output == text.upper()
    stored = file_store.get_active_checkpoint(file_store.list_sessions().items[0].id).state.messages
    assert kinds(stored) == ["user", "message", "user", "message"]


def test_a_run_that_fails_leaves_what_was_said_until_then(file_store: clew.Store) -> None:
    async def main() -> None:
        broken = agent(call("weather", '{"city": "Rome"}'), RuntimeError("the model is gone"))
        with pytest.raises(RuntimeError, match="gone"):
            await _plain(broken, "Rome?", session(file_store))
        assert kinds(await session(file_store).get_items()) == ["user", "function_call", "function_call_output"]
        assert await _plain(agent(answer("Rain.")), "And now?", session(file_store)) == "Rain."

    asyncio.run(main())


def test_an_interrupted_run_is_resumed_by_another_process_object(tmp_path: Path) -> None:
    from agents import function_tool

    @function_tool(needs_approval=True)
    def erase(path: str) -> str:
        """Erase a file."""
        return f"erased {path}"

    def make(*outputs: Any) -> Agent[Any]:
        return agent(*outputs, tools=[erase, weather])

    async def main() -> None:
        path = tmp_path / "clew.db"
        memory = session(path)
        asked = await Runner.run(make(call("erase", '{"path": "/x"}')), "Erase /x", session=memory, run_config=QUIET)
        assert [item.name for item in asked.interruptions] == ["erase"]
        kept = asked.to_state().to_json()
        memory.close()

        later, memory = make(answer("Done.")), session(path)
        state = await RunState.from_json(later, kept)
        for item in state.get_interruptions():
            state.approve(item)
        done = await Runner.run(later, state, session=memory, run_config=QUIET)
        assert done.final_output == "Done."
        items = await memory.get_items()
        assert kinds(items) == ["user", "function_call", "function_call_output", "message"]
        assert items[2]["output"] == "erased /x"
        memory.close()

    asyncio.run(main())


def test_a_branch_of_a_conversation_is_what_the_model_sees(file_store: clew.Store) -> None:
    async def main() -> None:
        memory = session(file_store)
        for question in ("one", "two"):
            await _plain(agent(answer(f"answer {question}")), question, memory)
        await memory.create_branch("other", 2)
        other = agent(answer("answer three"))
        await _plain(other, "three", memory)
        assert said(other.model.inputs[0])[::2] == ["one", "three"]  # type: ignore[union-attr]

    asyncio.run(main())
