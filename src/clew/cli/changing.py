"""`clew rename`, `clew delete`, `clew restore` and `clew purge`."""

from collections.abc import Callable
from uuid import UUID

import click

import clew
from clew import wire
from clew.cli import lookup
from clew.cli.errors import InvalidArgumentError
from clew.cli.lookup import Wanted
from clew.cli.options import App, json_option, pass_app, session_argument
from clew.cli.output import write_json, write_lines
from clew.cli.text import counted, shorten
from clew.errors import CorruptStateError
from clew.model import KEEP, Keep, SessionStatus


@click.command("rename")
@session_argument
@click.argument("title")
@json_option
@pass_app
def rename_command(app: App, session: Wanted, title: str) -> None:
    """Give a session another title."""
    _change(app, session, lambda id: f"Renamed {id} to {shorten(title)}", title=title)


@click.command("delete")
@session_argument
@json_option
@pass_app
def delete_command(app: App, session: Wanted) -> None:
    """Mark a session deleted. It keeps everything, and `clew restore` undoes this."""
    _change(app, session, lambda id: f"Deleted {id}", status=SessionStatus.DELETED)


@click.command("restore")
@session_argument
@json_option
@pass_app
def restore_command(app: App, session: Wanted) -> None:
    """Undo `clew delete`."""
    _change(app, session, lambda id: f"Restored {id}", status=SessionStatus.ACTIVE)


@click.command("purge")
@session_argument
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
@pass_app
def purge_command(app: App, session: Wanted, yes: bool) -> None:
    """Remove a session for good, with every message that no fork of it needs. Asks first."""
    if app.json and not yes:
        raise InvalidArgumentError("purge --json asks nobody: it needs --yes")
    with app.open() as store:
        id = lookup.session_id(store, session)
        if not yes:
            click.confirm(f"Purge {_described(store, id)}? This cannot be undone", abort=True, err=True)
        store.purge_session(id)
        backend = store.backend_info()
    if app.json:
        write_json({"purged": str(id), "backend": wire.backend_info(backend)})
    else:
        write_lines([f"Purged {id}"])


def _change(
    app: App,
    wanted: Wanted,
    done: Callable[[UUID], str],
    *,
    title: str | Keep = KEEP,
    status: SessionStatus | Keep = KEEP,
) -> None:
    with app.open() as store:
        session = store.update_session(lookup.session_id(store, wanted), title=title, status=status)
        found = lookup.found_from(store, session) if app.json else None
        backend = store.backend_info()
    if found is not None:
        write_json(wire.session_shown(*found, backend))
    else:
        write_lines([done(session.id)])


def _described(store: clew.Store, id: UUID) -> str:
    try:
        found = lookup.found_from(store, store.get_session(id))
    except CorruptStateError:
        return f"{id}, whose messages are damaged"
    return f'{id} "{shorten(found.session.title)}" ({counted(found.message_count, "message")})'
