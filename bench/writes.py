"""What writing costs: an append early and late, next to SQLite alone, branches, forks, and whole lists."""

import random
from collections.abc import Callable, Iterator
from functools import partial

import msgspec

import clew
from bench.conversation import Talk, texts
from bench.floor import floor
from bench.measure import Durability, Lab, interleaved
from bench.report import shown_seconds
from bench.sessions import AppendedSession, ShortSessions, whole_lists
from bench.targets import Finding, Measured, Table


def append_late(lab: Lab) -> Iterator[Finding]:
    """A long session and short ones in one file: appends at turns 6 to 15 of one short session after the other."""
    with lab.store("append-late") as store:
        long = AppendedSession(store, 1, lab.some(3000, 600))
        late, early = interleaved(lab.some(600, 100), long.step, ShortSessions(store).step)
    yield Measured("append late", late, early)


def append_floor(lab: Lab) -> Iterator[Finding]:
    """Appends next to SQLite alone; then both without a sync at every commit, which leaves what the processor does."""
    append, bare = _next_to_floor(lab, "full")
    yield Measured("append floor", append, bare)
    append, bare = _next_to_floor(lab, "normal")
    yield Table(
        title="The same append with durability normal",
        header=["append 2 messages", "bare SQLite", "ratio"],
        rows=[[shown_seconds(append), shown_seconds(bare), f"{append / bare:.2f} ×"]],
        notes="Without the sync at every commit, to show the work of the processor. There is no target for it.",
    )


def _next_to_floor(lab: Lab, durability: Durability) -> tuple[float, float]:
    """An append and the floor. Both files begin with the same messages, and both write the same ones."""
    turns = lab.some(500, 100)
    talk = Talk(1)
    with lab.store("append-floor", durability) as store, floor(lab.folder / "floor.db", durability) as bare:
        session = AppendedSession(store, 1, turns)
        for _ in range(turns):
            bare.add(texts(talk.turn()))
        append, insert = interleaved(lab.some(1000, 100), session.step, lambda: partial(bare.add, texts(talk.turn())))
    lab.remove(lab.folder / "floor.db")
    return append, insert


def branches(lab: Lab) -> Iterator[Finding]:
    """Branches and forks of one session of 5,000 messages, next to appends to another one of the same length."""
    turns = lab.some(2500, 500)
    with lab.store("branches") as store:
        steady, branched = AppendedSession(store, 1, turns), AppendedSession(store, 2, turns)
        forks = _Forks(branched)
        append, branch, fork, fork_append = interleaved(
            lab.some(400, 60), steady.step, partial(_branch, branched), forks.fork, forks.append
        )
    yield Measured("branch", branch, append)
    yield Measured("fork", fork, append)
    yield Measured("fork append", fork_append, append)


def _branch(session: AppendedSession) -> Callable[[], object]:
    anywhere = random.choice(session.checkpoints[:-1])
    return partial(session.store.append, session.id, session.talk.turn(), parent_id=anywhere.id)


class _Forks:
    """Forks of a session at its newest turn."""

    def __init__(self, origin: AppendedSession) -> None:
        self._origin = origin
        self._talk = Talk(1000)

    def fork(self) -> Callable[[], object]:
        """Forking, to be timed."""
        origin = self._origin
        return partial(origin.store.fork_session, origin.id, checkpoint_id=origin.checkpoints[-1].id)

    def append(self) -> Callable[[], object]:
        """The first append on a new fork, to be timed."""
        fork = self.fork()()
        assert isinstance(fork, clew.Session)
        return partial(self._origin.store.append, fork.id, self._talk.turn())


def full_list(lab: Lab) -> Iterator[Finding]:
    """A program that hands over its whole list at every step, against encoding that list."""
    with lab.store("full-list") as store:
        program = whole_lists(store)
        program.advance(lab.some(2000, 500))
        write, encode = interleaved(
            lab.some(150, 20), program.step, lambda: partial(msgspec.json.encode, program.messages)
        )
    yield Measured("full list", write, encode)
