"""The promises of text for people: what is left out, how titles, times and sizes are written."""

import sys
import unicodedata
from datetime import UTC, datetime, timedelta, timezone

import pytest

from clew.cli.text import clean, counted, fit, moment, one_line, shorten, size

BIDI = {*range(0x202A, 0x202F), *range(0x2066, 0x206A)}


def test_no_character_that_a_terminal_acts_on_is_left_and_every_other_stays():
    for point in range(sys.maxunicode + 1):
        char = chr(point)
        dropped = (
            (unicodedata.category(char) == "Cc" and char not in "\n\t")
            or point in BIDI
            or point == 0xFFFD
            or 0xD800 <= point <= 0xDFFF
        )
        assert clean(char) == ("" if dropped else char), hex(point)


def test_an_escape_sequence_loses_what_makes_it_one():
    assert clean("\x1b[31mred\x1b[0m\a \x9b2J") == "[31mred[0m 2J"


def test_a_line_stays_one_line():
    assert one_line(" a\n\tb\r\nc\u2028d \x1be ") == "a b c d e"


def test_a_title_of_fifty_characters_is_shown_whole_and_a_longer_one_with_an_ellipsis():
    assert shorten("x" * 50) == "x" * 50
    assert shorten("x" * 51) == "x" * 49 + "…"


@pytest.mark.parametrize(
    ("width", "shown"), [(9, "abcdefgh"), (8, "abcdefgh"), (7, "abcdef…"), (2, "a…"), (1, "…"), (0, "…")]
)
def test_a_text_is_cut_to_a_width(width, shown):
    assert fit("abcdefgh", width) == shown


def test_wide_characters_are_cut_by_the_room_they_take():
    assert fit("好好好", 5, lambda text: 2 * len(text.replace("…", "")) + text.count("…")) == "好好…"
    assert fit("好好好", 4, lambda text: 2 * len(text.replace("…", "")) + text.count("…")) == "好…"


def test_times_are_shown_in_utc_to_the_second():
    east = timezone(timedelta(hours=9))
    assert moment(datetime(2026, 1, 1, 8, 59, 59, 999_999, tzinfo=east)) == "2025-12-31 23:59:59"
    assert moment(datetime(2026, 1, 1, tzinfo=UTC)) == "2026-01-01 00:00:00"


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 bytes"),
        (999, "999 bytes"),
        (1000, "1.0 kB"),
        (81_920, "81.9 kB"),
        (10**9, "1.0 GB"),
        (10**16, "10000.0 TB"),
    ],
)
def test_a_size_is_shown_in_the_unit_that_fits(count, text):
    assert size(count) == text


def test_a_noun_is_in_the_plural_where_there_is_not_one():
    assert [counted(count, "row") for count in (0, 1, 2, 1000)] == ["0 rows", "1 row", "2 rows", "1,000 rows"]
