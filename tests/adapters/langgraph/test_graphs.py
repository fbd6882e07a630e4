"""Real graphs with a fake model, over every kind of store."""

import asyncio
from typing import Any

import pytest
from langchain_core.messages import AIMessage, HumanMessage, RemoveMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END, START, StateGraph
from langgraph.types import Command, Send, interrupt
from tests.adapters.langgraph.support import State, chat, said, thread, user

from clew import Store
from clew.adapters.langgraph import ClewSaver


@pytest.fixture
def saver(store: Store) -> ClewSaver:
    return ClewSaver(store)


def another(saver: ClewSaver) -> ClewSaver:
    """A saver of another process, as far as what it knows goes."""
    return ClewSaver(saver._handle.store)


def test_a_conversation_goes_on_over_turns_and_processes(saver: ClewSaver) -> None:
    for turn in range(3):
        chat(another(saver), f"answer {turn}").invoke(user(f"question {turn}"), thread())
    state = chat(another(saver)).get_state(thread()).values
    expected = [text for turn in range(3) for text in (f"question {turn}", f"answer {turn}")]
    assert said(state) == expected
    assert state["asked"] == 3


def asking() -> Any:
    """A graph that asks a person before it answers."""

    def ask(state: State) -> dict[str, Any]:
        return {"messages": [AIMessage(f"you said {interrupt({'really': (1, 2)})}")]}

    graph = StateGraph(State)
    graph.add_node("ask", ask)
    graph.add_edge(START, "ask")
    graph.add_edge("ask", END)
    return graph


def test_an_interrupted_graph_is_resumed_by_another_process(saver: ClewSaver) -> None:
    stopped = asking().compile(checkpointer=saver).invoke(user("go"), thread())
    assert stopped["__interrupt__"][0].value == {"really": (1, 2)}
    graph = asking().compile(checkpointer=another(saver))
    waiting = graph.get_state(thread())
    assert waiting.next == ("ask",)
    assert waiting.tasks[0].interrupts[0].value == {"really": (1, 2)}
    assert said(graph.invoke(Command(resume="yes"), thread())) == ["go", "you said yes"]
    assert graph.get_state(thread()).next == ()


def test_the_history_is_that_of_the_saver_in_memory(saver: ClewSaver) -> None:
    histories = []
    for checkpointer in (saver, InMemorySaver()):
        graph = chat(checkpointer, "one", "two")
        for turn in range(2):
            graph.invoke(user(f"question {turn}"), thread())
        histories.append(
            [
                (said(s.values) if "messages" in s.values else None, s.next, s.metadata, s.values.get("asked"))
                for s in graph.get_state_history(thread())
            ]
        )
    assert histories[0] == histories[1]
    assert len(histories[0]) == 6


def test_a_state_that_is_changed_begins_a_branch_and_the_other_stays(saver: ClewSaver) -> None:
    graph = chat(saver, "one", "two", "three")
    graph.invoke(user("first"), thread())
    graph.invoke(user("second"), thread())
    past = next(s for s in graph.get_state_history(thread()) if s.next == () and len(s.values["messages"]) == 2)
    fork = graph.update_state(past.config, user("instead"), as_node="__start__")
    state = graph.invoke(None, fork)
    assert said(state) == ["first", "one", "instead", "three"]
    texts = [tuple(said(s.values)) for s in graph.get_state_history(thread()) if "messages" in s.values]
    assert ("first", "one", "second", "two") in texts
    assert texts[0] == ("first", "one", "instead", "three")
    assert said(graph.get_state(past.config).values) == ["first", "one"]


def test_going_back_in_time_runs_again_from_there(saver: ClewSaver) -> None:
    graph = chat(saver, "one", "two")
    graph.invoke(user("first"), thread())
    before = next(s for s in graph.get_state_history(thread()) if s.next == ("answer",))
    assert said(chat(another(saver), "again").invoke(None, before.config)) == ["first", "again"]
    assert said(graph.get_state(thread()).values) == ["first", "again"]


@pytest.mark.parametrize("durability", ["sync", "async", "exit"])
def test_every_durability_ends_with_the_same_state(saver: ClewSaver, durability: Any) -> None:
    graph = chat(saver, "one", "two")
    for turn in range(2):
        graph.invoke(user(f"q{turn}"), thread(), durability=durability)
    assert said(chat(another(saver)).get_state(thread()).values) == ["q0", "one", "q1", "two"]
    assert len(list(graph.get_state_history(thread()))) == (2 if durability == "exit" else 6)


@pytest.mark.parametrize("durability", ["sync", "async", "exit"])
def test_every_durability_survives_an_interrupt(saver: ClewSaver, durability: Any) -> None:
    asking().compile(checkpointer=saver).invoke(user("go"), thread(), durability=durability)
    graph = asking().compile(checkpointer=another(saver))
    assert said(graph.invoke(Command(resume="yes"), thread(), durability=durability)) == ["go", "you said yes"]


def fanned_out() -> Any:
    """A graph of which several nodes write at once, some of them sent for."""

    def log(text: str) -> Any:
        return lambda state: {"log": [text], "messages": [AIMessage(text)]}

    graph = StateGraph(State)
    for name in ("b", "a", "c"):
        graph.add_node(name, log(name))
        graph.add_edge(START, name)
        graph.add_edge(name, "join")
    graph.add_node("join", log("join"))
    graph.add_node("each", lambda state: {"log": [f"each {state['n'][0]}"]})
    graph.add_conditional_edges("join", lambda state: [Send("each", {"n": (n,)}) for n in range(3)], ["each"])
    graph.add_edge("each", END)
    return graph


def test_nodes_that_run_at_once_and_are_sent_for_leave_what_they_do_in_memory(saver: ClewSaver) -> None:
    states = [fanned_out().compile(checkpointer=each).invoke(user("go"), thread()) for each in (saver, InMemorySaver())]
    assert states[0]["log"] == states[1]["log"] == ["a", "b", "c", "join", "each 0", "each 1", "each 2"]
    assert said(states[0]) == said(states[1])
    histories = [
        [s.values for s in fanned_out().compile(checkpointer=each).get_state_history(thread())]
        for each in (another(saver),)
    ]
    assert histories[0][0]["log"] == states[0]["log"]


def test_a_failed_node_is_run_again_and_the_others_are_not(saver: ClewSaver) -> None:
    runs: list[str] = []

    def node(name: str, fails: bool = False) -> Any:
        def run(state: State) -> dict[str, Any]:
            runs.append(name)
            if fails and runs.count(name) == 1:
                raise ValueError("broken")
            return {"log": [name]}

        return run

    graph = StateGraph(State)
    for name, fails in (("good", False), ("bad", True)):
        graph.add_node(name, node(name, fails))
        graph.add_edge(START, name)
    with pytest.raises(ValueError, match="broken"):
        graph.compile(checkpointer=saver).invoke(user("go"), thread(), durability="sync")
    state = graph.compile(checkpointer=another(saver)).invoke(None, thread())
    assert sorted(state["log"]) == ["bad", "good"]
    assert runs.count("good") <= 2
    assert runs.count("bad") == 2


def nested() -> Any:
    """A graph with a graph in it, which asks a person."""
    inner = StateGraph(State)
    inner.add_node("ask", lambda state: {"messages": [AIMessage(str(interrupt("well?")))]})
    inner.add_edge(START, "ask")
    outer = StateGraph(State)
    outer.add_node("inner", inner.compile())
    outer.add_edge(START, "inner")
    return outer


def test_a_graph_in_a_graph_has_a_session_below_that_of_its_thread(saver: ClewSaver) -> None:
    nested().compile(checkpointer=saver).invoke(user("go"), thread())
    graph = nested().compile(checkpointer=another(saver))
    assert graph.get_state(thread(), subgraphs=True).tasks[0].state.next == ("ask",)
    assert said(graph.invoke(Command(resume="fine"), thread())) == ["go", "fine"]
    store = saver._handle.store
    sessions = {s.source_id: s for s in store.list_sessions(source="langgraph")}
    assert len(sessions) == 2
    root = sessions.pop("thread")
    (below,) = sessions.values()
    assert below.parent_session_id == root.id
    assert str(below.source_id).startswith("thread#inner:")
    assert (below.metadata or {})["thread_id"] == "thread"


@pytest.mark.parametrize("is_async", [False, True])
def test_going_back_runs_a_graph_in_a_graph_from_what_it_remembered_then(saver: ClewSaver, is_async: bool) -> None:
    def remember(state: State) -> dict[str, Any]:
        return {"asked": state.get("asked", 0) + 1, "log": [f"{interrupt('well?')} {state.get('asked', 0)}"]}

    def run(each: Any) -> Any:
        inner = StateGraph(State)
        inner.add_node("remember", remember)
        inner.add_edge(START, "remember")
        outer = StateGraph(State, output_schema=State)
        outer.add_node("inner", inner.compile(checkpointer=True))
        outer.add_edge(START, "inner")
        graph = outer.compile(checkpointer=each)
        for turn in range(3):
            graph.invoke({"messages": [HumanMessage("q", id=str(turn))]}, thread())
            graph.invoke(Command(resume=f"yes {turn}"), thread())
        then = [state.config for state in graph.get_state_history(thread()) if state.next == ("inner",)][1]
        if is_async:
            asyncio.run(graph.ainvoke(None, then))
        else:
            graph.invoke(None, then)
        (task,) = graph.get_state(thread(), subgraphs=True).tasks
        return task.state.values, graph.invoke(Command(resume="again"), thread())["log"]

    assert run(saver) == run(InMemorySaver())


def test_messages_that_a_graph_removes_are_gone_from_there_and_not_before(saver: ClewSaver) -> None:
    graph = chat(saver, "one", "two", "three")
    for turn in range(3):
        graph.invoke(user(f"q{turn}"), thread())
    messages = graph.get_state(thread()).values["messages"]
    graph.update_state(
        thread(), {"messages": [RemoveMessage(id=messages[2].id), HumanMessage("Q0", id=messages[0].id)]}
    )
    fresh = chat(another(saver))
    assert said(fresh.get_state(thread()).values) == ["Q0", "one", "two", "q2", "three"]
    texts = [said(s.values) for s in fresh.get_state_history(thread()) if "messages" in s.values]
    assert texts[1] == ["q0", "one", "q1", "two", "q2", "three"]


def test_a_message_that_a_node_changes_where_it_stands_is_stored_as_it_is_then(saver: ClewSaver) -> None:
    def change(state: State) -> dict[str, Any]:
        message = state["messages"][0]
        message.content = "changed"
        return {"messages": [message]}

    graph = StateGraph(State)
    graph.add_node("change", change)
    graph.add_edge(START, "change")
    many = {"messages": [HumanMessage(f"m{n}") for n in range(40)]}
    graph.compile(checkpointer=saver).invoke(many, thread(), durability="sync")
    assert said(chat(another(saver)).get_state(thread()).values)[:2] == ["changed", "m1"]


def test_two_lists_of_one_state_share_the_messages_of_a_session(saver: ClewSaver) -> None:
    def note(state: State) -> dict[str, Any]:
        n = len(state.get("notes", []))
        return {"messages": [AIMessage(f"a{n}")], "notes": [{"role": "note", "content": f"n{n}"}]}

    graph = StateGraph(State)
    graph.add_node("note", note)
    graph.add_edge(START, "note")
    for turn in range(3):
        graph.compile(checkpointer=saver).invoke(user(f"q{turn}"), thread())
    state = graph.compile(checkpointer=saver).get_state(thread()).values
    assert said(state) == ["q0", "a0", "q1", "a1", "q2", "a2"]
    assert [n["content"] for n in state["notes"]] == ["n0", "n1", "n2"]
    assert graph.compile(checkpointer=another(saver)).get_state(thread()).values == state
    store = saver._handle.store
    active = store.find_session("langgraph", "thread").active_checkpoint
    assert active is not None
    assert [m["content"] for m in active.state.messages] == ["q0", "a0", "n0", "q1", "a1", "n1", "q2", "a2", "n2"]
    assert [m["langgraph"]["channel"] for m in active.state.messages][:3] == ["messages", "messages", "notes"]


def test_a_graph_runs_with_the_async_methods_alone(saver: ClewSaver) -> None:
    async def run() -> Any:
        graph = chat(saver, "one", "two")
        await graph.ainvoke(user("q0"), thread())
        await graph.ainvoke(user("q1"), thread())
        history = [s async for s in graph.aget_state_history(thread())]
        await graph.aupdate_state(thread(), user("more"))
        return (await graph.aget_state(thread())).values, history

    state, history = asyncio.run(run())
    assert said(state) == ["q0", "one", "q1", "two", "more"]
    assert len(history) == 6


def test_the_sync_methods_work_inside_a_running_loop(saver: ClewSaver) -> None:
    async def run() -> Any:
        return chat(saver, "one").invoke(user("q0"), thread())

    assert said(asyncio.run(run())) == ["q0", "one"]
