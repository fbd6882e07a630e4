"""The SDK's own sessions around it: compaction and encryption."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from agents import Runner
from agents.memory import OpenAIResponsesCompactionSession
from tests.adapters.openai_agents.support import QUIET, agent, answer, said, user, users

import clew
from clew.adapters.openai_agents import ClewSession


def session(store: clew.Store) -> Any:
    return ClewSession("talk", store)


class Compacts:
    """A client whose compaction says how many items there were."""

    def __init__(self) -> None:
        self.responses = self

    async def compact(self, **request: Any) -> Any:
        count = len(request.get("input") or [])
        summary = SimpleNamespace(
            model_dump=lambda **_: {"type": "compaction", "id": "c", "encrypted_content": f"{count} items"}
        )
        return SimpleNamespace(output=[summary], usage=None)


def compacting(underlying: Any, **more: Any) -> Any:
    return OpenAIResponsesCompactionSession("talk", underlying, client=Compacts(), **more)  # type: ignore[arg-type]


def test_all_items_are_compacted_in_one_write_and_stay_reachable(store: clew.Store) -> None:
    async def main() -> None:
        underlying = session(store)
        await underlying.add_items(users("abcd"))
        await compacting(underlying).run_compaction({"force": True, "compaction_mode": "input"})
        (item,) = await underlying.get_items()
        assert item["encrypted_content"] == "4 items"

    asyncio.run(main())
    (summary,) = store.list_sessions()
    assert [item.message_count for item in store.list_checkpoints(summary.id)] == [4, 1]


def test_a_run_compacts_by_itself(file_store: clew.Store) -> None:
    async def main() -> None:
        underlying = session(file_store)
        memory = compacting(underlying, should_trigger_compaction=lambda context: True, compaction_mode="input")
        await Runner.run(agent(answer("b")), "a", session=memory, run_config=QUIET)
        assert [item["type"] for item in await underlying.get_items()] == ["compaction"]

    asyncio.run(main())


def test_the_newest_items_are_replaced_unless_somebody_wrote_meanwhile(store: clew.Store) -> None:
    async def main() -> None:
        made = session(store)
        assert await made._get_compaction_snapshot(3) is None
        await made.add_items(users("abcd"))
        snapshot = await made._get_compaction_snapshot(3)
        assert (said(snapshot.items), snapshot.complete) == (["b", "c", "d"], False)
        assert await snapshot.replace_suffix(1, [user("X")])
        assert said(await made.get_items()) == ["a", "b", "X"]
        assert not await snapshot.replace_suffix(1, [user("Y")])
        whole = await made._get_compaction_snapshot(9, prune_prefix=lambda item: item["content"] == "a")
        assert whole.complete
        assert said(await made.get_items()) == ["a", "b", "X"]

    asyncio.run(main())


def test_what_leads_is_left_out_where_it_is_to_be_pruned(store: clew.Store) -> None:
    async def main() -> None:
        made = session(store)
        await made.add_items(users("aabcd"))
        snapshot = await made._get_compaction_snapshot(2, prune_prefix=lambda item: item["content"] == "a")
        assert await snapshot.replace_suffix(0, [user("X")])
        assert said(await made.get_items()) == ["b", "X"]

    asyncio.run(main())


def test_a_session_that_keeps_items_in_another_form_is_not_gone_round(file_store: clew.Store) -> None:
    class Upper(ClewSession):
        pass

    async def main() -> None:
        made = Upper("talk", file_store)
        await made.add_items(users("a"))  # type: ignore[arg-type]
        assert await made._get_compaction_snapshot(9) is None
        assert not await made._atomic_replace_items([])
        assert len(await made.get_items()) == 1

    asyncio.run(main())


def test_encrypted_items_are_kept_and_come_back(file_store: clew.Store) -> None:
    pytest.importorskip("cryptography")
    from agents.extensions.memory import EncryptedSession

    async def main() -> None:
        made: Any = EncryptedSession("talk", session(file_store), "key" * 11)
        await made.add_items(users("ab"))
        assert said(await made.get_items()) == ["a", "b"]
        assert await made.pop_item() == user("b")
        assert all("content" not in item for item in await session(file_store).get_items())

    asyncio.run(main())
