"""Many at once on a PostgreSQL store: threads that write, and one that waits for what another has written."""

import random
import statistics
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial

import msgspec

import clew
from bench import langgraph_saver
from bench.conversation import Message, Talk
from bench.measure import Lab
from bench.report import shown_seconds
from bench.servers import Database, Floor, cluster
from bench.targets import Fact, Finding, Table

_CROWD = 32
_LATE_SECONDS = 10
_QUIET_SECONDS = 1
"""After so long without a change, the one who waits for changes goes home."""

Write = Callable[[list[Message]], object]


def writers(lab: Lab) -> Iterator[Finding]:
    """Threads that each write to a session of their own: clew, inserts by hand, and the saver."""
    seconds, rounds = lab.some(20, 5) / 10, lab.some(3, 1)
    with ExitStack() as stack:
        server = stack.enter_context(cluster())
        store = stack.enter_context(server.database("writers").store())
        sessions = [store.create_session(f"Writer {number}").id for number in range(_CROWD)]
        appends: list[Write] = [partial(store.append, id) for id in sessions]
        inserts = _inserts(stack, server.database("writers-bare"))
        kinds = [("append", appends[:1]), ("append", appends), ("bare insert", inserts[:1]), ("bare insert", inserts)]
        if (saver := langgraph_saver.name()) is not None:
            kinds.append((f"{saver}: put", _puts(stack, server.database("writers-saver"))))
        waits: list[list[float]] = [[] for _ in kinds]
        rates: list[list[float]] = [[] for _ in kinds]
        before = [len(_write(writes, seconds / 2)) for _, writes in kinds]  # until connections and plans are made
        for _ in range(rounds):
            for place, (_, writes) in enumerate(kinds):
                found = _write(writes, seconds)
                waits[place] += found
                rates[place].append(len(found) / seconds)
        problem = _miscounted(store, sum(before[:2]) + len(waits[0]) + len(waits[1]))
    yield Fact("server_rate", statistics.median(rates[1]))
    yield Table(
        title=f"PostgreSQL: {_CROWD} sessions written at once",
        header=["", "a second", "median", "p99", "longest"],
        rows=[
            [f"{name}, {len(writes)}", f"{statistics.median(rate):,.0f}", *_waits(wait)]
            for (name, writes), rate, wait in zip(kinds, rates, waits, strict=True)
        ],
        notes=f"2 messages each, threads of one process beside the server on the same processors. clew's "
        f"{_CROWD} share a pool of {clew.limits.MAX_POOL} connections; the bare inserts, which are one statement, and "
        f"the saver have a connection each. Every conversation begins empty; clew's have "
        f"{len(waits[1]) / _CROWD:,.0f} turns at the end"
        + (f", the saver's {len(waits[4]) / _CROWD:,.0f}, each put with the whole list" if saver else "")
        + ". Counted afterwards.",
        wrong=problem,
    )


def _inserts(stack: ExitStack, database: Database) -> list[Write]:
    """The floor by as many connections."""
    floors = [stack.enter_context(database.floor()) for _ in range(_CROWD)]
    return [partial(_insert, floor) for floor in floors]


def _puts(stack: ExitStack, database: Database) -> list[Write]:
    """The saver by as many connections, each with a thread of its own: what a program does at the end of a turn."""
    threads = [langgraph_saver.thread(database.url, f"writer {number}") for number in range(_CROWD)]
    return [_Conversation(stack.enter_context(thread)).go_on for thread in threads]


class _Conversation:
    """The whole list so far, which the saver is given each time."""

    def __init__(self, thread: langgraph_saver.Thread) -> None:
        self._thread = thread
        self._messages: list[Message] = []
        self._newest: langgraph_saver.Put | None = None

    def go_on(self, messages: list[Message]) -> None:
        self._messages += messages
        self._newest = self._thread.put(self._messages, self._newest)


def _insert(floor: Floor, messages: list[Message]) -> None:
    floor.add([msgspec.json.encode(message) for message in messages])


def _write(writes: Sequence[Write], seconds: float) -> list[float]:
    """Let each write go on, again and again, in a thread of its own; how long each of them took."""
    end = time.perf_counter() + seconds

    def work(number: int) -> list[float]:
        talk, waits = Talk(random.randrange(1 << 30)), []
        while (began := time.perf_counter()) < end:
            writes[number](talk.turn())
            waits.append(time.perf_counter() - began)
        return waits

    with ThreadPoolExecutor(len(writes)) as threads:
        return [wait for waits in threads.map(work, range(len(writes))) for wait in waits]


def _waits(waits: Sequence[float]) -> list[str]:
    return [shown_seconds(wait) for wait in (statistics.median(waits), _p99(waits), max(waits))]


def _p99(waits: Sequence[float]) -> float:
    return sorted(waits)[int(len(waits) * 0.99)]


def _miscounted(store: clew.Store, appends: int) -> str:
    """What is in the store and should not be, or the other way round; empty where all is well."""
    found = sum(summary.checkpoint_count - 1 for summary in store.list_sessions(limit=_CROWD))
    return "" if found == appends else f"{found} appends are there, not {appends}"


def watch(lab: Lab) -> Iterator[Finding]:
    """From the moment an append has returned until another store, in another thread, tells of it."""
    with cluster() as server:
        database = server.database("watch")
        with database.store() as writing, database.store() as watching:
            on_server = _seconds_until_told(writing, watching, lab.some(100, 15))
    with lab.store("watch") as writing, clew.open(lab.folder / "watch.db") as watching:
        in_file = _seconds_until_told(writing, watching, lab.some(100, 15))
    yield Table(
        title="From a commit to the change in `watch`",
        header=["", "median", "p99", "longest"],
        rows=[["PostgreSQL", *_waits(on_server)], ["SQLite file", *_waits(in_file)]],
        notes="Two stores in one process, one appending at intervals of 40 to 80 ms. A server sends a notice; a "
        "file is asked whether it has changed.",
    )


def _seconds_until_told(writing: clew.Store, watching: clew.Store, count: int) -> list[float]:
    session = writing.create_session("Watched").id
    talk, told, waits = Talk(1), threading.Event(), []
    seen: list[tuple[float, int | None]] = []

    def listen() -> None:
        for change in watching.watch(session, after=0, idle_timeout=_QUIET_SECONDS):
            seen.append((time.perf_counter(), change.revision))
            told.set()

    listener = threading.Thread(target=listen)
    listener.start()
    try:
        for _ in range(count):
            told.wait(_LATE_SECONDS)
            time.sleep(random.uniform(0.04, 0.08))
            told.clear()
            writing.append(session, talk.turn())
            committed = time.perf_counter()
            assert told.wait(_LATE_SECONDS), "nothing was told"
            waits.append(seen[-1][0] - committed)
    finally:
        listener.join()
    return waits
