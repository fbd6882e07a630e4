"""The promises of the exports that agents resume: what clew's own importers read of them is the same conversation."""

import json
from pathlib import Path
from typing import Any

import pytest
from tests.exporters.support import BLOCKS, CHAT, ITEMS, SAME, Messages, put, said, written
from tests.importers.imported import conversation, only_session

import clew
from clew import Store
from clew.errors import InvalidRequestError
from clew.importers import IMPORTERS, find_importer

FORMATS = ["claude-code", "codex"]


def brought_back(tmp_path: Path, store: Store, format: str, **options: Any) -> Messages:
    session = store.list_sessions().items[0]
    path = put(tmp_path / f"{session.id}.jsonl", written(store, format, sessions=session.id, **options))
    assert find_importer(path) is IMPORTERS[format]
    with clew.open(":memory:") as again:
        report = IMPORTERS[format].run(again, path)
        assert not report.broken
        assert not report.mended
        found = only_session(again)
        assert (found.title, found.cwd, found.source_id) == ("a title", "/r", str(session.id))
        assert len(again.branches(found.id)) == 1
        return conversation(again)


@pytest.mark.parametrize("format", FORMATS)
def test_a_conversation_comes_back_as_it_was(store: Store, tmp_path: Path, format: str) -> None:
    store.create_session("a title", cwd="/r", messages=CHAT)
    found = brought_back(tmp_path, store, format)
    assert said(found) == said(CHAT[1:])
    assert [message.get("model") for message in found if message["role"] == "assistant"] == ["m-1", "m-2"]
    assert found[1]["usage"] == CHAT[2]["usage"]
    assert found[2]["name"] == "sh"


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("messages", [BLOCKS, ITEMS])
def test_other_forms_of_messages_become_the_same_conversation(
    store: Store, tmp_path: Path, format: str, messages: Messages
) -> None:
    store.create_session("a title", cwd="/r", messages=messages)
    assert said(brought_back(tmp_path, store, format)) == SAME


def test_what_a_format_cannot_hold_is_told(store: Store) -> None:
    import io

    from clew.exporters import export

    session = store.create_session("t", messages=CHAT)
    notes = {format: " ".join(export(store, format, io.BytesIO(), sessions=session.id).notes) for format in FORMATS}
    assert all("experimental" in note and "left out" in note for note in notes.values())
    assert "thought" in notes["claude-code"]
    assert "failures: 1" in notes["codex"]


def test_claude_code_keeps_failures_and_each_record_names_the_one_before(store: Store, tmp_path: Path) -> None:
    store.create_session("a title", cwd="/r", messages=CHAT)
    assert brought_back(tmp_path, store, "claude-code")[3]["is_error"] is True
    records = [json.loads(line) for line in written(store, "claude-code", sessions=only_session(store).id).splitlines()]
    chain = [record for record in records if "uuid" in record]
    assert [record["parentUuid"] for record in chain] == [None, *(record["uuid"] for record in chain[:-1])]
    assert {record["sessionId"] for record in records} == {str(only_session(store).id)}


@pytest.mark.parametrize("format", FORMATS)
def test_a_checkpoint_can_be_chosen_and_an_empty_session_is_no_error(store: Store, tmp_path: Path, format: str) -> None:
    session = store.create_session("a title", cwd="/r", messages=CHAT[:2])
    first = store.list_checkpoints(session.id).items[0]
    store.append(session.id, CHAT[2:])
    assert said(brought_back(tmp_path, store, format, checkpoint_id=first.id)) == said(CHAT[1:2])
    assert written(store, format, sessions=store.create_session("empty").id)
    with pytest.raises(InvalidRequestError, match="not of session"):
        written(store, format, sessions=store.create_session("").id, checkpoint_id=first.id)
    with pytest.raises(InvalidRequestError, match="name one session"):
        written(store, format)


def test_claude_code_gets_nothing_that_its_api_refuses(store: Store) -> None:
    call = {"type": "function", "function": {"name": "functions.sh", "arguments": "{}"}}
    session = store.create_session(
        "t",
        messages=[
            {"role": "user", "content": ""},
            {"role": "user", "content": [{"type": "text", "text": ""}, {"type": "text", "text": "q"}]},
            {"role": "assistant", "content": None},
            {"role": "assistant", "content": None, "tool_calls": [{**call, "id": "call_1|fc 2"}, call]},
            {"role": "tool", "tool_call_id": "call_1|fc 2", "content": ""},
        ],
    )
    records = [json.loads(line) for line in written(store, "claude-code", sessions=session.id).splitlines()]
    contents = [record["message"]["content"] for record in records if "message" in record]
    assert contents[0] == [{"type": "text", "text": "q"}]
    assert [block["name"] for block in contents[1]] == ["functions_sh", "functions_sh"]
    assert contents[1][0]["id"] == contents[2][0]["tool_use_id"] == "call_1_fc_2"
    assert contents[1][1]["id"]
    assert len(contents) == 3
    chain = [record for record in records if "uuid" in record]
    assert [record["parentUuid"] for record in chain] == [None, *(record["uuid"] for record in chain[:-1])]
