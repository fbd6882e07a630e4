"""The message history of a plain agent."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from pydantic_ai.messages import ModelMessage, ModelRequest, ModelResponse, TextPart
from tests.adapters.pydantic_ai.talk import answering, snapshot, tool_turn, turn, turns

import clew
from clew.adapters.pydantic_ai import ClewMessageHistory, ClewStepStore

Run = Callable[[Any], Any]


def test_a_conversation_goes_on_over_runs_and_objects(store: clew.Store, run: Run):
    async def talk() -> list[str]:
        outputs = []
        result: Any = None
        for prompt in ("one", "two", "three"):
            history = ClewMessageHistory(store, "c")
            result = await answering().run(prompt, message_history=await history.aload())
            await history.asave(result)
            outputs.append(result.output)
        assert await ClewMessageHistory(store, "c").aload() == result.all_messages()
        return outputs

    assert run(talk()) == ["seen 1", "seen 3", "seen 5"]
    [session] = store.list_sessions()
    assert (session.title, session.source, session.source_id) == ("one", "pydantic-ai", "c")
    assert (session.message_count, session.checkpoint_count) == (6, 4)


def test_it_works_without_awaiting(file_store: clew.Store, run: Run):
    history = ClewMessageHistory(file_store, "c")
    result: Any = None
    for prompt in ("one", "two"):
        result = run(answering().run(prompt, message_history=history.load()))
        history.save(result)
    history.append(turn(1))
    assert history.load() == [*result.all_messages(), *turn(1)]


def test_what_nobody_has_written_to_is_empty_and_not_made_by_reading(store: clew.Store):
    history = ClewMessageHistory(store, "c")
    assert history.load() == history.load(5) == []
    for read in (lambda: history.load(at=clew.Label("x")), lambda: history.rewind(clew.Label("x")), history.fork):
        with pytest.raises(clew.NotFoundError, match="no messages yet"):
            read()
    assert len(store.list_sessions()) == 0


def test_a_save_stores_only_what_is_new(file_store: clew.Store, monkeypatch: pytest.MonkeyPatch):
    sent: list[int] = []
    append = clew.Store.append

    def counted(store: clew.Store, session: Any, messages: Any, **more: Any) -> Any:
        sent.append(len(messages))
        return append(store, session, messages, **more)

    monkeypatch.setattr(clew.Store, "append", counted)
    history = ClewMessageHistory(file_store, "c")
    history.save(turns(1))
    for number in range(2, 5):
        history.save(turns(number))
    assert sent == [2, 2, 2]
    assert history.load() == turns(4)


def test_loading_the_whole_reads_it_once(file_store: clew.Store, monkeypatch: pytest.MonkeyPatch):
    ClewMessageHistory(file_store, "c").save(turns(3))
    monkeypatch.setattr(clew.Store, "get_messages", None, raising=False)
    assert ClewMessageHistory(file_store, "c").load() == turns(3)


def test_a_history_that_was_summed_up_is_kept_as_it_is_and_the_old_one_too(store: clew.Store):
    history = ClewMessageHistory(store, "c")
    first = history.save(turns(4))
    summed: list[ModelMessage] = [ModelResponse(parts=[TextPart("so far")]), *turn(9)]
    history.save(summed)
    assert history.load() == summed
    assert history.load(at=first.id) == turns(4)


def test_a_message_changed_in_place_is_saved_as_it_is_now(file_store: clew.Store):
    history, messages = ClewMessageHistory(file_store, "c"), turns(30)
    history.save(messages)
    messages[0].parts[0].content = "changed"  # type: ignore[union-attr, misc]
    history.save(messages)
    assert history.load() == messages


def test_limit_gives_the_last_messages_oldest_first(store: clew.Store):
    history = ClewMessageHistory(store, "c")
    history.save(turns(5))
    assert history.load(4) == turns(5)[-4:]
    assert history.load(0) == []
    assert history.load(100) == turns(5)
    with pytest.raises(clew.InvalidRequestError, match="limit"):
        history.load(-1)


def test_what_was_loaded_in_part_is_not_saved_as_the_whole(file_store: clew.Store):
    history = ClewMessageHistory(file_store, "c")
    history.save(turns(5))
    part = history.load(2)
    with pytest.raises(clew.InvalidRequestError, match="append"):
        history.save([*part, *turn(9)])
    history.append(turn(9))
    assert history.load() == [*turns(5), *turn(9)]
    history.save([*turns(5), *turn(9), *turn(10)])


def test_rewind_and_fork_at_any_checkpoint(store: clew.Store):
    history = ClewMessageHistory(store, "c")
    first = history.save(turns(1))
    history.save(turns(3))
    store.set_label(first.id, "good")
    fork = history.fork(at=clew.Label("good"), title="another way")
    fork.save([*turns(1), *tool_turn()])
    history.rewind(first.id)
    assert history.load() == turns(1)
    history.save([*turns(1), *turn(8)])
    assert ClewMessageHistory(store, fork.conversation_id).load() == [*turns(1), *tool_turn()]
    assert ClewMessageHistory(store, "c").load() == [*turns(1), *turn(8)]
    assert {one.title for one in store.list_sessions()} == {"question 0", "another way"}
    with pytest.raises(clew.NotFoundError, match="none of this conversation"):
        fork.load(at=first.id)
    assert fork.load() == [*turns(1), *tool_turn()]


def test_two_that_save_at_once_have_a_branch_each(store: clew.Store):
    ClewMessageHistory(store, "c").save(turns(1))
    one, two = ClewMessageHistory(store, "c"), ClewMessageHistory(store, "c")
    a, b = one.load(), two.load()
    first = one.save([*a, *turn(1)])
    two.save([*b, *turn(2)])
    assert one.load() == [*turns(1), *turn(2)]
    assert one.load(at=first.id) == [*turns(1), *turn(1)]
    assert len(store.branches(first.session_id)) == 2


def test_two_that_append_at_once_lose_nothing(store: clew.Store, run: Run):
    async def all_at_once() -> None:
        histories = [ClewMessageHistory(store, "c") for _ in range(8)]
        await asyncio.gather(*(one.aappend(turn(number)) for number, one in enumerate(histories)))

    run(all_at_once())
    messages = ClewMessageHistory(store, "c").load()
    prompts: list[Any] = [one.parts[0].content for one in messages if isinstance(one, ModelRequest)]  # type: ignore[union-attr]
    assert sorted(prompts) == [f"question {number}" for number in range(8)]
    assert len(messages) == 16


def test_the_awaited_methods_do_the_same(file_store: clew.Store, run: Run):
    async def all_of_them() -> None:
        history = ClewMessageHistory(file_store, "c")
        first = await history.asave(turns(1))
        await history.aappend(turn(1))
        fork = await history.afork(title="fork")
        await history.arewind(first.id)
        assert await history.aload() == turns(1)
        assert await fork.aload(2) == turns(2)[2:]
        assert await fork.aload() == turns(2)

    run(all_of_them())


def test_it_reads_what_a_step_store_wrote_and_is_no_snapshot_there(file_store: clew.Store, run: Run):
    steps = ClewStepStore(file_store)
    run(steps.save_snapshot(snapshot(turns(1), conversation_id="c")))
    history = ClewMessageHistory(file_store, "c")
    assert history.load() == turns(1)
    added = history.append(turn(1))
    assert file_store.get_checkpoint(added.id).state.metadata == {"pydantic_ai": "history"}
    history.save(turns(3))
    assert run(steps.list_snapshots(run_id="r1")) == [snapshot(turns(1), conversation_id="c")]


def test_what_it_opened_is_closed(tmp_path: Any):
    history = ClewMessageHistory(tmp_path / "own.db", "c")
    history.save(turns(1))
    history.close()
    with pytest.raises(clew.UnavailableError):
        history.load()
