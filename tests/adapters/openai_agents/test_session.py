"""The four methods of a session, as the Runner and its users call them."""

import asyncio
import threading
from pathlib import Path
from typing import Any

import pytest
from agents import RunContextWrapper
from agents.memory import Session, SessionSettings
from tests.adapters.openai_agents.support import READS, calls_of, said, user, users

import clew
from clew.adapters.openai_agents import ClewSession

ITEMS: list[dict[str, Any]] = [
    {"role": "user", "content": "a\x00b \ud800 é"},
    {"id": "m", "type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "b"}], "z": None},
    {"type": "function_call", "call_id": "c", "name": "f", "arguments": '{"n": 1}'},
    {"type": "function_call_output", "call_id": "c", "output": [{"type": "input_text", "text": "1"}]},
    {"type": "reasoning", "id": "r", "summary": [], "encrypted_content": "xyz", "n": 2**70, "f": 0.1},
]


def session(store: Any, name: str = "talk", **more: Any) -> Any:
    return ClewSession(name, store, **more)


def test_it_is_a_session_for_the_sdk(file_store: clew.Store) -> None:
    assert isinstance(session(file_store), Session)


async def _added(store: clew.Store, *batches: list[dict[str, Any]]) -> Any:
    made = session(store)
    for batch in batches:
        await made.add_items(batch)
    return made


def test_items_come_back_equal_and_in_order_from_another_object(store: clew.Store) -> None:
    async def main() -> None:
        await _added(store, ITEMS[:2], ITEMS[2:])
        got = await session(store).get_items()
        assert got == ITEMS
        assert [list(item) for item in got] == [list(item) for item in ITEMS]

    asyncio.run(main())


def test_a_session_without_items_is_empty_and_makes_none_in_the_store(store: clew.Store) -> None:
    async def main() -> None:
        empty = session(store)
        assert await empty.get_items() == []
        assert await empty.pop_item() is None
        await empty.clear_session()
        await empty.add_items([])
        assert await empty.current_branch() == "main"
        assert await empty.list_branches() == []
        assert await empty.list_labels() == {}

    asyncio.run(main())
    assert store.list_sessions().total == 0


@pytest.mark.parametrize(
    ("limit", "settings", "expected"),
    [
        (None, None, "abcde"), (2, None, "de"), (0, None, ""), (9, None, "abcde"), (-1, None, "abcde"),
        (None, 3, "cde"), (1, 3, "e"), (None, 0, ""), (None, -2, "abcde"),
    ],
)  # fmt: skip
def test_a_limit_is_of_the_newest_oldest_first(
    file_store: clew.Store, limit: int | None, settings: int | None, expected: str
) -> None:
    async def main() -> None:
        made = session(file_store, session_settings=SessionSettings(limit=settings))
        await made.add_items(users("abc"))
        await made.add_items(users("de"))
        assert "".join(said(await made.get_items(limit))) == expected
        assert "".join(said(await made.get_items(limit=limit))) == expected

    asyncio.run(main())


def test_the_newest_items_are_one_read_and_no_others_are_read(
    store: clew.Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def main() -> None:
        await _added(store, users("abc"), users("de"))
        called = calls_of(monkeypatch, store, *READS)
        made = session(store)
        assert said(await made.get_items(2)) == ["d", "e"]
        assert said(await made.get_items(4)) == ["b", "c", "d", "e"]
        read = ["get_session_summary", "get_messages"]
        assert [name for name, _ in called] == ["find_session_summary", *read, *read]

    asyncio.run(main())


def test_a_session_without_an_active_checkpoint_has_no_items(file_store: clew.Store) -> None:
    async def main() -> None:
        made = await _added(file_store, users("abc"))
        id = file_store.find_session_summary("openai-agents", "talk").id
        file_store.delete_checkpoints(id, [item.id for item in file_store.list_checkpoints(id)])
        for limit in (None, 2):
            assert await made.get_items(limit) == []
        assert (await made.pop_item(), await made.current_branch()) == (None, "main")
        await made.add_items(users("x"))
        assert said(await made.get_items(5)) == ["x"]

    asyncio.run(main())


def test_the_last_item_is_popped_also_from_the_middle_of_a_batch(store: clew.Store) -> None:
    async def main() -> None:
        made = await _added(store, users("ab"), users("cd"))
        assert [(await made.pop_item())["content"] for _ in range(3)] == ["d", "c", "b"]
        assert said(await made.get_items()) == ["a"]
        await made.add_items(users("x"))
        assert said(await session(store).get_items()) == ["a", "x"]
        assert [(await made.pop_item() or {}).get("content") for _ in range(3)] == ["x", "a", None]
        assert await made.get_items() == []

    asyncio.run(main())


def test_what_was_popped_or_cleared_stays_in_the_tree(store: clew.Store) -> None:
    async def main() -> None:
        made = await _added(store, users("ab"))
        await made.pop_item()
        await made.clear_session()
        assert await made.get_items() == []
        await made.add_items(users("x"))
        assert said(await made.get_items()) == ["x"]

    asyncio.run(main())
    (summary,) = store.list_sessions()
    assert [item.message_count for item in store.list_checkpoints(summary.id)] == [2, 1, 0, 1]


def test_a_purged_session_is_gone_and_can_begin_again(store: clew.Store) -> None:
    async def main() -> None:
        made, other = await _added(store, users("ab")), session(store)
        assert len(await other.get_items()) == 2
        await made.purge_session()
        assert store.list_sessions().total == 0
        assert await other.get_items() == await made.get_items() == []
        await other.add_items(users("x"))
        assert said(await made.get_items()) == ["x"]

    asyncio.run(main())


def test_sessions_of_other_names_and_owners_are_others(store: clew.Store) -> None:
    async def main() -> None:
        for name, owner, text in (("a", None, "1"), ("b", None, "2"), ("a", "ada", "3")):
            await session(store, name, owner=owner).add_items(users(text))
        for name, owner, text in (("a", None, "1"), ("b", None, "2"), ("a", "ada", "3")):
            assert said(await session(store, name, owner=owner).get_items()) == [text]

    asyncio.run(main())


@pytest.mark.parametrize("bad", [[user("a"), 1], [{1: "a"}], [{"role": float("nan")}], [{"role": {1, 2}}]])
def test_a_batch_is_added_whole_or_not_at_all(file_store: clew.Store, bad: list[Any]) -> None:
    async def main() -> None:
        made = await _added(file_store, users("a"))
        with pytest.raises(clew.InvalidRequestError):
            await made.add_items(bad)
        with pytest.raises(clew.InvalidRequestError):
            await session(file_store, "new").add_items(bad)
        assert said(await made.get_items()) == ["a"]

    asyncio.run(main())
    assert file_store.list_sessions().total == 1


def test_all_four_methods_take_the_context_of_a_run(file_store: clew.Store) -> None:
    async def main() -> None:
        context, made = RunContextWrapper(None), session(file_store)
        await made.add_items(users("ab"), wrapper=context)
        assert said(await made.get_items(wrapper=context)) == ["a", "b"]
        assert await made.pop_item(wrapper=context) == user("b")
        await made.clear_session(wrapper=context)
        assert await made.get_items() == []

    asyncio.run(main())


def test_nothing_works_after_close_and_a_given_store_stays_open(tmp_path: Path) -> None:
    async def main() -> None:
        with clew.open(tmp_path / "clew.db") as store:
            for given in (store, tmp_path / "clew.db", str(tmp_path / "clew.db"), store.aio):
                made = session(given)
                await made.add_items(users("a"))
                made.close()
                made.close()
                for call in (made.get_items, made.pop_item, made.clear_session, made.list_branches):
                    with pytest.raises(RuntimeError, match="closed"):
                        await call()
                for items in (users(""), users("a")):
                    with pytest.raises(RuntimeError, match="closed"):
                        await made.add_items(items)
            assert len(await session(store).get_items()) == 4

    asyncio.run(main())


def test_a_session_in_memory_is_private() -> None:
    async def main() -> None:
        first, second = ClewSession("talk"), ClewSession("talk")
        await first.add_items(users("a"))  # type: ignore[arg-type]
        assert await second.get_items() == []
        first.close()
        second.close()

    asyncio.run(main())


def test_batches_of_many_writers_at_once_all_count_and_stay_together(store: clew.Store) -> None:
    async def main() -> None:
        made = [session(store) for _ in range(4)]
        batches = [[user(f"{number}.{part}") for part in range(3)] for number in range(16)]
        await asyncio.gather(*(made[number % 4].add_items(batch) for number, batch in enumerate(batches)))
        got = said(await made[0].get_items())
        assert sorted(got[::3]) == sorted(f"{number}.0" for number in range(16))
        assert [got[at : at + 3] for at in range(0, 48, 3)] == [
            [f"{first[:-2]}.{part}" for part in range(3)] for first in got[::3]
        ]

    asyncio.run(main())
    assert store.list_sessions().total == 1


def test_no_item_is_popped_twice(store: clew.Store) -> None:
    async def main() -> None:
        await _added(store, users("abcdefgh"))
        popped = await asyncio.gather(*(session(store).pop_item() for _ in range(10)))
        assert sorted(item["content"] for item in popped if item) == list("abcdefgh")
        assert popped.count(None) == 2

    asyncio.run(main())


def test_the_first_items_of_two_are_both_there(file_store: clew.Store, monkeypatch: pytest.MonkeyPatch) -> None:
    make = file_store.ensure_session

    def overtaken(*args: Any, **kwargs: Any) -> Any:
        monkeypatch.setattr(file_store, "ensure_session", make)
        session(file_store)._conversation.append(file_store, users("a"))
        return make(*args, **kwargs)

    monkeypatch.setattr(file_store, "ensure_session", overtaken)
    asyncio.run(_added(file_store, users("b")))
    assert said(asyncio.run(session(file_store).get_items())) == ["a", "b"]


def test_a_pop_that_is_overtaken_takes_the_item_before(file_store: clew.Store, monkeypatch: pytest.MonkeyPatch) -> None:
    read = file_store.get_messages

    def overtaken(*args: Any, **kwargs: Any) -> Any:
        monkeypatch.setattr(file_store, "get_messages", read)
        items = read(*args, **kwargs)
        assert session(file_store)._conversation.pop(file_store) == user("c")
        return items

    async def main() -> None:
        made = await _added(file_store, users("abc"))
        monkeypatch.setattr(file_store, "get_messages", overtaken)
        assert await made.pop_item() == user("b")
        assert said(await made.get_items()) == ["a"]

    asyncio.run(main())


def test_a_cancelled_write_has_ended_when_the_cancellation_comes_out(file_store: clew.Store) -> None:
    async def main() -> None:
        made, began, go_on = session(file_store), threading.Event(), threading.Event()
        append = made._conversation.append

        def slow(*args: Any) -> None:
            began.set()
            go_on.wait()
            append(*args)

        made._conversation.append = slow
        task = asyncio.ensure_future(made.add_items(users("a")))
        await asyncio.to_thread(began.wait)
        task.cancel()
        await asyncio.sleep(0)
        assert not task.done()
        go_on.set()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert said(await made.get_items()) == ["a"]

    asyncio.run(main())


def test_damage_is_an_error_and_nothing_is_skipped_or_deleted(tmp_path: Path) -> None:
    import apsw

    async def main() -> None:
        path = tmp_path / "clew.db"
        with clew.open(path) as store:
            await _added(store, users("abc"))
        connection = apsw.Connection(str(path))
        connection.execute('UPDATE content SET body = \'{"role": "x"}\' WHERE body LIKE \'%"c"%\'')
        connection.close()
        with clew.open(path) as store:
            made = session(store)
            for read in (made.get_items, lambda: made.get_items(1), made.pop_item):
                with pytest.raises(clew.CorruptStateError):
                    await read()
            assert [item.message_count for item in store.list_checkpoints(store.list_sessions().items[0].id)] == [3]

    asyncio.run(main())


def test_a_session_is_listed_by_what_was_asked_first(file_store: clew.Store) -> None:
    async def main() -> None:
        await session(file_store, "one").add_items([*ITEMS[2:3], user("Fix  the\nflaky \x00 test " + "x" * 200)])
        await session(file_store, "two").add_items(ITEMS[2:3])
        await session(file_store, "three", title="given", session_metadata={"team": 1}).add_items(users("a"))

    asyncio.run(main())
    three, two, one = file_store.list_sessions(source="openai-agents")
    assert one.title.startswith("Fix the flaky test xxx")
    assert len(one.title) == 80
    assert (two.title, two.source_id) == ("two", "two")
    assert (three.title, three.metadata) == ("given", {"team": 1})
