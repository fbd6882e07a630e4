"""Checking a whole store: what its engine can tell, then family by family what clew has put into it.

A family is checked in one read transaction, so what is compared is of one moment, and no reader keeps old versions of
anything from being cleared away for longer than one family takes. Damage that keeps a part from being read is a finding
too.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Protocol, TypeVar

from clew.backend import Report
from clew.errors import CorruptStateError
from clew.relational import keys
from clew.relational.family_check import FamilyCheck
from clew.relational.transaction import Transaction
from clew.reports import Finding, Progress

T = TypeVar("T")

Check = Callable[[], list[Finding]]
"""Looks for what is wrong in a read transaction of its own."""

OfFamily = Callable[[Transaction, int], list[Finding]]
"""Looks for what is wrong with one family."""

FAMILIES = ("session_families", "timeline_families", "content_families")
"""Queries for families by what they have: one may be readable where another is not."""


class Read(Protocol):
    """Runs work in a read transaction, and raises clew's errors."""

    def __call__(self, work: Callable[[Transaction], T], /) -> T: ...


def verify(
    read: Read,
    checks: Sequence[Check],
    report: Report | None,
    *,
    families_by: Sequence[str] = FAMILIES,
    of_family: Sequence[OfFamily] = (),
) -> Iterator[Finding]:
    """Everything that is wrong, as it is found.

    `checks` are those of the engine, of its own files, and `of_family` those that it has for a family beyond what all
    engines check; `families_by` are the queries for the families.
    """
    yield from _of_store(read, checks)
    families: Counter[int] = Counter()
    for name in families_by:
        listed = _or_finding(lambda: read(lambda db: db.fetch_all(name, {})))  # noqa: B023 - run at once
        if isinstance(listed, Finding):
            yield listed
            continue
        families.update({family: sessions for family, sessions in listed if isinstance(family, int)})
        if not all(isinstance(family, int) for family, _ in listed):
            yield Finding(kind="family", message="a row belongs to no family")
    done, total = 0, families.total()
    for family, sessions in sorted(families.items()):
        for check in (_family, *of_family):
            found = _or_finding(lambda: read(lambda db: check(db, family)))  # noqa: B023 - run at once
            yield from [found] if isinstance(found, Finding) else found
        done += sessions
        if report is not None:
            report(Progress(done=done, total=total, unit="sessions"))


def _of_store(read: Read, checks: Sequence[Check]) -> Iterator[Finding]:
    for check in (*checks, lambda: read(_counters), lambda: read(_change_numbers), lambda: read(keys.findings)):
        found = _or_finding(check)
        yield from [found] if isinstance(found, Finding) else found


def _family(db: Transaction, family: int) -> list[Finding]:
    return FamilyCheck(db, family).run()


def _or_finding(work: Callable[[], T]) -> T | Finding:
    try:
        return work()
    except CorruptStateError as error:
        return Finding(kind="unreadable", message=error.message)


def _counters(db: Transaction) -> list[Finding]:
    rows = db.fetch_all("count_sessions", {})
    return [
        Finding(
            kind="session_count", message=f"{counted} sessions are counted as {_text(status)}, and {found} are there"
        )
        for status, counted, found in rows
        if counted != found
    ]


def _text(stored: str | bytes) -> str:
    return stored.decode() if isinstance(stored, bytes) else stored


def _change_numbers(db: Transaction) -> list[Finding]:
    ((given,),) = db.fetch_all("changes_are_given", {})
    if given:
        return []
    return [Finding(kind="change", message="a session has a greater number of its last change than was given out")]
