"""Stands for the program `claude`: speaks its protocol, writes its local transcript, and mirrors every line of it.

What it answers is made of what its transcript holds, so an answer tells what it was resumed with. A prompt with the
word "agent" has a subagent's transcript written too, one with the word "die" kills the program in the middle of a turn.
"""

import json
import os
import re
import signal
import sys
import uuid
from pathlib import Path
from typing import Any

cwd = str(Path.cwd().resolve())
session_id = next((word[9:] for word in sys.argv if word.startswith("--resume=")), str(uuid.uuid4()))
project = Path(os.environ["CLAUDE_CONFIG_DIR"]) / "projects" / re.sub("[^A-Za-z0-9]", "-", cwd)
transcript = project / f"{session_id}.jsonl"
count = 0


def say(message: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


def lines() -> list[dict[str, Any]]:
    return [json.loads(line) for line in transcript.read_text().splitlines()] if transcript.exists() else []


def write(path: Path, entries: list[dict[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        file.writelines(json.dumps(entry) + "\n" for entry in entries)
    if "--session-mirror" in sys.argv:
        say({"type": "transcript_mirror", "filePath": str(path), "entries": entries})


def line(kind: str, content: object, **more: object) -> dict[str, Any]:
    global count
    count += 1
    return {
        "parentUuid": next((entry["uuid"] for entry in reversed(lines()) if "uuid" in entry), None),
        "isSidechain": False,
        "cwd": cwd,
        "sessionId": session_id,
        "type": kind,
        "message": {"role": kind, "content": content},
        "uuid": str(uuid.uuid4()),
        "timestamp": f"2026-01-01T00:00:00.{count:03}Z",
        **more,
    }


def turn(prompt: str) -> None:
    write(transcript, [line("user", prompt), {"type": "last-prompt", "lastPrompt": prompt, "sessionId": session_id}])
    said = [entry["message"]["content"] for entry in lines() if entry["type"] == "user"]
    answer = [{"type": "text", "text": f"You have said: {' / '.join(said)}"}]
    if "agent" in prompt:
        agent = transcript.with_suffix("") / "subagents" / "agent-1.jsonl"
        write(agent, [line("user", "Look around", isSidechain=True, agentId="1")])
    write(transcript, [line("assistant", answer)])
    say({"type": "assistant", "message": {"role": "assistant", "model": "none", "content": answer},
         "parent_tool_use_id": None, "session_id": session_id})  # fmt: skip
    if "die" in prompt:
        os.kill(os.getpid(), signal.SIGKILL)
    say({"type": "result", "subtype": "success", "duration_ms": 1, "duration_api_ms": 1, "is_error": False,
         "num_turns": 1, "session_id": session_id, "result": answer[0]["text"]})  # fmt: skip


for given in sys.stdin:
    message = json.loads(given)
    if message["type"] == "control_request":
        response = {"subtype": "success", "request_id": message["request_id"], "response": {}}
        say({"type": "control_response", "response": response})
    elif message["type"] == "user":
        turn(message["message"]["content"])
