"""A program that is killed in the middle of a graph: run as a process with the path of a store."""

import os
import signal
import sys
from typing import Any

from langchain_core.messages import AIMessage, HumanMessage
from langgraph.graph import START, StateGraph
from tests.adapters.langgraph.support import State, thread

from clew.adapters.langgraph import ClewSaver


def steps(*, dies: bool) -> Any:
    """A graph of three steps, of which the second one may kill the process."""

    def step(name: str) -> Any:
        def run(state: State) -> dict[str, Any]:
            if dies and name == "second":
                os.kill(os.getpid(), signal.SIGKILL)
            return {"messages": [AIMessage(name)]}

        return run

    graph = StateGraph(State)
    for name in ("first", "second", "third"):
        graph.add_node(name, step(name))
    graph.add_edge(START, "first")
    graph.add_edge("first", "second")
    graph.add_edge("second", "third")
    return graph


if __name__ == "__main__":
    saver = ClewSaver(sys.argv[1])
    steps(dies=True).compile(checkpointer=saver).invoke({"messages": [HumanMessage("go")]}, thread(), durability="sync")
