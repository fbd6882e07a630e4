"""Deleting checkpoints: what becomes of their children, of the active one, and of whoever shares their messages."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest

from clew.errors import ConflictError, InvalidRequestError, NotFoundError
from clew.model import ACTIVE, SAME, Checkpoint, Label, Session
from clew.store import Store
from clew.testing.clock import Clock
from clew.testing.contract.base import (
    Contract,
    active,
    attached,
    by_ids,
    contents,
    emptied,
    ids,
    missing,
    nothing_changes,
    said,
    summary,
    tree,
    users,
)
from clew.testing.contract.calls import OF_A_CHECKPOINT

CHILDREN: tuple[Any, ...] = ("reparent", "delete", "refuse")


class DeleteContract(Contract):
    """What is told to go goes, with its attachments; every other checkpoint keeps its conversation."""

    @pytest.fixture
    def grown(self, store: Store) -> dict[str, UUID]:
        """Checkpoints by what they say: the line a, ab, abc, abcd, the branches abx and abxy, and the root z."""
        session = store.create_session("grown", messages=users("a"))
        made = {"": session.id, "a": active(session).id}
        for parent, text in (("a", "ab"), ("ab", "abc"), ("ab", "abx"), ("abx", "abxy"), ("abc", "abcd")):
            step = store.append(session.id, users(text[-1]), parent_id=made[parent], attachments={text: text.encode()})
            made[text] = step.id
        made["z"] = store.create_checkpoint(session.id, users("z")).id
        store.set_active_checkpoint(session.id, made["abcd"])
        return made

    def _parents(self, store: Store, grown: dict[str, UUID]) -> dict[str, str | None]:
        """What each checkpoint that is left says, and what its parent says."""
        names = {id: text for text, id in grown.items()}
        found = {}
        for item in store.list_checkpoints(grown[""]):
            text = said(store, item.id)
            assert (text, item.message_count) == (names[item.id], len(text))
            found[text] = None if item.parent_id is None else names[item.parent_id]
        return found

    # -- children

    def test_children_of_a_deleted_checkpoint_go_to_its_nearest_ancestor_that_stays(
        self, store: Store, grown: dict[str, UUID]
    ) -> None:
        store.delete_checkpoints(grown[""], grown["ab"])
        assert self._parents(store, grown) == {
            "a": None, "abc": "a", "abx": "a", "abxy": "abx", "abcd": "abc", "z": None,
        }  # fmt: skip
        store.delete_checkpoints(grown[""], [grown["abx"], grown["abc"]])
        assert self._parents(store, grown) == {"a": None, "abxy": "a", "abcd": "a", "z": None}
        assert by_ids(store.children(grown["a"])) == [grown["abxy"], grown["abcd"]]

    def test_a_line_deleted_from_its_middle_is_closed(self, store: Store, grown: dict[str, UUID]) -> None:
        store.delete_checkpoints(grown[""], [grown["abc"], grown["ab"]])
        assert by_ids(store.ancestry(grown["abcd"])) == [grown["abcd"], grown["a"]]
        assert said(store, store.append(grown[""], users("e")).id) == "abcde"

    def test_children_of_a_deleted_root_become_roots(self, store: Store, grown: dict[str, UUID]) -> None:
        store.delete_checkpoints(grown[""], [grown["a"], grown["ab"]])
        assert self._parents(store, grown) == {"abc": None, "abx": None, "abxy": "abx", "abcd": "abc", "z": None}
        assert by_ids(store.branches(grown[""])) == [grown["z"], grown["abcd"], grown["abxy"]]

    def test_all_descendants_are_deleted_where_children_are(self, store: Store, grown: dict[str, UUID]) -> None:
        store.delete_checkpoints(grown[""], grown["abx"], children="delete")
        assert self._parents(store, grown) == {"a": None, "ab": "a", "abc": "ab", "abcd": "abc", "z": None}
        store.delete_checkpoints(grown[""], [grown["abc"], grown["ab"]], children="delete")
        assert self._parents(store, grown) == {"a": None, "z": None}

    def test_a_child_that_would_stay_forbids_a_delete_that_refuses_children(
        self, store: Store, grown: dict[str, UUID]
    ) -> None:
        for names in (["ab"], ["a", "ab"], ["ab", "abc", "abx"], ["z", "abx"]):
            with nothing_changes(store), pytest.raises(ConflictError, match="children"):
                store.delete_checkpoints(grown[""], [grown[name] for name in names], children="refuse")
        store.delete_checkpoints(grown[""], [grown["abxy"], grown["z"]], children="refuse")
        store.delete_checkpoints(grown[""], [grown[name] for name in ("abc", "ab", "abcd", "abx")], children="refuse")
        assert self._parents(store, grown) == {"a": None}

    def test_what_may_become_of_children_is_one_of_three(self, store: Store, grown: dict[str, UUID]) -> None:
        wrong: list[Any] = ["", "Delete", "keep", None, True, 1, ["delete"]]
        for children in wrong:
            with nothing_changes(store), pytest.raises(InvalidRequestError, match="children"):
                store.delete_checkpoints(grown[""], grown["z"], children=children)

    # -- what is active

    def test_the_nearest_ancestor_that_stays_becomes_active(self, store: Store, grown: dict[str, UUID]) -> None:
        session = store.delete_checkpoints(grown[""], [grown["abcd"], grown["ab"], grown["abc"]])
        assert active(session).id == grown["a"]
        assert store.get_session(grown[""]) == session
        assert said(store, store.append(grown[""], users("!")).id) == "a!"

    def test_without_an_ancestor_that_stays_the_newest_checkpoint_becomes_active(
        self, store: Store, grown: dict[str, UUID]
    ) -> None:
        line = [grown[name] for name in ("a", "ab", "abc", "abcd")]
        assert active(store.delete_checkpoints(grown[""], line)).id == grown["z"]

    def test_the_newest_is_the_one_written_last_whatever_the_clock_said(self, store: Store, clock: Clock) -> None:
        session = store.create_session("")
        clock.now -= 10_000_000
        made = [store.create_checkpoint(session.id, [], created_at=clock.moment).id for _ in range(3)]
        store.set_active_checkpoint(session.id, active(session).id)
        assert active(store.delete_checkpoints(session.id, active(session).id)).id == made[-1]

    def test_what_is_active_stays_active_where_it_is_not_deleted(self, store: Store, grown: dict[str, UUID]) -> None:
        for children in ("reparent", "delete"):
            others: Any = {"reparent": ["ab", "z"], "delete": ["abx"]}[children]
            session = store.delete_checkpoints(grown[""], [grown[name] for name in others], children=children)
            assert active(session).id == grown["abcd"]

    def test_a_session_may_lose_all_its_checkpoints(self, store: Store, grown: dict[str, UUID]) -> None:
        everything = ids(store.list_checkpoints(grown[""]))
        session = store.delete_checkpoints(grown[""], everything)
        assert session.active_checkpoint is None
        assert store.get_session(grown[""]) == session
        page = store.list_checkpoints(grown[""])
        assert (page.items, page.total, page.next_cursor) == ([], 0, None)
        shown = summary(store, grown[""])
        assert (shown.message_count, shown.checkpoint_count, shown.active_checkpoint_id) == (0, 0, None)
        with pytest.raises(NotFoundError, match="No active checkpoint"):
            store.get_active_checkpoint(grown[""])

    # -- a session without checkpoints

    def test_an_append_to_a_session_without_checkpoints_begins_anew(self, store: Store) -> None:
        session = emptied(store)
        step = store.append(session.id, users("x"))
        assert (step.parent_id, said(store, step.id)) == (None, "x")
        assert step.state.metadata is None
        assert store.get_active_checkpoint(session.id) == step
        assert said(store, store.append(session.id, users("y")).id) == "xy"

    def test_a_full_list_upon_nothing_active_is_a_root(self, store: Store) -> None:
        session = emptied(store)
        step = store.create_checkpoint(session.id, users("xy"), parent_id=ACTIVE)
        assert (step.parent_id, said(store, step.id)) == (None, "xy")
        assert active(store.get_session(session.id)) == step

    def test_what_needs_a_checkpoint_is_not_found_where_there_is_none(self, store: Store) -> None:
        session = emptied(store)
        calls: list[Callable[[], Any]] = [
            lambda: store.fork_session(session.id),
            lambda: store.attach(session.id, {"n": b"1"}),
            lambda: store.append(session.id, [], attachments={"n": SAME}),
            lambda: store.set_active_checkpoint(session.id, missing()),
        ]
        for call in calls:
            with nothing_changes(store), pytest.raises(NotFoundError):
                call()
        with nothing_changes(store), pytest.raises(ConflictError):
            store.append(session.id, [], if_active=missing())

    def test_a_session_without_checkpoints_can_be_changed_and_purged(self, store: Store) -> None:
        session = emptied(store)
        assert store.update_session(session.id, title="renamed").active_checkpoint is None
        store.delete_session(session.id)
        store.purge_session(session.id)
        assert store.list_sessions().items == []

    # -- what goes with it

    @pytest.mark.parametrize("children", CHILDREN)
    def test_a_deleted_checkpoint_is_found_by_no_method(
        self, store: Store, grown: dict[str, UUID], children: Any
    ) -> None:
        step = store.append(grown[""], users("e"), label="gone")
        store.delete_checkpoints(grown[""], step.id, children=children)
        for call in OF_A_CHECKPOINT.values():
            with pytest.raises(NotFoundError, match=str(step.id)):
                call(store, grown[""], step.id)
        for write in (store.append, store.create_checkpoint):
            with pytest.raises(NotFoundError):
                write(grown[""], [], parent_id=step.id)
        with pytest.raises(NotFoundError):
            store.find_checkpoint(grown[""], "gone")
        with pytest.raises(NotFoundError):
            store.get_attachments([grown["a"], step.id])
        with pytest.raises(NotFoundError):
            _ = step.state.messages

    def test_attachments_of_other_checkpoints_stay(self, store: Store, grown: dict[str, UUID]) -> None:
        store.attach(grown[""], {"shared": b"same"}, checkpoint_id=grown["abc"])
        store.attach(grown[""], {"shared": b"same"}, checkpoint_id=grown["abcd"])
        store.delete_checkpoints(grown[""], grown["abc"])
        assert attached(store, grown["abcd"]) == {"abcd": b"abcd", "shared": b"same"}
        assert attached(store, grown["ab"]) == {"ab": b"ab"}

    def test_names_and_ids_of_deleted_checkpoints_are_free_again(self, store: Store) -> None:
        """What a store remembers of the conversations it wrote must not outlive them."""
        session, id = store.create_session("", messages=users("ab")), missing()
        store.create_checkpoint(session.id, users("abc"), id=id, label="point")
        store.delete_checkpoints(session.id, id)
        store.create_checkpoint(session.id, users("x"), id=id, label="point")
        full = store.create_checkpoint(session.id, users("abcd"), parent_id=id)
        assert (said(store, id), said(store, full.id)) == ("x", "abcd")

    def test_a_write_repeated_after_its_checkpoint_was_deleted_is_written_anew(self, store: Store) -> None:
        session, id = store.create_session("", messages=users("a")), missing()
        store.append(session.id, users("b"), id=id)
        store.delete_checkpoints(session.id, id)
        assert said(store, store.append(session.id, users("b"), id=id).id) == "ab"

    def test_new_checkpoints_come_after_all_that_were_deleted(self, store: Store, grown: dict[str, UUID]) -> None:
        page = store.list_checkpoints(grown[""], limit=6)
        store.delete_checkpoints(grown[""], [grown["z"], grown["abcd"]])
        step = store.append(grown[""], users("!"))
        assert ids(store.list_checkpoints(grown[""], cursor=page.next_cursor)) == [step.id]
        assert ids(store.list_checkpoints(grown[""], order="-created", limit=1)) == [step.id]

    def test_a_fork_keeps_what_its_origin_deleted(self, store: Store, grown: dict[str, UUID]) -> None:
        fork = store.fork_session(grown[""], checkpoint_id=grown["abc"])
        step = store.append(fork.id, users("!"))
        before = tree(store, fork.id)
        store.delete_checkpoints(grown[""], [grown["abc"], grown["ab"], grown["a"]], children="delete")
        assert tree(store, fork.id) == before
        assert store.get_session(fork.id).forked_from == grown["abc"]
        assert said(store, store.append(fork.id, users("?")).id) == "abc!?"
        assert store.diff(step.id, grown["z"]).ancestor_id is None
        store.purge_session(grown[""])
        assert said(store, step.id) == "abc!"

    def test_an_origin_keeps_what_its_fork_deleted(self, store: Store, grown: dict[str, UUID]) -> None:
        fork = store.fork_session(grown[""], checkpoint_id=grown["abc"])
        before = tree(store, grown[""])
        store.append(fork.id, users("!"))
        store.delete_checkpoints(fork.id, active(fork).id, children="delete")
        assert store.list_checkpoints(fork.id).items == []
        assert tree(store, grown[""]) == before

    def test_every_subset_of_a_tree_can_be_deleted(self, store: Store) -> None:
        for children in CHILDREN[:2]:
            for chosen in range(1, 2**5):
                session = store.create_session("", messages=users("a"))
                line = [active(session).id]
                for parent, letter in ((0, "b"), (1, "c"), (1, "x"), (0, "y")):
                    line.append(store.append(session.id, users(letter), parent_id=line[parent]).id)
                texts = dict(zip(line, ("a", "ab", "abc", "abx", "ay"), strict=True))
                going = [id for index, id in enumerate(line) if chosen >> index & 1]
                store.delete_checkpoints(session.id, going, children=children)
                left = ids(store.list_checkpoints(session.id))
                assert [said(store, id) for id in left] == [texts[id] for id in left]
                assert set(left) == _staying(line, going, children)
                store.purge_session(session.id)

    # -- what is counted and what is refused

    @pytest.mark.parametrize("children", CHILDREN)
    def test_a_delete_is_counted_once_however_much_goes(
        self, store: Store, grown: dict[str, UUID], clock: Clock, children: Any
    ) -> None:
        before, told = store.get_session(grown[""]), clock.moment
        going = [grown["abxy"], grown["abx"], grown["z"]]
        after = store.delete_checkpoints(grown[""], going, children=children)
        assert (after.revision, after.updated_at) == (before.revision + 1, told)
        assert (after.created_at, after.title) == (before.created_at, before.title)
        shown = summary(store, grown[""])
        assert (shown.checkpoint_count, shown.message_count) == (4, 4)

    def test_deleting_nothing_changes_nothing(self, store: Store, grown: dict[str, UUID]) -> None:
        before = store.get_session(grown[""])
        for children in CHILDREN:
            with nothing_changes(store):
                assert store.delete_checkpoints(grown[""], [], children=children) == before

    def test_an_id_may_be_named_twice_and_in_any_spelling(self, store: Store, grown: dict[str, UUID]) -> None:
        z = grown["z"]
        session = store.delete_checkpoints(str(grown[""]), [z, str(z).upper(), z.hex])
        assert session.revision == store.get_session(grown[""]).revision
        assert "z" not in self._parents(store, grown)

    def test_an_id_that_is_not_of_the_session_is_not_found_and_nothing_is_deleted(
        self, store: Store, grown: dict[str, UUID]
    ) -> None:
        other, fork = store.create_session("other"), store.fork_session(grown[""])
        copy = store.copy_session(grown[""])
        for wrong in (active(other).id, active(fork).id, active(copy).id, missing(), grown[""]):
            for children in CHILDREN:
                with nothing_changes(store), pytest.raises(NotFoundError, match=str(wrong)):
                    store.delete_checkpoints(grown[""], [grown["z"], wrong, grown["abcd"]], children=children)

    def test_a_delete_happens_while_the_revision_is_the_one_given(self, store: Store, grown: dict[str, UUID]) -> None:
        revision = store.get_session(grown[""]).revision
        for stale in (revision - 1, revision + 1, 0, 2**70):
            with nothing_changes(store), pytest.raises(ConflictError):
                store.delete_checkpoints(grown[""], grown["z"], if_revision=stale)
        assert store.delete_checkpoints(grown[""], grown["z"], if_revision=revision).revision == revision + 1

    def test_what_are_no_ids_is_refused(self, store: Store, grown: dict[str, UUID]) -> None:
        wrong: list[Any] = [None, 1, "nonsense", ["nonsense"], [grown["z"], 7], [None], True]
        for ids_given in wrong:
            with nothing_changes(store), pytest.raises(InvalidRequestError, match="ids"):
                store.delete_checkpoints(grown[""], ids_given)

    def test_checkpoints_of_a_deleted_session_can_be_deleted(self, store: Store, grown: dict[str, UUID]) -> None:
        store.delete_session(grown[""])
        assert store.delete_checkpoints(grown[""], grown["z"]).status == "DELETED"
        assert "z" not in self._parents(store, grown)

    def test_what_was_deleted_stays_deleted_after_opening_again(
        self, store: Store, grown: dict[str, UUID], reopen: Callable[[], Store]
    ) -> None:
        store.delete_checkpoints(grown[""], [grown["a"], grown["abx"]])
        before = contents(store)
        again = reopen()
        assert contents(again) == before
        assert said(again, again.append(grown[""], users("!"), parent_id=grown["abxy"]).id) == "abxy!"

    def test_writing_goes_on_at_every_checkpoint_that_stays(self, store: Store, grown: dict[str, UUID]) -> None:
        store.delete_checkpoints(grown[""], [grown["ab"], grown["abc"]])
        session: Session = store.get_session(grown[""])
        for text in ("a", "abx", "abxy", "abcd", "z"):
            step: Checkpoint = store.append(session.id, users("!"), parent_id=grown[text], label=text)
            full = store.create_checkpoint(session.id, users(f"{text}!?"), parent_id=Label(text))
            assert (said(store, step.id), said(store, full.id)) == (f"{text}!", f"{text}!?")


def _staying(line: list[UUID], going: list[UUID], children: str) -> set[UUID]:
    """What is left of the tree of five."""
    gone = set(going)
    if children == "delete":
        for child, parent in ((1, 0), (4, 0), (2, 1), (3, 1)):
            if line[parent] in gone:
                gone.add(line[child])
    return set(line) - gone
