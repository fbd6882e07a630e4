"""The promises of the export for the Stakpak agent, read back as the agent reads it, and through clew's importer."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import msgspec
import pytest
from tests.copying.shapes import SHAPES
from tests.exporters.support import BLOCKS, CHAT, ITEMS, SAME, Messages, put, said, written

import clew
from clew import ACTIVE, Store
from clew.conversation.strict import ChatMessage
from clew.importers import import_stakpak

NEWEST = "SELECT id, state FROM checkpoints WHERE session_id = ? ORDER BY created_at DESC LIMIT 1"
"""What the agent resumes from."""


@contextmanager
def agents(tmp_path: Path, store: Store) -> Iterator[sqlite3.Connection]:
    path = put(tmp_path / "local.db", written(store, "stakpak"))
    with closing(sqlite3.connect(path)) as connection:
        yield connection


def test_the_file_is_of_schema_version_2_and_whole(store: Store, tmp_path: Path) -> None:
    store.create_session("t", messages=CHAT)
    with agents(tmp_path, store) as db:
        assert db.execute("SELECT version FROM _migrations ORDER BY version").fetchall() == [(1,), (2,)]
        columns = [row[1] for row in db.execute("PRAGMA table_info(checkpoints)")]
        assert columns == [
            "id", "session_id", "status", "execution_depth", "parent_id", "state", "created_at", "updated_at",
        ]  # fmt: skip
        columns = [row[1] for row in db.execute("PRAGMA table_info(sessions)")]
        assert columns == ["id", "title", "agent_id", "visibility", "status", "cwd", "created_at", "updated_at"]
        assert db.execute("PRAGMA foreign_key_check").fetchall() == []
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert db.execute("SELECT count(*) FROM checkpoints WHERE created_at NOT LIKE '%+00:00'").fetchone() == (0,)


@pytest.mark.parametrize(
    "shape", ["fill", "several_roots", "reparented", "rewritten_history", "imported", "all_deleted"]
)
def test_the_agent_resumes_every_session_from_its_active_checkpoint(store: Store, tmp_path: Path, shape: str) -> None:
    SHAPES[shape](store)
    with agents(tmp_path, store) as db:
        for session in store.list_sessions(limit=99):
            row = db.execute(NEWEST, (str(session.id),)).fetchone()
            if session.active_checkpoint_id is None:
                assert row is None
                continue
            expected = store.get_messages(ACTIVE, session_id=session.id)
            assert json.loads(row[1])["messages"] == expected
            times = [
                time
                for (time,) in db.execute("SELECT created_at FROM checkpoints WHERE session_id = ?", (str(session.id),))
            ]
            assert len(set(times)) == len(times)
            kept = db.execute("SELECT title, visibility, status, cwd FROM sessions WHERE id = ?", (str(session.id),))
            assert kept.fetchone() == (session.title, session.visibility, session.status, session.cwd)


def test_the_importer_brings_back_equal_conversations_parents_and_ids(store: Store, tmp_path: Path) -> None:
    SHAPES["reparented"](store)
    session = store.list_sessions().items[0]
    path = put(tmp_path / "local.db", written(store, "stakpak"))
    with clew.open(":memory:") as again:
        report = import_stakpak(again, path)
        assert not report.broken
        for item in store.list_checkpoints(session.id):
            found = again.get_checkpoint(item.id)
            assert (found.parent_id, found.state.messages) == (item.parent_id, store.get_messages(item.id))
        assert again.get_active_checkpoint(session.id).state.messages == store.get_messages(
            ACTIVE, session_id=session.id
        )


def test_every_state_is_one_that_the_agents_reader_takes(store: Store, tmp_path: Path) -> None:
    odd: Messages = [
        {"role": "narrator", "content": "x"},
        {"role": "user", "content": 5},
        {"role": "user", "content": "half \ud800"},
        {"type": "reasoning", "summary": []},
        {"role": "assistant", "content": [{"a": 1}], "usage": {}, "model": "m"},
    ]
    store.create_session("t", messages=[*CHAT, *odd], metadata={"deep": "\ud800"})
    decoder = msgspec.json.Decoder(list[ChatMessage])
    with agents(tmp_path, store) as db:
        for (state,) in db.execute("SELECT state FROM checkpoints"):
            assert len(decoder.decode(msgspec.json.encode(json.loads(state)["messages"]))) == len(CHAT) + len(odd)


@pytest.mark.parametrize("messages", [BLOCKS, ITEMS])
def test_other_forms_of_messages_are_written_as_chat(store: Store, tmp_path: Path, messages: Messages) -> None:
    store.create_session("t", messages=messages)
    with agents(tmp_path, store) as db:
        (state,) = db.execute("SELECT state FROM checkpoints").fetchone()
    found = said(json.loads(state)["messages"])
    assert found[0] == SAME[0] or found[0]["content"][0]["text"] == "Look"
    assert {"role": "tool", "tool_call_id": "c1", "content": "a"} in found
    assert any(message.get("calls") == SAME[1]["calls"] for message in found)


def test_of_two_checkpoints_with_one_time_the_active_one_is_the_newest(store: Store, tmp_path: Path) -> None:
    store._clock.tick = 0  # type: ignore[attr-defined]
    session = store.create_session("t", messages=CHAT[:1])
    store.append(session.id, CHAT[1:2])
    with agents(tmp_path, store) as db:
        assert len(json.loads(db.execute(NEWEST, (str(session.id),)).fetchone()[1])["messages"]) == 2
        assert db.execute("SELECT count(*) FROM checkpoints").fetchone() == (2,)
