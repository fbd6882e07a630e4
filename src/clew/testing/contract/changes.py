"""Changing, deleting, restoring and purging sessions, and what their revision counts."""

from collections.abc import Callable
from itertools import permutations
from typing import Any
from uuid import UUID

import pytest

from clew import limits
from clew.errors import ConflictError, InvalidRequestError, NotFoundError, StorageError
from clew.model import KEEP, Session, SessionStatus, Visibility
from clew.store import Store
from clew.testing.clock import SECOND, Clock, moment
from clew.testing.contract.base import Contract, active, ids, missing, nothing_changes, said, summary, users
from clew.testing.contract.calls import OF_A_CHECKPOINT, OF_A_SESSION

CHANGES: dict[str, Callable[[Store, Session], Any]] = {
    "title": lambda store, session: store.update_session(session.id, title="changed"),
    "visibility": lambda store, session: store.update_session(session.id, visibility="PUBLIC"),
    "status": lambda store, session: store.update_session(session.id, status="DELETED"),
    "cwd": lambda store, session: store.update_session(session.id, cwd="/other"),
    "metadata": lambda store, session: store.update_session(session.id, metadata={"k": 2}),
    "five fields at once": lambda store, session: store.update_session(
        session.id, title="t", visibility="PUBLIC", status="DELETED", cwd=None, metadata=None
    ),
    "delete": lambda store, session: store.delete_session(session.id),
    "append": lambda store, session: store.append(session.id, users("x")),
    "append nothing": lambda store, session: store.append(session.id, []),
    "full list": lambda store, session: store.create_checkpoint(session.id, users("xyz")),
    "same full list": lambda store, session: store.create_checkpoint(
        session.id, users("a"), parent_id=active(session).id
    ),
    "rewind": lambda store, session: store.set_active_checkpoint(session.id, _first(store, session.id)),
    "label": lambda store, session: store.set_label(active(session).id, "new"),
    "attach": lambda store, session: store.attach(session.id, {"a": b"1", "b": b"2"}),
    "append with attachments": lambda store, session: store.append(
        session.id, users("x"), attachments={"a": b"1", "b": b"2"}, label="new"
    ),
    "delete a checkpoint": lambda store, session: store.delete_checkpoints(session.id, _first(store, session.id)),
    "delete the active checkpoint": lambda store, session: store.delete_checkpoints(session.id, active(session).id),
}

NO_CHANGES: dict[str, Callable[[Store, Session], Any]] = {
    "no field": lambda store, session: store.update_session(session.id),
    "KEEP": lambda store, session: store.update_session(session.id, title=KEEP, cwd=KEEP, metadata=KEEP, status=KEEP),
    "the same values": lambda store, session: store.update_session(
        session.id, title="t", visibility="PRIVATE", status="ACTIVE", cwd="/repo", metadata={"k": 1}
    ),
    "restore what is not deleted": lambda store, session: store.restore_session(session.id),
    "set what is active": lambda store, session: store.set_active_checkpoint(session.id, active(session).id),
    "fork": lambda store, session: store.fork_session(session.id),
    "copy": lambda store, session: store.copy_session(session.id),
    "no label taken away": lambda store, session: store.set_label(active(session).id, None),
    "nothing attached": lambda store, session: store.attach(session.id, {}),
    "nothing deleted": lambda store, session: store.delete_checkpoints(session.id, []),
    "maintenance": lambda store, session: [list(store.verify()), store.compact(), store.plan_prune(keep_last=0)],
    "reads": lambda store, session: [
        store.get_session(session.id), store.list_sessions(), store.list_checkpoints(session.id),
        store.get_messages(active(session).id), store.diff(active(session).id, active(session).id),
        store.children(active(session).id), store.ancestry(active(session).id), store.branches(session.id),
        store.get_attachments(active(session).id), store.find_checkpoints(metadata=None),
    ],
}  # fmt: skip


def _first(store: Store, session_id: UUID) -> UUID:
    return ids(store.list_checkpoints(session_id))[0]


class ChangeContract(Contract):
    """A change of a session happens whole or not at all, and is counted; only a purge removes anything."""

    @pytest.fixture
    def session(self, store: Store) -> Session:
        session = store.create_session("t", cwd="/repo", session_metadata={"k": 1})
        store.append(session.id, users("a"))
        return store.get_session(session.id)

    # -- update

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("title", "another"), ("title", ""), ("visibility", Visibility.PUBLIC), ("visibility", "PUBLIC"),
            ("status", SessionStatus.DELETED), ("cwd", "/other"), ("cwd", None), ("metadata", {"k": [1, {"x": None}]}),
            ("metadata", {}), ("metadata", None),
        ],
    )  # fmt: skip
    def test_an_update_changes_the_field_given_and_no_other(
        self, store: Store, session: Session, field: str, value: Any
    ) -> None:
        updated = store.update_session(session.id, **{field: value})
        assert getattr(updated, field) == value
        for other in {"title", "visibility", "status", "cwd", "metadata", "created_at", "active_checkpoint"} - {field}:
            assert getattr(updated, other) == getattr(session, other)
        assert store.get_session(session.id) == updated

    def test_several_fields_change_together(self, store: Store, session: Session) -> None:
        updated = store.update_session(session.id, title="new", visibility="PUBLIC", cwd=None, metadata={"n": 1})
        assert (updated.title, updated.visibility, updated.cwd, updated.metadata) == ("new", "PUBLIC", None, {"n": 1})

    def test_an_update_that_is_refused_changes_nothing(self, store: Store, session: Session) -> None:
        wrong: list[dict[str, Any]] = [
            {"visibility": "SECRET"}, {"status": "GONE"}, {"cwd": "\0"}, {"metadata": {"n": {1}}}, {"metadata": [1]},
        ]  # fmt: skip
        for refused in wrong:
            with nothing_changes(store), pytest.raises(InvalidRequestError, match=next(iter(refused))):
                store.update_session(session.id, title="changed", **refused)

    def test_if_revision_lets_an_update_through_while_it_is_the_revision(self, store: Store, session: Session) -> None:
        updated = store.update_session(session.id, title="first", if_revision=session.revision)
        assert updated.revision == session.revision + 1
        with nothing_changes(store), pytest.raises(ConflictError):
            store.update_session(session.id, title="second", cwd=None, if_revision=session.revision)
        with nothing_changes(store), pytest.raises(ConflictError):
            store.update_session(session.id, if_revision=session.revision)

    def test_a_revision_that_never_was_is_a_conflict(self, store: Store, session: Session) -> None:
        for revision in (0, -1, 2**70):
            with nothing_changes(store), pytest.raises(ConflictError):
                store.update_session(session.id, title="changed", if_revision=revision)

    # -- revision and updated_at

    @pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
    def test_every_change_adds_exactly_one_to_the_revision(
        self, store: Store, session: Session, clock: Clock, change: Callable[[Store, Session], Any]
    ) -> None:
        told = clock.moment
        change(store, session)
        changed = store.get_session(session.id)
        assert changed.revision == session.revision + 1
        assert changed.updated_at == told
        assert changed.created_at == session.created_at

    @pytest.mark.parametrize("call", NO_CHANGES.values(), ids=NO_CHANGES)
    def test_what_changes_nothing_moves_neither_revision_nor_time(
        self, store: Store, session: Session, call: Callable[[Store, Session], Any]
    ) -> None:
        call(store, session)
        assert store.get_session(session.id) == session

    def test_what_changes_nothing_moves_nothing_in_a_session_from_before_1970(self, store: Store) -> None:
        session = store.create_session("t", created_at=moment(-SECOND))
        store.update_session(session.id, title="t")
        assert store.get_session(session.id) == session

    @pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
    def test_a_clock_set_back_does_not_take_a_session_back(
        self, store: Store, session: Session, clock: Clock, change: Callable[[Store, Session], Any]
    ) -> None:
        clock.now -= 3_600 * SECOND
        change(store, session)
        assert store.get_session(session.id).updated_at == session.updated_at

    # -- delete and restore

    def test_a_deleted_session_is_marked_and_stays_readable(self, store: Store, session: Session) -> None:
        store.delete_session(session.id)
        deleted = store.get_session(session.id)
        assert deleted.status == "DELETED"
        assert deleted.active_checkpoint == session.active_checkpoint
        assert store.get_active_checkpoint(session.id) == session.active_checkpoint
        assert len(store.list_checkpoints(session.id)) == 2
        assert summary(store, session.id).status == "DELETED"

    def test_a_deleted_session_is_writable_and_stays_deleted(self, store: Store, session: Session) -> None:
        store.delete_session(session.id)
        step = store.append(session.id, users("b"))
        full = store.create_checkpoint(session.id, users("axb"), parent_id=step.id)
        store.set_active_checkpoint(session.id, step.id)
        store.update_session(session.id, title="changed")
        after = store.get_session(session.id)
        assert (after.status, after.title, active(after).id) == ("DELETED", "changed", step.id)
        assert (said(store, step.id), said(store, full.id)) == ("ab", "axb")

    def test_deleting_twice_is_deleting_once(self, store: Store, session: Session) -> None:
        store.delete_session(session.id)
        with nothing_changes(store):
            store.delete_session(session.id)

    def test_restoring_undoes_a_deletion(self, store: Store, session: Session) -> None:
        store.delete_session(session.id)
        store.restore_session(session.id)
        restored = store.get_session(session.id)
        assert restored.status == "ACTIVE"
        assert restored.active_checkpoint == session.active_checkpoint

    # -- purge

    def test_a_purged_session_is_found_by_no_method(self, store: Store) -> None:
        kept = store.create_session("kept", messages=users("a"))
        session = store.create_session("purged", messages=users("ab"), source="tool", source_id="1")
        step = store.append(session.id, users("c"))
        store.purge_session(session.id)
        for call in OF_A_SESSION.values():
            with pytest.raises(NotFoundError):
                call(store, session.id, step.id)
        for checkpoint_id in (active(session).id, step.id):
            for call in OF_A_CHECKPOINT.values():
                with pytest.raises(NotFoundError):
                    call(store, session.id, checkpoint_id)
        with pytest.raises(NotFoundError):
            store.find_session("tool", "1")
        assert ids(store.list_sessions()) == [kept.id]

    def test_a_purge_leaves_every_other_session_alone(self, store: Store, session: Session) -> None:
        other = store.create_session("other", messages=users("a"), parent_session_id=session.id)
        store.delete_session(session.id)
        store.purge_session(session.id)
        assert store.get_session(other.id) == other

    def test_a_deleted_session_can_be_purged(self, store: Store, session: Session) -> None:
        store.delete_session(session.id)
        store.purge_session(session.id)
        page = store.list_sessions()
        assert (page.items, page.total) == ([], 0)

    def test_names_and_ids_of_a_purged_session_are_free_again(self, store: Store) -> None:
        first = store.create_session("first", messages=users("a"), source="tool", source_id="1", id=missing())
        step = store.append(first.id, users("b"), id=missing())
        store.purge_session(first.id)
        second = store.create_session(
            "second", messages=users("x"), source="tool", source_id="1", id=first.id, checkpoint_id=active(first).id
        )
        again = store.append(second.id, users("y"), id=step.id)
        assert second.id == first.id
        assert store.get_session(second.id).revision == 2
        assert said(store, active(second).id) == "x"
        assert said(store, again.id) == "xy"

    def test_a_checkpoint_id_used_again_after_a_purge_stands_for_its_new_messages_alone(self, store: Store) -> None:
        """What a store remembers of the conversations it wrote must not outlive them."""
        first, id = store.create_session("first"), missing()
        store.create_checkpoint(first.id, users("ab"), id=id)
        store.purge_session(first.id)
        second = store.create_session("second")
        store.create_checkpoint(second.id, users("x"), id=id)
        full = store.create_checkpoint(second.id, users("abc"), parent_id=id)
        assert said(store, full.id) == "abc"

    def test_the_state_of_a_write_is_not_found_after_a_purge(self, store: Store, session: Session) -> None:
        step = store.append(session.id, users("b"))
        store.purge_session(session.id)
        with pytest.raises(NotFoundError):
            _ = step.state.messages

    def test_a_purge_keeps_what_forks_need_in_whichever_order_a_family_is_purged(self, store: Store) -> None:
        for order in permutations(range(4)):
            family = _family(store)
            for position, gone in enumerate(order):
                store.purge_session(family[gone][0])
                for session_id, *texts in (family[index] for index in order[position + 1 :]):
                    assert [said(store, id) for id in ids(store.list_checkpoints(session_id))] == texts
        assert store.list_sessions().total == 0

    def test_a_fork_goes_on_after_its_origin_is_purged(self, store: Store, session: Session) -> None:
        fork = store.fork_session(session.id)
        store.append(session.id, users("x"))
        store.purge_session(session.id)
        step = store.append(fork.id, users("b"))
        full = store.create_checkpoint(fork.id, users("abc"), parent_id=step.id)
        branch = store.append(fork.id, users("d"), parent_id=active(fork).id)
        again = store.fork_session(fork.id, checkpoint_id=step.id)
        assert [said(store, id) for id in (step.id, full.id, branch.id, active(again).id)] == ["ab", "abc", "ad", "ab"]

    def test_an_origin_goes_on_after_its_fork_is_purged(self, store: Store, session: Session) -> None:
        fork = store.fork_session(session.id)
        store.append(fork.id, users("x"))
        store.purge_session(fork.id)
        assert said(store, store.append(session.id, users("b")).id) == "ab"

    def test_a_refused_purge_removes_nothing(self, store: Store, session: Session) -> None:
        with nothing_changes(store), pytest.raises(StorageError):
            store.purge_session(missing())
        with nothing_changes(store), pytest.raises(InvalidRequestError):
            store.purge_session("nonsense")

    def test_metadata_of_a_session_has_a_limit(
        self, store: Store, session: Session, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(limits, "MAX_METADATA_BYTES", 100)
        with nothing_changes(store), pytest.raises(InvalidRequestError, match="MAX_METADATA_BYTES"):
            store.update_session(session.id, metadata={"k": "v" * 100})


def _family(store: Store) -> list[tuple[UUID, str, *tuple[str, ...]]]:
    """An origin, two forks of it and a fork of a fork, each with what its checkpoints say."""
    origin = store.create_session("", messages=users("ab"), metadata={"m": 1}, session_metadata={"s": 1})
    middle = store.append(origin.id, users("cd"))
    early = store.fork_session(origin.id, checkpoint_id=active(origin).id)
    store.append(early.id, users("e"))
    late = store.fork_session(origin.id, checkpoint_id=middle.id)
    store.create_checkpoint(late.id, users("abXd"), parent_id=active(late).id)
    nested = store.fork_session(late.id)
    store.append(nested.id, users("f"))
    store.append(origin.id, users("g"))
    return [
        (origin.id, "ab", "abcd", "abcdg"),
        (early.id, "ab", "abe"),
        (late.id, "abcd", "abXd"),
        (nested.id, "abXd", "abXdf"),
    ]
