"""The promises of the import of a file of messages."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import clew
from clew.errors import InvalidRequestError, NotFoundError
from clew.importers import IMPORTERS, Finding, Progress, find_importer, import_messages, import_path

QUESTION = {"role": "user", "content": "Why is the sky blue?\nIn one line."}
CALL = {
    "role": "assistant",
    "content": None,
    "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "look", "arguments": '{"up":true}'}}],
}
RESULT = {"role": "tool", "tool_call_id": "c1", "content": "blue"}
ANSWER = {"role": "assistant", "content": [{"type": "text", "text": "Rayleigh."}], "stop_reason": "end_turn"}
TALK: list[dict[str, Any]] = [QUESTION, CALL, RESULT, ANSWER]


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
        assert (report.sessions_created, report.checkpoints_created, report.broken) == (1, 1, ())
        assert report.messages == len(TALK)
        assert report.bytes_read == len(text.removeprefix("\ufeff").encode())
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
        assert only_session(store).metadata == {"messages": around}

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


class TestAnotherRun:
    def test_imports_nothing_new(self, store: clew.Store, file: Path) -> None:
        file.write_text(json.dumps(TALK))
        import_messages(store, file)
        before = only_session(store)
        report = import_messages(store, file)
        assert (report.sessions_created, report.sessions_unchanged) == (0, 1)
        assert (report.checkpoints_created, report.checkpoints_known) == (0, 1)
        assert only_session(store) == before

    def test_finds_the_same_conversation_in_another_place_and_form(self, store: clew.Store, tmp_path: Path) -> None:
        (tmp_path / "a.json").write_text(json.dumps(TALK))
        (tmp_path / "b.jsonl").write_text(lines([dict(reversed(message.items())) for message in TALK]))
        import_messages(store, tmp_path / "a.json")
        assert import_messages(store, tmp_path / "b.jsonl").sessions_unchanged == 1

    @pytest.mark.parametrize(
        "other", [TALK[:-1], [*TALK, QUESTION], [*TALK[:-1], {**ANSWER, "content": "Mie."}], [*TALK[1:], QUESTION]]
    )
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
        assert seen == [Progress(1, 1, "Why is the sky blue?")]


class TestADryRun:
    def test_says_what_an_import_would_do_and_changes_nothing(self, store: clew.Store, file: Path) -> None:
        file.write_text(json.dumps(TALK))
        dry = IMPORTERS["messages"].run(store, file, dry_run=True)
        assert store.list_sessions().items == []
        report = import_messages(store, file)
        assert (dry.dry_run, dry.sessions_created, dry.checkpoints_created) == (True, 1, 1)
        assert dry.bytes_read == report.bytes_read
        before = only_session(store)
        assert IMPORTERS["messages"].run(store, file, dry_run=True).sessions_unchanged == 1
        assert only_session(store) == before
