"""The awaited store: the same methods, one store under both, and calls that may be cancelled."""

import asyncio
import inspect
import threading
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any
from uuid import UUID

import apsw
import pytest

import clew


def test_both_stores_have_the_same_methods_signatures_and_docstrings() -> None:
    def methods(kind: type) -> dict[str, Any]:
        return {name: value for name, value in inspect.getmembers(kind, inspect.isfunction) if not name.startswith("_")}

    plain, awaited = methods(clew.Store), methods(clew.AsyncStore)
    assert set(plain) | {"run"} == set(awaited)
    for name, method in plain.items():
        is_stream = "-> collections.abc.Iterator" in str(inspect.signature(method))
        assert (inspect.isasyncgenfunction if is_stream else inspect.iscoroutinefunction)(awaited[name]), name
        assert str(inspect.signature(awaited[name])).replace("AsyncIterator", "Iterator") == str(
            inspect.signature(method)
        ), name
        assert inspect.getdoc(awaited[name]) == inspect.getdoc(method), name


def test_a_store_is_opened_when_entered_awaited_or_first_used(tmp_path: Path) -> None:
    async def main() -> None:
        path = tmp_path / "store.db"
        unopened = clew.open_async(path)
        assert not path.exists()
        await unopened.close()
        assert not path.exists()
        with pytest.raises(clew.UnavailableError, match="closed"):
            await unopened.list_sessions()
        async with clew.open_async(path) as entered:
            await entered.create_session("entered")
        awaited = await clew.open_async(path)
        await awaited.create_session("awaited")
        await awaited.close()
        used = clew.open_async(path)
        assert (await used.list_sessions()).total == 2
        await used.close()
        await used.close()

    asyncio.run(main())


def test_an_error_of_opening_comes_out_where_it_is_awaited_each_time(tmp_path: Path) -> None:
    async def main() -> None:
        store = clew.open_async(tmp_path)
        for _ in range(2):
            with pytest.raises(clew.UnavailableError, match="is a directory"):
                await store.list_sessions()

    asyncio.run(main())


def test_one_open_store_serves_both_colours(tmp_path: Path) -> None:
    async def main() -> None:
        with clew.open(tmp_path / "store.db") as store:
            session = await store.aio.create_session("awaited")
            store.append(session.id, [{"n": 1}])
            await store.aio.append(session.id, [{"n": 2}])
            assert store.get_active_checkpoint(session.id).state.messages == [{"n": 1}, {"n": 2}]
            assert store.aio is store.aio
            assert store.aio.sync is store
        with pytest.raises(clew.UnavailableError):
            await store.aio.list_sessions()

    asyncio.run(main())


def test_the_plain_face_of_an_awaited_store_opens_it(tmp_path: Path) -> None:
    async def main() -> None:
        store = clew.open_async(tmp_path / "store.db")
        session = store.sync.create_session("plain")
        assert (await store.get_session(session.id)).title == "plain"
        assert store.sync.aio is store
        await store.close()

    asyncio.run(main())


def test_one_store_serves_two_event_loops(tmp_path: Path) -> None:
    with clew.open(tmp_path / "store.db") as store:
        for number in range(2):
            asyncio.run(store.aio.create_session(str(number)))
        assert store.list_sessions().total == 2


Write = Callable[[clew.AsyncStore, UUID, UUID, UUID, str], Coroutine[Any, Any, Any]]

WRITES: dict[str, Write] = {
    "attach": lambda store, session, *_: store.attach(session, {"a": b"bytes", "b": bytes(300_000)}),
    "copy": lambda store, session, _root, _step, name: store.copy_session(session, source="copy", source_id=name),
    "delete": lambda store, session, root, *_: store.delete_checkpoints(session, [root]),
    "fork": lambda store, session, *_: store.fork_session(session),
    "label": lambda store, _session, _root, step, _: store.set_label(step, "here"),
    "purge": lambda store, session, *_: store.purge_session(session),
    "rewind": lambda store, session, root, *_: store.set_active_checkpoint(session, root),
    "update": lambda store, session, *_: store.update_session(session, title="changed", metadata={"k": 1}),
}


class TestCancelling:
    def test_a_write_that_has_begun_is_carried_out(self, tmp_path: Path) -> None:
        async def main() -> None:
            async with clew.open_async(tmp_path / "store.db") as store:
                session = await store.create_session("one")
                engine = store.sync._backend._engine  # type: ignore[attr-defined]
                entered, release = threading.Event(), threading.Event()

                def hold(_: object) -> None:
                    entered.set()
                    assert release.wait(60)

                holder = threading.Thread(target=lambda: engine.write(hold, timeout=60, durable=False))
                holder.start()
                assert entered.wait(60)
                task = asyncio.ensure_future(store.append(session.id, [{"n": 1}]))
                while not engine._group._queue:  # noqa: ASYNC110 - the queue has no event to wait for
                    await asyncio.sleep(0)
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task
                release.set()
                holder.join()
                await store.append(session.id, [{"n": 2}])
                checkpoint = await store.get_active_checkpoint(session.id)
                assert checkpoint.state.messages == [{"n": 1}, {"n": 2}]

        asyncio.run(main())

    def test_calls_cancelled_at_any_moment_leave_the_store_whole(self, tmp_path: Path) -> None:
        async def main() -> None:
            async with clew.open_async(tmp_path / "store.db", durability="normal") as awaited:
                session = await awaited.create_session("one")
                for turns in range(40):
                    task = asyncio.ensure_future(awaited.append(session.id, [{"n": turns}, {"n": turns}]))
                    for _ in range(turns):
                        await asyncio.sleep(0)
                    task.cancel()
                    await asyncio.wait([task])
            # Closed, and with that every call that had begun is done.
            with clew.open(tmp_path / "store.db") as store:
                found = [message["n"] for message in store.get_active_checkpoint(session.id).state.messages]
                assert found[::2] == found[1::2]
                assert len(set(found)) * 2 == len(found)
                assert store.list_checkpoints(session.id).total == len(found) // 2 + 1
                assert list(store.verify()) == []
                assert store.append(session.id, [{"n": -1}]).session_id == session.id

        asyncio.run(main())

    @pytest.mark.parametrize("name", ["attach", "copy", "delete", "fork", "label", "purge", "rewind", "update"])
    def test_every_kind_of_write_cancelled_at_any_moment_is_done_or_not_begun(self, tmp_path: Path, name: str) -> None:
        async def main() -> None:
            async with clew.open_async(tmp_path / "store.db", durability="normal") as store:
                for moment in range(12):
                    session = await store.create_session(str(moment), messages=[{"n": 1}])
                    assert session.active_checkpoint is not None
                    step = await store.append(session.id, [{"n": 2}])
                    task = asyncio.ensure_future(
                        WRITES[name](store, session.id, session.active_checkpoint.id, step.id, str(moment))
                    )
                    for _ in range(moment):
                        await asyncio.sleep(0)
                    task.cancel()
                    await asyncio.wait([task])
                    assert [item async for item in store.verify()] == []
                    assert (await store.create_session("usable")).title == "usable"

        asyncio.run(main())

    def test_an_opening_cancelled_by_one_is_not_lost_for_another(self, tmp_path: Path) -> None:
        async def main() -> None:
            store = clew.open_async(tmp_path / "store.db")
            first = asyncio.ensure_future(store.create_session("first"))
            second = asyncio.ensure_future(store.create_session("second"))
            await asyncio.sleep(0)
            first.cancel()
            assert (await second).title == "second"
            await store.close()

        asyncio.run(main())


def test_waiting_for_a_locked_store_does_not_block_the_loop(tmp_path: Path) -> None:
    async def main() -> None:
        async with clew.open_async(tmp_path / "store.db") as store:
            await store.create_session("one")
            engine = store.sync._backend._engine  # type: ignore[attr-defined]
            entered, release = threading.Event(), threading.Event()

            def hold(_: object) -> None:
                entered.set()
                assert release.wait(60)

            holder = threading.Thread(target=lambda: engine.write(hold, timeout=60, durable=False))
            holder.start()
            assert entered.wait(60)
            task = asyncio.ensure_future(store.create_session("two"))
            assert (await store.list_sessions()).total == 1
            assert not task.done()
            release.set()
            await task
            holder.join()

    asyncio.run(main())


def test_findings_come_one_by_one_and_may_be_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    with clew.open(path) as plain:
        for number in range(3):
            plain.create_session(str(number), messages=[{"n": number}])
    connection = apsw.Connection(str(path))
    connection.execute("UPDATE content SET body = '{}'")
    connection.close()

    async def main() -> None:
        async with clew.open_async(path) as store:
            assert len([finding async for finding in store.verify()]) == 3
            async for finding in store.verify():
                assert finding.kind == "message"
                break
            assert (await store.list_sessions()).total == 3

    asyncio.run(main())


def test_several_calls_of_the_plain_store_run_in_one_thread_of_the_awaited_one() -> None:
    threads: set[int] = set()

    def count(store: clew.Store, title: str, *, times: int) -> int | None:
        for _ in range(times):
            store.create_session(title)
        threads.add(threading.get_ident())
        return store.list_sessions().total

    async def main() -> None:
        async with clew.open_async(":memory:") as store:
            assert await store.run(count, "a", times=3) == 3
            assert threads.isdisjoint({threading.get_ident()})
            with pytest.raises(TypeError):
                await store.run(count, "a")  # type: ignore[call-arg]

    asyncio.run(main())
