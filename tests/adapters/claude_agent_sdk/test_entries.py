"""Lines come back as they were given, are stored once, and are readable."""

import json
import subprocess
import sys
from uuid import uuid4

import pytest
from tests.adapters.claude_agent_sdk.support import AGENT, KEY, run, said

import clew
from clew.adapters.claude_agent_sdk import ClewSessionStore, key_of
from clew.adapters.claude_agent_sdk.entries import to_entry, to_message
from clew.adapters.claude_agent_sdk.names import source_id

ANSWER = {
    "parentUuid": "u1",
    "type": "assistant",
    "message": {
        "model": "claude",
        "content": [
            {"type": "text", "text": "Reading."},
            {"type": "tool_use", "id": "t1", "name": "Read", "input": {}},
        ],
        "role": "assistant",
        "usage": {"output_tokens": 3},
    },
    "uuid": "u2",
}
RESULT = {
    "type": "user",
    "uuid": "u3",
    "message": {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t1", "content": "def f(): ..."}]},
    "toolUseResult": {"stdout": "def f(): ..."},
}
LINES = [
    ANSWER,
    RESULT,
    {"type": "system", "subtype": "compact_boundary", "content": "Conversation compacted", "uuid": "u4"},
    {"type": "last-prompt", "lastPrompt": "Fix it"},
    {"type": "x", "message": None, "content": 1.0, "n": 2**70, "f": 1e-9, "z": -0.0},
    {"type": "x", "message": {"role": "user"}},
    {"type": "x", "message": {"content": "no role"}},
    {"type": "x", "message": {"role": None, "content": None}},
    {"type": "x", "message": {"role": "user", "content": None}, "role": "a", "content": "b"},
    {"type": "x", "claude_agent_sdk": {"message": {}}, "role": "user", "content": "looks like one that is stored"},
    {"type": "x", "claude_agent_sdk": None},
    {"claude_agent_sdk": {"claude_agent_sdk": {}}, "type": "y"},
    {"type": "user", "message": {"role": "", "content": ["NUL \0, half a pair \ud83d, 🙂"]}, "\0": "\ud800"},
    {"type": "x", "": {"": []}},
    {},
]


def test_lines_come_back_equal_and_in_the_order_of_their_keys(store: clew.Store) -> None:
    run(ClewSessionStore(store).append(KEY, LINES))
    loaded = run(ClewSessionStore(store).load(KEY))
    assert loaded == LINES
    assert json.dumps(loaded) == json.dumps(LINES)


def test_a_long_text_is_stored_once() -> None:
    for entry in (said("long"), ANSWER, {"type": "x", "claude_agent_sdk": "long"}):
        stored = to_message(entry)
        assert json.dumps(stored).count("long") == json.dumps(entry).count("long")
        assert len(json.dumps(stored)) <= len(json.dumps(entry)) + 80


@pytest.mark.parametrize(
    "entries",
    [[said("ok"), {"type": "x", "n": float("nan")}], [said("ok"), "text"], [said("ok"), {"type": "x", 1: 2}]],
    ids=["nan", "text", "key"],
)
def test_what_cannot_be_kept_is_refused_and_nothing_is_added(file_store: clew.Store, entries) -> None:
    sessions = ClewSessionStore(file_store)
    run(sessions.append(KEY, [said("first")]))
    with pytest.raises(clew.InvalidRequestError, match=r"\[1\]"):
        run(sessions.append(KEY, entries))
    assert len(run(sessions.load(KEY))) == 1


@pytest.mark.parametrize(
    "message",
    [
        {"role": "user", "content": "x", "claude_agent_sdk": {"type": "user"}},
        {"role": "user", "content": "x", "claude_agent_sdk": 7},
        {"content": "x", "claude_agent_sdk": {"message": {}}},
        {"claude_agent_sdk": 7},
    ],
)
def test_a_message_that_is_no_stored_line_is_damage_not_a_shorter_transcript(file_store: clew.Store, message) -> None:
    sessions = ClewSessionStore(file_store)
    run(sessions.append(KEY, [said("first")]))
    session = file_store.find_session("claude-agent-sdk", source_id(KEY))
    written = file_store.append(session.id, [message])
    for read in (sessions.load(KEY), sessions.list_session_summaries(KEY["project_key"]), sessions.append(KEY, [{}])):
        with pytest.raises(clew.CorruptStateError) as caught:
            run(read)
        assert caught.value.checkpoint_id == written.id


def test_messages_added_in_clew_are_lines_as_they_are(file_store: clew.Store) -> None:
    run(ClewSessionStore(file_store).append(KEY, [said("first")]))
    session = file_store.find_session("claude-agent-sdk", source_id(KEY))
    file_store.append(session.id, [{"role": "user", "content": "by hand"}])
    assert run(ClewSessionStore(file_store).load(KEY))[1] == {"role": "user", "content": "by hand"}


def test_the_conversation_is_read_in_clew_show(tmp_path) -> None:
    path = tmp_path / "clew.db"
    sessions = ClewSessionStore(path)
    run(sessions.append(KEY, [said("Fix the parser", cwd="/home/u/parser"), *LINES[:3]]))
    session = sessions._handle.store.find_session("claude-agent-sdk", source_id(KEY))
    sessions.close()
    shown = subprocess.run(
        [sys.executable, "-m", "clew", "--store", path, "show", str(session.id)],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    head, _, messages = shown.partition("Messages (4):")
    assert "Title:       Fix the parser" in head
    assert "Working dir: /home/u/parser" in head
    assert f"Source:      claude-agent-sdk {KEY['project_key']}/{KEY['session_id']}" in head
    assert [line.strip() for line in messages.splitlines() if line.strip() not in ("", "{}")] == [
        "[1] user", "Fix the parser",
        "[2] assistant", "Reading.", "[tool_call] Read (t1)", "arguments:",
        "[3] user", "def f(): ...", "[tool_call_id] t1",
        "[4] system", "Conversation compacted",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "key",
    [
        KEY,
        AGENT,
        {"project_key": "a/b%2F", "session_id": "s/\0\ud800ü", "subpath": "x/y%/\0\udc00é//"},
        {"project_key": "", "session_id": ""},
        {"project_key": "", "session_id": "", "subpath": "/"},
    ],
)
def test_a_key_is_told_from_the_name_of_its_session_whatever_it_holds(file_store: clew.Store, key) -> None:
    assert key_of(source_id(key)) == key
    sessions = ClewSessionStore(file_store)
    run(sessions.append(key, [{"type": "x"}]))
    assert run(sessions.load(key)) == [{"type": "x"}]
    main = {"project_key": key["project_key"], "session_id": key["session_id"]}
    if "subpath" in key:
        assert run(sessions.list_subkeys(main)) == [key["subpath"]]
    else:
        assert [one["session_id"] for one in run(sessions.list_sessions(key["project_key"]))] == [key["session_id"]]


def test_keys_that_differ_have_names_that_differ() -> None:
    keys = [("a/b", "c", None), ("a", "b/c", None), ("a", "b", "c"), ("a%2Fb", "c", None), ("a", "b%2Fc", None)]
    assert len({source_id({"project_key": a, "session_id": b, "subpath": c}) for a, b, c in keys}) == len(keys)


@pytest.mark.parametrize(
    "key",
    [
        {**KEY, "subpath": ""},
        {**KEY, "subpath": 7},
        {"project_key": "p"},
        {"project_key": "p", "session_id": None},
    ],
)
def test_a_bad_key_is_refused_and_nothing_is_made(file_store: clew.Store, key) -> None:
    sessions = ClewSessionStore(file_store)
    for call in (sessions.append(key, [{"type": "x"}]), sessions.load(key), sessions.delete(key)):
        with pytest.raises(clew.InvalidRequestError):
            run(call)
    assert file_store.list_sessions().total == 0


@pytest.mark.parametrize("missing", ["project_key", "session_id"])
def test_subagents_are_not_listed_of_a_key_that_lacks_a_part(file_store: clew.Store, missing: str) -> None:
    key = {name: part for name, part in KEY.items() if name != missing}
    with pytest.raises(clew.InvalidRequestError, match=missing):
        run(ClewSessionStore(file_store).list_subkeys(key))


def test_a_key_that_is_too_long_is_refused_where_it_is_written(file_store: clew.Store) -> None:
    with pytest.raises(clew.InvalidRequestError, match="MAX_SOURCE_CHARS"):
        run(ClewSessionStore(file_store).append({**KEY, "project_key": "p" * 1001}, [{"type": "x"}]))
    assert file_store.list_sessions().total == 0


def test_a_stored_line_is_used_up_and_not_shared_between_loads(file_store: clew.Store) -> None:
    sessions = ClewSessionStore(file_store)
    given = [said("first")]
    run(sessions.append(KEY, given))
    run(sessions.load(KEY))[0]["message"]["content"] = "changed"
    assert run(sessions.load(KEY)) == given
    assert to_entry(to_message(given[0]), uuid4()) == given[0]
