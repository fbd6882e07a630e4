"""Lists, deletion, and the SDK's own functions that work over a session store."""

import json
from contextlib import ExitStack
from typing import Any

import msgspec
import pytest
from claude_agent_sdk import (
    ClaudeAgentOptions,
    delete_session_via_store,
    fork_session_via_store,
    get_session_messages_from_store,
    get_subagent_messages_from_store,
    import_session_to_store,
    list_sessions_from_store,
    list_subagents_from_store,
    project_key_for_directory,
    rename_session_via_store,
    tag_session_via_store,
)
from claude_agent_sdk._internal.session_store_validation import validate_session_store_options
from tests.adapters.claude_agent_sdk.support import AGENT, KEY, OTHER, lost_answers, run, said, watched
from tests.support.http_server import served

import clew
from clew.adapters.claude_agent_sdk import ClewSessionStore
from clew.adapters.claude_agent_sdk.names import source_id
from clew.adapters.claude_agent_sdk.transcript import SUMMARY
from clew.server import create_app

ID = KEY["session_id"]
KEYS = {"ann": "write", "bob": "write", "root": "admin"}


def conversation(tmp_path) -> list[Any]:
    first = said("Fix the parser", cwd=str(tmp_path), timestamp="2026-01-01T00:00:00.000Z", sessionId=ID)
    first["parentUuid"] = None
    second = said("Done.", "assistant", parentUuid=first["uuid"], sessionId=ID)
    return [first, second]


class TestHelpers:
    @pytest.fixture
    def key(self, tmp_path) -> dict[str, str]:
        return {"project_key": project_key_for_directory(tmp_path), "session_id": ID}

    def test_sessions_are_listed_without_reading_one_of_them(self, store: clew.Store, tmp_path, key) -> None:
        sessions = ClewSessionStore(store)
        run(sessions.append(key, conversation(tmp_path)))
        run(sessions.append({**key, "subpath": "subagents/agent-1"}, [said("x")]))
        run(sessions.append({**key, "session_id": OTHER["session_id"]}, [said("Another")]))
        with watched(store) as calls:
            listed = run(list_sessions_from_store(sessions, directory=str(tmp_path)))
        assert [one.summary for one in listed] == ["Another", "Fix the parser"]
        assert [one.session_id for one in listed] == [OTHER["session_id"], ID]
        assert listed[1].cwd == str(tmp_path)
        assert calls == ["list_sessions", "get_attachments", "list_sessions"]

    def test_rename_and_tag(self, store: clew.Store, tmp_path, key) -> None:
        sessions = ClewSessionStore(store)
        run(sessions.append(key, conversation(tmp_path)))
        run(rename_session_via_store(sessions, ID, "The parser", directory=str(tmp_path)))
        run(tag_session_via_store(sessions, ID, "urgent", directory=str(tmp_path)))
        (listed,) = run(list_sessions_from_store(sessions, directory=str(tmp_path)))
        assert (listed.custom_title, listed.summary, listed.tag) == ("The parser", "The parser", "urgent")
        assert store.find_session("claude-agent-sdk", source_id(key)).title == "The parser"
        run(tag_session_via_store(sessions, ID, None, directory=str(tmp_path)))
        (listed,) = run(list_sessions_from_store(sessions, directory=str(tmp_path)))
        assert listed.tag is None

    def test_fork(self, store: clew.Store, tmp_path, key) -> None:
        sessions = ClewSessionStore(store)
        lines = conversation(tmp_path)
        run(sessions.append(key, lines))
        forked = run(fork_session_via_store(sessions, ID, directory=str(tmp_path))).session_id
        messages = run(get_session_messages_from_store(sessions, forked, directory=str(tmp_path)))
        assert [message.message["content"] for message in messages] == ["Fix the parser", "Done."]
        assert run(sessions.load(key)) == lines
        titles = {session.title for session in store.list_sessions()}
        assert titles == {"Fix the parser", "Fix the parser (fork)"}

    def test_delete(self, store: clew.Store, tmp_path, key) -> None:
        sessions = ClewSessionStore(store)
        run(sessions.append(key, conversation(tmp_path)))
        run(delete_session_via_store(sessions, ID, directory=str(tmp_path)))
        assert run(list_sessions_from_store(sessions, directory=str(tmp_path))) == []
        assert store.list_sessions().total == 0

    def test_import_twice_of_a_local_transcript_with_a_subagent(self, store: clew.Store, tmp_path, monkeypatch) -> None:
        monkeypatch.setenv("CLAUDE_CONFIG_DIR", str(tmp_path / "config"))
        (work := tmp_path / "work").mkdir()
        project = tmp_path / "config" / "projects" / project_key_for_directory(work)
        agents = project / ID / "subagents"
        agents.mkdir(parents=True)
        lines = conversation(work)
        text = "".join(json.dumps(line) + "\n" for line in lines)
        (project / f"{ID}.jsonl").write_text(text)
        agent = [said("Look around", parentUuid=None, isSidechain=True)]
        (agents / "agent-a1.jsonl").write_text(json.dumps(agent[0]) + "\n")
        sessions = ClewSessionStore(store)
        for _ in range(2):
            run(import_session_to_store(ID, sessions, directory=str(work), batch_size=1))
        assert run(sessions.load({"project_key": project.name, "session_id": ID})) == lines
        assert run(list_subagents_from_store(sessions, ID, directory=str(work))) == ["a1"]
        (message,) = run(get_subagent_messages_from_store(sessions, ID, "a1", directory=str(work)))
        assert message.message["content"] == "Look around"

    def test_it_is_accepted_with_continue_conversation(self, file_store: clew.Store) -> None:
        options = ClaudeAgentOptions(session_store=ClewSessionStore(file_store), continue_conversation=True)
        validate_session_store_options(options)


class TestLists:
    def test_the_time_is_that_of_the_last_lines_and_no_other_change(self, store: clew.Store) -> None:
        sessions = ClewSessionStore(store)
        run(sessions.append(KEY, [said("first")]))
        run(sessions.append(OTHER, [said("second")]))
        before = {one["session_id"]: one["mtime"] for one in run(sessions.list_sessions(KEY["project_key"]))}
        session = store.find_session("claude-agent-sdk", source_id(KEY))
        assert session.active_checkpoint is not None
        assert before[ID] == int(session.active_checkpoint.created_at.timestamp() * 1000)
        store.update_session(session.id, title="Mine")
        listed = {one["session_id"]: one["mtime"] for one in run(sessions.list_sessions(KEY["project_key"]))}
        summed = {one["session_id"]: one["mtime"] for one in run(sessions.list_session_summaries(KEY["project_key"]))}
        assert listed == summed == before

    def test_more_sessions_than_a_page_are_listed_once_each(self, file_store: clew.Store, monkeypatch) -> None:
        monkeypatch.setattr("clew.adapters.listing.PAGE", 3)
        sessions = ClewSessionStore(file_store)
        names = [f"s{number}" for number in range(10)]
        for name in names:
            run(sessions.append({**KEY, "session_id": name}, [said(name)]))
            run(sessions.append({**KEY, "session_id": name, "subpath": "subagents/agent-1"}, [said(name)]))
        for listing in (sessions.list_sessions, sessions.list_session_summaries):
            assert sorted(one["session_id"] for one in run(listing(KEY["project_key"]))) == sorted(names)

    def test_a_session_that_is_written_to_meanwhile_is_listed_all_the_same(
        self, file_store: clew.Store, monkeypatch
    ) -> None:
        monkeypatch.setattr("clew.adapters.listing.PAGE", 3)
        sessions, other = ClewSessionStore(file_store), ClewSessionStore(file_store)
        names = [f"s{number}" for number in range(10)]
        for name in names:
            run(sessions.append({**KEY, "session_id": name}, [said(name)]))
        pages: list[clew.Page[clew.SessionSummary]] = []
        read = file_store.list_sessions

        def list_sessions(**query):
            page = read(**query)
            if len(pages) < 4:  # the oldest one, which is on the last page, goes to the front
                other._append(file_store, {**KEY, "session_id": names[0]}, [said("more")])
            pages.append(page)
            return page

        monkeypatch.setattr(file_store, "list_sessions", list_sessions)
        assert sorted(one["session_id"] for one in run(sessions.list_sessions(KEY["project_key"]))) == sorted(names)
        assert len(pages) < 8

    def test_a_session_that_is_deleted_meanwhile_hides_no_other(self, file_store: clew.Store, monkeypatch) -> None:
        sessions = ClewSessionStore(file_store)
        for name in ("a", "b", "c"):
            run(sessions.append({**KEY, "session_id": name}, [said(name)]))
        found = {name: file_store.find_session("claude-agent-sdk", f"{KEY['project_key']}/{name}").id for name in "abc"}
        file_store.append(found["c"], [{"type": "tag", "tag": "by hand"}])
        to_go = ["b", "c"]  # one while the summaries are read, one while those that have none are summed up

        def deleting(read):
            def call(*args, **kwargs):
                if to_go:
                    file_store.purge_session(found[to_go.pop(0)])
                return read(*args, **kwargs)

            return call

        monkeypatch.setattr(file_store, "get_attachments", deleting(file_store.get_attachments))
        monkeypatch.setattr(file_store, "get_messages", deleting(file_store.get_messages))
        (summary,) = run(sessions.list_session_summaries(KEY["project_key"]))
        assert (summary["session_id"], to_go) == ("a", [])

    def test_a_summary_of_what_something_else_wrote_is_made_of_the_lines(self, store: clew.Store) -> None:
        sessions = ClewSessionStore(store)
        run(sessions.append(KEY, [said("first")]))
        session = store.find_session("claude-agent-sdk", source_id(KEY))
        assert session.active_checkpoint is not None
        kept = session.active_checkpoint.id
        run(sessions.append(KEY, [{"type": "custom-title", "customTitle": "given later"}]))
        store.append(session.id, [{"type": "tag", "tag": "by hand"}])
        (summary,) = run(sessions.list_session_summaries(KEY["project_key"]))
        assert (summary["data"]["custom_title"], summary["data"]["tag"]) == ("given later", "by hand")
        store.set_active_checkpoint(session.id, kept)  # of the lines up to there
        (summary,) = run(sessions.list_session_summaries(KEY["project_key"]))
        assert "custom_title" not in summary["data"]

    @pytest.mark.parametrize("body", [b"{", b"[]", b"\xff"])
    def test_a_damaged_summary_is_an_error(self, file_store: clew.Store, body) -> None:
        sessions = ClewSessionStore(file_store)
        run(sessions.append(KEY, [said("first")]))
        session = file_store.find_session("claude-agent-sdk", source_id(KEY))
        file_store.attach(session.id, {SUMMARY: body}, on_conflict="replace")
        with pytest.raises(clew.CorruptStateError, match="summary"):
            run(sessions.list_session_summaries(KEY["project_key"]))

    def test_a_damaged_session_is_an_error_and_no_shorter_list(self, file_store: clew.Store, monkeypatch) -> None:
        sessions = ClewSessionStore(file_store)
        run(sessions.append(KEY, [said("first")]))
        run(sessions.append(AGENT, [said("first")]))
        read = file_store.list_sessions

        def list_sessions(**query):
            page = read(**query)
            return clew.Page([msgspec.structs.replace(item, damage="seal broken") for item in page])

        monkeypatch.setattr(file_store, "list_sessions", list_sessions)
        for listing in (
            sessions.list_sessions(KEY["project_key"]),
            sessions.list_session_summaries(KEY["project_key"]),
            sessions.list_subkeys(KEY),
        ):
            with pytest.raises(clew.CorruptStateError, match="seal broken"):
                run(listing)
        run(sessions.delete(KEY))
        assert list(read()) == []


class TestOwners:
    def test_those_of_others_are_others_in_a_file(self, file_store: clew.Store) -> None:
        mine, anns, bobs = (ClewSessionStore(file_store, owner=owner) for owner in (None, "ann", "bob"))
        lines = {}
        for sessions in (mine, anns, bobs):
            lines[sessions] = [said("first")]
            run(sessions.append(KEY, lines[sessions]))
            run(sessions.append(AGENT, lines[sessions]))
        run(anns.append(OTHER, [said("second")]))
        assert len(run(mine.list_sessions(KEY["project_key"]))) == 1
        assert len(run(anns.list_session_summaries(KEY["project_key"]))) == 2
        for sessions in (mine, bobs):
            assert run(sessions.list_subkeys(KEY)) == [AGENT["subpath"]]
            assert run(sessions.load(OTHER)) is None
            run(sessions.delete(KEY))
            assert run(sessions.load(KEY)) is None
        assert run(anns.load(KEY)) == run(anns.load(AGENT)) == lines[anns]

    def test_and_behind_a_server_with_keys(self, file_store: clew.Store) -> None:
        tokens = {name: file_store.create_key(name, role).token for name, role in KEYS.items()}
        with served(create_app(file_store)) as url, ExitStack() as stack:
            opened = {name: stack.enter_context(clew.open(url, api_key=tokens[name])) for name in KEYS}
            sessions = {name: ClewSessionStore(store) for name, store in opened.items()}
            for name in ("ann", "bob"):
                run(sessions[name].append(KEY, [said(name)]))
                run(sessions[name].append(AGENT, [said(name)]))
            for name in ("ann", "bob"):
                reader = ClewSessionStore(opened[name])
                assert len(run(reader.list_session_summaries(KEY["project_key"]))) == 1
                assert run(reader.list_subkeys(KEY)) == [AGENT["subpath"]]
                assert run(reader.load(KEY))[0]["message"]["content"] == name
            assert run(sessions["root"].list_sessions(KEY["project_key"])) == []
            run(sessions["root"].delete(KEY))
            run(sessions["ann"].delete(KEY))
            assert run(sessions["ann"].list_sessions(KEY["project_key"])) == []
            assert len(run(sessions["bob"].load(KEY))) == len(run(sessions["bob"].load(AGENT))) == 1


class TestDeleting:
    def test_what_was_deleted_begins_anew_even_for_who_knew_it(self, store: clew.Store) -> None:
        sessions, other = ClewSessionStore(store), ClewSessionStore(store)
        line, more = said("first"), said("second")
        for key in (KEY, AGENT):
            run(sessions.append(key, [line]))
        run(other.delete(KEY))
        assert store.list_sessions().total == 0
        for key in (AGENT, KEY):
            run(sessions.append(key, [line]))
            assert run(sessions.load(key)) == [line]
        run(other.delete(KEY))
        run(sessions.append(KEY, [line, more]))
        assert run(sessions.load(KEY)) == [line, more]
        assert run(sessions.list_subkeys(KEY)) == []

    def test_subagents_whose_main_transcript_is_gone_go_too(self, file_store: clew.Store) -> None:
        sessions = ClewSessionStore(file_store)
        for key in (KEY, AGENT, {**AGENT, "subpath": "subagents/agent-a2"}):
            run(sessions.append(key, [said("first")]))
        file_store.purge_session(file_store.find_session("claude-agent-sdk", source_id(KEY)).id)  # as by a crash
        run(sessions.delete(KEY))
        assert file_store.list_sessions().total == 0

    def test_an_error_at_one_of_them_does_not_keep_the_others(self, file_store: clew.Store) -> None:
        sessions = ClewSessionStore(file_store)
        for key in (KEY, AGENT, {**AGENT, "subpath": "subagents/agent-a2"}):
            run(sessions.append(key, [said("first")]))
        with lost_answers(file_store, "purge_session"), pytest.raises(clew.UnavailableError):
            run(sessions.delete(KEY))
        assert file_store.list_sessions().total == 0

    def test_a_session_marked_deleted_is_removed_too(self, file_store: clew.Store) -> None:
        sessions = ClewSessionStore(file_store)
        for key in (KEY, AGENT):
            run(sessions.append(key, [said("first")]))
            file_store.delete_session(file_store.find_session("claude-agent-sdk", source_id(key)).id)
        run(sessions.delete(KEY))
        assert file_store.list_sessions().total == 0

    def test_reading_and_writing_delete_nothing(self, file_store: clew.Store) -> None:
        sessions = ClewSessionStore(file_store)
        with watched(file_store) as calls:
            for _ in range(3):
                run(sessions.append(KEY, [said("first")]))
                run(sessions.append(AGENT, [said("first")]))
                run(sessions.load(KEY))
                run(sessions.list_session_summaries(KEY["project_key"]))
                run(sessions.list_subkeys(KEY))
        assert not [name for name in calls if name.startswith(("delete", "purge", "prune", "detach", "compact"))]
