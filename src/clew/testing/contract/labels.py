"""Labels: names for checkpoints, unique in a session, that can be moved."""

from collections.abc import Callable
from typing import Any

import pytest

from clew.errors import ConflictError, InvalidRequestError, NotFoundError
from clew.model import SAME, Checkpoint, Label, Session
from clew.store import Store
from clew.testing.clock import SECOND, Clock
from clew.testing.contract.base import (
    Contract,
    active,
    attached,
    ids,
    labels,
    missing,
    nothing_changes,
    revision,
    said,
    users,
)

ByLabel = Callable[[Store, Session, Label], Any]

BY_LABEL: dict[str, ByLabel] = {
    "append": lambda store, session, label: store.append(session.id, users("x"), parent_id=label),
    "create_checkpoint": lambda store, session, label: store.create_checkpoint(session.id, users("x"), parent_id=label),
    "fork_session": lambda store, session, label: store.fork_session(session.id, checkpoint_id=label),
    "set_active_checkpoint": lambda store, session, label: store.set_active_checkpoint(session.id, label),
}
"""The calls that take a label in the place of a checkpoint's id."""


class LabelContract(Contract):
    """A label stands for one checkpoint of a session, and whatever is asked by label means the one that has it now."""

    @pytest.fixture
    def labelled(self, store: Store) -> Session:
        """A session a, ab, abc in which ab has the label point."""
        session = store.create_session("labelled", messages=users("a"))
        store.append(session.id, users("b"), label="point")
        store.append(session.id, users("c"))
        return store.get_session(session.id)

    # -- unique in a session

    def test_a_label_is_unique_in_its_session(self, store: Store) -> None:
        session, other = store.create_session(""), store.create_session("")
        store.append(session.id, users("a"), label="point")
        for write in (store.append, store.create_checkpoint):
            with nothing_changes(store), pytest.raises(ConflictError, match="point"):
                write(session.id, users("b"), label="point")
        assert store.append(other.id, [], label="point").label == "point"
        assert store.append(session.id, [], label="Point").label == "Point"
        assert labels(store.list_checkpoints(session.id)) == [None, "point", "Point"]

    def test_a_fork_leaves_labels_behind(self, store: Store) -> None:
        session = store.create_session("")
        step = store.append(session.id, users("a"), label="point")
        fork = store.fork_session(session.id)
        assert active(fork).label is None
        assert store.append(fork.id, [], label="point").label == "point"
        assert store.get_checkpoint(step.id).label == "point"

    def test_labels_are_told_apart_by_every_character(self, store: Store) -> None:
        session = store.create_session("", messages=users("a"))
        names = ["a", "A", " a", "a ", "é", "e\u0301", "a%", "a_", "%", "_", "\U0001f9f6", "\uffff", "'", "\n"]
        made = {name: store.append(session.id, [], label=name).id for name in names}
        assert {name: store.find_checkpoint(session.id, name).id for name in names} == made

    # -- giving and taking away

    def test_a_checkpoint_is_given_a_label_and_loses_it(self, store: Store, labelled: Session, clock: Clock) -> None:
        root, _, tip = store.list_checkpoints(labelled.id)
        told = clock.moment
        given = store.set_label(root.id, "start")
        assert given == store.list_checkpoints(labelled.id).items[0]
        assert (given.id, given.label, given.message_count, given.updated_at) == (root.id, "start", 1, told)
        assert store.get_checkpoint(root.id).label == "start"
        assert store.set_label(root.id, None).label is None
        assert labels(store.list_checkpoints(labelled.id)) == [None, "point", None]
        assert store.get_checkpoint(tip.id).label is None

    def test_a_new_label_takes_the_place_of_the_old_one(self, store: Store, labelled: Session) -> None:
        root, middle, _ = ids(store.list_checkpoints(labelled.id))
        assert store.set_label(middle, "another").label == "another"
        with pytest.raises(NotFoundError):
            store.find_checkpoint(labelled.id, "point")
        assert store.set_label(root, "point").label == "point"

    def test_a_label_that_another_checkpoint_has_is_a_conflict(self, store: Store, labelled: Session) -> None:
        root, middle, tip = ids(store.list_checkpoints(labelled.id))
        store.set_label(tip, "end")
        for checkpoint_id in (root, tip):
            with nothing_changes(store), pytest.raises(ConflictError, match="point"):
                store.set_label(checkpoint_id, "point")
        assert store.find_checkpoint(labelled.id, "point").id == middle

    def test_a_label_moves_from_the_checkpoint_that_has_it(self, store: Store, labelled: Session, clock: Clock) -> None:
        _, middle, tip = ids(store.list_checkpoints(labelled.id))
        store.set_label(tip, "end")
        before, told = revision(store, labelled.id), clock.moment
        assert store.set_label(tip, "point", move=True).label == "point"
        assert labels(store.list_checkpoints(labelled.id)) == [None, None, "point"]
        assert [store.get_checkpoint(id).updated_at for id in (middle, tip)] == [told, told]
        assert store.get_session(labelled.id).revision == before + 1
        assert store.set_label(middle, "end", move=True).label == "end"

    @pytest.mark.parametrize("holder", [0, 1, 2])
    def test_a_new_checkpoint_takes_a_label_over_from_whichever_has_it(
        self, store: Store, labelled: Session, clock: Clock, holder: int
    ) -> None:
        made = ids(store.list_checkpoints(labelled.id))
        store.attach(labelled.id, {"f": b"1"}, checkpoint_id=made[holder])
        store.set_label(made[holder], "point", move=True)
        for write in (store.append, store.create_checkpoint):
            before, told = revision(store, labelled.id), clock.moment
            step = write(labelled.id, users("d"), label="point", move=True)
            assert step.label == "point"
            assert store.find_checkpoint(labelled.id, "point").id == step.id
            assert [store.get_checkpoint(id).label for id in made] == [None] * len(made)
            assert store.get_checkpoint_summary(made[holder]).updated_at == told
            assert store.get_session(labelled.id).revision == before + 1
            made, holder = [*made, step.id], len(made)
        assert [attached(store, id) for id in made].count({"f": b"1"}) == 1
        assert list(store.verify()) == []

    def test_a_new_checkpoint_takes_a_label_that_nothing_has(self, store: Store, labelled: Session) -> None:
        store.attach(labelled.id, {"f": b"1"}, label="free")
        step = store.append(labelled.id, [], label="free", move=True)
        assert attached(store, step.id) == {"f": b"1"}
        with nothing_changes(store), pytest.raises(InvalidRequestError, match="label is missing"):
            store.append(labelled.id, [], move=True)

    def test_a_label_stays_where_it_is_when_the_write_fails(self, store: Store, labelled: Session) -> None:
        store.attach(labelled.id, {"f": b"1"})
        wrong: list[dict[str, Any]] = [{"after": 9}, {"attachments": {"g": SAME}}, {"parent_id": missing()}]
        for arguments in wrong:
            with nothing_changes(store), pytest.raises((InvalidRequestError, NotFoundError)):
                store.append(labelled.id, [], label="point", move=True, **arguments)

    def test_a_label_that_nothing_has_needs_no_move_and_takes_one(self, store: Store, labelled: Session) -> None:
        root = ids(store.list_checkpoints(labelled.id))[0]
        assert store.set_label(root, "free", move=True).label == "free"

    def test_a_label_of_another_session_is_free_to_take(self, store: Store, labelled: Session) -> None:
        other = store.create_session("other")
        fork = store.fork_session(labelled.id)
        for session in (other, fork):
            assert store.set_label(active(session).id, "point", move=True).label == "point"
        assert labels(store.list_checkpoints(labelled.id)) == [None, "point", None]

    def test_a_label_set_again_changes_nothing(self, store: Store, labelled: Session) -> None:
        root, middle, _ = store.list_checkpoints(labelled.id)
        with nothing_changes(store):
            assert store.set_label(middle.id, "point") == middle
            assert store.set_label(middle.id, "point", move=True) == middle
            assert store.set_label(root.id, None) == root
            assert store.set_label(root.id, None, move=True) == root

    @pytest.mark.parametrize("label", ["new", None])
    def test_every_change_of_a_label_is_counted_once(
        self, store: Store, labelled: Session, clock: Clock, label: str | None
    ) -> None:
        middle = ids(store.list_checkpoints(labelled.id))[1]
        told = clock.moment
        store.set_label(middle, label)
        after = store.get_session(labelled.id)
        assert (after.revision, after.updated_at) == (labelled.revision + 1, told)
        assert (after.created_at, after.active_checkpoint) == (labelled.created_at, labelled.active_checkpoint)

    def test_a_clock_set_back_takes_no_labelled_checkpoint_back(
        self, store: Store, labelled: Session, clock: Clock
    ) -> None:
        middle = store.list_checkpoints(labelled.id).items[1]
        clock.now -= 3_600 * SECOND
        assert store.set_label(middle.id, "early").updated_at >= middle.updated_at
        assert store.get_session(labelled.id).updated_at == labelled.updated_at

    def test_a_label_changes_neither_the_state_nor_what_is_active(self, store: Store, labelled: Session) -> None:
        _, middle, tip = (store.get_checkpoint(id) for id in ids(store.list_checkpoints(labelled.id)))
        store.set_label(middle.id, "another")
        after = store.get_checkpoint(middle.id)
        assert (after.state, after.parent_id, after.created_at) == (middle.state, middle.parent_id, middle.created_at)
        assert store.get_active_checkpoint(labelled.id) == tip

    def test_a_checkpoint_of_a_deleted_session_can_be_labelled(self, store: Store, labelled: Session) -> None:
        store.delete_session(labelled.id)
        store.set_label(active(labelled).id, "end")
        assert store.find_checkpoint(labelled.id, "end").id == active(labelled).id

    def test_a_label_is_not_empty_wherever_it_is_given(self, store: Store, labelled: Session) -> None:
        calls: list[tuple[str, Callable[[], Any]]] = [
            ("label", lambda: store.append(labelled.id, [], label="")),
            ("label", lambda: store.create_checkpoint(labelled.id, [], label="")),
            ("label", lambda: store.set_label(active(labelled).id, "")),
            ("label", lambda: store.find_checkpoint(labelled.id, "")),
            ("label", lambda: store.attach(labelled.id, {"n": b""}, label="")),
            ("before_label", lambda: store.list_checkpoints(labelled.id, before_label="")),
            ("parent_id", lambda: store.append(labelled.id, [], parent_id=Label(""))),
            ("parent_id", lambda: store.create_checkpoint(labelled.id, [], parent_id=Label(""))),
            ("checkpoint_id", lambda: store.fork_session(labelled.id, checkpoint_id=Label(""))),
            ("checkpoint_id", lambda: store.set_active_checkpoint(labelled.id, Label(""))),
        ]
        for argument, call in calls:
            with nothing_changes(store), pytest.raises(InvalidRequestError, match=f"{argument} must not be empty"):
                call()

    # -- what a label stands for

    def test_a_checkpoint_is_found_by_its_label_with_its_state(self, store: Store, labelled: Session) -> None:
        found = store.find_checkpoint(labelled.id, "point")
        assert found == store.get_checkpoint(ids(store.list_checkpoints(labelled.id))[1])
        assert found.state.messages == users("ab")

    def test_a_label_that_no_checkpoint_of_the_session_has_is_not_found(self, store: Store, labelled: Session) -> None:
        other = store.create_session("other")
        store.append(other.id, [], label="of the other")
        for label in ("of the other", "Point", "poin", "point "):
            with pytest.raises(NotFoundError, match=f"Checkpoint with label '{label}' not found"):
                store.find_checkpoint(labelled.id, label)

    @pytest.mark.parametrize("call", BY_LABEL.values(), ids=BY_LABEL)
    def test_a_missing_label_is_not_found_in_the_place_of_an_id(
        self, store: Store, labelled: Session, call: ByLabel
    ) -> None:
        other = store.create_session("other")
        store.append(other.id, [], label="of the other")
        for label in ("of the other", "missing"):
            with nothing_changes(store), pytest.raises(NotFoundError, match=label):
                call(store, labelled, Label(label))

    @pytest.mark.parametrize("write", ["append", "create_checkpoint"])
    def test_a_write_goes_on_from_the_checkpoint_that_has_the_label(
        self, store: Store, labelled: Session, write: str
    ) -> None:
        root, middle, _ = ids(store.list_checkpoints(labelled.id))
        expected = {"append": ("abx", "ax"), "create_checkpoint": ("x", "x")}[write]
        first: Checkpoint = getattr(store, write)(labelled.id, users("x"), parent_id=Label("point"))
        store.set_label(root, "point", move=True)
        second: Checkpoint = getattr(store, write)(labelled.id, users("x"), parent_id=Label("point"))
        assert (first.parent_id, second.parent_id) == (middle, root)
        assert (said(store, first.id), said(store, second.id)) == expected

    def test_a_fork_begins_at_the_checkpoint_that_has_the_label(self, store: Store, labelled: Session) -> None:
        fork = store.fork_session(labelled.id, checkpoint_id=Label("point"))
        assert fork.forked_from == ids(store.list_checkpoints(labelled.id))[1]
        assert said(store, active(fork).id) == "ab"

    def test_a_session_resumes_from_the_checkpoint_that_has_the_label(self, store: Store, labelled: Session) -> None:
        session = store.set_active_checkpoint(labelled.id, Label("point"))
        assert active(session).id == ids(store.list_checkpoints(labelled.id))[1]
        assert session.revision == labelled.revision + 1
        with nothing_changes(store):
            assert store.set_active_checkpoint(labelled.id, Label("point")) == session

    def test_a_label_cannot_be_given_to_the_child_of_the_checkpoint_that_has_it(
        self, store: Store, labelled: Session
    ) -> None:
        with nothing_changes(store), pytest.raises(ConflictError):
            store.append(labelled.id, users("x"), parent_id=Label("point"), label="point")

    def test_the_label_of_a_deleted_checkpoint_is_free(self, store: Store, labelled: Session) -> None:
        store.delete_checkpoints(labelled.id, ids(store.list_checkpoints(labelled.id))[1])
        with pytest.raises(NotFoundError):
            store.find_checkpoint(labelled.id, "point")
        assert store.append(labelled.id, [], label="point").label == "point"

    # -- what waits for a label

    def test_a_label_brings_what_was_attached_to_it_before(self, store: Store, labelled: Session) -> None:
        root = ids(store.list_checkpoints(labelled.id))[0]
        store.attach(labelled.id, {"own": b"1"}, checkpoint_id=root)
        store.attach(labelled.id, {"waiting": b"2", "own": b"1"}, label="later")
        store.set_label(root, "later")
        assert attached(store, root) == {"own": b"1", "waiting": b"2"}
        store.set_label(root, None)
        assert attached(store, root) == {"own": b"1", "waiting": b"2"}
        assert attached(store, store.append(labelled.id, [], label="later").id) == {}

    def test_a_label_whose_attachments_differ_from_those_of_the_checkpoint_is_a_conflict(
        self, store: Store, labelled: Session
    ) -> None:
        root, _, tip = ids(store.list_checkpoints(labelled.id))
        store.attach(labelled.id, {"name": b"own"}, checkpoint_id=root)
        store.attach(labelled.id, {"a": b"1", "name": b"waiting", "z": b"2"}, label="later")
        for move in (False, True):
            with nothing_changes(store), pytest.raises(ConflictError, match="name"):
                store.set_label(root, "later", move=move)
        store.set_label(tip, "later")
        assert attached(store, tip) == {"a": b"1", "name": b"waiting", "z": b"2"}

    def test_a_label_that_moves_leaves_attachments_where_they_are(self, store: Store, labelled: Session) -> None:
        _, middle, tip = ids(store.list_checkpoints(labelled.id))
        store.attach(labelled.id, {"name": b"1"}, label="point")
        store.set_label(tip, "point", move=True)
        assert (attached(store, middle), attached(store, tip)) == ({"name": b"1"}, {})
        store.attach(labelled.id, {"name": b"2"}, label="point")
        assert (attached(store, middle), attached(store, tip)) == ({"name": b"1"}, {"name": b"2"})

    def test_a_missing_checkpoint_gets_no_label(self, store: Store) -> None:
        with nothing_changes(store), pytest.raises(NotFoundError):
            store.set_label(missing(), "point")
