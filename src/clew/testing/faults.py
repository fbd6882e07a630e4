"""What is left of a write of which a statement fails: what was there before it, and nothing else.

A contract of its own, because it needs to reach below the store: a backend's tests give a second fixture, `faults`.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, Protocol
from uuid import UUID

import pytest

from clew import limits
from clew.errors import StorageError
from clew.model import SAME, Label, Session
from clew.store import Store
from clew.testing.clock import Clock
from clew.testing.contract.base import Contract, active, contents, findings, ids, said, users

MOST_STATEMENTS = 200

LONG = bytes(range(30))
"""Bytes of several pieces."""

Write = Callable[[Store, Session], Any]

WRITES: dict[str, Write] = {
    "create_session": lambda store, _: store.create_session(
        "new", messages=users("ab"), metadata={"k": 1}, source="tool", source_id="1", session_metadata={"s": 1}
    ),
    "ensure_session": lambda store, _: store.ensure_session("tool", "1", messages=users("a")),
    "append": lambda store, session: store.append(session.id, users("xy"), metadata={"k": 3}, label="point"),
    "plain append": lambda store, session: store.append(session.id, users("xy"), metadata={"k": 3}),
    "branch": lambda store, session: store.append(session.id, users("xy"), parent_id=_root(store, session)),
    "append after a part": lambda store, session: store.append(session.id, users("xy"), after=2, label="point"),
    "drop the last message": lambda store, session: store.append(session.id, [], after=-1),
    "full list": lambda store, session: store.create_checkpoint(
        session.id, users("aXc"), metadata={"k": 3}, parent_id=active(session).id
    ),
    "new root": lambda store, session: store.create_checkpoint(session.id, users("zab")),
    "fork": lambda store, session: store.fork_session(session.id),
    "update": lambda store, session: store.update_session(
        session.id, title="changed", visibility="PUBLIC", cwd="/x", metadata={"s": 2}, owner="Ada"
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
    "detach": lambda store, session: store.detach(session.id, "long"),
    "label": lambda store, session: store.set_label(active(session).id, "another"),
    "label with what waited": lambda store, session: store.set_label(_root(store, session), "later"),
    "move a label": lambda store, session: store.set_label(_root(store, session), "tip", move=True),
    "append that takes a label over": lambda store, session: store.append(
        session.id, users("m"), label="tip", move=True, if_active=active(session).id
    ),
    "take a label away": lambda store, session: store.set_label(active(session).id, None),
    "delete a checkpoint": lambda store, session: store.delete_checkpoints(session.id, _middle(store, session)),
    "delete the active checkpoint": lambda store, session: store.delete_checkpoints(session.id, active(session).id),
    "delete a root and all below": lambda store, session: store.delete_checkpoints(
        session.id, _root(store, session), children="delete", if_revision=session.revision
    ),
    "purge what is in the index": lambda store, session: _purge_searched(store, session),
    "copy": lambda store, session: store.copy_session(session.id, source="tool", source_id="copy"),
}
"""Writes to a store with the sessions of `begun`, given the first of them."""


def _purge_searched(store: Store, session: Session) -> None:
    store.update_search_index()
    store.purge_session(session.id)


def _root(store: Store, session: Session) -> UUID:
    return ids(store.list_checkpoints(session.id))[0]


def _middle(store: Store, session: Session) -> UUID:
    return ids(store.list_checkpoints(session.id))[1]


def begun(store: Store) -> tuple[Session, Session]:
    """A session a b c with labels and attachments, some of which wait, and a fork of it."""
    session = store.create_session("begun", messages=users("a"), metadata={"k": 1}, session_metadata={"s": 1})
    store.set_label(active(session).id, "begun")
    store.append(session.id, users("b"), attachments={"long": LONG})
    store.append(session.id, users("c"), metadata={"k": 2}, label="tip", attachments={"long": SAME, "f": b"file"})
    store.attach(session.id, {"long": LONG, "w": b"waits"}, label="later")
    return store.get_session(session.id), store.fork_session(session.id)


class Faults(Protocol):
    """Makes statements fail that a backend sends to its engine."""

    def failing(self, number: int, /) -> AbstractContextManager[Any]:
        """Inside, the statement of this number that a write of the store runs is not carried out, and fails."""


class FaultContract(Contract):
    """Any statement of a write may fail: the first, then the second, and so on until the write gets through."""

    @pytest.fixture
    def clock(self) -> Clock:
        """It stands still, so that no time tells two states apart."""
        return Clock(tick=0)

    @pytest.fixture
    def faults(self) -> Faults:
        """Faults in the statements of `store`."""
        raise NotImplementedError("a subclass of the contract about faults gives the fixture `faults`")

    @pytest.fixture(autouse=True)
    def small_pieces(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Attachments of a few bytes are kept in pieces."""
        monkeypatch.setattr(limits, "ATTACHMENT_CHUNK_BYTES", 8)

    @pytest.fixture(params=WRITES)
    def write(self, request: pytest.FixtureRequest) -> Write:
        """One write after the other. A subclass over a slow engine may give fewer."""
        return WRITES[request.param]

    def test_a_write_that_fails_at_any_statement_leaves_nothing_behind(
        self, store: Store, faults: Faults, write: Write
    ) -> None:
        session, fork = begun(store)
        assert _failures_before_success(store, faults, lambda: write(store, session)) > 0
        assert findings(store) == []
        assert said(store, store.append(fork.id, users("d")).id) == "abcd"

    def test_compacting_that_fails_at_any_statement_loses_nothing(self, store: Store, faults: Faults) -> None:
        session, _ = begun(store)
        store.delete_checkpoints(session.id, active(session).id)
        before, failures = contents(store), 0
        for number in range(1, MOST_STATEMENTS):
            if not _fails(faults, number, store.compact):
                break
            failures += 1
            assert contents(store) == before
            _look_now_and_then(store, number)
        assert failures > 2
        assert findings(store) == []
        assert contents(store) == before


def _failures_before_success(store: Store, faults: Faults, write: Callable[[], Any]) -> int:
    before = contents(store)
    for number in range(1, MOST_STATEMENTS):
        failed = _fails(faults, number, write)
        if contents(store) != before:  # the write is there: what failed, if anything, came after its commit
            return number - 1
        assert failed, "a write that returned has to be there"
        _look_now_and_then(store, number)
    raise AssertionError(f"not through after {MOST_STATEMENTS} statements")


def _look_now_and_then(store: Store, number: int) -> None:
    """Verify after the first failure, the second, the fourth and so on: what one leaves is there after the next too."""
    if number.bit_count() == 1:
        assert findings(store) == []


def _fails(faults: Faults, number: int, call: Callable[[], Any]) -> bool:
    with faults.failing(number):
        try:
            call()
        except StorageError:
            return True
    return False
