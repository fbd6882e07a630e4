"""The tip of a branch: it has a label as soon as it could be lost, which goes along with every write."""

import asyncio
from typing import Any
from uuid import UUID

import pytest
from tests.adapters.openai_agents.support import calls_of, said, users

import clew
from clew.adapters.openai_agents import ClewSession


def session(store: clew.Store) -> Any:
    return ClewSession("talk", store)


def in_store(store: clew.Store) -> UUID:
    return store.find_session_summary("openai-agents", "talk").id


def tips(store: clew.Store) -> dict[str | None, int]:
    """How many items are at each label that the tip of a branch has."""
    found = store.list_checkpoints(in_store(store), order="label").items
    return {item.label: item.message_count for item in found if str(item.label).startswith("branch-tip/")}


async def text(made: Any) -> str:
    return "".join(said(await made.get_items()))


async def two_branches(made: Any) -> None:
    await made.add_items(users("ab"))
    await made.create_branch("other", 1)
    await made.add_items(users("xyz"))


def test_every_write_takes_the_label_of_the_tip_along(store: clew.Store) -> None:
    async def main() -> None:
        made = session(store)
        await two_branches(made)
        expected = {"branch-tip/main": 2, "branch-tip/other": 4}
        assert tips(store) == expected
        writes: list[tuple[Any, int]] = [
            (lambda: made.add_items(users("w")), 5), (made.pop_item, 4), (lambda: made.rewind(2), 2),
            (lambda: session(store).add_items(users("v")), 3), (made.clear_session, 0),
            (lambda: made.add_items(users("u")), 1), (lambda: made._atomic_replace_items(users("ts")), 2),
        ]  # fmt: skip
        for write, count in writes:
            await write()
            assert tips(store) == expected | {"branch-tip/other": count}
        snapshot = await made._get_compaction_snapshot(1)
        assert await snapshot.replace_suffix(0, users("rqp"))
        assert tips(store) == expected | {"branch-tip/other": 4}

    asyncio.run(main())


def test_pruning_keeps_the_end_of_every_branch(file_store: clew.Store) -> None:
    async def main() -> None:
        made = session(file_store)
        await two_branches(made)
        await made.create_branch("third")
        await made.add_items(users("!"))
        await made.set_label("mine")
        await made.add_items(users("?"))
        await made.switch_branch("main")
        for letter in "cdef":
            await made.add_items(users(letter))
        file_store.apply_prune(file_store.plan_prune(keep_checkpoints=1))
        again = session(file_store)
        for name, expected in (("main", "abcdef"), ("other", "axyz"), ("third", "axyz!?"), ("main", "abcdef")):
            await again.switch_branch(name)
            assert await text(again) == expected
        assert await again.list_labels() == {"mine": 5}

    asyncio.run(main())


def test_a_session_without_branches_pays_for_no_label(file_store: clew.Store, monkeypatch: pytest.MonkeyPatch) -> None:
    written = calls_of(monkeypatch, file_store, "append")

    async def main() -> None:
        for letter in "abc":
            made = session(file_store)
            await made.add_items(users(letter))
            await made.add_items(users(letter))
            await made.pop_item()
        assert await text(session(file_store)) == "abc"

    asyncio.run(main())
    assert [arguments.get("label") for _, arguments in written] == [None] * 8


def test_two_objects_that_write_in_turn_have_a_label_and_lose_nothing(store: clew.Store) -> None:
    async def main() -> None:
        first, second = session(store), session(store)
        for letter in "abcd":
            await first.add_items(users(letter))
            await second.add_items(users(letter.upper()))
        assert await text(first) == "aAbBcCdD"
        assert list(tips(store)) == ["branch-tip/main"]

    asyncio.run(main())


def test_a_switch_reads_no_more_of_a_long_session(file_store: clew.Store, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = calls_of(monkeypatch, file_store, "list_checkpoints")

    async def main() -> None:
        made = session(file_store)
        await two_branches(made)
        asked.clear()
        await made.switch_branch("main")
        await made.switch_branch("other")
        assert [arguments.get("active") for _, arguments in asked] == [True, True]
        assert await text(made) == "axyz"

    asyncio.run(main())


def test_a_label_put_on_the_tip_by_hand_stays_where_it_is(file_store: clew.Store) -> None:
    async def main() -> None:
        made = session(file_store)
        await two_branches(made)
        active = file_store.get_session_summary(in_store(file_store)).active_checkpoint_id
        assert active is not None
        file_store.set_label(active, "mine")
        await made.add_items(users("!"))
        assert await made.list_labels() == {"mine": 4}
        assert tips(file_store) == {"branch-tip/main": 2, "branch-tip/other": 5}
        await made.set_label("there")
        await made.switch_branch("main")
        await made.switch_branch("other")
        assert (await text(made), await made.list_labels()) == ("axyz!", {"mine": 4, "there": 5})

    asyncio.run(main())


def test_a_branch_that_was_left_by_other_means_is_found_by_what_was_written_last(file_store: clew.Store) -> None:
    async def main() -> None:
        made = session(file_store)
        await two_branches(made)
        id = in_store(file_store)
        file_store.set_active_checkpoint(id, clew.Label("branch-tip/main"))
        assert (await made.current_branch(), await text(made)) == ("main", "ab")
        await made.add_items(users("c"))
        await made.switch_branch("other")
        assert await text(made) == "axyz"
        tip = file_store.find_checkpoint(id, "branch-tip/main").id
        file_store.set_label(tip, None)
        await made.switch_branch("main")
        assert await text(made) == "abc"

    asyncio.run(main())


def test_a_branch_of_which_nothing_is_left_is_an_error(file_store: clew.Store) -> None:
    async def main() -> None:
        made = session(file_store)
        await two_branches(made)
        id = in_store(file_store)
        gone = [item.id for item in file_store.list_checkpoints(id, metadata={"branch": "main"})]
        file_store.delete_checkpoints(id, gone)
        with pytest.raises(clew.NotFoundError, match="nothing is left"):
            await made.switch_branch("main")
        assert await made.current_branch() == "other"

    asyncio.run(main())


# -- sessions of earlier versions: the beginning of a branch has a label, its tip none


def of_old(store: clew.Store) -> None:
    """A session as it was written then: main is ab, other axyz and current, third at."""
    id = store.ensure_session("openai-agents", "talk", messages=users("a"), metadata={"branch": "main"}).id
    fork = store.append(id, users("b")).parent_id
    store.append(id, [], label="branch/third", metadata={"branch": "third"}, parent_id=fork)
    store.append(id, users("t"))
    store.append(id, [], label="branch/other", metadata={"branch": "other"}, parent_id=fork)
    store.append(id, users("xy"))
    store.append(id, [], label="good")
    store.append(id, users("z"))


def test_an_old_session_goes_on_from_the_end_of_each_branch(store: clew.Store) -> None:
    async def main() -> None:
        of_old(store)
        made = session(store)
        found = [(item.name, item.item_count, item.is_current) for item in await made.list_branches()]
        assert found == [("main", 2, False), ("other", 4, True), ("third", 2, False)]
        assert await made.list_labels() == {"good": 3}
        await made.switch_branch("main")
        assert await text(made) == "ab"
        await made.add_items(users("c"))
        await made.switch_branch("other")
        assert await text(made) == "axyz"
        await made.switch_branch("main")
        assert await text(made) == "abc"
        await made.switch_branch("third")
        assert await text(made) == "at"
        assert [item.name for item in await made.list_branches()] == ["main", "other", "third"]

    asyncio.run(main())


def test_the_names_of_an_old_session_are_taken_until_they_are_forgotten(file_store: clew.Store) -> None:
    async def main() -> None:
        of_old(file_store)
        made = session(file_store)
        for name in ("third", "other"):
            with pytest.raises(clew.ConflictError):
                await made.create_branch(name)
        with pytest.raises(clew.ConflictError, match="current"):
            await made.delete_branch("other")
        await made.switch_branch("third")
        for name in ("other", "third"):
            await made.switch_branch("main")
            await made.delete_branch(name)
            with pytest.raises(clew.NotFoundError):
                await made.switch_branch(name)
            await made.create_branch(name)
            assert await text(made) == "ab"

    asyncio.run(main())
