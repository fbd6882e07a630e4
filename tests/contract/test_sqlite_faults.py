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

from clew import SAME, Label, Session, StorageError, Store, limits
from clew.sqlite import SQLiteBackend
from clew.testing import Clock
from clew.testing.contract.base import active, contents, ids, said, users

MOST_STATEMENTS = 200

LONG = bytes(range(30))
"""Bytes of several pieces."""

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
    "rewind to a label": lambda store, session: store.set_active_checkpoint(session.id, Label("begun")),
    "purge": lambda store, session: store.purge_session(session.id, if_revision=session.revision),
    "append with attachments": lambda store, session: store.append(
        session.id, users("xy"), label="later", attachments={"long": SAME, "f": SAME, "new": LONG + b"!", "w": b"waits"}
    ),
    "full list with attachments": lambda store, session: store.create_checkpoint(
        session.id, users("aXc"), parent_id=Label("tip"), label="later", attachments={"long": SAME, "new": LONG[::-1]}
    ),
    "attach": lambda store, session: store.attach(session.id, {"a": LONG + b"!", "b": b"", "f": b"file"}),
    "attach to a label": lambda store, session: store.attach(session.id, {"a": LONG, "b": b"1"}, label="tip"),
    "attach to a label to come": lambda store, session: store.attach(session.id, {"a": LONG, "z": b"1"}, label="later"),
    "replace": lambda store, session: store.attach(
        session.id, {"long": LONG[8:], "f": b"new", "a": b"1"}, on_conflict="replace"
    ),
    "label": lambda store, session: store.set_label(active(session).id, "another"),
    "label with what waited": lambda store, session: store.set_label(_root(store, session), "later"),
    "move a label": lambda store, session: store.set_label(_root(store, session), "tip", move=True),
    "take a label away": lambda store, session: store.set_label(active(session).id, None),
    "delete a checkpoint": lambda store, session: store.delete_checkpoints(session.id, _middle(store, session)),
    "delete the active checkpoint": lambda store, session: store.delete_checkpoints(session.id, active(session).id),
    "delete a root and all below": lambda store, session: store.delete_checkpoints(
        session.id, _root(store, session), children="delete", if_revision=session.revision
    ),
    "copy": lambda store, session: store.copy_session(session.id, source="tool", source_id="copy"),
}


def _root(store: Store, session: Session) -> Any:
    return ids(store.list_checkpoints(session.id))[0]


def _middle(store: Store, session: Session) -> Any:
    return ids(store.list_checkpoints(session.id))[1]


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


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "ATTACHMENT_CHUNK_BYTES", 8)


def _begun(store: Store) -> tuple[Session, Session]:
    """A session a b c with labels and attachments, some of which wait, and a fork of it."""
    begun = store.create_session("begun", messages=users("a"), metadata={"k": 1}, session_metadata={"s": 1})
    store.set_label(active(begun).id, "begun")
    store.append(begun.id, users("b"), attachments={"long": LONG})
    store.append(begun.id, users("c"), metadata={"k": 2}, label="tip", attachments={"long": SAME, "f": b"file"})
    store.attach(begun.id, {"long": LONG, "w": b"waits"}, label="later")
    return store.get_session(begun.id), store.fork_session(begun.id)


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
def test_a_write_that_fails_at_any_statement_leaves_nothing_behind(
    tmp_path: Path, write: Callable[[Store, Session], Any]
) -> None:
    with open_store(tmp_path / "agent.db", Clock(tick=0)) as store:
        session, fork = _begun(store)
        before = contents(store)
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
        assert list(store.verify()) == []
        if contents(store) != before:  # the write is there: what failed, if anything, came after its commit
            return number - 1
        assert failed, "a write that returned has to be there"
    raise AssertionError(f"not through after {MOST_STATEMENTS} statements")


def test_compacting_that_fails_at_any_statement_loses_nothing(tmp_path: Path) -> None:
    with open_store(tmp_path / "agent.db", Clock(tick=0)) as store:
        session, _ = _begun(store)
        store.delete_checkpoints(session.id, active(session).id)
        before, failures = contents(store), 0
        for number in range(1, MOST_STATEMENTS):
            with failing(store, number):
                try:
                    store.compact()
                except StorageError:
                    failures += 1
                else:
                    break
            assert list(store.verify()) == []
            assert contents(store) == before
        assert failures > 2
        store.compact()
        assert contents(store) == before
