"""The Microsoft Agent Framework with its memory in clew: an agent that remembers, and a workflow that is resumed.

It needs `pip install '.[agent-framework]'`, and no network: the model is a few lines below.
"""

import asyncio
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Never

from agent_framework import (
    Agent,
    BaseChatClient,
    ChatResponse,
    Executor,
    FunctionInvocationLayer,
    Message,
    Workflow,
    WorkflowBuilder,
    WorkflowContext,
    handler,
)

import clew
from clew.adapters.agent_framework import ClewCheckpointStorage, ClewHistoryProvider


class Model(FunctionInvocationLayer, BaseChatClient):
    """Says how much it remembers."""

    def _inner_get_response(
        self, *, messages: Sequence[Message], stream: bool, options: Mapping[str, Any], **kwargs: Any
    ) -> Any:
        async def answer() -> ChatResponse:
            return ChatResponse(messages=[Message("assistant", [f"I have {len(messages)} messages before me."])])

        return answer()


class Writer(Executor):
    @handler
    async def write(self, topic: str, context: WorkflowContext[str]) -> None:
        await context.send_message(f"A text about {topic}")


class Editor(Executor):
    @handler
    async def edit(self, text: str, context: WorkflowContext[Never, str]) -> None:
        await context.yield_output(f"{text}, shortened.")


def agent(store: clew.Store) -> Agent:
    return Agent(client=Model(), context_providers=[ClewHistoryProvider(store)])


def workflow(store: clew.Store) -> Workflow:
    writer, editor = Writer(id="writer"), Editor(id="editor")
    builder = WorkflowBuilder(start_executor=writer, name="article", checkpoint_storage=ClewCheckpointStorage(store))
    return builder.add_edge(writer, editor).build()


async def main() -> None:
    with tempfile.TemporaryDirectory() as folder, clew.open(Path(folder) / "agent.db") as store:
        for question in ("Which train goes to Oslo?", "And back?"):
            asked = agent(store)  # a new one each time: nothing is kept but what is in the store
            print((await asked.run(question, session=asked.create_session(session_id="trip-7"))).text)

        print(*(await workflow(store).run("trains")).get_outputs())
        ids = await ClewCheckpointStorage(store).list_checkpoint_ids(workflow_name="article")
        resumed = await workflow(store).run(checkpoint_id=ids[1])  # the writer does not write again
        print("resumed:", *resumed.get_outputs())

        for session in store.list_sessions():
            print(f"{session.source} {session.source_id}: {session.title}, {session.checkpoint_count} checkpoints")


if __name__ == "__main__":
    asyncio.run(main())
