"""A branch whose checkpoint is damaged: an error wherever it would count, and never a wrong number of items."""

import asyncio
from pathlib import Path
from typing import Any

import apsw
import pytest
from tests.adapters.openai_agents.support import said, users

import clew
from clew.adapters.openai_agents import ClewSession


def test_a_damaged_branch_is_an_error_and_the_others_go_on(tmp_path: Path) -> None:
    path = tmp_path / "clew.db"

    async def main() -> None:
        made: Any = ClewSession("talk", path)
        await made.add_items(users("ab"))
        await made.create_branch("other", 1)
        await made.switch_branch("main")
        made.close()
        connection = apsw.Connection(str(path))
        connection.execute("UPDATE checkpoint SET length = 2 WHERE label = 'branch-tip/other'")
        connection.close()
        made = ClewSession("talk", path)
        for call in (made.list_branches, made.list_labels, lambda: made.switch_branch("other")):
            with pytest.raises(clew.CorruptStateError):
                await call()
        assert await made.current_branch() == "main"
        await made.add_items(users("c"))
        assert said(await made.get_items()) == ["a", "b", "c"]
        made.close()

    asyncio.run(main())
