"""Any statement of a write may fail: what was there before is there afterwards, and the next write succeeds.

The first statement fails, then the second, and so on until the write gets through.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import apsw
import pytest
from tests.contract.test_sqlite import open_store

from clew import Session, StorageError, Store
from clew.sqlite import SQLiteBackend
from clew.testing import Clock
from clew.testing.contract.base import active, contents, ids, said, users

MOST_STATEMENTS = 200

WRITES: dict[str, Callable[[Store, Session], Any]] = {
    "create_session": lambda store, _: store.create_session(
        "new", messages=users("ab"), metadata={"k": 1}, source="tool", source_id="1", session_metadata={"s": 1}
    ),
    "ensure_session": lambda store, _: store.ensure_session("tool", "1", messages=users("a")),
    "append": lambda store, session: store.append(session.id, users("xy"), metadata={"k": 3}, label="point"),
    "branch": lambda store, session: store.append(session.id, users("xy"), parent_id=_root(store, session)),
    "full list": lambda store, session: store.create_checkpoint(
        session.id, users("aXc"), metadata={"k": 3}, parent_id=active(session).id
    ),
    "new root": lambda store, session: store.create_checkpoint(session.id, users("zab")),
    "fork": lambda store, session: store.fork_session(session.id),
    "update": lambda store, session: store.update_session(
        session.id, title="changed", visibility="PUBLIC", cwd="/x", metadata={"s": 2}
    ),
    "delete": lambda store, session: store.delete_session(session.id),
    "rewind": lambda store, session: store.set_active_checkpoint(session.id, _root(store, session)),
    "purge": lambda store, session: store.purge_session(session.id),
}


def _root(store: Store, session: Session) -> Any:
    return ids(store.list_checkpoints(session.id))[0]


@contextmanager
def failing(store: Store, number: int) -> Iterator[None]:
    """The statement of this number that the writer runs from now on is not carried out."""
    left = number

    def allow(_cursor: apsw.Cursor, _sql: str, _values: Any) -> bool:
        nonlocal left
        left -= 1
        return left != 0

    _trace(store, allow)
    try:
        yield
    finally:
        _trace(store, None)


def _trace(store: Store, allow: Any) -> None:
    backend = store._backend
    assert isinstance(backend, SQLiteBackend)
    backend._engine.alone(lambda connection: setattr(connection, "exec_trace", allow), timeout=30)


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
def test_a_write_that_fails_at_any_statement_leaves_nothing_behind(
    tmp_path: Path, write: Callable[[Store, Session], Any]
) -> None:
    with open_store(tmp_path / "agent.db", Clock(tick=0)) as store:
        begun = store.create_session("begun", messages=users("ab"), metadata={"k": 1}, session_metadata={"s": 1})
        store.append(begun.id, users("c"), metadata={"k": 2})
        fork = store.fork_session(begun.id)
        session, before = store.get_session(begun.id), contents(store)
        failures = _fail_until_it_succeeds(store, session, write, before)
        assert failures > 2
        assert contents(store) != before
        assert said(store, store.append(fork.id, users("d")).id) == "abcd"


def _fail_until_it_succeeds(store: Store, session: Session, write: Callable[[Store, Session], Any], before: str) -> int:
    for number in range(1, MOST_STATEMENTS):
        with failing(store, number):
            try:
                write(store, session)
            except StorageError:
                failed = True
            else:
                failed = False
        if contents(store) != before:  # the write is there: what failed, if anything, came after its commit
            return number - 1
        assert failed, "a write that returned has to be there"
    raise AssertionError(f"not through after {MOST_STATEMENTS} statements")
