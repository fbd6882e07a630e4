"""What a turn takes in PostgreSQL: in tables, in indexes, and in the write-ahead log."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from bench.conversation import Talk, texts
from bench.measure import Lab
from bench.report import shown_bytes, shown_version
from bench.servers import Counts, Database, Log, Size, cluster
from bench.sessions import AppendedSession
from bench.targets import Fact, Finding, Table

_PARTS = {
    "messages": "clew\\_content%",
    "their places in the conversation": "clew\\_entry%",
    "checkpoints": "clew\\_checkpoint%",
    "all": "clew\\_%",
}
"""Which tables hold what, by the beginning of their names."""


class _Sizes(NamedTuple):
    """Of every part: with the sessions that will grow, with others beside them, and at the end."""

    few: dict[str, Size]
    first: dict[str, Size]
    last: dict[str, Size]


class _Logs(NamedTuple):
    """The log at a checkpoint of the server, after one turn in every session, and at the end."""

    checkpoint: Log
    touched: Log
    last: Log


class _Logged(NamedTuple):
    """What a turn took of the log: bytes, and how many pages of them that went there whole."""

    size: float
    pages: float


class _Run(NamedTuple):
    """What was seen, over how many turns of how many sessions, beside how many others, and the bytes of JSON in it."""

    sessions: int
    others: int
    turns: int
    given: int
    sizes: _Sizes
    logs: _Logs
    counts: tuple[Counts, Counts]


def footprint(lab: Lab) -> Iterator[Finding]:
    """Many sessions that grow side by side, turn by turn, beside others that do not."""
    count, others, turns = lab.some(200, 40), lab.some(1000, 40), lab.some(50, 10)
    with cluster() as server:
        database = server.database("footprint")
        run = _grow(database, count, others, turns)
        version = database.version()
    sizes = run.sizes
    yield Table(
        title=f"PostgreSQL: bytes a turn, over {run.turns:,} turns of {count:,} sessions",
        header=["", "table", "indexes", "both"],
        rows=[_row(part, sizes, run.turns) for part in _PARTS],
        notes=f"PostgreSQL {shown_version(version)}, after VACUUM. The JSON of the messages is "
        f"{shown_bytes(run.given / run.turns)} a turn; all together is "
        f"{_grown(sizes, 'all').total / run.given:.2f} times that. A session with its first turn took "
        f"{shown_bytes(_first(run))}. {_log_notes(run)}",
    )
    yield Fact("server_version", version)
    yield from _facts(run)


def _grow(database: Database, count: int, others: int, turns: int) -> _Run:
    """Let sessions have one turn each, and then some of them so many more."""
    with database.store("normal") as store:  # the same bytes, sooner
        sessions = [AppendedSession(store, seed, 1) for seed in range(count)]
        few = _sizes(database)
        for seed in range(count, count + others):
            AppendedSession(store, seed, 1)
        first = _sizes(database)
        database.checkpoint()
        before, at_checkpoint = database.counts(), database.log()
        _advance(sessions, 2)
        touched = database.log()
        _advance(sessions, turns + 1)
        logs, after = _Logs(at_checkpoint, touched, database.log()), database.counts()
        sizes = _Sizes(few, first, _sizes(database))
    given = sum(len(text.encode()) for seed in range(count) for text in texts(_after_the_first(seed, turns)))
    return _Run(count, others, count * turns, given, sizes, logs, (before, after))


def _advance(sessions: Sequence[AppendedSession], turns: int) -> None:
    """Let all have so many turns, one turn of each after the other."""
    for turn in range(sessions[0].talk.turns + 1, turns + 1):
        for session in sessions:
            session.advance(turn)


def _sizes(database: Database) -> dict[str, Size]:
    return {part: database.size(names) for part, names in _PARTS.items()}


def _grown(sizes: _Sizes, part: str) -> Size:
    """By how much a part has grown from the first turns on."""
    before, after = sizes.first[part], sizes.last[part]
    return Size(after.tables - before.tables, after.indexes - before.indexes)


def _row(part: str, sizes: _Sizes, turns: int) -> list[str]:
    grown = _grown(sizes, part)
    return [part, *(f"{size / turns:,.0f} B" for size in (grown.tables, grown.indexes, grown.total))]


def _after_the_first(seed: int, turns: int) -> list[dict[str, object]]:
    talk = Talk(seed)
    talk.turn()
    return talk.messages(turns)


def _first(run: _Run) -> float:
    """What a session takes that has one turn."""
    return (run.sizes.first["all"].total - run.sizes.few["all"].total) / run.others


def _log_notes(run: _Run) -> str:
    return (
        f"The write-ahead log took {_shown(_warm(run))} a turn in the course of things, and {_shown(_cold(run))} where "
        "the turn was the first of its session after a checkpoint of the server: a page that is written for the first "
        "time then goes to the log whole."
    )


def _cold(run: _Run) -> _Logged:
    return _between(run.logs.checkpoint, run.logs.touched, run.sessions)


def _warm(run: _Run) -> _Logged:
    return _between(run.logs.touched, run.logs.last, run.turns - run.sessions)


def _between(before: Log, after: Log, turns: int) -> _Logged:
    return _Logged((after.position - before.position) / turns, (after.pages - before.pages) / turns)


def _shown(logged: _Logged) -> str:
    return f"{logged.size:,.0f} B ({logged.pages:.1f} whole pages)"


def _facts(run: _Run) -> Iterator[Fact]:
    """What documents count with, a turn each."""
    grown = _grown(run.sizes, "all")
    before, after = run.counts
    yield Fact("json", run.given / run.turns)
    yield Fact("tables", grown.tables / run.turns)
    yield Fact("indexes", grown.indexes / run.turns)
    yield Fact("session", _first(run))
    yield Fact("log", _warm(run).size)
    yield Fact("log_cold", _cold(run).size)
    yield Fact("rows", (after.rows - before.rows) / run.turns)
    yield Fact("transactions", (after.transactions - before.transactions) / run.turns)
