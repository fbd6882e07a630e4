"""A session that was marked deleted in clew: nothing of it is told, and nothing is added where nobody would see it."""

import asyncio
from typing import Any
from uuid import UUID

import pytest
from agents import Runner
from tests.adapters.openai_agents.support import QUIET, agent, answer, said, users

import clew
from clew.adapters.openai_agents import ClewSession


async def _deleted(store: clew.Store) -> tuple[Any, UUID]:
    """An object that knows a session which is marked deleted then, and the session's id."""
    made: Any = ClewSession("talk", store)
    await made.add_items(users("ab"))
    id = store.find_session_summary("openai-agents", "talk").id
    store.delete_session(id)
    return made, id


@pytest.mark.parametrize("limit", [None, 1])
def test_a_session_marked_deleted_has_no_items_until_it_is_restored(store: clew.Store, limit: int | None) -> None:
    async def main() -> None:
        made, id = await _deleted(store)
        for known in (made, ClewSession("talk", store)):
            assert await known.get_items(limit) == []
            assert await known.pop_item() is None
            assert await known.list_branches() == []
        store.restore_session(id)
        assert said(await made.get_items()) == ["a", "b"]

    asyncio.run(main())


def test_a_session_marked_deleted_takes_no_items_and_keeps_those_it_has(store: clew.Store) -> None:
    async def main() -> None:
        made, id = await _deleted(store)
        await made.get_items()
        for known in (made, ClewSession("talk", store)):
            for call in (known.add_items(users("c")), known.create_branch("x"), known.rewind(0)):
                with pytest.raises(clew.ConflictError, match=f"{id}.*marked deleted"):
                    await call
            await known.clear_session()
        store.restore_session(id)
        assert said(await made.get_items()) == ["a", "b"]

    asyncio.run(main())


def test_a_run_does_not_go_on_with_a_session_marked_deleted(file_store: clew.Store) -> None:
    async def main() -> None:
        made, _ = await _deleted(file_store)
        forecaster = agent(answer("rain"))
        with pytest.raises(clew.ConflictError, match="marked deleted"):
            await Runner.run(forecaster, "And then?", session=made, run_config=QUIET)
        assert not any("'content': 'a'" in str(given) for given in forecaster.model.inputs)

    asyncio.run(main())


def test_a_session_marked_deleted_can_be_purged_and_begun_again(store: clew.Store) -> None:
    async def main() -> None:
        made, id = await _deleted(store)
        await ClewSession("talk", store).purge_session()
        with pytest.raises(clew.NotFoundError):
            store.get_session_summary(id)
        await made.add_items(users("n"))
        assert said(await made.get_items()) == said(await ClewSession("talk", store).get_items()) == ["n"]

    asyncio.run(main())
