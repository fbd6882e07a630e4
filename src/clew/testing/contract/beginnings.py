"""Appending after a beginning of the parent's messages: `after`."""

from functools import partial
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clew.errors import ConflictError, InvalidRequestError
from clew.model import ACTIVE, SAME, Label
from clew.store import Store
from clew.testing.clock import SECOND, Clock
from clew.testing.contract.base import (
    Contract,
    active,
    attached,
    emptied,
    findings,
    ids,
    letters,
    missing,
    nothing_changes,
    said,
    summary,
    users,
)
from clew.testing.contract.together import conflicts, together
from clew.testing.profiles import examples

Step = tuple[str, int, int | None, bool]
"""What is said, a choice of the parent, another of how much of it is kept, and whether it is said in full."""


class BeginningContract(Contract):
    """An append takes over as much of its parent as it is told, and its parent stays as it is."""

    def test_an_append_takes_over_what_a_slice_of_the_parent_has(self, store: Store) -> None:
        session = store.create_session("", messages=users("ab"))
        store.append(session.id, users("c"))
        whole = store.append(session.id, users("de"))
        for after in range(-5, 6):
            step = store.append(session.id, users("xy"), parent_id=whole.id, after=after)
            assert (step.parent_id, said(store, step.id)) == (whole.id, "abcde"[:after] + "xy")
            assert letters(step.state.messages) == "abcde"[:after] + "xy"
        assert said(store, whole.id) == "abcde"
        assert findings(store) == []

    @examples(25)
    @given(
        steps=st.lists(
            st.tuples(st.text("ab", max_size=4), st.integers(0, 9), st.integers(0, 99) | st.none(), st.booleans()),
            max_size=12,
        )
    )
    def test_beginnings_of_any_tree_read_back_as_written(self, store: Store, steps: list[Step]) -> None:
        session = store.create_session("", messages=users("ab"))
        written = [(active(session).id, "ab")]
        for text, choice, cut, full in steps:
            parent, before = written[-1 - choice % len(written)]
            after = None if cut is None else cut % (2 * len(before) + 1) - len(before)
            kept = before if after is None else before[:after]
            if full:
                step = store.create_checkpoint(session.id, users(kept + text), parent_id=parent)
            else:
                step = store.append(session.id, users(text), parent_id=parent, after=after)
            written.append((step.id, kept + text))
        assert [(id, said(store, id)) for id, _ in written] == written
        assert [item.message_count for item in store.list_checkpoints(session.id)] == [len(text) for _, text in written]

    def test_the_last_message_is_replaced_or_dropped(self, store: Store) -> None:
        session = store.create_session("", messages=users("abc"))
        assert said(store, store.append(session.id, users("X"), after=-1).id) == "abX"
        assert said(store, store.append(session.id, [], after=-1).id) == "ab"
        assert said(store, store.append(session.id, [], after=-1).id) == "a"
        assert said(store, store.append(session.id, users("Y")).id) == "aY"
        assert said(store, store.append(session.id, [], after=0).id) == ""
        assert said(store, store.append(session.id, users("Z"), after=0).id) == "Z"
        assert [item.message_count for item in store.list_checkpoints(session.id)] == [3, 3, 2, 1, 2, 0, 1]
        assert summary(store, session.id).message_count == 1
        assert findings(store) == []

    def test_everything_else_is_as_for_any_append(self, store: Store) -> None:
        session = store.create_session("", messages=users("abc"), metadata={"k": 1})
        parent = store.append(session.id, [], label="here", attachments={"f": b"1", "g": b"2"})
        store.append(session.id, users("z"))
        step = store.append(
            session.id, users("X"), after=1, parent_id=Label("here"), label="there", attachments={"f": SAME}
        )
        assert (step.parent_id, step.label, step.state.metadata) == (parent.id, "there", {"k": 1})
        assert attached(store, step.id) == {"f": b"1"}
        assert store.get_active_checkpoint(session.id) == step
        assert store.append(session.id, [], after=1, metadata=None).state.metadata is None

    def test_what_was_left_out_may_be_said_again(self, store: Store) -> None:
        session = store.create_session("", messages=users("ab"))
        whole = store.append(session.id, users("cd"))
        again = store.append(session.id, users("bcd"), after=1)
        assert said(store, again.id) == said(store, whole.id) == "abcd"
        chains = {item.id: item.chain for item in store.list_checkpoints(session.id)}
        assert chains[again.id] == chains[whole.id]

    def test_a_beginning_is_of_the_parent_and_of_none_that_it_rewrote(self, store: Store) -> None:
        session = store.create_session("", messages=users("ab"))
        store.append(session.id, users("cd"))
        store.create_checkpoint(session.id, users("wxyz"), parent_id=ACTIVE)
        tip = store.append(session.id, users("!"))
        for after in range(6):
            step = store.append(session.id, users("."), parent_id=tip.id, after=after)
            assert said(store, step.id) == "wxyz!"[:after] + "."

    def test_a_fork_goes_on_from_a_beginning_of_what_it_began_with(self, store: Store) -> None:
        session = store.create_session("", messages=users("ab"))
        store.append(session.id, users("cd"))
        fork = store.fork_session(session.id)
        assert said(store, store.append(fork.id, users("X"), after=3).id) == "abcX"
        assert said(store, store.append(fork.id, users("Y"), after=2).id) == "abY"
        assert said(store, store.append(session.id, users("e")).id) == "abcde"
        store.purge_session(session.id)
        assert said(store, store.append(fork.id, users("Z"), after=2).id) == "abZ"
        assert findings(store) == []

    def test_a_beginning_outlives_the_checkpoints_that_said_it(self, store: Store) -> None:
        session = store.create_session("", messages=users("ab"))
        steps = [store.append(session.id, users(text)).id for text in ("cd", "ef", "gh")]
        store.delete_checkpoints(session.id, [active(session).id, *steps[:2]])
        cut = store.append(session.id, users("X"), after=3)
        store.delete_checkpoints(session.id, steps[2])
        assert said(store, store.append(session.id, users("Y"), after=2).id) == "abY"
        assert said(store, cut.id) == "abcX"
        assert findings(store) == []

    @pytest.mark.parametrize("after", [4, 5, -4, -5, 2**31, 2**80, -(2**80)])
    def test_more_than_the_parent_has_is_refused(self, store: Store, after: int) -> None:
        session = store.create_session("", messages=users("a"))
        parent = store.append(session.id, users("bc"))
        for place in (ACTIVE, parent.id):
            with nothing_changes(store), pytest.raises(InvalidRequestError, match=r"after is .* has 3 messages"):
                store.append(session.id, users("x"), parent_id=place, after=after)

    def test_what_is_no_whole_number_is_refused(self, store: Store) -> None:
        session = store.create_session("", messages=users("ab"))
        wrong: list[Any] = [True, "1", 1.0, [], b"1"]
        for value in wrong:
            with nothing_changes(store), pytest.raises(InvalidRequestError, match="after"):
                store.append(session.id, users("x"), after=value)

    def test_without_a_parent_there_is_nothing_to_be_after(self, store: Store) -> None:
        session = store.create_session("", messages=users("ab"))
        for after in (0, 1):
            with nothing_changes(store), pytest.raises(InvalidRequestError, match="parent_id is None"):
                store.append(session.id, users("x"), parent_id=None, after=after)

    def test_where_no_checkpoint_is_active_there_are_no_messages_to_keep(self, store: Store) -> None:
        session = emptied(store)
        for after in (1, -1):
            with nothing_changes(store), pytest.raises(InvalidRequestError, match="has 0 messages"):
                store.append(session.id, users("x"), after=after)
        step = store.append(session.id, users("x"), after=0)
        assert (step.parent_id, said(store, step.id)) == (None, "x")

    def test_a_message_is_new_though_it_stands_where_another_did(self, store: Store, clock: Clock) -> None:
        session = store.create_session("", messages=users("ab"))
        begun = summary(store, session.id).last_message_at
        clock.now += SECOND
        store.append(session.id, [], after=1)
        assert summary(store, session.id).last_message_at == begun
        step = store.append(session.id, users("b"), after=1)
        assert summary(store, session.id).last_message_at == step.created_at

    # -- again, and at once

    def test_it_is_repeated_with_its_id_as_any_write_and_never_after_another_number(self, store: Store) -> None:
        session = store.create_session("", messages=users("abc"))
        step = store.append(session.id, users("x"), after=1, id=missing())
        store.append(session.id, users("y"))
        with nothing_changes(store):
            assert store.append(session.id, users("x"), after=1, id=step.id) == step
            for other in (None, 0, 2, -2, 100):
                with pytest.raises(ConflictError):
                    store.append(session.id, users("x"), after=other, id=step.id)
        plain = store.append(session.id, users("x"), id=missing())
        with nothing_changes(store), pytest.raises(ConflictError):
            store.append(session.id, users("x"), after=5, id=plain.id)

    def test_a_lost_race_is_told_before_a_number_that_is_too_large(self, store: Store) -> None:
        session = store.create_session("", messages=users("a"))
        with nothing_changes(store), pytest.raises(ConflictError):
            store.append(session.id, [], after=9, if_active=missing())

    def test_the_messages_are_those_of_what_is_active_when_it_is_written(self, store: Store) -> None:
        """Each of many that replace the last message replaces that of the one before it."""
        session = store.create_session("", messages=users("abc"))
        calls = [partial(store.append, session.id, users(text), after=-1) for text in "stuvwxyz"]
        calls += [partial(store.append, session.id, users("!"))] * 8
        assert conflicts(together(calls)) == 0
        line = [store.get_checkpoint(id) for id in ids(store.list_checkpoints(session.id))]
        assert [step.parent_id for step in line[1:]] == [step.id for step in line[:-1]]
        texts = [letters(step.state.messages) for step in line]
        for before, text in pairwise(texts):
            assert text[:-1] == (before if text[-1] == "!" else before[:-1])
        assert sorted(text[-1] for text in texts[1:]) == sorted("stuvwxyz" + 8 * "!")
        assert len(texts[-1]) == 3 + 8

    def test_of_many_that_cut_the_same_checkpoint_one_wins(self, store: Store) -> None:
        session = store.create_session("", messages=users("abc"))
        expected = active(session).id
        calls = [partial(store.append, session.id, users("x"), after=n, if_active=expected) for n in (0, 1, 2, -1)]
        assert conflicts(together(calls)) == 3
        assert store.get_session(session.id).revision == 2
