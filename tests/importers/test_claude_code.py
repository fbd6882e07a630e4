"""The promises of the import of Claude Code's sessions."""

import copy
import json
from collections.abc import Iterable, Iterator
from itertools import count, pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from tests.importers.conftest import samples

import clew
from clew.errors import InvalidRequestError
from clew.importers import IMPORTERS, ImportReport, discover, find_importer, raw
from clew.importers.chat import text_of
from clew.importers.claude_code import ClaudeCodeImporter
from clew.importers.records import LineRecords
from clew.importers.reimport import reimport
from clew.importers.steps import Notes, Step

SESSION = "11111111-2222-4333-8444-555555555555"
OTHER = "99999999-2222-4333-8444-555555555555"
CWD = "/home/ann/my.project"
FOLDER = "-home-ann-my-project"
USAGE = {"input_tokens": 3, "output_tokens": 5, "cache_read_input_tokens": 10, "cache_creation_input_tokens": 20}

Row = dict[str, Any]


class Talk:
    """Writes the records of a session. Each names the one before it, unless told which."""

    def __init__(self, **always: Any) -> None:
        self.rows: list[Row] = []
        self._always = always
        self._seconds = count()
        self.last: str | None = None

    def add(self, type: str, uuid: str, parent: Any = "last", **more: Any) -> str:
        at = f"2026-08-01T10:{next(self._seconds):02}:00.000Z"
        named = self.last if parent == "last" else parent
        envelope = {"parentUuid": named, "isSidechain": False, "cwd": CWD, "sessionId": SESSION, "version": "2.1.220"}
        more = {"gitBranch": "main", "timestamp": at, **self._always, **more}
        self.rows.append({**envelope, "type": type, "uuid": uuid, **more})
        self.last = uuid
        return uuid

    def says(self, uuid: str, content: Any, parent: Any = "last", **more: Any) -> str:
        return self.add("user", uuid, parent, message={"role": "user", "content": content}, **more)

    def answers(self, uuid: str, *blocks: Any, id: str | None = None, parent: Any = "last", **more: Any) -> str:
        inner = {"usage": USAGE, "stop_reason": None, **more.pop("message", {})}
        content = [text(block) if isinstance(block, str) else block for block in blocks]
        message = {
            "id": id or f"msg_{uuid}",
            "role": "assistant",
            "model": "claude-opus-5",
            "content": content,
            **inner,
        }
        return self.add("assistant", uuid, parent, message=message, **more)

    def results(self, uuid: str, *ids: str, parent: Any = "last", **more: Any) -> str:
        return self.says(uuid, [result(id) for id in ids], parent, toolUseResult={"stdout": "…"}, **more)

    def beside(self, type: str, **fields: Any) -> None:
        self.rows.append({"type": type, "sessionId": SESSION, **fields})

    def write(self, file: Path, rows: Iterable[Any] | None = None) -> Path:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(lines(self.rows if rows is None else rows))
        return file


def lines(rows: Iterable[Any]) -> bytes:
    return b"".join((row if isinstance(row, bytes) else json.dumps(row).encode()) + b"\n" for row in rows)


def text(words: str) -> Row:
    return {"type": "text", "text": words}


def use(id: str, name: str = "Bash", **given: Any) -> Row:
    return {"type": "tool_use", "id": id, "name": name, "input": given or {"command": id}}


def result(id: str, content: Any = None, **more: Any) -> Row:
    return {"type": "tool_result", "tool_use_id": id, "content": content or f"out {id}", **more}


def simple_talk() -> Talk:
    talk = Talk()
    talk.says("u1", "Fix the bug")
    talk.answers("a1", "Done.")
    talk.says("u2", "And the other")
    talk.answers("a2", "Done, too.")
    return talk


def parallel_talk() -> Talk:
    """One answer in three records, the results of its two calls each at its own, and an answer after that."""
    talk = Talk()
    talk.says("u1", "Look twice")
    talk.answers("a1", {"type": "thinking", "thinking": "hm", "signature": "s"}, "Looking.", id="m")
    talk.answers("a2", use("t1"), id="m")
    talk.answers("a3", use("t2"), id="m", message={"stop_reason": "tool_use", "usage": {**USAGE, "output_tokens": 9}})
    talk.results("r1", "t1", parent="a2")
    talk.results("r2", "t2", parent="a3")
    talk.answers("a4", "Seen.", parent="r2")
    return talk


@pytest.fixture
def store() -> Iterator[clew.Store]:
    with clew.open(":memory:") as opened:
        yield opened


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "projects" / FOLDER / f"{SESSION}.jsonl"


def bring(store: clew.Store, path: Path) -> ImportReport:
    return IMPORTERS["claude-code"].run(store, path)


def session_of(store: clew.Store, source_id: str = SESSION) -> clew.SessionSummary:
    (found,) = store.list_sessions(source="claude-code", source_id=source_id).items
    return found


def told(session: clew.SessionSummary) -> Row:
    """What the session's metadata hold."""
    return session.metadata or {}


def active(store: clew.Store, source_id: str = SESSION) -> list[Row]:
    checkpoint = session_of(store, source_id).active_checkpoint_id
    assert checkpoint is not None
    return list(store.get_messages(checkpoint))


def leaves(store: clew.Store, source_id: str = SESSION) -> list[list[Row]]:
    """The messages at the end of every branch."""
    checkpoints = store.list_checkpoints(session_of(store, source_id).id, limit=1000).items
    parents = {checkpoint.parent_id for checkpoint in checkpoints}
    found = [list(store.get_messages(checkpoint.id)) for checkpoint in checkpoints if checkpoint.id not in parents]
    return sorted(found, key=lambda messages: json.dumps(messages, sort_keys=True))


def brief(messages: Iterable[Row]) -> list[str]:
    """Who said what, as short as it goes."""
    shown = []
    for message in messages:
        calls = "".join(f"+{call['id']}" for call in message.get("tool_calls", ()))
        shown.append(f"{message['role'][0]}:{message.get('tool_call_id') or text_of(message)}{calls}")
    return shown


def kept_records(store: clew.Store, source_id: str = SESSION) -> list[bytes]:
    records = {}
    for checkpoint in store.list_checkpoints(session_of(store, source_id).id, limit=1000).items:
        for info in store.list_attachments(checkpoint.id, prefix=raw.PREFIX):
            _, found = raw.unpack(bytes(store.get_attachment(checkpoint.id, info.name)))
            records.update({record.position: record.text for record in found})
    return [records[position] for position in sorted(records)]


class TestMessages:
    def test_an_answer_in_several_records_is_one_message_with_its_usage_once(
        self, store: clew.Store, file: Path
    ) -> None:
        bring(store, parallel_talk().write(file))
        answer = active(store)[1]
        assert answer["reasoning_content"] == "hm"
        assert answer["content"] == "Looking."
        assert [call["id"] for call in answer["tool_calls"]] == ["t1", "t2"]
        assert answer["tool_calls"][0]["function"] == {"name": "Bash", "arguments": '{"command":"t1"}'}
        assert (answer["id"], answer["model"], answer["stop_reason"]) == ("m", "claude-opus-5", "tool_use")
        assert answer["usage"] == {
            "prompt_tokens": 33,
            "completion_tokens": 9,
            "prompt_tokens_details": {"cached_tokens": 10},
            "cache_creation_tokens": 20,
        }

    def test_results_have_the_name_of_their_tool_and_what_else_the_user_said_comes_after(
        self, store: clew.Store, file: Path
    ) -> None:
        talk = Talk()
        talk.says("u1", "Go")
        talk.answers("a1", use("t1", "Read"))
        image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}}
        talk.says("r1", [text("stop that"), result("t1", [text("a"), image], is_error=True)])
        bring(store, talk.write(file))
        *_, found, said = active(store)
        assert found["role"], found["name"] == ("tool", "Read")
        assert found["is_error"] is True
        assert [part["type"] for part in found["content"]] == ["text", "image_url"]
        assert found["content"][1]["image_url"]["url"] == "data:image/png;base64,AAAA"
        assert brief([said]) == ["u:stop that"]

    def test_images_documents_and_files_are_parts(self, store: clew.Store, file: Path) -> None:
        talk = Talk()
        url = {"type": "image", "source": {"type": "url", "url": "https://example.org/a.png"}}
        pdf = {
            "type": "document",
            "title": "a.pdf",
            "source": {"type": "base64", "media_type": "application/pdf", "data": "QQ=="},
        }
        plain = {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "hi"}}
        talk.says("u1", [text("See"), url, pdf, plain])
        bring(store, talk.write(file))
        ((message),) = active(store)
        assert message["content"] == [
            text("See"),
            {"type": "image_url", "image_url": {"url": "https://example.org/a.png"}},
            {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,QQ=="}},
            {"type": "file", "file": {"file_data": "data:text/plain;base64,aGk="}},
        ]

    def test_a_search_by_the_server_is_a_call_its_result_and_the_rest_of_the_answer(
        self, store: clew.Store, file: Path
    ) -> None:
        talk = Talk()
        talk.says("u1", "Search")
        call = {"type": "server_tool_use", "id": "s1", "name": "web_search", "input": {"query": "x"}}
        hits = [{"type": "web_search_result", "title": "T", "url": "https://example.org"}]
        done = {"type": "web_search_tool_result", "tool_use_id": "s1", "content": hits}
        talk.answers("a1", "Let me see.", call, done, "Found T.", {"type": "redacted_thinking", "data": "x"})
        report = bring(store, talk.write(file))
        assert brief(active(store)) == ["u:Search", "a:Let me see.+s1", "t:s1", "a:Found T."]
        assert json.loads(active(store)[2]["content"]) == hits
        assert ["usage" in message for message in active(store)] == [False, False, False, True]
        assert report.unknown == {}

    def test_records_and_blocks_that_were_written_twice_are_taken_once(self, store: clew.Store, file: Path) -> None:
        talk = Talk()
        talk.says("u1", "Go")
        talk.answers("a1", "Hel", id="m")
        talk.answers("a1", "Hello", use("t1"), id="m", parent="u1")
        talk.answers("a2", use("t1"), use("t2"), id="m")
        talk.results("r1", "t1", "t2")
        talk.answers("a3", "End.")
        rows = [*talk.rows, *copy.deepcopy(talk.rows)]
        rows[-2]["cwd"] = "/elsewhere"  # what is beside the message does not make it another one
        bring(store, talk.write(file, rows))
        assert [brief(messages) for messages in leaves(store)] == [
            ["u:Go", "a:Hello+t1+t2", "t:t1", "t:t2", "a:End."],
        ]
        assert kept_records(store) == lines(rows).splitlines()

    def test_what_the_program_says_in_the_models_place_is_marked(self, store: clew.Store, file: Path) -> None:
        talk = simple_talk()
        failed = {"model": "<synthetic>", "usage": {}}
        talk.answers("e1", "API Error: 529", message=failed, isApiErrorMessage=True)
        bring(store, talk.write(file))
        message = active(store)[-1]
        assert message["is_error"] is True
        assert "model" not in message
        assert told(session_of(store))["model"] == "claude-opus-5"

    def test_calls_without_an_id_are_paired_in_their_order(self, store: clew.Store, file: Path) -> None:
        talk = Talk()
        talk.says("u1", "Go")
        talk.answers(
            "a1", {"type": "tool_use", "name": "A", "input": {}}, {"type": "tool_use", "name": "B", "input": "raw"}
        )
        talk.says("r1", [{"type": "tool_result", "content": "of A"}])
        talk.says("r2", [{"type": "tool_result", "content": "of B"}], parent="a1")
        bring(store, talk.write(file))
        answer, first, second = active(store)[1:]
        assert [call["id"] for call in answer["tool_calls"]] == [first["tool_call_id"], second["tool_call_id"]]
        assert (first["name"], second["name"]) == ("A", "B")
        assert answer["tool_calls"][1]["function"]["arguments"] == "raw"

    def test_a_prompt_given_while_the_agent_works_is_the_users_once(self, store: clew.Store, file: Path) -> None:
        talk = parallel_talk()
        queued = {"type": "queued_command", "prompt": [text("Faster")], "commandMode": "prompt"}
        talk.add("attachment", "q1", attachment=queued)
        talk.answers("a5", "Yes.")
        talk.says("u2", "Slower")
        talk.add("attachment", "q2", attachment={**queued, "prompt": "Slower", "source_uuid": "u2"})
        bring(store, talk.write(file))
        assert brief(active(store))[-4:] == ["a:Seen.", "u:Faster", "a:Yes.", "u:Slower"]

    def test_a_command_of_the_program_and_what_it_printed_are_told_to_the_model(
        self, store: clew.Store, file: Path
    ) -> None:
        talk = simple_talk()
        shown = ["<command-name>/context</command-name>", "<local-command-stdout>12k of 200k</local-command-stdout>"]
        for number, content in enumerate(shown):
            talk.add("system", f"c{number}", subtype="local_command", content=content, level="info")
        talk.says("u3", "So much?")
        bring(store, talk.write(file))
        assert [message["content"] for message in active(store)[-3:]] == [*shown, "So much?"]
        assert {message["role"] for message in active(store)[-3:]} == {"user"}

    @pytest.mark.parametrize(
        "between",
        [
            ("system", {"subtype": "local_command", "content": "<command-name>/context</command-name>"}),
            (
                "attachment",
                {"attachment": {"type": "queued_command", "prompt": "<command-name>/context</command-name>"}},
            ),
        ],
    )
    def test_what_the_user_does_while_a_tool_runs_comes_after_its_result(
        self, store: clew.Store, file: Path, between: tuple[str, Row]
    ) -> None:
        talk = Talk()
        talk.says("u1", "List")
        talk.answers("a1", use("t1"))
        talk.add(between[0], "b1", **between[1])
        talk.results("r1", "t1")
        talk.answers("a2", "Listed.")
        bring(store, talk.write(file))
        assert [brief(messages) for messages in leaves(store)] == [
            ["u:List", "a:+t1", "t:t1", "u:<command-name>/context</command-name>", "a:Listed."]
        ]


class TestTree:
    @pytest.mark.parametrize("follows", ["a1", "a2", "a3", "r1", "r2"])
    def test_parallel_calls_are_one_line_whatever_the_next_record_points_at(
        self, store: clew.Store, file: Path, follows: str
    ) -> None:
        talk = parallel_talk()
        talk.rows[-1]["parentUuid"] = follows
        bring(store, talk.write(file))
        assert [brief(messages) for messages in leaves(store)] == [
            ["u:Look twice", "a:Looking.+t1+t2", "t:t1", "t:t2", "a:Seen."]
        ]

    def test_results_between_the_records_of_an_answer_come_after_it(self, store: clew.Store, file: Path) -> None:
        talk = parallel_talk()
        u1, a1, a2, a3, r1, r2, a4 = talk.rows
        a3["parentUuid"] = "r1"
        bring(store, talk.write(file, [u1, a1, a2, r1, a3, r2, a4]))
        assert [brief(messages) for messages in leaves(store)] == [
            ["u:Look twice", "a:Looking.+t1+t2", "t:t1", "t:t2", "a:Seen."]
        ]

    def test_progress_and_hooks_between_a_call_and_its_result_make_no_branch(
        self, store: clew.Store, file: Path
    ) -> None:
        talk = parallel_talk()
        talk.add("progress", "p1", parent="a2", data={"type": "hook_progress"})
        talk.add("attachment", "h1", parent="r1", attachment={"type": "hook_success"})
        talk.rows[4]["parentUuid"] = "p1"
        talk.rows[-3]["parentUuid"] = "h1"
        order = [*talk.rows[:4], talk.rows[7], talk.rows[4], talk.rows[8], *talk.rows[5:7]]
        bring(store, talk.write(file, order))
        assert [brief(messages) for messages in leaves(store)] == [
            ["u:Look twice", "a:Looking.+t1+t2", "t:t1", "t:t2", "a:Seen."]
        ]

    def test_the_text_of_a_skill_beside_another_result_stays_in_line(self, store: clew.Store, file: Path) -> None:
        talk = parallel_talk()
        talk.says("s1", "How the skill works", parent="r1", isMeta=True, sourceToolUseID="t1")
        talk.says("s2", "And its files", isMeta=True)
        bring(store, talk.write(file, [*talk.rows[:5], *talk.rows[7:], *talk.rows[5:7]]))
        assert [brief(messages) for messages in leaves(store)] == [
            ["u:Look twice", "a:Looking.+t1+t2", "t:t1", "t:t2", "u:How the skill works", "u:And its files", "a:Seen."]
        ]

    def test_a_rewind_leaves_a_branch_and_the_session_resumes_from_the_new_one(
        self, store: clew.Store, file: Path
    ) -> None:
        talk = simple_talk()
        talk.says("u3", "No, something else", parent="a1")
        talk.answers("a3", "Fine.")
        bring(store, talk.write(file))
        assert brief(active(store)) == ["u:Fix the bug", "a:Done.", "u:No, something else", "a:Fine."]
        assert ["u:Fix the bug", "a:Done.", "u:And the other", "a:Done, too."] in [brief(m) for m in leaves(store)]
        assert len(leaves(store)) == 2

    def test_the_active_end_is_the_last_in_the_file_that_is_not_meta(self, store: clew.Store, file: Path) -> None:
        talk = simple_talk()
        talk.says("m1", "Caveat", parent="a1", isMeta=True)
        talk.says("m2", "From a colleague", parent="a1", teamName="crew")
        bring(store, talk.write(file))
        assert brief(active(store))[-1] == "a:Done, too."

    def test_an_answer_that_was_tried_again_is_a_branch(self, store: clew.Store, file: Path) -> None:
        talk = simple_talk()
        talk.answers("a3", "Better.", parent="u2")
        bring(store, talk.write(file))
        assert sorted(brief(messages)[-1] for messages in leaves(store)) == ["a:Better.", "a:Done, too."]

    def test_another_result_of_the_same_call_is_a_branch_and_the_same_result_is_none(
        self, store: clew.Store, file: Path
    ) -> None:
        talk = parallel_talk()
        talk.results("r3", "t1", parent="a2")
        talk.answers("a5", "Again.", parent="a4")
        talk.says("r4", [result("t2", "otherwise")], parent="a3")
        bring(store, talk.write(file))
        assert sorted(brief(messages)[-1] for messages in leaves(store)) == ["a:Again.", "t:t2"]

    def test_a_late_result_stays_where_it_came(self, store: clew.Store, file: Path) -> None:
        talk = parallel_talk()
        r2 = talk.rows.pop(5)
        talk.rows[-1]["parentUuid"] = "r1"
        talk.rows.append({**r2, "parentUuid": "a4"})
        talk.last = "r2"
        talk.answers("a5", "At last.")
        bring(store, talk.write(file))
        assert [brief(messages)[2:] for messages in leaves(store)] == [["t:t1", "a:Seen.", "t:t2", "a:At last."]]

    def test_a_compaction_does_not_cut_the_history(self, store: clew.Store, file: Path) -> None:
        talk = simple_talk()
        boundary = {"subtype": "compact_boundary", "compactMetadata": {"trigger": "auto", "preTokens": 1000}}
        talk.add("system", "z1", "u1", subtype="turn_duration")  # so that the record before is another one
        talk.add("system", "c1", None, logicalParentUuid="a2", **boundary)
        talk.says("s1", "What was before", isCompactSummary=True)
        talk.answers("a3", "On.")
        talk.add("system", "c2", None, logicalParentUuid="nobody", **boundary)
        talk.says("s2", "More of it", isCompactSummary=True)
        bring(store, talk.write(file))
        found = active(store)
        assert brief(found)[3:] == ["a:Done, too.", "u:What was before", "a:On.", "u:More of it"]
        assert found[4]["compaction"] == {"trigger": "auto", "tokens_before": 1000, "covers_up_to": "a2"}
        assert len(leaves(store)) == 1

    @pytest.mark.parametrize(
        "kept",
        [
            {"preservedSegment": {"headUuid": "u2", "anchorUuid": "s1", "tailUuid": "a2"}},
            {"preservedMessages": {"anchorUuid": "s1", "uuids": ["u2", "a2"]}},
        ],
    )
    def test_what_a_compaction_kept_as_it_was_is_followed_by_what_comes_after_the_summary(
        self, store: clew.Store, file: Path, kept: Row
    ) -> None:
        talk = simple_talk()
        talk.add("system", "c1", None, subtype="compact_boundary", compactMetadata=kept)
        talk.says("s1", "What was before", isCompactSummary=True)
        talk.says("u3", "Go on", parent="a2")
        bring(store, talk.write(file))
        assert [brief(m)[3:] for m in leaves(store)] == [["a:Done, too.", "u:What was before", "u:Go on"]]
        assert active(store)[4]["compaction"] == {"summary": True}

    def test_damaged_parents_lose_no_message(self, store: clew.Store, file: Path) -> None:
        talk = simple_talk()
        u1, _, u2, _ = talk.rows
        u1["parentUuid"] = "a2"  # a cycle
        u2["parentUuid"] = "u2"
        talk.says("u3", "Lost", parent="gone")
        talk.says("u4", "Seven", parent=7)
        bring(store, talk.write(file))
        assert [brief(messages) for messages in leaves(store)] == [
            ["u:Fix the bug", "a:Done.", "u:And the other", "a:Done, too.", "u:Lost", "u:Seven"]
        ]

    def test_a_parent_may_stand_after_its_child(self, store: clew.Store, file: Path) -> None:
        talk = simple_talk()
        bring(store, talk.write(file, reversed(talk.rows)))
        assert brief(active(store)) == ["u:Fix the bug", "a:Done.", "u:And the other", "a:Done, too."]

    def test_records_without_uuids_follow_each_other(self, store: clew.Store, file: Path) -> None:
        rows = simple_talk().rows
        for row in rows:
            del row["uuid"], row["parentUuid"]
        bring(store, Talk().write(file, rows))
        assert brief(active(store)) == ["u:Fix the bug", "a:Done.", "u:And the other", "a:Done, too."]

    def test_several_roots_are_branches(self, store: clew.Store, file: Path) -> None:
        talk = simple_talk()
        talk.says("u9", "Anew", parent=None)
        bring(store, talk.write(file))
        assert brief(active(store)) == ["u:Anew"]
        assert sorted(map(len, leaves(store))) == [1, 4]


class TestFacts:
    def titled(self, store: clew.Store, file: Path, *rows: Row) -> tuple[str, str]:
        bring(store, Talk().write(file, [*simple_talk().rows, *rows]))
        session = session_of(store)
        return session.title, told(session)["import"]["title_origin"]

    def test_titles_have_their_precedence_and_the_last_one_wins(self, store: clew.Store, file: Path) -> None:
        summary = {"type": "summary", "summary": "In short", "leafUuid": "a2"}
        last = {"type": "last-prompt", "lastPrompt": "And the other"}
        named = [{"type": "ai-title", "aiTitle": "A bug"}, {"type": "ai-title", "aiTitle": "Two bugs"}]
        own = [{"type": "custom-title", "customTitle": "Mine"}, {"type": "custom-title", "customTitle": "Ours"}]
        cleared = {"type": "custom-title", "customTitle": ""}
        foreign = {**summary, "summary": "Of another session", "leafUuid": "elsewhere"}
        assert self.titled(store, file) == ("Fix the bug", "first_prompt")
        assert self.titled(store, file, foreign) == ("Fix the bug", "first_prompt")
        assert self.titled(store, file, summary, foreign) == ("In short", "generated")
        assert self.titled(store, file, {"type": "summary", "summary": "In all"}) == ("In all", "generated")
        assert self.titled(store, file, summary, last) == ("And the other", "first_prompt")
        assert self.titled(store, file, last, *named) == ("Two bugs", "generated")
        assert self.titled(store, file, *own, *named) == ("Ours", "user")
        assert self.titled(store, file, *own, *named, cleared) == ("Two bugs", "generated")

    def test_a_given_title_is_whole_however_long(self, store: clew.Store, file: Path) -> None:
        long = "Why the parser of the second generation forgets its state after a rewind, and what to do"
        assert self.titled(store, file, {"type": "ai-title", "aiTitle": long}) == (long, "generated")
        assert self.titled(store, file, {"type": "custom-title", "customTitle": f"\n{long}\x1b["})[0] == f"{long} ["

    def test_a_file_whose_beginning_was_cut_off_keeps_its_title_and_its_messages(
        self, store: clew.Store, file: Path
    ) -> None:
        talk = simple_talk()
        bring(store, talk.write(file))
        bring(store, talk.write(file, talk.rows[-1:]))
        assert session_of(store).title == "Fix the bug"
        assert ["u:Fix the bug", "a:Done.", "u:And the other", "a:Done, too."] in map(brief, leaves(store))

    @pytest.mark.parametrize(
        "boilerplate",
        [
            {"content": "Caveat: The messages below were generated by the user while running local commands."},
            {"content": "<command-name>/clear</command-name>\n<command-args></command-args>"},
            {"content": "<local-command-stdout>done</local-command-stdout>"},
            {"content": "[Request interrupted by user]"},
            {"content": [text("<system-reminder>Mind this.</system-reminder>")]},
            {"content": "Base directory for this skill", "isMeta": True},
        ],
    )
    def test_what_the_program_wrote_is_no_title_but_a_message(
        self, store: clew.Store, file: Path, boilerplate: Row
    ) -> None:
        talk = Talk()
        talk.says("u0", **boilerplate)
        talk.says("u1", [text("<system-reminder>x</system-reminder>"), text("The real one")])
        bring(store, talk.write(file))
        assert session_of(store).title == "The real one"
        assert len(active(store)) == 2

    @pytest.mark.parametrize("is_local", [False, True])
    def test_a_session_of_commands_alone_is_named_by_the_first(
        self, store: clew.Store, file: Path, is_local: bool
    ) -> None:
        talk, command = Talk(), "<command-name>/review</command-name>\n<command-args>PR 7</command-args>"
        if is_local:
            talk.add("system", "u1", subtype="local_command", content=command)
        else:
            talk.says("u1", command)
        talk.answers("a1", "Fine.")
        bring(store, talk.write(file))
        assert session_of(store).title == "/review PR 7"

    def test_a_tag_that_was_cleared_is_gone_and_what_somebody_else_noted_stays(
        self, store: clew.Store, file: Path
    ) -> None:
        talk = simple_talk()
        talk.beside("tag", tag="later")
        bring(store, talk.write(file))
        session = session_of(store)
        assert told(session)["tag"] == "later"
        store.update_session(session.id, metadata={**told(session), "own": None})
        talk.beside("tag", tag="")
        bring(store, talk.write(file))
        assert "tag" not in told(session_of(store))
        assert told(session_of(store))["own"] is None

    def test_the_session_has_its_model_branch_version_times_tag_and_origin(self, store: clew.Store, file: Path) -> None:
        talk = simple_talk()
        for row in talk.rows:
            row["forkedFrom"] = {"sessionId": OTHER, "messageUuid": f"old {row['uuid']}"}
        talk.says("u3", "New", gitBranch="feature", version="2.1.239")
        talk.beside("tag", tag="todo")
        bring(store, talk.write(file))
        session = session_of(store)
        facts = {name: value for name, value in told(session).items() if name != "import"}
        assert facts == {
            "kind": "main",
            "git": {"branch": "feature"},
            "model": "claude-opus-5",
            "tool_version": "2.1.239",
            "tag": "todo",
            "forked_from": {"session": OTHER, "message": "old a2"},
        }
        assert session.created_at.isoformat() == "2026-08-01T10:00:00+00:00"
        assert session.updated_at.isoformat() == "2026-08-01T10:04:00+00:00"

    def test_the_working_directory_is_the_one_that_the_session_is_resumed_in(
        self, store: clew.Store, file: Path
    ) -> None:
        talk = simple_talk()
        talk.rows[0]["cwd"] = "/started/elsewhere"
        talk.says("u3", "In a folder below", cwd=f"{CWD}/src")
        bring(store, talk.write(file))
        assert session_of(store).cwd == CWD  # whose folder the file is in
        talk.beside("relocated", relocatedCwd="/moved/to")
        bring(store, talk.write(file))
        assert session_of(store).cwd == "/moved/to"

    def test_a_long_working_directory_is_known_by_its_beginning(self, store: clew.Store, tmp_path: Path) -> None:
        cwd = "/home/" + "x" * 250
        talk = Talk(cwd=cwd)
        talk.says("u0", "First", cwd="/other")
        talk.says("u1", "Then")
        bring(store, talk.write(tmp_path / f"{cwd.replace('/', '-')[:200]}-abc123" / f"{SESSION}.jsonl"))
        assert session_of(store).cwd == cwd


class TestSubagents:
    PROMPT = "Find the TODOs"

    def parent(self) -> Talk:
        talk = Talk()
        talk.says("u1", "Delegate")
        task = use("t1", "Task", description="Find things", subagent_type="Explore", prompt=self.PROMPT)
        talk.answers("a1", task)
        return talk

    def agent(self, agent_id: str | None = "abc12345") -> Talk:
        named = {"agentId": agent_id} if agent_id else {}
        talk = Talk(isSidechain=True, **named)
        talk.says("x1", self.PROMPT)
        talk.answers("x2", use("y1"))
        talk.results("x3", "y1")
        talk.answers("x4", "Three.")
        return talk

    @pytest.mark.parametrize("place", [f"{SESSION}/subagents", f"{SESSION}/subagents/workflows/run1", "."])
    def test_a_subagents_file_is_a_child_session(self, store: clew.Store, file: Path, place: str) -> None:
        parent = self.parent()
        parent.results("r1", "t1")
        parent.rows[-1]["toolUseResult"] = {"agentId": "abc12345"}
        parent.write(file)
        self.agent().write(file.parent / place / "agent-abc12345.jsonl")
        report = bring(store, file.parents[1])
        assert (report.sessions_created, report.broken) == (2, ())
        child = session_of(store, f"{SESSION}/agent-abc12345")
        assert child.parent_session_id == session_of(store).id
        assert child.title == "Find things"
        assert told(child)["kind"] == "subagent"
        assert told(child)["agent_type"] == "Explore"
        assert told(child)["tool_call_id"] == "t1"
        assert brief(active(store, f"{SESSION}/agent-abc12345")) == ["u:" + self.PROMPT, "a:+y1", "t:y1", "a:Three."]
        assert brief(active(store)) == ["u:Delegate", "a:+t1", "t:t1"]

    def test_the_sidecar_says_whose_the_subagent_is(self, store: clew.Store, file: Path) -> None:
        self.parent().write(file)
        folder = file.parent / SESSION / "subagents"
        self.agent().write(folder / "agent-abc12345.jsonl")
        self.agent("inner").write(folder / "agent-inner.jsonl")
        meta = {"agentType": "fork", "toolUseId": "t1", "parentAgentId": "abc12345", "spawnDepth": 2}
        (folder / "agent-inner.meta.json").write_text(json.dumps(meta))
        (folder / "agent-abc12345.meta.json").write_text("[broken")
        bring(store, file.parent)
        inner, outer = session_of(store, f"{SESSION}/agent-inner"), session_of(store, f"{SESSION}/agent-abc12345")
        assert inner.parent_session_id == outer.id
        assert outer.parent_session_id == session_of(store).id
        assert (told(inner)["agent_type"], told(inner)["tool_call_id"]) == ("fork", "t1")

    def test_a_subagents_file_given_alone_is_the_same_session(self, store: clew.Store, file: Path) -> None:
        self.parent().write(file)
        agent = self.agent().write(file.parent / SESSION / "subagents" / "agent-abc12345.jsonl")
        bring(store, file)
        bring(store, agent)
        assert bring(store, file.parent).sessions_unchanged == 2
        assert session_of(store, f"{SESSION}/agent-abc12345").parent_session_id == session_of(store).id

    def test_sidechains_within_a_file_are_child_sessions_by_their_roots(self, store: clew.Store, file: Path) -> None:
        parent, first, second = self.parent(), self.agent(None), self.agent(None)
        for row in second.rows:
            row["uuid"] = f"second {row['uuid']}"
            row["parentUuid"] = row["parentUuid"] and f"second {row['parentUuid']}"
        second.rows[0]["message"]["content"] = "Warmup"
        mixed = [row for pair in zip(first.rows, second.rows, strict=True) for row in pair]
        parent.results("r1", "t1")
        rows = [*parent.rows[:2], *mixed, parent.rows[2]]
        report = bring(store, parent.write(file, rows))
        assert report.sessions_created == 3
        assert brief(active(store)) == ["u:Delegate", "a:+t1", "t:t1"]
        child, warmup = session_of(store, f"{SESSION}/x1"), session_of(store, f"{SESSION}/second x1")
        assert {child.parent_session_id, warmup.parent_session_id} == {session_of(store).id}
        assert (child.title, told(child)["tool_call_id"]) == ("Find things", "t1")
        assert (warmup.title, told(warmup).get("tool_call_id")) == ("Warmup", None)
        assert len(active(store, f"{SESSION}/x1")) == 4
        kept = [kept_records(store, id) for id in (SESSION, f"{SESSION}/x1", f"{SESSION}/second x1")]
        assert sorted(text for texts in kept for text in texts) == sorted(lines(rows).splitlines())

    def test_a_sidechain_that_points_into_the_main_chain_does_not_bridge_it(
        self, store: clew.Store, file: Path
    ) -> None:
        parent, agent = self.parent(), self.agent(None)
        agent.rows[0]["parentUuid"] = "a1"
        parent.results("r1", "t1", parent="x4")
        bring(store, parent.write(file, [*parent.rows[:2], *agent.rows, parent.rows[2]]))
        assert brief(active(store)) == ["u:Delegate", "a:+t1", "t:t1"]

    def test_a_file_of_a_subagent_under_another_name_is_its_session(self, store: clew.Store, tmp_path: Path) -> None:
        report = bring(store, self.agent().write(tmp_path / "copy.jsonl"))
        assert report.sessions_created == 1
        assert told(session_of(store, f"{SESSION}/agent-abc12345"))["kind"] == "subagent"


class TestFinding:
    def test_the_default_places_are_found(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        simple_talk().write(tmp_path / ".claude" / "projects" / FOLDER / f"{SESSION}.jsonl")
        moved = simple_talk().write(tmp_path / "conf" / "projects" / FOLDER / f"{SESSION}.jsonl").parents[1]
        monkeypatch.setenv("CLAUDE_CONFIG_DIR", str(tmp_path / "conf"))
        importer = ClaudeCodeImporter()
        assert importer.locations(tmp_path) == [tmp_path / ".claude" / "projects"]
        monkeypatch.setenv("HOME", str(tmp_path))
        assert importer.locations(tmp_path) == [moved]
        assert ("claude-code", moved) in [(found.name, path) for found, path in discover(tmp_path)]

    @pytest.mark.parametrize(
        "rows",
        [
            [],
            [b"not JSON"],
            [{"display": "fix", "pastedContents": {}, "timestamp": 1, "project": CWD, "sessionId": SESSION}],
            [{"type": "session_meta", "timestamp": "2026-08-01T10:00:00Z", "payload": {"id": SESSION}}],
            [{"type": "session", "version": 3, "id": SESSION, "timestamp": "2026-08-01T10:00:00Z", "cwd": CWD}],
            [{"role": "user", "content": "hi"}],
            [{"sessionId": SESSION, "projectHash": "x"}, {"id": "1", "type": "user", "content": "hi"}],
            [
                {"uuid": "0", "parentUuid": None, "sessionId": SESSION, "type": "system", "subtype": "x"},
                {"uuid": "1", "parentUuid": "0", "sessionId": SESSION, "type": "user", "message": {"parts": []}},
            ],
        ],
    )
    def test_other_files_are_not_taken_for_its(self, file: Path, rows: list[Any]) -> None:
        Talk().write(file, rows)
        assert not ClaudeCodeImporter().detect(file)
        assert not ClaudeCodeImporter().detect(file.parent)
        assert not ClaudeCodeImporter().detect(file.with_name("gone"))

    def test_files_and_folders_are_known_by_what_they_hold(self, tmp_path: Path) -> None:
        talk = Talk()
        talk.beside("permission-mode", permissionMode="plan")
        talk.rows += simple_talk().rows
        file = talk.write(tmp_path / "a" / "kept.jsonl")
        assert find_importer(file).name == "claude-code"
        assert find_importer(tmp_path).name == "claude-code"

    def test_a_folder_brings_its_sessions_and_nothing_else(self, store: clew.Store, tmp_path: Path) -> None:
        folder = tmp_path / "projects" / FOLDER
        simple_talk().write(folder / f"{SESSION}.jsonl")
        older = simple_talk()
        older.write(folder / "backup.jsonl", older.rows[:2])
        Talk(sessionId=OTHER).write(folder / "lone.jsonl", [{**row, "sessionId": OTHER} for row in older.rows])
        Talk().write(
            folder / "00000000-2222-4333-8444-555555555555.jsonl",
            [{"type": "summary", "summary": "x", "leafUuid": "y"}],
        )
        Talk().write(tmp_path / "history.jsonl", [{"display": "fix", "project": CWD}])
        (folder / "22222222-2222-4333-8444-555555555555.jsonl").touch()
        report = bring(store, tmp_path)
        assert (report.sessions_created, report.broken) == (2, ())
        assert brief(active(store))[-1] == "a:Done, too."
        assert session_of(store, OTHER).title == "Fix the bug"

    @pytest.mark.parametrize("place", [f"{OTHER}.jsonl", f"{SESSION}/subagents/agent-a1.jsonl"])
    @pytest.mark.parametrize("content", [b"\0" * 900, b"not JSON\n", b'{"type":"us'])
    def test_a_transcript_that_nobody_can_read_is_named_and_the_others_come(
        self, store: clew.Store, file: Path, place: str, content: bytes
    ) -> None:
        simple_talk().write(file)
        damaged = file.parent / place
        damaged.parent.mkdir(parents=True, exist_ok=True)
        damaged.write_bytes(content)
        report = bring(store, file.parent)
        assert report.sessions_created == 1
        assert "no message that could be read" in str(report.broken[0])
        assert damaged.name in str(report.broken[0])

    def test_a_copy_under_another_name_is_read_when_it_is_named(self, store: clew.Store, file: Path) -> None:
        simple_talk().write(file)
        longer = simple_talk()
        longer.says("u3", "More")
        bring(store, file)
        report = bring(store, longer.write(file.with_name("backup.jsonl")))
        assert (report.sessions_updated, brief(active(store))[-1]) == (1, "u:More")

    def test_a_session_of_types_that_are_not_known_is_an_error(self, store: clew.Store, file: Path) -> None:
        rows = [{**row, "type": f"{row['type']}_v9"} for row in simple_talk().rows]
        Talk().write(file, rows)
        for path in (file, file.parent):
            with pytest.raises(InvalidRequestError, match="2 user_v9, 2 assistant_v9"):
                bring(store, path)
        assert not store.list_sessions().items


class TestAgain:
    def grown(self) -> Talk:
        """Everything that a file may come to hold."""
        talk = parallel_talk()
        talk.beside("custom-title", customTitle="Mine")
        talk.says("u2", "Rewound", parent="a4")
        talk.answers("a5", "Away.")
        talk.says("u3", "Instead", parent="a4")
        talk.answers("a6", use("t3"), id="m6")
        talk.results("r3", "t3")
        talk.add("system", "c1", None, subtype="compact_boundary", logicalParentUuid="r3")
        talk.says("s1", "Summary", isCompactSummary=True)
        talk.answers("a7", "End.")
        return talk

    def test_a_second_import_changes_nothing(self, store: clew.Store, file: Path) -> None:
        self.grown().write(file)
        bring(store, file)
        before = leaves(store)
        session = session_of(store)
        report = bring(store, file)
        assert (report.sessions_unchanged, report.checkpoints_created) == (1, 0)
        assert (leaves(store), session_of(store)) == (before, session)

    def test_a_file_that_grows_brings_only_what_is_new_and_ends_like_one_import(self, file: Path) -> None:
        rows = self.grown().rows
        whole = [i + 1 for i, (row, later) in enumerate(pairwise(rows)) if not self.is_within_answer(row, later)]
        with clew.open(":memory:") as grown, clew.open(":memory:") as at_once:
            for end in (*whole, len(rows)):
                report = bring(grown, Talk().write(file, rows[:end]))
                assert report.broken == ()
            bring(at_once, file)
            wanted = leaves(at_once)
            assert all(messages in leaves(grown) for messages in wanted)
            assert active(grown) == active(at_once)
            assert len(leaves(grown)) == len(wanted)
            assert kept_records(grown) == lines(rows).splitlines()

    @staticmethod
    def is_within_answer(row: Row, later: Row) -> bool:
        ids = [fields.get("message", {}).get("id") for fields in (row, later)]
        return ids[0] is not None and ids[0] == ids[1]

    def test_a_torn_last_line_is_read_when_it_is_whole(self, store: clew.Store, file: Path) -> None:
        whole = simple_talk().write(file).read_bytes()
        file.write_bytes(whole[:-40])
        report = bring(store, file)
        assert (report.messages, report.broken) == (3, ())
        file.write_bytes(whole)
        assert bring(store, file).checkpoints_created == 1
        assert [brief(m)[-1] for m in leaves(store)] == ["a:Done, too."]

    def test_the_source_is_left_as_it_is(self, store: clew.Store, file: Path) -> None:
        self.grown().write(file)
        TestSubagents().agent().write(file.parent / SESSION / "subagents" / "agent-abc12345.jsonl")

        def state() -> list[tuple[Path, bytes, int]]:
            found = (path for path in sorted(file.parents[1].rglob("*")))
            return [(p, p.read_bytes() if p.is_file() else b"", p.stat().st_mtime_ns) for p in found]

        before = state()
        bring(store, file.parents[1])
        assert state() == before

    def test_kept_records_give_the_same_sessions_without_the_source(self, store: clew.Store, file: Path) -> None:
        parent = TestSubagents().parent()
        agent = TestSubagents().agent(None)
        parent.write(file, [*parent.rows, *agent.rows])
        bring(store, file)
        child = f"{SESSION}/x1"

        def state() -> list[Any]:
            sessions = [session_of(store), session_of(store, child)]
            return [[(s.title, s.cwd, told(s)) for s in sessions], leaves(store), leaves(store, child)]

        before = state()
        file.unlink()
        (report,) = reimport(store)
        assert (report.broken, report.checkpoints_created, report.sessions) == ((), 0, 2)
        assert state() == before


class TestTolerance:
    def test_unknown_types_are_counted_and_kept_and_do_not_cut_the_chain(self, store: clew.Store, file: Path) -> None:
        talk = simple_talk()
        talk.add("novelty", "n1")
        talk.add("system", "n2", subtype="news")
        talk.add("attachment", "n3", attachment={"type": "gift"})
        talk.says("u3", [{"type": "hologram", "text": "shown"}])
        talk.beside("mode", mode="plan")
        rows = [*talk.rows, b"{broken", b"7"]
        report = bring(store, talk.write(file, rows))
        assert report.unknown == {
            "novelty": 1,
            "system news": 1,
            "attachment gift": 1,
            "content block hologram": 1,
            "no object": 1,
        }
        (broken,) = report.broken
        assert "is not JSON" in broken.why
        assert brief(active(store))[-2:] == ["a:Done, too.", "u:shown"]
        assert kept_records(store) == lines(rows).splitlines()

    def test_a_lone_surrogate_is_no_reason_to_lose_a_message(self, store: clew.Store, file: Path) -> None:
        talk = simple_talk()
        talk.rows[1]["message"]["content"][0]["text"] = "half \ud83d"
        report = bring(store, talk.write(file))
        assert report.messages == 4

    def test_a_wait_for_more_of_an_answer_has_an_end(self, file: Path) -> None:
        """A record of an answer that was written anew a thousand records later does not hold all of them back."""
        talk = Talk()
        talk.says("u0", "Go")
        talk.answers("a0", "Begin", id="m")
        for number in range(1, 1_200):
            talk.says(f"u{number}", "x")
        talk.answers("a0", "Begin, and more", id="m", parent="u0")
        talk.write(file)
        parsed = ClaudeCodeImporter().parse(LineRecords(file), {}, Notes())
        first = [next(parsed.steps) for _ in range(3)]
        assert [len(step.records) for step in first] == [1, 1, 1]

    @settings(max_examples=60, deadline=None, phases=(Phase.explicit, Phase.reuse, Phase.generate))
    @given(
        st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 10_000), st.integers(0, 30)), min_size=1, max_size=12)
    )
    def test_values_of_any_kind_anywhere_are_only_noted(
        self, tmp_path_factory: pytest.TempPathFactory, changes: list[tuple[int, int, int]]
    ) -> None:
        rows = json.loads(EVERYTHING)
        for row, place, value in changes:
            replace(rows[row % len(rows)], place, value)
        file = Talk().write(tmp_path_factory.mktemp("any") / f"{SESSION}.jsonl", rows)
        importer, notes, seen = ClaudeCodeImporter(), Notes(), []
        importer.detect(file)
        for source in importer.sources(file, notes):
            parsed = importer.parse(source.records, source.context, notes)
            keys: set[str | None] = {None}
            for step in parsed.steps:
                seen += [record.text for record in step.records]
                if isinstance(step, Step):
                    assert step.parent in keys
                    assert step.key not in keys
                    keys.add(step.key)
            assert parsed.active in keys
        assert sorted(seen) == sorted(lines(rows).splitlines())


EVERYTHING = json.dumps(TestAgain().grown().rows + TestSubagents().agent().rows)
ANYTHING: tuple[Any, ...] = (
    *(None, True, -3, 1e300, "", "\ud800", "\0", "2026-01-01", [], {}),
    *("u1", "a1", "a3", "m", "t1", "x1", "tool_use", "tool_result", "user", "assistant", "system"),
    [{"type": "tool_use", "id": []}, 3, "x", {"type": {}}],
    {"type": [], "source": 5, "id": {"a": 1}},
)


def replace(row: Any, place: int, value: int) -> None:
    """Put another value at some place of a record, or, where there is no value of this number, take it away."""
    places = list(places_of(row))
    if not places:
        return
    above, key = places[place % len(places)]
    if value < len(ANYTHING):
        above[key] = copy.deepcopy(ANYTHING[value])
    else:
        del above[key]


def places_of(value: Any) -> Iterator[tuple[Any, Any]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield value, key
        yield from places_of(inner)


class TestSamples:
    """Files that Claude Code has written itself, counted by hand."""

    def test_a_transcript_with_sidechains(self, store: clew.Store) -> None:
        file = samples("claude-code") / "5c0375b4-57a5-4f26-b12d-d022ee4e51b7.jsonl"
        report = bring(store, file)
        assert (report.sessions_created, report.broken, report.unknown) == (3, (), {})
        main = file.stem
        assert len(active(store, main)) == 25
        assert len(leaves(store, main)) == 1
        assert session_of(store, main).title.startswith("/orchestrator @CLAUDE.md")
        children = {
            session.title: (len(active(store, str(session.source_id))), told(session)["tool_call_id"])
            for session in store.list_sessions().items
            if session.parent_session_id == session_of(store, main).id
        }
        assert children == {
            "Check package configuration": (6, "toolu_014YF9TXhDRR7BnpasNJ7gjC"),
            "Analyze current project structure": (14, "toolu_01LKfUwrsnof18CpWZQcJH44"),
        }

    def test_a_subagent_beside_its_parent(self, store: clew.Store) -> None:
        report = bring(store, samples("claude-code") / "subagent_layout")
        assert (report.sessions_created, report.messages) == (2, 5)

    def test_a_line_that_was_cut(self, store: clew.Store) -> None:
        report = bring(store, samples("claude-code") / "truncated.jsonl")
        assert (report.messages, len(report.broken)) == (2, 1)
        assert session_of(store, "truncated").title == "hello"

    def test_every_type_of_record_is_known(self, store: clew.Store) -> None:
        file = samples("claude-code") / "schema_coverage_2.1.239.jsonl"
        report = bring(store, file)
        assert (report.unknown, report.broken, report.sessions) == ({}, (), 2)
        assert session_of(store, "ses_stage0_small").title == "Stage0 small fixture"
