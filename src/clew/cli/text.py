"""Text for people: what may reach a terminal, and how titles, times and sizes are written."""

import re
from collections.abc import Callable
from datetime import UTC, datetime

TITLE_CHARS = 50
PREVIEW_CHARS = 80

# Control characters of both ranges (all but newline and tab), the marks that turn the direction of what follows, lone
# surrogates, and the replacement character.
_DROPPED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffd]")


def clean(text: str) -> str:
    """`text` without the characters that a terminal acts on; newlines and tabs stay."""
    return _DROPPED.sub("", text)


def one_line(text: str) -> str:
    """The same in one line: each run of white space is a space."""
    return " ".join(clean(text.replace("\r", " ")).split())


def shorten(title: str) -> str:
    """A title for a list: in one line, with an ellipsis where it is longer than a list shows."""
    return fit(one_line(title), TITLE_CHARS)


def fit(text: str, width: int, measure: Callable[[str], int] = len) -> str:
    """A line cut to a width, with an ellipsis where something is missing."""
    if measure(text) <= width:
        return text
    room = max(0, width - 1)
    text = text[:room]  # and then character by character, for those that take two cells
    while measure(text) > room:
        text = text[:-1]
    return text + "…"


def moment(value: datetime) -> str:
    """A time in UTC, to the second."""
    return value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")


def size(count: int) -> str:
    """A number of bytes in the largest unit that leaves a whole part."""
    amount = float(count)
    for unit in ("bytes", "kB", "MB", "GB"):
        if amount < 1000:
            return f"{count} bytes" if unit == "bytes" else f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{amount:.1f} TB"


def counted(count: int, noun: str) -> str:
    """A number with its noun."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"
