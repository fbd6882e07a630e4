"""LlamaIndex's own memory, chat engine and agents over the store, with a model that needs no network."""

import asyncio
import subprocess
import sys

import pytest
from llama_index.core.agent.workflow import FunctionAgent
from llama_index.core.base.llms.types import TextBlock, ToolCallBlock
from llama_index.core.chat_engine import SimpleChatEngine
from llama_index.core.llms import ChatMessage
from llama_index.core.llms.mock import MockFunctionCallingLLM, MockLLM
from llama_index.core.memory import Memory
from llama_index.core.storage.chat_store.base_db import MessageStatus
from llama_index.core.tools import FunctionTool
from tests.adapters.llama_index.support import KEY, active_of, run, said, session_of, texts

import clew
from clew.adapters.llama_index import ClewChatStore


def words(text: str) -> list[str]:
    """A tokenizer that needs no files."""
    return text.split()


def memory(store: clew.Store, **kwargs) -> Memory:
    return Memory.from_defaults(session_id=KEY, chat_store=ClewChatStore(store), tokenizer_fn=words, **kwargs)


def test_what_is_put_is_got_by_another_memory_of_the_session(store):
    run(memory(store).aput(said("hello")))
    run(memory(store).aput_messages([said("hi", "assistant"), said("bye")]))

    assert texts(run(memory(store).aget())) == ["hello", "hi", "bye"]


def test_the_methods_without_await_work_too(store):
    first = memory(store)
    first.put(said("hello"))
    first.put_messages([said("hi", "assistant")])
    assert texts(memory(store).get()) == ["hello", "hi"]
    first.set([said("new")])
    assert texts(memory(store).get_all()) == ["new"]
    first.reset()
    assert memory(store).get_all() == []


def test_a_history_may_be_given_at_the_start(file_store):
    begun = memory(file_store, chat_history=[said("a"), said("b", "assistant")])
    assert texts(run(begun.aget())) == ["a", "b"]


def test_what_does_not_fit_is_archived_and_stays_in_the_conversation(store):
    full = memory(store, token_limit=20, token_flush_size=5, chat_history_token_ratio=0.5)
    for turn in range(6):
        run(full.aput(said(f"question {turn} of mine")))
        run(full.aput(said(f"answer {turn} of yours", "assistant")))

    active, archived = run(full.aget()), run(full.aget_all(MessageStatus.ARCHIVED))

    assert active[0].role == "user"
    assert archived
    assert archived + active == run(full.aget_all())
    assert len(active_of(store).state.messages) == 12
    assert active_of(store).state.metadata == {"archived": [[0, len(archived)]]}


def test_the_framework_does_the_same_over_its_own_store(file_store, tmp_path):
    limits = {"token_limit": 20, "token_flush_size": 5, "chat_history_token_ratio": 0.5}
    there = f"sqlite+aiosqlite:///{tmp_path / 'theirs.db'}"
    ours = memory(file_store, **limits)
    theirs = Memory.from_defaults(session_id=KEY, async_database_uri=there, tokenizer_fn=words, **limits)

    async def compare() -> None:
        for turn in range(6):
            for message in (said(f"question {turn} of mine"), said(f"answer {turn} of yours", "assistant")):
                await ours.aput(message)
                await theirs.aput(message)
        for status in (None, *MessageStatus):
            assert await ours.aget_all(status) == await theirs.aget_all(status)
        await theirs.sql_store._async_engine.dispose()

    run(compare())


def test_a_chat_engine_remembers(store):
    engine = SimpleChatEngine.from_defaults(llm=MockLLM(is_chat_model=True), memory=memory(store))
    engine.chat("Which train goes to Oslo?")

    again = SimpleChatEngine.from_defaults(llm=MockLLM(is_chat_model=True), memory=memory(store))
    again.chat("And back?")

    said_so_far = [message.content for message in again.chat_history if message.role == "user"]
    assert said_so_far == ["Which train goes to Oslo?", "And back?"]
    assert session_of(store).title == "Which train goes to Oslo?"
    assert [message["role"] for message in active_of(store).state.messages] == ["user", "assistant"] * 2


def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


def answering(messages, **kwargs) -> ChatMessage:
    """Calls the tool once, and then says what came of it."""
    if messages[-1].role == "tool":
        return ChatMessage(role="assistant", blocks=[TextBlock(text=f"It is {messages[-1].content}.")])
    call = ToolCallBlock(tool_call_id="c1", tool_name="add", tool_kwargs={"a": 1, "b": 2})
    return ChatMessage(role="assistant", blocks=[call])


def agent() -> FunctionAgent:
    llm = MockFunctionCallingLLM(response_generator=answering, is_chat_model=True)
    return FunctionAgent(tools=[FunctionTool.from_defaults(add)], llm=llm, streaming=False)


# The workflow that an agent is looks at every attribute of itself, deprecated ones of pydantic too.
@pytest.mark.filterwarnings("ignore::pydantic.warnings.PydanticDeprecationWarning")
def test_an_agent_with_a_tool_leaves_a_conversation_that_can_be_read(store):
    async def ask(question: str) -> str:
        return str(await agent().run(question, memory=memory(store)))

    assert asyncio.run(ask("What is 1 and 2?")) == "It is 3."
    assert asyncio.run(ask("Once more?")) == "It is 3."

    messages = active_of(store).state.messages
    assert [message["role"] for message in messages] == ["user", "assistant", "tool", "assistant"] * 2
    assert messages[1]["content"][0]["type"] == "tool_use"
    assert messages[2]["tool_call_id"] == "c1"
    assert messages[4]["content"] == "Once more?"


def test_clew_shows_the_conversation(file_store, tmp_path):
    chats = ClewChatStore(file_store)
    call = ToolCallBlock(tool_call_id="c1", tool_name="add", tool_kwargs={"a": 1})
    run(chats.add_messages(KEY, [said("What is it?"), ChatMessage(role="assistant", blocks=[call])]))
    run(chats.add_message(KEY, said("3", "tool", tool_call_id="c1")))

    show = [sys.executable, "-m", "clew", "--store", str(tmp_path / "clew.db"), "show", str(session_of(file_store).id)]
    shown = subprocess.run(show, capture_output=True, text=True, check=True).stdout

    for line in ("Title:       What is it?", "[1] user", "[tool_call] add (c1)", "[tool_call_id] c1"):
        assert line in shown
