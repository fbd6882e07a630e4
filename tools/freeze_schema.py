"""Write a store with the schema of this release, and what it holds, for the tests that read old files.

Run once for each release that changes the schema: ``python tools/freeze_schema.py`` writes ``schema-NNNN.db`` into
``tests/data``, and ``schema-NNNN.json`` beside it. They are committed and never written again:
`tests/sqlite/test_old_files.py` opens every one of them for ever.
"""

import hashlib
import json
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import clew
from clew.backend import NewApiKey
from clew.sqlite import open_backend

ROOT = Path(__file__).resolve().parent.parent
DATA = ROOT / "tests" / "data"

TOKEN = f"clew_{'0' * 43}"
"""Of the key that is not revoked."""

BEGUN = datetime(2026, 1, 1, tzinfo=UTC)

MESSAGES: list[dict[str, Any]] = [
    {"role": "user", "content": "Why does CI fail?"},
    {
        "role": "assistant",
        "content": None,
        "tool_calls": [{"id": "call_1", "function": {"name": "run", "arguments": "{}"}}],
    },
    {"role": "tool", "tool_call_id": "call_1", "content": "1 failed\u2028\U0001f9f6"},
    {"role": "assistant", "content": "A test reads the clock.", "n": 10**30, "x": 1.0, "nul": "\0", "lone": "\ud800"},
]


class Ticks:
    """A clock that goes on by a second at every look."""

    def __init__(self) -> None:
        self.now = int(BEGUN.timestamp()) * 1_000_000

    def __call__(self) -> int:
        self.now += 1_000_000
        return self.now


def fill(store: clew.Store) -> None:
    """One of everything that the first release could store."""
    talk = store.create_session(
        "Fix the flaky test", messages=MESSAGES[:1], metadata={"model": "m", "n": 1}, cwd="/repo", source="tool",
        source_id="1", session_metadata={"tags": ["ci", "\u00e9"]}, visibility="PUBLIC", id=UUID(int=1),
    )  # fmt: skip
    first = store.append(talk.id, MESSAGES[1:3], label="tried", id=UUID(int=2))
    store.append(talk.id, MESSAGES[3:], metadata={"model": "m", "n": 2})
    store.append(talk.id, [{"role": "user", "content": "another way"}], parent_id=first.id)
    store.create_checkpoint(talk.id, [*MESSAGES[:2], {"role": "tool", "content": "edited"}], parent_id=first.id)
    fork = store.fork_session(talk.id, checkpoint_id=first.id, title="\u00c9lan \u00b7 fork")
    store.append(fork.id, [{"role": "user", "content": "in the fork"}])
    gone = store.create_session("purged", messages=MESSAGES)
    store.purge_session(gone.id)
    deleted = store.create_session("deleted", created_at=BEGUN - timedelta(days=400))
    store.delete_session(deleted.id)
    store.create_session("child", parent_session_id=talk.id, metadata=["any", {"json": None}])
    store.set_active_checkpoint(talk.id, first.id)


def fill_newer(store: clew.Store) -> None:
    """What later releases can store besides."""
    talk = store.get_session(UUID(int=1))
    notes = {"image.png": clew.Attachment(b"\x89PNG", "image/png"), "log": bytes(range(256)) * 1_500}
    step = store.append(talk.id, [], attachments=notes, label="attached")
    store.append(talk.id, [{"role": "user", "content": "seen"}], attachments={"image.png": clew.SAME})
    store.attach(talk.id, {"early": b"waits"}, label="later")
    store.copy_session(talk.id, source="tool", source_id="copy")
    store.set_label(step.id, "attached, twice")


def fill_owned(store: clew.Store) -> None:
    """What a store has that a server stands before."""
    for owner in (None, "Ada"):
        store.create_session(f"of {owner}", messages=MESSAGES[:1], source="server", source_id="1", owner=owner)
    store.copy_session(UUID(int=1), owner="\u00c9lan")
    digest = hashlib.sha256(TOKEN.encode()).digest()
    store._backend.create_key(NewApiKey(id=UUID(int=3), name="Ada", role=clew.Role.WRITE, digest=digest, now=1))
    store.revoke_key(store.create_key("Bob", "read").key.id)


def fill_moved(store: clew.Store) -> None:
    """What a store has in which sessions were moved along with their directory."""
    store.move_directory("/repo", "/moved")


def contents(store: clew.Store) -> list[dict[str, Any]]:
    """All sessions of a store, as JSON, by the methods of the first release; attachments and owners if any."""
    return [_session(store, summary) for summary in store.list_sessions(limit=1_000)]


def _session(store: clew.Store, summary: clew.SessionSummary) -> dict[str, Any]:
    named = ("title", "visibility", "status", "cwd", "source", "source_id", "revision", "metadata", "message_count")
    times = ("created_at", "updated_at", "last_message_at")
    ids = ("id", "parent_session_id", "forked_from", "active_checkpoint_id")
    page = store.list_checkpoints(summary.id, limit=1_000)
    owner = {} if getattr(summary, "owner", None) is None else {"owner": summary.owner}
    return {
        **owner,
        **{name: getattr(summary, name) for name in named},
        **{name: str(getattr(summary, name)) for name in (*ids, *times)},
        "checkpoints": [_checkpoint(store, item) for item in page],
    }


def _checkpoint(store: clew.Store, item: clew.CheckpointSummary) -> dict[str, Any]:
    state = store.get_checkpoint(item.id).state
    form = {
        **{name: str(getattr(item, name)) for name in ("id", "parent_id", "created_at", "updated_at")},
        "label": item.label,
        "metadata": state.metadata,
        "messages": state.messages,
    }
    found = store.get_attachments(item.id)[item.id] if hasattr(store, "get_attachments") else {}
    if found:
        form["attachments"] = {name: [data.content_type, data.hex()] for name, data in found.items()}
    return form


def main() -> int:
    """Write both files for the newest schema."""
    with clew.migrations(":memory:") as schema:
        version = schema.status().latest
    name = DATA / f"schema-{version:04d}"
    if name.with_suffix(".db").exists():
        print(f"{name}.db is there already, and must stay as it is", file=sys.stderr)
        return 1
    DATA.mkdir(exist_ok=True)
    with clew.Store(open_backend(str(name.with_suffix(".db")), busy_timeout=5), clock=Ticks()) as store:
        fill(store)
        if hasattr(store, "attach"):
            fill_newer(store)
        if hasattr(store, "create_key"):
            fill_owned(store)
        if hasattr(store, "move_directory"):
            fill_moved(store)
        text = json.dumps(contents(store), indent=1)
    name.with_suffix(".json").write_text(text + "\n", encoding="utf-8")
    for suffix in ("-wal", "-shm", "-lock"):
        Path(f"{name}.db{suffix}").unlink(missing_ok=True)
    print(f"wrote {name}.db and {name}.json")
    return 0


if __name__ == "__main__":
    sys.exit(main())
