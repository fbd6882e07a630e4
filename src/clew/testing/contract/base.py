"""What every part of the contract uses: the fixtures, and small helpers."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID, uuid4

import pytest

from clew.model import Checkpoint, CheckpointSummary, Message, Page, Session, SessionSummary
from clew.store import Store
from clew.testing.clock import Clock
from clew.testing.values import exact

EVERYTHING = 1_000


class Contract:
    """The fixtures of the contract. A subclass gives `store`; it may give `reopen`."""

    @pytest.fixture
    def clock(self) -> Clock:
        """The time that the store under test has to tell."""
        return Clock()

    @pytest.fixture
    def store(self, clock: Clock) -> Iterator[Store]:
        """An empty store that takes its time from `clock`, closed at the end."""
        raise NotImplementedError("a subclass of the contract gives the fixture `store`")

    @pytest.fixture
    def reopen(self, store: Store) -> Callable[[], Store]:
        """Opens the same data anew, with nothing remembered; the store before it may be closed by that.

        Unless a subclass can do so, the data is read through the store that wrote it.
        """
        return lambda: store


def user(text: str) -> Message:
    """A message of the user's."""
    return {"role": "user", "content": text}


def users(texts: str) -> list[Message]:
    """A message of the user's for each letter."""
    return [user(text) for text in texts]


def letters(messages: list[Message]) -> str:
    """The contents of messages that `users` made."""
    return "".join(message["content"] for message in messages)


def said(store: Store, checkpoint_id: UUID) -> str:
    """The contents of a checkpoint of such messages, as read back."""
    return letters(store.get_checkpoint(checkpoint_id).state.messages)


def active(session: Session) -> Checkpoint:
    """The active checkpoint of a session that must have one."""
    assert session.active_checkpoint is not None
    return session.active_checkpoint


def ids(page: Page[SessionSummary] | Page[CheckpointSummary]) -> list[UUID]:
    """The ids on a page, in order."""
    return [item.id for item in page.items]


def titles(page: Page[SessionSummary]) -> list[str]:
    """The titles on a page, in order."""
    return [item.title for item in page.items]


def summary(store: Store, session_id: UUID) -> SessionSummary:
    """A session as lists show it."""
    return next(item for item in store.list_sessions(limit=EVERYTHING) if item.id == session_id)


def revision(store: Store, session_id: UUID) -> int:
    """The revision of a session."""
    return store.get_session(session_id).revision


def missing() -> UUID:
    """An id that nothing has."""
    return uuid4()


def contents(store: Store) -> str:
    """All that a store holds, as text."""
    sessions = store.list_sessions(limit=EVERYTHING, count=True)
    return exact([sessions.total, *((session, tree(store, session.id)) for session in sessions)])


def tree(store: Store, session_id: UUID) -> list[Any]:
    """Every checkpoint of a session, in order of creation."""
    return [store.get_checkpoint(id) for id in ids(store.list_checkpoints(session_id, limit=EVERYTHING))]


@contextmanager
def nothing_changes(store: Store) -> Iterator[None]:
    """Whatever the store holds before, it holds afterwards."""
    before = contents(store)
    yield
    assert contents(store) == before
