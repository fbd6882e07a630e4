"""Lines with a uuid are stored once, however often and by however many writers; a batch costs its own size."""

import asyncio
import multiprocessing
from typing import Any
from uuid import UUID

import pytest
from tests.adapters.claude_agent_sdk.support import AGENT, KEY, OTHER, lost_answers, run, said, watched

import clew
from clew.adapters.claude_agent_sdk import ClewSessionStore, store, transcript
from clew.adapters.claude_agent_sdk.names import source_id

MODE = {"type": "mode", "mode": "plan"}


def session_of(store: clew.Store, key=KEY) -> clew.Session:
    return store.find_session("claude-agent-sdk", source_id(key))


def active_of(store: clew.Store) -> UUID:
    checkpoint = session_of(store).active_checkpoint
    assert checkpoint is not None
    return checkpoint.id


def loaded(store: clew.Store, key=KEY) -> list[Any]:
    return run(ClewSessionStore(store).load(key))


class TestRetries:
    def test_a_batch_that_comes_again_whole_or_in_part_doubles_nothing(self, store: clew.Store) -> None:
        lines = [said(str(number)) for number in range(6)]
        sessions = ClewSessionStore(store)
        run(sessions.append(KEY, lines[:3]))
        run(sessions.append(KEY, lines[:3]))
        run(sessions.append(KEY, lines[1:5]))
        run(ClewSessionStore(store).append(KEY, lines))  # another process, or after a crash
        assert loaded(store) == lines

    def test_a_line_that_is_twice_in_a_batch_is_stored_once(self, file_store: clew.Store) -> None:
        line = said("once")
        run(ClewSessionStore(file_store).append(KEY, [line, {**line, "later": True}, line]))
        assert loaded(file_store) == [line]

    def test_lines_without_a_uuid_are_always_added(self, store: clew.Store) -> None:
        sessions = ClewSessionStore(store)
        lines = [MODE, MODE, {**MODE, "uuid": None}, {**MODE, "uuid": ""}, {**MODE, "uuid": 7}]
        for _ in range(2):
            run(sessions.append(KEY, lines))
        assert loaded(store) == lines * 2

    def test_a_batch_whose_answer_was_lost_is_not_doubled_even_where_lines_have_no_uuid(
        self, store: clew.Store
    ) -> None:
        sessions = ClewSessionStore(store)
        run(sessions.append(KEY, [said("first")]))
        batch = [said("second"), MODE]
        with lost_answers(store, "append"), pytest.raises(clew.UnavailableError):
            run(sessions.append(KEY, batch))
        for _ in range(2):
            run(sessions.append(KEY, batch))
        assert loaded(store)[1:] == [*batch, MODE]  # the second time it is no retry but a new call

    def test_a_batch_that_failed_before_it_was_stored_is_stored_when_it_comes_again(self, store: clew.Store) -> None:
        sessions = ClewSessionStore(store)
        batch = [said("second"), MODE]
        for name in ("ensure_session", "append"):
            with lost_answers(store, name, is_done=False), pytest.raises(clew.UnavailableError):
                run(sessions.append(KEY, batch))
        run(sessions.append(KEY, batch))
        assert loaded(store) == batch

    def test_after_a_lost_answer_a_batch_that_another_came_after_is_not_doubled(self, file_store: clew.Store) -> None:
        sessions = ClewSessionStore(file_store)
        run(sessions.append(KEY, [said("first")]))
        batch = [said("second"), MODE]
        with lost_answers(file_store, "append"), pytest.raises(clew.UnavailableError):
            run(sessions.append(KEY, batch))
        third = said("third")
        run(ClewSessionStore(file_store).append(KEY, [third]))
        run(sessions.append(KEY, batch))
        assert loaded(file_store)[1:] == [*batch, third]
        run(sessions.append(KEY, [batch[0], third]))
        assert len(loaded(file_store)) == 4

    def test_an_error_in_giving_the_title_comes_before_anything_is_added(self, file_store: clew.Store) -> None:
        sessions = ClewSessionStore(file_store)
        run(sessions.append(KEY, [said("first")]))
        renamed = {"type": "custom-title", "customTitle": "parser"}
        with lost_answers(file_store, "update_session"), pytest.raises(clew.UnavailableError):
            run(sessions.append(KEY, [renamed]))
        assert len(loaded(file_store)) == 1
        run(sessions.append(KEY, [renamed]))
        assert loaded(file_store)[1:] == [renamed]

    def test_nothing_given_is_nothing_done(self, file_store: clew.Store) -> None:
        with watched(file_store) as calls:
            run(ClewSessionStore(file_store).append(KEY, []))
        assert calls == []
        assert run(ClewSessionStore(file_store).load(KEY)) is None

    def test_a_session_that_was_made_and_got_no_lines_is_as_if_never_written(self, file_store: clew.Store) -> None:
        sessions = ClewSessionStore(file_store)
        with lost_answers(file_store, "append", is_done=False), pytest.raises(clew.UnavailableError):
            run(sessions.append(KEY, [said("first")]))
        assert run(sessions.load(KEY)) is None
        assert run(sessions.list_sessions(KEY["project_key"])) == []
        assert run(sessions.list_session_summaries(KEY["project_key"])) == []


class TestCost:
    def test_a_batch_is_one_call_that_brings_the_new_lines(self, store: clew.Store) -> None:
        sessions = ClewSessionStore(store)
        run(sessions.append(KEY, [said("first")]))
        before = store.get_session_summary(session_of(store).id)
        with watched(store) as calls:
            for number in range(5):
                run(sessions.append(KEY, [said(str(number))]))
        assert calls == ["append"] * 5
        after = store.get_session_summary(before.id)
        assert (after.message_count, after.checkpoint_count) == (6, before.checkpoint_count + 5)

    def test_what_is_there_is_read_once_in_a_process(self, file_store: clew.Store) -> None:
        run(ClewSessionStore(file_store).append(KEY, [said("first")]))
        sessions = ClewSessionStore(file_store)
        with watched(file_store) as calls:
            for number in range(3):
                run(sessions.append(KEY, [said(str(number))]))
        assert calls == ["ensure_session", "append", "append", "append"]

    def test_of_a_transcript_that_another_has_added_to_only_that_is_read(
        self, file_store: clew.Store, monkeypatch
    ) -> None:
        first, second = ClewSessionStore(file_store), ClewSessionStore(file_store)
        run(first.append(KEY, [said(str(number)) for number in range(50)]))
        run(second.append(KEY, [said("other")]))
        starts: list[int] = []
        read = file_store.get_messages

        def get_messages(id, *, start):
            starts.append(start)
            return read(id, start=start)

        monkeypatch.setattr(file_store, "get_messages", get_messages)
        with watched(file_store) as calls:
            run(first.append(KEY, [said("mine")]))
        assert starts == [49]  # the last line that is known too: whether it is still that one
        assert "get_checkpoint" not in calls
        assert len(loaded(file_store)) == 52

    def test_what_is_remembered_is_bounded(self, file_store: clew.Store, monkeypatch) -> None:
        monkeypatch.setattr(store, "MAX_TRANSCRIPTS", 2)
        sessions = ClewSessionStore(file_store)
        lines = {name: [said(name)] for name in "abcd"}
        for _ in range(2):
            for name in lines:
                run(sessions.append({**KEY, "session_id": name}, lines[name]))
                assert len(sessions._transcripts) <= 2
        assert all(loaded(file_store, {**KEY, "session_id": name}) == lines[name] for name in lines)


def write_in_turn(url: str, number: int, lines: list[Any]) -> None:
    sessions = ClewSessionStore(url)
    for line in lines:
        run(sessions.append(KEY, [line, said(f"{number}")]))
    sessions.close()


class TestTwoWriters:
    def test_neither_loses_a_line_and_what_both_bring_is_stored_once(self, store: clew.Store) -> None:
        shared = [said(str(number)) for number in range(10)]
        own = [[said("own") for _ in shared] for _ in range(4)]

        async def main() -> None:
            async def writer(lines: list[Any]) -> None:
                sessions = ClewSessionStore(store)
                for line, other in zip(lines, shared, strict=True):
                    await sessions.append(KEY, [line, other])

            await asyncio.gather(*map(writer, own))

        run(main())
        uuids = [line["uuid"] for line in loaded(store)]
        assert len(uuids) == len(set(uuids)) == 50
        for lines in (*own, shared):
            kept = [line for line in loaded(store) if line in lines]
            assert kept == lines

    def test_of_processes_neither(self, tmp_path) -> None:
        url = str(tmp_path / "clew.db")
        shared = [said(str(number)) for number in range(15)]
        context = multiprocessing.get_context("spawn")
        started = [context.Process(target=write_in_turn, args=(url, number, shared)) for number in range(3)]
        for process in started:
            process.start()
        for process in started:
            process.join()
        assert [process.exitcode for process in started] == [0, 0, 0]
        with clew.open(url) as opened:
            lines = loaded(opened)
        assert len(lines) == 15 + 3 * 15
        assert [line for line in lines if line in shared] == shared

    def test_calls_of_one_object_are_done_in_the_order_they_were_made(self, store: clew.Store) -> None:
        sessions = ClewSessionStore(store)
        lines = [said(str(number)) for number in range(30)]

        async def main() -> None:
            await asyncio.gather(*(sessions.append(KEY, [line]) for line in lines))

        run(main())
        assert loaded(store) == lines

    def test_the_summary_is_that_of_all_lines(self, store: clew.Store) -> None:
        first, second = ClewSessionStore(store), ClewSessionStore(store)
        run(first.append(KEY, [said("the first prompt", cwd="/home/u/parser")]))
        run(second.append(KEY, [{"type": "custom-title", "customTitle": "parser"}]))
        run(first.append(KEY, [{"type": "tag", "tag": "urgent"}]))
        (summary,) = run(second.list_session_summaries(KEY["project_key"]))
        assert {name: summary["data"].get(name) for name in ("first_prompt", "custom_title", "tag", "cwd")} == {
            "first_prompt": "the first prompt",
            "custom_title": "parser",
            "tag": "urgent",
            "cwd": "/home/u/parser",
        }

    def test_who_never_comes_first_is_told_in_the_end(self, file_store: clew.Store, monkeypatch) -> None:
        def conflict(*args, **kwargs):
            raise clew.ConflictError("somebody else was first")

        sessions = ClewSessionStore(file_store)
        monkeypatch.setattr(file_store, "append", conflict)
        with pytest.raises(clew.ConflictError, match="100 times"):
            run(sessions.append(KEY, [said("first")]))


class TestChangesInClew:
    def test_after_a_rewind_lines_that_are_beyond_it_can_come_again(self, store: clew.Store) -> None:
        sessions = ClewSessionStore(store)
        first, second, third = said("first"), said("second"), said("third")
        run(sessions.append(KEY, [first]))
        kept = active_of(store)
        run(sessions.append(KEY, [second]))
        store.set_active_checkpoint(session_of(store).id, kept)
        assert loaded(store) == [first]
        run(sessions.append(KEY, [first, second]))
        assert loaded(store) == [first, second]
        store.set_active_checkpoint(session_of(store).id, kept)
        run(sessions.append(KEY, [second, third]))
        assert loaded(store) == [first, second, third]

    def test_lines_that_somebody_wrote_others_in_place_of_can_come_again(self, file_store: clew.Store) -> None:
        sessions = ClewSessionStore(file_store)
        first, second, third = said("first"), said("second"), said("third")
        run(sessions.append(KEY, [first, second]))
        others = [said("other", number=number) for number in range(3)]
        file_store.create_checkpoint(session_of(file_store).id, others, parent_id=active_of(file_store))
        run(sessions.append(KEY, [second, third]))
        assert loaded(file_store) == [*others, second, third]

    def test_a_transcript_with_many_new_checkpoints_is_read_anew(self, file_store, monkeypatch) -> None:
        monkeypatch.setattr(transcript, "MAX_STEPS", 3)
        first, second = ClewSessionStore(file_store), ClewSessionStore(file_store)
        lines = [said(str(number)) for number in range(8)]
        run(first.append(KEY, lines[:1]))
        for line in lines[1:7]:
            run(second.append(KEY, [line]))
        run(first.append(KEY, lines))
        assert loaded(file_store) == lines

    def test_a_session_marked_deleted_is_not_found_and_loses_nothing(self, store: clew.Store) -> None:
        sessions = ClewSessionStore(store)
        first, second = said("first"), said("second")
        run(sessions.append(KEY, [first]))
        run(sessions.append(AGENT, [first]))
        store.delete_session(session_of(store).id)
        store.delete_session(session_of(store, AGENT).id)
        assert run(sessions.load(KEY)) is None
        assert run(sessions.list_sessions(KEY["project_key"])) == []
        assert run(sessions.list_subkeys(KEY)) == []
        run(sessions.append(KEY, [second]))
        assert run(sessions.load(KEY)) is None
        store.restore_session(session_of(store).id)
        assert loaded(store) == [first, second]

    def test_a_fork_made_in_clew_is_no_transcript(self, store: clew.Store) -> None:
        sessions = ClewSessionStore(store)
        run(sessions.append(KEY, [said("first")]))
        run(sessions.append(AGENT, [said("first")]))
        for key in (KEY, AGENT):
            store.fork_session(session_of(store, key).id)
        assert len(run(sessions.list_sessions(KEY["project_key"]))) == 1
        assert run(sessions.list_subkeys(KEY)) == [AGENT["subpath"]]
        run(sessions.delete(KEY))
        assert len(store.list_sessions()) == 2  # the forks
        assert {session.source for session in store.list_sessions()} == {None}


class TestSessions:
    def test_a_subagents_transcript_is_a_child_that_keys_can_be_filtered_by(self, store: clew.Store) -> None:
        sessions = ClewSessionStore(store)
        run(
            sessions.append(AGENT, [said("Look around", cwd="/home/u/parser", isSidechain=True)])
        )  # before the main one
        run(sessions.append(KEY, [said("Fix it", cwd="/home/u/parser")]))
        run(sessions.append(OTHER, [said("Another")]))
        main, agent = session_of(store), session_of(store, AGENT)
        assert agent.parent_session_id == main.id
        assert (main.source, main.cwd, main.title) == ("claude-agent-sdk", "/home/u/parser", "Fix it")
        assert (agent.source, agent.cwd, agent.title) == ("claude-agent-sdk", "/home/u/parser", "Look around")
        found = store.list_sessions(metadata={"session_id": KEY["session_id"]})
        assert {session.id for session in found} == {main.id, agent.id}
        assert [session.id for session in store.list_sessions(metadata={"subpath": AGENT["subpath"]})] == [agent.id]

    def test_the_title_is_the_one_of_the_sdks_own_list(self, file_store: clew.Store) -> None:
        sessions = ClewSessionStore(file_store)
        titles = []
        for line in (
            {"type": "mode"},
            said("<command-name>/init</command-name>"),
            said("the first prompt"),
            {"type": "summary", "summary": "a summary"},
            {"type": "last-prompt", "lastPrompt": "the last prompt"},
            {"type": "ai-title", "aiTitle": "of a model"},
            {"type": "custom-title", "customTitle": "by hand \0\ud800" + "x" * 300},
        ):
            run(sessions.append(KEY, [line]))
            titles.append(session_of(file_store).title)
        assert titles == [
            KEY["session_id"], "/init", "the first prompt", "a summary", "the last prompt", "of a model",
            r"by hand \x00\ud800" + "x" * 181 + "…",
        ]  # fmt: skip

    def test_a_title_given_in_clew_stays(self, store: clew.Store) -> None:
        sessions = ClewSessionStore(store)
        run(sessions.append(KEY, [said("the first prompt")]))
        store.update_session(session_of(store).id, title="Mine")
        for writer in (sessions, ClewSessionStore(store)):
            run(writer.append(KEY, [{"type": "custom-title", "customTitle": "by Claude"}, said("x", cwd="/later")]))
        assert (session_of(store).title, session_of(store).cwd) == ("Mine", "/later")
