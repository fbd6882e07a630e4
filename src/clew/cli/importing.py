"""`clew import`: a command for each importer there is."""

from collections.abc import Iterator
from pathlib import Path

import click
import msgspec

import clew
from clew import wire
from clew.cli.errors import InvalidArgumentError
from clew.cli.options import App, json_option, pass_app
from clew.cli.output import Line, backend_line, write_json, write_lines
from clew.cli.progress import progress_bar
from clew.cli.text import counted, one_line, size
from clew.importers import IMPORTERS, Finding, Importer, ImportReport


class ImportGroup(click.Group):
    """The importers, by their names."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(IMPORTERS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        importer = IMPORTERS.get(cmd_name)
        return None if importer is None else _command(importer)


@click.group("import", cls=ImportGroup)
def import_group() -> None:
    """Import the sessions of another program.

    What has been imported before is not imported twice: a later run brings what is new. A row of the source that
    cannot be read is named and left out.
    """


def _command(importer: Importer) -> click.Command:
    @click.command(importer.name, help=_help(importer), short_help=importer.summary)
    @click.argument("path", required=False)
    @json_option
    @pass_app
    def command(app: App, path: str | None) -> None:
        paths = _paths(importer, path)
        with app.open() as store:
            reports = [_run(importer, store, path, bar=not app.json) for path in paths]
            backend = store.backend_info()
        if app.json:
            write_json(
                {"imports": [msgspec.to_builtins(report) for report in reports], "backend": wire.backend_info(backend)}
            )
        else:
            write_lines([backend_line(backend), *(line for report in reports for line in _lines(report))])

    return command


def _help(importer: Importer) -> str:
    return f"Import {importer.summary}.\n\nWithout PATH the program's own place is looked at, where it has one."


def _paths(importer: Importer, path: str | None) -> list[Path]:
    if path is not None:
        return [Path(path)]
    found = importer.locations(Path.home())
    if not found:
        raise InvalidArgumentError(
            f"nothing to import for {importer.name} was found in your home directory: give a PATH"
        )
    return found


def _run(importer: Importer, store: clew.Store, path: Path, *, bar: bool) -> ImportReport:
    with progress_bar(bar) as shown:
        return importer.run(store, path, lambda step: shown.show(step.done, step.total or None, step.title))


def _lines(report: ImportReport) -> Iterator[Line]:
    yield f"Imported {one_line(report.path)} ({report.importer}, {size(report.bytes_read)} of conversations)"
    yield (
        f"  Sessions:    {report.sessions_created:,} created, {report.sessions_updated:,} updated, "
        f"{report.sessions_unchanged:,} unchanged"
    )
    yield f"  Checkpoints: {report.checkpoints_created:,} created, {report.checkpoints_known:,} known before"
    yield from _findings("Mended", report.mended, "imported, but not just as it stands there")
    yield from _findings("Broken", report.broken, "left out")


def _findings(heading: str, findings: tuple[Finding, ...], meaning: str) -> Iterator[Line]:
    if findings:
        yield f"  {heading}:      {counted(len(findings), 'row')} ({meaning})"
    for finding in findings:
        yield f"    {one_line(str(finding))}"
