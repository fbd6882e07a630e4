"""What a session can do beyond the SDK's own: branches, labels, rewind."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from tests.adapters.openai_agents.support import after_the_look, said, users

import clew
from clew.adapters.openai_agents import ClewSession


def session(store: clew.Store) -> Any:
    return ClewSession("talk", store)


async def text(made: Any) -> str:
    return "".join(said(await made.get_items()))


def test_a_branch_goes_on_from_any_point_the_end_included(store: clew.Store) -> None:
    async def main() -> None:
        made = session(store)
        await made.add_items(users("abc"))
        for name, at, expected in (("end", None, "abc"), ("middle", 1, "a"), ("start", 0, "")):
            await made.switch_branch("main")
            await made.create_branch(name, at)
            assert await made.current_branch() == name
            assert await text(made) == expected
            await made.add_items(users("x"))
            assert await text(made) == expected + "x"
        await made.switch_branch("main")
        assert await text(made) == "abc"
        assert {(item.name, item.item_count, item.is_current) for item in await made.list_branches()} == {
            ("main", 3, True), ("end", 4, False), ("middle", 2, False), ("start", 1, False),
        }  # fmt: skip

    asyncio.run(main())


def test_the_current_branch_is_the_same_for_the_next_object(store: clew.Store) -> None:
    async def main() -> None:
        made = session(store)
        await made.add_items(users("ab"))
        await made.create_branch("other", 1)
        await made.add_items(users("x"))
        later = session(store)
        assert await later.current_branch() == "other"
        assert await text(later) == "ax"
        await later.switch_branch("main")
        assert await text(made) == "ab"

    asyncio.run(main())


def test_a_branch_is_left_and_found_again_with_all_that_was_added(store: clew.Store) -> None:
    async def main() -> None:
        made = session(store)
        await made.add_items(users("a"))
        await made.create_branch("other")
        for name, letter in (("main", "1"), ("other", "2"), ("main", "3"), ("other", "4")):
            await made.switch_branch(name)
            await made.add_items(users(letter))
        await made.switch_branch("main")
        assert await text(made) == "a13"
        await made.switch_branch("other")
        assert await text(made) == "a24"

    asyncio.run(main())


def test_a_switch_that_is_overtaken_loses_nothing(file_store: clew.Store, monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        made, other = session(file_store), session(file_store)
        await made.add_items(users("a"))
        await made.create_branch("other")
        await made.add_items(users("x"))
        await made.switch_branch("main")

        async def meanwhile() -> None:
            await other.add_items(users("y"))
            await other.switch_branch("other")
            await other.add_items(users("z"))
            await other.switch_branch("main")

        after_the_look(monkeypatch, file_store, "get_messages", meanwhile)
        await asyncio.to_thread(lambda: asyncio.run(made.switch_branch("other")))
        assert await text(made) == "axz"
        await made.switch_branch("main")
        assert await text(made) == "ay"

    asyncio.run(main())


def test_to_take_items_away_on_one_branch_leaves_the_others(store: clew.Store) -> None:
    async def main() -> None:
        made = session(store)
        await made.add_items(users("ab"))
        await made.create_branch("other")
        await made.pop_item()
        await made.clear_session()
        await made.add_items(users("z"))
        await made.switch_branch("main")
        assert await text(made) == "ab"
        await made.switch_branch("other")
        assert await text(made) == "z"

    asyncio.run(main())


def test_names_of_branches_are_unique_until_they_are_forgotten(file_store: clew.Store) -> None:
    async def main() -> None:
        made = session(file_store)
        await made.add_items(users("ab"))
        await made.create_branch("x", 1)
        for name in ("x", "main"):
            with pytest.raises(clew.ConflictError):
                await made.create_branch(name)
        with pytest.raises(clew.ConflictError, match="current"):
            await made.delete_branch("x")
        await made.switch_branch("main")
        await made.delete_branch("x")
        with pytest.raises(clew.NotFoundError):
            await made.switch_branch("x")
        with pytest.raises(clew.InvalidRequestError):
            await made.delete_branch("main")
        await made.create_branch("x")
        assert await text(made) == "ab"

    asyncio.run(main())


def test_rewind_goes_back_on_the_same_branch_and_nothing_is_lost(store: clew.Store) -> None:
    async def main() -> None:
        made = session(store)
        await made.add_items(users("abc"))
        await made.set_label("good")
        await made.add_items(users("de"))
        await made.rewind(4)
        assert await text(made) == "abcd"
        await made.rewind("good")
        assert await text(made) == "abc"
        await made.add_items(users("z"))
        assert (await made.list_labels(), await made.current_branch()) == ({"good": 3}, "main")
        await made.create_branch("again", "good")
        assert await text(made) == "abc"

    asyncio.run(main())
    (summary,) = store.list_sessions()
    assert 5 in [item.message_count for item in store.list_checkpoints(summary.id)]


def test_rewind_to_a_label_of_another_branch_stays_on_the_current_one(file_store: clew.Store) -> None:
    async def main() -> None:
        made = session(file_store)
        await made.add_items(users("a"))
        await made.create_branch("other")
        await made.add_items(users("x"))
        await made.set_label("there")
        await made.switch_branch("main")
        await made.rewind("there")
        assert (await text(made), await made.current_branch()) == ("ax", "main")

    asyncio.run(main())


@pytest.mark.parametrize("point", [9, -1, True, 1.5, "nowhere", "branch/main", "branch-tip/main"])
def test_a_point_that_is_none_is_refused_and_changes_nothing(file_store: clew.Store, point: Any) -> None:
    async def main() -> None:
        made = session(file_store)
        await made.add_items(users("abc"))
        for call in (made.rewind, lambda at: made.create_branch("x", at)):
            with pytest.raises((clew.InvalidRequestError, clew.NotFoundError)):
                await call(point)
        assert await text(made) == "abc"
        assert len(await made.list_branches()) == 1

    asyncio.run(main())


@pytest.mark.parametrize("name", ["", None, 1, "a\x00b", "\ud800", "x" * 2_000])
def test_a_name_that_is_none_is_refused_and_changes_nothing(file_store: clew.Store, name: Any) -> None:
    async def main() -> None:
        made = session(file_store)
        await made.add_items(users("a"))
        for call in (made.create_branch, made.switch_branch, made.delete_branch, made.set_label):
            with pytest.raises(clew.InvalidRequestError):
                await call(name)
        for mark in ("branch/main", "branch-tip/main"):
            with pytest.raises(clew.InvalidRequestError):
                await made.set_label(mark)

    asyncio.run(main())
    (summary,) = file_store.list_sessions()
    assert file_store.list_checkpoints(summary.id).total == 1


def test_what_is_added_while_branches_begin_is_on_one_of_them(store: clew.Store) -> None:
    async def main() -> None:
        made = session(store)
        await made.add_items(users("-"))
        calls: list[Any] = []
        for number, letter in enumerate("abcdefgh"):
            other = session(store)
            calls.append(other.add_items(users(letter)))
            calls.append(other.create_branch(str(number), 1) if number % 2 else other.switch_branch("main"))
        await asyncio.gather(*calls)
        found = ""
        for branch in await made.list_branches():
            await made.switch_branch(branch.name)
            found += await text(made)
            assert branch.item_count == len(await made.get_items())
        assert sorted(found.replace("-", "")) == list("abcdefgh")

    asyncio.run(main())


def test_a_label_is_unique_unless_it_is_moved(file_store: clew.Store) -> None:
    async def main() -> None:
        made = session(file_store)
        await made.add_items(users("a"))
        await made.set_label("here")
        await made.add_items(users("b"))
        with pytest.raises(clew.ConflictError):
            await made.set_label("here")
        await made.set_label("here", move=True)
        assert await made.list_labels() == {"here": 2}

    asyncio.run(main())


def test_what_needs_items_says_so_while_there_are_none(file_store: clew.Store) -> None:
    async def main() -> None:
        for call in (
            lambda made: made.create_branch("x"),
            lambda made: made.rewind(0),
            lambda made: made.set_label("x"),
        ):
            with pytest.raises(clew.NotFoundError, match="no items"):
                await call(session(file_store))

    asyncio.run(main())


def test_a_branch_takes_less_than_a_kilobyte_however_long_the_conversation(file_store: clew.Store) -> None:
    branches = 200

    def size() -> int:
        file_store.compact()
        return Path(str(file_store.backend_info().store_path)).stat().st_size

    async def main() -> None:
        made = session(file_store)
        await made.add_items(users("abcdefgh" * 250))
        before = size()
        for number in range(branches):
            await made.switch_branch("main")
            await made.create_branch(f"branch {number}", 1_000 + number)
        assert (size() - before) / branches / 2 < 1_000  # there and back: two checkpoints

    asyncio.run(main())
