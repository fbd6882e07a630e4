"""A clock that tests set."""

from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

SECOND = 1_000_000
START = 1_700_000_000 * SECOND


class Clock:
    """Microseconds since 1970 for `clew.Store(backend, clock=…)`.

    Each call tells `now` and then moves it on by `tick`. With a tick of 0 the clock stands still, so that times tie; a
    test that sets `now` back stands for a system clock that was corrected.
    """

    def __init__(self, now: int = START, tick: int = 1_000) -> None:
        self.now = now
        self.tick = tick

    def __call__(self) -> int:
        told = self.now
        self.now += self.tick
        return told

    @property
    def moment(self) -> datetime:
        """What the next call tells, as a datetime."""
        return moment(self.now)


def moment(micros: int) -> datetime:
    """The datetime in UTC of microseconds since 1970."""
    return _EPOCH + timedelta(microseconds=micros)
