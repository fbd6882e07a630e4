"""Copies of whole sessions."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest

from clew.errors import ConflictError, InvalidRequestError, NotFoundError
from clew.model import SAME, Attachment, Session
from clew.store import Store
from clew.testing.clock import SECOND, Clock
from clew.testing.contract.base import (
    Contract,
    active,
    attached,
    by_ids,
    contents,
    emptied,
    ids,
    letters,
    missing,
    nothing_changes,
    said,
    summary,
    tree,
    users,
)
from clew.testing.values import exact


def shape(store: Store, session_id: UUID) -> str:
    """A whole tree as text, with every id told by its place in the order of creation."""
    listed = store.list_checkpoints(session_id, limit=1_000, with_metadata=True, with_attachments="").items
    place = {item.id: number for number, item in enumerate(listed)}
    found: list[Any] = [
        (
            place[item.id], None if item.parent_id is None else place[item.parent_id], item.label, item.message_count,
            item.created_at, item.updated_at, item.metadata, item.attachments,
            store.get_checkpoint(item.id).state.messages,
        )
        for item in listed
    ]  # fmt: skip
    chosen = store.get_session(session_id).active_checkpoint
    return exact([*found, None if chosen is None else place[chosen.id]])


class CopyContract(Contract):
    """A copy is the whole tree again, under ids of its own; from then on neither knows of the other."""

    @pytest.fixture
    def rich(self, store: Store) -> Session:
        """A session with two roots, branches, labels, metadata, attachments, and one checkpoint deleted."""
        session = store.create_session(
            "origin", messages=users("a"), metadata={"step": 0}, visibility="PUBLIC", cwd="/repo", source="tool",
            source_id="1", session_metadata={"team": "blue"},
        )  # fmt: skip
        root = active(session).id
        step = store.append(session.id, users("b"), label="b", attachments={"f": Attachment(b"1", "text/plain")})
        store.append(session.id, users("c"), attachments={"f": SAME, "g": b""})
        gone = store.append(session.id, users("d"), parent_id=step.id)
        store.append(session.id, users("e"), parent_id=gone.id, label="e", metadata=None)
        store.delete_checkpoints(session.id, gone.id)
        store.create_checkpoint(session.id, users("axb"), parent_id=root)
        store.create_checkpoint(session.id, users("z"), label="root", metadata=[1])
        store.attach(session.id, {"w": b"waits"}, label="later")
        return store.set_active_checkpoint(session.id, step.id)

    def test_a_copy_has_the_whole_tree(self, store: Store, rich: Session) -> None:
        before = shape(store, rich.id)
        copy = store.copy_session(rich.id)
        assert shape(store, copy.id) == before == shape(store, rich.id)
        assert said(store, active(copy).id) == "ab"
        assert store.get_session(copy.id) == copy
        mine, theirs = set(ids(store.list_checkpoints(copy.id))), set(ids(store.list_checkpoints(rich.id)))
        assert mine.isdisjoint(theirs)
        assert all(id.version == 7 for id in (copy.id, *mine))

    def test_a_copy_has_the_fields_of_its_origin_but_not_its_name(self, store: Store, rich: Session) -> None:
        copy = store.copy_session(rich.id)
        for field in ("title", "visibility", "cwd", "metadata"):
            assert getattr(copy, field) == getattr(rich, field), field
        assert (copy.source, copy.source_id, copy.parent_session_id) == (None, None, rich.id)
        shown, known = summary(store, copy.id), summary(store, rich.id)
        for field in ("message_count", "checkpoint_count", "last_message_at"):
            assert getattr(shown, field) == getattr(known, field), field

    def test_a_copy_may_have_a_title_and_a_name_of_its_own(self, store: Store, rich: Session) -> None:
        copy = store.copy_session(rich.id, source="tool", source_id="2", title="")
        assert (copy.title, copy.source, copy.source_id) == ("", "tool", "2")
        assert store.find_session("tool", "2") == copy
        assert store.find_session("tool", "1") == rich

    def test_copying_does_not_change_the_origin(self, store: Store, rich: Session) -> None:
        before = tree(store, rich.id)
        store.copy_session(rich.id)
        assert store.get_session(rich.id) == rich
        assert tree(store, rich.id) == before

    def test_a_taken_name_is_a_conflict_and_nothing_is_copied(self, store: Store, rich: Session) -> None:
        with nothing_changes(store), pytest.raises(ConflictError, match="tool"):
            store.copy_session(rich.id, source="tool", source_id="1")

    def test_a_refused_copy_makes_nothing(self, store: Store, rich: Session) -> None:
        wrong: list[tuple[dict[str, Any], str]] = [
            ({"source": "tool"}, "source_id"), ({"source_id": "1"}, "source"), ({"title": "\0"}, "title"),
            ({"source": 1, "source_id": "1"}, "source"),
        ]  # fmt: skip
        for arguments, argument in wrong:
            with nothing_changes(store), pytest.raises(InvalidRequestError, match=argument):
                store.copy_session(rich.id, **arguments)
        with nothing_changes(store), pytest.raises(NotFoundError):
            store.copy_session(missing())

    def test_a_copy_and_its_origin_go_their_own_ways(self, store: Store, rich: Session) -> None:
        copy = store.copy_session(rich.id)
        kept, known = tree(store, rich.id), {item.label: item.id for item in store.list_checkpoints(copy.id)}
        assert said(store, store.append(copy.id, users("!")).id) == "ab!"
        assert said(store, store.append(copy.id, users("?"), parent_id=known["e"]).id) == "abde?"
        store.set_label(known["e"], "b", move=True)
        store.attach(copy.id, {"f": b"2"}, checkpoint_id=known["b"], on_conflict="replace")
        store.delete_checkpoints(copy.id, ids(store.list_checkpoints(copy.id))[0])
        store.update_session(copy.id, title="changed", cwd=None, metadata=None)
        store.delete_session(copy.id)
        assert tree(store, rich.id) == kept
        assert store.get_session(rich.id) == rich
        own = shape(store, copy.id)
        for text in "xyz":
            store.append(rich.id, users(text))
        store.delete_checkpoints(rich.id, ids(store.list_checkpoints(rich.id))[:3])
        assert shape(store, copy.id) == own

    @pytest.mark.parametrize("first", ["origin", "copy"])
    def test_purging_one_leaves_the_other_whole(self, store: Store, rich: Session, first: str) -> None:
        copy = store.copy_session(rich.id)
        gone, stays = (rich, copy) if first == "origin" else (copy, rich)
        before = shape(store, stays.id)
        store.purge_session(gone.id)
        assert shape(store, stays.id) == before
        tip = store.append(stays.id, users("!"), attachments={"f": SAME})
        assert (said(store, tip.id), attached(store, tip.id)) == ("ab!", {"f": b"1"})
        assert attached(store, store.append(stays.id, [], label="later").id) == {"w": b"waits"}
        store.purge_session(stays.id)
        assert store.list_sessions().items == []

    def test_a_copy_begins_at_revision_1_now_and_not_deleted(self, store: Store, rich: Session, clock: Clock) -> None:
        store.delete_session(rich.id)
        clock.now += SECOND
        told = clock.moment
        copy = store.copy_session(rich.id)
        assert (copy.revision, copy.status, copy.created_at, copy.updated_at) == (1, "ACTIVE", told, told)
        assert copy.forked_from is None

    def test_a_time_that_the_store_makes_in_a_copy_is_never_before_those_it_copied(
        self, store: Store, rich: Session, clock: Clock
    ) -> None:
        clock.now -= 3_600 * SECOND
        copy = store.copy_session(rich.id)
        newest = max(item.created_at for item in store.list_checkpoints(copy.id))
        assert store.append(copy.id, []).created_at >= newest

    def test_what_waits_for_a_label_waits_in_the_copy_too(self, store: Store, rich: Session) -> None:
        copy = store.copy_session(rich.id)
        for session in (copy, rich):
            assert attached(store, store.append(session.id, [], label="later").id) == {"w": b"waits"}

    def test_a_fork_and_a_copy_can_be_copied(self, store: Store, rich: Session) -> None:
        fork = store.fork_session(rich.id)
        store.append(fork.id, users("!"))
        copies = [store.copy_session(fork.id), store.copy_session(store.copy_session(fork.id).id)]
        before = shape(store, fork.id)
        store.purge_session(rich.id)
        store.purge_session(fork.id)
        for copy in copies:
            assert shape(store, copy.id) == before
            assert letters(store.get_active_checkpoint(copy.id).state.messages) == "ab!"

    def test_a_fork_of_a_copy_goes_on_alone(self, store: Store, rich: Session) -> None:
        copy = store.copy_session(rich.id)
        fork = store.fork_session(copy.id)
        assert attached(store, active(fork).id) == {"f": b"1"}
        store.purge_session(copy.id)
        store.purge_session(rich.id)
        assert said(store, store.append(fork.id, users("!")).id) == "ab!"

    def test_a_session_without_checkpoints_can_be_copied(self, store: Store) -> None:
        session = emptied(store)
        store.attach(session.id, {"w": b"waits"}, label="later")
        copy = store.copy_session(session.id)
        assert copy.active_checkpoint is None
        assert store.list_checkpoints(copy.id).items == []
        assert attached(store, store.append(copy.id, users("x"), label="later").id) == {"w": b"waits"}

    def test_a_long_line_and_many_branches_are_copied(self, store: Store) -> None:
        session = store.create_session("")
        root = active(session).id
        for number in range(60):
            store.append(session.id, [{"n": number}], parent_id=root if number % 3 == 0 else None)
            store.append(session.id, [{"n": number}])
        copy = store.copy_session(session.id)
        assert shape(store, copy.id) == shape(store, session.id)
        assert len(store.branches(copy.id)) == len(store.branches(session.id))

    def test_a_copy_is_there_after_opening_again(
        self, store: Store, rich: Session, reopen: Callable[[], Store]
    ) -> None:
        copy = store.copy_session(rich.id)
        before = contents(store)
        again = reopen()
        assert contents(again) == before
        assert said(again, again.append(copy.id, users("!")).id) == "ab!"
        assert by_ids(again.ancestry(active(copy).id))[0] == active(copy).id
