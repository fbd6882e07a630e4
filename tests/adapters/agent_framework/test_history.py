"""The histories of agents: what is loaded, saved and left out."""

import random
import subprocess
import sys

import pytest
from agent_framework import Agent, Content, HistoryProvider, Message
from agent_framework._sessions import filter_new_messages
from tests.adapters.agent_framework.support import (
    SESSION,
    WHOLE_READS,
    WRITES,
    Client,
    active_of,
    dicts,
    run,
    said,
    session_of,
    texts,
    watched,
)

import clew
from clew.adapters.agent_framework import ClewHistoryProvider

WRITER = """
import asyncio, sys
from agent_framework import Message
from clew.adapters.agent_framework import ClewHistoryProvider

history = ClewHistoryProvider(sys.argv[1])
for number in range(10):
    asyncio.run(history.save_messages("s", [Message("user", [f"{sys.argv[2]}-{number}"])]))
history.close()
"""


@pytest.fixture
def history(store: clew.Store) -> ClewHistoryProvider:
    return ClewHistoryProvider(store)


@pytest.fixture
def on_file(file_store: clew.Store) -> ClewHistoryProvider:
    return ClewHistoryProvider(file_store)


def agent(store: clew.Store, **options) -> Agent:
    return Agent(client=Client(), context_providers=[ClewHistoryProvider(store, **options)])


class TestAnAgent:
    def test_remembers_in_another_process_object(self, store):
        first, second = agent(store), agent(store)
        run(first.run("one", session=first.create_session(session_id=SESSION)))
        answer = run(second.run("two", session=second.create_session(session_id=SESSION)))

        assert answer.text == "3: two"
        assert [(message["role"], message["content"]) for message in active_of(store).state.messages] == [
            ("user", "one"), ("assistant", "1: one"), ("user", "two"), ("assistant", "3: two"),
        ]  # fmt: skip

    def test_streams(self, store):
        async def ask() -> str:
            asked = agent(store)
            stream = asked.run("one", session=asked.create_session(session_id=SESSION), stream=True)
            return "".join([update.text async for update in stream])

        assert run(ask()) == "1: one"
        assert texts(run(ClewHistoryProvider(store).get_messages(SESSION))) == ["one", "1: one"]

    def test_stores_only_what_it_is_told_to(self, file_store):
        quiet = agent(file_store, store_inputs=False)
        run(quiet.run("one", session=quiet.create_session(session_id=SESSION)))
        assert texts(run(ClewHistoryProvider(file_store).get_messages(SESSION))) == ["1: one"]

    def test_of_two_providers_each_has_a_history_of_its_own(self, file_store):
        both = [ClewHistoryProvider(file_store), ClewHistoryProvider(file_store, "audit", load_messages=False)]
        asked = Agent(client=Client(), context_providers=both)
        session = asked.create_session(session_id=SESSION)
        run(asked.run("one", session=session))
        run(asked.run("two", session=session))

        assert texts(run(both[0].get_messages(SESSION))) == texts(run(both[1].get_messages(SESSION)))
        assert active_of(file_store, source="agent-framework:audit").state.messages[0]["content"] == "one"

    def test_an_audit_may_store_what_other_providers_added(self, file_store):
        both = [
            ClewHistoryProvider(file_store),
            ClewHistoryProvider(file_store, "audit", load_messages=False, store_context_messages=True),
        ]
        asked = Agent(client=Client(), context_providers=both)
        session = asked.create_session(session_id=SESSION)
        run(asked.run("one", session=session))
        run(asked.run("two", session=session))

        assert texts(run(both[1].get_messages(SESSION))) == ["one", "1: one", "two", "3: two"]


class TestSaving:
    def test_what_was_saved_comes_back_in_order(self, history):
        given = [said("be kind", "system"), said("hello", id="m1"), said("hi", "assistant")]
        run(history.save_messages(SESSION, given[:2]))
        run(history.save_messages(SESSION, given[2:]))

        assert isinstance(history, HistoryProvider)
        assert dicts(run(history.get_messages(SESSION))) == dicts(given)

    def test_an_unknown_session_has_no_history(self, history):
        assert run(history.get_messages("nobody")) == []

    def test_nothing_is_no_session(self, on_file, file_store):
        run(on_file.save_messages(SESSION, []))
        assert file_store.list_sessions().items == []

    @pytest.mark.parametrize("session", [None, ""])
    def test_a_session_has_a_name(self, on_file, session):
        for call in (lambda: on_file.get_messages(session), lambda: on_file.save_messages(session, [said("x")])):
            with pytest.raises(clew.InvalidRequestError, match="session_id"):
                run(call())

    def test_a_name_that_no_store_takes_is_refused(self, history, store):
        with pytest.raises(clew.InvalidRequestError, match="source_id"):
            run(history.save_messages("a\0b", [said("x")]))
        assert store.list_sessions().items == []

    def test_messages_that_compaction_excluded_are_stored_and_left_out_if_wanted(self, file_store):
        given = [Message("user", ["a"], additional_properties={"_excluded": True}), said("b", "assistant")]
        run(ClewHistoryProvider(file_store).save_messages(SESSION, given))

        assert texts(run(ClewHistoryProvider(file_store).get_messages(SESSION))) == ["a", "b"]
        assert texts(run(ClewHistoryProvider(file_store, skip_excluded=True).get_messages(SESSION))) == ["b"]

    def test_the_session_is_called_after_what_the_user_said_first(self, history, store):
        run(history.save_messages(SESSION, [said("be kind", "system"), said("Which\0 train?")]))
        session = session_of(store)
        assert (session.title, session.source, session.source_id) == ("Which train?", "agent-framework", SESSION)

    def test_a_session_marked_deleted_is_not_found_and_takes_no_messages(self, history, store):
        run(history.save_messages(SESSION, [said("a")]))
        writer = ClewHistoryProvider(store)
        run(writer.get_messages(SESSION))
        store.delete_session(session_of(store).id)
        assert run(history.get_messages(SESSION)) == []
        for provider in (writer, ClewHistoryProvider(store)):
            with pytest.raises(clew.ConflictError, match="marked deleted"):
                run(provider.save_messages(SESSION, [said("b")]))
        store.restore_session(session_of(store).id)
        run(history.save_messages(SESSION, [said("b")]))
        assert texts(run(history.get_messages(SESSION))) == ["a", "b"]

    def test_a_purged_session_begins_anew(self, history, store):
        run(history.save_messages(SESSION, [said("a")]))
        store.purge_session(session_of(store).id)
        assert run(history.get_messages(SESSION)) == []
        run(history.save_messages(SESSION, [said("b")]))
        assert texts(run(history.get_messages(SESSION))) == ["b"]


class TestOverlap:
    def test_a_whole_transcript_stores_what_is_new(self, history):
        transcript = [said("a"), said("b", "assistant"), said("c"), said("d", "assistant")]
        run(history.save_messages(SESSION, transcript[:2]))
        run(history.save_messages(SESSION, transcript))
        run(history.save_messages(SESSION, transcript))
        assert texts(run(history.get_messages(SESSION))) == ["a", "b", "c", "d"]

    def test_a_batch_that_begins_with_the_end_of_the_history(self, history):
        run(history.save_messages(SESSION, [said("a"), said("b", "assistant"), said("c")]))
        run(history.save_messages(SESSION, [said("b", "assistant"), said("c"), said("d", "assistant")]))
        assert texts(run(history.get_messages(SESSION))) == ["a", "b", "c", "d"]

    def test_what_the_user_says_again_is_kept(self, on_file):
        run(on_file.save_messages(SESSION, [said("yes")]))
        run(on_file.save_messages(SESSION, [said("yes")]))
        assert texts(run(on_file.get_messages(SESSION))) == ["yes", "yes"]

    def test_unless_its_id_says_that_it_is_the_same(self, on_file):
        run(on_file.save_messages(SESSION, [said("yes", id="m1")]))
        run(on_file.save_messages(SESSION, [said("yes", id="m1")]))
        assert texts(run(on_file.get_messages(SESSION))) == ["yes"]

    def test_calls_with_arguments_that_only_python_calls_equal_are_two(self, on_file):
        calls = [
            Message("assistant", [Content.from_function_call(call_id="c", name="f", arguments={"n": n})])
            for n in (1, True, 1.0)
        ]
        for one in calls:
            run(on_file.save_messages(SESSION, [one]))
        assert filter_new_messages(calls[:1], calls[1:2]) == calls[1:2]
        assert dicts(run(on_file.get_messages(SESSION))) == dicts(calls)
        run(on_file.save_messages(SESSION, calls))
        assert len(run(on_file.get_messages(SESSION))) == 3

    def test_it_is_what_the_framework_finds(self, on_file):
        draw = random.Random(7)
        pool = [said("a"), said("b"), said("a", "assistant"), said("c", id="1"), said("d", id="2")]
        for number in range(60):
            stored: list[Message] = []
            for _ in range(draw.randint(1, 4)):
                start = draw.randint(0, len(stored))
                batch = [*stored[start:], *draw.choices(pool, k=draw.randint(0, 3))]
                stored = [*stored, *filter_new_messages(stored, batch)]
                run(on_file.save_messages(str(number), batch))
            assert dicts(run(on_file.get_messages(str(number)))) == dicts(stored)


class TestCosts:
    def test_saving_reads_no_more_than_the_batch_is_long(self, on_file, file_store):
        run(on_file.save_messages(SESSION, [said(str(number)) for number in range(50)]))
        run(on_file.save_messages(SESSION, [said("x")]))

        with watched(file_store) as calls:
            run(on_file.save_messages(SESSION, [said("y"), said("z", "assistant")]))

        names = [name for name, _, _ in calls]
        assert not WHOLE_READS & set(names)
        assert [kwargs for name, _, kwargs in calls if name == "get_messages"] == [{"start": -2}]
        assert [len(args[1]) for name, args, _ in calls if name == "append"] == [2]
        assert len([name for name in names if name in WRITES]) == 1

    def test_what_is_stored_already_writes_nothing(self, on_file, file_store):
        run(on_file.save_messages(SESSION, [said("a"), said("b", "assistant")]))
        with watched(file_store) as calls:
            run(on_file.save_messages(SESSION, [said("a"), said("b", "assistant")]))
        assert not WRITES & {name for name, _, _ in calls}


class TestTwoWriters:
    def test_who_is_overtaken_looks_again_for_what_is_new(self, file_store, tmp_path, monkeypatch):
        history = ClewHistoryProvider(file_store)
        run(history.save_messages(SESSION, [said("a"), said("b", "assistant")]))
        append = file_store.append
        with clew.open(tmp_path / "clew.db", durability="normal") as other:
            late = [lambda: run(ClewHistoryProvider(other).save_messages(SESSION, [said("c"), said("d", "assistant")]))]

            def overtaken(*args, **kwargs):
                if late:
                    late.pop()()
                return append(*args, **kwargs)

            monkeypatch.setattr(file_store, "append", overtaken)
            run(history.save_messages(SESSION, [said("c"), said("d", "assistant"), said("e")]))

        assert texts(run(history.get_messages(SESSION))) == ["a", "b", "c", "d", "e"]

    def test_eight_processes_on_one_new_file_lose_nothing(self, tmp_path):
        path = tmp_path / "new.db"
        processes = [subprocess.Popen([sys.executable, "-c", WRITER, str(path), str(number)]) for number in range(8)]
        assert [process.wait() for process in processes] == [0] * 8

        with clew.open(path) as store:
            found = texts(run(ClewHistoryProvider(store).get_messages("s")))
        assert sorted(found) == sorted(f"{process}-{number}" for process in range(8) for number in range(10))


def test_a_store_that_was_opened_for_a_path_is_closed_with_it(tmp_path):
    history = ClewHistoryProvider(tmp_path / "own.db")
    run(history.save_messages(SESSION, [said("x")]))
    history.close()
    with pytest.raises(clew.UnavailableError):
        run(history.get_messages(SESSION))
