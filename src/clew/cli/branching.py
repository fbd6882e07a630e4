"""`clew fork` and `clew rewind`: going on from another checkpoint, in a new session or in the same one."""

from typing import NamedTuple
from uuid import UUID

import click

import clew
from clew import wire
from clew.cli import lookup
from clew.cli.errors import InvalidArgumentError
from clew.cli.lookup import Found, Place, Wanted
from clew.cli.options import App, chosen_place, json_option, pass_app, place_options, session_argument
from clew.cli.output import write_json, write_lines
from clew.cli.rendering import preview
from clew.cli.text import counted, shorten
from clew.cli.turns import Turn, checkpoint_before, compare_with, find_turn
from clew.cli.writing import write_created
from clew.errors import NotFoundError
from clew.model import ACTIVE, Active, CheckpointSummary, Label


class Target(NamedTuple):
    """The checkpoint to go back to; where turns were counted, the one that begins after it."""

    checkpoint: CheckpointSummary
    turn: Turn | None = None


@click.command("fork")
@session_argument
@place_options("Begin with this checkpoint, not with the active one.", "Begin with the checkpoint of this label.")
@click.option("--title", metavar="TITLE", help="The title of the new session; by default that of the other one.")
@json_option
@pass_app
def fork_command(app: App, session: Wanted, checkpoint: Wanted | None, label: str | None, title: str | None) -> None:
    """Begin a new session with the state of another one, and print its id. Nothing is copied.

    ID is the session's UUID, or at least 4 digits of its beginning.
    """
    place = chosen_place(checkpoint, label)
    with app.open() as store:
        id = lookup.session_id(store, session)
        fork = store.fork_session(id, checkpoint_id=_beginning(store, id, place), title=title)
        count = lookup.found_from(store, fork).message_count if app.json else 0
        backend = store.backend_info()
    write_created(app, fork, count, backend)


def _beginning(store: clew.Store, session: UUID, place: Place | None) -> UUID | Label | Active:
    if place is None:
        return ACTIVE
    return lookup.checkpoint_id(store, session, place) if isinstance(place, Wanted) else place


@click.command("rewind")
@session_argument
@click.option(
    "--turns", metavar="N", type=click.IntRange(min=1), help="Back to before the last N messages of the user."
)
@place_options("Resume from this checkpoint.", "Resume from the checkpoint of this label.")
@json_option
@pass_app
def rewind_command(app: App, session: Wanted, turns: int | None, checkpoint: Wanted | None, label: str | None) -> None:
    """Resume a session from another checkpoint: one before, or one of another branch. Nothing is deleted.

    ID is the session's UUID, or at least 4 digits of its beginning. Where to is one of --turns, --checkpoint and
    --label.
    """
    place = chosen_place(checkpoint, label)
    if (place is None) == (turns is None):
        raise InvalidArgumentError("say where to: one of --turns, --checkpoint and --label")
    with app.open() as store:
        found = lookup.find_damaged_session(store, session)
        target = _target(store, found, place, turns)
        rewound = store.set_active_checkpoint(found.session.id, target.checkpoint.id)
        backend = store.backend_info()
    if app.json:
        count, previous = target.checkpoint.message_count, found.active_checkpoint_id
        form = wire.session_shown(rewound, target.checkpoint.id, count, backend)
        write_json({**form, "previous_checkpoint_id": None if previous is None else str(previous)})
    else:
        write_lines(_lines(app, found, target))


def _target(store: clew.Store, found: Found, place: Place | None, turns: int | None) -> Target:
    if place is not None:
        return Target(lookup.find_place(store, found.session.id, place))
    active = found.active_checkpoint_id
    if active is None or turns is None:
        raise NotFoundError(f"session {found.session.id} has no active checkpoint")
    turn = find_turn(lambda start, stop: store.get_messages(active, start=start, stop=stop), found.message_count, turns)
    return Target(checkpoint_before(turn, store.ancestry(active), compare_with(store, active)), turn)


def _lines(app: App, found: Found, target: Target) -> list[str]:
    chosen, previous = target.checkpoint, found.active_checkpoint_id
    if chosen.id == previous:
        return [f"{_named(chosen)} is active already"]
    lines = [f"Rewound {found.session.id} to {_named(chosen)}"]
    if target.turn is not None:
        lines.append(f"Left behind, from message {target.turn.place + 1:,} on: {preview(target.turn.message)}")
    return [*lines, *_way_back(app, found.session.id, previous)]


def _named(checkpoint: CheckpointSummary) -> str:
    label = "" if checkpoint.label is None else f" [{shorten(checkpoint.label)}]"
    return f"{checkpoint.id}{label} ({counted(checkpoint.message_count, 'message')})"


def _way_back(app: App, session: UUID, previous: UUID | None) -> list[str]:
    if previous is None:
        return []
    return [f"Go back: {app.command('rewind', str(session), '--checkpoint', str(previous))}"]
