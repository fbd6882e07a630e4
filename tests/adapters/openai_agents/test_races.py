"""Somebody else is first: what another object writes between the look of a call and its write."""

import asyncio
from typing import Any

import pytest
from tests.adapters.openai_agents.support import after_the_look, said, users

import clew
from clew.adapters.openai_agents import ClewSession


def session(store: clew.Store) -> Any:
    return ClewSession("talk", store)


def test_the_first_items_of_two_make_one_session_with_both(
    file_store: clew.Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    after_the_look(monkeypatch, file_store, "find_session_summary", lambda: session(file_store).add_items(users("ab")))
    asyncio.run(session(file_store).add_items(users("cd")))
    assert said(asyncio.run(session(file_store).get_items())) == ["a", "b", "c", "d"]
    assert file_store.list_sessions().total == 1


def test_items_go_on_after_another_object_purged_the_session(store: clew.Store) -> None:
    async def main() -> None:
        made = session(store)
        await made.add_items(users("a"))
        await session(store).purge_session()
        await made.add_items(users("b"))
        assert said(await session(store).get_items()) == ["b"]

    asyncio.run(main())


def test_to_rewind_to_a_label_of_another_branch_stays_on_the_current_one(store: clew.Store) -> None:
    async def main() -> None:
        made = session(store)
        await made.add_items(users("a"))
        await made.set_label("here")
        await made.create_branch("other")
        await made.add_items(users("b"))
        await made.rewind("here")
        assert await made.current_branch() == "other"
        await made.add_items(users("c"))
        await made.switch_branch("main")
        assert said(await made.get_items()) == ["a"]
        await made.switch_branch("other")
        assert said(await made.get_items()) == ["a", "c"]

    asyncio.run(main())


def test_a_branch_is_found_behind_many_checkpoints_that_are_newer(
    file_store: clew.Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("clew.adapters.openai_agents.branches._PAGE", 3)

    async def main() -> None:
        made = session(file_store)
        await made.add_items(users("a"))
        await made.create_branch("other")
        await made.switch_branch("main")
        for number in range(8):
            await made.set_label(f"label {number}")
        assert [(item.name, item.item_count) for item in await made.list_branches()] == [("main", 1), ("other", 1)]
        assert list(await made.list_labels()) == [f"label {number}" for number in range(8)]

    asyncio.run(main())
