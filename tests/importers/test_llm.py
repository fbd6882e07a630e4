"""The promises of the import of llm's log."""

import hashlib
import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.importers.databases import damage, load, make, put, run, spoil
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
from clew.errors import CorruptStateError, InvalidRequestError
from clew.importers import find_importer
from clew.importers.llm import LlmImporter
from clew.importers.reimport import reimport
from clew.importers.steps import Notes

LLM = LlmImporter()
RESPONSES = {
    "conversations": "id TEXT PRIMARY KEY, name TEXT, model TEXT",
    "responses": "id TEXT PRIMARY KEY, model TEXT, prompt TEXT, system TEXT, response TEXT, conversation_id TEXT, "
    "datetime_utc TEXT, input_tokens INTEGER, output_tokens INTEGER, token_details TEXT, reasoning TEXT",
    "attachments": "id TEXT PRIMARY KEY, type TEXT, path TEXT, url TEXT, content BLOB",
    "prompt_attachments": 'response_id TEXT, attachment_id TEXT, "order" INTEGER',
    "fragments": "id INTEGER PRIMARY KEY, hash TEXT, content TEXT",
    "prompt_fragments": 'response_id TEXT, fragment_id INTEGER, "order" INTEGER',
    "system_fragments": 'response_id TEXT, fragment_id INTEGER, "order" INTEGER',
    "tool_calls": "id INTEGER PRIMARY KEY, response_id TEXT, name TEXT, arguments TEXT, tool_call_id TEXT",
    "tool_results": "id INTEGER PRIMARY KEY, response_id TEXT, name TEXT, output TEXT, tool_call_id TEXT, "
    "exception TEXT",
    "tool_results_attachments": 'tool_result_id INTEGER, attachment_id TEXT, "order" INTEGER',
}
MESSAGES = {
    "messages": "hash TEXT PRIMARY KEY, parent_hash TEXT, role TEXT, provider_metadata TEXT",
    "parts": "id INTEGER PRIMARY KEY, message_hash TEXT, position INTEGER, type TEXT, tool_name TEXT, text TEXT, "
    "payload TEXT",
    "part_attachments": 'part_id INTEGER, attachment_id TEXT, "order" INTEGER',
    "part_fragments": 'part_id INTEGER, fragment_id INTEGER, "order" INTEGER',
    "threads": "id TEXT PRIMARY KEY, name TEXT, tip_message_hash TEXT, forked_from TEXT, datetime_utc TEXT",
    "turns": "id TEXT PRIMARY KEY, thread_id TEXT, parent_message_hash TEXT, tip_message_hash TEXT, model TEXT, "
    "resolved_model TEXT, input_tokens INTEGER, output_tokens INTEGER, token_details TEXT, datetime_utc TEXT",
}
USAGE = {"prompt_tokens": 10, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": 4}}
IMAGE = {"id": "img", "type": "image/png", "content": b"\0\0\0"}
DATA = "data:image/png;base64,AAAA"


class Log:
    """A `logs.db` to which somebody writes."""

    def __init__(self, path: Path, *generations: dict[str, str]) -> None:
        self.path = make(
            path, {name: columns for held in generations or (RESPONSES, MESSAGES) for name, columns in held.items()}
        )
        self._count = 0

    def message(self, role: str, parent: str | None, *parts: dict[str, Any]) -> str:
        """Store a message, named by its content as llm does."""
        named = json.dumps([parent, role, parts], sort_keys=True)
        hash = f"b2:{hashlib.blake2b(named.encode(), digest_size=16).hexdigest()}"
        put(self.path, "messages", {"hash": hash, "parent_hash": parent, "role": role})
        for position, part in enumerate(parts):
            self._count += 1
            borrowed = part.get("borrows", {})
            row = {name: value for name, value in part.items() if name != "borrows"}
            put(self.path, "parts", {"id": self._count, "message_hash": hash, "position": position, **row})
            for table, id in borrowed.items():
                put(self.path, f"part_{table}s", {"part_id": self._count, f"{table}_id": id, "order": 0})
        return hash

    def turn(self, thread: str | None, asked: str, tip: str, **more: Any) -> str:
        """Store a turn, and have the thread be at its end."""
        self._count += 1
        id = f"turn{self._count:03}"
        told = {"model": "m1", "datetime_utc": f"2026-08-01T10:00:{self._count:02}+00:00", "input_tokens": 10}
        details = {"output_tokens": 2, "token_details": '{"prompt_tokens_details":{"cached_tokens":4}}'}
        row = {"id": id, "thread_id": thread, "parent_message_hash": asked, "tip_message_hash": tip}
        put(self.path, "turns", {**row, **told, **details, **more})
        if thread is not None:
            put(self.path, "threads", {"id": thread, "name": "why", "tip_message_hash": tip})
        return id

    def says(self, thread: str, parent: str | None, question: str, reply: str) -> str:
        """A turn of a thread; the message it ends with."""
        asked = self.message("user", parent, said(question))
        tip = self.message("assistant", asked, said(reply))
        self.turn(thread, asked, tip)
        return tip

    def responds(self, id: str, prompt: str, response: str, conversation: str | None = "c1", **more: Any) -> None:
        """A response as it was stored before."""
        put(self.path, "conversations", {"id": conversation, "name": "why is it so", "model": "m0"})
        told = {
            "datetime_utc": f"2026-01-01T10:00:{id[-2:]}+00:00",
            "model": "m0",
            "input_tokens": 10,
            "output_tokens": 2,
        }
        row = {"id": id, "prompt": prompt, "response": response, "conversation_id": conversation}
        put(self.path, "responses", {**row, **told, **more})


def said(text: str) -> dict[str, Any]:
    return {"type": "text", "text": text}


@pytest.fixture
def store() -> Iterator[clew.Store]:
    with clew.open(":memory:") as opened:
        yield opened


@pytest.fixture
def log(tmp_path: Path) -> Log:
    (tmp_path / "llm").mkdir()
    return Log(tmp_path / "llm" / "logs.db")


def imported(store: clew.Store, path: Path) -> list[dict[str, Any]]:
    LLM.run(store, path)
    assert list(store.verify()) == []
    return conversation(store)


class TestThreads:
    def test_each_is_a_session_though_they_share_messages(self, store: clew.Store, log: Log) -> None:
        tip = log.says("t1", None, "one", "first")
        log.says("t1", tip, "two", "second")
        fork = log.says("t2", tip, "three", "third")
        put(log.path, "threads", {"id": "t2", "name": "other", "tip_message_hash": fork, "forked_from": "t1"})
        LLM.run(store, log.path)
        assert texts(conversation(store, session_of(store, "llm", "t1"))) == ["one", "first", "two", "second"]
        forked = session_of(store, "llm", "t2")
        assert texts(conversation(store, forked)) == ["one", "first", "three", "third"]
        assert described(forked) == {"kind": "main", "model": "m1", "forked_from": {"session": "t1"}}

    def test_a_turn_tells_of_its_answer(self, store: clew.Store, log: Log) -> None:
        log.says("t1", None, "one", "first")
        asked, answered = imported(store, log.path)
        assert asked["timestamp"] == "2026-08-01T10:00:03Z"
        assert (answered["model"], answered["usage"]) == ("m1", USAGE)

    def test_tools_and_thoughts_and_what_is_borrowed(self, store: clew.Store, log: Log) -> None:
        put(log.path, "attachments", IMAGE)
        put(log.path, "fragments", {"id": 7, "content": "a novel"})
        text = {"type": "text", "payload": {"text_ref": [{"fragment": 7}, {"literal": " and why?"}]}}
        shown = {"type": "attachment", "payload": {"attachment": {"id": "img"}}, "borrows": {"attachment": "img"}}
        asked = log.message("user", None, {**text, "borrows": {"fragment": 7}}, shown)
        called = log.message(
            "assistant",
            asked,
            {"type": "reasoning", "text": "hm"},
            {"type": "tool_call", "tool_name": "up", "payload": {"arguments": {"a": 1}, "tool_call_id": "k1"}},
            {"type": "tool_call", "tool_name": "down", "payload": {"name": "down", "arguments": {}}},
        )
        attached = {"output": "A", "tool_call_id": "k1", "attachments": [{"id": "img"}]}
        results = log.message(
            "tool",
            called,
            {"type": "tool_result", "tool_name": "up", "payload": attached, "borrows": {"attachment": "img"}},
            {"type": "tool_result", "tool_name": "down", "payload": {"output": "bad", "exception": "E: bad"}},
        )
        searched = {"arguments": {}, "tool_call_id": "s1", "server_executed": True}
        end = log.message(
            "assistant",
            results,
            {"type": "tool_call", "tool_name": "web", "payload": searched},
            {"type": "tool_result", "tool_name": "web", "payload": {"output": "page", "tool_call_id": "s1"}},
            said("so"),
        )
        log.turn("t1", asked, called)
        log.turn("t1", results, end)
        made = imported(store, log.path)
        assert texts(made) == ["a novel and why?+image_url", "up,down", "A+image_url", "bad", "web", "page", "so"]
        assert made[0]["content"][1] == {"type": "image_url", "image_url": {"url": DATA}}
        unnamed = made[1]["tool_calls"][1]["id"]
        assert (made[1]["reasoning_content"], unnamed) == ("hm", f"{made[1]['id']}:1")
        assert (made[3]["tool_call_id"], made[3]["is_error"], made[2]["name"]) == (unnamed, True, "up")
        assert lost_records(LLM, log.path) == []

    def test_what_two_programs_said_at_once_are_branches(self, store: clew.Store, log: Log) -> None:
        tip = log.says("t1", None, "one", "first")
        log.says("t1", tip, "lost", "gone")
        log.says("t1", tip, "kept", "there")
        assert texts(imported(store, log.path)) == ["one", "first", "kept", "there"]
        assert leaves(store) == [["one", "first", "kept", "there"], ["one", "first", "lost", "gone"]]

    def test_messages_of_no_thread_are_sessions_too(self, store: clew.Store, log: Log) -> None:
        asked = log.message("user", None, said("one"))
        log.turn(None, asked, log.message("assistant", asked, said("first")))
        alone = log.message("user", None, said("alone"))
        LLM.run(store, log.path)
        assert texts(conversation(store, session_of(store, "llm", alone))) == ["alone"]
        assert len(store.list_sessions().items) == 2


class TestConversationsOfBefore:
    def test_a_response_is_a_step(self, store: clew.Store, log: Log) -> None:
        put(log.path, "attachments", IMAGE)
        put(log.path, "fragments", {"id": 1, "content": "a novel"}, {"id": 2, "content": "be good"})
        put(log.path, "prompt_attachments", {"response_id": "r01", "attachment_id": "img", "order": 0})
        put(log.path, "prompt_fragments", {"response_id": "r01", "fragment_id": 1, "order": 0})
        put(log.path, "system_fragments", {"response_id": "r01", "fragment_id": 2, "order": 0})
        log.responds("r01", "why?", "so", system="be brief", reasoning="hm", token_details='{"cached_tokens":4}')
        log.responds("r02", "use it", "", system=None)
        put(
            log.path,
            "tool_calls",
            {"id": 1, "response_id": "r02", "name": "up", "arguments": '{"a":1}', "tool_call_id": "k1"},
        )
        log.responds("r03", "", "done")
        result = {"id": 1, "response_id": "r03", "name": "up", "output": "A", "tool_call_id": "k1", "exception": "E"}
        put(log.path, "tool_results", result)
        put(log.path, "tool_results_attachments", {"tool_result_id": 1, "attachment_id": "img", "order": 0})
        made = imported(store, log.path)
        assert texts(made) == [
            "be good\n\nbe brief",
            "image_url+a novel\nwhy?",
            "so",
            "use it",
            "up",
            "A+image_url",
            "done",
        ]
        assert (made[2]["reasoning_content"], made[2]["usage"], made[2]["model"]) == ("hm", USAGE, "m0")
        assert (made[4]["tool_calls"][0]["function"]["arguments"], made[5]["is_error"]) == ('{"a":1}', True)
        assert (only_session(store).title, only_session(store).source_id) == ("why is it so", "c1")
        assert lost_records(LLM, log.path) == []

    def test_calls_without_an_id_are_told_apart_in_every_round(self, store: clew.Store, log: Log) -> None:
        for number in (1, 2, 3):
            log.responds(f"r0{number}", "go" if number == 1 else "", "done" if number == 3 else "")
        for number in (1, 2):
            about = {"id": number, "name": "up", "tool_call_id": None}
            put(log.path, "tool_calls", {**about, "response_id": f"r0{number}", "arguments": "{}"})
            put(log.path, "tool_results", {**about, "response_id": f"r0{number + 1}", "output": f"{number}"})
        made = imported(store, log.path)
        assert [call["id"] for message in made for call in message.get("tool_calls", [])] == ["r01:1", "r02:1"]
        told = [(message["tool_call_id"], message["content"]) for message in made if message["role"] == "tool"]
        assert told == [("r01:1", "1"), ("r02:1", "2")]

    def test_chats_of_before_there_were_any_are_read_beside_them(self, store: clew.Store, log: Log) -> None:
        columns = "id INTEGER PRIMARY KEY, model TEXT, prompt TEXT, system TEXT, response TEXT, chat_id INTEGER"
        run(log.path, f"CREATE TABLE logs ({columns}, datetime_utc TEXT)")
        told = {"model": "gpt-3.5", "datetime_utc": "2023-05-01T10:00:00"}
        put(log.path, "logs", {**told, "id": 1, "prompt": "one", "response": "first", "system": "be brief"})
        put(log.path, "logs", {**told, "id": 2, "prompt": "alone", "response": "yes"})
        put(log.path, "logs", {**told, "id": 3, "prompt": "two", "response": "second", "chat_id": 1})
        log.responds("r01", "later", "so")
        assert LLM.run(store, log.path).sessions_created == 3
        chat = session_of(store, "llm", "log-1")
        assert texts(conversation(store, chat)) == ["be brief", "one", "first", "two", "second"]
        assert (chat.title, chat.created_at.year) == ("one", 2023)
        assert lost_records(LLM, log.path) == []

    def test_one_that_goes_on_as_a_thread_is_imported_once(self, store: clew.Store, log: Log) -> None:
        log.responds("r01", "one", "first")
        imported(store, log.path)
        asked = log.message("user", None, said("one"))
        log.says("c1", log.message("assistant", asked, said("first")), "two", "second")
        made = imported(store, log.path)
        assert texts(made) == ["one", "first", "two", "second"]
        assert (made[1]["model"], made[1]["timestamp"], made[0]["timestamp"]) == (
            "m0",
            "2026-01-01T10:00:01Z",
            "2026-01-01T10:00:01Z",
        )
        assert only_session(store).title == "why is it so"
        with clew.open(":memory:") as other:
            assert imported(other, log.path) == made
            assert len(leaves(other)) == 1

    def test_what_a_thread_of_the_same_name_does_not_have_stays_as_a_branch(self, store: clew.Store, log: Log) -> None:
        log.responds("r01", "one", "first")
        log.says("c1", None, "two", "second")
        assert texts(imported(store, log.path)) == ["two", "second"]
        assert leaves(store) == [["one", "first"], ["two", "second"]]

    def test_one_that_was_written_both_ways_counts_once(self, store: clew.Store, log: Log) -> None:
        asked = log.message("user", None, said("one"))
        turn = log.turn("c1", asked, log.message("assistant", asked, said("first")))
        log.responds(turn, "one", "otherwise", datetime_utc="2026-01-01T10:00:01")
        assert texts(imported(store, log.path)) == ["one", "first"]
        assert len(leaves(store)) == 1

    def test_the_tables_of_the_time_are_enough(self, store: clew.Store, tmp_path: Path) -> None:
        tables = {"responses": RESPONSES["responses"], "conversations": RESPONSES["conversations"]}
        log = Log(tmp_path / "old.db", tables)
        log.responds("r01", "one", "first", conversation=None)
        assert texts(imported(store, log.path)) == ["one", "first"]


class TestImportingAgain:
    def test_changes_nothing_in_the_store_or_the_source(self, store: clew.Store, log: Log) -> None:
        log.says("t1", None, "one", "first")
        log.responds("r01", "old", "older")
        before = contents(log.path.parent)
        LLM.run(store, log.path)
        report = LLM.run(store, log.path)
        assert (report.sessions_unchanged, report.checkpoints_created) == (2, 0)
        assert contents(log.path.parent) == before

    def test_after_growth_ends_where_one_import_of_all_does(self, store: clew.Store, log: Log) -> None:
        tip = log.says("t1", None, "one", "first")
        imported(store, log.path)
        tip = log.says("t1", tip, "two", "second")
        imported(store, log.path)
        log.says("t1", tip, "three", "third")
        grown = imported(store, log.path)
        with clew.open(":memory:") as other:
            assert imported(other, log.path) == grown
            assert leaves(other) == leaves(store)
        (report,) = reimport(store)
        assert (report.broken, report.checkpoints_created) == ((), 0)


class TestWhatIsNotAsExpected:
    def test_types_that_are_not_known_are_counted_and_kept(self, store: clew.Store, log: Log) -> None:
        asked = log.message("user", None, said("one"), {"type": "hologram"})
        log.turn("t1", asked, asked)
        assert LLM.run(store, log.path).unknown == {"part hologram": 1}
        assert lost_records(LLM, log.path) == []

    def test_a_damaged_page_takes_no_more_than_what_is_on_it(self, store: clew.Store, log: Log) -> None:
        run(log.path, "CREATE INDEX of_a_conversation ON responses (conversation_id, id)")
        for number in range(10, 40):
            log.responds(f"r{number}", f"asked {number}", "x" * 500)
        damage(log.path, b"asked 20")
        report = LLM.run(store, log.path)
        lost = {finding.id for finding in report.broken if finding.why == "is on a damaged page"}
        assert report.messages + 2 * len(lost) == 60
        assert 1 <= len(lost) <= 8

    def test_a_log_of_which_nothing_can_be_read_is_an_error_that_says_so(self, store: clew.Store, log: Log) -> None:
        log.responds("r01", "one", "first")
        damage(log.path)
        assert find_importer(log.path).name == "llm"
        with pytest.raises(CorruptStateError, match="is damaged"):
            LLM.run(store, log.path)

    def test_a_log_without_a_message_is_an_error_that_says_so(self, store: clew.Store, log: Log) -> None:
        with pytest.raises(InvalidRequestError, match="no session was found"):
            LLM.run(store, log.path)
        asked = log.message("user", None, {"type": "hologram"})
        log.turn("t1", asked, asked)
        with pytest.raises(InvalidRequestError, match=r"no message that could be read.*1 part hologram"):
            LLM.run(store, log.path)

    def test_messages_that_lead_to_themselves_end(self, store: clew.Store, log: Log) -> None:
        tip = log.says("t1", None, "one", "first")
        run(log.path, f"UPDATE messages SET parent_hash = '{tip}' WHERE parent_hash IS NULL")
        imported(store, log.path)
        assert ["first", "one"] in leaves(store)

    @settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(st.integers())
    def test_any_value_in_any_place_is_tolerated(self, tmp_path: Path, seed: int) -> None:
        log = Log(tmp_path / f"{seed}.db")
        put(log.path, "attachments", IMAGE)
        put(log.path, "fragments", {"id": 7, "content": "a novel"})
        tip = log.says("t1", None, "one", "first")
        part = {
            "type": "text",
            "payload": {"text_ref": [{"fragment": 7}, {"literal": "x"}]},
            "borrows": {"fragment": 7},
        }
        called = {"type": "tool_call", "payload": {"arguments": {}, "tool_call_id": "k", "name": "n"}}
        result = {"type": "tool_result", "payload": {"output": "x", "attachments": [{"id": "img"}]}}
        asked = log.message("user", tip, part, {"type": "attachment", "payload": {"attachment": {"id": "img"}}})
        log.turn("t1", asked, log.message("assistant", asked, called, result))
        log.responds("r01", "one", "first")
        put(log.path, "tool_results", {"id": 1, "response_id": "r01", "output": "x"})
        put(log.path, "tool_calls", {"id": 1, "response_id": "r01", "arguments": "{}"})
        spoil(log.path, random.Random(seed))
        for source in LLM.sources(log.path, Notes()):
            list(LLM.parse(source.records, source.context, Notes()).steps)
        log.says("safe", None, "one", "first")
        with clew.open(":memory:") as store:
            LLM.run(store, log.path)


class TestDetection:
    def test_other_databases_are_not_its_own(self, tmp_path: Path) -> None:
        other = make(tmp_path / "logs.db", {"messages": "id TEXT", "threads": "id TEXT"})
        (tmp_path / "text.db").write_text("messages")
        assert not any(LLM.detect(path) for path in (other, tmp_path, tmp_path / "text.db", tmp_path / "none"))

    def test_its_place_is_told_by_the_environment_for_the_users_own_home(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        places = [tmp_path / ".config/io.datasette.llm", tmp_path / "own"]
        for place in places:
            place.mkdir(parents=True)
            Log(place / "logs.db")
        monkeypatch.setenv("LLM_USER_PATH", str(places[1]))
        monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
        assert LLM.locations(tmp_path) == [places[0] / "logs.db"]
        monkeypatch.setenv("HOME", str(tmp_path))
        assert LLM.locations(tmp_path) == [places[1] / "logs.db", places[0] / "logs.db"]


class TestALogOfTheToolItself:
    def test_is_read(self, store: clew.Store, tmp_path: Path) -> None:
        path = load(samples("llm") / "logs_db_0.36.sql", tmp_path / "logs.db")
        assert find_importer(path).name == "llm"
        report = LLM.run(store, path)
        assert (report.broken, report.mended, report.unknown, report.messages) == ((), (), {}, 8)
        found = {texts(conversation(store, session))[-1]: session.title for session in store.list_sessions().items}
        assert found == dict.fromkeys(("Wallace.", "Steven."), "Suggest a name for a pet pelican")
        assert lost_records(LLM, path) == []
