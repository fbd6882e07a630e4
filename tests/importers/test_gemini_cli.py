"""The promises of the import of Gemini CLI's sessions."""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.importers.imported import (
    contents,
    conversation,
    described,
    leaves,
    lost_records,
    only_session,
    samples,
    session_of,
    texts,
)

import clew
from clew.errors import InvalidRequestError
from clew.importers import ImportReport, find_importer
from clew.importers.gemini_cli import GeminiCliImporter, tree
from clew.importers.records import ListedRecords
from clew.importers.reimport import reimport
from clew.importers.steps import Notes, Step

GEMINI = GeminiCliImporter()
AT = "2026-05-01T10:00:00.000Z"
CWD = "/home/me/project"


@pytest.fixture
def store() -> Iterator[clew.Store]:
    with clew.open(":memory:") as opened:
        yield opened


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "tmp" / "project" / "chats" / "session-2026-05-01T10-00-abcd1234.jsonl"
    path.parent.mkdir(parents=True)
    return path


def header(id: str = "abcd1234-1", **more: Any) -> dict[str, Any]:
    return {"sessionId": id, "projectHash": "f" * 64, "startTime": AT, "lastUpdated": AT, "kind": "main", **more}


def user(id: str, content: Any, **more: Any) -> dict[str, Any]:
    return {"id": id, "timestamp": AT, "type": "user", "content": content, **more}


def gemini(id: str, content: Any = "", **more: Any) -> dict[str, Any]:
    return {"id": id, "timestamp": AT, "type": "gemini", "content": content, "model": "gemini-3-pro", **more}


def called(id: str, output: str | None = "done", status: str = "success", **more: Any) -> dict[str, Any]:
    result = [] if output is None else [answered(id, output)]
    return {"id": id, "name": "look", "args": {"at": id}, "status": status, "timestamp": AT, "result": result, **more}


def answered(id: str, output: str) -> dict[str, Any]:
    return {"functionResponse": {"id": id, "name": "look", "response": {"output": output}}}


def snapshot(*messages: dict[str, Any]) -> dict[str, Any]:
    return {"$set": {"messages": list(messages)}}


def write(path: Path, *records: Any, mode: str = "w") -> None:
    with path.open(mode, encoding="utf-8", newline="") as file:
        file.writelines((record if isinstance(record, str) else json.dumps(record)) + "\n" for record in records)


def take(store: clew.Store, path: Path, *records: Any) -> ImportReport:
    """Import a file with these records."""
    write(path, *records)
    assert lost_records(GEMINI, path) == []
    return GEMINI.run(store, path)


U1, G1, U2, G2 = user("u1", "first"), gemini("g1", "one"), user("u2", [{"text": "second"}]), gemini("g2", "two")


class TestMessages:
    def test_are_kept_with_thoughts_usage_model_and_time(self, store: clew.Store, file: Path) -> None:
        tokens = {"input": 100, "output": 20, "cached": 60, "thoughts": 5, "tool": 3, "total": 128}
        thoughts = [{"subject": "Plan", "description": "Look first.", "timestamp": AT}]
        take(store, file, header(), U1, gemini("g1", "one", thoughts=thoughts, tokens=tokens))
        assert conversation(store) == [
            {"role": "user", "content": "first", "id": "u1", "timestamp": "2026-05-01T10:00:00Z"},
            {
                "role": "assistant",
                "content": "one",
                "reasoning_content": "Plan\nLook first.",
                "id": "g1",
                "timestamp": "2026-05-01T10:00:00Z",
                "model": "gemini-3-pro",
                "usage": {
                    "prompt_tokens": 103,
                    "completion_tokens": 25,
                    "prompt_tokens_details": {"cached_tokens": 60},
                    "completion_tokens_details": {"reasoning_tokens": 5},
                },
            },
        ]

    @pytest.mark.parametrize("content", ["first", {"text": "first"}, ["first"], [{"text": "first"}]])
    def test_have_content_of_every_spelling(self, store: clew.Store, file: Path, content: Any) -> None:
        take(store, file, header(), user("u1", content))
        assert texts(conversation(store)) == ["first"]

    def test_have_images_files_and_thoughts_among_their_parts(self, store: clew.Store, file: Path) -> None:
        parts = [
            {"text": "see"},
            {"inlineData": {"mimeType": "image/png", "data": "aGk="}},
            {"inlineData": {"mimeType": "application/pdf", "data": "aGk=", "displayName": "a.pdf"}},
            {"fileData": {"fileUri": "gs://a/b", "mimeType": "text/plain"}},
        ]
        take(store, file, header(), user("u1", parts), gemini("g1", [{"text": "hm", "thought": True}, {"text": "ok"}]))
        asked, answer = conversation(store)
        assert asked["content"] == [
            {"type": "text", "text": "see"},
            {"type": "image_url", "image_url": {"url": "data:image/png;base64,aGk="}},
            {"type": "file", "file": {"file_data": "data:application/pdf;base64,aGk=", "filename": "a.pdf"}},
            {"type": "file", "file": {"path": "gs://a/b", "media_type": "text/plain"}},
        ]
        assert (answer["content"], answer["reasoning_content"]) == ("ok", "hm")

    def test_have_parallel_calls_each_with_its_own_result(self, store: clew.Store, file: Path) -> None:
        both = [answered("a", "A"), answered("b", "B")]
        calls = [called("a", result=both), called("b", result=both)]
        take(store, file, header(), U1, gemini("g1", toolCalls=calls))
        _, answer, *results = conversation(store)
        assert answer["content"] is None
        assert [call["function"]["arguments"] for call in answer["tool_calls"]] == ['{"at":"a"}', '{"at":"b"}']
        assert [(made["tool_call_id"], made["name"], made["content"]) for made in results] == [
            ("a", "look", "A"),
            ("b", "look", "B"),
        ]

    def test_have_failed_and_cancelled_calls_as_errors_and_running_ones_without_result(
        self, store: clew.Store, file: Path
    ) -> None:
        failed = called("a", status="error")
        failed["result"][0]["functionResponse"]["response"] = {"error": "no such file"}
        calls = [failed, called("b", None, "cancelled", resultDisplay="stopped"), called("c", None, "executing")]
        take(store, file, header(), U1, gemini("g1", toolCalls=calls))
        results = [message for message in conversation(store) if message["role"] == "tool"]
        assert [(made["tool_call_id"], made["content"], made["is_error"]) for made in results] == [
            ("a", "no such file", True),
            ("b", "stopped", True),
        ]

    def test_have_calls_of_the_content_once(self, store: clew.Store, file: Path) -> None:
        part = {"functionCall": {"id": "a", "name": "look", "args": {"at": "a"}}}
        other = {"functionCall": {"id": "z", "name": "other", "args": {}}}
        take(store, file, header(), U1, gemini("g1", [part, other], toolCalls=[called("a")]))
        assert [call["id"] for call in conversation(store)[1]["tool_calls"]] == ["z", "a"]

    def test_of_the_program_itself_are_known_and_no_messages(self, store: clew.Store, file: Path) -> None:
        told = [{"id": kind, "timestamp": AT, "type": kind, "content": "told"} for kind in ("info", "error", "warning")]
        report = take(store, file, header(), U1, *told, G1)
        assert texts(conversation(store)) == ["first", "one"]
        assert report.unknown == {}

    def test_of_unknown_types_are_counted(self, store: clew.Store, file: Path) -> None:
        mystery = {"id": "x", "type": "mystery", "content": "?"}
        report = take(store, file, header(), U1, mystery, {"type": "later"}, user("u9", [{"hologram": 1}]))
        assert report.unknown == {"mystery": 1, "later": 1, "part hologram": 1}

    def test_that_are_replaced_are_there_once_as_they_were_last(self, store: clew.Store, file: Path) -> None:
        early = gemini("g1", toolCalls=[called("a", None, "executing")])
        response = user("r1", [answered("a", "early")])
        take(store, file, header(), U1, early, response, gemini("g1", toolCalls=[called("a", "late")]), G2)
        assert texts(conversation(store)) == ["first", "look", "late", "two"]
        assert len(leaves(store)) == 1

    def test_that_wait_for_a_replaced_one_need_little_memory(
        self, store: clew.Store, file: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(tree, "_MAX_WAITING_BYTES", 0)
        take(store, file, header(), U1, G1, U2, G2, user("u1", "first, but better"))
        assert leaves(store) == [["first, but better", "one", "second", "two"]]

    def test_of_a_call_that_says_nothing_have_no_text(self, store: clew.Store, file: Path) -> None:
        take(store, file, header(), U1, gemini("g1", toolCalls=[called("c1", None)]))
        assert conversation(store)[-1]["content"] == ""


class TestBranches:
    def test_that_were_rewound_stay(self, store: clew.Store, file: Path) -> None:
        take(store, file, header(), U1, G1, U2, G2, {"$rewindTo": "u2"}, user("u3", "other"), gemini("g3", "three"))
        assert leaves(store) == [["first", "one", "other", "three"], ["first", "one", "second", "two"]]
        assert texts(conversation(store)) == ["first", "one", "other", "three"]

    def test_are_left_where_the_last_record_is_a_rewind(self, store: clew.Store, file: Path) -> None:
        take(store, file, header(), U1, G1, U2, G2, {"$rewindTo": "u2"})
        assert texts(conversation(store)) == ["first", "one"]
        assert ["first", "one", "second", "two"] in leaves(store)

    def test_begin_anew_after_a_rewind_to_an_unknown_message(self, store: clew.Store, file: Path) -> None:
        take(store, file, header(), U1, G1, {"$rewindTo": "nobody"}, U2, G2)
        assert leaves(store) == [["first", "one"], ["second", "two"]]

    def test_may_use_an_id_again_that_was_rewound(self, store: clew.Store, file: Path) -> None:
        take(store, file, header(), U1, G1, {"$rewindTo": "g1"}, gemini("g1", "again"))
        assert leaves(store) == [["first", "again"], ["first", "one"]]

    def test_go_on_with_what_a_snapshot_keeps(self, store: clew.Store, file: Path) -> None:
        calls = gemini("g1", toolCalls=[called("a")])
        parts = [{"functionCall": {"id": "a", "name": "look", "args": {"at": "a"}}}]
        kept = [user("u1", [{"text": "first"}]), {**calls, "content": parts}, user("r1", [answered("a", "done")]), G2]
        told = {"id": "i", "type": "info", "content": "told"}
        take(store, file, header(), U1, told, calls, G2, snapshot(*kept), user("u3", "third"))
        assert leaves(store) == [["first", "look", "done", "two", "third"]]

    def test_are_made_by_what_a_snapshot_drops_or_changes(self, store: clew.Store, file: Path) -> None:
        masked = gemini("g1", toolCalls=[called("a", "masked")])
        take(store, file, header(), U1, gemini("g1", toolCalls=[called("a")]), U2, G2, snapshot(U1, masked, U2), G2)
        assert leaves(store) == [
            ["first", "look", "done", "second", "two"],
            ["first", "look", "masked", "second", "two"],
        ]
        assert texts(conversation(store))[2] == "masked"

    def test_stay_above_a_compression(self, store: clew.Store, file: Path) -> None:
        summary = user("x1", "<state_snapshot>all</state_snapshot>")
        take(
            store,
            file,
            header(),
            U1,
            G1,
            U2,
            G2,
            snapshot(U1, summary, gemini("x2", "Got it."), U2, G2),
            user("u3", "3"),
        )
        assert texts(conversation(store)) == ["first", summary["content"], "Got it.", "second", "two", "3"]
        active = only_session(store).active_checkpoint_id
        assert active is not None
        above = [texts(store.get_messages(checkpoint.id)) for checkpoint in store.ancestry(active)]
        assert ["first", "one", "second", "two"] in above
        assert conversation(store)[1]["compaction"] == {"kind": "compression"}


class TestSession:
    def test_tells_title_times_kind_and_directories(self, store: clew.Store, file: Path) -> None:
        told = {"$set": {"summary": "About two things", "directories": ["/a"], "lastUpdated": "2026-05-02T10:00:00Z"}}
        take(store, file, header(), U1, G1, told)
        session = only_session(store)
        assert (session.title, session.source_id) == ("About two things", "abcd1234-1")
        assert described(session) == {"kind": "main", "directories": ["/a"], "model": "gemini-3-pro"}
        assert session.created_at.isoformat() == "2026-05-01T10:00:00+00:00"

    def test_is_named_by_the_first_prompt_that_the_user_typed(self, store: clew.Store, file: Path) -> None:
        typed = user("u1", [{"text": "explain @a"}, {"text": "--- file"}], displayContent=[{"text": "explain @a"}])
        take(store, file, header(), user("s0", "<session_context>\nToday"), user("c", "/help"), typed, G1)
        assert only_session(store).title == "explain @a"

    @pytest.mark.parametrize("by", ["root", "name", "hash"])
    def test_knows_its_directory(self, store: clew.Store, tmp_path: Path, by: str) -> None:
        name = hashlib.sha256(CWD.encode()).hexdigest() if by == "hash" else "project"
        file = tmp_path / "tmp" / name / "chats" / "session-1.jsonl"
        file.parent.mkdir(parents=True)
        if by == "root":
            (file.parents[1] / ".project_root").write_text(CWD)
        else:
            (tmp_path / "projects.json").write_text(json.dumps({"projects": {"/other": "x", CWD: "project"}}))
        take(store, file, header(), U1, G1)
        assert only_session(store).cwd == CWD

    def test_of_a_subagent_is_a_child(self, store: clew.Store, file: Path) -> None:
        write(file, header("parent-1"), U1, G1)
        child = file.parent / "parent-1" / "agent-1.jsonl"
        child.parent.mkdir()
        write(child, header("agent-1", kind="subagent"), U2, G2)
        GEMINI.run(store, file.parents[2])
        parent = session_of(store, "gemini-cli", "parent-1")
        session = session_of(store, "gemini-cli", "agent-1")
        assert session.parent_session_id == parent.id
        assert described(session)["kind"] == "subagent"

    def test_of_a_document_may_name_the_model_as_the_api_does_and_messages_not_at_all(
        self, store: clew.Store, file: Path
    ) -> None:
        said = [{"type": "user", "content": "first"}, {"type": "model", "parts": [{"text": "one"}], "model": "m"}]
        document = file.with_suffix(".json")
        document.write_text(json.dumps({**header(), "messages": said}))
        report = GEMINI.run(store, document)
        assert [(message["role"], message["content"]) for message in conversation(store)] == [
            ("user", "first"),
            ("assistant", "one"),
        ]
        assert report.unknown == {}

    def test_of_a_document_is_read_and_lines_of_it_are_preferred(self, store: clew.Store, file: Path) -> None:
        document = file.with_suffix(".json")
        document.write_text(json.dumps({**header(), "messages": [U1, G1]}, indent=2))
        GEMINI.run(store, document)
        assert texts(conversation(store)) == ["first", "one"]
        write(file, header(), U1, G1, U2, G2)
        report = GEMINI.run(store, file.parent)
        assert (report.sessions, report.sessions_updated) == (1, 1)
        assert leaves(store) == [["first", "one", "second", "two"]]

    @pytest.mark.parametrize("wrapped", [True, False])
    def test_of_a_saved_chat_is_one_of_its_own(self, store: clew.Store, tmp_path: Path, wrapped: bool) -> None:
        history = [
            {"role": "user", "parts": [{"text": "first"}]},
            {"role": "model", "parts": [{"functionCall": {"id": "a", "name": "look", "args": {}}}]},
            {"role": "user", "parts": [answered("a", "done")]},
            {"role": "model", "parts": [{"text": "one"}]},
        ]
        path = tmp_path / "checkpoint-my%20tag.json"
        path.write_text(json.dumps({"history": history, "authType": "oauth"} if wrapped else history))
        assert find_importer(path).name == "gemini-cli"
        assert lost_records(GEMINI, path) == []
        GEMINI.run(store, path)
        session = only_session(store)
        assert (session.title, described(session)["tag"]) == ("my tag", "my tag")
        assert [message["role"] for message in conversation(store)] == ["user", "assistant", "tool", "assistant"]

    def test_of_a_saved_chat_has_results_of_calls_that_came_without_an_id(
        self, store: clew.Store, tmp_path: Path
    ) -> None:
        """The API gives calls no id; Gemini CLI makes one up and writes it to the result alone."""
        calls: list[Any] = [{"functionCall": {"name": name, "args": {}}} for name in ("look", "find", "look")]
        results = [{"functionResponse": {"name": "find", "id": "find-1", "response": {"output": "f"}}}]
        history = [
            {"role": "user", "parts": [{"text": "first"}]},
            {"role": "model", "parts": calls},
            {"role": "user", "parts": [answered("look-1", "one"), *results]},
            {"role": "user", "parts": [{"functionResponse": {"name": "look", "response": {"output": "two"}}}]},
            {"role": "model", "parts": [{"functionCall": {"id": "own", "name": "look", "args": {}}}]},
            {"role": "user", "parts": [answered("own", "three")]},
        ]
        path = tmp_path / "checkpoint-a.json"
        path.write_text(json.dumps(history))
        GEMINI.run(store, path)
        made = conversation(store)
        called = [call["id"] for message in made for call in message.get("tool_calls", [])]
        told = {message["tool_call_id"]: message["content"] for message in made if message["role"] == "tool"}
        assert told == dict(zip(called, ["one", "f", "two", "three"], strict=True))

    def test_of_a_document_that_has_grown_can_be_read_again_as_it_was_kept(self, store: clew.Store, file: Path) -> None:
        document = file.with_suffix(".json")
        listed = [U1, G1, user("u2", "second"), G2]
        for number in range(1, len(listed) + 1):
            about = {**header(), "lastUpdated": f"2026-01-01T00:00:{number:02}Z"}
            document.write_text(json.dumps({**about, "messages": listed[:number]}))
            GEMINI.run(store, document)
        assert leaves(store) == [["first", "one", "second", "two"]]
        (report,) = reimport(store)
        assert (report.broken, report.checkpoints_created) == ((), 0)


class TestImport:
    def test_again_changes_nothing(self, store: clew.Store, file: Path) -> None:
        take(store, file, header(), U1, G1, {"$rewindTo": "g1"}, G2)
        before = only_session(store)
        assert GEMINI.run(store, file).sessions_unchanged == 1
        assert only_session(store) == before

    def test_of_a_grown_file_is_as_of_the_whole(self, store: clew.Store, file: Path) -> None:
        records = [
            header(),
            U1,
            G1,
            U2,
            G2,
            {"$rewindTo": "u2"},
            user("u3", "3"),
            snapshot(U1, G1),
            user("u4", "4"),
            G2,
        ]
        for end in range(2, len(records) + 1):
            write(file, *records[:end])
            GEMINI.run(store, file)
        with clew.open(":memory:") as other:
            GEMINI.run(other, file)
            assert texts(conversation(store)) == texts(conversation(other))
            assert set(map(tuple, leaves(store))) >= set(map(tuple, leaves(other)))

    def test_leaves_a_torn_line_for_the_next_time(self, store: clew.Store, file: Path) -> None:
        whole = json.dumps(G1)
        write(file, header(), U1)
        with file.open("a") as opened:
            opened.write(whole[:20])
        assert GEMINI.run(store, file).broken == ()
        with file.open("a") as opened:
            opened.write(whole[20:] + "\n")
        GEMINI.run(store, file)
        assert leaves(store) == [["first", "one"]]

    def test_of_broken_lines_names_them_and_takes_the_rest(self, store: clew.Store, file: Path) -> None:
        report = take(store, file, header(), U1, "{broken", "[1]", G1)
        assert texts(conversation(store)) == ["first", "one"]
        assert len(report.broken) == 1
        assert report.unknown == {"list": 1}

    def test_without_a_message_is_an_error(self, store: clew.Store, file: Path) -> None:
        write(file, header(), {"$set": {"summary": "nothing"}}, {"id": "x", "type": "later", "content": "?"})
        with pytest.raises(InvalidRequestError, match=r"no message that could be read, of types .* 1 later"):
            GEMINI.run(store, file)
        assert store.list_sessions().items == []

    def test_changes_nothing_of_the_source(self, store: clew.Store, file: Path) -> None:
        write(file, header(), U1, G1)
        folder = file.parents[2]
        before = contents(folder)
        GEMINI.run(store, folder)
        assert contents(folder) == before

    def test_takes_only_its_own_files(self, tmp_path: Path) -> None:
        others: dict[str, Any] = {
            "logs.json": [{"sessionId": "s", "messageId": 0, "type": "user", "message": "hi", "timestamp": AT}],
            "restore.json": {"history": [], "clientHistory": [{"role": "user", "parts": []}], "toolCall": {}},
            "claude.jsonl": {
                "type": "user",
                "uuid": "u",
                "sessionId": "s",
                "message": {"role": "user", "content": "x"},
            },
            "openai.json": [{"role": "user", "content": "hi"}],
            "empty.jsonl": "",
        }
        for name, value in others.items():
            (tmp_path / name).write_text(json.dumps(value) + "\n" if value else "")
        assert not any(GEMINI.detect(tmp_path / name) for name in [*others, "missing", "."])

    def test_finds_the_place_of_the_program(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (tmp_path / ".gemini" / "tmp").mkdir(parents=True)
        monkeypatch.setenv("GEMINI_CLI_HOME", str(tmp_path / "elsewhere"))
        assert GEMINI.locations(tmp_path) == [tmp_path / ".gemini" / "tmp"]
        monkeypatch.setattr(Path, "home", lambda: tmp_path)
        assert GEMINI.locations(tmp_path) == []

    def test_of_the_samples_is_as_a_person_reads_them(self, store: clew.Store) -> None:
        GEMINI.run(store, samples("gemini-cli"))
        found = {session.source_id: conversation(store, session) for session in store.list_sessions().items}
        assert {id: len(messages) for id, messages in found.items()} == {
            "gemini_stage0_jsonl": 4,
            "reg-gem-set-001": 2,
            "registry-gemini": 2,
        }
        assert [message["role"] for message in found["gemini_stage0_jsonl"]] == [
            "user",
            "assistant",
            "tool",
            "assistant",
        ]
        assert {session.title for session in store.list_sessions().items} == {
            "Say hello and list files.",
            "gemini set-snapshot conformance question",
            "inspect the gemini session",
        }


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
FIXTURE = [
    header(),
    user("u1", [{"text": "a"}, {"inlineData": {"mimeType": "image/png", "data": "aGk="}}]),
    gemini("g1", [{"text": "b"}], toolCalls=[called("a")], thoughts=[{"subject": "s"}], tokens={"input": 1}),
    {"$set": {"messages": [user("u1", "a"), user("r", [answered("a", "x")])], "summary": "s"}},
    {"$rewindTo": "g1"},
    U2,
]


def places(value: Any, way: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The way to everything that is in a value."""
    listed = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, item in listed:
        yield (*way, step)
        yield from places(item, (*way, step))


PLACES = list(places(FIXTURE))


def put(value: Any, way: tuple[Any, ...], new: Any) -> None:
    """Put something else at a place, where that is still there."""
    for step in way[:-1]:
        value = value[step] if isinstance(value, (dict, list)) and step in dict(places_of(value)) else None
    if isinstance(value, (dict, list)) and way[-1] in dict(places_of(value)):
        value[way[-1]] = new


def places_of(value: Any) -> list[tuple[Any, Any]]:
    return list(value.items() if isinstance(value, dict) else enumerate(value))


@given(st.lists(st.tuples(st.sampled_from(PLACES), VALUES), min_size=1, max_size=4))
@settings(max_examples=150, deadline=None)
def test_malformed_values_are_tolerated_anywhere(changes: list[tuple[tuple[Any, ...], Any]]) -> None:
    values = json.loads(json.dumps(FIXTURE))
    for way, new in changes:
        put(values, way, new)
    records = ListedRecords.of_values(values)
    parsed = GEMINI.parse(records, {"cwd": 1, "parent": [], "tag": {}}, Notes())
    seen: set[str] = set()
    kept = []
    for step in parsed.steps:
        kept += [record.position for record in step.records]
        if isinstance(step, Step):
            assert step.parent is None or step.parent in seen
            seen.add(step.key)
    assert sorted(kept) == [record.position for record in records]
    assert parsed.active is None or parsed.active in seen
