"""The promises of the import of OpenCode's sessions."""

import json
import random
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.importers.databases import changed, damage, load, make, put, run, spoil
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
from clew.importers import find_importer
from clew.importers.opencode import OpenCodeImporter
from clew.importers.records import ListedRecords
from clew.importers.reimport import reimport
from clew.importers.steps import Notes

OPENCODE = OpenCodeImporter()
SESSION = """id TEXT PRIMARY KEY, project_id TEXT, parent_id TEXT, directory TEXT, title TEXT, version TEXT,
share_url TEXT, revert TEXT, time_created INTEGER, time_updated INTEGER, time_archived INTEGER, agent TEXT,
model TEXT"""
FIRST = {
    "project": "id TEXT PRIMARY KEY, worktree TEXT",
    "session": SESSION,
    "message": "id TEXT PRIMARY KEY, session_id TEXT, time_created INTEGER, time_updated INTEGER, data TEXT",
    "part": "id TEXT PRIMARY KEY, message_id TEXT, session_id TEXT, time_created INTEGER, time_updated INTEGER, "
    "data TEXT",
    "todo": "session_id TEXT, content TEXT, position INTEGER",
}
SECOND = {
    "session_v2": f"{SESSION}, fork_session_id TEXT, fork_boundary TEXT",
    "session_message": "id TEXT PRIMARY KEY, session_id TEXT, type TEXT, seq INTEGER, time_created INTEGER, "
    "time_updated INTEGER, data TEXT",
}
AT = 1_780_000_000_000
TOKENS = {"input": 100, "output": 20, "reasoning": 5, "cache": {"read": 40, "write": 10}}
USAGE = {
    "prompt_tokens": 150,
    "completion_tokens": 25,
    "prompt_tokens_details": {"cached_tokens": 40},
    "completion_tokens_details": {"reasoning_tokens": 5},
    "cache_creation_tokens": 10,
    "cost": 0.5,
}
WHY_DAMAGED = "the column data is not JSON"
PIXEL = "data:image/png;base64,AAAA"


class Talk:
    """A database of 1.x in which somebody talks."""

    def __init__(self, path: Path, *, wal: bool = False) -> None:
        self.path = make(path, FIRST | SECOND, wal=wal)
        self._count = 0
        self.session("ses_1", title="Rename a file")

    def session(self, id: str, **more: Any) -> None:
        told = {"id": id, "directory": "/work/app", "version": "1.2.3", "time_created": AT, "time_updated": AT, **more}
        put(self.path, "session", told)

    def says(self, *parts: dict[str, Any], role: str = "user", session: str = "ses_1", **info: Any) -> str:
        self._count += 1
        id, at = f"msg_{self._count:03}", AT + self._count * 1000
        data = {"role": role, "time": {"created": at}, **info}
        row = {"id": id, "session_id": session, "time_created": at, "time_updated": at, "data": data}
        put(self.path, "message", row)
        self.adds(id, *parts, session=session)
        return id

    def adds(self, message: str, *parts: dict[str, Any], session: str = "ses_1") -> None:
        for part in parts:
            self._count += 1
            id, at = part.pop("id", f"prt_{self._count:03}"), AT + self._count * 1000
            row = {"id": id, "message_id": message, "session_id": session, "time_created": at, "time_updated": at}
            put(self.path, "part", {**row, "data": part})

    def answers(self, *parts: dict[str, Any], **info: Any) -> str:
        return self.says(*parts, role="assistant", **{"modelID": "m1", "providerID": "p", **info})

    def reverts(self, message: str | None, part: str | None = None) -> None:
        revert = json.dumps({"messageID": message, "partID": part}) if message else None
        put(self.path, "session", {"id": "ses_1", "directory": "/work/app", "title": "Rename a file", "revert": revert})


def text(said: str, **more: Any) -> dict[str, Any]:
    return {"type": "text", "text": said, **more}


def tool(call: str, status: str = "completed", **state: Any) -> dict[str, Any]:
    held = {"status": status, "input": {"command": "ls"}, "time": {"start": AT, "end": AT + 10}, **state}
    return {"type": "tool", "callID": call, "tool": "bash", "state": held}


def step(*parts: dict[str, Any], **finish: Any) -> list[dict[str, Any]]:
    end = {"type": "step-finish", "reason": "stop", "cost": 0.5, "tokens": TOKENS, **finish}
    return [{"type": "step-start", "snapshot": "9f"}, *parts, end]


@pytest.fixture
def store() -> Iterator[clew.Store]:
    with clew.open(":memory:") as opened:
        yield opened


@pytest.fixture
def talk(tmp_path: Path) -> Talk:
    (tmp_path / "data").mkdir()
    return Talk(tmp_path / "data" / "opencode.db")


def imported(store: clew.Store, path: Path) -> list[dict[str, Any]]:
    OPENCODE.run(store, path)
    assert list(store.verify()) == []
    return conversation(store)


class TestMessagesOfTheFirstGeneration:
    def test_an_answer_is_one_message_a_step_and_each_tools_result_follows(self, store: clew.Store, talk: Talk) -> None:
        talk.says(text("rename it"))
        answer = talk.answers(
            *step({"type": "reasoning", "text": "hm"}, text("I will."), tool("c1", output="a"), tool("c2", output="b")),
            *step(text("Done.")),
            {"type": "patch", "hash": "x", "files": []},
        )
        made = imported(store, talk.path)
        assert texts(made) == ["rename it", "I will./bash,bash", "a", "b", "Done."]
        assert made[1] == {
            "role": "assistant",
            "content": "I will.",
            "tool_calls": [
                {"id": id, "type": "function", "function": {"name": "bash", "arguments": '{"command":"ls"}'}}
                for id in ("c1", "c2")
            ],
            "reasoning_content": "hm",
            "stop_reason": "stop",
            "id": answer,
            "timestamp": "2026-05-28T20:26:43Z",
            "model": "m1",
            "usage": USAGE,
        }
        assert made[2]["tool_call_id"] == "c1"
        assert (made[2]["name"], made[3]["tool_call_id"], made[4]["usage"]) == ("bash", "c2", USAGE)

    def test_what_is_said_after_a_result_is_another_message_where_no_step_is_marked(
        self, store: clew.Store, talk: Talk
    ) -> None:
        talk.says(text("x"))
        talk.answers(tool("c1", output="a"), text("Found."), cost=0.5, tokens=TOKENS)
        made = imported(store, talk.path)
        assert texts(made) == ["x", "bash", "a", "Found."]
        assert "usage" not in made[1]
        assert made[3]["usage"] == USAGE

    def test_what_is_said_while_a_tool_runs_is_of_the_same_step(self, store: clew.Store, talk: Talk) -> None:
        later = {"start": AT, "end": AT + 10**6}
        talk.says(text("x"))
        talk.answers(*step(text("one"), tool("c1", output="a", time=later), text("two"))[:-1], *step(text("three")))
        assert texts(imported(store, talk.path)) == ["x", "one+two/bash", "a", "three"]

    def test_a_tool_that_failed_and_those_that_were_interrupted(self, store: clew.Store, talk: Talk) -> None:
        talk.says(text("x"))
        talk.answers(
            *step(
                tool("c1", "error", error="no such file"),
                tool("c2", "running"),
                tool("c3", "pending", input={}, raw='{"comm'),
                tool("c4", "error", error="stopped", metadata={"output": "half"}),
            )
        )
        made = imported(store, talk.path)
        assert [(m["tool_call_id"], m["content"], m.get("is_error")) for m in made[2:]] == [
            ("c1", "no such file", True),
            ("c4", "half", True),
        ]
        assert [call["function"]["arguments"] for call in made[1]["tool_calls"]][2] == '{"comm'

    def test_a_tool_without_a_status_has_ended_where_it_says_how(self, store: clew.Store, talk: Talk) -> None:
        ends: list[dict[str, str]] = [{"output": "done"}, {"error": "gone"}, {}]
        parts = [{"type": "tool", "callID": f"c{n}", "tool": "t", "state": end} for n, end in enumerate(ends)]
        talk.answers(*parts)
        made = imported(store, talk.path)[1:]
        assert [(m["tool_call_id"], m["content"], m.get("is_error")) for m in made] == [
            ("c0", "done", None),
            ("c1", "gone", True),
        ]

    def test_files_of_the_user_and_of_tools(self, store: clew.Store, talk: Talk) -> None:
        talk.says(
            text("see"),
            {"type": "file", "mime": "image/png", "url": PIXEL, "filename": "a.png"},
            {"type": "file", "mime": "application/pdf", "url": "data:application/pdf;base64,BB", "filename": "b.pdf"},
            {"type": "file", "mime": "text/plain", "url": "file:///work/app/c%20d.txt", "filename": "c d.txt"},
            text("Called the Read tool", synthetic=True),
            text("for the eye only", ignored=True),
            {"type": "agent", "name": "plan"},
        )
        attached = [{"type": "file", "mime": "image/png", "url": PIXEL}]
        talk.answers(*step(tool("c1", output="a", attachments=attached)))
        asked, _, result = imported(store, talk.path)
        assert asked["content"] == [
            {"type": "text", "text": "see"},
            {"type": "image_url", "image_url": {"url": PIXEL}},
            {
                "type": "file",
                "file": {
                    "file_data": "data:application/pdf;base64,BB",
                    "filename": "b.pdf",
                    "media_type": "application/pdf",
                },
            },
            {
                "type": "file",
                "file": {"filename": "c d.txt", "path": "/work/app/c d.txt", "media_type": "text/plain"},
            },
            {"type": "text", "text": "Called the Read tool"},
        ]
        assert "synthetic" not in asked
        assert result["content"][1] == {"type": "image_url", "image_url": {"url": PIXEL}}

    def test_output_that_is_no_longer_sent_to_the_model_stays(self, store: clew.Store, talk: Talk) -> None:
        talk.says(text("x"))
        talk.answers(*step(tool("c1", output="long", time={"start": AT, "end": AT, "compacted": AT + 5})))
        assert imported(store, talk.path)[2]["content"] == "long"

    def test_an_answer_that_failed_says_why(self, store: clew.Store, talk: Talk) -> None:
        talk.says(text("x"))
        talk.answers(text("hal"), error={"name": "MessageAbortedError", "data": {"message": "aborted"}})
        talk.answers(error={"name": "APIError", "data": {"message": "overloaded"}})
        made = imported(store, talk.path)
        assert len(made) == 2
        assert made[1]["error"] == {"name": "MessageAbortedError", "message": "aborted"}
        assert made[1]["status"] == "aborted"


class TestWhereAConversationGoesOn:
    def test_after_a_compaction_it_is_the_summary_and_what_was_kept(self, store: clew.Store, talk: Talk) -> None:
        talk.says(text("one"))
        talk.answers(*step(text("first")))
        kept = talk.says(text("two"))
        talk.answers(*step(text("second")))
        asked = talk.says({"type": "compaction", "auto": True, "tail_start_id": kept})
        talk.answers(*step(text("so far")), summary=True, finish="stop", parentID=asked)
        talk.says(text("three"))
        made = imported(store, talk.path)
        assert texts(made) == ["What did we do so far?", "so far", "two", "second", "three"]
        assert made[1]["compaction"] == {"reason": "auto"}
        (first, *_) = [c for c in store.list_checkpoints(only_session(store).id).items if c.message_count]
        assert texts(store.get_messages(first.id))[0] == "one"

    def test_a_summary_that_failed_does_not_count(self, store: clew.Store, talk: Talk) -> None:
        talk.says(text("one"))
        talk.says({"type": "compaction", "auto": False})
        talk.answers(text("so"), summary=True, error={"name": "APIError"})
        assert texts(imported(store, talk.path)) == ["one", "What did we do so far?", "so"]

    def test_what_is_reverted_is_a_branch_and_what_is_before_it_goes_on(self, store: clew.Store, talk: Talk) -> None:
        talk.says(text("one"))
        talk.answers(*step(tool("c1", output="a")), *step(text("first")))
        taken_back = talk.says(text("two"))
        talk.answers(*step(text("second")))
        talk.reverts(taken_back)
        assert texts(imported(store, talk.path)) == ["one", "bash", "a", "first"]
        assert leaves(store) == [["one", "bash", "a", "first", "two", "second"]]
        run(talk.path, f"DELETE FROM message WHERE id >= '{taken_back}'")
        talk.reverts(None)
        talk.says(text("three"))
        assert texts(imported(store, talk.path)) == ["one", "bash", "a", "first", "three"]
        assert leaves(store) == [["one", "bash", "a", "first", "three"], ["one", "bash", "a", "first", "two", "second"]]

    def test_so_are_the_parts_of_an_answer_from_one_on(self, store: clew.Store, talk: Talk) -> None:
        talk.says(text("one"))
        answer = talk.answers(*step(text("first"), {**text("rest"), "id": "prt_cut"}))
        talk.reverts(answer, "prt_cut")
        assert texts(imported(store, talk.path)) == ["one", "first"]
        assert ["one", "first", "rest"] in leaves(store)

    def test_where_all_is_reverted_nothing_is_left(self, store: clew.Store, talk: Talk) -> None:
        first = talk.says(text("one"))
        talk.reverts(first)
        assert imported(store, talk.path) == []
        assert leaves(store) == [["one"]]


class TestTheSecondGeneration:
    @pytest.fixture
    def entries(self, talk: Talk) -> Talk:
        put(talk.path, "session_v2", {"id": "ses_1", "directory": "/work/app", "title": "Newer", "version": "2.0.25"})
        told: list[tuple[str, dict[str, Any]]] = [
            ("system", {"text": "be good"}),
            ("user", {"text": "list", "files": [{"uri": PIXEL, "mime": "image/png", "name": "a.png"}]}),
            ("model-switched", {"model": {"id": "m2"}}),
            (
                "assistant",
                {
                    "model": {"id": "m2", "providerID": "p"},
                    "cost": 0.5,
                    "tokens": TOKENS,
                    "content": [
                        {"type": "reasoning", "text": "hm"},
                        {
                            "type": "tool",
                            "id": "c1",
                            "name": "shell",
                            "state": {
                                "status": "completed",
                                "input": {"a": 1},
                                "content": [{"type": "text", "text": "out"}, {"type": "file", "uri": PIXEL}],
                            },
                        },
                        {"type": "tool", "id": "c2", "name": "shell", "state": {"status": "streaming", "input": '{"a'}},
                        {
                            "type": "tool",
                            "id": "c3",
                            "name": "read",
                            "state": {"status": "error", "input": {}, "error": {"type": "x", "message": "gone"}},
                        },
                    ],
                },
            ),
            ("synthetic", {"text": "a reminder"}),
            ("shell", {"command": "pwd", "status": "exited", "output": {"output": "/work"}}),
            ("assistant", {"model": {"id": "m2"}, "content": [{"type": "text", "text": "done"}]}),
            ("idle", {"outcome": "succeeded"}),
        ]
        for seq, (kind, data) in enumerate(told):
            entry(talk, seq, kind, data)
        return talk

    def test_each_entry_is_a_step(self, store: clew.Store, entries: Talk) -> None:
        made = imported(store, entries.path)
        assert texts(made) == [
            *("be good", "list+image_url", "shell,shell,read", "out+image_url", "gone", "a reminder"),
            *("$ pwd\n/work", "done"),
        ]
        assert [message["role"] for message in made] == [
            *("system", "user", "assistant", "tool", "tool", "user", "user", "assistant"),
        ]
        assert (made[2]["usage"], made[2]["model"], made[4]["is_error"]) == (USAGE, "m2", True)
        assert made[2]["tool_calls"][1]["function"]["arguments"] == '{"a'
        assert described(only_session(store)) == {"kind": "main", "model": "m2", "tool_version": "2.0.25"}

    def test_it_wins_over_the_first_for_a_session_that_is_in_both(self, store: clew.Store, entries: Talk) -> None:
        entries.says(text("the state of then"))
        entries.session("ses_2", title="Only here")
        entries.says(text("of before"), session="ses_2")
        OPENCODE.run(store, entries.path)
        assert texts(conversation(store, session_of(store, "opencode", "ses_1")))[-1] == "done"
        assert session_of(store, "opencode", "ses_1").title == "Newer"
        assert texts(conversation(store, session_of(store, "opencode", "ses_2"))) == ["of before"]

    def test_a_session_without_an_entry_has_its_messages_of_the_first(self, store: clew.Store, talk: Talk) -> None:
        put(talk.path, "session_v2", {"id": "ses_1", "title": "Carried over"})
        talk.says(text("of before"))
        assert texts(imported(store, talk.path)) == ["of before"]
        assert only_session(store).title == "Carried over"

    def test_switches_alone_do_not_hide_the_messages_of_the_first(self, store: clew.Store, talk: Talk) -> None:
        talk.says(text("of before"))
        entry(talk, 90, "agent-switched", {"agent": "build"})
        entry(talk, 91, "model-switched", {"model": {"id": "m2"}})
        assert texts(imported(store, talk.path)) == ["of before"]
        entry(talk, 92, "user", {"text": "of before"})
        entry(talk, 93, "assistant", {"content": [{"type": "text", "text": "newer"}]})
        assert texts(imported(store, talk.path)) == ["of before", "newer"]

    def test_commands_and_attachments_as_its_first_versions_have_them(self, store: clew.Store, talk: Talk) -> None:
        put(talk.path, "session_v2", {"id": "ses_1", "title": "Newer"})
        entry(talk, 1, "shell", {"shell": {"id": "s", "command": "pwd"}, "output": {"output": "/work"}})
        state = {
            "status": "completed",
            "input": {},
            "content": [],
            "attachments": [{"uri": PIXEL, "mime": "image/png"}],
        }
        entry(talk, 2, "assistant", {"content": [{"type": "tool", "id": "c1", "name": "see", "state": state}]})
        assert texts(imported(store, talk.path)) == ["$ pwd\n/work", "see", "image_url"]

    def test_a_compaction_begins_anew(self, store: clew.Store, entries: Talk) -> None:
        summary = {"status": "completed", "reason": "auto", "summary": "in short", "recent": "the end"}
        entry(entries, 20, "compaction", {"status": "failed", "error": {}})
        entry(entries, 21, "compaction", summary)
        entry(entries, 22, "user", {"text": "on"})
        made = imported(store, entries.path)
        assert texts(made) == ["in short+the end", "on"]
        assert made[0]["compaction"] == {"reason": "auto"}

    def test_what_is_reverted_is_a_branch(self, store: clew.Store, entries: Talk) -> None:
        run(entries.path, """UPDATE session_v2 SET revert = '{"messageID":"msg_004"}'""")
        assert texts(imported(store, entries.path))[-1] == "gone"
        assert leaves(store)[0][-1] == "done"

    def test_a_fork_names_its_origin(self, store: clew.Store, entries: Talk) -> None:
        boundary = {"type": "before", "messageID": "msg_003"}
        put(entries.path, "session_v2", {"id": "ses_f", "fork_session_id": "ses_1", "fork_boundary": boundary})
        OPENCODE.run(store, entries.path)
        fork = session_of(store, "opencode", "ses_f")
        assert described(fork)["forked_from"] == {"session": "ses_1", "message": "msg_003"}
        assert texts(conversation(store, fork)) == ["be good", "list+image_url"]
        put(
            entries.path,
            "session_message",
            {"id": "own", "session_id": "ses_f", "type": "user", "seq": 1, "data": "{}"},
        )
        entry(entries, 2, "user", {"text": "own"}, session="ses_f")
        OPENCODE.run(store, entries.path)
        assert texts(conversation(store, session_of(store, "opencode", "ses_f"))) == ["own"]


def entry(talk: Talk, seq: int, kind: str, data: dict[str, Any], session: str = "ses_1") -> None:
    at = AT + seq * 1000
    told = {"id": f"msg_{seq:03}" + session[5:], "session_id": session, "type": kind, "seq": seq}
    held = {"time": {"created": at}, **data}
    put(talk.path, "session_message", {**told, "time_created": at, "time_updated": at, "data": held})


class TestASession:
    def test_what_is_told_of_it(self, store: clew.Store, talk: Talk) -> None:
        talk.session("ses_1", title="Rename", time_archived=AT, agent="build")
        talk.says(text("x"))
        talk.answers(text("y"))
        imported(store, talk.path)
        session = only_session(store)
        assert (session.title, session.cwd, session.source_id) == ("Rename", "/work/app", "ses_1")
        expected = {"kind": "main", "model": "m1", "tool_version": "1.2.3", "archived": True, "agent": "build"}
        assert described(session) == expected

    @pytest.mark.parametrize("title", ["New session - 2026-05-28T20:26:40.000Z", "", None])
    def test_without_a_title_it_has_the_first_prompt(self, store: clew.Store, talk: Talk, title: str | None) -> None:
        talk.session("ses_1", title=title)
        talk.says(text("Called the Read tool", synthetic=True), text("why?\nreally"))
        imported(store, talk.path)
        assert only_session(store).title == "why?"

    @pytest.mark.parametrize(("worktree", "cwd"), [("/work/tree", "/work/tree"), ("/", None)])
    def test_without_a_directory_it_has_that_of_its_project(
        self, store: clew.Store, talk: Talk, worktree: str, cwd: str | None
    ) -> None:
        put(talk.path, "project", {"id": "p", "worktree": worktree})
        talk.session("ses_1", project_id="p", directory="")
        talk.says(text("hello"))
        imported(store, talk.path)
        assert only_session(store).cwd == cwd

    def test_that_of_a_subagent_is_a_child(self, store: clew.Store, talk: Talk) -> None:
        talk.session("ses_0", parent_id="ses_1", title="Look")
        talk.says(text("look"), session="ses_0")
        talk.says(text("x"))
        OPENCODE.run(store, talk.path)
        child = session_of(store, "opencode", "ses_0")
        assert child.parent_session_id == session_of(store, "opencode", "ses_1").id
        assert described(child)["kind"] == "subagent"

    def test_one_without_a_message_is_left_out(self, store: clew.Store, talk: Talk) -> None:
        talk.session("ses_2", title="opened, and no more")
        talk.says(text("x"))
        assert OPENCODE.run(store, talk.path).broken == ()
        assert only_session(store).source_id == "ses_1"


class TestImportingAgain:
    @pytest.mark.parametrize("wal", [True, False], ids=["wal", "rollback journal"])
    def test_changes_nothing_in_the_store_or_the_source(self, store: clew.Store, tmp_path: Path, wal: bool) -> None:
        folder = tmp_path / "data"
        folder.mkdir()
        talk = Talk(folder / "opencode.db", wal=wal)
        talk.says(text("one"))
        talk.answers(*step(tool("c1", output="a")), *step(text("first")))
        put(talk.path, "todo", {"session_id": "ses_1", "content": "x", "position": 0})
        before = contents(folder)
        imported(store, talk.path)
        report = OPENCODE.run(store, talk.path)
        assert (report.sessions_unchanged, report.checkpoints_created) == (1, 0)
        assert contents(folder) == before
        assert lost_records(OPENCODE, talk.path) == []

    def test_reads_what_is_only_in_the_wal_of_a_program_that_runs(self, store: clew.Store, tmp_path: Path) -> None:
        (tmp_path / "data").mkdir()
        talk = Talk(tmp_path / "data" / "opencode.db", wal=True)
        with closing(sqlite3.connect(talk.path)) as running:
            running.execute("PRAGMA wal_autocheckpoint=0")
            talk.says(text("one"))
            running.execute("SELECT count(*) FROM message").fetchall()
            assert texts(imported(store, talk.path)) == ["one"]
            talk.says(text("two"))
            before = contents(talk.path.parent)
            assert texts(imported(store, talk.path)) == ["one", "two"]
            assert contents(talk.path.parent).keys() == before.keys()
            backup = tmp_path / "backup"
            backup.mkdir()
            for suffix in ("", "-wal"):
                shutil.copy(f"{talk.path}{suffix}", backup)
        before = contents(backup)
        with clew.open(":memory:") as other:
            assert texts(imported(other, backup)) == ["one", "two"]
        assert contents(backup) == before

    def test_after_growth_ends_where_one_import_of_all_does(self, store: clew.Store, talk: Talk) -> None:
        talk.says(text("one"))
        imported(store, talk.path)
        answer = talk.answers(*step(tool("c1", output="a")))
        imported(store, talk.path)
        talk.adds(answer, *step(text("first")))
        talk.says(text("two"))
        grown = imported(store, talk.path)
        with clew.open(":memory:") as other:
            assert imported(other, talk.path) == grown
            assert leaves(other) == leaves(store)

    def test_a_message_that_has_changed_is_a_branch(self, store: clew.Store, talk: Talk) -> None:
        talk.says(text("one"))
        answer = talk.answers({**tool("c1", "running"), "id": "prt_t"})
        assert texts(imported(store, talk.path)) == ["one", "bash"]
        talk.adds(answer, {**tool("c1", output="a"), "id": "prt_t"})
        assert texts(imported(store, talk.path)) == ["one", "bash", "a"]

    def test_what_the_store_kept_is_read_as_the_source_was(self, store: clew.Store, talk: Talk) -> None:
        first = talk.says(text("one"))
        answer = talk.answers({**tool("c1", "running"), "id": "prt_t"})
        imported(store, talk.path)
        talk.adds(answer, {**tool("c1", output="a"), "id": "prt_t"}, text("done"))
        talk.adds(first, text("and a word more"))
        before = imported(store, talk.path)
        (report,) = reimport(store)
        assert (report.broken, report.checkpoints_created) == ((), 0)
        assert conversation(store) == before


class TestFiles:
    def test_the_tree_of_before_is_read_with_the_ids_of_its_paths(self, store: clew.Store, tmp_path: Path) -> None:
        write(tmp_path, "storage/session/p/ses_1.json", {"id": "ses_1", "directory": "/w", "title": "T", "time": {}})
        for number, role in enumerate(["user", "assistant"], 1):
            told = {"id": f"m{number}", "role": role, "time": {"created": AT + number}}
            write(tmp_path, f"storage/message/ses_1/m{number}.json", told)
            write(tmp_path, f"storage/part/m{number}/p1.json", {"id": "p1", **text(role)})
        before = contents(tmp_path)
        assert {find_importer(path).name for path in (tmp_path, tmp_path / "storage", tmp_path.parent)} == {"opencode"}
        assert texts(imported(store, tmp_path)) == ["user", "assistant"]
        assert contents(tmp_path) == before
        assert lost_records(OPENCODE, tmp_path) == []

    def test_the_oldest_tree_has_a_folder_for_each_project(self, store: clew.Store, tmp_path: Path) -> None:
        top = "project/app/storage/session"
        write(tmp_path, f"{top}/info/ses_1.json", {"id": "ses_1", "title": "T", "time": {"created": AT}})
        write(tmp_path, f"{top}/message/ses_1/m1.json", {"id": "m1", "role": "user", "time": {"created": AT}})
        write(tmp_path, f"{top}/part/ses_1/m1/p1.json", text("why?"))
        invocation = {"state": "result", "toolCallId": "c1", "toolName": "ls", "args": {"a": 1}, "result": "out"}
        inline = {
            "id": "m2",
            "role": "assistant",
            "parts": [{"type": "tool-invocation", "toolInvocation": invocation}, text("so")],
            "metadata": {"time": {"created": AT + 1}, "assistant": {"modelID": "m1", "tokens": TOKENS, "cost": 0.5}},
        }
        write(tmp_path, f"{top}/message/ses_1/m2.json", inline)
        made = imported(store, tmp_path)
        assert texts(made) == ["why?", "ls", "out", "so"]
        assert (made[3]["usage"], made[3]["model"]) == (USAGE, "m1")

    def test_the_database_wins_over_the_tree_and_the_rest_is_added(self, store: clew.Store, talk: Talk) -> None:
        folder = talk.path.parent
        talk.says(text("newer"))
        for id in ("ses_1", "ses_9"):
            write(folder, f"storage/session/p/{id}.json", {"id": id, "title": id, "time": {}})
            write(folder, f"storage/message/{id}/m1{id}.json", {"id": f"m1{id}", "role": "user", "time": {}})
            write(folder, f"storage/part/m1{id}/p1.json", text("older"))
        OPENCODE.run(store, folder)
        assert texts(conversation(store, session_of(store, "opencode", "ses_1"))) == ["newer"]
        assert texts(conversation(store, session_of(store, "opencode", "ses_9"))) == ["older"]

    def test_an_export_is_read_with_the_line_that_may_stand_before_it(self, store: clew.Store, tmp_path: Path) -> None:
        exported = {
            "info": {"id": "ses_1", "directory": "/w", "title": "T", "version": "1", "time": {"created": AT}},
            "messages": [
                {"info": {"id": "m1", "role": "user", "time": {"created": AT}}, "parts": [text("a\nb")]},
                {"info": {"id": "m2", "role": "assistant", "time": {"created": AT}}, "parts": step(text("\ud800"))},
            ],
            "todos": [{"content": "x"}],
        }
        file = tmp_path / "export.json"
        file.write_text("Exporting session: ses_1\n" + json.dumps(exported, indent=2))
        assert find_importer(file).name == "opencode"
        assert OPENCODE.run(store, file).unknown == {}
        assert (conversation(store)[0]["content"], only_session(store).cwd) == ("a\nb", "/w")
        assert lost_records(OPENCODE, file) == []

    def test_an_export_of_the_second_generation(self, store: clew.Store, tmp_path: Path) -> None:
        messages = [
            {"id": "m1", "type": "user", "text": "hello", "time": {"created": AT}},
            {"id": "m2", "type": "idle"},
        ]
        file = tmp_path / "export.json"
        file.write_text(json.dumps({"info": {"id": "ses_1", "version": "2", "title": "T"}, "messages": messages}))
        assert texts(imported(store, file)) == ["hello"]

    def test_a_broken_file_is_named_and_left_out(self, store: clew.Store, tmp_path: Path) -> None:
        write(tmp_path, "storage/session/p/ses_1.json", {"id": "ses_1", "title": "T", "time": {}})
        write(tmp_path, "storage/message/ses_1/m1.json", {"id": "m1", "role": "user", "time": {}})
        write(tmp_path, "storage/part/m1/p1.json", text("here"))
        (tmp_path / "storage/part/m1/p2.json").write_text('{"type":\n"text"')
        report = OPENCODE.run(store, tmp_path)
        assert len(report.broken) == 1
        assert texts(conversation(store)) == ["here"]


def write(folder: Path, name: str, value: Any) -> None:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, indent=2))


class TestWhatIsNotAsExpected:
    def test_types_that_are_not_known_are_counted_and_kept(self, store: clew.Store, talk: Talk) -> None:
        talk.says(text("x"), {"type": "hologram"})
        talk.says(role="narrator")
        report = OPENCODE.run(store, talk.path)
        assert report.unknown == {"part hologram": 1, "message narrator": 1}
        assert lost_records(OPENCODE, talk.path) == []

    def test_a_row_that_is_damaged_is_named_and_left_out(self, store: clew.Store, talk: Talk) -> None:
        talk.says(text("x"))
        damaged = talk.says(text("y"))
        talk.answers(text("a"), {"id": "prt_torn", **text("b")}, text("c"))
        run(talk.path, f"UPDATE message SET data = '{{\"role\"' WHERE id = '{damaged}'")
        run(talk.path, "UPDATE part SET data = '{\"type\":\"te' WHERE id = 'prt_torn'")
        report = OPENCODE.run(store, talk.path)
        assert texts(conversation(store)) == ["x", "a+c"]
        told = [(finding.id, finding.why) for finding in report.broken]
        assert told == [(f"message {damaged}", WHY_DAMAGED), ("part prt_torn", WHY_DAMAGED)]
        assert report.unknown == {}
        assert lost_records(OPENCODE, talk.path) == []

    def test_a_damaged_page_takes_no_more_than_what_is_on_it(self, store: clew.Store, talk: Talk) -> None:
        run(talk.path, "CREATE INDEX parts_of_a_message ON part (message_id, id)")
        for number in range(20):
            talk.session(f"ses_{number + 2}", title="x")
            for said in ("asked", "more"):
                talk.says(text(f"{said} in {number} {'x' * 500}"), session=f"ses_{number + 2}")
        damage(talk.path, b"asked in 9 ")
        report = OPENCODE.run(store, talk.path)
        assert 15 <= report.sessions_created < 20
        lost = {finding.id for finding in report.broken if finding.why == "is on a damaged page"}
        assert 1 <= len(lost) <= 8
        assert all(name.startswith("part row ") for name in lost)

    def test_a_database_of_which_nothing_can_be_read_is_an_error_that_says_so(
        self, store: clew.Store, talk: Talk
    ) -> None:
        talk.says(text("x"))
        damage(talk.path)
        assert find_importer(talk.path).name == find_importer(talk.path.parent).name == "opencode"
        with pytest.raises(InvalidRequestError, match="is damaged"):
            OPENCODE.run(store, talk.path.parent)

    def test_a_database_without_a_message_is_an_error_that_says_so(self, store: clew.Store, talk: Talk) -> None:
        with pytest.raises(InvalidRequestError, match="no session was found"):
            OPENCODE.run(store, talk.path)
        talk.says({"type": "hologram"})
        with pytest.raises(InvalidRequestError, match=r"no message that could be read.*1 part hologram"):
            OPENCODE.run(store, talk.path)

    def test_parts_that_stand_elsewhere_in_kept_records_find_their_message(self, talk: Talk) -> None:
        talk.says(text("one"))
        talk.says(text("two"))
        (source,) = OPENCODE.sources(talk.path, Notes())
        shuffled = sorted(source.records, key=lambda record: b'"part"' in record.text)
        parsed = OPENCODE.parse(ListedRecords(shuffled), {}, Notes())
        told = [texts(step.messages) for step in parsed.steps if hasattr(step, "messages")]
        assert told == [["one"], ["two"]]

    @settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(st.integers())
    def test_any_value_in_any_place_is_tolerated(self, tmp_path: Path, seed: int) -> None:
        chance = random.Random(seed)
        path = tmp_path / f"{seed}.db"
        talk = Talk(path)
        first = talk.says(text("one"), {"type": "file", "mime": "image/png", "url": PIXEL, "source": {"path": "/x"}})
        talk.answers(*step(tool("c1", output="a", attachments=[{"url": PIXEL}])), *step(text("b")), error={"data": {}})
        talk.says({"type": "compaction", "tail_start_id": first}, {"type": "subtask", "prompt": "x"})
        talk.answers(*step(text("sum")), summary=True, finish="stop")
        talk.session("ses_2", title="x")
        entry(talk, 1, "user", {"text": "x", "files": [{"uri": PIXEL}]}, session="ses_2")
        state = {"status": "completed", "content": [{"type": "text", "text": "x"}]}
        entry(talk, 2, "assistant", {"content": [{"type": "tool", "id": "c", "state": state}]}, session="ses_2")
        entry(talk, 3, "compaction", {"summary": "x"}, session="ses_2")
        talk.reverts(first)
        spoil(path, chance)
        for source in OPENCODE.sources(path, Notes()):
            assert list(OPENCODE.parse(source.records, source.context, Notes()).steps)
        talk.says(text("safe"), session="safe")
        talk.session("safe")
        with clew.open(":memory:") as store:
            OPENCODE.run(store, path)

    @settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(st.integers())
    def test_so_it_is_in_an_export(self, tmp_path: Path, seed: int) -> None:
        chance = random.Random(seed)
        messages = [{"info": {"id": "m1", "role": "user", "time": {"created": AT}}, "parts": [text("a")]}] * 3
        exported = {"info": {"id": "ses_1", "title": "T"}, "messages": changed(messages, chance), "todos": []}
        (file := tmp_path / "export.json").write_text(json.dumps(exported))
        for source in OPENCODE.sources(file, Notes()):
            list(OPENCODE.parse(source.records, source.context, Notes()).steps)


class TestDetection:
    def test_messages_of_the_first_may_be_of_sessions_of_the_second(self, store: clew.Store, tmp_path: Path) -> None:
        tables = FIRST | {"session_v2": SECOND["session_v2"]}
        path = make(tmp_path / "opencode.db", {name: tables[name] for name in ("session_v2", "message", "part")})
        put(path, "session_v2", {"id": "ses_1", "title": "Both"})
        put(path, "message", {"id": "msg_1", "session_id": "ses_1", "data": {"role": "user"}})
        put(path, "part", {"id": "prt_1", "message_id": "msg_1", "data": text("hello")})
        assert find_importer(path).name == "opencode"
        assert texts(imported(store, path)) == ["hello"]

    def test_other_databases_and_folders_are_not_its_own(self, tmp_path: Path) -> None:
        other = make(tmp_path / "opencode.db", {"session": "id TEXT", "message": "id TEXT"})
        (tmp_path / "a.json").write_text('{"info": {"name": "x"}, "messages": []}')
        assert not any(OPENCODE.detect(path) for path in (other, tmp_path, tmp_path / "none", tmp_path / "a.json"))

    def test_its_place_is_told_by_the_environment_for_the_users_own_home(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for place in (tmp_path / ".local/share/opencode", tmp_path / "xdg/opencode"):
            place.mkdir(parents=True)
            Talk(place / "opencode.db")
        monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "xdg"))
        assert OPENCODE.locations(tmp_path) == [tmp_path / ".local/share/opencode"]
        monkeypatch.setenv("HOME", str(tmp_path))
        assert OPENCODE.locations(tmp_path) == [tmp_path / "xdg/opencode"]


class TestFilesOfTheToolItself:
    @pytest.mark.parametrize(
        ("name", "expected"),
        [
            ("sqlite_v1.sql", {"registry-opencode": (2, "inspect the sqlite fixture")}),
            ("sqlite_v1_full.sql", {"ses_v1": (4, "Rename module")}),
            ("sqlite_v2.sql", {"ses_a": (7, "List files"), "ses_b": (4, "List files (fork)")}),
            ("json_storage", {"s_stage0_large": (6, "OpenCode Large"), "s_stage0_small": (4, "OpenCode Small")}),
        ],
    )
    def test_are_read(self, store: clew.Store, tmp_path: Path, name: str, expected: dict[str, tuple[int, str]]) -> None:
        path = samples("opencode") / name
        path = load(path, tmp_path / "x.db") if path.is_file() else path
        assert find_importer(path).name == "opencode"
        report = OPENCODE.run(store, path)
        assert (report.broken, report.mended, report.unknown) == ((), (), {})
        found = {s.source_id: (len(conversation(store, s)), s.title) for s in store.list_sessions().items}
        assert found == expected
        assert lost_records(OPENCODE, path) == []
