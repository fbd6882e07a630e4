"""LangGraph's checkpoints over clew beside its own saver for SQLite.

Run by bench/adapters.py, in the environment of the adapter, where langgraph-checkpoint-sqlite has to be too. One
thread; each checkpoint has the whole list of messages of LangChain, two more than the one before.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any, NamedTuple

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))  # so that this runs as a script

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage  # noqa: E402
from langgraph.checkpoint.base.id import uuid6  # noqa: E402

from bench.adapters import tell  # noqa: E402
from bench.measure import Lab  # noqa: E402
from bench.report import shown_seconds  # noqa: E402
from bench.targets import Finding, Measured, Table, shown_ratio  # noqa: E402
from clew.adapters.langgraph import ClewSaver  # noqa: E402

PACKAGE = "langgraph-checkpoint-sqlite"
_CONFIG: Any = {"configurable": {"thread_id": "thread", "checkpoint_ns": ""}}
_LAST, _LISTED, _GETS = 100, 50, 5


class Costs(NamedTuple):
    """What a saver took: seconds, and bytes."""

    put: float
    get: float
    list: float
    file: float


def checkpoints(lab: Lab) -> Iterator[Finding]:
    """A table for each number of checkpoints, and one in which tasks write too."""
    try:
        name = f"{PACKAGE} {version(PACKAGE)}"
    except PackageNotFoundError:
        yield Table("LangGraph: one thread", ["measured"], [["nothing"]], f"Not measured: {PACKAGE} is not installed.")
        return
    for number in (100,) if lab.quick else (100, 1_000, 3_000):
        ours, theirs = _ours(lab, number, writes=False), _theirs(lab, number, writes=False)
        if number == 3_000:
            yield from _targets(ours, theirs)
        yield _table(number, name, ours, theirs, writes=False)
    number = 100 if lab.quick else 1_000
    yield _table(number, name, _ours(lab, number, writes=True), _theirs(lab, number, writes=True), writes=True)


def _targets(ours: Costs, theirs: Costs) -> Iterator[Measured]:
    for cost in Costs._fields:
        unit = "B" if cost == "file" else "s"
        yield Measured(f"langgraph {cost}", getattr(ours, cost), getattr(theirs, cost), unit)


def _table(number: int, name: str, ours: Costs, theirs: Costs, *, writes: bool) -> Table:
    what = ["put", "get the newest", f"list the newest {_LISTED}", "file"]
    said = f"{number:,} checkpoints" + (", each with a write of a task" if writes else "")
    shown: list[Callable[[float], str]] = [shown_seconds, shown_seconds, shown_seconds, _shown_size]
    return Table(
        title=f"LangGraph: one thread of {said}",
        header=["", "clew", name, "ratio"],
        rows=[
            [what[place], show(ours[place]), show(theirs[place]), shown_ratio(ours[place] / theirs[place])]
            for place, show in enumerate(shown)
        ],
        notes=f"Two messages of LangChain a checkpoint, 1.8 KB of JSON. `put` is the median of the last {_LAST} "
        + ("with `put_writes`" if writes else "alone")
        + f", `get` of {_GETS}; the file is closed. Making the messages is not in the times.",
    )


def _shown_size(size: float) -> str:
    return f"{size / 1e6:,.2f} MB"


def _ours(lab: Lab, number: int, writes: bool) -> Costs:
    path = lab.folder / "ours.db"
    with closing(ClewSaver(path)) as saver:
        times = _measured(saver, number, writes)
    return _with_file(lab, path, times)


def _theirs(lab: Lab, number: int, writes: bool) -> Costs:
    from langgraph.checkpoint.sqlite import SqliteSaver

    path = lab.folder / "theirs.db"
    with SqliteSaver.from_conn_string(str(path)) as saver:
        times = _measured(saver, number, writes)
        saver.conn.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    return _with_file(lab, path, times)


def _with_file(lab: Lab, path: Path, times: list[float]) -> Costs:
    size = sum(file.stat().st_size for file in path.parent.glob(f"{path.name}*"))
    lab.remove(path)
    put, get, listed = times
    return Costs(put, get, listed, float(size))


def _measured(saver: Any, number: int, writes: bool) -> list[float]:
    messages: list[BaseMessage] = []
    puts: list[float] = []
    newest = _CONFIG
    for turn in range(1, number + 1):
        new = _turn(turn)
        messages = [*messages, *new]
        put = _put(saver, newest, messages, turn)
        began = perf_counter()
        newest = put()
        if writes:
            saver.put_writes(newest, [("messages", new)], f"task-{turn}")
        puts.append(perf_counter() - began)
    gets = [_seconds(lambda: saver.get_tuple(_CONFIG)) for _ in range(_GETS)]
    listed = _seconds(lambda: list(saver.list(_CONFIG, limit=_LISTED)))
    return [median(puts[-_LAST:]), median(gets), listed]


def _put(saver: Any, parent: Any, messages: list[BaseMessage], turn: int) -> Callable[[], Any]:
    versions = {"messages": turn}
    checkpoint = {
        "v": 4,
        "id": str(uuid6(clock_seq=turn)),
        "ts": datetime.now(UTC).isoformat(),
        "channel_values": {"messages": messages},
        "channel_versions": versions,
        "versions_seen": {},
        "updated_channels": ["messages"],
    }
    metadata = {"source": "loop", "step": turn, "parents": {}}
    return lambda: saver.put(parent, checkpoint, metadata, versions)


def _turn(turn: int) -> list[BaseMessage]:
    call = {"name": "grep", "args": {"pattern": f"needle {turn} " + "in a haystack " * 32}, "id": f"call-{turn}"}
    return [
        HumanMessage(f"{turn:06} " + "why does it fail? " * 22, id=f"human-{turn:06}"),
        AIMessage(f"{turn:06} " + "I will look at it. " * 36, id=f"ai-{turn:06}", tool_calls=[call]),
    ]


def _seconds(call: Callable[[], object]) -> float:
    began = perf_counter()
    found = call()
    took = perf_counter() - began
    del found
    return took


if __name__ == "__main__":
    tell(checkpoints)
