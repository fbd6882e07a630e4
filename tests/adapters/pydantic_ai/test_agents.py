"""Real agents with `StepPersistence`: what is left after a run, a failure, a kill; and how it goes on."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic_ai import Agent, RunContext
from pydantic_ai.messages import ModelMessage, ModelRequest, ModelResponse, ToolReturnPart
from pydantic_ai.models.test import TestModel
from pydantic_ai_harness.conversation_search import SnapshotHistorySource
from pydantic_ai_harness.step_persistence import StepPersistence, annotate_tool_effect, continue_run, is_provider_valid
from tests.adapters.pydantic_ai.talk import adding, answering

import clew
from clew.adapters.pydantic_ai import ClewStepStore

Run = Callable[[Any], Any]
CALL = "pyd_ai_tool_call_id__add"


def test_a_run_leaves_its_record_its_events_and_its_history(steps: ClewStepStore, run: Run):
    result = run(adding(StepPersistence(store=steps, agent_name="adder", metadata={"k": "v"})).run("add"))
    [record] = run(steps.list_runs())
    assert (record.agent_name, record.metadata, record.parent_run_id) == ("adder", {"k": "v"}, None)
    events = run(steps.list_events(run_id=record.run_id))
    request, tool = ["model_request_started", "model_request_completed"], ["tool_call_started", "tool_call_completed"]
    assert [event.kind for event in events] == ["run_started", *request, *tool, *request, "run_completed"]
    assert {event.conversation_id for event in events} == {record.conversation_id}
    assert run(continue_run(steps, run_id=record.run_id)) == result.all_messages()
    assert run(steps.get_tool_effect(run_id=record.run_id, tool_call_id=CALL)).status == "completed"
    assert run(steps.list_unresolved_tool_effects(run_id=record.run_id)) == []
    [session] = steps._handle.store.list_sessions()
    assert (session.title, session.message_count) == ("add", 4)


def test_a_run_that_continues_another_is_in_its_conversation(steps: ClewStepStore, run: Run):
    agent = answering(StepPersistence(store=steps))
    run(agent.run("one"))
    result: Any = None
    for prompt in ("two", "three"):
        last = run(steps.list_runs())[-1]
        history = run(continue_run(ClewStepStore(steps._handle.store), run_id=last.run_id))
        result = run(agent.run(prompt, message_history=history))
    [session] = steps._handle.store.list_sessions()
    assert session.message_count == 6
    assert run(continue_run(steps, run_id=run(steps.list_runs())[-1].run_id)) == result.all_messages()
    assert result.output == "seen 5"


def test_a_long_conversation_costs_what_it_adds(file_steps: ClewStepStore, run: Run, tmp_path: Path):
    agent = answering(StepPersistence(store=file_steps))
    sizes: list[int] = []
    history: list[ModelMessage] = []
    for number in range(60):
        history = run(agent.run(f"question {number}", message_history=history)).all_messages()
        if number % 20 == 19:
            file_steps._handle.store.compact()
            sizes.append((tmp_path / "clew.db").stat().st_size)
    first, second, third = sizes
    assert third - second < 1.3 * (second - first)
    [session] = file_steps._handle.store.list_sessions()
    assert session.message_count == 120


def test_a_stream_is_kept_to_its_last_message(steps: ClewStepStore, run: Run):
    async def streamed() -> Any:
        async with adding(StepPersistence(store=steps, run_id="streamed")).run_stream("add") as result:
            await result.get_output()
        return result.all_messages()

    messages = run(streamed())
    snapshot = run(steps.latest_snapshot(run_id="streamed"))
    assert snapshot.messages == messages
    assert isinstance(snapshot.messages[-1], ModelResponse)


def test_a_failing_tool_leaves_what_led_to_it(steps: ClewStepStore, run: Run):
    agent: Agent[None, str] = Agent(TestModel(), capabilities=[StepPersistence(store=steps, run_id="failed")])

    @agent.tool_plain
    def boom() -> int:
        raise ValueError("kaboom")

    with pytest.raises(ValueError, match="kaboom"):
        run(agent.run("go"))
    kinds = [event.kind for event in run(steps.list_events(run_id="failed"))]
    assert kinds[-2:] == ["tool_call_failed", "run_failed"]
    effect = run(steps.get_tool_effect(run_id="failed", tool_call_id="pyd_ai_tool_call_id__boom"))
    assert (effect.status, effect.effect_summary) == ("failed", "ValueError('kaboom')")
    assert run(steps.latest_snapshot(run_id="failed")) is None
    rescued = run(steps.latest_snapshot(run_id="failed", include_interrupted=True))
    assert rescued.state == "interrupted"
    assert not is_provider_valid(rescued.messages)


def test_a_run_that_stopped_after_a_tool_goes_on_from_there(steps: ClewStepStore, run: Run):
    agent = adding(StepPersistence(store=steps, run_id="stopped"))

    async def stop_at_the_second_request() -> None:
        requests = 0
        async with agent.iter("add") as steps_of_run:
            async for node in steps_of_run:
                requests += agent.is_model_request_node(node)
                if requests == 2:
                    raise ConnectionError("the worker stopped")

    with pytest.raises(ConnectionError):
        run(stop_at_the_second_request())
    history = run(continue_run(ClewStepStore(steps._handle.store), run_id="stopped"))
    assert is_provider_valid(history)
    assert isinstance(history[-1], ModelRequest)
    assert isinstance(history[-1].parts[0], ToolReturnPart)
    result = run(adding(StepPersistence(store=steps)).run(message_history=history))
    assert result.output == '{"add":0}'
    assert len(steps._handle.store.list_sessions()) == 1


def test_a_conversation_is_readable_in_clew_show_and_clew_list(tmp_path: Path, run: Run):
    with clew.open(tmp_path / "clew.db") as store:
        run(adding(StepPersistence(store=ClewStepStore(store))).run("add them up", conversation_id="c"))
        [session] = store.list_sessions()
    command = [sys.executable, "-m", "clew", "--store", str(tmp_path / "clew.db")]
    shown = subprocess.run([*command, "show", str(session.id)], capture_output=True, text=True, check=True).stdout
    for part in ("add them up", "[tool_call] add", '"a": 0', f"[tool_call_id] {CALL}", '{"add":0}', "pydantic-ai c"):
        assert part in shown
    assert "pydantic_ai" not in shown
    assert "add them up" in subprocess.run([*command, "list"], capture_output=True, text=True, check=True).stdout


def test_a_run_id_is_good_for_one_run(file_steps: ClewStepStore, run: Run):
    agent = answering(StepPersistence(store=file_steps, run_id="once"))
    run(agent.run("one"))
    with pytest.raises(ValueError, match="single-shot"):
        run(agent.run("two"))


def test_a_delegate_knows_its_parent(file_steps: ClewStepStore, run: Run):
    delegate = answering(StepPersistence(store=file_steps, agent_name="delegate"))
    above: Agent[None, str] = Agent(TestModel(), capabilities=[StepPersistence(store=file_steps, agent_name="above")])

    @above.tool_plain
    async def delegate_work() -> str:
        return (await delegate.run("work")).output

    run(above.run("go"))
    [top, below] = run(file_steps.list_runs())
    assert (top.agent_name, below.agent_name, below.parent_run_id) == ("above", "delegate", top.run_id)
    assert run(file_steps.list_runs(parent_run_id=top.run_id)) == [below]
    store = file_steps._handle.store
    [upper] = [one for one in store.list_sessions() if one.source_id == top.conversation_id]
    [lower] = [one for one in store.list_sessions() if one.source_id == below.conversation_id]
    assert lower.parent_session_id == upper.id


def test_a_tool_says_what_its_effect_was(file_steps: ClewStepStore, run: Run):
    agent: Agent[None, str] = Agent(TestModel(), capabilities=[StepPersistence(store=file_steps, run_id="r")])

    @agent.tool
    async def write(ctx: RunContext[None]) -> str:
        await annotate_tool_effect(file_steps, ctx, idempotency_key="file-1", effect_summary="wrote a file")
        return "done"

    run(agent.run("go"))
    effect = run(file_steps.get_tool_effect(run_id="r", tool_call_id="pyd_ai_tool_call_id__write"))
    assert (effect.status, effect.idempotency_key, effect.effect_summary) == ("completed", "file-1", "wrote a file")


def test_the_frontier_is_kept_too(file_steps: ClewStepStore, run: Run):
    result = run(adding(StepPersistence(store=file_steps, run_id="r", capture_frontier=True)).run("add"))
    found = run(file_steps.list_snapshots(run_id="r", include_interrupted=True))
    assert [len(one.messages) for one in found] == sorted(len(one.messages) for one in found)
    assert found[-1].messages == result.all_messages()
    assert "interrupted" in {one.state for one in found}


def test_conversations_can_be_searched_by_the_harness(file_steps: ClewStepStore, run: Run):
    run(answering(StepPersistence(store=file_steps)).run("where is the marmalade"))
    source = SnapshotHistorySource(file_steps)
    [one] = run(source.list_runs())
    history = run(source.run_history(run_id=one.run_id))
    assert [message.parts[0].content for message in history] == ["where is the marmalade", "seen 1"]  # type: ignore[union-attr]


KILLED = """
import asyncio, os, sys, time
from clew.adapters.pydantic_ai import ClewStepStore
from pydantic_ai import Agent
from pydantic_ai.models.function import FunctionModel
from pydantic_ai.messages import ModelResponse, TextPart, ToolCallPart
from pydantic_ai_harness.step_persistence import StepPersistence

def model(messages, info):
    calls = sum(isinstance(message, ModelResponse) for message in messages)
    return ModelResponse(parts=[ToolCallPart("work", {"step": calls}, f"call-{calls}")])

agent = Agent(FunctionModel(model), capabilities=[StepPersistence(store=ClewStepStore(sys.argv[1]), run_id="killed")])

@agent.tool_plain
def work(step: int) -> str:
    if step == 3:
        print("in the middle", flush=True)
        time.sleep(300)
    return f"done {step}"

asyncio.run(agent.run("work"))
"""


def test_a_killed_process_goes_on_from_its_last_snapshot(tmp_path: Path, run: Run):
    command = [sys.executable, "-c", KILLED, str(tmp_path / "clew.db")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "in the middle\n"
        os.kill(process.pid, signal.SIGKILL)
    with clew.open(tmp_path / "clew.db") as store:
        steps = ClewStepStore(store)
        history = run(continue_run(steps, run_id="killed"))
        assert is_provider_valid(history)
        assert [part.content for part in history[-1].parts] == ["done 2"]  # type: ignore[union-attr]
        [unresolved] = run(steps.list_unresolved_tool_effects(run_id="killed"))
        assert (unresolved.tool_call_id, unresolved.status) == ("call-3", "started")
        assert run(steps.list_events(run_id="killed"))[-1].kind == "tool_call_started"
        result = run(answering(StepPersistence(store=steps)).run("go on", message_history=history))
        assert result.output == f"seen {len(history) + 1}" or result.output == f"seen {len(history)}"
        [session] = store.list_sessions()
        assert session.message_count == len(result.all_messages())
        assert list(store.verify()) == []


WRITER = """
import asyncio, sys
from clew.adapters.pydantic_ai import ClewStepStore
from pydantic_ai import Agent
from pydantic_ai.models.test import TestModel
from pydantic_ai_harness.step_persistence import StepPersistence

async def main(path, name):
    agent = Agent(TestModel(custom_output_text=name), capabilities=[StepPersistence(store=ClewStepStore(path))])
    history = []
    for number in range(8):
        result = await agent.run(f"{name} {number}", message_history=history, conversation_id="shared")
        history = result.all_messages()

asyncio.run(main(*sys.argv[1:]))
"""


def test_two_processes_in_one_conversation_lose_nothing(tmp_path: Path, run: Run):
    path = str(tmp_path / "clew.db")
    processes = [subprocess.Popen([sys.executable, "-c", WRITER, path, name]) for name in ("one", "two")]
    assert [process.wait() for process in processes] == [0, 0]
    with clew.open(path) as store:
        steps = ClewStepStore(store)
        runs = run(steps.list_runs(conversation_id="shared"))
        assert len(runs) == 16
        lengths: dict[str, list[int]] = {"one": [], "two": []}
        for one in runs:
            messages = run(continue_run(steps, run_id=one.run_id))
            assert len(run(steps.list_events(run_id=one.run_id))) == 4
            names: set[Any] = {message.parts[0].content for message in messages if isinstance(message, ModelResponse)}  # type: ignore[union-attr]
            [name] = names
            lengths[name].append(len(messages))
        assert lengths == {name: list(range(2, 18, 2)) for name in lengths}
        assert list(store.verify()) == []
