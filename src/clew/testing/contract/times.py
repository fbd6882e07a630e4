"""Times: what the clock says, what importers say, and the order of creation that neither changes."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from clew.errors import InvalidRequestError
from clew.store import Store
from clew.testing.clock import SECOND, Clock, moment
from clew.testing.contract.base import Contract, active, ids, nothing_changes, said, summary, titles, users

MOMENTS = [
    datetime(2024, 2, 29, 12, 30, 15, 123456, tzinfo=UTC),
    datetime(1969, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
    datetime(2024, 1, 1, 1, 0, tzinfo=timezone(timedelta(hours=5, minutes=30))),
    datetime.min.replace(tzinfo=UTC),
    datetime.max.replace(tzinfo=UTC),
]

NO_MOMENTS: list[Any] = [
    datetime(2024, 1, 1),  # noqa: DTZ001 - without a time zone is the point
    datetime.max.replace(tzinfo=timezone(timedelta(hours=-1))),
    datetime.min.replace(tzinfo=timezone(timedelta(hours=1))),
    "2024-01-01T00:00:00Z",
    1_700_000_000,
    1.5,
]
"""No time zone, beyond what UTC has years for, and what is no datetime."""


class TimeContract(Contract):
    """Times are aware, in UTC and to the microsecond; order is that of creation, never by the clock alone."""

    def test_the_store_takes_its_time_from_the_clock_of_the_test(self, store: Store, clock: Clock) -> None:
        """The fixture `store` must pass the fixture `clock` on; other tests rely on it."""
        told = clock.moment
        session = store.create_session("")
        assert session.created_at == session.updated_at == active(session).created_at == told

    def test_times_are_aware_in_utc_and_exact_to_the_microsecond(self, store: Store, clock: Clock) -> None:
        clock.now = 1_234_567_890_123_457
        session = store.create_session("", messages=users("a"))
        read = store.get_session(session.id)
        for found in (read.created_at, read.updated_at, active(read).created_at, active(read).updated_at):
            assert found == datetime(2009, 2, 13, 23, 31, 30, 123457, tzinfo=UTC)
            assert found.utcoffset() == timedelta(0)
        assert summary(store, session.id).last_message_at == read.created_at

    def test_a_change_moves_the_time_of_the_session_and_of_no_checkpoint(self, store: Store, clock: Clock) -> None:
        session = store.create_session("", messages=users("a"))
        clock.now += SECOND
        told = clock.moment
        step = store.append(session.id, users("b"))
        changed = store.get_session(session.id)
        assert (step.created_at, step.updated_at, changed.updated_at) == (told, told, told)
        assert changed.created_at == session.created_at
        assert store.get_checkpoint(active(session).id) == active(session)

    def test_a_label_and_attachments_move_the_time_of_their_checkpoint_and_of_no_other(
        self, store: Store, clock: Clock
    ) -> None:
        session = store.create_session("", messages=users("a"))
        step = store.append(session.id, users("b"))
        changes: list[Callable[[], Any]] = [
            lambda: store.set_label(step.id, "point"),
            lambda: store.attach(session.id, {"f": b"1"}),
            lambda: store.attach(session.id, {"f": b"2"}, label="point", on_conflict="replace"),
            lambda: store.set_label(step.id, None),
        ]
        for change in changes:
            clock.now += SECOND
            told = clock.moment
            change()
            after = store.get_checkpoint(step.id)
            assert (after.updated_at, after.created_at) == (told, step.created_at)
            assert store.get_session(session.id).updated_at == told
        assert store.get_checkpoint(active(session).id) == active(session)

    def test_a_label_that_moves_takes_the_time_of_both_checkpoints_along(self, store: Store, clock: Clock) -> None:
        session = store.create_session("", messages=users("a"))
        step, tip = store.append(session.id, [], label="point"), store.append(session.id, [])
        clock.now += SECOND
        told = clock.moment
        store.set_label(tip.id, "point", move=True)
        root, lost, given = store.list_checkpoints(session.id)
        assert (root.updated_at, lost.updated_at, given.updated_at) == (active(session).updated_at, told, told)
        assert (lost.created_at, given.created_at) == (step.created_at, tip.created_at)

    # -- a clock that stands still or is set back

    def test_with_equal_times_the_newest_created_is_active_and_last(self, store: Store, clock: Clock) -> None:
        clock.tick = 0
        session = store.create_session("", messages=users("a"))
        made = [active(session).id, *(store.append(session.id, users(text)).id for text in "bcd")]
        assert store.get_active_checkpoint(session.id).id == made[-1]
        assert ids(store.list_checkpoints(session.id)) == made
        assert said(store, made[-1]) == "abcd"

    def test_a_clock_set_back_hides_no_work(self, store: Store, clock: Clock) -> None:
        session = store.create_session("", messages=users("a"))
        made = [active(session)]
        for letter in "bcd":
            clock.now -= 3_600 * SECOND
            made.append(store.append(session.id, users(letter)))
        assert store.get_active_checkpoint(session.id) == made[-1]
        assert ids(store.list_checkpoints(session.id)) == [step.id for step in made]
        times = [step.created_at for step in made]
        assert times == sorted(times)
        assert store.get_session(session.id).updated_at == times[-1]

    def test_a_time_that_the_store_makes_is_never_before_that_of_an_earlier_checkpoint(
        self, store: Store, clock: Clock
    ) -> None:
        session = store.create_session("")
        imported = store.append(session.id, [], created_at=moment(clock.now + 3_600 * SECOND))
        step = store.append(session.id, [])
        full = store.create_checkpoint(session.id, users("a"))
        assert imported.created_at <= step.created_at <= full.created_at

    # -- times that importers give

    @pytest.mark.parametrize("when", MOMENTS, ids=str)
    def test_a_time_of_creation_is_kept_as_given(self, store: Store, when: datetime) -> None:
        session = store.create_session("", messages=users("a"), created_at=when)
        appended = store.append(session.id, users("b"), created_at=when)
        full = store.create_checkpoint(session.id, users("c"), created_at=when)
        assert session.created_at == when
        for made in (active(session), appended, full):
            read = store.get_checkpoint(made.id)
            assert made.created_at == read.created_at == read.updated_at == when
            assert read.created_at.utcoffset() == timedelta(0)

    def test_order_is_that_of_creation_whatever_times_are_given(self, store: Store) -> None:
        session = store.create_session("", created_at=moment(5 * SECOND))
        made = [active(session).id]
        for seconds in (9, 3, 7, 3):
            made.append(store.append(session.id, [], created_at=moment(seconds * SECOND)).id)
            assert store.get_active_checkpoint(session.id).id == made[-1]
        assert ids(store.list_checkpoints(session.id)) == made

    def test_an_imported_checkpoint_takes_its_session_forward_but_never_back(self, store: Store) -> None:
        session = store.create_session("", created_at=moment(5 * SECOND))
        assert session.updated_at == moment(5 * SECOND)
        store.append(session.id, [], created_at=moment(9 * SECOND))
        assert store.get_session(session.id).updated_at == moment(9 * SECOND)
        store.append(session.id, [], created_at=moment(2 * SECOND))
        assert store.get_session(session.id).updated_at == moment(9 * SECOND)

    def test_an_imported_time_of_change_is_kept_and_never_goes_back(self, store: Store) -> None:
        session = store.create_session("", created_at=moment(5 * SECOND))
        forward = store.update_session(session.id, updated_at=moment(8 * SECOND))
        assert (forward.updated_at, forward.revision) == (moment(8 * SECOND), session.revision + 1)
        renamed = store.update_session(session.id, title="renamed", updated_at=moment(6 * SECOND))
        assert (renamed.updated_at, renamed.title) == (moment(8 * SECOND), "renamed")
        assert store.update_session(session.id, updated_at=moment(1)) == renamed

    def test_what_an_importer_makes_active_or_attaches_has_the_time_that_it_gives(
        self, store: Store, clock: Clock
    ) -> None:
        session = store.create_session("", created_at=moment(5 * SECOND))
        store.append(session.id, users("a"), created_at=moment(6 * SECOND))
        assert clock.moment > moment(9 * SECOND)
        rewound = store.set_active_checkpoint(session.id, active(session).id, updated_at=moment(8 * SECOND))
        assert (rewound.updated_at, active(rewound).id) == (moment(8 * SECOND), active(session).id)
        store.attach(session.id, {"raw": b"1"}, updated_at=moment(9 * SECOND))
        assert store.get_session(session.id).updated_at == moment(9 * SECOND)
        store.attach(session.id, {"raw": b"2"}, on_conflict="replace", updated_at=moment(7 * SECOND))
        assert store.get_session(session.id).updated_at == moment(9 * SECOND)

    def test_sessions_are_listed_by_the_times_that_were_given(self, store: Store) -> None:
        for title, seconds in (("b", 2), ("a", 1), ("c", 3)):
            store.create_session(title, created_at=moment(seconds * SECOND))
        assert titles(store.list_sessions()) == ["c", "b", "a"]

    @pytest.mark.parametrize("wrong", NO_MOMENTS, ids=str)
    def test_what_is_no_moment_in_utc_is_refused(self, store: Store, wrong: Any) -> None:
        session = store.create_session("")
        calls: list[tuple[str, Any]] = [
            ("created_at", lambda: store.create_session("", created_at=wrong)),
            ("created_at", lambda: store.ensure_session("tool", "1", created_at=wrong)),
            ("created_at", lambda: store.append(session.id, [], created_at=wrong)),
            ("created_at", lambda: store.create_checkpoint(session.id, [], created_at=wrong)),
            ("updated_at", lambda: store.update_session(session.id, updated_at=wrong)),
        ]
        for argument, call in calls:
            with nothing_changes(store), pytest.raises(InvalidRequestError, match=argument):
                call()
