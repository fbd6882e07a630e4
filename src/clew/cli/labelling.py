"""`clew label`."""

from collections.abc import Iterable, Iterator
from typing import Any
from uuid import UUID

import click

import clew
from clew import wire
from clew.cli import lookup
from clew.cli.errors import InvalidArgumentError
from clew.cli.lookup import Found, Wanted, parse_id
from clew.cli.options import App, json_option, pass_app, session_argument
from clew.cli.output import Line, backend_line, write_json, write_lines
from clew.cli.text import counted, moment, one_line, shorten
from clew.errors import NotFoundError
from clew.model import CheckpointSummary

ACTIVE = "active"
"""What stands for the id of the active checkpoint. No id begins so: it is not of hexadecimal digits."""


class CheckpointOrActive(click.ParamType[Wanted | str]):
    """The id of a checkpoint, or `active`."""

    name = "checkpoint"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Wanted | str:
        text = str(value)
        return ACTIVE if text.strip().lower() == ACTIVE else parse_id(text, "checkpoint")


@click.command("label")
@session_argument
@click.argument("checkpoint", metavar="[CHECKPOINT]", required=False, type=CheckpointOrActive())
@click.argument("name", metavar="[NAME]", required=False)
@click.option("--move", is_flag=True, help="Take the label from the checkpoint that has it.")
@click.option("--delete", is_flag=True, help="Take away the label that the checkpoint has.")
@json_option
@pass_app
def label_command(
    app: App, session: Wanted, checkpoint: Wanted | str | None, name: str | None, move: bool, delete: bool
) -> None:
    """Show, set or take away the labels of a session's checkpoints.

    ID is the session's UUID, or at least 4 digits of its beginning; CHECKPOINT is the same of a checkpoint, or the
    word active. With NAME the checkpoint gets that label, in place of the one it has; without NAME its label is shown,
    without CHECKPOINT every label of the session.
    """
    _check(checkpoint, name, move, delete)
    with app.open() as store:
        found = lookup.find_damaged_session(store, session)
        if checkpoint is None:
            _write_all(app, found.session.id, list(_labelled(store, found.session.id)), store.backend_info())
            return
        before = _chosen(store, found, checkpoint)
        after, lines = before, [_label(before)]
        if delete:
            after, lines = store.set_label(before.id, None), [_taken_away(before)]
        elif name is not None:
            after, lines = _set(store, before, name, move)
        backend = store.backend_info()
    if app.json:
        write_json({"checkpoint": wire.checkpoint_summary(after), "backend": wire.backend_info(backend)})
    else:
        write_lines(lines)


def _check(checkpoint: Wanted | str | None, name: str | None, move: bool, delete: bool) -> None:
    if delete and checkpoint is None:
        raise InvalidArgumentError("--delete needs the checkpoint whose label to take away")
    if delete and (name is not None or move):
        raise InvalidArgumentError("--delete takes away the label that there is: give neither a NAME nor --move")
    if move and name is None:
        raise InvalidArgumentError("--move needs the NAME of the label")


def _chosen(store: clew.Store, found: Found, checkpoint: Wanted | str) -> CheckpointSummary:
    if isinstance(checkpoint, Wanted):
        return lookup.find_checkpoint(store, found.session.id, checkpoint)
    if found.active_checkpoint_id is None:
        raise NotFoundError(f"session {found.session.id} has no active checkpoint")
    return lookup.checkpoint_by_id(store, found.session.id, found.active_checkpoint_id)


def _set(store: clew.Store, before: CheckpointSummary, name: str, move: bool) -> tuple[CheckpointSummary, list[str]]:
    loser = _owner(_labelled(store, before.session_id), name) if move else None
    after = store.set_label(before.id, name, move=move)
    lines = [f'Labelled {after.id} "{_label(after)}"']
    if loser is not None and loser.id != after.id:
        lines.append(f"It was the label of {loser.id}")
    return after, lines


def _owner(labelled: Iterable[CheckpointSummary], name: str) -> CheckpointSummary | None:
    return next((checkpoint for checkpoint in labelled if checkpoint.label == name), None)


def _taken_away(before: CheckpointSummary) -> str:
    if before.label is None:
        return f"{before.id} has no label"
    return f'Took the label "{_label(before)}" from {before.id}'


def _label(checkpoint: CheckpointSummary) -> str:
    return "(no label)" if checkpoint.label is None else one_line(checkpoint.label)


def _labelled(store: clew.Store, session: UUID) -> Iterator[CheckpointSummary]:
    return lookup.checkpoints(store, session, order="label")


def _write_all(app: App, session: UUID, labelled: list[CheckpointSummary], backend: clew.BackendInfo) -> None:
    if app.json:
        labels = [wire.checkpoint_summary(checkpoint) for checkpoint in labelled]
        write_json({"backend": wire.backend_info(backend), "session_id": str(session), "labels": labels})
    else:
        write_lines(_lines(labelled, backend))


def _lines(labelled: list[CheckpointSummary], backend: clew.BackendInfo) -> Iterator[Line]:
    yield backend_line(backend)
    if not labelled:
        yield "No labels."
    counts = [counted(checkpoint.message_count, "message") for checkpoint in labelled]
    width = max(map(len, counts), default=0)
    for checkpoint, count in zip(labelled, counts, strict=True):
        label = shorten(checkpoint.label or "")
        damage = "" if checkpoint.damage is None else f"  (damaged: {one_line(checkpoint.damage)})"
        yield f"{checkpoint.id}  {moment(checkpoint.created_at)}  {count:>{width}}  {label}{damage}"
