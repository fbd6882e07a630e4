"""`clew new` and `clew append`."""

import click

import clew
from clew import wire
from clew.cli import lookup
from clew.cli.lookup import Wanted
from clew.cli.options import (
    CHECKPOINT_ID,
    ROLES,
    App,
    RoleType,
    absolute,
    json_option,
    pass_app,
    session_argument,
    visibility_option,
)
from clew.cli.output import is_terminal, write_json, write_lines
from clew.cli.reading import STANDARD_INPUT, read_messages
from clew.cli.text import counted


@click.command("new")
@click.argument("title")
@click.option("--messages", metavar="FILE", help="Begin with the messages of a file; - is standard input.")
@click.option("--cwd", metavar="DIR", help="The working directory of the session.")
@click.option("--source", metavar="NAME", help="The program that knows the session by --source-id.")
@click.option("--source-id", metavar="ID", help="What that program calls it; unique together with --source.")
@visibility_option("Who may read the session through a server.")
@json_option
@pass_app
def new_command(
    app: App,
    title: str,
    messages: str | None,
    cwd: str | None,
    source: str | None,
    source_id: str | None,
    visibility: str | None,
) -> None:
    """Create a session and print its id."""
    given = [] if messages is None else read_messages(messages, None)
    with app.open() as store:
        session = store.create_session(
            title,
            messages=given,
            cwd=absolute(cwd),
            source=source,
            source_id=source_id,
            visibility=visibility or clew.Visibility.PRIVATE,
        )
        backend = store.backend_info()
    write_created(app, session, len(given), backend)


def write_created(app: App, session: clew.Session, count: int, backend: clew.BackendInfo) -> None:
    """Say that a session with `count` messages has been made."""
    active = session.active_checkpoint
    if app.json:
        write_json(wire.session_shown(session, None if active is None else active.id, count, backend))
    else:
        hint = [f"Resume: {app.command('append', str(session.id))}"] if is_terminal() else []
        write_lines([str(session.id), *hint])


@click.command("append")
@session_argument
@click.argument("file", metavar="[FILE]", default=STANDARD_INPUT)
@click.option(
    "--role",
    type=RoleType(*ROLES, "developer"),
    metavar="ROLE",
    help="Take the input as the text of one message of this role, whatever it looks like.",
)
@click.option("--label", metavar="NAME", help="A name for the new checkpoint, unique in the session.")
@click.option("--if-active", metavar="ID", type=CHECKPOINT_ID, help="Only while this is the active checkpoint.")
@json_option
@pass_app
def append_command(
    app: App, session: Wanted, file: str, role: str | None, label: str | None, if_active: Wanted | None
) -> None:
    """Add messages to a session and print the id of the new checkpoint.

    ID is the session's UUID, or at least 4 digits of its beginning. FILE holds a JSON array of messages, JSON lines
    with a message each, or the text of one message of the user. Without FILE, or with -, standard input is read.
    """
    messages = read_messages(file, role)
    with app.open() as store:
        id = lookup.session_id(store, session)
        expected = None if if_active is None else lookup.checkpoint_id(store, id, if_active)
        checkpoint = store.append(id, messages, label=label, if_active=expected)
        backend = store.backend_info()
        written = lookup.checkpoint_by_id(store, id, checkpoint.id) if app.json else None
    if written is not None:
        form = {"checkpoint": wire.checkpoint_summary(written), "appended": len(messages)}
        write_json({**form, "backend": wire.backend_info(backend)})
    else:
        hint = [f"{counted(len(messages), 'message')} appended to session {id}"] if is_terminal() else []
        write_lines([str(checkpoint.id), *hint])
