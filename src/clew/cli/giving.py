"""`clew give`."""

from collections.abc import Iterator
from uuid import UUID

import click

import clew
from clew import wire
from clew.cli import lookup
from clew.cli.errors import InvalidArgumentError, write_error
from clew.cli.lookup import Wanted
from clew.cli.options import SESSION_ID, App, json_option, pass_app
from clew.cli.output import write_json, write_lines
from clew.cli.text import counted, shorten
from clew.errors import ConflictError
from clew.model import SessionSummary

_PAGE = 100


@click.command("give")
@click.argument("name")
@click.argument("sessions", metavar="[ID]...", nargs=-1, type=SESSION_ID)
@click.option("--unowned", is_flag=True, help="Give every session that belongs to nobody.")
@json_option
@pass_app
def give_command(app: App, name: str, sessions: tuple[Wanted, ...], unowned: bool) -> None:
    """Give sessions to NAME, the name of an API key: behind a server its holder sees no others but public ones.

    Sessions that were made before there were keys belong to nobody.
    """
    if bool(sessions) == unowned:
        raise InvalidArgumentError("give either the ids of sessions or --unowned")
    with app.open_existing() as store:
        given, kept = _give(store, name, _unowned(store) if unowned else _wanted(store, sessions))
        has_key = any(key.name == name and key.revoked_at is None for key in store.list_keys())
        backend = store.backend_info()
    if app.json:
        write_json(
            {
                "given": [str(id) for id in given],
                "kept": [str(id) for id in kept],
                "backend": wire.backend_info(backend),
            }
        )
    else:
        lines = [f"Gave {counted(len(given), 'session')} to {shorten(name)}"]
        if not has_key:
            lines.append(f"No API key has the name {shorten(name)} yet: until one has, only admins see these sessions.")
        write_lines(lines)
    for id in kept:
        write_error(f"{id} stays as it is: {shorten(name)} has another session of its source")
    if kept:
        raise click.exceptions.Exit(1)


def _give(store: clew.Store, name: str, sessions: Iterator[SessionSummary]) -> tuple[list[UUID], list[UUID]]:
    """What was given, and what was not since its name is taken. When a session last changed stays as it was."""
    given, kept = [], []
    for session in sessions:
        try:
            store.update_session(session.id, owner=name, updated_at=session.updated_at)
        except ConflictError:
            kept.append(session.id)
        else:
            given.append(session.id)
    return given, kept


def _wanted(store: clew.Store, sessions: tuple[Wanted, ...]) -> Iterator[SessionSummary]:
    ids = [lookup.session_id(store, wanted) for wanted in sessions]
    return iter([store.get_session_summary(id) for id in ids])


def _unowned(store: clew.Store) -> Iterator[SessionSummary]:
    """All of them, looked up before one is changed."""
    found, cursor = [], None
    while True:
        page = store.list_sessions(limit=_PAGE, cursor=cursor)
        found += [item for item in page if item.owner is None and item.damage is None]
        if page.next_cursor is None:
            return iter(found)
        cursor = page.next_cursor
