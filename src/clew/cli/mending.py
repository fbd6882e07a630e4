"""`clew validate` and `clew repair`."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple
from uuid import UUID

import click

import clew
from clew import wire
from clew.adapters import RESULTS
from clew.cli import lookup
from clew.cli.errors import EXIT_FAILURE
from clew.cli.lookup import Wanted
from clew.cli.options import SESSION_ID, App, chosen_place, json_option, pass_app, place_options, session_argument
from clew.cli.output import Line, Styled, backend_line, write_json, write_lines
from clew.cli.text import counted, one_line, shorten
from clew.errors import CorruptStateError, NotFoundError
from clew.model import Active, SessionStatus, SessionSummary
from clew.reports import Flaw

_PAGE = 500


class Validated(NamedTuple):
    """A session, what is wrong with its conversation, and what keeps that from being read."""

    session_id: UUID
    title: str
    flaws: list[Flaw]
    damage: str | None = None

    @property
    def is_wrong(self) -> bool:
        return bool(self.flaws) or self.damage is not None


@click.command("validate")
@click.argument("sessions", metavar="[ID]...", type=SESSION_ID, nargs=-1)
@json_option
@pass_app
def validate_command(app: App, sessions: tuple[Wanted, ...]) -> None:
    """Look for what model providers refuse of conversations: of all sessions that are not deleted, or of some.

    Looked at is the active branch. The exit code is 1 where something is wrong. Changes nothing.
    """
    with app.open_existing() as store:
        backend = store.backend_info()
        if not app.json:
            write_lines([backend_line(backend)])
        looked_at, wrong = 0, []
        for validated in _each(store, sessions):
            looked_at += 1
            if validated.is_wrong:
                wrong.append(validated)
                if not app.json:
                    write_lines(_found(validated))
    if app.json:
        form = {"sessions": [_form(validated) for validated in wrong], "checked": {"sessions": looked_at}}
        write_json({**form, "backend": wire.backend_info(backend)})
    else:
        write_lines([_summed_up(looked_at, wrong)])
    if wrong:
        click.get_current_context().exit(EXIT_FAILURE)


@click.command("repair")
@session_argument
@place_options("Repair this checkpoint instead of the active one.", "The same, by its label.")
@click.option("--drop", is_flag=True, help="Drop tool calls without result, instead of giving them one that says so.")
@json_option
@pass_app
def repair_command(app: App, session: Wanted, checkpoint: Wanted | None, label: str | None, drop: bool) -> None:
    """Mend what model providers refuse of a conversation, in a new checkpoint, which becomes active.

    The checkpoint that is mended stays as it is: `clew rewind` goes back to it.
    """
    place = chosen_place(checkpoint, label)
    with app.open_existing() as store:
        id = lookup.session_id(store, session)
        point: UUID | Active = clew.ACTIVE if place is None else lookup.find_place(store, id, place).id
        summary = store.get_session_summary(id)
        flaws = store.validate(id, checkpoint_id=point)
        made = store.repair(
            id,
            checkpoint_id=point,
            dangling="drop" if drop else "interrupt",
            results=RESULTS.get(summary.source or "", "user"),
            if_active=summary.active_checkpoint_id,
        )
        backend = store.backend_info()
    if app.json:
        form = {"session_id": str(id), "checkpoint_id": None if made is None else str(made.id)}
        parent = None if made is None or made.parent_id is None else str(made.parent_id)
        told = {"parent_id": parent, "flaws": [wire.flaw(flaw) for flaw in flaws]}
        write_json({**form, **told, "backend": wire.backend_info(backend)})
    else:
        write_lines(_repaired(app, id, flaws, made))


def _repaired(app: App, session: UUID, flaws: Sequence[Flaw], made: clew.Checkpoint | None) -> Iterator[Line]:
    if made is None:
        yield f"Nothing to repair in {session}"
        return
    yield from (_flaw(flaw) for flaw in flaws)
    yield f"Repaired {session}: checkpoint {made.id} is active"
    yield f"  back to what it was: {app.command('rewind', str(session), '--checkpoint', str(made.parent_id))}"


def _each(store: clew.Store, wanted: Sequence[Wanted]) -> Iterator[Validated]:
    if wanted:
        for one in wanted:
            summary = store.get_session_summary(lookup.session_id(store, one))
            yield Validated(summary.id, summary.title, store.validate(summary.id))
        return
    for summary in _active_sessions(store):
        try:
            yield Validated(summary.id, summary.title, store.validate(summary.id))
        except CorruptStateError as error:  # one that is damaged keeps no other from being looked at
            yield Validated(summary.id, summary.title, [], error.message)
        except NotFoundError:
            continue  # purged meanwhile


def _active_sessions(store: clew.Store) -> Iterator[SessionSummary]:
    cursor = None
    while True:
        page = store.list_sessions(status=SessionStatus.ACTIVE, limit=_PAGE, cursor=cursor)
        yield from page
        cursor = page.next_cursor
        if cursor is None:
            return


def _found(validated: Validated) -> Iterator[Line]:
    yield f"{validated.session_id} {shorten(validated.title)}"
    yield from (_flaw(flaw) for flaw in validated.flaws)
    if validated.damage is not None:
        yield Styled(f"  damaged: {one_line(validated.damage)}", "red")


def _flaw(flaw: Flaw) -> Line:
    return Styled(f"  {flaw.code} at {flaw.position}: {one_line(flaw.message)}", "red")


def _form(validated: Validated) -> dict[str, Any]:
    return {
        "session_id": str(validated.session_id),
        "title": validated.title,
        "flaws": [wire.flaw(flaw) for flaw in validated.flaws],
        "damage": validated.damage,
    }


def _summed_up(looked_at: int, wrong: Sequence[Validated]) -> str:
    if not wrong:
        return f"Checked {counted(looked_at, 'session')}: providers would take them all."
    flaws = sum(len(validated.flaws) + (validated.damage is not None) for validated in wrong)
    return f"Checked {counted(looked_at, 'session')}: {counted(flaws, 'finding')} in {len(wrong):,} of them."
