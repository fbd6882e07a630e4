"""How the page tells times."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from clew.server.web.moments import exact, from_clock, human

NOW = datetime(2026, 3, 9, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("ago", "told"),
    [
        (timedelta(hours=-1), "just now"),
        (timedelta(0), "just now"),
        (timedelta(seconds=59), "just now"),
        (timedelta(seconds=60), "1 minute ago"),
        (timedelta(minutes=59, seconds=59), "59 minutes ago"),
        (timedelta(hours=1), "1 hour ago"),
        (timedelta(hours=23, minutes=59), "23 hours ago"),
        (timedelta(days=1), "1 day ago"),
        (timedelta(days=6, hours=23), "6 days ago"),
        (timedelta(days=7), "2 Mar 2026"),
        (timedelta(days=400), "2 Feb 2025"),
    ],
)
def test_times_are_told_as_people_do(ago: timedelta, told: str) -> None:
    assert human(NOW - ago, NOW) == told


def test_the_exact_time_is_in_utc() -> None:
    assert exact(datetime(2026, 3, 9, 1, 2, 3, tzinfo=timezone(timedelta(hours=2)))) == "2026-03-08 23:02:03 UTC"


def test_what_a_clock_tells_is_a_moment() -> None:
    assert from_clock(1_700_000_000_999_999) == datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)
