"""Sessions that are hard to make again: each shape makes some in a store."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import clew
from clew import SAME, Attachment, Session, Store
from clew.testing import Clock
from clew.testing.clock import moment


def users(text: str) -> list[dict[str, Any]]:
    """A message for each letter."""
    return [{"role": "user", "content": letter} for letter in text]


def root_of(store: Store, session_id: UUID) -> UUID:
    """The first checkpoint of a session."""
    return store.list_checkpoints(session_id).items[0].id


def fill(store: Store) -> Session:
    """Sessions with something of everything; the one returned has the most."""
    talk = store.create_session(
        "Élan", messages=users("ab"), metadata={"k": [1, None]}, visibility="PUBLIC", cwd="/r", source="tool",
        source_id="1", session_metadata={"z": 1, "a": "\ud800"},
    )  # fmt: skip
    first = store.append(talk.id, users("c"), label="first", attachments={"f": Attachment(b"1", "x/y"), "g": b""})
    store.append(talk.id, users("d"), attachments={"f": SAME, "g": b"other"}, metadata=0)
    store.append(talk.id, [], metadata={"k": "\ud800", "n": 10**30}, label="moved")
    store.create_checkpoint(talk.id, users("xbc"), parent_id=first.id)
    store.create_checkpoint(talk.id, users("ab"))
    fork = store.fork_session(talk.id, checkpoint_id=first.id, title="a fork")
    store.append(fork.id, users("e"))
    store.fork_session(fork.id)
    store.copy_session(talk.id, source="tool", source_id="2")
    store.set_label(first.id, "moved", move=True)
    store.attach(talk.id, {"late": b"2"}, checkpoint_id=first.id)
    store.attach(talk.id, {"w": Attachment(b"waits", "a/b")}, label="later")
    store.set_active_checkpoint(talk.id, first.id)
    store.delete_session(store.create_session("deleted", messages=users("q")).id)
    store.create_session("child", parent_session_id=talk.id)
    return talk


def root_deleted(store: Store) -> None:
    session = store.create_session("", messages=users("ab"))
    store.append(session.id, users("c"), label="x", attachments={"f": b"1"})
    store.append(session.id, users("d"))
    store.delete_checkpoints(session.id, root_of(store, session.id))


def all_deleted(store: Store) -> None:
    session = store.create_session("nothing left", messages=users("ab"), session_metadata={"k": 1})
    store.delete_checkpoints(session.id, root_of(store, session.id), children="delete")


def several_roots(store: Store) -> None:
    session = store.create_session("", messages=users("ab"))
    store.create_checkpoint(session.id, users("abc"), label="x")
    store.create_checkpoint(session.id, users("zz"))
    store.create_checkpoint(session.id, [])


def reparented(store: Store) -> None:
    session = store.create_session("", messages=users("a"))
    middle = store.append(session.id, users("b"))
    store.append(session.id, users("c"))
    store.append(session.id, users("d"), parent_id=middle.id)
    store.delete_checkpoints(session.id, middle.id)


def fork_root_deleted(store: Store) -> None:
    session = store.create_session("", messages=users("ab"))
    fork = store.fork_session(session.id)
    store.append(fork.id, users("c"))
    store.delete_checkpoints(fork.id, root_of(store, fork.id))


def fork_without_checkpoints(store: Store) -> None:
    fork = store.fork_session(store.create_session("", messages=users("ab")).id)
    store.delete_checkpoints(fork.id, root_of(store, fork.id))


def fork_of_a_deleted_checkpoint(store: Store) -> None:
    session = store.create_session("", messages=users("ab"))
    step = store.append(session.id, users("c"))
    store.append(store.fork_session(session.id).id, users("d"))
    store.delete_checkpoints(session.id, step.id)


def forks_of_a_purged_session(store: Store) -> None:
    session = store.create_session("", messages=users("ab"))
    fork = store.fork_session(session.id)
    store.append(store.fork_session(session.id).id, users("d"))
    store.append(store.fork_session(fork.id).id, users("e"))
    store.purge_session(session.id)


def fork_that_differs(store: Store) -> None:
    session = store.create_session("one", messages=users("ab"), cwd="/r", session_metadata={"k": 1})
    step = store.append(session.id, [], attachments={"f": b"1", "g": b"2"}, label="x")
    fork = store.fork_session(session.id, title="another")
    store.update_session(fork.id, visibility="PUBLIC", cwd=None, metadata=None, status="DELETED")
    root = root_of(store, fork.id)
    store.detach(fork.id, "g", checkpoint_id=root)
    store.attach(fork.id, {"h": b"3"}, checkpoint_id=root)
    store.set_label(root, "y")
    store.attach(session.id, {"f": b"changed"}, checkpoint_id=step.id, on_conflict="replace")
    store.fork_session(session.id)


def origin_changed_after_the_fork(store: Store) -> None:
    session = store.create_session("one", messages=users("ab"), cwd="/r")
    store.attach(session.id, {"f": b"1"})
    store.fork_session(session.id)
    store.attach(session.id, {"f": b"2", "g": b""}, on_conflict="replace")
    store.update_session(session.id, cwd="/elsewhere", title="two")


def labels_moved(store: Store) -> None:
    session = store.create_session("", messages=users("a"))
    one, two = store.append(session.id, users("b"), label="x"), store.append(session.id, users("c"), label="y")
    store.set_label(one.id, None)
    store.set_label(two.id, "x")
    store.set_label(one.id, "y")
    store.set_label(root_of(store, session.id), "z")
    store.set_label(root_of(store, session.id), None)


def changed_at_the_time_of_creation(store: Store) -> None:
    """Times tell nothing here: a killed copy must not take half of it for the whole."""
    clock: Clock = store._clock  # type: ignore[assignment]
    clock.tick = 0
    session = store.create_session("", messages=users("a"))
    root = root_of(store, session.id)
    store.set_label(root, "x")
    store.attach(session.id, {"f": b"1"})
    fork = store.fork_session(session.id)
    store.attach(fork.id, {"g": b"1"})
    store.set_label(root_of(store, fork.id), "y")
    store.create_checkpoint(session.id, users("zz"), label="y", attachments={"f": b"2"})
    store.delete_checkpoints(session.id, root)
    store.delete_session(session.id)
    clock.tick = 1_000


def attachments_of_all_kinds(store: Store) -> None:
    session = store.create_session("", messages=users("a"))
    large = bytes(300_000) + b"1" * 300_000
    store.append(session.id, [], attachments={"large": Attachment(large, "image/png"), "none": b"", "\U0001f9f6": b"2"})
    store.append(session.id, [], attachments={"large": SAME, "none": b"now"})
    step = store.append(session.id, [], attachments={"large": large[:-1]})
    store.detach(session.id, "large", checkpoint_id=step.id)


def rewritten_history(store: Store) -> None:
    session = store.create_session("", messages=users("abcdef"))
    for text in ("abcdefg", "a summary", "a summary, and on", "ab", "ab", ""):
        store.create_checkpoint(session.id, users(text), parent_id=clew.ACTIVE)
    store.set_active_checkpoint(session.id, root_of(store, session.id))


def imported(store: Store) -> None:
    old = moment(1_000_000)
    session = store.create_session("", created_at=old, messages=users("a"))
    store.append(session.id, users("b"), created_at=old + timedelta(microseconds=1))
    store.append(session.id, users("c"), created_at=old - timedelta(days=365))
    store.update_session(session.id, updated_at=old + timedelta(days=1))


def waiting_for_labels(store: Store) -> None:
    session = store.create_session("", messages=users("a"))
    store.attach(session.id, {"f": Attachment(b"1", "x/y"), "g": b""}, label="later")
    store.attach(session.id, {"f": bytes(300_000)}, label="much later")
    store.attach(session.id, {"f": b"taken"}, label="now")
    store.append(session.id, users("b"), label="now")


def owned(store: Store) -> None:
    """Sessions of one name that belong to several, one of them given away, and a fork and a copy for others."""
    made = [
        store.create_session(f"of {owner}", messages=users("ab"), source="server", source_id="1", owner=owner)
        for owner in (None, "Ada", "\u00c9lan")
    ]
    store.update_session(made[0].id, owner="Bob")
    store.fork_session(made[1].id, owner="Bob")
    store.fork_session(made[2].id, owner=None)
    store.copy_session(made[1].id, source="server", source_id="1", owner="Cy")
    store.create_key("Ada", "admin")


SHAPES: dict[str, Callable[[Store], object]] = {
    shape.__name__: shape
    for shape in (
        fill, root_deleted, all_deleted, several_roots, reparented, fork_root_deleted, fork_without_checkpoints,
        fork_of_a_deleted_checkpoint, forks_of_a_purged_session, fork_that_differs, origin_changed_after_the_fork,
        labels_moved, changed_at_the_time_of_creation, attachments_of_all_kinds, rewritten_history, imported,
        waiting_for_labels, owned,
    )
}  # fmt: skip
