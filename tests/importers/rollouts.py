"""Rollouts of Codex, made for tests."""

import json
from pathlib import Path
from typing import Any

from clew.importers.compression import zstd

Lines = list[dict[str, Any]]
THREAD = "019a0000-0000-7000-8000-000000000001"
OTHER = "019a0000-0000-7000-8000-000000000002"


def line(type: str, /, _second: int = 0, **payload: Any) -> dict[str, Any]:
    return {"timestamp": f"2026-08-03T10:00:{_second:02}.000Z", "type": type, "payload": payload}


def meta(id: str = THREAD, **more: Any) -> dict[str, Any]:
    told = {"timestamp": "2026-08-03T10:00:00.000Z", "cwd": "/work/app", "cli_version": "0.149.0", "source": "cli"}
    return line("session_meta", id=id, **{**told, **more})


def turn(model: str = "gpt-5") -> dict[str, Any]:
    return line("turn_context", cwd="/work/app", model=model)


def item(type: str, /, **more: Any) -> dict[str, Any]:
    return line("response_item", **{"type": type, **more})


def event(type: str, /, **more: Any) -> dict[str, Any]:
    return line("event_msg", **{"type": type, **more})


def user(text: str, role: str = "user", **more: Any) -> dict[str, Any]:
    return item("message", role=role, content=[{"type": "input_text", "text": text}], **more)


def said(text: str, **more: Any) -> dict[str, Any]:
    return item("message", role="assistant", content=[{"type": "output_text", "text": text}], **more)


def heard(text: str) -> dict[str, Any]:
    return event("user_message", message=text, images=[])


def told(text: str) -> dict[str, Any]:
    return event("agent_message", message=text)


def thought(text: str) -> dict[str, Any]:
    return item("reasoning", summary=[{"type": "summary_text", "text": text}], encrypted_content="x")


def call(id: str, name: str = "shell", **arguments: Any) -> dict[str, Any]:
    return item("function_call", name=name, call_id=id, arguments=json.dumps(arguments))


def output(id: str, value: Any = "done") -> dict[str, Any]:
    return item("function_call_output", call_id=id, output=value)


def tokens(total: int, last: int | None = None) -> dict[str, Any]:
    info: dict[str, Any] = {"total_token_usage": {"input_tokens": total, "output_tokens": 1, "cached_input_tokens": 0}}
    if last is not None:
        info["last_token_usage"] = {"input_tokens": last, "output_tokens": 1, "cached_input_tokens": last // 2}
    return event("token_count", info=info)


def write(path: Path, lines: list[Any], *, append: bool = False) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    text = "".join((value if isinstance(value, str) else json.dumps(value)) + "\n" for value in lines)
    if path.suffix == ".zst":
        path.write_bytes(zstd.compress(text.encode()))
        return path
    with path.open("a" if append else "w", errors="surrogatepass") as file:
        file.write(text)
    return path


def rollout(home: Path, id: str = THREAD, revert: str | None = None, *, hour: int = 10) -> Path:
    name = id if revert is None else f"{id}_{revert}"
    return home / "sessions" / "2026" / "08" / "03" / f"rollout-2026-08-03T{hour}-00-00-{name}.jsonl"
