"""`clew watch`: imports that go on as files grow."""

import click
import msgspec

from clew.cli.import_reports import news, outcome_lines
from clew.cli.importing import found_everywhere, found_paths
from clew.cli.options import App, json_option, pass_app
from clew.cli.output import write_bytes, write_lines
from clew.cli.text import counted
from clew.importers import IMPORTERS, Failure, Finding, ImportReport
from clew.importers.base import Place


@click.command("watch")
@click.argument("format", required=False, type=click.Choice([*IMPORTERS]))
@click.argument("path", required=False)
@json_option
@pass_app
def watch_command(app: App, format: str | None, path: str | None) -> None:
    """Import the sessions of other programs, and go on as their files grow, until Ctrl-C.

    Without more everything is watched that `clew import` finds. Each import that brings something new prints a line,
    and what it meets for the first time that cannot be read, or is of a type that is not known.
    """
    from clew.importers.watching import watch

    chosen = _chosen(format, path)
    told = _Told()
    with app.open() as store:
        if not app.json:
            write_lines([f"Watching {counted(len(chosen), 'place')}"])
        for outcome in watch(store, chosen):
            _tell(app, outcome, told)


def _chosen(format: str | None, path: str | None) -> list[Place]:
    if format is None:
        return found_everywhere()
    importer = IMPORTERS[format]
    return [(importer, found) for found in found_paths(importer, path)]


class _Told:
    """What was told already: a file that grows is read whole, and what is broken in it is met every time."""

    def __init__(self) -> None:
        self._findings: set[Finding] = set()
        self._unknown: dict[tuple[str, str, str], int] = {}

    def take(self, report: ImportReport) -> ImportReport:
        """The report with only that of what it has met which was not told before; now it is."""
        new = msgspec.structs.replace(
            report, broken=self._new(report.broken), mended=self._new(report.mended), unknown=self._more(report)
        )
        self._findings.update(report.broken, report.mended)
        return new

    def _new(self, findings: tuple[Finding, ...]) -> tuple[Finding, ...]:
        return tuple(finding for finding in findings if finding not in self._findings)

    def _more(self, report: ImportReport) -> dict[str, int]:
        """How many more records of each unknown type there are in this place."""
        more: dict[str, int] = {}
        for name, number in report.unknown.items():
            before = self._unknown.get((report.importer, report.path, name), 0)
            if number > before:
                more[name] = number - before
                self._unknown[report.importer, report.path, name] = number
        return more


def _tell(app: App, outcome: ImportReport | Failure, told: _Told) -> None:
    if isinstance(outcome, ImportReport):
        outcome = told.take(outcome)
        lines = news(outcome)
    else:
        lines = list(outcome_lines(outcome))
    if lines and app.json:
        write_bytes(msgspec.json.encode(_as_json(outcome)) + b"\n")
    elif lines:
        write_lines(lines)


def _as_json(outcome: ImportReport | Failure) -> object:
    if isinstance(outcome, ImportReport):
        return outcome
    return {"importer": outcome.importer, "path": str(outcome.path), "error": outcome.error.message}
