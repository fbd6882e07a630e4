"""`clew copy`."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

import click
import msgspec

import clew
from clew import wire
from clew.cli import lookup, places
from clew.cli.lookup import Wanted
from clew.cli.options import SESSION_ID, App, json_option, pass_app
from clew.cli.output import Line, Styled, backend_line, write_json, write_lines
from clew.cli.progress import progress_bar
from clew.cli.text import counted, one_line, size
from clew.model import BackendInfo
from clew.opening import MEMORY

if TYPE_CHECKING:
    from clew.copying import Copied


@click.command("copy")
@click.argument("source", metavar="SOURCE")
@click.argument("destination", metavar="DESTINATION")
@click.option(
    "--session",
    "sessions",
    metavar="ID",
    type=SESSION_ID,
    multiple=True,
    help="Copy only this session; may be repeated.",
)
@click.option("--dry-run", is_flag=True, help="Write nothing, and say what would be copied.")
@click.option("--no-verify", is_flag=True, help="Do not read back what was written to compare it.")
@json_option
@pass_app
def copy_command(
    app: App, source: str, destination: str, sessions: Sequence[Wanted], dry_run: bool, no_verify: bool
) -> None:
    """Copy the sessions of one store into another, whichever kinds of store they are. Ids and times are kept.

    What is in DESTINATION already is not sent again: a copy that was stopped goes on, and a later one brings what is
    new. Nothing there is deleted.
    """
    from clew.copying import prepare_copy  # needed by this command alone

    with ExitStack() as stores:
        from_store = stores.enter_context(_chosen(source).open_existing(read_only=True))
        to_store = stores.enter_context(_destination(destination, dry_run=dry_run))
        chosen = [lookup.session_id(from_store, wanted) for wanted in sessions]
        ends = from_store.backend_info(), places.backend(destination) if dry_run else to_store.backend_info()
        with progress_bar(not app.json) as bar:
            copy = prepare_copy(
                from_store,
                to_store,
                sessions=chosen or None,
                verify=not no_verify,
                dry_run=dry_run,
                progress=bar.report,
            )
            if not app.json:
                with bar.away():
                    write_lines([_end("From", ends[0]), _end("To", ends[1])])
            copied = copy.run()
    if app.json:
        told = {"source": wire.backend_info(ends[0]), "destination": wire.backend_info(ends[1])}
        write_json({**msgspec.to_builtins(copied), **told})
    else:
        write_lines(_lines(copied))
    error = copied.error()
    if error is not None:
        raise error


def _chosen(url: str) -> App:
    """One of the two stores, opened as the store of any command is."""
    app = App()
    app.store_url = url
    return app


@contextmanager
def _destination(url: str, *, dry_run: bool) -> Iterator[clew.Store]:
    """The store to copy to; a dry run neither makes nor changes one."""
    if not dry_run:
        with _chosen(url).open() as store:
            yield store
        return
    with _chosen(MEMORY if places.is_missing(url) else url).open_existing(read_only=True) as store:
        yield store


def _end(name: str, backend: BackendInfo) -> str:
    return f"{name}: {backend_line(backend).removeprefix('Backend: ')}"


def _lines(copied: "Copied") -> Iterator[Line]:
    yield f"Sessions:    {copied.created:,} created, {copied.updated:,} updated, {copied.unchanged:,} unchanged"
    if copied.dry_run:
        yield f"Checkpoints: {copied.checkpoints:,} to write"
        yield "Nothing has been written."
    else:
        content = f"{counted(copied.messages, 'message')} and {counted(copied.attachments, 'attachment')}"
        yield f"Checkpoints: {copied.checkpoints:,} written, with {content} ({size(copied.bytes)})"
        if copied.verified:
            yield "All that was written has been read back."
        elif not copied.failed:
            yield "What was written has not been read back."
    for failure in copied.failed:
        yield Styled(f"Failed:      session {failure.session_id}: {one_line(failure.message)}", "red")
