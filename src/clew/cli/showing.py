"""`clew show`."""

from collections.abc import Iterator
from typing import NamedTuple
from uuid import UUID

import click

import clew
from clew import wire
from clew.cli import lookup
from clew.cli.lookup import Found, Place, Wanted
from clew.cli.options import (
    ROLES,
    App,
    RoleType,
    chosen_place,
    json_option,
    limit_option,
    offset_option,
    pass_app,
    place_options,
    session_argument,
)
from clew.cli.output import Line, Styled, backend_line, write_json, write_lines
from clew.cli.rendering import message_lines
from clew.cli.text import moment, one_line
from clew.cli.window import Window, read_window

DEFAULT_LIMIT = 50


class Shown(NamedTuple):
    """What there is to show: a session, and a window of the messages of one of its checkpoints."""

    found: Found
    checkpoint_id: UUID | None
    window: Window
    backend: clew.BackendInfo


@click.command("show")
@session_argument
@click.option("--role", type=RoleType(*ROLES), metavar="ROLE", help=f"Only messages of this role: {', '.join(ROLES)}.")
@limit_option(DEFAULT_LIMIT, "How many messages to show, the newest ones; 0 for all.")
@offset_option("How many of the newest messages to leave out.")
@place_options("A checkpoint other than the active one.", "The checkpoint that has this label.")
@json_option
@pass_app
def show_command(
    app: App,
    session: Wanted,
    role: str | None,
    limit: int,
    offset: int,
    checkpoint: Wanted | None,
    label: str | None,
) -> None:
    """Show a session and its newest messages.

    ID is the session's UUID, or at least 4 digits of its beginning.
    """
    place = chosen_place(checkpoint, label)
    with app.open() as store:
        found = lookup.find_session(store, session)
        checkpoint_id, count = _point(store, found, place)
        window = _window(store, checkpoint_id, count, role, limit, offset)
        shown = Shown(found, checkpoint_id, window, store.backend_info())
    if app.json:
        write_json(_envelope(shown))
    else:
        write_lines(_lines(shown, app.command("append", str(found.session.id)), limit, offset))


def _point(store: clew.Store, found: Found, place: Place | None) -> tuple[UUID | None, int]:
    """The checkpoint to show, and how many messages it has."""
    if place is None:
        return found.active_checkpoint_id, found.message_count
    checkpoint = lookup.find_place(store, found.session.id, place)
    return checkpoint.id, checkpoint.message_count


def _window(
    store: clew.Store, checkpoint: UUID | None, count: int, role: str | None, limit: int, offset: int
) -> Window:
    if checkpoint is None:
        return Window([], 0, 0)
    return read_window(
        lambda start, stop: store.get_messages(checkpoint, start=start, stop=stop),
        count,
        role=role,
        limit=limit,
        offset=offset,
    )


def _envelope(shown: Shown) -> dict[str, object]:
    found, window = shown.found, shown.window
    form = wire.session_shown(found.session, found.active_checkpoint_id, window.total, shown.backend, window.messages)
    owner = form.pop("owner")  # what was added last comes last
    return {
        **form,
        "checkpoint_id": None if shown.checkpoint_id is None else str(shown.checkpoint_id),
        "owner": owner,
    }


def _lines(shown: Shown, resume: str, limit: int, offset: int) -> Iterator[Line]:
    yield backend_line(shown.backend)
    yield from _head(shown)
    yield ""
    yield f"Resume: {resume}"
    yield ""
    window = shown.window
    yield f"Messages ({len(window.messages)}):"
    if not window.messages:
        yield "  (no messages)"
    for number, message in enumerate(window.messages, window.first + 1):
        yield from message_lines(message, number)
    if limit and len(window.messages) < window.total:
        yield ""
        yield _footer(window, limit, offset)


def _head(shown: Shown) -> Iterator[Line]:
    session = shown.found.session
    yield f"ID:          {session.id}"
    yield Styled(f"Title:       {one_line(session.title)}", "bold")
    yield f"Status:      {session.status}"
    yield f"Visibility:  {session.visibility}"
    if session.cwd is not None:
        yield f"Working dir: {one_line(session.cwd)}"
    if session.source is not None:
        yield f"Source:      {one_line(f'{session.source} {session.source_id}')}"
    if session.owner is not None:
        yield f"Owner:       {one_line(session.owner)}"
    if session.parent_session_id is not None:
        yield f"Parent:      {session.parent_session_id}"
    if session.forked_from is not None:
        yield f"Forked from: {session.forked_from}"
    yield f"Created:     {moment(session.created_at)} UTC"
    yield f"Updated:     {moment(session.updated_at)} UTC"
    yield f"Checkpoint:  {_checkpoint(shown)}"


def _checkpoint(shown: Shown) -> str:
    active = shown.found.active_checkpoint_id
    if shown.checkpoint_id is None:
        return "(none)"
    return str(shown.checkpoint_id) + ("" if shown.checkpoint_id == active else f" (active: {active})")


def _footer(window: Window, limit: int, offset: int) -> str:
    if not window.messages:
        return f"showing none of {window.total} messages (--offset {offset} is beyond the oldest)"
    last = window.first + len(window.messages)
    older = f" (use --offset {offset + limit} for an older page)" if window.first else ""
    return f"showing messages {window.first + 1}–{last} of {window.total}{older}"
