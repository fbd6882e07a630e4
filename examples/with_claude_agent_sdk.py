"""A Claude agent whose program dies in the middle of a turn, and goes on from clew on another machine.

Claude Code itself is played by a few lines that speak its protocol and answer with what they have been told, so that
this runs offline. Leave out `cli_path` and it is the real one.
"""

import asyncio
import sys
import tempfile
from pathlib import Path

from claude_agent_sdk import AssistantMessage, ClaudeAgentOptions, ProcessError, list_sessions_from_store, query

import clew
from clew.adapters.claude_agent_sdk import ClewSessionStore

PROGRAM = """#!{python}
import json, os, pathlib, re, sys, uuid

session = next((word[9:] for word in sys.argv if word.startswith("--resume=")), str(uuid.uuid4()))
folder = pathlib.Path(os.environ["CLAUDE_CONFIG_DIR"], "projects", re.sub("[^A-Za-z0-9]", "-", os.path.realpath(".")))
path = folder / (session + ".jsonl")

def say(**message):
    print(json.dumps(message), flush=True)

def keep(role, content):
    entry = dict(type=role, uuid=str(uuid.uuid4()), cwd=os.getcwd(), message=dict(role=role, content=content))
    folder.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        file.write(json.dumps(entry) + "\\n")
    say(type="transcript_mirror", filePath=str(path), entries=[entry])

for line in sys.stdin:
    given = json.loads(line)
    if given["type"] == "control_request":
        response = dict(subtype="success", request_id=given["request_id"], response=dict())
        say(type="control_response", response=response)
        continue
    keep("user", given["message"]["content"])
    entries = [json.loads(line) for line in path.open()]
    told = [entry["message"]["content"] for entry in entries if entry["type"] == "user"]
    content = [dict(type="text", text="So far: " + " / ".join(told))]
    keep("assistant", content)
    say(type="assistant", message=dict(role="assistant", model="none", content=content), session_id=session)
    if len(told) == 1:
        os.kill(os.getpid(), 9)
    say(type="result", subtype="success", is_error=False, num_turns=1, duration_ms=1, duration_api_ms=1,
        session_id=session)
"""


async def ask(prompt: str, folder: Path, sessions: ClewSessionStore, resume: str | None = None) -> None:
    """Ask in a home directory of its own, as on another machine."""
    options = ClaudeAgentOptions(
        cwd=folder / "work",
        cli_path=folder / "claude",
        env={"CLAUDE_CONFIG_DIR": tempfile.mkdtemp(dir=folder), "ANTHROPIC_API_KEY": "none"},
        setting_sources=[],
        session_store=sessions,
        resume=resume,
    )
    print(f"> {prompt}")
    try:
        async for message in query(prompt=prompt, options=options):
            if isinstance(message, AssistantMessage):
                print(f"  {getattr(message.content[0], 'text', '')}")
    except ProcessError:
        print("  (Claude Code was killed)")


async def main(folder: Path) -> None:
    with clew.open(folder / "agent.db") as store:
        sessions = ClewSessionStore(store)
        await ask("Fix the parser", folder, sessions)
        (session,) = await list_sessions_from_store(sessions, directory=str(folder / "work"))
        await ask("Now the tests", folder, sessions, resume=session.session_id)
        for summary in store.list_sessions():
            print(f"{summary.source}: {summary.title!r}, {summary.message_count} messages")


with tempfile.TemporaryDirectory() as name:
    place = Path(name)
    (place / "work").mkdir()
    (place / "claude").write_text(PROGRAM.format(python=sys.executable))
    (place / "claude").chmod(0o755)
    asyncio.run(main(place))
