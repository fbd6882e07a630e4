"""What every part of the contract uses: the fixtures, and small helpers."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4
from weakref import WeakKeyDictionary

import pytest

from clew import limits
from clew.backend import Backend
from clew.model import SAME, Checkpoint, CheckpointSummary, Message, Page, Session, SessionSummary
from clew.reports import Finding
from clew.store import Store
from clew.testing.clock import Clock
from clew.testing.values import exact

EVERYTHING = 1_000

OpenBackup = Callable[[Path], Store]
"""Opens the file that `backup` made, as a store that the test closes."""


def backend_of(store: Store) -> Backend:
    """The backend under a store, awaited ones included."""
    awaited = getattr(store, "_store", None)
    backend: Backend = store._backend if awaited is None else awaited.sync._backend
    return backend


class Contract:
    """The fixtures of the contract. A subclass gives `store`; it may give `reopen` and `open_backup`."""

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

    @pytest.fixture
    def open_backup(self) -> OpenBackup | None:
        """None, unless a subclass gives it: the backend makes no backups, and has to say so by refusing.

        A subclass that gives it is one of `BackupContract` too.
        """
        return None

    @pytest.fixture
    def backups(self, open_backup: OpenBackup | None) -> OpenBackup:
        """The same for tests that a backend which makes none does not take."""
        if open_backup is None:
            raise NotImplementedError("a subclass of the contract about backups gives the fixture `open_backup`")
        return open_backup


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
    """All that a store holds, as text, but for what is attached to labels that no checkpoint has yet."""
    sessions = store.list_sessions(limit=EVERYTHING, count=True)
    return exact([sessions.total, *((session, tree(store, session.id)) for session in sessions)])


def tree(store: Store, session_id: UUID) -> list[Any]:
    """Every checkpoint of a session with its attachments, in order of creation."""
    page = store.list_checkpoints(session_id, limit=EVERYTHING, with_attachments="")
    return [(store.get_checkpoint(item.id), item.attachments) for item in page]


def labels(page: Iterable[CheckpointSummary]) -> list[str | None]:
    """The labels in a list, in order."""
    return [item.label for item in page]


def attached(store: Store, checkpoint_id: UUID) -> dict[str, bytes]:
    """The attachments of a checkpoint, by name."""
    return dict(store.get_attachments(checkpoint_id)[checkpoint_id])


def by_ids(summaries: Iterable[CheckpointSummary]) -> list[UUID]:
    """The ids of some checkpoints, in order."""
    return [item.id for item in summaries]


def checkpoint_pages(
    store: Store, session_ids: UUID | Iterable[UUID], limit: int, **arguments: Any
) -> Iterator[Page[CheckpointSummary]]:
    """The pages of a list of checkpoints, each asked for when the one before has been read."""
    session_ids = session_ids if isinstance(session_ids, UUID) else list(session_ids)
    page = store.list_checkpoints(session_ids, limit=limit, **arguments)
    yield page
    while page.next_cursor is not None:
        page = store.list_checkpoints(session_ids, limit=limit, cursor=page.next_cursor, **arguments)
        yield page


def emptied(store: Store) -> Session:
    """A session all of whose checkpoints were deleted."""
    session = store.create_session("emptied", messages=users("ab"), metadata={"gone": 1})
    return store.delete_checkpoints(session.id, active(session).id)


def findings(store: Store) -> list[Finding]:
    """All that `verify` finds wrong."""
    return list(store.verify())


def filled(store: Store) -> list[Session]:
    """Sessions with something of everything: branches, forks, copies, labels, attachments, and what was deleted."""
    first = store.create_session("first", messages=users("ab"), metadata={"k": 1}, session_metadata={"s": 1})
    step = store.append(
        first.id, users("c"), label="point", attachments={"f": bytes(limits.ATTACHMENT_CHUNK_BYTES + 1)}
    )
    store.append(first.id, users("d"), attachments={"f": SAME, "g": b"small"})
    gone = store.append(first.id, users("x"), parent_id=step.id)
    store.append(first.id, users("y"))
    store.delete_checkpoints(first.id, gone.id)
    store.attach(first.id, {"w": b"waits"}, label="later")
    fork = store.fork_session(first.id, checkpoint_id=step.id)
    store.create_checkpoint(fork.id, users("aXc"), parent_id=active(fork).id)
    copy = store.copy_session(first.id, source="tool", source_id="copy")
    other = store.create_session("other", messages=users("a"), source="tool", source_id="other")
    store.delete_session(other.id)
    store.purge_session(store.create_session("purged", messages=users("a")).id)
    return [store.get_session(session.id) for session in (first, fork, copy, other)]


NEAR: WeakKeyDictionary[Store, Store] = WeakKeyDictionary()
"""For a store that is far away, another one on the same data that is near: where to look what a call has left."""


@contextmanager
def nothing_changes(store: Store) -> Iterator[None]:
    """Whatever the store holds before, it holds afterwards."""
    near = NEAR.get(store, store)
    before = contents(near)
    yield
    assert contents(near) == before
