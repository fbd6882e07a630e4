"""Attachments that come with a checkpoint: given with the write, taken from the parent, or waiting for its label."""

from collections.abc import Callable
from typing import Any

import pytest

from clew.errors import ConflictError, NotFoundError
from clew.model import SAME, Attachment, Checkpoint, Label, Session
from clew.store import Store
from clew.testing.contract.attachments import CHUNK, ON_CONFLICT, TalkContract, kept, some_bytes
from clew.testing.contract.base import active, attached, contents, ids, missing, nothing_changes, users


class WaitingContract(TalkContract):
    """A checkpoint comes with all that is meant for it, in one step, or does not come."""

    # -- by label, before its checkpoint comes

    def test_bytes_are_attached_to_the_checkpoint_that_has_the_label(self, store: Store, talk: Session) -> None:
        step = store.append(talk.id, users("c"), label="point")
        store.append(talk.id, users("d"))
        store.attach(talk.id, {"f": b"1"}, label="point")
        assert attached(store, step.id) == {"f": b"1"}
        with nothing_changes(store), pytest.raises(ConflictError):
            store.attach(talk.id, {"f": b"2"}, label="point")

    @pytest.mark.parametrize("write", ["append", "create_checkpoint"])
    def test_what_was_attached_to_a_label_comes_with_its_checkpoint(
        self, store: Store, talk: Session, write: str
    ) -> None:
        store.attach(talk.id, {"f": Attachment(b"1", "x/y"), "e": b""}, label="later")
        store.attach(talk.id, {"g": some_bytes(CHUNK + 1)}, label="later")
        store.attach(talk.id, {"f": b"another"}, label="other")
        before = contents(store)
        assert store.append(store.fork_session(talk.id).id, [], label="later").label == "later"
        assert before != contents(store)
        step: Checkpoint = getattr(store, write)(talk.id, users("c"), label="later")
        expected = {"e": (b"", None), "f": (b"1", "x/y"), "g": (some_bytes(CHUNK + 1), None)}
        assert kept(store, step.id) == expected
        assert step.created_at == store.get_checkpoint(step.id).updated_at
        assert attached(store, store.append(talk.id, []).id) == {}

    def test_nobody_else_gets_what_waits_for_a_label(self, store: Store, talk: Session) -> None:
        other = store.create_session("other")
        store.attach(talk.id, {"f": b"1"}, label="later")
        for session_id in (other.id, store.fork_session(talk.id).id):
            assert attached(store, store.append(session_id, [], label="later").id) == {}
        assert [attached(store, id) for id in ids(store.list_checkpoints(talk.id))] == [{}, {}]

    @pytest.mark.parametrize("on_conflict", ON_CONFLICT)
    def test_conflicts_are_settled_where_the_label_has_no_checkpoint_yet(
        self, store: Store, talk: Session, on_conflict: Any
    ) -> None:
        store.attach(talk.id, {"f": b"1"}, label="later")
        store.attach(talk.id, {"f": b"1"}, label="later", on_conflict=on_conflict)
        if on_conflict == "error":
            with pytest.raises(ConflictError, match="f"):
                store.attach(talk.id, {"a": b"none of it", "f": b"2"}, label="later", on_conflict=on_conflict)
        else:
            store.attach(talk.id, {"f": b"2"}, label="later", on_conflict=on_conflict)
        expected = {"error": b"1", "keep": b"1", "replace": b"2"}[on_conflict]
        assert attached(store, store.append(talk.id, [], label="later").id) == {"f": expected}

    def test_a_write_may_bring_the_same_bytes_that_wait_for_its_label(self, store: Store, talk: Session) -> None:
        store.attach(talk.id, {"f": Attachment(b"1", "x/y"), "g": b"2"}, label="later")
        step = store.append(talk.id, users("c"), label="later", attachments={"f": Attachment(b"1", "x/y"), "h": b"3"})
        assert kept(store, step.id) == {"f": (b"1", "x/y"), "g": (b"2", None), "h": (b"3", None)}

    @pytest.mark.parametrize("write", ["append", "create_checkpoint"])
    def test_a_write_with_other_bytes_than_those_that_wait_is_a_conflict_and_nothing_is_written(
        self, store: Store, talk: Session, write: str
    ) -> None:
        store.attach(talk.id, {"f": b"1"}, label="later")
        for other in (b"2", Attachment(b"1", "x/y")):
            with nothing_changes(store), pytest.raises(ConflictError, match="f"):
                getattr(store, write)(talk.id, users("c"), label="later", attachments={"a": b"9", "f": other})
        assert attached(store, store.append(talk.id, [], label="later").id) == {"f": b"1"}

    def test_same_and_what_waits_under_a_name_must_agree(self, store: Store, talk: Session) -> None:
        store.attach(talk.id, {"f": b"1"})
        store.attach(talk.id, {"f": b"2"}, label="other")
        store.attach(talk.id, {"f": b"1"}, label="equal")
        with nothing_changes(store), pytest.raises(ConflictError):
            store.append(talk.id, [], label="other", attachments={"f": SAME})
        assert attached(store, store.append(talk.id, [], label="equal", attachments={"f": SAME}).id) == {"f": b"1"}

    def test_what_waits_for_a_label_is_there_after_opening_again(
        self, store: Store, talk: Session, reopen: Callable[[], Store]
    ) -> None:
        store.attach(talk.id, {"f": some_bytes(CHUNK + 1)}, label="later")
        again = reopen()
        assert attached(again, again.append(talk.id, [], label="later").id) == {"f": some_bytes(CHUNK + 1)}

    def test_a_refused_write_leaves_what_waits_for_its_label(self, store: Store, talk: Session) -> None:
        store.attach(talk.id, {"f": b"1"}, label="later")
        with pytest.raises(NotFoundError):
            store.append(talk.id, [], label="later", parent_id=missing())
        with pytest.raises(NotFoundError):
            store.append(talk.id, [], label="later", attachments={"g": SAME})
        assert attached(store, store.append(talk.id, [], label="later").id) == {"f": b"1"}

    # -- with a write

    @pytest.mark.parametrize("write", ["append", "create_checkpoint"])
    def test_a_write_brings_attachments_and_leaves_those_of_its_parent(
        self, store: Store, talk: Session, write: str
    ) -> None:
        store.attach(talk.id, {"old": b"1"})
        step: Checkpoint = getattr(store, write)(
            talk.id, users("c"), parent_id=active(talk).id, attachments={"new": b"2", "empty": b""}
        )
        assert attached(store, step.id) == {"empty": b"", "new": b"2"}
        assert attached(store, active(talk).id) == {"old": b"1"}
        assert store.get_session(talk.id).revision == talk.revision + 2
        assert store.get_checkpoint(step.id).updated_at == step.created_at

    def test_no_attachments_are_an_empty_mapping_or_none(self, store: Store, talk: Session) -> None:
        nothings: list[Any] = [{}, None]
        for nothing in nothings:
            assert attached(store, store.append(talk.id, [], attachments=nothing).id) == {}

    @pytest.mark.parametrize("write", ["append", "create_checkpoint"])
    def test_same_takes_what_the_parent_has_with_its_content_type(
        self, store: Store, talk: Session, write: str
    ) -> None:
        data = some_bytes(CHUNK + 1)
        parent = store.append(
            talk.id, [], label="parent", attachments={"f": Attachment(data, "x/y"), "g": b"", "left": b"3"}
        )
        store.append(talk.id, [], attachments={"f": b"of another"})
        for place in (parent.id, Label("parent")):
            step: Checkpoint = getattr(store, write)(
                talk.id, users("c"), parent_id=place, attachments={"f": SAME, "g": SAME, "new": b"4"}
            )
            assert kept(store, step.id) == {"f": (data, "x/y"), "g": (b"", None), "new": (b"4", None)}
        again = store.append(talk.id, [], attachments={"f": SAME})
        assert kept(store, again.id) == {"f": (data, "x/y")}

    @pytest.mark.parametrize("write", ["append", "create_checkpoint"])
    def test_same_of_what_the_parent_does_not_have_is_not_found_and_nothing_is_written(
        self, store: Store, talk: Session, write: str
    ) -> None:
        root, tip = ids(store.list_checkpoints(talk.id))
        store.attach(talk.id, {"f": b"1"}, checkpoint_id=root)
        for parent, name in ((tip, "f"), (root, "F"), (None, "f")):
            with nothing_changes(store), pytest.raises(NotFoundError, match="Attachment"):
                getattr(store, write)(
                    talk.id, users("c"), parent_id=parent, attachments={"a": b"new", name: SAME}, label="free"
                )
        assert getattr(store, write)(talk.id, [], label="free").label == "free"

    def test_same_outlives_the_checkpoint_it_was_taken_from(self, store: Store, talk: Session) -> None:
        data = some_bytes(CHUNK + 1)
        store.attach(talk.id, {"f": data, "g": b"small"})
        step = store.append(talk.id, [], attachments={"f": SAME, "g": SAME})
        store.delete_checkpoints(talk.id, active(talk).id)
        assert attached(store, step.id) == {"f": data, "g": b"small"}
