"""How the numbers are shown, in the terminal and in `bench/results.md`."""

import os
import platform
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

import apsw

from bench.targets import TARGETS, Finding, Measured, Table, shown_ratio


def render(findings: Sequence[Finding]) -> str:
    """Everything as Markdown that is aligned for reading as it is."""
    measured = [finding for finding in findings if isinstance(finding, Measured)]
    tables = [finding for finding in findings if isinstance(finding, Table)]
    parts = [_targets(measured)] if measured else []
    return "\n\n".join([*parts, *(_table(table) for table in tables)])


def document(findings: Sequence[Finding]) -> str:
    """The page of results."""
    return "\n\n".join(
        [
            "# Results of `make bench`",
            "Medians of one run. What is compared was measured by turns, one call of each after the other, so that "
            "whatever else the machine did hit both alike. Ratios travel from machine to machine, absolute numbers do "
            "not. Two messages are on average 1.6 KB of JSON; durability is full where nothing else is said.",
            f"{machine()}.",
            summary(findings),
            render(findings),
        ]
    ) + "\n"  # fmt: skip


def summary(findings: Sequence[Finding]) -> str:
    """How many targets were met, and which were not."""
    measured = [finding for finding in findings if isinstance(finding, Measured)]
    missed = [TARGETS[finding.target].what for finding in measured if not finding.is_met]
    if not missed:
        return f"{len(measured)} targets, all met."
    return f"{len(measured)} targets, {len(missed)} missed: {'; '.join(missed)}."


def machine() -> str:
    """The machine and the versions, without names of hosts or people."""
    return ", ".join(
        [
            f"clew {version('clew')}",
            f"SQLite {apsw.sqlite_lib_version()} (APSW {apsw.apsw_version()})",
            f"Python {platform.python_version()}",
            f"msgspec {version('msgspec')}",
            f"psycopg {version('psycopg')}",
            f"{platform.system()} on {_processor()}",
            f"{os.cpu_count()} processors",
        ]
    )


def shown_seconds(seconds: float) -> str:
    """A duration with three digits or so."""
    if seconds < 1e-3:
        return f"{seconds * 1e6:,.0f} µs"
    if seconds < 1:
        return f"{seconds * 1e3:,.{2 if seconds < 1e-2 else 1}f} ms"
    return f"{seconds:,.2f} s"


def shown_bytes(count: float) -> str:
    """A size in decimal units."""
    for unit, size in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6), ("KB", 1e3)):
        if count >= size:
            return f"{count / size:,.{0 if count >= 100 * size else 1}f} {unit}"
    return f"{count:,.0f} B"


def shown_version(number: float) -> str:
    """A version of PostgreSQL as it is written: 18.4 is 180004."""
    return f"{number // 10_000:.0f}.{number % 10_000:.0f}"


def aligned(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table whose columns line up."""
    widths = [max(len(line[column]) for line in [header, *rows]) for column in range(len(header))]
    lines = [header, ["-" * width for width in widths], *rows]
    return "\n".join(
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) + " |" for line in lines
    )


def _targets(measured: Sequence[Measured]) -> str:
    return aligned(
        ["what", "took", "against", "took", "ratio", "target", "result"], [_target_row(finding) for finding in measured]
    )


def _target_row(finding: Measured) -> list[str]:
    target = TARGETS[finding.target]
    return [
        target.what,
        _shown(finding.value, finding.unit),
        target.against,
        _shown(finding.base, finding.unit),
        shown_ratio(finding.ratio),
        target.text,
        "met" if finding.is_met else "MISSED",
    ]


def _shown(value: float, unit: str) -> str:
    if unit == "s":
        return shown_seconds(value)
    return shown_bytes(value) if unit == "B" else f"{value:,.0f} {unit}"


def _table(table: Table) -> str:
    parts = [f"## {table.title}", aligned(table.header, table.rows), table.notes]
    return "\n\n".join([part for part in parts if part])


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
