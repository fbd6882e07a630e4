"""What reading costs: whole conversations, the end of long ones, lists of sessions; and what the file takes."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from functools import partial

import clew
from bench.conversation import Talk
from bench.measure import Lab, interleaved
from bench.sessions import AppendedSession
from bench.targets import Fact, Finding, Measured

_LISTED = 20
_THREADS = 16
_DELETED_EVERY = 10


def size(lab: Lab) -> Iterator[Finding]:
    """The file as it is once the store is closed, and everything is out of the write-ahead log."""
    turns = lab.some(1000, 300)
    with lab.store("size", "normal") as store:
        session = AppendedSession(store, 1, turns)
        final = len(store.get_session(session.id).active_checkpoint.state.messages_json)  # type: ignore[union-attr]
        store.close()
        stored = (lab.folder / "size.db").stat().st_size
    yield Measured("size", stored, final, unit="B")
    yield Fact("file", stored / turns)


def load(lab: Lab) -> Iterator[Finding]:
    """A session read and decoded, against the standard library's decoder on the bytes alone."""
    with lab.store("load", "normal") as store:
        checkpoint = AppendedSession(store, 1, 1000).checkpoints[-1]
        text = checkpoint.state.messages_json
        assert store.get_checkpoint(checkpoint.id).state.messages == json.loads(text)
        read, decode = interleaved(
            lab.some(150, 20),
            lambda: lambda: store.get_checkpoint(checkpoint.id).state.messages,
            lambda: partial(json.loads, text),
        )
    yield Measured("load", read, decode)


def tail(lab: Lab) -> Iterator[Finding]:
    """The end of a long conversation that goes on between the reads."""
    with lab.store("tail") as store:
        session = AppendedSession(store, 1, lab.some(2500, 500))
        newest = session.checkpoints[-1].id
        read, append = interleaved(
            lab.some(400, 60), lambda: partial(store.get_messages, newest, start=-_LISTED), session.step
        )
    yield Measured("tail", read, append)


def listing(lab: Lab) -> Iterator[Finding]:
    """The first page, with its total, of a file with many sessions and of one with few."""
    many, few = lab.some(100_000, 5_000), 100
    rounds = lab.some(300, 50)
    with ExitStack() as stack:
        large, small = (stack.enter_context(_stocked(lab, count)) for count in (many, few))
        assert large.list_sessions(limit=_LISTED).total == many
        assert large.list_sessions(limit=_LISTED, status="ACTIVE").total == many - many // _DELETED_EVERY
        whole, whole_few, active, active_few = interleaved(
            rounds,
            lambda: partial(large.list_sessions, limit=_LISTED),
            lambda: partial(small.list_sessions, limit=_LISTED),
            lambda: partial(large.list_sessions, limit=_LISTED, status="ACTIVE"),
            lambda: partial(small.list_sessions, limit=_LISTED, status="ACTIVE"),
        )
    yield Measured("list", whole, whole_few)
    yield Measured("list status", active, active_few)


@contextmanager
def _stocked(lab: Lab, count: int) -> Iterator[clew.Store]:
    """A store with this many sessions, every tenth of them deleted."""
    with lab.store(f"list-{count}", "normal") as store:
        with ThreadPoolExecutor(_THREADS) as threads:  # which share commits
            list(threads.map(partial(_add_session, store), range(count)))
        yield store


def _add_session(store: clew.Store, number: int) -> None:
    session = store.create_session(
        f"Session {number}: fix the flaky test", messages=Talk(number).turn(), cwd=f"/srv/project-{number % 50}"
    )
    if number % _DELETED_EVERY == 0:
        store.delete_session(session.id)
