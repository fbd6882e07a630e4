"""The session of the OpenAI Agents SDK over clew beside the two over SQLite that come with the SDK.

Run by bench/adapters.py, in the environment of the adapter. All three commit with `synchronous = FULL`.
"""

import asyncio
import sys
from collections.abc import Callable, Iterator
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))  # so that this runs as a script

from agents import SQLiteSession  # noqa: E402
from agents.extensions.memory import AdvancedSQLiteSession  # noqa: E402

from bench.adapters import tell  # noqa: E402
from bench.conversation import Talk  # noqa: E402
from bench.measure import Lab, interleaved  # noqa: E402
from bench.report import shown_bytes  # noqa: E402
from bench.targets import Finding, Measured, Table  # noqa: E402
from clew.adapters.openai_agents import ClewSession  # noqa: E402


class Memory:
    """A session in a file, with a conversation that grows; its calls are awaited in one loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop, path: Path, make: Callable[[Path], Any]) -> None:
        self.path = path
        self._loop, self._make, self._session = loop, make, make(path)
        self._talk = Talk(1)
        self._branches = 0

    def grow(self, turns: int) -> None:
        """Go on for so many turns."""
        for _ in range(turns):
            self.append()()

    def append(self) -> Callable[[], object]:
        """The next turn, prepared: the user asks in each, since that is where the SDK's branches begin."""
        asked, answered = self._talk.messages(1)
        return self._prepared(self._session.add_items([{**asked, "role": "user"}, answered]))

    def load(self, limit: int | None = None) -> Callable[[], object]:
        """A reading, prepared."""
        return self._prepared(self._session.get_items(limit))

    def branch(self, begin: Callable[[Any, str, int], Any], turns: int) -> Callable[[], object]:
        """The next branch, prepared: a turn shorter than the one before, which it begins from."""
        self._branches += 1
        return self._prepared(begin(self._session, f"branch {self._branches}", turns - self._branches))

    def size(self) -> int:
        """The bytes of the file. It is closed for that, so that nothing is in its log."""
        self._session.close()
        size = self.path.stat().st_size
        self._session = self._make(self.path)
        return size

    def close(self, lab: Lab) -> None:
        """Let go of the file and remove it."""
        self._session.close()
        lab.remove(self.path)

    def _prepared(self, coroutine: Any) -> Callable[[], object]:
        return partial(self._loop.run_until_complete, coroutine)


def measure(lab: Lab) -> Iterator[Finding]:
    """A turn and two loads at 2,000 items, and branches of them."""
    loop = asyncio.new_event_loop()
    turns, rounds = lab.some(1_000, 50), lab.some(200, 5)
    ours = Memory(loop, lab.folder / "openai-clew.db", partial(ClewSession, "talk"))
    plain = Memory(loop, lab.folder / "openai-plain.db", partial(SQLiteSession, "talk"))
    advanced = Memory(loop, lab.folder / "openai-advanced.db", _advanced)
    for memory in (ours, plain, advanced):
        memory.grow(turns)
    for target, action, times in (
        ("openai load", Memory.load, rounds // 4 + 1),
        ("openai tail", partial(Memory.load, limit=20), rounds),
        ("openai append", Memory.append, rounds),
    ):
        mine, others = interleaved(times, partial(action, ours), partial(action, plain))
        yield Measured(target, mine, others)
    advanced.grow(rounds)  # as many as the others
    sizes = [memory.size() for memory in (ours, plain, advanced)]
    branches = lab.some(50, 3)
    mine, others = interleaved(
        branches,
        *(
            partial(memory.branch, begin, turns + rounds)
            for memory, begin in ((ours, _begin_ours), (advanced, _begin_theirs))
        ),
    )
    yield Measured("openai branch", mine, others)
    grown = [(memory.size() - size) / branches for memory, size in ((ours, sizes[0]), (advanced, sizes[2]))]
    for memory in (ours, plain, advanced):
        memory.close(lab)
    loop.close()
    yield Table(
        title=f"Adapter: openai-agents, {2 * (turns + rounds):,} items",
        header=["", "clew", "SQLiteSession", "AdvancedSQLiteSession"],
        rows=[
            ["file", *map(shown_bytes, sizes)],
            ["bytes of a branch", shown_bytes(grown[0]), "", shown_bytes(grown[1])],
        ],
        notes=f"openai-agents {version('openai-agents')}. Each branch begins before the last turn of the one before; "
        "its bytes are what the file grew by, with everything out of the write-ahead log.",
        wrong="" if grown[0] < 1_000 else "a branch takes a kilobyte or more",
    )


def _advanced(path: Path) -> AdvancedSQLiteSession:
    return AdvancedSQLiteSession(session_id="talk", db_path=path, create_tables=True)


async def _begin_ours(session: ClewSession, name: str, turn: int) -> None:
    await session.create_branch(name, 2 * (turn - 1))


async def _begin_theirs(session: AdvancedSQLiteSession, name: str, turn: int) -> None:
    await session.create_branch_from_turn(turn, name)


if __name__ == "__main__":
    tell(measure)
