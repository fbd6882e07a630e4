"""Forks into new sessions, and what two checkpoints have in common."""

from typing import Any

import pytest

from clew.errors import InvalidRequestError
from clew.model import Session
from clew.store import Store
from clew.testing.clock import Clock
from clew.testing.contract.base import Contract, active, ids, letters, nothing_changes, said, summary, users


class ForkContract(Contract):
    """A fork begins with a state of another session and goes its own way from there."""

    @pytest.fixture
    def origin(self, store: Store) -> Session:
        session = store.create_session(
            "origin", messages=users("a"), metadata={"step": 1}, visibility="PUBLIC", cwd="/repo", source="tool",
            source_id="1", session_metadata={"team": "blue"},
        )  # fmt: skip
        store.append(session.id, users("b"), metadata={"step": 2})
        return store.get_session(session.id)

    def test_a_fork_begins_with_the_active_state_and_says_where_it_comes_from(
        self, store: Store, origin: Session, clock: Clock
    ) -> None:
        told = clock.moment
        fork = store.fork_session(origin.id)
        assert (fork.parent_session_id, fork.forked_from) == (origin.id, active(origin).id)
        assert fork.id != origin.id
        root = active(fork)
        assert (root.session_id, root.parent_id) == (fork.id, None)
        assert root.id != active(origin).id
        assert root.state == active(origin).state
        assert (fork.revision, fork.created_at, fork.updated_at, root.created_at) == (1, told, told, told)
        assert store.get_session(fork.id) == fork
        assert ids(store.list_checkpoints(fork.id)) == [root.id]

    def test_a_fork_takes_over_the_fields_of_its_origin_but_not_its_name(self, store: Store, origin: Session) -> None:
        fork = store.fork_session(origin.id)
        for field in ("title", "visibility", "cwd", "metadata"):
            assert getattr(fork, field) == getattr(origin, field)
        assert (fork.source, fork.source_id) == (None, None)
        assert store.find_session("tool", "1").id == origin.id

    @pytest.mark.parametrize("title", ["branch", ""])
    def test_a_fork_may_have_a_title_of_its_own(self, store: Store, origin: Session, title: str) -> None:
        fork = store.fork_session(origin.id, title=title)
        assert fork.title == title
        assert ids(store.list_sessions(search="origin")) == [origin.id]

    def test_a_fork_may_begin_at_any_checkpoint(self, store: Store, origin: Session) -> None:
        first = ids(store.list_checkpoints(origin.id))[0]
        fork = store.fork_session(origin.id, checkpoint_id=first)
        assert fork.forked_from == first
        assert letters(active(fork).state.messages) == "a"
        assert active(fork).state.metadata == {"step": 1}

    def test_a_fork_begins_where_its_origin_was_rewound_to(self, store: Store, origin: Session) -> None:
        first = ids(store.list_checkpoints(origin.id))[0]
        store.set_active_checkpoint(origin.id, first)
        assert store.fork_session(origin.id).forked_from == first

    def test_a_fork_and_its_origin_go_their_own_ways(self, store: Store, origin: Session) -> None:
        fork = store.fork_session(origin.id)
        mine, theirs = store.append(origin.id, users("x")), store.append(fork.id, users("yz"))
        assert (said(store, mine.id), said(store, theirs.id)) == ("abx", "abyz")
        assert said(store, active(fork).id) == said(store, active(origin).id) == "ab"
        store.update_session(fork.id, title="changed", metadata=None)
        store.delete_session(fork.id)
        after = store.get_session(origin.id)
        assert (after.title, after.metadata, after.status) == ("origin", {"team": "blue"}, "ACTIVE")
        assert after.revision == origin.revision + 1

    def test_forking_does_not_change_the_origin(self, store: Store, origin: Session) -> None:
        store.fork_session(origin.id)
        assert store.get_session(origin.id) == origin

    def test_a_fork_of_a_deleted_session_is_not_deleted(self, store: Store, origin: Session) -> None:
        store.delete_session(origin.id)
        assert store.fork_session(origin.id).status == "ACTIVE"

    def test_a_fork_of_a_fork_of_a_fork_reads_back(self, store: Store, origin: Session) -> None:
        line, expected = [origin.id], "ab"
        for letter in "cdefghij":
            fork = store.fork_session(line[-1])
            assert fork.parent_session_id == line[-1]
            store.append(fork.id, users(letter))
            line.append(fork.id)
            expected += letter
        assert [said(store, store.get_active_checkpoint(id).id) for id in line] == [
            expected[: 2 + number] for number in range(len(line))
        ]

    def test_a_fork_of_nothing_said_is_empty(self, store: Store) -> None:
        fork = store.fork_session(store.create_session("").id)
        assert active(fork).state.messages == []
        assert summary(store, fork.id).last_message_at is None
        assert said(store, store.append(fork.id, users("a")).id) == "a"

    def test_a_refused_fork_makes_nothing(self, store: Store, origin: Session) -> None:
        with nothing_changes(store), pytest.raises(InvalidRequestError, match="title"):
            store.fork_session(origin.id, title="\0")
        with nothing_changes(store), pytest.raises(InvalidRequestError, match="checkpoint_id"):
            store.fork_session(origin.id, checkpoint_id=None)  # type: ignore[arg-type]

    # -- diff

    def test_a_diff_tells_what_is_common_and_what_each_has_alone(self, store: Store, origin: Session) -> None:
        root, tip = ids(store.list_checkpoints(origin.id))
        left = store.append(origin.id, users("cd"), parent_id=tip)
        right = store.append(origin.id, users("e"), parent_id=tip, metadata={"step": 3})
        diff = store.diff(left.id, right.id)
        assert (diff.checkpoint_a, diff.checkpoint_b, diff.ancestor_id) == (left.id, right.id, tip)
        assert (diff.common, letters(diff.only_a), letters(diff.only_b)) == (2, "cd", "e")
        assert (diff.metadata_a, diff.metadata_b, diff.metadata_changed) == ({"step": 2}, {"step": 3}, True)
        assert store.diff(left.id, root).ancestor_id == root
        assert letters(store.diff(left.id, root).only_a) == "bcd"
        assert store.diff(root, left.id).only_a == []

    def test_a_checkpoint_does_not_differ_from_itself(self, store: Store, origin: Session) -> None:
        tip = active(origin).id
        diff = store.diff(tip, str(tip))
        assert (diff.common, diff.only_a, diff.only_b, diff.ancestor_id) == (2, [], [], tip)
        assert diff.metadata_changed is False

    def test_checkpoints_of_different_roots_have_no_ancestor_but_may_begin_alike(
        self, store: Store, origin: Session
    ) -> None:
        other = store.create_checkpoint(origin.id, users("ax"))
        for id, common in ((other.id, 1), (active(store.create_session("")).id, 0)):
            diff = store.diff(active(origin).id, id)
            assert (diff.ancestor_id, diff.common) == (None, common)

    def test_a_fork_and_its_origin_descend_from_the_checkpoint_it_was_forked_from(
        self, store: Store, origin: Session
    ) -> None:
        root, tip = ids(store.list_checkpoints(origin.id))
        fork = store.fork_session(origin.id, checkpoint_id=root)
        mine, theirs = store.append(origin.id, users("c")), store.append(fork.id, users("xy"))
        for a, b, common in ((mine.id, theirs.id, 1), (tip, active(fork).id, 1), (root, theirs.id, 1)):
            for left, right in ((a, b), (b, a)):
                diff = store.diff(left, right)
                assert (diff.ancestor_id, diff.common) == (root, common)
        assert store.diff(theirs.id, active(fork).id).ancestor_id == active(fork).id

    def test_the_nearest_ancestor_is_found_through_forks_of_forks(self, store: Store, origin: Session) -> None:
        fork = store.fork_session(origin.id)
        step = store.append(fork.id, users("c"))
        left, right = store.fork_session(fork.id), store.fork_session(fork.id)
        mine, theirs = store.append(left.id, users("x")), store.append(right.id, users("y"))
        assert store.diff(mine.id, theirs.id).ancestor_id == step.id
        assert store.diff(mine.id, active(origin).id).ancestor_id == active(origin).id
        assert store.diff(mine.id, store.append(origin.id, users("z")).id).ancestor_id == active(origin).id

    def test_another_root_of_a_fork_does_not_descend_from_its_origin(self, store: Store, origin: Session) -> None:
        fork = store.fork_session(origin.id)
        other = store.create_checkpoint(fork.id, users("ab"))
        step = store.append(fork.id, users("c"))
        for id in (other.id, step.id):
            assert store.diff(id, active(origin).id).ancestor_id is None
            assert store.diff(id, active(fork).id).ancestor_id is None

    def test_without_the_checkpoint_that_forks_began_as_they_have_no_ancestor(
        self, store: Store, origin: Session
    ) -> None:
        left, right = store.fork_session(origin.id), store.fork_session(origin.id)
        assert store.diff(active(left).id, active(right).id).ancestor_id == active(origin).id
        store.purge_session(origin.id)
        diff = store.diff(active(left).id, active(right).id)
        assert (diff.ancestor_id, diff.common) == (None, 2)

    @pytest.mark.parametrize(("left", "right"), [(1, True), (0, False), ("1", 1), (None, False), ([], {}), ("", None)])
    def test_a_diff_tells_apart_what_json_tells_apart(self, store: Store, left: Any, right: Any) -> None:
        session = store.create_session("", messages=[{"v": left}], metadata={"v": [left]})
        other = store.create_checkpoint(session.id, [{"v": right}], metadata={"v": [right]})
        diff = store.diff(active(session).id, other.id)
        assert (diff.common, diff.only_a, diff.only_b) == (0, [{"v": left}], [{"v": right}])
        assert diff.metadata_changed is True
