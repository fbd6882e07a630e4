"""Real clients of the SDK over a program that speaks Claude Code's protocol: killed, and resumed from the store."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from claude_agent_sdk import (
    AssistantMessage,
    ClaudeAgentOptions,
    ClaudeSDKClient,
    ProcessError,
    ResultMessage,
    list_sessions_from_store,
    project_key_for_directory,
    query,
)
from tests.adapters.claude_agent_sdk.support import lost_answers, run

import clew
from clew.adapters.claude_agent_sdk import ClewSessionStore

FAKE = Path(__file__).with_name("fake_claude.py")


@pytest.fixture
def options(tmp_path):
    """Makes options for a client with an empty home of its own: what is resumed can only come from the store."""
    program = tmp_path / "claude"
    program.write_text(f"#!{sys.executable}\n{FAKE.read_text()}")
    program.chmod(0o755)
    (tmp_path / "work").mkdir()
    made: list[Path] = []

    def make(sessions: ClewSessionStore, **more) -> ClaudeAgentOptions:
        home = tmp_path / f"home{len(made)}"
        home.mkdir()
        made.append(home)
        env = {"CLAUDE_CONFIG_DIR": str(home), "ANTHROPIC_API_KEY": "none"}
        return ClaudeAgentOptions(
            cwd=tmp_path / "work", cli_path=program, env=env, session_store=sessions, setting_sources=[], **more
        )

    return make


async def ask(options: ClaudeAgentOptions, prompt: str) -> tuple[str | None, str | None]:
    """The session's id and the last answer; the program may die after it."""
    session_id = answer = None
    try:
        async for message in query(prompt=prompt, options=options):
            if isinstance(message, AssistantMessage):
                answer, session_id = message.content[0].text, message.session_id or session_id
            if isinstance(message, ResultMessage):
                session_id = message.session_id
    except ProcessError as error:
        if error.exit_code != -signal.SIGKILL:
            raise
    return session_id, answer


def key_of(options: ClaudeAgentOptions, session_id: str | None) -> dict[str, str]:
    return {"project_key": project_key_for_directory(options.cwd), "session_id": session_id or ""}


def test_a_turn_that_was_killed_resumes_from_what_was_there(store: clew.Store, options) -> None:
    sessions = ClewSessionStore(store)
    killed = options(sessions)
    _, answer = run(ask(killed, "first, and die"))
    assert answer == "You have said: first, and die"
    (listed,) = run(sessions.list_sessions(key_of(killed, "")["project_key"]))
    session_id = listed["session_id"]
    lines = run(sessions.load(key_of(killed, session_id)))
    assert [line["type"] for line in lines] == ["user", "last-prompt", "assistant"]

    resumed, answer = run(ask(options(ClewSessionStore(store), resume=session_id), "second"))
    assert (resumed, answer) == (session_id, "You have said: first, and die / second")
    after = run(sessions.load(key_of(killed, session_id)))
    assert after[:3] == lines
    assert [line["type"] for line in after[3:]] == ["user", "last-prompt", "assistant"]
    assert after[3]["parentUuid"] == lines[2]["uuid"]


KILLED = """
import asyncio, os, signal, sys
from claude_agent_sdk import ClaudeAgentOptions, query
from clew.adapters.claude_agent_sdk import ClewSessionStore

class Killed(ClewSessionStore):
    async def append(self, key, entries):
        await super().append(key, entries)
        os.kill(os.getpid(), signal.SIGKILL)

async def main(url, program, work, home):
    options = ClaudeAgentOptions(cwd=work, cli_path=program, env={"CLAUDE_CONFIG_DIR": home}, setting_sources=[],
                                 session_store=Killed(url), session_store_flush="eager")
    async for message in query(prompt="first", options=options):
        pass

asyncio.run(main(*sys.argv[1:]))
"""


def test_a_program_that_was_killed_itself_resumes_in_another(tmp_path, options) -> None:
    url = str(tmp_path / "clew.db")
    (tmp_path / "home").mkdir()
    with clew.open(url) as store:
        sessions = ClewSessionStore(store)
        later = options(sessions, continue_conversation=True)
        ran = subprocess.run(
            [sys.executable, "-c", KILLED, url, tmp_path / "claude", tmp_path / "work", tmp_path / "home"],
            env={**os.environ, "PYTHONPATH": str(Path(clew.__file__).parents[1])}, capture_output=True,
        )  # fmt: skip
        assert ran.returncode == -9, ran.stderr
        (listed,) = run(sessions.list_sessions(key_of(later, "")["project_key"]))
        resumed, answer = run(ask(later, "second"))
    assert resumed == listed["session_id"]
    assert answer == "You have said: first / second"


def test_a_batch_whose_answer_was_lost_is_in_the_store_once(store: clew.Store, options) -> None:
    sessions = ClewSessionStore(store)
    chosen = options(sessions)
    with lost_answers(store, "append") as failed:
        session_id, _ = run(ask(chosen, "first"))
    assert failed == ["append"]
    lines = run(sessions.load(key_of(chosen, session_id)))
    assert [line["type"] for line in lines] == ["user", "last-prompt", "assistant"]


def test_turns_of_a_client_go_on_and_subagents_come_along(store: clew.Store, options) -> None:
    sessions = ClewSessionStore(store)
    chosen = options(sessions)

    async def talk() -> str | None:
        last = None
        async with ClaudeSDKClient(chosen) as client:
            for prompt in ("first", "an agent"):
                await client.query(prompt)
                async for message in client.receive_response():
                    last = message
        return last.session_id if isinstance(last, ResultMessage) else None

    session_id = run(talk())
    key = key_of(chosen, session_id)
    assert run(sessions.list_subkeys(key)) == ["subagents/agent-1"]
    (line,) = run(sessions.load({**key, "subpath": "subagents/agent-1"}))
    assert line["message"]["content"] == "Look around"
    (listed,) = run(list_sessions_from_store(sessions, directory=str(chosen.cwd)))
    assert (listed.session_id, listed.summary) == (session_id, "an agent")
    resumed, answer = run(ask(options(ClewSessionStore(store), resume=session_id), "third"))
    assert (resumed, answer) == (session_id, "You have said: first / an agent / third")


def test_a_run_resumes_from_where_clew_has_gone_back_to(file_store: clew.Store, options) -> None:
    sessions = ClewSessionStore(file_store)
    chosen = options(sessions)
    session_id, _ = run(ask(chosen, "first"))
    (session,) = file_store.list_sessions()
    run(ask(options(ClewSessionStore(file_store), resume=session_id), "second"))
    file_store.set_active_checkpoint(session.id, str(session.active_checkpoint_id))
    _, answer = run(ask(options(sessions, resume=session_id), "another second"))
    assert answer == "You have said: first / another second"
    assert len(file_store.branches(session.id)) == 2
