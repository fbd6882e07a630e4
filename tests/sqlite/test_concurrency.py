"""Many writers at once: nothing lost, nothing doubled, nobody starved."""

import asyncio
import subprocess
import sys
import threading
from collections import Counter
from contextlib import ExitStack
from pathlib import Path

import clew

WRITER = """
import sys, clew
path, name, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
print("ready", flush=True)
sys.stdin.readline()
with clew.open(path, durability="normal", busy_timeout=60) as store:
    session = store.find_session("test", "shared")
    for number in range(count):
        store.append(session.id, [{"writer": name, "number": number}])
"""

OPENER = """
import sys, clew
print("ready", flush=True)
sys.stdin.readline()
with clew.open(sys.argv[1], busy_timeout=60) as store:
    store.create_session(sys.argv[2], messages=[{"role": "user", "content": "hi"}])
"""


def run_together(script: str, argument_lists: list[list[str]]) -> None:
    """Start a process for each list of arguments, let all go at the same moment, and expect each to succeed."""
    with ExitStack() as stack:
        processes = [stack.enter_context(start(script, arguments)) for arguments in argument_lists]
        for process in processes:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        for process in processes:
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
        for process in processes:
            _, errors = process.communicate(timeout=120)
            assert process.returncode == 0, errors


def start(script: str, arguments: list[str]) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-c", script, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def writes_of(store: clew.Store, session_id: object) -> Counter[tuple[str, int]]:
    messages = store.get_active_checkpoint(str(session_id)).state.messages
    return Counter((message["writer"], message["number"]) for message in messages)


def numbers_of(store: clew.Store, session_id: object, writer: str) -> list[int]:
    messages = store.get_active_checkpoint(str(session_id)).state.messages
    return [message["number"] for message in messages if message["writer"] == writer]


class TestAppendersOfOneSessionNeverLoseEachOthersMessages:
    def test_eight_threads(self, tmp_path: Path) -> None:
        with clew.open(tmp_path / "store.db") as store:
            session = store.create_session("shared")

            def write(name: str) -> None:
                for number in range(50):
                    store.append(session.id, [{"writer": name, "number": number}])

            threads = [threading.Thread(target=write, args=(str(name),)) for name in range(8)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            assert writes_of(store, session.id) == Counter((str(name), n) for name in range(8) for n in range(50))
            for name in range(8):
                assert numbers_of(store, session.id, str(name)) == list(range(50))
            assert store.list_checkpoints(session.id).total == 401
            assert store.get_session(session.id).revision == 401

    def test_sixty_four_coroutines(self, tmp_path: Path) -> None:
        async def main() -> None:
            async with clew.open_async(tmp_path / "store.db", durability="normal") as store:
                session = await store.create_session("shared")

                async def write(name: str) -> None:
                    for number in range(10):
                        await store.append(session.id, [{"writer": name, "number": number}])

                await asyncio.gather(*(write(str(name)) for name in range(64)))
                found = writes_of(store.sync, session.id)
                assert found == Counter((str(name), n) for name in range(64) for n in range(10))

        asyncio.run(main())

    def test_four_processes(self, tmp_path: Path) -> None:
        path = tmp_path / "store.db"
        with clew.open(path) as store:
            session = store.ensure_session("test", "shared")
        run_together(WRITER, [[str(path), str(name), "100"] for name in range(4)])
        with clew.open(path) as store:
            assert writes_of(store, session.id) == Counter((str(name), n) for name in range(4) for n in range(100))
            assert store.list_checkpoints(session.id).total == 401

    def test_two_stores_on_one_file_in_one_process_share_an_engine(self, tmp_path: Path) -> None:
        path = tmp_path / "store.db"
        with clew.open(path) as one, clew.open(f"sqlite:///{path}") as other:
            session = one.create_session("shared")
            one.append(session.id, [{"writer": "one", "number": 0}])
            other.append(session.id, [{"writer": "other", "number": 0}])
            assert one._backend._engine is other._backend._engine  # type: ignore[attr-defined]
            one.close()
            assert writes_of(other, session.id) == Counter({("one", 0): 1, ("other", 0): 1})


class TestManyOpenersOfOneNewFile:
    def test_eight_processes_all_succeed_and_every_session_is_there(self, tmp_path: Path) -> None:
        path = tmp_path / "new" / "store.db"
        run_together(OPENER, [[str(path), str(name)] for name in range(8)])
        with clew.open(path) as store:
            assert sorted(summary.title for summary in store.list_sessions()) == [str(name) for name in range(8)]

    def test_eight_threads_all_succeed(self, tmp_path: Path) -> None:
        path = tmp_path / "new" / "store.db"
        barrier = threading.Barrier(8)
        failures: list[BaseException] = []

        def open_and_write(name: str) -> None:
            barrier.wait()
            try:
                with clew.open(path) as store:
                    store.create_session(name)
            except BaseException as error:
                failures.append(error)

        threads = [threading.Thread(target=open_and_write, args=(str(name),)) for name in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert failures == []
        with clew.open(path) as store:
            assert store.list_sessions().total == 8


class TestOneOfTwoCallers:
    def test_ensure_session_makes_one_session_for_all_callers(self, tmp_path: Path) -> None:
        with clew.open(tmp_path / "store.db") as store:
            barrier = threading.Barrier(8)
            found: list[object] = []

            def ensure() -> None:
                barrier.wait()
                found.append(store.ensure_session("agent", "one", "Title").id)

            threads = [threading.Thread(target=ensure) for _ in range(8)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            assert len(found) == 8
            assert len(set(found)) == 1
            assert store.list_sessions().total == 1

    def test_if_active_lets_exactly_one_of_eight_through(self, tmp_path: Path) -> None:
        with clew.open(tmp_path / "store.db") as store:
            session = store.create_session("one")
            assert session.active_checkpoint is not None
            expected = session.active_checkpoint.id
            barrier = threading.Barrier(8)
            outcomes: list[str] = []

            def append() -> None:
                barrier.wait()
                try:
                    store.append(session.id, [{"role": "user"}], if_active=expected)
                except clew.ConflictError:
                    outcomes.append("lost")
                else:
                    outcomes.append("won")

            threads = [threading.Thread(target=append) for _ in range(8)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            assert sorted(outcomes) == ["lost"] * 7 + ["won"]
            assert store.list_checkpoints(session.id).total == 2
