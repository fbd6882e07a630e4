"""Writes that are safe to repeat, and writes that only happen while nothing else has."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest

from clew.errors import ConflictError, InvalidRequestError, NotFoundError
from clew.model import ACTIVE, KEEP, SAME, Attachment, Checkpoint, Label, Session
from clew.store import Store
from clew.testing.clock import SECOND, Clock, moment
from clew.testing.contract.base import (
    Contract,
    active,
    attached,
    ids,
    missing,
    nothing_changes,
    revision,
    said,
    users,
)

NEW: dict[str, Any] = {
    "title": "t", "messages": users("ab"), "metadata": {"m": 1}, "visibility": "PUBLIC", "cwd": "/repo",
    "source": "tool", "source_id": "1", "session_metadata": {"s": 1}, "owner": "Ada",
}  # fmt: skip
"""The arguments of a session."""

OTHER_SESSIONS: list[dict[str, Any]] = [
    {"title": "T"}, {"messages": users("a")}, {"messages": users("ba")}, {"metadata": {"m": 1.0}}, {"metadata": None},
    {"visibility": "PRIVATE"}, {"cwd": None}, {"source": "other"}, {"source_id": "2"}, {"session_metadata": None},
    {"owner": "Bob"}, {"owner": None},
]  # fmt: skip
"""What makes it the call for another session."""

STEP: dict[str, Any] = {
    "messages": users("cd"), "metadata": {"m": 1}, "label": "here",
    "attachments": {"f": b"1", "g": Attachment(b"2", "x/y")},
}  # fmt: skip

OTHER_STEPS: list[dict[str, Any]] = [
    {"messages": users("c")}, {"messages": users("dc")}, {"messages": []}, {"messages": [{"role": "user"}]},
    {"metadata": {"m": True}}, {"metadata": None}, {"metadata": "KEEP"}, {"label": None}, {"label": "there"},
    {"move": True},
    {"attachments": None}, {"attachments": {"f": b"1"}}, {"attachments": {"f": b"2", "g": Attachment(b"2", "x/y")}},
    {"attachments": {"f": b"1", "g": b"2"}}, {"attachments": {"f": b"1", "g": Attachment(b"2", "x/z")}},
    {"attachments": {"f": b"1", "G": Attachment(b"2", "x/y")}}, {"attachments": {"f": b"1", "g": SAME}},
]  # fmt: skip

Write = Callable[..., Checkpoint]


class RepeatContract(Contract):
    """An id that the caller gave makes a write safe to repeat; `if_active` makes it lose against any other."""

    @pytest.fixture
    def begun(self, store: Store) -> Session:
        """A session in which something was said."""
        return store.create_session("", messages=users("ab"))

    @pytest.fixture(params=["append", "create_checkpoint"])
    def write(self, store: Store, request: pytest.FixtureRequest) -> Write:
        method: Write = getattr(store, request.param)
        return method

    # -- sessions

    def test_a_session_gets_the_ids_it_is_given(self, store: Store) -> None:
        id, root = UUID(int=1), UUID(int=2**128 - 1)
        session = store.create_session("", id=str(id), checkpoint_id=root)
        assert (session.id, active(session).id) == (id, root)
        assert store.get_checkpoint(root).session_id == id

    def test_a_session_created_again_with_its_id_is_returned_as_it_is_now(self, store: Store) -> None:
        id = missing()
        session = store.create_session(id=id, **NEW)
        assert store.create_session(id=id, **NEW) == session
        store.append(session.id, users("c"))
        changed = store.update_session(session.id, title="changed", visibility="PRIVATE")
        with nothing_changes(store):
            assert store.create_session(id=str(id), **NEW) == changed
            assert store.ensure_session(**{**NEW, "id": id}) == changed

    def test_a_repeated_session_is_found_though_its_parent_is_gone(self, store: Store) -> None:
        parent, id = store.create_session(""), missing()
        session = store.create_session("", id=id, parent_session_id=parent.id)
        store.purge_session(parent.id)
        with nothing_changes(store):
            assert store.create_session("", id=id, parent_session_id=parent.id) == session

    def test_another_session_with_a_taken_id_is_a_conflict(self, store: Store) -> None:
        session = store.create_session(id=missing(), **NEW)
        for other in OTHER_SESSIONS:
            with nothing_changes(store), pytest.raises(ConflictError):
                store.create_session(**{**NEW, "id": session.id, **other})

    def test_the_id_of_a_session_that_the_store_named_is_taken(self, store: Store) -> None:
        sessions = [store.create_session(""), store.ensure_session("tool", "1")]
        sessions.append(store.fork_session(sessions[0].id))
        for session in sessions:
            with nothing_changes(store), pytest.raises(ConflictError):
                store.create_session("", id=session.id)

    def test_a_fork_and_a_copy_made_again_with_their_id_are_returned_as_they_are(
        self, store: Store, begun: Session
    ) -> None:
        fork = store.fork_session(begun.id, title="fork", id=missing())
        copy = store.copy_session(begun.id, source="tool", source_id="1", id=missing())
        store.append(begun.id, users("c"))
        store.append(fork.id, users("d"))
        with nothing_changes(store):
            assert store.fork_session(begun.id, title="fork", id=fork.id).revision == 2
            assert store.copy_session(begun.id, source="tool", source_id="1", id=str(copy.id)).id == copy.id
            others: list[Callable[[], Session]] = [
                lambda: store.fork_session(begun.id, id=fork.id),
                lambda: store.fork_session(begun.id, title="fork", checkpoint_id=active(begun).id, id=fork.id),
                lambda: store.fork_session(fork.id, title="fork", id=fork.id),
                lambda: store.fork_session(begun.id, id=begun.id),
                lambda: store.copy_session(begun.id, id=copy.id),
                lambda: store.copy_session(begun.id, source="tool", source_id="1", title="x", id=copy.id),
                lambda: store.create_session("fork", id=fork.id),
            ]
            for another in others:
                with pytest.raises(ConflictError):
                    another()

    def test_the_id_of_a_root_must_be_free(self, store: Store, begun: Session) -> None:
        for taken in (active(begun).id, store.append(begun.id, [], id=missing()).id):
            with nothing_changes(store), pytest.raises(ConflictError):
                store.create_session("", messages=users("a"), checkpoint_id=taken)

    # -- checkpoints

    def test_a_checkpoint_gets_the_id_it_is_given(self, store: Store, begun: Session, write: Write) -> None:
        id = UUID(int=7)
        assert write(begun.id, users("c"), id=str(id)).id == id
        assert store.get_checkpoint(id).session_id == begun.id

    def test_a_write_repeated_with_its_id_returns_what_is_stored(
        self, store: Store, begun: Session, write: Write, clock: Clock
    ) -> None:
        id = missing()
        step = write(begun.id, id=id, **STEP)
        before = store.get_session(begun.id)
        clock.now += SECOND
        with nothing_changes(store):
            assert write(begun.id, id=str(id), **STEP) == step
            assert write(str(begun.id), id=id, **{**STEP, "messages": tuple(STEP["messages"])}) == step
        assert store.get_session(begun.id) == before

    def test_a_repeated_write_does_not_move_the_active_checkpoint(
        self, store: Store, begun: Session, write: Write
    ) -> None:
        step = write(begun.id, id=missing(), **STEP)
        later = store.append(begun.id, users("z"))
        with nothing_changes(store):
            assert write(begun.id, id=step.id, **STEP) == step
        assert store.get_active_checkpoint(begun.id).id == later.id

    def test_a_repeated_append_adds_its_messages_once(self, store: Store, begun: Session) -> None:
        id = missing()
        for _ in range(3):
            store.append(begun.id, users("c"), id=id)
        assert said(store, store.get_active_checkpoint(begun.id).id) == "abc"
        assert revision(store, begun.id) == begun.revision + 1

    def test_another_write_with_a_taken_id_is_a_conflict(self, store: Store, begun: Session, write: Write) -> None:
        step = write(begun.id, id=missing(), **STEP)
        for other in OTHER_STEPS:
            with nothing_changes(store), pytest.raises(ConflictError):
                write(begun.id, **{**STEP, "id": step.id, **other})

    def test_another_parent_operation_or_session_is_another_write(
        self, store: Store, begun: Session, write: Write
    ) -> None:
        root, other = active(begun).id, store.create_session("", messages=users("ab"))
        step = write(begun.id, users("c"), parent_id=root, id=missing())
        others: list[Callable[[], Any]] = [
            lambda: write(begun.id, users("c"), parent_id=None, id=step.id),
            lambda: write(begun.id, users("c"), parent_id=ACTIVE, id=step.id),
            lambda: write(begun.id, users("c"), parent_id=step.id, id=step.id),
            lambda: write(other.id, users("c"), parent_id=root, id=step.id),
            lambda: store.append(begun.id, users("c"), parent_id=root, id=step.id, metadata=None, label="x"),
            lambda: store.create_session("", checkpoint_id=step.id),
        ]
        for call in others:
            with nothing_changes(store), pytest.raises(ConflictError):
                call()

    def test_an_append_and_a_full_list_of_the_same_arguments_are_two_writes(self, store: Store, begun: Session) -> None:
        arguments: dict[str, Any] = {"metadata": None, "parent_id": active(begun).id}
        step = store.append(begun.id, users("c"), id=missing(), **arguments)
        with nothing_changes(store), pytest.raises(ConflictError):
            store.create_checkpoint(begun.id, users("c"), id=step.id, **arguments)

    def test_keeping_metadata_is_not_the_same_as_giving_it(self, store: Store) -> None:
        session = store.create_session("", metadata={"m": 1})
        step = store.append(session.id, [], metadata=KEEP, id=missing())
        with nothing_changes(store), pytest.raises(ConflictError):
            store.append(session.id, [], metadata={"m": 1}, id=step.id)

    def test_a_full_list_repeated_after_its_parent_was_written_in_full_is_the_same_write(
        self, store: Store, begun: Session, reopen: Callable[[], Store]
    ) -> None:
        """Whether the parent's conversation is remembered must make no difference to what a call is."""
        parent = store.create_checkpoint(begun.id, users("ab"), id=missing())
        step = store.create_checkpoint(begun.id, users("abc"), parent_id=parent.id, id=missing())
        opened: list[Callable[[], Store]] = [lambda: store, reopen]
        for again in (call() for call in opened):
            with nothing_changes(again):
                assert again.create_checkpoint(begun.id, users("abc"), parent_id=parent.id, id=step.id).id == step.id
            with nothing_changes(again), pytest.raises(ConflictError):
                again.create_checkpoint(begun.id, users("abd"), parent_id=parent.id, id=step.id)

    def test_the_id_of_a_checkpoint_that_the_store_named_is_taken(
        self, store: Store, begun: Session, write: Write
    ) -> None:
        for taken in (active(begun).id, store.append(begun.id, users("c")).id):
            with nothing_changes(store), pytest.raises(ConflictError):
                write(begun.id, users("c"), id=taken)

    def test_a_repeated_write_in_a_purged_session_is_not_found(
        self, store: Store, begun: Session, write: Write
    ) -> None:
        step = write(begun.id, id=missing(), **STEP)
        store.purge_session(begun.id)
        with pytest.raises(NotFoundError):
            write(begun.id, id=step.id, **STEP)

    def test_a_write_that_failed_left_its_id_free(self, store: Store, begun: Session, write: Write) -> None:
        id = missing()
        with pytest.raises(NotFoundError):
            write(begun.id, users("c"), parent_id=missing(), id=id)
        with pytest.raises(InvalidRequestError):
            write(begun.id, [object()], id=id)
        assert write(begun.id, users("c"), id=id).id == id

    # -- with labels and attachments

    def test_a_write_upon_a_label_is_repeated_though_the_label_has_moved(
        self, store: Store, begun: Session, write: Write
    ) -> None:
        store.set_label(active(begun).id, "point")
        step = write(begun.id, users("c"), parent_id=Label("point"), id=missing())
        store.set_label(step.id, "point", move=True)
        with nothing_changes(store):
            again = write(begun.id, users("c"), parent_id=Label("point"), id=step.id)
        assert (again.id, again.parent_id) == (step.id, active(begun).id)
        store.set_label(step.id, None)
        with nothing_changes(store):
            assert write(begun.id, users("c"), parent_id=Label("point"), id=step.id).parent_id == active(begun).id

    def test_a_write_that_took_a_label_over_is_repeated_though_the_label_has_moved_on(
        self, store: Store, begun: Session, write: Write
    ) -> None:
        store.set_label(active(begun).id, "point")
        arguments: dict[str, Any] = {"label": "point", "move": True, "if_active": Label("point"), "id": missing()}
        step = write(begun.id, users("c"), **arguments)
        assert step.label == "point"
        next_one = write(begun.id, users("d"), label="point", move=True)
        with nothing_changes(store):
            again = write(begun.id, users("c"), **arguments)
        assert (again.id, again.label) == (step.id, None)
        assert store.find_checkpoint(begun.id, "point").id == next_one.id
        with nothing_changes(store), pytest.raises(ConflictError):
            write(begun.id, users("c"), **{**arguments, "move": False})

    def test_another_label_or_the_id_that_it_stands_for_is_another_write(
        self, store: Store, begun: Session, write: Write
    ) -> None:
        root = active(begun).id
        store.set_label(root, "point")
        step = write(begun.id, users("c"), parent_id=Label("point"), id=missing())
        others: list[Any] = [root, Label("other"), ACTIVE, None, Label(str(root)), Label("ACTIVE")]
        for other in others:
            with nothing_changes(store), pytest.raises(ConflictError):
                write(begun.id, users("c"), parent_id=other, id=step.id)

    def test_attachments_make_the_same_call_in_whichever_order_they_come(
        self, store: Store, begun: Session, write: Write
    ) -> None:
        step = write(begun.id, id=missing(), **STEP)
        turned = dict(reversed(STEP["attachments"].items()))
        with nothing_changes(store):
            assert write(begun.id, id=step.id, **{**STEP, "attachments": turned}) == step
        plain = write(begun.id, [], id=missing(), attachments={})
        with nothing_changes(store):
            assert write(begun.id, [], id=plain.id) == plain

    def test_a_repeated_write_undoes_no_label_and_no_attachment(
        self, store: Store, begun: Session, write: Write
    ) -> None:
        step = write(begun.id, id=missing(), **STEP)
        store.set_label(step.id, "moved on")
        store.attach(begun.id, {"f": b"new", "h": b"3"}, on_conflict="replace")
        with nothing_changes(store):
            assert write(begun.id, id=step.id, **STEP).label == "moved on"
        assert attached(store, step.id) == {"f": b"new", "g": b"2", "h": b"3"}

    def test_same_is_repeated_though_the_parent_has_another_now(
        self, store: Store, begun: Session, write: Write
    ) -> None:
        root = active(begun).id
        store.attach(begun.id, {"f": b"1"})
        arguments: dict[str, Any] = {"parent_id": root, "attachments": {"f": SAME}, "id": missing()}
        step = write(begun.id, [], **arguments)
        store.attach(begun.id, {"f": b"2"}, checkpoint_id=root, on_conflict="replace")
        with nothing_changes(store):
            assert write(begun.id, [], **arguments) == step
        with nothing_changes(store), pytest.raises(ConflictError):
            write(begun.id, [], **{**arguments, "attachments": {"f": b"1"}})
        assert attached(store, step.id) == {"f": b"1"}

    def test_a_repeated_write_does_not_need_what_waited_for_its_label(
        self, store: Store, begun: Session, write: Write
    ) -> None:
        store.attach(begun.id, {"w": b"1"}, label="here")
        step = write(begun.id, id=missing(), **STEP)
        with nothing_changes(store):
            assert write(begun.id, id=step.id, **STEP) == step
        assert attached(store, step.id) == {"f": b"1", "g": b"2", "w": b"1"}

    # -- if_active

    def test_a_write_happens_while_its_checkpoint_is_active(self, store: Store, begun: Session, write: Write) -> None:
        step = write(begun.id, users("c"), if_active=active(begun).id)
        assert write(begun.id, users("d"), if_active=str(step.id)).id == store.get_active_checkpoint(begun.id).id

    def test_a_write_does_not_happen_once_another_checkpoint_is_active(
        self, store: Store, begun: Session, write: Write
    ) -> None:
        step = write(begun.id, users("c"), if_active=active(begun).id)
        for stale in (active(begun).id, missing(), begun.id):
            with nothing_changes(store), pytest.raises(ConflictError):
                write(begun.id, users("d"), if_active=stale)
        store.set_active_checkpoint(begun.id, active(begun).id)
        with nothing_changes(store), pytest.raises(ConflictError):
            write(begun.id, users("d"), if_active=step.id)

    def test_what_is_active_need_not_be_the_parent(self, store: Store, begun: Session, write: Write) -> None:
        tip = store.append(begun.id, users("c"))
        step = write(begun.id, users("d"), parent_id=active(begun).id, if_active=tip.id)
        assert step.parent_id == active(begun).id

    def test_a_write_that_expects_a_label_happens_only_while_the_active_checkpoint_has_it(
        self, store: Store, begun: Session, write: Write
    ) -> None:
        store.set_label(active(begun).id, "point")
        step = write(begun.id, users("c"), if_active=Label("point"))
        for name in ("point", "nowhere", str(step.id)):
            with nothing_changes(store), pytest.raises(ConflictError, match=name):
                write(begun.id, users("d"), if_active=Label(name))
        with nothing_changes(store), pytest.raises(InvalidRequestError, match="if_active"):
            write(begun.id, users("d"), if_active=ACTIVE)
        store.set_active_checkpoint(begun.id, Label("point"))
        last = write(begun.id, users("e"), if_active=Label("point"))
        assert store.get_active_checkpoint(begun.id).id == last.id

    def test_a_repeated_write_is_recognised_before_if_active_is_looked_at(
        self, store: Store, begun: Session, write: Write
    ) -> None:
        """The first try may have been written, and its answer lost: the second must not fail for that."""
        step = write(begun.id, users("c"), id=missing(), if_active=active(begun).id)
        store.append(begun.id, users("d"))
        with nothing_changes(store):
            assert write(begun.id, users("c"), id=step.id, if_active=active(begun).id) == step
            assert write(begun.id, users("c"), id=step.id, if_active=missing()) == step

    def test_an_id_that_another_write_has_is_a_conflict_whatever_is_active(
        self, store: Store, begun: Session, write: Write
    ) -> None:
        step = write(begun.id, users("c"), id=missing())
        with nothing_changes(store), pytest.raises(ConflictError, match=str(step.id)):
            write(begun.id, users("d"), id=step.id, if_active=step.id)

    def test_a_lost_race_is_told_before_a_missing_parent(self, store: Store, begun: Session, write: Write) -> None:
        with nothing_changes(store), pytest.raises(ConflictError):
            write(begun.id, users("d"), parent_id=missing(), if_active=missing())

    @pytest.mark.parametrize("argument", ["id", "if_active", "parent_id"])
    def test_what_is_no_id_is_refused_by_a_write(
        self, store: Store, begun: Session, write: Write, argument: str
    ) -> None:
        with nothing_changes(store), pytest.raises(InvalidRequestError, match=argument):
            write(begun.id, users("c"), **{argument: "nonsense"})

    def test_a_repeated_write_keeps_the_time_of_the_first(self, store: Store, begun: Session, write: Write) -> None:
        step = write(begun.id, id=missing(), created_at=moment(SECOND), **STEP)
        with nothing_changes(store):
            assert write(begun.id, id=step.id, created_at=moment(2 * SECOND), **STEP).created_at == moment(SECOND)
        assert ids(store.list_checkpoints(begun.id)) == [active(begun).id, step.id]
