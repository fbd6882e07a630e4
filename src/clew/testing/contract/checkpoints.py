"""Writing and reading checkpoints, moving between them, and lists of them."""

from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clew.errors import InvalidRequestError, NotFoundError
from clew.model import ACTIVE, KEEP, Active, Label, Message
from clew.store import Store
from clew.testing.contract.base import (
    Contract,
    active,
    checkpoint_pages,
    ids,
    letters,
    missing,
    nothing_changes,
    said,
    summary,
    user,
    users,
)
from clew.testing.profiles import examples

CONVERSATION: list[Message] = [
    {"role": "system", "content": "You are helpful."},
    {"role": "developer", "content": "Be brief."},
    {"role": "user", "content": [{"type": "text", "text": "Which files are there?"}]},
    {
        "role": "assistant",
        "content": None,
        "tool_calls": [{"id": "call_1", "type": "function", "function": {"name": "ls", "arguments": '{"path": "."}'}}],
    },
    {"role": "tool", "tool_call_id": "call_1", "name": "ls", "content": "README.md"},
    {"role": "assistant", "content": "One: README.md.", "usage": {"total_tokens": 12}, "cost": 0.1, "unknown": {}},
    {"no role": True},
    {},
]
"""Messages of every role, with keys of other programs and without any."""

LISTS = ["", "abcdef", "abcd", "abcdef", "abXdef", "Xabcd", "bcd", "abcdabcd", "dcba", "aaaa", "xyz", "abc"]
"""Full lists in which each is something else to the one before: longer, cut, edited, shifted, doubled, unrelated."""


class CheckpointContract(Contract):
    """Every checkpoint keeps the conversation it was given, whatever is written before or after it."""

    # -- full lists

    def test_a_checkpoint_keeps_its_parent_and_becomes_active(self, store: Store) -> None:
        session = store.create_session("", messages=users("a"))
        root = active(session)
        step = store.create_checkpoint(session.id, users("ab"), parent_id=root.id, metadata={"k": 1}, label="first")
        assert (step.session_id, step.parent_id, step.label) == (session.id, root.id, "first")
        assert step.state.messages == users("ab")
        assert step.state.metadata == {"k": 1}
        assert store.get_checkpoint(step.id) == step
        assert store.get_active_checkpoint(session.id) == step
        assert store.get_session(session.id).active_checkpoint == step

    def test_a_checkpoint_without_a_parent_is_a_new_root(self, store: Store) -> None:
        session = store.create_session("", messages=users("a"))
        full = store.create_checkpoint(session.id, users("ab"))
        added = store.append(session.id, users("c"), parent_id=None)
        assert (full.parent_id, added.parent_id) == (None, None)
        assert (said(store, full.id), said(store, added.id)) == ("ab", "c")
        assert store.get_active_checkpoint(session.id).id == added.id

    def test_active_may_be_the_parent_of_a_full_list(self, store: Store) -> None:
        session = store.create_session("", messages=users("a"))
        step = store.create_checkpoint(session.id, users("xy"), parent_id=ACTIVE)
        assert step.parent_id == active(session).id
        assert said(store, step.id) == "xy"

    @pytest.mark.parametrize("chain", [True, False], ids=["each after the one before", "each after the root"])
    def test_any_full_list_may_follow_any_other(self, store: Store, chain: bool) -> None:
        session = store.create_session("")
        parent, written = active(session).id, []
        for text in LISTS + LISTS[::-1]:
            step = store.create_checkpoint(session.id, users(text), parent_id=parent)
            written.append((step.id, text))
            parent = step.id if chain else parent
        assert [(id, said(store, id)) for id, _ in written] == written
        assert [item.message_count for item in store.list_checkpoints(session.id)][1:] == [len(t) for _, t in written]

    @examples(15)
    @given(steps=st.lists(st.tuples(st.text("ab", max_size=5), st.integers(0, 9), st.booleans()), max_size=8))
    def test_checkpoints_of_any_tree_read_back_as_written(
        self, store: Store, steps: list[tuple[str, int, bool]]
    ) -> None:
        session = store.create_session("")
        written = [(active(session).id, "")]
        for text, choice, appends in steps:
            parent, before = written[choice % len(written)]
            write = store.append if appends else store.create_checkpoint
            step = write(session.id, users(text), parent_id=parent)
            assert step.parent_id == parent
            written.append((step.id, before + text if appends else text))
        assert [(id, said(store, id)) for id, _ in written] == written

    def test_an_agent_may_hand_over_its_growing_list_at_every_step(self, store: Store) -> None:
        session = store.create_session("")
        conversation: list[Message] = []
        parent, written = active(session).id, []
        for number in range(30):
            conversation += [user(f"question {number}"), {"role": "assistant", "content": f"answer {number}"}]
            if number % 10 == 9:
                conversation[number]["content"] = "edited in place"
            parent = store.create_checkpoint(session.id, conversation, parent_id=parent).id
            written.append((parent, [dict(message) for message in conversation]))
        for id, messages in written:
            assert store.get_checkpoint(id).state.messages == messages

    def test_a_full_list_is_kept_whole_where_the_parent_holds_the_same_but_for_types(self, store: Store) -> None:
        session = store.create_session("")
        parent = active(session).id
        for value in (1, 1.0, True, 0, 0.0, -0.0, False, "1", [1], (1,), [1.0], {"a": 1, "b": 2}, {"b": 2, "a": 1}):
            parent = store.create_checkpoint(session.id, [{"v": value}, {"w": 0}], parent_id=parent).id
            expected = [1] if value == (1,) else value
            assert repr(store.get_checkpoint(parent).state.messages) == repr([{"v": expected}, {"w": 0}])

    # -- append

    def test_append_adds_to_the_active_checkpoint(self, store: Store) -> None:
        session = store.create_session("", messages=users("a"))
        second = store.append(session.id, users("b"))
        third = store.append(session.id, users("cd"))
        assert (second.parent_id, third.parent_id) == (active(session).id, second.id)
        assert [said(store, id) for id in ids(store.list_checkpoints(session.id))] == ["a", "ab", "abcd"]
        assert store.get_active_checkpoint(session.id) == third

    def test_append_adds_to_the_checkpoint_it_is_told(self, store: Store) -> None:
        session = store.create_session("", messages=users("a"))
        store.append(session.id, users("b"))
        branch = store.append(session.id, users("c"), parent_id=active(session).id)
        assert branch.parent_id == active(session).id
        assert said(store, branch.id) == "ac"
        assert said(store, store.append(session.id, users("d")).id) == "acd"

    def test_append_may_add_nothing(self, store: Store) -> None:
        session = store.create_session("", messages=users("a"))
        step = store.append(session.id, [], metadata={"k": 1})
        assert (step.parent_id, said(store, step.id)) == (active(session).id, "a")
        assert said(store, store.append(session.id, users("b")).id) == "ab"

    def test_many_branches_may_grow_from_one_checkpoint(self, store: Store) -> None:
        session = store.create_session("", messages=users("ab"))
        branches = [store.append(session.id, users(text), parent_id=active(session).id) for text in "cdef"]
        grown = [store.append(session.id, users("x"), parent_id=branch.id) for branch in reversed(branches)]
        assert [said(store, step.id) for step in branches] == ["abc", "abd", "abe", "abf"]
        assert [said(store, step.id) for step in grown] == ["abfx", "abex", "abdx", "abcx"]

    def test_a_branch_of_a_branch_of_a_branch_reads_back(self, store: Store) -> None:
        session = store.create_session("")
        tip, expected = active(session).id, ""
        for number in range(120):
            letter = chr(ord("a") + number % 26)
            store.append(session.id, users("left"), parent_id=tip)
            tip = store.append(session.id, users(letter), parent_id=tip).id
            expected += letter
        assert said(store, tip) == expected
        assert letters(store.get_messages(tip, start=50, stop=-50)) == expected[50:-50]

    def test_append_keeps_the_metadata_of_the_parent_unless_given_another(self, store: Store) -> None:
        session = store.create_session("", metadata={"k": 1})
        root = active(session).id
        steps = [
            store.append(session.id, []),
            store.append(session.id, [], metadata=KEEP),
            store.append(session.id, [], metadata={"k": 2}),
            store.append(session.id, []),
            store.append(session.id, [], metadata=None),
            store.append(session.id, []),
            store.append(session.id, [], parent_id=root),
            store.append(session.id, [], parent_id=None),
        ]
        metadata = [store.get_checkpoint(step.id).state.metadata for step in steps]
        assert metadata == [{"k": 1}, {"k": 1}, {"k": 2}, {"k": 2}, None, None, {"k": 1}, None]
        assert [step.state.metadata for step in steps] == metadata

    def test_a_full_list_does_not_take_over_metadata(self, store: Store) -> None:
        session = store.create_session("", metadata={"k": 1})
        step = store.create_checkpoint(session.id, [], parent_id=active(session).id)
        assert store.get_checkpoint(step.id).state.metadata is None

    def test_metadata_lasts_through_a_chain_of_checkpoints(self, store: Store) -> None:
        session = store.create_session("", messages=users("a"))
        trimmed: list[dict[str, Any] | None] = [None, {"trimmed": 5}, {"trimmed": 8, "other": [1]}]
        for metadata in trimmed:
            store.create_checkpoint(
                session.id, users("ab"), metadata=metadata, parent_id=store.get_active_checkpoint(session.id).id
            )
            assert store.get_active_checkpoint(session.id).state.metadata == metadata
        found = [store.get_checkpoint(id).state.metadata for id in ids(store.list_checkpoints(session.id))]
        assert found == [None, *trimmed]

    # -- reading

    def test_messages_of_every_role_and_none_are_kept_as_they_are(self, store: Store) -> None:
        session = store.create_session("", messages=CONVERSATION)
        again = store.create_checkpoint(session.id, CONVERSATION)
        for checkpoint_id in (active(session).id, again.id):
            assert repr(store.get_checkpoint(checkpoint_id).state.messages) == repr(CONVERSATION)
            assert repr(store.get_messages(checkpoint_id)) == repr(CONVERSATION)

    def test_a_checkpoint_may_have_no_messages(self, store: Store) -> None:
        session = store.create_session("", messages=users("a"))
        step = store.create_checkpoint(session.id, [], parent_id=active(session).id)
        assert store.get_checkpoint(step.id).state.messages == []
        assert store.get_messages(step.id) == []
        assert summary(store, session.id).message_count == 0

    def test_parents_link_a_checkpoint_to_its_root(self, store: Store) -> None:
        session = store.create_session("")
        line = [active(session).id, *(store.append(session.id, users(text)).id for text in "abc")]
        assert [store.get_checkpoint(id).parent_id for id in line] == [None, *line[:-1]]
        assert [item.parent_id for item in store.list_checkpoints(session.id)] == [None, *line[:-1]]

    def test_a_state_that_a_write_returned_stays_what_was_written(self, store: Store) -> None:
        session = store.create_session("", messages=users("a"), metadata={"k": 1})
        step = store.append(session.id, users("b"))
        full = store.create_checkpoint(session.id, users("xyz"), parent_id=step.id)
        fork = store.fork_session(session.id, checkpoint_id=step.id)
        store.append(session.id, users("c"), parent_id=step.id, metadata={"k": 2})
        store.update_session(session.id, title="changed")
        assert [letters(state.state.messages) for state in (active(session), step, full, active(fork))] == [
            "a", "ab", "xyz", "ab",
        ]  # fmt: skip
        assert (step.state.metadata, full.state.metadata) == ({"k": 1}, None)

    def test_a_state_that_was_read_stays_readable_after_a_purge(self, store: Store) -> None:
        session = store.create_session("", messages=users("ab"), metadata={"k": 1})
        read = [store.get_checkpoint(active(session).id), active(store.get_session(session.id))]
        store.purge_session(session.id)
        assert [(letters(checkpoint.state.messages), checkpoint.state.metadata) for checkpoint in read] == [
            ("ab", {"k": 1})
        ] * 2

    def test_the_bytes_of_a_state_are_one_json_array(self, store: Store) -> None:
        session = store.create_session("", messages=[{"b": 1, "a": ["é", None]}, {}])
        assert store.get_checkpoint(active(session).id).state.messages_json == '[{"b":1,"a":["é",null]},{}]'.encode()

    # -- slices

    def test_a_slice_means_what_it_means_in_python(self, store: Store) -> None:
        session = store.create_session("", messages=users("ab"))
        store.append(session.id, users("c"))
        store.append(session.id, users("dx"))
        branch = store.append(session.id, users("d"), parent_id=ids(store.list_checkpoints(session.id))[1])
        store.append(session.id, users("y"))
        tip = store.append(store.fork_session(session.id, checkpoint_id=branch.id).id, users("e"))
        whole = users("abcde")
        bounds = [None, *range(-7, 8), 2**80, -(2**80)]
        for start in bounds:
            for stop in bounds:
                assert store.get_messages(tip.id, start=start, stop=stop) == whole[start:stop], (start, stop)

    def test_a_bound_that_is_no_whole_number_is_refused(self, store: Store) -> None:
        root = active(store.create_session("", messages=users("ab"))).id
        wrong: list[Any] = [True, "1", 1.0, [], b"1"]
        for value in wrong:
            with pytest.raises(InvalidRequestError, match="start"):
                store.get_messages(root, start=value)
            with pytest.raises(InvalidRequestError, match="stop"):
                store.get_messages(root, stop=value)

    def test_a_slice_of_a_long_conversation_is_its_slice(self, store: Store) -> None:
        session = store.create_session("", messages=[{"n": number} for number in range(2_000)])
        root = active(session).id
        assert store.get_messages(root, start=-2) == [{"n": 1_998}, {"n": 1_999}]
        assert [message["n"] for message in store.get_messages(root, start=60, stop=70)] == list(range(60, 70))
        assert len(store.get_checkpoint(root).state.messages) == 2_000

    def test_a_slice_is_read_of_the_active_checkpoint_or_of_a_label(self, store: Store) -> None:
        session, other = store.create_session("", messages=users("abc")), store.create_session("")
        store.append(session.id, users("de"), label="point/é")
        store.append(session.id, users("f"))
        for spelled in (session.id, str(session.id)):
            assert letters(store.get_messages(ACTIVE, session_id=spelled)) == "abcdef"
            assert letters(store.get_messages(ACTIVE, session_id=spelled, start=-2)) == "ef"
            assert letters(store.get_messages(Label("point/é"), session_id=spelled, start=1, stop=-1)) == "bcd"
        store.set_active_checkpoint(session.id, active(session).id)
        assert letters(store.get_messages(ACTIVE, session_id=session.id, start=-9)) == "abc"
        assert store.get_messages(ACTIVE, session_id=other.id) == []
        wrong: list[tuple[Label | Active, UUID]] = [
            (Label("point"), session.id), (Label("point/é"), other.id), (ACTIVE, missing()),
        ]  # fmt: skip
        for place, id in wrong:
            with pytest.raises(NotFoundError):
                store.get_messages(place, session_id=id)
        store.delete_checkpoints(other.id, active(other).id)
        with pytest.raises(NotFoundError, match="no active checkpoint"):
            store.get_messages(ACTIVE, session_id=other.id)

    def test_a_label_is_of_a_session_and_an_id_needs_none(self, store: Store) -> None:
        session = store.create_session("", messages=users("abc"))
        nowhere: list[Label | Active] = [ACTIVE, Label("point")]
        for place in nowhere:
            with pytest.raises(InvalidRequestError, match="session_id is missing"):
                store.get_messages(place)
        with pytest.raises(InvalidRequestError, match="session_id"):
            store.get_messages(active(session).id, session_id=session.id)
        with pytest.raises(InvalidRequestError, match="session_id"):
            store.get_messages(ACTIVE, session_id="nonsense")

    # -- rewinding

    def test_a_session_resumes_from_the_checkpoint_that_was_set(self, store: Store) -> None:
        session = store.create_session("", messages=users("a"))
        root, second = active(session), store.append(session.id, users("b"))
        third = store.append(session.id, users("c"))
        rewound = store.set_active_checkpoint(session.id, root.id)
        assert active(rewound) == root
        assert store.get_session(session.id) == rewound
        assert store.get_active_checkpoint(session.id) == root
        assert ids(store.list_checkpoints(session.id)) == [root.id, second.id, third.id]
        assert active(store.set_active_checkpoint(session.id, third.id)) == store.get_checkpoint(third.id)

    def test_a_write_after_a_rewind_goes_on_from_there_and_is_active(self, store: Store) -> None:
        session = store.create_session("", messages=users("a"))
        second = store.append(session.id, users("b"))
        store.set_active_checkpoint(session.id, active(session).id)
        branch = store.append(session.id, users("c"))
        assert (branch.parent_id, said(store, branch.id)) == (active(session).id, "ac")
        assert store.get_active_checkpoint(session.id).id == branch.id
        assert said(store, second.id) == "ab"

    # -- lists

    def test_checkpoints_are_listed_in_order_of_creation_with_their_counts(self, store: Store) -> None:
        session = store.create_session("", messages=users("a"))
        made = [
            active(session),
            store.append(session.id, users("bc"), label="two"),
            store.create_checkpoint(session.id, []),
        ]
        page = store.list_checkpoints(session.id)
        assert (ids(page), page.total, page.next_cursor) == ([step.id for step in made], 3, None)
        assert [item.message_count for item in page] == [1, 3, 0]
        for item, step in zip(page, made, strict=True):
            for field in set(type(item).__struct_fields__) & set(type(step).__struct_fields__):
                assert getattr(item, field) == getattr(step, field), field

    def test_limit_offset_and_cursor_cut_pages_out_of_the_list_of_checkpoints(self, store: Store) -> None:
        session = store.create_session("", messages=users("a"))
        made = [active(session).id, *(store.append(session.id, users(text)).id for text in "bcde")]
        for limit in range(7):
            for offset in range(7):
                page = store.list_checkpoints(session.id, limit=limit, offset=offset)
                assert (ids(page), page.total) == (made[offset : offset + limit], 5)
            if limit:
                assert [id for page in checkpoint_pages(store, session.id, limit) for id in ids(page)] == made
        assert ids(store.list_checkpoints(session.id, limit=2**63 - 1, offset=4)) == made[4:]

    def test_a_page_of_checkpoints_holds_100_unless_told_otherwise(self, store: Store) -> None:
        session = store.create_session("")
        for _ in range(100):
            store.append(session.id, [])
        page = store.list_checkpoints(session.id)
        assert (len(page), page.total) == (100, 101)
        assert len(store.list_checkpoints(session.id, cursor=page.next_cursor)) == 1

    def test_checkpoints_written_between_pages_come_at_the_end(self, store: Store) -> None:
        session = store.create_session("")
        made = [active(session).id, store.append(session.id, []).id]
        page = store.list_checkpoints(session.id, limit=1)
        made += [store.append(session.id, []).id, store.create_checkpoint(session.id, []).id]
        store.set_active_checkpoint(session.id, made[0])
        assert ids(page) + ids(store.list_checkpoints(session.id, cursor=page.next_cursor)) == made

    def test_checkpoints_are_filtered_by_top_level_keys_of_their_metadata(self, store: Store) -> None:
        session = store.create_session("", metadata={"n": 1, "k": {"a": [1]}})
        made = [active(session).id]
        made += [store.append(session.id, [], metadata=metadata).id for metadata in ({"n": True}, {"n": 1}, [1], None)]
        filters: list[tuple[dict[str, Any], list[int]]] = [
            ({"n": 1}, [0, 2]), ({"n": True}, [1]), ({"k": {"a": [1]}}, [0]), ({"n": 1, "k": None}, []),
            ({}, [0, 1, 2, 3, 4]),
        ]  # fmt: skip
        for wanted, expected in filters:
            assert ids(store.list_checkpoints(session.id, metadata=wanted)) == [made[index] for index in expected]
        page = store.list_checkpoints(session.id, metadata={"n": 1}, limit=1)
        assert ids(store.list_checkpoints(session.id, metadata={"n": 1}, cursor=page.next_cursor)) == [made[2]]

    def test_a_checkpoint_of_another_session_cannot_be_the_parent(self, store: Store) -> None:
        session, other = store.create_session(""), store.create_session("", messages=users("ab"))
        full = store.create_checkpoint(other.id, users("ab"))
        for parent in (active(other).id, full.id, missing()):
            with nothing_changes(store), pytest.raises(NotFoundError):
                store.create_checkpoint(session.id, users("abc"), parent_id=parent)
            with nothing_changes(store), pytest.raises(NotFoundError):
                store.append(session.id, users("c"), parent_id=parent)
