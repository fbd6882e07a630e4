"""Imports of files that do not fit into memory: transcripts of a gigabyte, and lines of a hundred megabytes."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import clew
from soak.plan import Plan

MB = 1024 * 1024
_TEXT = "the pump leaks at the gasket and the valve sticks; " * 20
_LIMIT_MB = 700
"""What an import may take at the most, for a transcript of a gigabyte. Without a file it takes about 60."""

_IMPORT = """
import resource, sys, clew
from clew.importers import import_path
with clew.open(sys.argv[1], durability="normal") as store:
    report = import_path(store, sys.argv[2])
print(report.sessions_created, report.checkpoints_created, report.messages, len(report.mended), len(report.broken))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""


def imports(plan: Plan) -> Iterator[str]:
    """Import large files in a process of its own, and look at the most memory that it took.

    AssertionError where that is more than the limit, or where a message is missing.
    """
    for name, size in (("many lines", plan.some(1024, 64)), ("one long line", 100)):
        source = plan.folder / f"{name.replace(' ', '-')}.jsonl"
        expected = _write_lines(source, size * MB) if name == "many lines" else _write_long(source, size * MB)
        store = plan.folder / f"{source.stem}.db"
        command = [sys.executable, "-c", _IMPORT, str(store), str(source)]
        told = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout.split()
        sessions, checkpoints, messages, mended, broken, peak = map(int, told)
        yield f"{name}, {source.stat().st_size // MB} MB: {messages:,} messages, {checkpoints:,} checkpoints"
        yield f"{peak} MB of memory at the most, of {_LIMIT_MB}; the store is {store.stat().st_size // MB} MB"
        assert (sessions, messages, broken) == (1, expected, 0), "messages are missing"
        assert mended == (name == "one long line"), "a cut has to be told"
        assert peak <= _LIMIT_MB, f"{peak} MB of memory"
        with clew.open(store) as opened:
            assert not list(opened.verify())
        source.unlink()


def _write_lines(path: Path, size: int) -> int:
    """A transcript of Claude Code of this size; how many messages it has."""
    number = written = 0
    with path.open("w") as file:
        while written < size:
            written += file.write(json.dumps(_record(number, f"{number}: {_TEXT}")) + "\n")
            number += 1
    return number


def _write_long(path: Path, size: int) -> int:
    with path.open("w") as file:
        begin, end = json.dumps(_record(0, "<text>")).split("<text>")
        file.write(begin)
        for _ in range(size // len(_TEXT)):
            file.write(_TEXT)
        file.write(end + "\n" + json.dumps(_record(1, "short")) + "\n")
    return 2


def _record(number: int, text: str) -> dict[str, object]:
    role = "assistant" if number % 2 else "user"
    message: dict[str, object] = {"role": role, "content": text if role == "user" else [{"type": "text", "text": text}]}
    if role == "assistant":
        message |= {"id": f"msg_{number}", "model": "a-model", "usage": {"input_tokens": 10, "output_tokens": 5}}
    return {
        "type": role,
        "uuid": f"00000000-0000-4000-8000-{number:012}",
        "parentUuid": f"00000000-0000-4000-8000-{number - 1:012}" if number else None,
        "sessionId": "5c0375b4-57a5-4f26-b12d-d022ee4e51b7",
        "timestamp": "2026-01-02T03:04:05.000Z",
        "cwd": "/repo",
        "isSidechain": False,
        "message": message,
    }
