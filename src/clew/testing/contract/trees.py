"""The tree of a session: children, ancestors and branches; lists of checkpoints in every order, and searches."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clew.errors import InvalidRequestError, NotFoundError
from clew.model import Checkpoint, CheckpointSummary
from clew.store import Store
from clew.testing.clock import SECOND, Clock, moment
from clew.testing.contract.base import (
    EVERYTHING,
    Contract,
    active,
    attached,
    by_ids,
    checkpoint_pages,
    emptied,
    ids,
    labels,
    missing,
    users,
)
from clew.testing.profiles import examples
from clew.testing.values import EDGES, json_values, texts

ORDERS: tuple[Any, ...] = ("created", "-created", "label", "-label")

LABELS = ["b", "a", "aa", "B", "é", "\uffff", "\U0001f9f6", "a b", "%", "_", "10", "9"]
"""Labels whose order by code point is that of no dictionary, and not that of UTF-16."""

ODD_KEYS = [
    "",
    "a.b",
    "a",
    "$",
    '"',
    "'",
    "[0]",
    "a[0]",
    "*",
    "\\",
    "\0",
    "\ud800",
    "é",
    "\U0001f9f6",
    "__proto__",
    " ",
]
"""Keys that a path into JSON would misread."""


class TreeContract(Contract):
    """Parents, children and branches are those that were written; a list in any order is whole and repeats nothing."""

    # -- what a summary says

    def test_checkpoints_of_the_same_messages_have_the_same_chain(self, store: Store) -> None:
        session = store.create_session("", messages=users("ab"))
        store.append(session.id, users("c"), metadata={"k": 1})
        other = store.create_session("other", messages=users("abc"))
        store.create_checkpoint(other.id, users("acb"))
        store.create_checkpoint(other.id, [])
        chains = [item.chain for item in (*store.list_checkpoints(session.id), *store.list_checkpoints(other.id))]
        assert chains[1] == chains[2]
        assert len(set(chains)) == 4
        assert chains[-1] == "0" * 32

    # -- children, ancestry, branches

    def test_children_are_the_checkpoints_written_upon_one_oldest_first(self, store: Store) -> None:
        session = store.create_session("", messages=users("a"))
        root = active(session).id
        first = store.append(session.id, users("b"))
        below = store.append(session.id, users("c"))
        second = store.create_checkpoint(session.id, users("x"), parent_id=root, label="second")
        third = store.append(session.id, [], parent_id=root)
        listed = {item.id: item for item in store.list_checkpoints(session.id)}
        assert store.children(root) == [listed[step.id] for step in (first, second, third)]
        assert store.children(first.id) == [listed[below.id]]
        assert store.children(third.id) == []

    def test_another_root_and_a_fork_are_nobodys_children(self, store: Store) -> None:
        session = store.create_session("", messages=users("a"))
        store.create_checkpoint(session.id, users("ab"))
        store.append(store.fork_session(session.id, checkpoint_id=active(session).id).id, users("b"))
        store.copy_session(session.id)
        assert store.children(active(session).id) == []

    def test_the_ancestry_leads_from_a_checkpoint_to_its_root(self, store: Store) -> None:
        session = store.create_session("", messages=users("a"))
        line = [active(session).id, *(store.append(session.id, users(text)).id for text in "bcd")]
        branch = store.append(session.id, users("x"), parent_id=line[1])
        other = store.create_checkpoint(session.id, users("ab"))
        listed = {item.id: item for item in store.list_checkpoints(session.id)}
        assert store.ancestry(line[3]) == [listed[id] for id in reversed(line)]
        assert by_ids(store.ancestry(branch.id)) == [branch.id, line[1], line[0]]
        assert by_ids(store.ancestry(line[0])) == [line[0]]
        assert by_ids(store.ancestry(other.id)) == [other.id]

    def test_the_ancestry_in_a_fork_ends_at_the_root_of_the_fork(self, store: Store) -> None:
        session = store.create_session("", messages=users("a"))
        fork = store.fork_session(session.id)
        step = store.append(fork.id, users("b"))
        assert by_ids(store.ancestry(step.id)) == [step.id, active(fork).id]

    def test_the_ancestry_of_a_deep_line_is_whole(self, store: Store) -> None:
        session = store.create_session("")
        line = [active(session).id, *(store.append(session.id, []).id for _ in range(300))]
        assert by_ids(store.ancestry(line[-1])) == line[::-1]

    def test_branches_are_the_checkpoints_without_children_newest_first(self, store: Store) -> None:
        session = store.create_session("", messages=users("a"))
        root = active(session).id
        assert by_ids(store.branches(session.id)) == [root]
        left = store.append(session.id, users("b"))
        right = store.append(session.id, users("c"), parent_id=root)
        other = store.create_checkpoint(session.id, users("x"), label="other")
        tip = store.append(session.id, users("d"), parent_id=left.id)
        listed = {item.id: item for item in store.list_checkpoints(session.id)}
        assert store.branches(session.id) == [listed[step.id] for step in (tip, other, right)]

    def test_a_session_may_have_many_branches(self, store: Store) -> None:
        session = store.create_session("")
        root = active(session).id
        made = [store.append(session.id, [{"n": number}], parent_id=root).id for number in range(120)]
        assert by_ids(store.branches(session.id)) == made[::-1]
        assert by_ids(store.children(root)) == made

    def test_branches_do_not_depend_on_the_clock(self, store: Store, clock: Clock) -> None:
        session = store.create_session("")
        root = active(session).id
        clock.now -= SECOND
        times = (3, 1, 2, 1)
        made = [store.append(session.id, [], parent_id=root, created_at=moment(time)).id for time in times]
        assert by_ids(store.branches(session.id)) == made[::-1]
        assert by_ids(store.children(root)) == made

    def test_a_session_without_checkpoints_has_no_branches(self, store: Store) -> None:
        assert store.branches(emptied(store).id) == []

    # -- order

    @pytest.fixture
    def several(self, store: Store, clock: Clock) -> list[UUID]:
        """Three sessions written in turns, with labels, metadata, and times that tie between them."""
        sessions = [store.create_session(title, metadata={"n": 0}).id for title in "abc"]
        for number, label in enumerate([*LABELS, None, None]):
            clock.tick = 0 if number % 3 else SECOND
            store.append(sessions[number % 3], [], label=label, metadata={"n": number % 2})
        store.append(sessions[0], [], label="é", created_at=moment(SECOND))
        return sessions

    def test_labels_are_listed_by_code_point(self, store: Store) -> None:
        session = store.create_session("")
        for label in LABELS:
            store.append(session.id, [], label=label)
        store.append(session.id, [])
        assert labels(store.list_checkpoints(session.id, order="label")) == sorted(LABELS)
        assert labels(store.list_checkpoints(session.id, order="-label")) == sorted(LABELS, reverse=True)

    def test_the_newest_checkpoints_come_first_where_the_order_says_so(self, store: Store, clock: Clock) -> None:
        clock.tick = 0
        session = store.create_session("")
        made = [active(session).id, *(store.append(session.id, []).id for _ in range(3))]
        made.append(store.append(session.id, [], created_at=moment(0)).id)
        assert ids(store.list_checkpoints(session.id, order="-created")) == made[::-1]
        assert ids(store.list_checkpoints(session.id, order="-created", limit=2, offset=1)) == made[-2:-4:-1]

    def test_the_newest_label_is_found_in_one_item(self, store: Store) -> None:
        session = store.create_session("")
        for label in ("1ef", "1ee", "1f0"):
            store.append(session.id, [], label=label)
        assert labels(store.list_checkpoints(session.id, order="-label", limit=1)) == ["1f0"]
        assert labels(store.list_checkpoints(session.id, order="-label", before_label="1f0", limit=1)) == ["1ef"]

    @pytest.mark.parametrize("order", ORDERS)
    def test_several_sessions_are_listed_as_one(self, store: Store, several: list[UUID], order: Any) -> None:
        found = store.list_checkpoints(several, order=order).items
        expected = [item for id in several for item in store.list_checkpoints(id)]
        if "label" in order:
            expected = [item for item in expected if item.label is not None]
        assert sorted(found, key=_by_id) == sorted(expected, key=_by_id)
        keys = [item.label if "label" in order else item.created_at for item in found]
        assert keys == sorted(keys, reverse=order.startswith("-"))  # type: ignore[type-var]
        assert store.list_checkpoints((str(id) for id in several), order=order).items == found

    @pytest.mark.parametrize("order", ["created", "label"])
    def test_a_minus_turns_an_order_round(self, store: Store, several: list[UUID], order: Any) -> None:
        for sessions in (several, several[:1]):
            found = store.list_checkpoints(sessions, order=order).items
            turned: Any = f"-{order}"
            assert store.list_checkpoints(sessions, order=turned).items == found[::-1]

    def test_of_several_sessions_equal_times_keep_the_order_within_each(self, store: Store, clock: Clock) -> None:
        clock.tick = 0
        sessions = [store.create_session(title) for title in "ab"]
        for _ in range(4):
            for session in sessions:
                store.append(session.id, [])
        found = store.list_checkpoints([session.id for session in sessions]).items
        for session in sessions:
            own = [item for item in found if item.session_id == session.id]
            assert own == store.list_checkpoints(session.id).items
        for order in ORDERS[:2]:
            whole = store.list_checkpoints([session.id for session in sessions], order=order).items
            for limit in (1, 2, 3):
                pages = checkpoint_pages(store, [session.id for session in sessions], limit, order=order)
                assert [item for page in pages for item in page] == whole

    def test_a_session_named_twice_is_listed_once(self, store: Store, several: list[UUID]) -> None:
        first, second, _ = several
        twice: list[Any] = [first, str(first).upper(), second, first]
        assert store.list_checkpoints(twice) == store.list_checkpoints([first, second])
        assert store.list_checkpoints([first, first]) == store.list_checkpoints(first)

    def test_no_session_lists_nothing(self, store: Store, several: list[UUID]) -> None:
        for order in ORDERS:
            page = store.list_checkpoints([], order=order, with_metadata=True, with_attachments="")
            assert (page.items, page.next_cursor) == ([], None)

    def test_a_missing_session_among_others_is_not_found(self, store: Store, several: list[UUID]) -> None:
        for order in ORDERS:
            id = missing()
            with pytest.raises(NotFoundError, match=str(id)):
                store.list_checkpoints([*several, id], order=order)

    def test_what_is_no_order_is_refused(self, store: Store) -> None:
        session = store.create_session("")
        wrong: list[Any] = ["", "Created", "+created", "--label", "id", None, 1, ["label"], b"label", True]
        for order in wrong:
            with pytest.raises(InvalidRequestError, match="order"):
                store.list_checkpoints(session.id, order=order)

    # -- before a label

    def test_labels_before_one_are_listed_in_any_order(self, store: Store, several: list[UUID]) -> None:
        for order in ORDERS:
            whole = [item for item in store.list_checkpoints(several, order=order) if item.label is not None]
            for before in ("a", "aa", "é", "\uffff", "\U0001f9f6", "zzz", " "):
                found = store.list_checkpoints(several, order=order, before_label=before)
                assert found.items == [item for item in whole if _label(item) < before], (order, before)

    # -- metadata

    def test_any_value_of_metadata_is_found_and_no_other(self, store: Store) -> None:
        session = store.create_session("")
        made = [(value, store.append(session.id, [], metadata={"k": value}).id) for value in EDGES]
        for wanted, _ in made:
            expected = [id for value, id in made if same(value, wanted)]
            assert ids(store.list_checkpoints(session.id, metadata={"k": wanted})) == expected, wanted
            assert ids(store.find_checkpoints(metadata={"k": wanted})) == expected, wanted

    def test_any_text_is_a_key_of_metadata(self, store: Store) -> None:
        session = store.create_session("")
        made = [store.append(session.id, [], metadata={key: {"b": 1}, "other": key}).id for key in ODD_KEYS]
        for key, id in zip(ODD_KEYS, made, strict=True):
            assert ids(store.list_checkpoints(session.id, metadata={key: {"b": 1}})) == [id], key
            assert ids(store.list_checkpoints(session.id, metadata={key: {"b": 1}, "other": key})) == [id]
            assert ids(store.list_checkpoints(session.id, metadata={key: {"b": 2}})) == []
            assert ids(store.find_checkpoints(metadata={key: {"b": 1}})) == [id]

    @examples(10)
    @given(
        stored=st.lists(st.one_of(json_values(), st.dictionaries(texts(), json_values(), max_size=2)), max_size=4),
        key=texts(),
        value=json_values(),
    )
    def test_a_filter_finds_exactly_the_metadata_that_has_its_keys(
        self, store: Store, stored: list[Any], key: str, value: Any
    ) -> None:
        session = store.create_session("")
        stored = [*stored, {key: value}, {key: [value]}, {"other": value, key: value}]
        made = [(item, store.append(session.id, [], metadata=item).id) for item in stored]
        for item in stored:
            wanted = item if isinstance(item, dict) else {key: item}
            expected = [id for held, id in made if has(held, wanted)]
            if wanted:
                assert ids(store.list_checkpoints(session.id, metadata=wanted)) == expected

    def test_metadata_is_there_where_a_list_was_asked_for_it(self, store: Store) -> None:
        noted: list[Any] = [{"k": 1}, None, [1, "x"], 0, "", False, {}, {"big": "x" * 70_000}, {"\ud800": "\0"}]
        session = store.create_session("", metadata="root")
        for metadata in noted:
            store.append(session.id, [], metadata=metadata)
        assert {item.metadata for item in store.list_checkpoints(session.id)} == {None}
        shown = [item.metadata for item in store.list_checkpoints(session.id, with_metadata=True)]
        assert repr(shown) == repr(["root", *noted])
        newest = store.list_checkpoints(session.id, order="-created", with_metadata=True, limit=2)
        assert [item.metadata for item in newest] == [noted[-1], noted[-2]]

    # -- attachments

    def test_attachments_are_there_where_a_list_was_asked_for_them(self, store: Store) -> None:
        session = store.create_session("")
        given = [{}, {"a/1": b"1", "a/2": b"2", "b": b""}, {"a%": b"3", "A": b"4"}]
        made = [store.append(session.id, [], attachments=items).id for items in given]
        assert {item.attachments is None for item in store.list_checkpoints(session.id)} == {True}
        for prefix in ("", "a", "a/", "a%", "A", "missing"):
            page = store.list_checkpoints(session.id, with_attachments=prefix)
            expected = store.get_attachments(made, prefix=prefix)
            assert {item.id: item.attachments for item in page} == {active(session).id: {}, **expected}

    def test_metadata_and_attachments_come_with_every_order_and_filter(self, store: Store, several: list[UUID]) -> None:
        for id in several:
            store.attach(id, {"n": str(id).encode()})
        for order in ORDERS:
            page = store.list_checkpoints(
                several, order=order, metadata={"n": 1}, before_label="zz", with_metadata=True, with_attachments=""
            )
            assert len(page) > 2
            for item in page:
                assert item.metadata == {"n": 1} == store.get_checkpoint(item.id).state.metadata
                assert item.attachments == attached(store, item.id)

    # -- totals and pages

    def test_the_total_of_checkpoints_is_there_where_nothing_filters(self, store: Store, several: list[UUID]) -> None:
        everything = len(store.list_checkpoints(several, limit=EVERYTHING))
        pages = [
            store.list_checkpoints(several, limit=1),
            store.list_checkpoints(several, order="-created", offset=3),
            store.list_checkpoints(several, with_metadata=True, with_attachments=""),
            store.list_checkpoints(several, metadata={}),
            store.list_checkpoints(several, limit=1, cursor=store.list_checkpoints(several, limit=1).next_cursor),
        ]
        assert [page.total for page in pages] == [everything] * 5

    @pytest.mark.parametrize("order", ORDERS)
    def test_cursors_lead_through_the_whole_list_of_checkpoints(
        self, store: Store, several: list[UUID], order: Any
    ) -> None:
        filters: list[dict[str, Any]] = [
            {}, {"metadata": {"n": 1}}, {"before_label": "b"}, {"metadata": {"n": 0}, "before_label": "é"},
        ]  # fmt: skip
        for sessions in (several, several[:1]):
            for arguments in filters:
                whole = store.list_checkpoints(sessions, order=order, **arguments).items
                for limit in (1, 2, 5, len(whole) + 1):
                    pages = checkpoint_pages(store, sessions, limit, order=order, **arguments)
                    assert [item for page in pages for item in page] == whole
                    assert (
                        store.list_checkpoints(sessions, order=order, offset=limit, **arguments).items == whole[limit:]
                    )

    @pytest.mark.parametrize("order", ORDERS)
    def test_a_cursor_leads_on_in_its_own_order_only(self, store: Store, several: list[UUID], order: Any) -> None:
        cursor = store.list_checkpoints(several[0], order=order, limit=1).next_cursor
        found = store.find_checkpoints(metadata={"n": 0}, limit=1).next_cursor
        listed = store.list_sessions(limit=1).next_cursor
        assert None not in (cursor, found, listed)
        for other in (*({*ORDERS} - {order}),):
            with pytest.raises(InvalidRequestError, match="cursor"):
                store.list_checkpoints(several[0], order=other, cursor=cursor)
        for wrong in (found, listed):
            with pytest.raises(InvalidRequestError, match="cursor"):
                store.list_checkpoints(several[0], order=order, cursor=wrong)
        for wrong in (cursor, listed):
            with pytest.raises(InvalidRequestError, match="cursor"):
                store.find_checkpoints(metadata={"n": 0}, cursor=wrong)

    @pytest.mark.parametrize("order", ORDERS)
    @pytest.mark.parametrize("one", [True, False], ids=["one session", "several sessions"])
    def test_checkpoints_that_rest_are_seen_once_while_others_are_written(
        self, store: Store, several: list[UUID], order: Any, one: bool
    ) -> None:
        sessions = several[:1] if one else several
        before = ids(store.list_checkpoints(sessions, order=order))
        seen: list[UUID] = []
        for number, page in enumerate(checkpoint_pages(store, sessions, 2, order=order)):
            seen += ids(page)
            if number < 9:
                store.append(several[number % 3], [], label=f"{'a' if number % 2 else 'z'}{number}")
        assert len(set(seen)) == len(seen)
        assert [id for id in seen if id in before] == before

    def test_a_page_goes_on_where_a_deleted_checkpoint_stood(self, store: Store, several: list[UUID]) -> None:
        for order in ORDERS:
            whole = store.list_checkpoints(several, order=order).items
            page = store.list_checkpoints(several, order=order, limit=2)
            store.delete_checkpoints(whole[1].session_id, whole[1].id)
            rest = store.list_checkpoints(several, order=order, cursor=page.next_cursor)
            assert ids(rest) == by_ids(whole[2:])

    # -- across sessions

    @pytest.fixture
    def sources(self, store: Store) -> list[Checkpoint]:
        """Checkpoints of the threads a and b of one program, of another program, of none, and of a deleted session."""
        names: list[tuple[str, str] | tuple[None, None]] = [("tool", "a"), ("tool", "b"), ("other", "a"), (None, None)]
        made = []
        for source, source_id in names:
            session = store.create_session("", source=source, source_id=source_id, metadata={"step": -1})
            made.append(store.append(session.id, users("x"), metadata={"step": 1, "by": source}))
        deleted = store.ensure_session("tool", "deleted", metadata={"step": 1})
        store.delete_session(deleted.id)
        return [*made, active(deleted)]

    def test_checkpoints_are_found_across_sessions_by_their_metadata(
        self, store: Store, sources: list[Checkpoint]
    ) -> None:
        a, b, other, none, deleted = (step.id for step in sources)
        expected: list[tuple[dict[str, Any], set[UUID]]] = [
            ({"metadata": {"step": 1}}, {a, b, other, none, deleted}),
            ({"metadata": {"step": 1}, "source": "tool"}, {a, b, deleted}),
            ({"metadata": {"step": 1, "by": None}}, {none}),
            ({"metadata": {"step": 1}, "source": "TOOL"}, set()),
            ({"metadata": {"step": True}}, set()),
            ({"metadata": {"by": "tool"}, "source": "other"}, set()),
        ]
        for arguments, found in expected:
            page = store.find_checkpoints(**arguments)
            assert (set(ids(page)), len(page), page.next_cursor) == (found, len(found), None), arguments

    def test_without_a_filter_every_checkpoint_is_found(self, store: Store, sources: list[Checkpoint]) -> None:
        everything = {id for session in store.list_sessions() for id in ids(store.list_checkpoints(session.id))}
        nothing: list[Any] = [None, {}]
        for metadata in nothing:
            assert set(ids(store.find_checkpoints(metadata=metadata))) == everything
            assert len(store.find_checkpoints(metadata=metadata, source="tool")) == 5

    def test_a_checkpoint_found_across_sessions_comes_with_its_metadata(
        self, store: Store, sources: list[Checkpoint]
    ) -> None:
        for item in store.find_checkpoints(metadata={"step": 1}):
            listed = store.list_checkpoints(item.session_id, with_metadata=True)
            assert item == next(other for other in listed if other.id == item.id)

    @pytest.mark.parametrize("limit", [1, 2, 3, 9])
    def test_cursors_lead_through_all_that_is_found_across_sessions(
        self, store: Store, sources: list[Checkpoint], limit: int
    ) -> None:
        searches: list[dict[str, Any]] = [
            {"metadata": {"step": 1}}, {"metadata": None}, {"metadata": {"step": 1}, "source": "tool"},
        ]  # fmt: skip
        for arguments in searches:
            whole = store.find_checkpoints(**arguments).items
            page = store.find_checkpoints(limit=limit, **arguments)
            seen = page.items
            while page.next_cursor is not None:
                assert len(page) <= limit
                page = store.find_checkpoints(limit=limit, cursor=page.next_cursor, **arguments)
                seen = seen + page.items
            assert seen == whole

    def test_what_chooses_no_page_of_a_search_is_refused(self, store: Store) -> None:
        store.create_session("", metadata={"n": 1})
        wrong: list[dict[str, Any]] = [
            {"limit": -1}, {"limit": True}, {"limit": None}, {"cursor": 1}, {"cursor": ""}, {"cursor": "nonsense"},
            {"metadata": [1]}, {"metadata": "text"}, {"metadata": {"n": {1}}}, {"source": 1},
        ]  # fmt: skip
        for arguments in wrong:
            with pytest.raises(InvalidRequestError, match=next(iter(arguments))):
                store.find_checkpoints(**{"metadata": {"n": 1}, **arguments})

    def test_a_summary_of_a_checkpoint_is_the_same_wherever_it_is_shown(self, store: Store) -> None:
        session = store.create_session("", messages=users("a"), metadata={"n": 1}, source="tool", source_id="1")
        step = store.append(session.id, users("b"), label="point")
        shown: list[Callable[[], CheckpointSummary]] = [
            lambda: store.list_checkpoints(session.id).items[1],
            lambda: store.list_checkpoints([session.id], order="-created").items[0],
            lambda: store.list_checkpoints(session.id, order="label").items[0],
            lambda: store.children(active(session).id)[0],
            lambda: store.ancestry(step.id)[0],
            lambda: store.branches(session.id)[0],
            lambda: store.set_label(step.id, "point"),
        ]
        first, *others = [call() for call in shown]
        assert (first.id, first.label, first.message_count, first.metadata) == (step.id, "point", 2, None)
        assert all(other == first for other in others)


def same(a: Any, b: Any) -> bool:
    """Whether two JSON values are equal: 1 and 1.0 are, 1 and True are not, the order of keys does not matter."""
    if isinstance(a, bool) or isinstance(b, bool):
        return a is b
    if isinstance(a, dict) and isinstance(b, dict):
        return len(a) == len(b) and has(a, b)
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(same(left, right) for left, right in zip(a, b, strict=True))
    return bool(a == b)


def has(held: Any, wanted: dict[str, Any]) -> bool:
    """Whether a JSON value is an object that has these keys with equal values."""
    return isinstance(held, dict) and all(key in held and same(held[key], wanted[key]) for key in wanted)


def _by_id(item: CheckpointSummary) -> UUID:
    return item.id


def _label(item: CheckpointSummary) -> str:
    assert item.label is not None
    return item.label
