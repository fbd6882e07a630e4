"""Real agents, graphs and swarms of Strands, with a model that needs no network."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from strands import Agent
from strands.agent.conversation_manager import SlidingWindowConversationManager
from strands.multiagent import GraphBuilder, Swarm
from strands.session.repository_session_manager import RepositorySessionManager
from strands.types.exceptions import SessionException
from tests.adapters.strands.support import Told, agent

import clew
from clew.adapters.strands import ClewSessionRepository

ROOT = Path(__file__).parents[3]
EXAMPLE = ROOT / "examples" / "with_strands.py"


def texts(messages: Any) -> list[str]:
    return [block["text"] for one in messages for block in one["content"] if "text" in block]


def test_an_agent_goes_on_in_another_process(store: clew.Store) -> None:
    first = agent(ClewSessionRepository(store), {"add": '{"a": 1, "b": 2}'}, "3", state={"color": "red"})
    first("What is 1 + 2?")
    first.state.set("color", "blue")
    first.model.answers.append("You are welcome.")
    first("Thanks")
    second = agent(ClewSessionRepository(store), "Bye.")
    assert second.messages == first.messages
    assert second.state.get() == {"color": "blue"}
    second("Bye")
    assert texts(second.model.seen[0]) == ["What is 1 + 2?", "3", "Thanks", "You are welcome.", "Bye"]
    assert len(agent(ClewSessionRepository(store)).messages) == 8


def test_two_agents_of_a_session_have_messages_of_their_own(store: clew.Store) -> None:
    repository = ClewSessionRepository(store)
    manager = RepositorySessionManager(session_id="s", session_repository=repository)
    agents = [
        Agent(model=Told(name), session_manager=manager, agent_id=name, callback_handler=None) for name in ("a", "b")
    ]
    for one in agents:
        one(f"Hello {one.agent_id}")
    for name in ("a", "b"):
        restored = agent(ClewSessionRepository(store), session_id="s", agent_id=name)
        assert texts(restored.messages) == [f"Hello {name}", name]


KILLED = """
import os, signal, sys
from strands import Agent, tool
from strands.session.repository_session_manager import RepositorySessionManager
from clew.adapters.strands import ClewSessionRepository
from tests.adapters.strands.support import Told

@tool
def crash() -> str:
    "Kill the program."
    os.kill(os.getpid(), signal.SIGKILL)

manager = RepositorySessionManager(session_id="s1", session_repository=ClewSessionRepository(sys.argv[1]))
Agent(model=Told({"crash": "{}"}), session_manager=manager, tools=[crash], callback_handler=None)("Go")
"""


def test_an_agent_killed_while_a_tool_ran_is_repaired_and_goes_on(tmp_path) -> None:
    path = tmp_path / "clew.db"
    killed = subprocess.run([sys.executable, "-c", KILLED, path], cwd=ROOT, capture_output=True)
    assert killed.returncode == -9, killed.stderr
    stored = ClewSessionRepository(path).list_messages("s1", "default")
    assert [one.message["role"] for one in stored] == ["user", "assistant"]
    assert "toolUse" in stored[1].message["content"][0]
    second = agent(ClewSessionRepository(path), "Here I am.")
    second("Are you there?")
    assert texts(second.messages) == ["Go", "Are you there?", "Here I am."]
    assert any("toolResult" in block for block in second.model.seen[0][2]["content"])
    assert texts(agent(ClewSessionRepository(path)).messages) == ["Go", "Are you there?", "Here I am."]


def test_of_a_long_conversation_only_the_window_is_read(file_store: clew.Store, monkeypatch) -> None:
    window = SlidingWindowConversationManager(window_size=4)
    first = agent(ClewSessionRepository(file_store), *map(str, range(10)), conversation_manager=window)
    for number in range(10):
        first(f"question {number}")
    read: list[int] = []
    get_messages = file_store.get_messages

    def counted(*args: Any, **kwargs: Any) -> Any:
        found = get_messages(*args, **kwargs)
        read.append(len(found))
        return found

    monkeypatch.setattr(file_store, "get_messages", counted)
    again = SlidingWindowConversationManager(window_size=4)
    second = agent(ClewSessionRepository(file_store), conversation_manager=again)
    assert second.messages == first.messages
    assert sum(read) == len(second.messages) == 4
    assert len(ClewSessionRepository(file_store).list_messages("s1", "default")) == 20


def test_a_message_that_a_guardrail_redacts_is_redacted_in_the_store(store: clew.Store) -> None:
    repository = ClewSessionRepository(store)
    first = agent(repository, "fine")
    first("my password is x")
    manager = first._session_manager
    manager.redact_latest_message({"role": "assistant", "content": [{"text": "[redacted]"}]}, first)
    assert texts(agent(ClewSessionRepository(store)).messages) == ["my password is x", "[redacted]"]
    assert len(repository.list_messages("s1", "default")) == 2


def test_a_conversation_is_read_in_clew_show(tmp_path) -> None:
    path = tmp_path / "clew.db"
    first = agent(ClewSessionRepository(path), {"add": '{"a": 1, "b": 2}'}, "It is 3.")
    first("What is 1 + 2?")
    with clew.open(path) as store:
        session = store.find_session("strands", "s1/agent/default")
    shown = subprocess.run(
        [sys.executable, "-m", "clew", "--store", path, "show", str(session.id)],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    head, _, messages = shown.partition("Messages (4):")
    assert "Title:       What is 1 + 2?" in head
    assert "Source:      strands s1/agent/default" in head
    assert [line.strip() for line in messages.splitlines() if line.strip()] == [
        "[1] user", "What is 1 + 2?",
        "[2] assistant", "[tool_call] add (t1)", "arguments:", "{", '"a": 1,', '"b": 2', "}",
        "[3] user", "3", "[tool_call_id] t1",
        "[4] assistant", "It is 3.",
    ]  # fmt: skip


def graph(repository: ClewSessionRepository, *answers: Any) -> Any:
    builder = GraphBuilder()
    for name, answer in zip(("research", "write"), answers, strict=True):
        builder.add_node(Agent(model=Told(answer), callback_handler=None, name=name), name)
    builder.add_edge("research", "write")
    builder.set_graph_id("report")
    builder.set_max_node_executions(10)
    builder.set_session_manager(RepositorySessionManager(session_id="g", session_repository=repository))
    return builder.build()


def test_the_state_of_a_graph_comes_back_equal(store: clew.Store) -> None:
    first = graph(ClewSessionRepository(store), "facts", "text")
    first("Go")
    repository = ClewSessionRepository(store)
    kept = repository.read_multi_agent("g", "report")
    assert kept is not None
    assert sorted(kept["completed_nodes"]) == ["research", "write"]
    graph(repository, "more", "again")("Go on")
    assert repository.read_multi_agent("g", "nothing") is None


def test_a_graph_that_failed_half_way_goes_on_there(store: clew.Store) -> None:
    with pytest.raises(RuntimeError, match="no network"):
        graph(ClewSessionRepository(store), "facts", RuntimeError("no network"))("Go")
    later = graph(ClewSessionRepository(store), "not asked again", "text")
    later("Go")
    kept = ClewSessionRepository(store).read_multi_agent("g", "report")
    assert kept is not None
    assert kept["execution_order"] == ["research", "write"]
    answers = {name: result["result"]["message"]["content"] for name, result in kept["node_results"].items()}
    assert answers == {"research": [{"text": "facts"}], "write": [{"text": "text"}]}


def test_the_state_of_a_swarm_is_kept_and_replaced(store: clew.Store) -> None:
    for answer in ("one", "two"):
        manager = RepositorySessionManager(session_id="w", session_repository=ClewSessionRepository(store))
        member = Agent(model=Told(answer), callback_handler=None, name="member")
        Swarm([member], id="team", session_manager=manager)("Go")
        kept = ClewSessionRepository(store).read_multi_agent("w", "team")
        assert kept is not None
        assert answer in str(kept)
    session = store.find_session("strands", "w/multi-agent/team")
    assert session.parent_session_id == store.find_session("strands", "w").id


def test_what_is_no_graph_of_the_session_is_told(file_store: clew.Store) -> None:
    repository = ClewSessionRepository(file_store)
    with pytest.raises(SessionException, match="does not exist"):
        repository.update_multi_agent("g", graph(ClewSessionRepository(":memory:"), "a", "b"))


def test_the_example_goes_on_in_a_second_agent() -> None:
    ran = subprocess.run([sys.executable, "-W", "error", EXAMPLE], capture_output=True, text=True, check=True)
    assert ran.stdout.splitlines() == [
        "> Remember that the parser is in src/parse.py",
        "  I have read 1 message",
        "> Where is the parser?",
        "  I have read 3 messages",
        "strands: 'Remember that the parser is in src/parse.py', 4 messages",
        "strands: 'work', 0 messages",
    ]
