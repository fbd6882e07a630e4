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
    yield f"  Checkpoints: {report.checkpoints_created:,} created, {report.checkpoints_known:,} known before"
    yield from _findings("Mended", report.mended, "imported, but not just as it stands there")
    yield from _findings("Broken", report.broken, "left out")
    yield from _unknown(report.unknown)


def short_line(outcome: ImportReport | Failure) -> Line | None:
    """What came of one place in a line, None where nothing was new."""
    if isinstance(outcome, Failure):
        return next(outcome_lines(outcome))
    new = [
        counted(number, name)
        for number, name in (
            (outcome.sessions_created, "new session"),
            (outcome.sessions_updated, "updated session"),
            (outcome.checkpoints_created, "checkpoint"),
        )
        if number
    ]
    return f"{one_line(outcome.path)} ({outcome.importer}): {', '.join(new)}" if new else None


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
