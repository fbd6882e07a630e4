"""Lists of sessions: order, filters, totals and pages."""

import base64
from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clew.errors import InvalidRequestError
from clew.model import Page, SessionSummary
from clew.store import Store
from clew.testing.clock import SECOND, Clock, moment
from clew.testing.contract.base import Contract, active, ids, missing, summary, titles, user, users
from clew.testing.profiles import examples

NO_PAGE: list[dict[str, Any]] = [
    {"limit": -1}, {"limit": 2**63}, {"limit": True}, {"limit": "10"}, {"limit": 1.0}, {"limit": None},
    {"offset": -1}, {"offset": 2**63}, {"offset": False}, {"offset": "0"}, {"offset": None},
    {"cursor": 1}, {"cursor": b"AA"}, {"cursor": ""}, {"cursor": "nonsense"}, {"cursor": "é"}, {"cursor": "AAAA"},
]  # fmt: skip
"""Arguments that choose no page of any list."""


NO_FILTERS: list[dict[str, Any]] = [{"status": "deleted"}, {"status": 1}, {"visibility": ""}, {"visibility": []}]
"""Arguments that filter by what no session can be."""

METADATA: tuple[dict[str, Any] | None, ...] = (
    {"n": 1, "team": "blue", "deep": {"a": [1, 2], "b": None}},
    {"n": True, "team": "Blue"},
    {"n": "1", "none": None},
    {},
    None,
)
"""The metadata of five sessions."""

WANTED: tuple[tuple[dict[str, Any], list[int]], ...] = (
    ({"n": 1}, [0]), ({"n": 1.0}, [0]), ({"n": True}, [1]), ({"n": "1"}, [2]), ({"n": None}, []),
    ({"team": "blue"}, [0]), ({"team": "blue", "n": 1}, [0]), ({"team": "blue", "n": 2}, []),
    ({"deep": {"b": None, "a": [1, 2]}}, [0]), ({"deep": {"a": [1, 2]}}, []),
    ({"deep": {"a": [2, 1], "b": None}}, []), ({"none": None}, [2]), ({"absent": None}, []),
    ({"a": [1, 2]}, []), ({"n": "\ud800"}, []), ({"n": "\0"}, []), ({}, [0, 1, 2, 3, 4]),
)  # fmt: skip
"""What to look for, and which of the five have it."""

TITLES = ("100% sure", "snake_case", "back\\slash", "any*", "what?", "[a] set", "it's", '"quoted"', "plain")

LITERAL: tuple[tuple[str, list[str]], ...] = (
    ("%", ["100% sure"]), ("_", ["snake_case"]), ("\\", ["back\\slash"]), ("*", ["any*"]), ("?", ["what?"]),
    ("[a]", ["[a] set"]), ("'", ["it's"]), ('"', ['"quoted"']), ("0% s", ["100% sure"]), ("e_c", ["snake_case"]),
    ("^", []), ("%%", []), ("__", []), ("a%", []), (".*", []),
)  # fmt: skip
"""Searches, and which of the titles have them."""

ANY_CASE: tuple[tuple[str, str], ...] = (
    ("README", "readme"), ("straße", "STRASSE"), ("ÉCOLE", "école"), ("жизнь", "ЖИЗ"), ("ΟΔΟΣ", "οδος"),
    ("ποιος", "ΠΟΙΟΣ"), ("İstanbul", "İSTANBUL"), ("ǅ", "ǆ"), ("日本語", "日本"),
    ("\U0001f9f6 clew", "\U0001f9f6 CLEW"), ("\U00010400", "\U00010428"),
)  # fmt: skip
"""Titles, and the same in another case."""


def made_up_cursors() -> list[str]:
    """Cursors that no list returned, though they look like it from afar."""
    values: list[Any] = [
        [], {}, None, 1, [[[]]], ["sessions"], ["sessions", 2**63, b"0" * 16], ["checkpoints", 2**64 - 1],
    ]  # fmt: skip
    packed = [*map(msgspec.msgpack.encode, values), b"\x91" * 50_000, b"\xff"]
    return [base64.urlsafe_b64encode(value).decode().rstrip("=") for value in packed]


def pages(store: Store, limit: int, **filters: Any) -> Iterator[Page[SessionSummary]]:
    """The pages of a list, each asked for when the one before has been read."""
    page = store.list_sessions(limit=limit, **filters)
    yield page
    while page.next_cursor is not None:
        page = store.list_sessions(limit=limit, cursor=page.next_cursor, **filters)
        yield page


def cursor_of(store: Store) -> str:
    """A cursor of a list of sessions, two of which it makes."""
    store.create_session("")
    store.create_session("")
    cursor = store.list_sessions(limit=1).next_cursor
    assert cursor is not None
    return cursor


class ListContract(Contract):
    """Sessions are listed newest change first; a filter means what it says; pages neither repeat nor leave out."""

    def test_an_empty_store_lists_nothing(self, store: Store) -> None:
        page = store.list_sessions()
        assert (page.items, page.total, page.next_cursor) == ([], 0, None)
        assert (len(page), list(page)) == (0, [])

    # -- order

    def test_the_session_changed_last_comes_first(self, store: Store) -> None:
        first, second, third = (store.create_session(title) for title in "abc")
        assert titles(store.list_sessions()) == ["c", "b", "a"]
        store.append(first.id, users("x"))
        store.update_session(second.id, visibility="PUBLIC")
        assert titles(store.list_sessions()) == ["b", "a", "c"]
        store.delete_session(third.id)
        assert titles(store.list_sessions()) == ["c", "b", "a"]

    def test_sessions_changed_at_the_same_time_come_by_descending_id(self, store: Store, clock: Clock) -> None:
        clock.tick = 0
        made = [store.create_session("", id=UUID(int=number)).id for number in (3, 1, 2, 2**127)]
        store.delete_session(made[0])
        assert ids(store.list_sessions()) == sorted(made, reverse=True)

    def test_a_session_imported_with_an_old_time_comes_where_that_time_puts_it(
        self, store: Store, clock: Clock
    ) -> None:
        store.create_session("new")
        store.create_session("old", created_at=moment(clock.now - 3_600 * SECOND))
        assert titles(store.list_sessions()) == ["new", "old"]

    # -- what a summary says

    def test_a_summary_says_what_the_session_says(self, store: Store) -> None:
        parent = store.create_session("parent")
        made = store.create_session(
            "child", messages=users("ab"), visibility="PUBLIC", cwd="/repo", source="tool", source_id="1",
            parent_session_id=parent.id, session_metadata={"k": [1, None]},
        )  # fmt: skip
        fork = store.fork_session(made.id)
        for session in (made, fork):
            shown = summary(store, session.id)
            for field in set(type(shown).__struct_fields__) & set(type(session).__struct_fields__):
                assert getattr(shown, field) == getattr(session, field), field

    def test_a_listed_session_can_be_fetched_by_its_id(self, store: Store) -> None:
        store.create_session("one", messages=users("a"))
        (shown,) = store.list_sessions()
        session = store.get_session(shown.id)
        assert (session.id, session.title, active(session).id) == (shown.id, "one", shown.active_checkpoint_id)

    def test_the_message_count_is_that_of_the_active_checkpoint(self, store: Store) -> None:
        session = store.create_session("", messages=users("a"))
        step = store.append(session.id, users("bc"))
        shown = summary(store, session.id)
        assert (shown.message_count, shown.checkpoint_count, shown.active_checkpoint_id) == (3, 2, step.id)
        store.set_active_checkpoint(session.id, active(session).id)
        shown = summary(store, session.id)
        assert (shown.message_count, shown.checkpoint_count, shown.active_checkpoint_id) == (1, 2, active(session).id)

    def test_the_message_count_of_a_session_without_messages_is_0(self, store: Store) -> None:
        shown = summary(store, store.create_session("", metadata={"messages": [1, 2]}).id)
        assert (shown.message_count, shown.checkpoint_count) == (0, 1)

    def test_the_last_message_is_as_old_as_the_newest_checkpoint_that_brought_messages(
        self, store: Store, clock: Clock
    ) -> None:
        session = store.create_session("")
        assert summary(store, session.id).last_message_at is None
        step = store.append(session.id, users("a"))
        store.append(session.id, [], metadata={"k": 1})
        store.update_session(session.id, title="renamed")
        assert summary(store, session.id).last_message_at == step.created_at
        full = store.create_checkpoint(session.id, users("abc"), parent_id=step.id)
        assert summary(store, session.id).last_message_at == full.created_at

    def test_a_full_list_that_adds_nothing_to_its_parent_brings_no_messages(
        self, store: Store, reopen: Callable[[], Store]
    ) -> None:
        """Whether the parent was written in full, and is remembered, must make no difference."""
        session = store.create_session("")
        appended = store.append(session.id, users("ab"))
        store.create_checkpoint(session.id, users("ab"), parent_id=appended.id)
        assert summary(store, session.id).last_message_at == appended.created_at
        full = store.create_checkpoint(session.id, users("abc"), parent_id=appended.id)
        opened: list[Callable[[], Store]] = [lambda: store, reopen]
        for again in (call() for call in opened):
            again.create_checkpoint(session.id, users("abc"), parent_id=full.id)
            again.create_checkpoint(session.id, users("ab"), parent_id=full.id)
            assert summary(again, session.id).last_message_at == full.created_at

    # -- filters

    def test_every_status_is_listed_unless_one_is_asked_for(self, store: Store) -> None:
        kept, deleted = store.create_session("kept"), store.create_session("deleted")
        store.delete_session(deleted.id)
        assert titles(store.list_sessions()) == ["deleted", "kept"]
        for status, expected in (("ACTIVE", [kept.id]), ("DELETED", [deleted.id])):
            page = store.list_sessions(status=status)
            assert (ids(page), page.total) == (expected, 1)

    def test_a_status_or_visibility_that_is_none_is_refused(self, store: Store) -> None:
        for wrong in NO_FILTERS:
            with pytest.raises(InvalidRequestError, match=next(iter(wrong))):
                store.list_sessions(**wrong)

    def test_filters_by_visibility_directory_source_and_parent(self, store: Store) -> None:
        parent = store.create_session("parent", visibility="PUBLIC", cwd="/repo", source="tool", source_id="1")
        store.create_session("child", cwd="/repo", parent_session_id=parent.id)
        store.create_session("other", cwd="/repo/src", source="TOOL", source_id="2")
        fork = store.fork_session(parent.id, title="fork")
        filters: list[tuple[dict[str, Any], set[str]]] = [
            ({"visibility": "PUBLIC"}, {"parent", "fork"}),
            ({"visibility": "PRIVATE"}, {"child", "other"}),
            ({"cwd": "/repo"}, {"parent", "child", "fork"}),
            ({"cwd": "/rep"}, set()),
            ({"source": "tool"}, {"parent"}),
            ({"source": ""}, set()),
            ({"parent_session_id": parent.id}, {"child", "fork"}),
            ({"parent_session_id": str(parent.id)}, {"child", "fork"}),
            ({"parent_session_id": fork.id}, set()),
            ({"cwd": "/repo", "parent_session_id": parent.id, "visibility": "PRIVATE"}, {"child"}),
            ({"cwd": "/repo", "search": "for", "status": "ACTIVE"}, {"fork"}),
        ]
        for given_filters, expected in filters:
            page = store.list_sessions(count=True, **given_filters)
            assert (set(titles(page)), page.total) == (expected, len(expected)), given_filters

    def test_metadata_filters_by_equal_top_level_keys(self, store: Store) -> None:
        made = [store.create_session("", session_metadata=metadata).id for metadata in METADATA]
        for wanted, expected in WANTED:
            page = store.list_sessions(metadata=wanted, count=True)
            assert ids(page) == [made[index] for index in reversed(expected)], wanted
            assert page.total == len(expected)

    def test_a_metadata_filter_that_is_no_object_is_refused(self, store: Store) -> None:
        session = store.create_session("")
        no_objects: list[Any] = [[], "text", 1, {1: 2}, {"a": {1}}]
        for wrong in no_objects:
            with pytest.raises(InvalidRequestError, match="metadata"):
                store.list_sessions(metadata=wrong)
            with pytest.raises(InvalidRequestError, match="metadata"):
                store.list_checkpoints(session.id, metadata=wrong)

    # -- search

    def test_a_search_finds_a_part_of_the_title(self, store: Store) -> None:
        for title in ("Rust basics", "Python tips", "Learning rust", "Go", ""):
            store.create_session(title, messages=[user("rust in a message")], metadata={"title": "rust"})
        page = store.list_sessions(search="Rust", count=True)
        assert (titles(page), page.total) == (["Learning rust", "Rust basics"], 2)
        assert titles(store.list_sessions(search="t basi")) == ["Rust basics"]
        assert len(store.list_sessions(search="")) == 5
        assert titles(store.list_sessions(search="rust", limit=1, offset=1)) == ["Rust basics"]

    def test_no_character_of_a_search_is_a_wildcard(self, store: Store) -> None:
        for title in TITLES:
            store.create_session(title)
        for search, expected in LITERAL:
            assert titles(store.list_sessions(search=search)) == expected, search

    def test_a_search_disregards_case_in_every_script(self, store: Store) -> None:
        for title, _ in ANY_CASE:
            store.create_session(f"a {title} z")
        for title, search in ANY_CASE:
            assert titles(store.list_sessions(search=f"A {search}")) == [f"a {title} z"]

    def test_a_search_follows_a_renamed_title(self, store: Store) -> None:
        session = store.create_session("École")
        store.update_session(session.id, title="жизнь")
        assert titles(store.list_sessions(search="ÉCOLE")) == []
        assert titles(store.list_sessions(search="ЖИЗНЬ")) == ["жизнь"]

    def test_a_search_as_long_as_a_book_finds_nothing_and_is_no_error(self, store: Store) -> None:
        store.create_session("title")
        page = store.list_sessions(search="t" * 60_000, count=True)
        assert (page.items, page.total) == ([], 0)

    # -- totals

    def test_the_total_counts_without_the_limit(self, store: Store) -> None:
        for title in "abcde":
            store.create_session(title)
        for page in (store.list_sessions(limit=2), store.list_sessions(offset=4), store.list_sessions(limit=0)):
            assert page.total == 5
        again = store.list_sessions(limit=2, cursor=store.list_sessions(limit=2).next_cursor)
        assert (titles(again), again.total) == (["c", "b"], 5)

    def test_the_total_is_there_unfiltered_or_by_status_and_otherwise_on_request(self, store: Store) -> None:
        store.create_session("title", cwd="/repo")
        assert store.list_sessions().total == 1
        assert store.list_sessions(search="", metadata={}).total == 1
        assert store.list_sessions(status="DELETED").total == 0
        filters: list[tuple[dict[str, Any], int]] = [
            ({"search": "t"}, 1), ({"cwd": "/repo"}, 1), ({"visibility": "PRIVATE"}, 1), ({"source": "x"}, 0),
            ({"parent_session_id": missing()}, 0), ({"metadata": {"k": 1}}, 0),
        ]  # fmt: skip
        for given_filter, expected in filters:
            assert store.list_sessions(**given_filter).total is None
            assert store.list_sessions(status="ACTIVE", **given_filter).total is None
            assert store.list_sessions(count=True, **given_filter).total == expected

    def test_the_total_follows_every_change(self, store: Store) -> None:
        def totals() -> list[int | None]:
            return [store.list_sessions(limit=0, status=status).total for status in (None, "ACTIVE", "DELETED")]

        session, other = store.create_session("a"), store.create_session("b")
        assert totals() == [2, 2, 0]
        store.delete_session(session.id)
        assert totals() == [2, 1, 1]
        fork = store.fork_session(session.id)
        assert totals() == [3, 2, 1]
        store.restore_session(session.id)
        store.update_session(other.id, status="DELETED")
        assert totals() == [3, 2, 1]
        for gone in (other, fork, session):
            store.purge_session(gone.id)
        assert totals() == [0, 0, 0]

    # -- pages

    def test_limit_and_offset_cut_a_page_out_of_the_list(self, store: Store) -> None:
        for title in "edcba":
            store.create_session(title)
        for limit in range(7):
            for offset in range(7):
                page = store.list_sessions(limit=limit, offset=offset)
                assert titles(page) == list("abcde")[offset : offset + limit]
                assert (page.next_cursor is not None) == (limit > 0 and offset + limit < 5)
        assert titles(store.list_sessions(limit=2**63 - 1, offset=4)) == ["e"]
        assert titles(store.list_sessions(offset=2**63 - 1)) == []

    def test_a_page_holds_100_unless_told_otherwise(self, store: Store) -> None:
        for number in range(101):
            store.create_session(str(number))
        page = store.list_sessions()
        assert (len(page), page.total) == (100, 101)
        assert titles(store.list_sessions(cursor=page.next_cursor)) == ["0"]

    def test_what_chooses_no_page_is_refused(self, store: Store) -> None:
        session = store.create_session("")
        for wrong in NO_PAGE:
            with pytest.raises(InvalidRequestError, match=next(iter(wrong))):
                store.list_sessions(**wrong)
            with pytest.raises(InvalidRequestError, match=next(iter(wrong))):
                store.list_checkpoints(session.id, **wrong)

    def test_an_offset_and_a_cursor_are_refused_together(self, store: Store) -> None:
        cursor = cursor_of(store)
        with pytest.raises(InvalidRequestError, match="cursor"):
            store.list_sessions(offset=1, cursor=cursor)

    def test_a_cursor_that_no_list_returned_is_refused(self, store: Store) -> None:
        session = store.create_session("")
        for cursor in made_up_cursors():
            with pytest.raises(InvalidRequestError, match="cursor"):
                store.list_sessions(cursor=cursor)
            with pytest.raises(InvalidRequestError, match="cursor"):
                store.list_checkpoints(session.id, cursor=cursor)

    def test_a_cursor_leads_on_in_its_own_list_only(self, store: Store) -> None:
        cursor = cursor_of(store)
        session = store.create_session("")
        store.append(session.id, [])
        other = store.list_checkpoints(session.id, limit=1).next_cursor
        with pytest.raises(InvalidRequestError, match="cursor"):
            store.list_checkpoints(session.id, cursor=cursor)
        with pytest.raises(InvalidRequestError, match="cursor"):
            store.list_sessions(cursor=other)

    @pytest.mark.parametrize("tick", [0, 1_000])
    @pytest.mark.parametrize("limit", [1, 2, 3, 7])
    def test_cursors_lead_through_the_whole_list(self, store: Store, clock: Clock, tick: int, limit: int) -> None:
        clock.tick = tick
        for number in range(7):
            session = store.create_session(f"title {number}", cwd="/odd" if number % 2 else "/even")
            if number in (2, 3):
                store.delete_session(session.id)
        choices: list[dict[str, Any]] = [{}, {"status": "ACTIVE"}, {"cwd": "/odd"}, {"search": "TITLE", "cwd": "/even"}]
        for filters in choices:
            expected = ids(store.list_sessions(**filters))
            assert [id for page in pages(store, limit, **filters) for id in ids(page)] == expected

    def test_a_page_goes_on_where_a_purged_or_renamed_session_stood(self, store: Store) -> None:
        sessions = [store.create_session(title) for title in "dcba"]
        page = store.list_sessions(limit=2)
        assert titles(page) == ["a", "b"]
        store.purge_session(sessions[2].id)
        store.update_session(sessions[3].id, title="renamed")
        assert titles(store.list_sessions(limit=9, cursor=page.next_cursor)) == ["c", "d"]

    @examples(10)
    @given(
        limit=st.integers(1, 3),
        changes=st.lists(st.tuples(st.integers(0, 7), st.booleans(), st.sampled_from([0, 1, SECOND, -SECOND]))),
    )
    def test_between_pages_no_session_repeats_and_none_that_rests_is_left_out(
        self, store: Store, clock: Clock, limit: int, changes: list[tuple[int, bool, int]]
    ) -> None:
        """While a reader turns pages, sessions change, appear, and the clock is set back."""
        for old in store.list_sessions():
            store.purge_session(old.id)
        made = [store.create_session(str(number)).id for number in range(8)]
        changed: set[UUID] = set()
        seen: list[UUID] = []
        for page in pages(store, limit):
            seen.extend(ids(page))
            if changes:
                index, creates, step = changes.pop()
                clock.now += step
                changed.add(store.create_session("new").id if creates else store.append(made[index], []).session_id)
        assert len(set(seen)) == len(seen)
        assert set(made) - changed <= set(seen)

    def test_a_session_that_changes_between_pages_moves_to_the_front(self, store: Store) -> None:
        sessions = [store.create_session(title) for title in "fedcba"]
        first = store.list_sessions(limit=2)
        store.append(sessions[0].id, users("x"))
        store.append(sessions[5].id, users("x"))
        rest = store.list_sessions(limit=9, cursor=first.next_cursor)
        assert titles(first) + titles(rest) == ["a", "b", "c", "d", "e"]
        assert titles(store.list_sessions(limit=2)) == ["a", "f"]
