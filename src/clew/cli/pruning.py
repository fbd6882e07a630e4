"""`clew prune`."""

from collections.abc import Iterator
from datetime import timedelta

import click

import clew
from clew import wire
from clew.cli.errors import InvalidArgumentError
from clew.cli.listing import table
from clew.cli.options import AGE, App, json_option, pass_app
from clew.cli.output import Line, backend_line, cell_width, terminal_width, write_json, write_lines
from clew.cli.text import counted, shorten
from clew.reports import Pruned, PrunePlan


@click.command("prune")
@click.option(
    "--deleted-longer-than", metavar="AGE", type=AGE, help="Purge deleted sessions that have not changed for so long."
)
@click.option(
    "--inactive-longer-than", metavar="AGE", type=AGE, help="Purge sessions that have not changed for so long."
)
@click.option(
    "--keep-last",
    metavar="N",
    type=click.IntRange(min=0),
    help="Purge none of the N sessions that changed last and are not deleted; without an age all others.",
)
@click.option(
    "--keep-checkpoints",
    metavar="N",
    type=click.IntRange(min=0),
    help="Of the sessions that stay, delete all checkpoints but the last N, those with a label, and the active one.",
)
@click.option("--apply", is_flag=True, help="Do it. Without this, what would be done is listed.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
@pass_app
def prune_command(
    app: App,
    deleted_longer_than: timedelta | None,
    inactive_longer_than: timedelta | None,
    keep_last: int | None,
    keep_checkpoints: int | None,
    apply: bool,
    yes: bool,
) -> None:
    """List the sessions and checkpoints that a rule removes, and with --apply remove them for good.

    AGE is a number of hours, days or weeks: 12h, 90d, 2w.
    """
    rules = (deleted_longer_than, inactive_longer_than, keep_last, keep_checkpoints)
    _check(any(rule is not None for rule in rules), apply, yes, json=app.json)
    with app.open_existing() as store:
        plan = store.plan_prune(
            deleted_longer_than=deleted_longer_than,
            inactive_longer_than=inactive_longer_than,
            keep_last=keep_last,
            keep_checkpoints=keep_checkpoints,
        )
        backend = store.backend_info()
        if not app.json:
            write_lines([backend_line(backend), *_planned(plan)])
        pruned = _apply(store, plan, ask=not yes) if apply else None
    if app.json:
        done = None if pruned is None else wire.pruned(pruned)
        write_json({**wire.prune_plan(plan), "pruned": done, "backend": wire.backend_info(backend)})
    else:
        write_lines(_ending(plan, pruned))


def _check(has_rule: bool, apply: bool, yes: bool, *, json: bool) -> None:
    if not has_rule:
        raise InvalidArgumentError(
            "no rule is given: say what to prune with --deleted-longer-than, --inactive-longer-than, --keep-last or "
            "--keep-checkpoints"
        )
    if apply and json and not yes:
        raise InvalidArgumentError("prune --apply --json asks nobody: it needs --yes")


def _apply(store: clew.Store, plan: PrunePlan, *, ask: bool) -> Pruned:
    if ask and not _is_empty(plan):
        click.confirm(f"Remove {_counts(plan)}? This cannot be undone", abort=True, err=True)
    return store.apply_prune(plan)


def _is_empty(plan: PrunePlan) -> bool:
    return not plan.sessions and not plan.thinned


def _counts(plan: PrunePlan) -> str:
    checkpoints = sum(len(thinning.checkpoint_ids) for thinning in plan.thinned)
    parts = [
        counted(len(plan.sessions), "session") if plan.sessions else "",
        f"{counted(checkpoints, 'checkpoint')} of {counted(len(plan.thinned), 'session')}" if plan.thinned else "",
    ]
    return " and ".join(filter(None, parts))


def _planned(plan: PrunePlan) -> Iterator[Line]:
    if plan.sessions:
        yield "Sessions to purge:"
        yield from table(plan.sessions, terminal_width(), cell_width())
    if plan.thinned:
        yield "Checkpoints to delete:"
    counts = [counted(len(thinning.checkpoint_ids), "checkpoint") for thinning in plan.thinned]
    width = max(map(len, counts), default=0)
    for thinning, count in zip(plan.thinned, counts, strict=True):
        yield f"{thinning.session_id}  {count:>{width}}  {shorten(thinning.title)}"


def _ending(plan: PrunePlan, pruned: Pruned | None) -> Iterator[Line]:
    if _is_empty(plan):
        yield "Nothing to prune."
    elif pruned is None:
        yield f"Nothing has been removed. With --apply: {_counts(plan)}."
    else:
        checkpoints = counted(pruned.checkpoints, "checkpoint")
        yield f"Purged {counted(len(pruned.sessions), 'session')}, deleted {checkpoints} of others."
        for id in pruned.skipped:
            yield f"Left alone, since it has changed meanwhile: {id}"
        for id in pruned.left:
            yield f"Purged, but what it shared is left, since some of that is damaged: {id}"
        if pruned.log_held:
            yield (
                "A reader keeps the bytes of what was purged in the write-ahead log: they go with the next purge, or "
                "when the last program closes the store."
            )
