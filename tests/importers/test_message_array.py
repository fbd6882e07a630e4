"""The promises of the import of a file of messages."""

import contextlib
import json
import random
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.importers.databases import changed
from tests.importers.imported import described, kept_records

import clew
from clew.errors import InvalidRequestError, NotFoundError
from clew.importers import IMPORTERS, Finding, Progress, find_importer, import_messages, import_path
from clew.importers.message_array import MessageArrayImporter
from clew.importers.reimport import reimport

QUESTION = {"role": "user", "content": "Why is the sky blue?\nIn one line."}
CALL = {
    "role": "assistant",
    "content": None,
    "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "look", "arguments": '{"up":true}'}}],
}
RESULT = {"role": "tool", "tool_call_id": "c1", "content": "blue"}
ANSWER = {"role": "assistant", "content": [{"type": "text", "text": "Rayleigh."}], "stop_reason": "end_turn"}
TALK: list[dict[str, Any]] = [QUESTION, CALL, RESULT, ANSWER]


ASKED: dict[str, Any] = {
    "role": "user",
    "content": [
        {"type": "text", "text": "Look"},
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "aGk="}},
    ],
}
CALLED: dict[str, Any] = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "claude-x",
    "content": [
        {"type": "thinking", "thinking": "Hm.", "signature": "sealed"},
        {"type": "redacted_thinking", "data": "sealed"},
        {"type": "text", "text": "I look."},
        {"type": "tool_use", "id": "t1", "name": "ls", "input": {"path": "."}},
        {"type": "tool_use", "id": "t2", "name": "cat", "input": {}},
    ],
    "stop_reason": "tool_use",
    "usage": {"input_tokens": 10, "cache_read_input_tokens": 5, "output_tokens": 7},
}
ANSWERED: dict[str, Any] = {
    "role": "user",
    "created_at": "2026-01-02T03:04:05Z",
    "content": [
        {"type": "tool_result", "tool_use_id": "t1", "content": "a.txt"},
        {"type": "tool_result", "tool_use_id": "t2", "is_error": True, "content": [{"type": "text", "text": "no"}]},
        {"type": "text", "text": "Go on"},
    ],
}


@pytest.fixture
def store() -> Iterator[clew.Store]:
    with clew.open(":memory:") as opened:
        yield opened


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "talk.json"


def lines(messages: list[dict[str, Any]]) -> str:
    return "".join(json.dumps(message) + "\n" for message in messages)


def only_session(store: clew.Store) -> clew.Session:
    (summary,) = store.list_sessions().items
    return store.get_session(summary.id)


def messages_of(store: clew.Store) -> list[dict[str, Any]]:
    checkpoint = only_session(store).active_checkpoint
    assert checkpoint is not None
    return checkpoint.state.messages


class TestEveryForm:
    @pytest.mark.parametrize(
        "text",
        [
            json.dumps(TALK),
            json.dumps(TALK, indent=2),
            "\ufeff" + json.dumps(TALK),
            json.dumps({"messages": TALK}),
            lines(TALK),
            lines(TALK).rstrip("\n"),
            "\n" + lines(TALK).replace("\n", "\r\n\r\n"),
            json.dumps(TALK, ensure_ascii=False, sort_keys=True),
        ],
        ids=["array", "pretty array", "BOM", "object", "lines", "no last newline", "blank lines", "sorted keys"],
    )
    def test_becomes_one_session_with_every_message_whole(self, store: clew.Store, file: Path, text: str) -> None:
        file.write_text(text, encoding="utf-8", newline="")
        report = import_messages(store, file)
        assert messages_of(store) == TALK
        assert (report.sessions_created, report.checkpoints_created, report.broken) == (1, 2, ())
        assert report.messages == len(TALK)
        assert report.bytes_read == len(text.encode())
        assert only_session(store).source == "messages"

    def test_of_a_single_message_is_read(self, store: clew.Store, file: Path) -> None:
        file.write_text(json.dumps(QUESTION))
        import_messages(store, file)
        assert messages_of(store) == [QUESTION]

    @pytest.mark.parametrize("system", ["Be brief.", [{"type": "text", "text": "Be brief.", "cache_control": {}}]])
    def test_puts_the_system_prompt_of_a_request_first(self, store: clew.Store, file: Path, system: object) -> None:
        file.write_text(json.dumps({"model": "m", "system": system, "messages": TALK}))
        import_messages(store, file)
        assert messages_of(store) == [{"role": "system", "content": system}, *TALK]

    def test_keeps_what_else_a_request_says(self, store: clew.Store, file: Path) -> None:
        request = {"model": "m", "max_tokens": 9, "tools": [{"name": "look"}], "messages": TALK, "system": None}
        file.write_text(json.dumps(request))
        import_messages(store, file)
        around = {"model": "m", "max_tokens": 9, "tools": [{"name": "look"}]}
        assert described(store.list_sessions().items[0]) == {"messages": around}

    def test_keeps_items_without_a_role(self, store: clew.Store, file: Path) -> None:
        items = [QUESTION, {"type": "function_call", "call_id": "c1", "name": "look", "arguments": "{}"}]
        file.write_text(json.dumps(items))
        import_messages(store, file)
        assert messages_of(store) == items

    def test_keeps_text_that_is_hard_to_spell(self, store: clew.Store, file: Path) -> None:
        odd = {"role": "user", "content": "\ud800 \u0000 \u2028 \x7f é \N{ROCKET}", "n": [2**70, 1e-7, 5.0, None]}
        file.write_text(json.dumps([odd]))
        import_messages(store, file)
        assert messages_of(store) == [odd]


class TestAnthropicsForm:
    def test_is_stored_as_chat_messages_with_tool_calls(self, store: clew.Store, file: Path) -> None:
        file.write_text(json.dumps({"system": "Be brief.", "messages": [ASKED, CALLED, ANSWERED]}))
        import_messages(store, file)
        system, asked, called, first, second, said = messages_of(store)
        assert (system["role"], said["role"], said["content"]) == ("system", "user", "Go on")
        assert asked["content"][1] == {"type": "image_url", "image_url": {"url": "data:image/png;base64,aGk="}}
        assert (called["content"], called["reasoning_content"], called["model"]) == ("I look.", "Hm.", "claude-x")
        assert [call["id"] for call in called["tool_calls"]] == ["t1", "t2"]
        assert called["tool_calls"][0]["function"] == {"name": "ls", "arguments": '{"path":"."}'}
        assert (called["usage"]["prompt_tokens"], called["usage"]["completion_tokens"]) == (15, 7)
        assert (first["tool_call_id"], first["content"], first["name"]) == ("t1", "a.txt", "ls")
        assert (second["tool_call_id"], second["content"], second["is_error"]) == ("t2", "no", True)
        assert said["timestamp"] == "2026-01-02T03:04:05Z"

    def test_is_kept_as_it_was_and_can_be_read_again(self, store: clew.Store, file: Path) -> None:
        file.write_text(json.dumps({"messages": [ASKED, CALLED, ANSWERED]}, indent=1))
        import_messages(store, file)
        kept = [json.loads(record) for record in kept_records(store, store.list_sessions().items[0])]
        assert all(message in kept for message in (ASKED, CALLED, ANSWERED))
        before = messages_of(store)
        (report,) = reimport(store)
        assert (report.sessions_unchanged, report.checkpoints_created, report.broken) == (1, 0, ())
        assert messages_of(store) == before

    def test_has_what_a_server_did_in_the_midst_of_an_answer(self, store: clew.Store, file: Path) -> None:
        content = [
            {"type": "server_tool_use", "id": "s1", "name": "web_search", "input": {"query": "x"}},
            {"type": "web_search_tool_result", "tool_use_id": "s1", "content": [{"type": "web_search_result"}]},
            {"type": "text", "text": "Found"},
        ]
        file.write_text(json.dumps([QUESTION, {"role": "assistant", "content": content}]))
        import_messages(store, file)
        _, called, result, said = messages_of(store)
        assert called["tool_calls"][0]["id"] == result["tool_call_id"] == "s1"
        assert (result["name"], said["content"]) == ("web_search", "Found")

    def test_with_types_that_are_not_known_says_which(self, store: clew.Store, file: Path) -> None:
        file.write_text(json.dumps([ASKED, {**CALLED, "content": [{"type": "hologram"}, *CALLED["content"]]}]))
        assert import_messages(store, file).unknown == {"content block hologram": 1}


class TestAnythingElse:
    @settings(max_examples=60, deadline=None)
    @given(st.integers(), st.booleans())
    def test_in_any_place_is_tolerated(self, seed: int, is_document: bool) -> None:
        """What a file holds is imported, or refused with a reason."""
        chance = random.Random(seed)
        call = {"role": "assistant", "function_call": {"name": "look", "arguments": "{}"}}
        talk = [ASKED, CALLED, ANSWERED, call, {"role": "function", "name": "look", "content": "x"}, *TALK]
        values = [changed(message, chance) for message in talk]
        with clew.open(":memory:") as store, TemporaryDirectory() as folder:
            path = Path(folder) / "talk.json"
            path.write_text(json.dumps({"messages": values}) if is_document else lines(values))
            with contextlib.suppress(InvalidRequestError):
                import_messages(store, path)
                assert import_messages(store, path).sessions_unchanged == 1
            assert list(store.verify()) == []


class TestOpenAIsFirstForm:
    def test_has_tool_calls_for_its_function_calls(self, store: clew.Store, file: Path) -> None:
        call = {"role": "assistant", "content": None, "function_call": {"name": "look", "arguments": '{"up":true}'}}
        last = {"role": "assistant", "content": "Blue.", "function_call": None, "refusal": None, "audio": {"id": "a"}}
        file.write_text(json.dumps([QUESTION, call, {"role": "function", "name": "look", "content": "blue"}, last]))
        import_messages(store, file)
        _, called, result, said = messages_of(store)
        assert called["tool_calls"][0]["function"] == call["function_call"]
        assert "function_call" not in called
        assert (result["role"], result["tool_call_id"]) == ("tool", called["tool_calls"][0]["id"])
        assert said == last


class TestAGrownFile:
    @pytest.mark.parametrize("end", ["\n", ""])
    @pytest.mark.parametrize("form", ["lines", "array"])
    def test_goes_on_with_its_session(self, store: clew.Store, file: Path, form: str, end: str) -> None:
        def write(messages: list[dict[str, Any]]) -> None:
            file.write_text(lines(messages).rstrip("\n") + end if form == "lines" else json.dumps(messages) + end)

        for length in range(2, len(TALK) + 1):
            write(TALK[:length])
            import_messages(store, file)
        assert messages_of(store) == TALK
        assert import_messages(store, file).sessions_unchanged == 1
        (report,) = reimport(store)
        assert (report.checkpoints_created, report.broken) == (0, ())

    def test_does_not_touch_that_of_another_file(self, store: clew.Store, tmp_path: Path) -> None:
        (tmp_path / "a.json").write_text(json.dumps(TALK[:-1]))
        (tmp_path / "b.json").write_text(json.dumps(TALK))
        import_messages(store, tmp_path / "a.json")
        assert import_messages(store, tmp_path / "b.json").sessions_created == 1

    def test_with_another_end_is_another_conversation(self, store: clew.Store, file: Path) -> None:
        file.write_text(json.dumps(TALK[:2]))
        import_messages(store, file)
        file.write_text(json.dumps(TALK))
        assert import_messages(store, file).sessions_updated == 1
        file.write_text(json.dumps([*TALK[:2], QUESTION]))
        assert import_messages(store, file).sessions_created == 1


class TestALongFile:
    def test_may_have_a_line_that_is_longer_than_memory_holds(
        self, store: clew.Store, file: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("clew.limits.MAX_RECORD_BYTES", 256 * 1024)
        file.write_text(lines([QUESTION, {"role": "assistant", "content": "x" * 2**20}, QUESTION]))
        report = import_messages(store, file)
        assert [message["role"] for message in messages_of(store)] == ["user", "assistant", "user"]
        assert "[cut: " in messages_of(store)[1]["content"]
        assert ["strings were cut" in finding.why for finding in report.mended] == [True]

    def test_that_is_one_document_has_a_limit_that_is_named(
        self, store: clew.Store, file: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("clew.limits.MAX_DOCUMENT_BYTES", 100)
        file.write_text(json.dumps(TALK))
        with pytest.raises(InvalidRequestError, match="MAX_DOCUMENT_BYTES"):
            import_messages(store, file)


class TestAnotherRun:
    def test_imports_nothing_new(self, store: clew.Store, file: Path) -> None:
        file.write_text(json.dumps(TALK))
        import_messages(store, file)
        before = only_session(store)
        report = import_messages(store, file)
        assert (report.sessions_created, report.sessions_unchanged) == (0, 1)
        assert report.checkpoints_created == 0
        assert only_session(store) == before

    def test_reads_it_again_with_a_later_parser(
        self, store: clew.Store, file: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        file.write_text(json.dumps(TALK))
        import_messages(store, file)
        monkeypatch.setattr(MessageArrayImporter, "version", 99)
        assert import_messages(store, file).messages == len(TALK)
        assert import_messages(store, file).messages == 0
        assert store.list_sessions().total == 1

    def test_finds_the_same_conversation_in_another_place_and_form(self, store: clew.Store, tmp_path: Path) -> None:
        (tmp_path / "a.json").write_text(json.dumps(TALK))
        (tmp_path / "b.jsonl").write_text(lines([dict(reversed(message.items())) for message in TALK]))
        import_messages(store, tmp_path / "a.json")
        assert import_messages(store, tmp_path / "b.jsonl").sessions_unchanged == 1

    @pytest.mark.parametrize("other", [TALK[:-1], [*TALK[:-1], {**ANSWER, "content": "Mie."}], [*TALK[1:], QUESTION]])
    def test_of_another_conversation_makes_another_session(
        self, store: clew.Store, file: Path, other: list[object]
    ) -> None:
        file.write_text(json.dumps(TALK))
        import_messages(store, file)
        file.write_text(json.dumps(other))
        assert import_messages(store, file).sessions_created == 1
        assert store.list_sessions().total == 2

    def test_leaves_alone_what_was_done_in_the_store(self, store: clew.Store, file: Path) -> None:
        file.write_text(json.dumps(TALK))
        import_messages(store, file)
        session = only_session(store)
        store.update_session(session.id, title="Mine")
        store.append(session.id, [QUESTION])
        import_messages(store, file)
        assert only_session(store).title == "Mine"
        assert messages_of(store) == [*TALK, QUESTION]

    def test_does_not_change_the_file(self, store: clew.Store, file: Path) -> None:
        file.write_text(lines(TALK))
        before = file.read_bytes(), file.stat().st_mtime_ns
        import_messages(store, file)
        assert (file.read_bytes(), file.stat().st_mtime_ns) == before


class TestTheTitle:
    @pytest.mark.parametrize(
        ("content", "title"),
        [
            ("Why is the sky blue?\nIn one line.", "Why is the sky blue?"),
            ("\n  \n  Second\tline  counts \n", "Second line counts"),
            ("x" * 59 + "yz", "x" * 59 + "y"),
            ("x" * 59 + " z", "x" * 59),
            ([{"type": "image"}, {"type": "text", "text": "From a part"}], "From a part"),
            ([{"type": "tool_result", "content": "x"}], "talk"),
            ("\x1b[31mred\x00\ud800", "[31mred"),
            ("   ", "talk"),
            (5, "talk"),
            (None, "talk"),
        ],
    )
    def test_is_the_first_line_of_what_the_user_asked(
        self, store: clew.Store, file: Path, content: object, title: str
    ) -> None:
        file.write_text(json.dumps([{"role": "system", "content": "Be brief."}, {"role": "user", "content": content}]))
        import_messages(store, file)
        assert only_session(store).title == title

    def test_skips_what_the_user_did_not_write(self, store: clew.Store, file: Path) -> None:
        file.write_text(json.dumps([ANSWER, {"role": "user", "content": ""}, QUESTION]))
        import_messages(store, file)
        assert only_session(store).title == "Why is the sky blue?"


class TestABrokenPart:
    def test_in_json_lines_is_named_and_left_out(self, store: clew.Store, file: Path) -> None:
        """The last line is what a program leaves that is killed while it writes."""
        file.write_text(lines(TALK[:2]) + "[1]\n" + "nonsense\n" + lines([ANSWER]) + '{"role":"user","conte')
        report = import_messages(store, file)
        assert messages_of(store) == [QUESTION, CALL, ANSWER]
        assert {finding.table for finding in report.broken} == {"line"}
        assert [finding.id for finding in report.broken] == ["3", "4", "6"]
        assert report.broken[0].why == "is not an object"
        assert all("is not JSON" in finding.why for finding in report.broken[1:])

    def test_in_an_array_is_named_and_left_out(self, store: clew.Store, file: Path) -> None:
        file.write_text(json.dumps({"system": "Be brief.", "messages": [QUESTION, "text", ANSWER, None]}))
        report = import_messages(store, file)
        assert messages_of(store)[1:] == [QUESTION, ANSWER]
        assert report.broken == (
            Finding("messages", "1", "is not an object"),
            Finding("messages", "3", "is not an object"),
        )


class TestAFileOfSomethingElse:
    @pytest.mark.parametrize(
        ("text", "why"),
        [
            ("", "nothing in it has a role"),
            ("hello", "is not JSON"),
            ('[{"role":"user"},\n{"role":"user"}\n', "is not JSON"),
            ('{"role":NaN}', "is not JSON"),
            ("[]", "nothing in it has a role"),
            ('{"messages":[]}', "nothing in it has a role"),
            ('{"messages":{"role":"user"}}', "neither an array of messages nor an object"),
            ('{"title":"x"}', "neither an array of messages nor an object"),
            ("5", "neither an array of messages nor an object"),
            ('[{"role":5}]', "nothing in it has a role"),
            ('{"type":"user","message":{"role":"user"}}\n{"type":"summary"}\n', "nothing in it has a role"),
            ('{"messages":[{"role":"user"}]}\n{"messages":[{"role":"user"}]}\n', "nothing in it has a role"),
        ],
    )
    def test_is_refused_with_the_reason_and_its_path(self, store: clew.Store, file: Path, text: str, why: str) -> None:
        file.write_text(text)
        with pytest.raises(InvalidRequestError, match=why) as caught:
            import_messages(store, file)
        assert str(file) in str(caught.value)
        assert store.list_sessions().total == 0
        assert not IMPORTERS["messages"].detect(file)

    def test_that_is_not_text_is_refused(self, store: clew.Store, file: Path) -> None:
        file.write_bytes(json.dumps(TALK).encode("utf-16"))
        with pytest.raises(InvalidRequestError, match="is not UTF-8"):
            import_messages(store, file)

    def test_that_does_not_exist_is_named(self, store: clew.Store, file: Path) -> None:
        with pytest.raises(NotFoundError, match=r"talk\.json does not exist"):
            import_messages(store, file)

    def test_that_is_a_folder_is_named(self, store: clew.Store, tmp_path: Path) -> None:
        with pytest.raises(InvalidRequestError, match="is not a file"):
            import_messages(store, tmp_path)


class TestFindingIt:
    @pytest.mark.parametrize("text", [json.dumps(TALK), lines(TALK), json.dumps({"messages": TALK})])
    def test_the_format_is_found_by_itself(self, store: clew.Store, file: Path, text: str) -> None:
        file.write_text(text)
        assert find_importer(file).name == "messages"
        assert import_path(store, file).importer == "messages"

    def test_progress_is_told(self, store: clew.Store, file: Path) -> None:
        file.write_text(json.dumps(TALK))
        seen: list[Progress] = []
        import_messages(store, file, seen.append)
        assert seen[-1] == Progress(1, 1, "Why is the sky blue?")


class TestADryRun:
    def test_says_what_an_import_would_do_and_changes_nothing(self, store: clew.Store, file: Path) -> None:
        file.write_text(json.dumps(TALK))
        dry = IMPORTERS["messages"].run(store, file, dry_run=True)
        assert store.list_sessions().items == []
        report = import_messages(store, file)
        assert (dry.dry_run, dry.sessions_created, dry.checkpoints_created) == (True, 1, 2)
        assert dry.bytes_read == report.bytes_read
        before = only_session(store)
        assert IMPORTERS["messages"].run(store, file, dry_run=True).sessions_unchanged == 1
        assert only_session(store) == before
