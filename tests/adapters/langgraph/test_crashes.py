"""A process that is killed, and calls that are cancelled."""

import asyncio
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tests.adapters.langgraph.killed import steps
from tests.adapters.langgraph.support import Thread, checkpoint, said, thread

import clew
from clew.adapters.langgraph import ClewSaver

ROOT = Path(__file__).resolve().parents[3]


def test_a_killed_run_goes_on_where_it_was(tmp_path: Path) -> None:
    path = tmp_path / "clew.db"
    killed = subprocess.run([sys.executable, "-m", "tests.adapters.langgraph.killed", str(path)], cwd=ROOT, check=False)
    assert killed.returncode == -signal.SIGKILL
    with ClewSaver(path) as saver:
        graph = steps(dies=False).compile(checkpointer=saver)
        assert graph.get_state(thread()).next == ("second",)
        assert said(graph.invoke(None, thread())) == ["go", "first", "second", "third"]
        assert list(saver._handle.store.verify()) == []


@pytest.mark.parametrize("turns", range(12))
def test_a_put_that_is_cancelled_is_done_or_has_not_begun(file_store: clew.Store, turns: int) -> None:
    saver = ClewSaver(file_store)

    async def run() -> None:
        made = checkpoint({"messages": [{"role": "user", "content": "x" * 1000}] * 100})
        put = asyncio.ensure_future(
            saver.aput(thread(checkpoint_ns=""), made, {"source": "loop", "step": 0, "parents": {}}, {"messages": 1})
        )
        for _ in range(turns):
            await asyncio.sleep(0)
        put.cancel()
        await asyncio.wait([put])
        found = await saver.aget_tuple(thread())
        assert found is None or len(found.checkpoint["channel_values"]["messages"]) == 100
        # The write may be over before it is cancelled; what says that it is done is there.
        assert put.cancelled() or (found is not None and put.exception() is None)

    asyncio.run(run())
    Thread(ClewSaver(file_store), "another").put({"a": 1})
    assert list(file_store.verify()) == []
