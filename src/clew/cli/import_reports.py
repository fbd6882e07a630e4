"""What an import did, as lines."""

from collections.abc import Iterator

from clew.cli.output import Line
from clew.cli.text import counted, one_line, size
from clew.importers import Failure, Finding, ImportReport


def outcome_lines(outcome: ImportReport | Failure) -> Iterator[Line]:
    """What came of one place."""
    if isinstance(outcome, ImportReport):
        yield from report_lines(outcome)
    else:
        yield f"Failed {one_line(str(outcome.path))} ({outcome.importer}): {one_line(outcome.error.message)}"


def report_lines(report: ImportReport) -> Iterator[Line]:
    """A report, whole."""
    verb = "Would import" if report.dry_run else "Imported"
    yield f"{verb} {one_line(report.path)} ({report.importer}, {size(report.bytes_read)} of conversations)"
    yield (
        f"  Sessions:    {report.sessions_created:,} created, {report.sessions_updated:,} updated, "
        f"{report.sessions_unchanged:,} unchanged"
    )
    # Those of sessions that are unchanged are not counted: nothing of them was read.
    known = f", {report.checkpoints_known:,} known before" if report.checkpoints_known else ""
    yield f"  Checkpoints: {report.checkpoints_created:,} created{known}"
    yield from _met(report)


def news(report: ImportReport) -> list[Line]:
    """What came of one place in a line, and below it what was met; nothing where nothing was new."""
    lines, brought = list(_met(report)), _brought(report)
    if not lines and not brought:
        return []
    return [f"{one_line(report.path)} ({report.importer}): {brought or 'no new messages'}", *lines]


def _met(report: ImportReport) -> Iterator[Line]:
    """What was met that could not be taken over as it stands."""
    yield from _findings("Mended", report.mended, "imported, but not just as it stands there")
    yield from _findings("Broken", report.broken, "left out")
    yield from _unknown(report.unknown)


def _brought(report: ImportReport) -> str:
    """How much of what is new now."""
    new = [
        counted(number, name)
        for number, name in (
            (report.sessions_created, "new session"),
            (report.sessions_updated, "updated session"),
            (report.checkpoints_created, "checkpoint"),
        )
        if number
    ]
    return ", ".join(new)


def _findings(heading: str, findings: tuple[Finding, ...], meaning: str) -> Iterator[Line]:
    if findings:
        yield f"  {heading}:      {counted(len(findings), 'row')} ({meaning})"
    for finding in findings:
        yield f"    {one_line(str(finding))}"


def _unknown(unknown: dict[str, int]) -> Iterator[Line]:
    if unknown:
        yield f"  Unknown:     {counted(sum(unknown.values()), 'record')} of types that no message is made of (kept)"
    for name, number in unknown.items():
        yield f"    {number:,} {one_line(name)}"
