"""Sessions of agents where the agents keep them, small ones."""

import json
from pathlib import Path
from typing import Any

CODEX_SESSION = "019b2ea4-aaaa-7bbb-8ccc-58208e1f0000"
CLAUDE_SESSION = "5c0375b4-57a5-4f26-b12d-d022ee4e51b7"


def write_codex(home: Path, *texts: str) -> Path:
    """A rollout of the Codex CLI, in which the user and the model speak by turns."""
    path = home / ".codex" / "sessions" / "2026" / "01" / "02" / f"rollout-2026-01-02T03-04-05-{CODEX_SESSION}.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    meta = {"id": CODEX_SESSION, "timestamp": _time(0), "cwd": "/repo", "originator": "codex_cli_rs", "source": "cli"}
    lines = [_line(0, "session_meta", meta), *map(codex_line, range(1, len(texts) + 1), texts)]
    path.write_text("".join(lines))
    return path


def codex_line(number: int, text: str) -> str:
    """The message of this number; odd ones are the user's."""
    role, kind = ("user", "input_text") if number % 2 else ("assistant", "output_text")
    message = {"type": "message", "role": role, "content": [{"type": kind, "text": text}]}
    return _line(number, "response_item", message)


def write_claude(home: Path, text: str) -> Path:
    """A transcript of Claude Code of one message."""
    path = home / ".claude" / "projects" / "-repo" / f"{CLAUDE_SESSION}.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    record = {
        "type": "user", "uuid": "u1", "parentUuid": None, "sessionId": CLAUDE_SESSION, "cwd": "/repo",
        "timestamp": _time(0), "isSidechain": False, "message": {"role": "user", "content": text},
    }  # fmt: skip
    path.write_text(json.dumps(record) + "\n")
    return path


def _time(second: int) -> str:
    return f"2026-01-02T03:04:{second:02}.000Z"


def _line(second: int, type: str, payload: dict[str, Any]) -> str:
    return json.dumps({"timestamp": _time(second), "type": type, "payload": payload}) + "\n"
