"""A graph of LangGraph whose checkpoints are kept in clew. The model is a stand-in: no network.

pip install '.[langgraph]' langgraph
python examples/with_langgraph.py
"""

import tempfile
from pathlib import Path
from typing import Any

from langchain_core.language_models.fake_chat_models import FakeMessagesListChatModel
from langchain_core.messages import AIMessage, HumanMessage
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.types import Command, interrupt

import clew
from clew.adapters.langgraph import ClewSaver

model = FakeMessagesListChatModel(responses=[AIMessage("I would delete the cache."), AIMessage("It is faster now.")])


def propose(state: MessagesState) -> dict[str, Any]:
    """Asks the model what to do."""
    return {"messages": [model.invoke(state["messages"])]}


def approve(state: MessagesState) -> dict[str, Any]:
    """Asks a person: the graph stops here until somebody answers, in this process or in another one."""
    return {"messages": [HumanMessage(interrupt(state["messages"][-1].content))]}


def main() -> None:
    """Stops for a person, goes on with another saver, goes back in time, and shows what is in the store."""
    graph = StateGraph(MessagesState)
    graph.add_sequence([("propose", propose), ("approve", approve), ("report", propose)])
    graph.add_edge(START, "propose")
    config: Any = {"configurable": {"thread_id": "cache"}}
    with tempfile.TemporaryDirectory() as folder, clew.open(Path(folder) / "agent.db") as store:
        agent = graph.compile(checkpointer=ClewSaver(store))
        stopped = agent.invoke({"messages": [HumanMessage("The build is slow.")]}, config)
        print("to approve:", stopped["__interrupt__"][0].value)

        agent = graph.compile(checkpointer=ClewSaver(store))  # as another process would
        done = agent.invoke(Command(resume="Do it."), config)
        print("agent:", done["messages"][-1].content)

        past = [state for state in agent.get_state_history(config) if state.next == ("approve",)][-1]
        print("before the answer:", len(past.values["messages"]), "messages")

        session = store.find_session("langgraph", "cache")
        for message in store.get_messages(session.active_checkpoint.id):  # type: ignore[union-attr]
            print(f"{message['role']:>9}: {message['content']}")
        size = len(store.list_checkpoints(session.id, order="label"))
        print(f"session: {session.title} ({size} checkpoints)")


if __name__ == "__main__":
    main()
