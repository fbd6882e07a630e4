"""`clew mv`."""

from collections.abc import Iterator

import click

import clew
from clew import wire
from clew.cli.errors import EXIT_FAILURE
from clew.cli.options import App, absolute, json_option, pass_app
from clew.cli.output import Line, Styled, backend_line, write_json, write_lines
from clew.cli.text import counted, one_line, shorten


@click.command("mv")
@click.argument("old", metavar="OLD")
@click.argument("new", metavar="NEW")
@click.option("--owner", metavar="NAME", help="Only sessions that belong to this owner.")
@click.option("--dry-run", is_flag=True, help="Change nothing, and tell what would be changed.")
@json_option
@pass_app
def mv_command(app: App, old: str, new: str, owner: str | None, dry_run: bool) -> None:
    """Tell the store that the directory OLD is NEW now: every session in it, or below it, is moved along.

    Sessions are still found by their old directory. No file is touched.
    """
    with app.open_existing() as store:
        moved = store.move_directory(absolute(old), absolute(new), owner=owner, dry_run=dry_run)
        backend = store.backend_info()
    if app.json:
        write_json({**wire.moved(moved), "dry_run": dry_run, "backend": wire.backend_info(backend)})
    else:
        write_lines([backend_line(backend), *_lines(moved, dry_run=dry_run)])
    if moved.damaged:
        click.get_current_context().exit(EXIT_FAILURE)


def _lines(moved: clew.Moved, *, dry_run: bool) -> Iterator[Line]:
    for item in moved.sessions:
        yield f"{item.session_id} {shorten(item.title)}"
        yield f"  {one_line(item.old_cwd)} -> {one_line(item.cwd)}"
    for id in moved.damaged:
        yield Styled(f"{id} is damaged, and stays where it is; `clew verify` says what is wrong", "red")
    yield f"{'Would move' if dry_run else 'Moved'} {counted(len(moved.sessions), 'session')}"
