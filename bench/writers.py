"""Many writers at once: coroutines, threads and processes on one file."""

import asyncio
import multiprocessing
import statistics
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from itertools import count
from pathlib import Path
from typing import NamedTuple
from uuid import UUID

import clew
from bench.conversation import Talk
from bench.measure import Lab
from bench.targets import Finding, Measured, Table

_CROWD = 64
_SPAWN = multiprocessing.get_context("spawn")
_Waits = tuple[list[float], list[float]]
_START_SECONDS = 60


def async_writers(lab: Lab) -> Iterator[Finding]:
    """Each writer appends to a session of its own and awaits every append before the next."""
    many, one = asyncio.run(_async_writers(lab))
    yield Measured("async writers", many, one, unit="/s")


async def _async_writers(lab: Lab) -> tuple[float, float]:
    """Appends a second of a crowd and of one writer, in turn on the same store."""
    seconds = lab.some(20, 5) / 10
    rates: dict[int, list[float]] = {_CROWD: [], 1: []}
    with lab.store("async") as store:
        sessions = [store.create_session(f"Writer {number}") for number in range(_CROWD)]
        talks = [Talk(number) for number in range(_CROWD)]
        for _ in range(lab.some(7, 2)):
            for writers, seen in rates.items():
                seen.append(await _appends_a_second(store.aio, sessions[:writers], talks, seconds))
    return statistics.median(rates[_CROWD]), statistics.median(rates[1])


async def _appends_a_second(
    store: clew.AsyncStore, sessions: list[clew.Session], talks: list[Talk], seconds: float
) -> float:
    async def write(session: clew.Session, talk: Talk) -> int:
        appends = 0
        while time.perf_counter() < end:
            await store.append(session.id, talk.turn())
            appends += 1
        return appends

    began = time.perf_counter()
    end = began + seconds
    appends = await asyncio.gather(*(write(session, talk) for session, talk in zip(sessions, talks, strict=False)))
    return sum(appends) / (time.perf_counter() - began)


def contention(lab: Lab) -> Iterator[Finding]:
    """Writers that never pause, each at its own session and at one that all share; then everything is counted."""
    seconds = lab.some(3, 1)
    rows, wrong = [], []
    for processes, threads in ((1, 1), (1, 8), (4, 1), (4, 8)):
        crowd = _Crowd(lab, processes, threads)
        outcomes = crowd.write(seconds)
        rows.append(_contention_row(processes, threads, outcomes, seconds))
        problem = crowd.miscounted(outcomes)
        rows[-1].append(problem or "exact")
        wrong.append(problem)
    yield Table(
        title="Writers that never pause, on one file, durability full",
        header=["writers", "appends a second", "median", "longest wait", "fewest and most of a process", "counts"],
        rows=rows,
        notes="Each appends 2 messages, to its own session and to one that all share by turns. The counts are those of "
        "checkpoints and messages afterwards.",
        wrong="; ".join(filter(None, wrong)),
    )


class _Outcome(NamedTuple):
    """What one process wrote: how many appends to each of its own sessions and to the shared one, and how long each
    took."""

    own: dict[UUID, int]
    shared: int
    waits: list[float]


class _Crowd:
    """Processes of several threads each, and the file they write."""

    def __init__(self, lab: Lab, processes: int, threads: int) -> None:
        self._lab = lab
        self._path = lab.folder / f"crowd-{processes}-{threads}.db"
        with clew.open(self._path) as store:
            self._shared = store.create_session("Shared").id
            self._own = [[store.create_session("Own").id for _ in range(threads)] for _ in range(processes)]

    def write(self, seconds: float) -> list[_Outcome]:
        """Let all of them write at the same time; what each process did."""
        with _SPAWN.Manager() as manager, ProcessPoolExecutor(len(self._own), mp_context=_SPAWN) as processes:
            barrier = manager.Barrier(len(self._own), timeout=_START_SECONDS)
            writers = [
                processes.submit(_write_in_process, self._path, self._shared, own, seconds, barrier)
                for own in self._own
            ]
            return [writer.result() for writer in writers]

    def miscounted(self, outcomes: list[_Outcome]) -> str:
        """What is in the file and should not be, or the other way round; empty where all is well."""
        expected = {id: appends for outcome in outcomes for id, appends in outcome.own.items()}
        expected[self._shared] = sum(outcome.shared for outcome in outcomes)
        with clew.open(self._path) as store:
            problems = [
                f"{id} has {found}, not {appends}"
                for id, appends in expected.items()
                if (found := _appends_found(store, id)) != appends
            ]
        self._lab.remove(self._path)
        return ", ".join(problems)


def _appends_found(store: clew.Store, session_id: UUID) -> int:
    """How many appends a session holds, -1 where its messages and its checkpoints disagree."""
    session = store.get_session(session_id)  # which reads every message and checks it
    checkpoints = store.list_checkpoints(session_id, limit=1).total
    assert session.active_checkpoint is not None
    assert checkpoints is not None
    messages = len(session.active_checkpoint.state.messages)
    return messages // 2 if messages == 2 * (checkpoints - 1) else -1


def _write_in_process(
    path: Path, shared: UUID, own: list[UUID], seconds: float, barrier: threading.Barrier
) -> _Outcome:
    """The work of one process: a thread for each of its own sessions."""
    with clew.open(path, busy_timeout=_START_SECONDS) as store, ThreadPoolExecutor(len(own)) as threads:
        barrier.wait()
        writers = [threads.submit(_write_in_thread, store, shared, id, seconds) for id in own]
        results = [writer.result() for writer in writers]
    return _Outcome(
        own={id: len(to_own) for id, (to_own, _) in zip(own, results, strict=True)},
        shared=sum(len(to_shared) for _, to_shared in results),
        waits=[wait for waits in results for part in waits for wait in part],
    )


def _write_in_thread(store: clew.Store, shared: UUID, own: UUID, seconds: float) -> _Waits:
    """The seconds of every append to the own session, and to the shared one."""
    talk = Talk(own.int)
    waits: _Waits = ([], [])
    end = time.perf_counter() + seconds
    for number in count():
        began = time.perf_counter()
        if began >= end:
            break
        store.append(shared if number % 2 else own, talk.turn())
        waits[number % 2].append(time.perf_counter() - began)
    return waits


def _contention_row(processes: int, threads: int, outcomes: list[_Outcome], seconds: float) -> list[str]:
    waits = [wait for outcome in outcomes for wait in outcome.waits]
    totals = [len(outcome.waits) for outcome in outcomes]
    return [
        f"{processes} × {threads}" if processes > 1 else str(threads),
        f"{len(waits) / seconds:,.0f}",
        f"{statistics.median(waits) * 1e3:.2f} ms",
        f"{max(waits) * 1e3:.1f} ms",
        f"{min(totals):,} – {max(totals):,}",
    ]
