"""Checking a whole file: what SQLite can tell of it, then family by family what clew has put into it.

A family is checked in one read transaction, so what is compared is of one moment, and no reader keeps the write-ahead
log from being emptied for longer than one family takes. Damage that keeps a part from being read is a finding too.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any, Protocol, TypeVar

import apsw

from clew.backend import Report
from clew.errors import CorruptStateError
from clew.reports import Finding, Progress
from clew.sqlite.family_check import FamilyCheck
from clew.sqlite.queries import Row, fetch_all

T = TypeVar("T")

_FAMILIES = ("session_families", "timeline_families", "content_families")
"""Queries for families by what they have: one may be readable where another is not."""


class Read(Protocol):
    """Runs work in a read transaction, and raises clew's errors."""

    def __call__(self, work: Callable[[apsw.Connection], T], /) -> T: ...


def verify(read: Read, report: Report | None) -> Iterator[Finding]:
    """Everything that is wrong, as it is found."""
    yield from _of_file(read)
    families: Counter[int] = Counter()
    for name in _FAMILIES:
        listed = _or_finding(read, lambda connection: fetch_all(connection, name, {}))  # noqa: B023 - run at once
        if isinstance(listed, Finding):
            yield listed
            continue
        families.update({family: sessions for family, sessions in listed if isinstance(family, int)})
        if not all(isinstance(family, int) for family, _ in listed):
            yield Finding(kind="family", message="a row belongs to no family")
    done, total = 0, families.total()
    for family, sessions in sorted(families.items()):
        found = _or_finding(read, lambda connection: FamilyCheck(connection, family).run())  # noqa: B023 - run at once
        yield from [found] if isinstance(found, Finding) else found
        done += sessions
        if report is not None:
            report(Progress(done=done, total=total, unit="sessions"))


def _of_file(read: Read) -> Iterator[Finding]:
    for check in (_integrity, _foreign_keys, _counters):
        found = _or_finding(read, check)
        yield from [found] if isinstance(found, Finding) else found


def _or_finding(read: Read, work: Callable[[apsw.Connection], T]) -> T | Finding:
    try:
        return read(work)
    except CorruptStateError as error:
        return Finding(kind="unreadable", message=error.message)


def _integrity(connection: apsw.Connection) -> list[Finding]:
    """SQLite's own check of pages, b-trees, indexes and constraints."""
    found: list[Finding] = []
    try:
        for (text,) in connection.execute("PRAGMA integrity_check"):
            if text != "ok":
                found.append(Finding(kind="file", message=f"SQLite: {text}"))
    except (apsw.CorruptError, apsw.NotADBError) as error:  # too damaged for the check to go on
        found.append(Finding(kind="file", message=f"SQLite: {error}"))
    return found


def _foreign_keys(connection: apsw.Connection) -> list[Finding]:
    rows: list[Row] = connection.execute("PRAGMA foreign_key_check").fetchall()
    return [
        Finding(kind="reference", message=f"a row of {table} refers to one of {parent} that is not there")
        for table, _, parent, _ in rows
    ]


def _counters(connection: apsw.Connection) -> list[Finding]:
    rows: list[Any] = fetch_all(connection, "count_sessions", {})
    return [
        Finding(kind="session_count", message=f"{counted} sessions are counted as {status}, and {found} are there")
        for status, counted, found in rows
        if counted != found
    ]
