"""Sessions that go on while they are measured."""

from collections.abc import Callable
from functools import partial
from typing import Generic, TypeVar

import clew
from bench.conversation import Message, Talk

Id = TypeVar("Id")

_EARLY_TURNS = range(6, 16)


class AppendedSession:
    """A session of which a program appends each turn."""

    def __init__(self, store: clew.Store, seed: int, turns: int) -> None:
        self.store = store
        self.talk = Talk(seed)
        self.id = store.create_session(f"Measured {seed}", messages=self.talk.turn()).id
        self.checkpoints: list[clew.Checkpoint] = []
        self.advance(turns)

    def advance(self, turns: int) -> None:
        """Go on until there are so many turns."""
        while self.talk.turns < turns:
            self.checkpoints.append(self.store.append(self.id, self.talk.turn()))

    def step(self) -> Callable[[], object]:
        """The appending of the next turn, to be timed."""
        return partial(self.store.append, self.id, self.talk.turn())


class ShortSessions:
    """Sessions of a few turns, each left for another one before it is long."""

    def __init__(self, store: clew.Store) -> None:
        self._store = store
        self._seed = 100
        self._session = self._next()

    def step(self) -> Callable[[], object]:
        """The appending of a turn to a session that has few, to be timed."""
        if self._session.talk.turns + 1 not in _EARLY_TURNS:
            self._session = self._next()
        return self._session.step()

    def _next(self) -> AppendedSession:
        self._seed += 1
        return AppendedSession(self._store, self._seed, _EARLY_TURNS.start - 1)


class WholeListSession(Generic[Id]):
    """A session of which a program keeps the messages in a list, and hands over all of them at every step.

    `write` takes the list and the id of the parent, and returns the id of what it wrote.
    """

    def __init__(self, write: Callable[[list[Message], Id | None], Id]) -> None:
        self._write = write
        self._talk = Talk(7)
        self._newest: Id | None = None
        self.messages: list[Message] = []

    def advance(self, turns: int) -> None:
        """Go on until there are so many turns, and write that."""
        self.messages.extend(self._talk.messages(turns - self._talk.turns))
        self._write_all()

    def write_each(self, turns: int) -> None:
        """Go on until there are so many turns, and write the list at each of them."""
        while self._talk.turns < turns:
            self.advance(self._talk.turns + 1)

    def step(self) -> Callable[[], object]:
        """The writing of the list with the next turn, to be timed."""
        self.messages.extend(self._talk.turn())
        return self._write_all

    def _write_all(self) -> None:
        self._newest = self._write(self.messages, self._newest)


def whole_lists(store: clew.Store) -> WholeListSession[clew.Checkpoint]:
    """Such a session in clew."""
    session_id = store.create_session("Whole lists").id

    def write(messages: list[Message], parent: clew.Checkpoint | None) -> clew.Checkpoint:
        return store.create_checkpoint(session_id, messages, parent_id=None if parent is None else parent.id)

    return WholeListSession(write)
