"""`clew watch`: imports that go on as files grow."""

import click
import msgspec

from clew.cli.import_reports import short_line
from clew.cli.importing import found_everywhere, found_paths
from clew.cli.options import App, json_option, pass_app
from clew.cli.output import Line, write_bytes, write_lines
from clew.cli.text import counted
from clew.importers import IMPORTERS, Failure, ImportReport
from clew.importers.base import Place


@click.command("watch")
@click.argument("format", required=False, type=click.Choice([*IMPORTERS]))
@click.argument("path", required=False)
@json_option
@pass_app
def watch_command(app: App, format: str | None, path: str | None) -> None:
    """Import the sessions of other programs, and go on as their files grow, until Ctrl-C.

    Without more everything is watched that `clew import` finds. Each import that brings something new prints a line.
    """
    from clew.importers.watching import watch

    chosen = _chosen(format, path)
    with app.open() as store:
        if not app.json:
            write_lines([f"Watching {counted(len(chosen), 'place')}"])
        for outcome in watch(store, chosen):
            _tell(app, outcome)


def _chosen(format: str | None, path: str | None) -> list[Place]:
    if format is None:
        return found_everywhere()
    importer = IMPORTERS[format]
    return [(importer, found) for found in found_paths(importer, path)]


def _tell(app: App, outcome: ImportReport | Failure) -> None:
    line: Line | None = short_line(outcome)
    if line is None:
        return
    if app.json:
        write_bytes(msgspec.json.encode(_told(outcome)) + b"\n")
    else:
        write_lines([line])


def _told(outcome: ImportReport | Failure) -> object:
    if isinstance(outcome, ImportReport):
        return outcome
    return {"importer": outcome.importer, "path": str(outcome.path), "error": outcome.error.message}
