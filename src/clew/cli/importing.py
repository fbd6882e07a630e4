"""`clew import`: everything that is found, or a path, or by a command for each importer; `clew reimport`."""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import click
import msgspec

import clew
from clew import wire
from clew.cli import places
from clew.cli.errors import InvalidArgumentError
from clew.cli.import_reports import outcome_lines
from clew.cli.lookup import Wanted, find_session
from clew.cli.options import SESSION_ID, App, json_option, pass_app
from clew.cli.output import backend_line, write_json, write_lines
from clew.cli.progress import Bar, progress_bar, update_search_index
from clew.cli.text import counted, one_line
from clew.errors import StorageError
from clew.importers import (
    IMPORTERS,
    Failure,
    Importer,
    ImportReport,
    Place,
    Progress,
    discover,
    find_places,
)
from clew.importers.reimport import reimport
from clew.model import BackendInfo


def _here_or_before(context: click.Context, parameter: click.Parameter, value: bool) -> bool:
    """Whether it stands after the name of the format or before it, which is the same to whoever types it."""
    above = {} if context.parent is None else context.parent.params
    return value or bool(above.get(str(parameter.name)))


dry_run_option = click.option(
    "--dry-run", is_flag=True, callback=_here_or_before, help="Write nothing, and say what would be imported."
)


class ImportGroup(click.Group):
    """The importers, by their names; a path in the place of a name is one of a format that is to be found out."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(IMPORTERS)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args[0] not in IMPORTERS and _is_path(args[0]):
            return "PATH", _any_format, args
        return super().resolve_command(ctx, args)


def _is_path(word: str) -> bool:
    """Whether a word that names no format is a path, of something that is there or is not."""
    path = Path(word)
    return path.name != word or bool(path.suffix) or os.path.lexists(path.expanduser())


@click.group("import", cls=ImportGroup, invoke_without_command=True, subcommand_metavar="[FORMAT [PATH] | PATH]")
@dry_run_option
@json_option
@pass_app
@click.pass_context
def import_group(context: click.Context, app: App, dry_run: bool) -> None:
    """Import the sessions of other programs.

    Without more everything is imported that is found in the places where the programs keep it. What has been imported
    before is not imported twice: a later run brings what is new. What cannot be read is named and left out. The
    programs' files are only read.
    """
    if context.invoked_subcommand is None:
        _import_all(app, found_everywhere(), dry_run)


def _command(importer: Importer) -> click.Command:
    @click.command(importer.name, help=_help(importer), short_help=importer.summary)
    @click.argument("path", required=False)
    @dry_run_option
    @json_option
    @pass_app
    def command(app: App, path: str | None, dry_run: bool) -> None:
        _import(app, [(importer, found) for found in found_paths(importer, path)], dry_run)

    return command


@click.command("PATH")
@click.argument("path")
@dry_run_option
@json_option
@pass_app
def _any_format(app: App, path: str, dry_run: bool) -> None:
    """Import a file or folder of any format that is known; of a folder that holds several, all of them."""
    found = find_places(path)
    if len(found) == 1:
        _import(app, found, dry_run)
    else:
        _import_all(app, found, dry_run)


@click.command("reimport")
@click.argument("session", metavar="[ID]", type=SESSION_ID, required=False)
@click.option("--source", metavar="FORMAT", type=click.Choice([*IMPORTERS]), help="Only sessions of this format.")
@json_option
@pass_app
def reimport_command(app: App, session: Wanted | None, source: str | None) -> None:
    """Read imported sessions again, from the records that the store has kept.

    For a later version of clew that understands more of them; the files that they came from are not needed. What is
    read otherwise than before becomes a branch that the session resumes from, and what was there stays.
    """
    with app.open_existing() as store:
        session_id = None if session is None else find_session(store, session).session.id
        with progress_bar(not app.json) as bar:
            reports = list(reimport(store, source=source, session_id=session_id, progress=_shown(bar)))
        update_search_index(app, store)
        _write(app, reports, store.backend_info())


def _help(importer: Importer) -> str:
    return f"Import {importer.summary}.\n\nWithout PATH the program's own place is looked at, where it has one."


def found_paths(importer: Importer, path: str | None) -> list[Path]:
    """The path that was given, or those that the importer finds."""
    if path is not None:
        return [Path(path)]
    found = importer.locations(Path.home())
    if not found:
        raise InvalidArgumentError(
            f"nothing to import for {importer.name} was found in your home directory: give a PATH"
        )
    return found


def found_everywhere() -> list[Place]:
    """What there is in the home directory; InvalidArgumentError where there is nothing."""
    found = discover()
    if not found:
        raise InvalidArgumentError(
            f"nothing to import was found in your home directory, of: {', '.join(IMPORTERS)}; give a PATH"
        )
    return found


def _import(app: App, chosen: list[Place], dry_run: bool) -> None:
    with _opened(app, dry_run) as store:
        reports = [_run(app, importer, store, path, dry_run) for importer, path in chosen]
        if not dry_run:
            update_search_index(app, store)
        _write(app, reports, _end(app, store, dry_run))


def _import_all(app: App, found: list[Place], dry_run: bool) -> None:
    """Import what there is; where one place fails the others are imported all the same, and the run ends with it."""
    if not app.json:
        listed = (f"  {importer.name}: {one_line(str(path))}" for importer, path in found)
        write_lines([f"Found {counted(len(found), 'place')}:", *listed])
    done: list[ImportReport | Failure] = []
    with _opened(app, dry_run) as store:
        for importer, path in found:
            try:
                done.append(_run(app, importer, store, path, dry_run))
            except StorageError as error:
                done.append(Failure(importer.name, path, error))
        if not dry_run:
            update_search_index(app, store)
        _write(app, done, _end(app, store, dry_run))
    failed = [outcome.error for outcome in done if isinstance(outcome, Failure)]
    if failed:
        raise failed[0]


@contextmanager
def _opened(app: App, dry_run: bool) -> Iterator[clew.Store]:
    """The store; for a dry run one in memory where there is none yet, which must not be made."""
    if dry_run and places.is_missing(app.store_url):
        with clew.open(":memory:") as store:
            yield store
    else:
        with app.open() as store:
            yield store


def _end(app: App, store: clew.Store, dry_run: bool) -> BackendInfo:
    """The store that the sessions are in, or would be: a dry run may have had another one."""
    return places.backend(app.store_url) if dry_run else store.backend_info()


def _run(app: App, importer: Importer, store: clew.Store, path: Path, dry_run: bool) -> ImportReport:
    with progress_bar(not app.json) as bar:
        return importer.run(store, path, _shown(bar), dry_run=dry_run)


def _shown(bar: Bar) -> Callable[[Progress], None]:
    return lambda step: bar.show(step.done, step.total or None, step.title)


def _write(app: App, outcomes: Sequence[ImportReport | Failure], backend: BackendInfo) -> None:
    if app.json:
        reports = [msgspec.to_builtins(outcome) for outcome in outcomes if isinstance(outcome, ImportReport)]
        write_json({"imports": reports, "backend": wire.backend_info(backend)})
    else:
        write_lines([backend_line(backend), *(line for outcome in outcomes for line in outcome_lines(outcome))])


for _importer in IMPORTERS.values():
    import_group.add_command(_command(_importer))
