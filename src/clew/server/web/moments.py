"""Times as people read them."""

from datetime import UTC, datetime, timedelta

_SPANS = [(timedelta(days=1), "day"), (timedelta(hours=1), "hour"), (timedelta(minutes=1), "minute")]
_RECENT = timedelta(days=7)


def from_clock(micros: int) -> datetime:
    """What a store's clock tells, as an aware datetime."""
    return datetime.fromtimestamp(micros // 1_000_000, UTC)


def exact(moment: datetime) -> str:
    """The moment to a second, in UTC."""
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def human(moment: datetime, now: datetime) -> str:
    """How long ago it was, or for more than a week its date. Clocks differ: what is yet to come is just now."""
    passed = now - moment
    if passed >= _RECENT:
        return f"{moment.day} {moment:%b %Y}"
    for span, name in _SPANS:
        count = passed // span
        if count > 0:
            return f"{count} {name}{'' if count == 1 else 's'} ago"
    return "just now"
