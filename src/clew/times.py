"""Times: stored as whole microseconds since 1970 in UTC, held as aware datetimes, written as RFC 3339."""

import time
from datetime import UTC, datetime, timedelta

from clew.errors import InvalidRequestError

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def now_micros() -> int:
    """The system clock, in microseconds since 1970."""
    return time.time_ns() // 1000


def to_micros(moment: datetime, name: str = "created_at") -> int:
    """Microseconds since 1970 of an aware datetime; `name` is the argument named in the error."""
    if not isinstance(moment, datetime):
        raise InvalidRequestError(f"{name} must be a datetime, not {type(moment).__name__}")
    if moment.utcoffset() is None:
        raise InvalidRequestError(f"{name} must be an aware datetime: it has no time zone")
    try:
        return (moment.astimezone(UTC) - _EPOCH) // _MICROSECOND
    except OverflowError:
        raise InvalidRequestError(f"{name} is out of range: it is no moment of the years 1 to 9999 in UTC") from None


def from_micros(micros: int) -> datetime:
    """The aware datetime in UTC of microseconds since 1970."""
    return _EPOCH + timedelta(microseconds=micros)


def to_rfc3339(moment: datetime) -> str:
    """`moment` in UTC as the wire spells it: with ``Z``, and a fraction of 0, 3 or 6 digits, whichever is exact."""
    moment = moment.astimezone(UTC)
    if moment.microsecond == 0:
        precision = "seconds"
    elif moment.microsecond % 1000 == 0:
        precision = "milliseconds"
    else:
        precision = "microseconds"
    return moment.replace(tzinfo=None).isoformat(timespec=precision) + "Z"


def moment_of(text: str, name: str) -> datetime:
    """The moment that a person has typed as ISO 8601: a date, or a date and time; in UTC where it names no zone.

    InvalidRequestError, naming the argument, where it is none.
    """
    try:
        moment = datetime.fromisoformat(text.strip())
        return (moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise InvalidRequestError(
            f"{name} must be a date or time in ISO 8601, such as 2026-01-31 or 2026-01-31T12:00:00Z"
        ) from None
