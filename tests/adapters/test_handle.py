"""The store that an adapter was given: any form of it, and calls that end before their cancellation comes out."""

import asyncio
import threading
from pathlib import Path

import pytest

import clew
from clew.adapters.handle import Handle

TITLE = "written by a handle"


def test_a_store_its_awaited_face_and_a_path_all_do(tmp_path: Path) -> None:
    path = tmp_path / "clew.db"
    with clew.open(path) as store:
        store.create_session(TITLE)
        for given in (store, store.aio, path, str(path)):
            handle = Handle(given)
            assert [item.title for item in handle.store.list_sessions()] == [TITLE]
            handle.close()
        assert store.list_sessions().total == 1


def test_only_what_it_opened_is_closed(tmp_path: Path) -> None:
    handle = Handle(tmp_path / "clew.db")
    handle.close()
    handle.close()
    with pytest.raises(clew.UnavailableError, match="closed"):
        handle.store.list_sessions()


def test_an_awaited_store_that_is_not_open_yet_is_opened(tmp_path: Path) -> None:
    unopened = clew.open_async(tmp_path / "clew.db")
    handle = Handle(unopened)
    assert handle.store is unopened.sync
    handle.store.close()


def test_a_cancelled_call_has_ended_when_the_cancellation_comes_out(file_store: clew.Store) -> None:
    began, go_on = threading.Event(), threading.Event()

    def write(store: clew.Store) -> None:
        began.set()
        go_on.wait()
        store.create_session(TITLE)

    async def main() -> None:
        task = asyncio.ensure_future(Handle(file_store).run(write))
        await asyncio.to_thread(began.wait)
        for _ in range(2):  # the second comes while the first is held back
            task.cancel()
            await asyncio.sleep(0)
            assert not task.done()
        go_on.set()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert [item.title for item in file_store.list_sessions()] == [TITLE]

    asyncio.run(main())


def test_a_cancelled_call_that_fails_is_a_cancellation(file_store: clew.Store) -> None:
    began, go_on = threading.Event(), threading.Event()

    def fail(store: clew.Store) -> None:
        began.set()
        go_on.wait()
        raise ValueError

    async def main() -> None:
        task = asyncio.ensure_future(Handle(file_store).run(fail))
        await asyncio.to_thread(began.wait)
        task.cancel()
        await asyncio.sleep(0)
        go_on.set()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
