"""What a store takes at any size, computed from what `make bench` measured: the tables of docs/scaling.md.

    python bench/sizing.py            prints them
    python bench/sizing.py --write    writes them into the page

The measurements are in bench/measured.json. A run of everything writes that, and then the page.
"""

import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))  # so that this runs as a script and its modules import one another

from bench import report  # noqa: E402
from bench.report import shown_bytes, shown_seconds, shown_version  # noqa: E402
from bench.targets import Fact, Finding, Measured  # noqa: E402

MEASURED = HERE / "measured.json"
PAGE = HERE.parent / "docs" / "scaling.md"

BEGIN = "<!-- what follows is written by bench/sizing.py -->\n"
END = "<!-- what is written by bench/sizing.py ends here -->"
_NONE = "–"

_CHECKPOINTS = tuple(10**power for power in range(5, 10))
_AGENTS = (100, 1_000, 10_000, 100_000)
_TURNS_OF_A_SESSION = 50
_SECONDS_OF_A_TURN = 10
_DAY = 24 * 60 * 60


class Numbers(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What one turn takes: two messages and a checkpoint. Sizes are bytes, times seconds."""

    machine: str
    server_version: float
    json: float
    """The messages themselves, as JSON."""
    file: float
    """Of an SQLite file."""
    tables: float
    indexes: float
    """Of PostgreSQL, on top of `tables`."""
    log: float
    """Of PostgreSQL's write-ahead log, in the course of things."""
    log_cold: float
    """The same of a session that is written for the first time after a checkpoint of the server."""
    session: float
    """Of PostgreSQL: what a session with its first turn takes, tables and indexes."""
    rows: float
    """Inserted into PostgreSQL's tables."""
    transactions: float
    file_append: float
    file_rate: float
    """Appends a second of many coroutines on one file."""
    server_append: float
    server_rate: float
    """Appends a second of many threads on one server."""
    server_load: float
    """A session of 2,000 messages read and decoded."""


_FIELDS = {
    "append floor": "file_append",
    "async writers": "file_rate",
    "postgres append floor": "server_append",
}
"""Which targets' measurements are counted with, and as what."""


def record(findings: Sequence[Finding], measured: Path = MEASURED, page: Path = PAGE) -> None:
    """Keep what was found, beside what only earlier runs have looked at, and bring the page up to date."""
    known = msgspec.json.decode(measured.read_bytes(), type=dict[str, float | str]) if measured.exists() else {}
    known |= {"machine": report.machine(), **_found(findings)}
    measured.write_bytes(msgspec.json.format(msgspec.json.encode(known, order="sorted"), indent=2) + b"\n")
    write(page, read(measured))


def read(measured: Path = MEASURED) -> Numbers:
    """What was recorded."""
    return msgspec.json.decode(measured.read_bytes(), type=Numbers)


def write(page: Path, numbers: Numbers) -> None:
    """Put the tables into a page, in the place of those that are there."""
    before, _, after = _parts(page)
    page.write_text(f"{before}{BEGIN}{tables(numbers)}{END}{after}", encoding="utf-8")


def written(page: Path = PAGE) -> str:
    """The tables that are in a page."""
    return _parts(page)[1]


def tables(numbers: Numbers) -> str:
    """All of them, as Markdown."""
    parts = [
        f"Measured with PostgreSQL {shown_version(numbers.server_version)} on the same processors: {numbers.machine}.",
        _table(["a turn: 2 messages, 1 checkpoint", "SQLite file", "PostgreSQL"], _turn(numbers)),
        f"So many checkpoints, in sessions of {_TURNS_OF_A_SESSION} turns:",
        _table(
            ["checkpoints", "JSON of the messages", "SQLite file", "PostgreSQL: tables", "indexes", "log written",
             "32 writers need"],
            [_stock(numbers, count) for count in _CHECKPOINTS],
        ),
        f"So many agents at work at once, each of which ends a turn every {_SECONDS_OF_A_TURN} seconds:",
        _table(
            ["agents", "appends a second", "of what was measured", "log a second", "grows a day by", "appends a day"],
            [_work(numbers, agents) for agents in _AGENTS],
        ),
    ]  # fmt: skip
    return "\n" + "\n\n".join(parts) + "\n\n"


def _turn(numbers: Numbers) -> list[list[str]]:
    kept = numbers.tables + numbers.indexes
    log = f"{shown_bytes(numbers.log)} (first after a checkpoint of the server: {shown_bytes(numbers.log_cold)})"
    return [
        ["JSON of the messages", shown_bytes(numbers.json), shown_bytes(numbers.json)],
        ["kept", shown_bytes(numbers.file), f"{shown_bytes(kept)}, of which indexes {shown_bytes(numbers.indexes)}"],
        ["written to the log", _NONE, log],
        ["rows inserted", _NONE, f"{numbers.rows:.1f}, and one updated"],
        ["transactions", _NONE, f"{numbers.transactions:.2f}"],
        ["an append takes", shown_seconds(numbers.file_append), shown_seconds(numbers.server_append)],
        ["appends a second", f"{numbers.file_rate:,.0f} (64 at once)", f"{numbers.server_rate:,.0f} (32 at once)"],
        ["a session of 2,000 messages is read in", _NONE, shown_seconds(numbers.server_load)],
        ["a session takes, on top", _NONE, shown_bytes(_beyond_its_turn(numbers))],
    ]


def _stock(numbers: Numbers, count: int) -> list[str]:
    # A session's own rows are few bytes beside those of its turns; they are counted as tables.
    sessions = count / _TURNS_OF_A_SESSION
    sizes = (
        count * numbers.json,
        count * numbers.file,
        count * numbers.tables + sessions * _beyond_its_turn(numbers),
        count * numbers.indexes,
        count * numbers.log,
    )
    return [f"{count:,}", *map(shown_bytes, sizes), _duration(count / numbers.server_rate)]


def _work(numbers: Numbers, agents: int) -> list[str]:
    rate = agents / _SECONDS_OF_A_TURN
    return [
        f"{agents:,}",
        f"{rate:,.0f}",
        f"{rate / numbers.server_rate:.0%}" if rate < numbers.server_rate else f"{rate / numbers.server_rate:,.1f} ×",
        shown_bytes(rate * numbers.log),
        shown_bytes(rate * _DAY * (numbers.tables + numbers.indexes)),
        f"{rate * _DAY / 1e6:,.1f} million",
    ]


def _beyond_its_turn(numbers: Numbers) -> float:
    return max(numbers.session - numbers.tables - numbers.indexes, 0)


def _duration(seconds: float) -> str:
    for unit, size in (("days", _DAY), ("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:,.0f} {unit}"
    return f"{seconds:,.0f} seconds"


def _found(findings: Sequence[Finding]) -> dict[str, float]:
    facts = {finding.name: finding.value for finding in findings if isinstance(finding, Fact)}
    measured = {finding.target: finding.value for finding in findings if isinstance(finding, Measured)}
    return facts | {field: measured[target] for target, field in _FIELDS.items() if target in measured}


def _parts(page: Path) -> tuple[str, str, str]:
    """What a page says before its tables, its tables, and what it says after them."""
    before, _, rest = page.read_text(encoding="utf-8").partition(BEGIN)
    inside, _, after = rest.partition(END)
    return before, inside, after


_table: Callable[[Sequence[str], Sequence[Sequence[str]]], str] = report.aligned


def main() -> None:
    """Print the tables, or write them."""
    if sys.argv[1:] == ["--write"]:
        write(PAGE, read())
    else:
        print(tables(read()))


if __name__ == "__main__":
    main()
