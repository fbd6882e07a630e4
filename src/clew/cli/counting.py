"""`clew stats`."""

from collections.abc import Iterator, Sequence
from uuid import UUID

import click

import clew
from clew import wire
from clew.cli import lookup
from clew.cli.errors import InvalidArgumentError
from clew.cli.lookup import Place, Wanted
from clew.cli.options import SESSION_ID, App, chosen_place, json_option, pass_app, place_options
from clew.cli.output import Line, Styled, backend_line, can_show, cell_width, terminal_width, write_json, write_lines
from clew.cli.text import counted, fit, moment, one_line, shorten, size
from clew.model import ACTIVE, Active

_DAYS = 30
_TOOLS = 20
_BAR = 40
_NARROW_BAR = 10
_BESIDE_BAR = 50
_NAME = 40


@click.command("stats")
@click.argument("session", metavar="[ID]", type=SESSION_ID, required=False)
@place_options("Count up to this checkpoint.", "The same, by its label.")
@click.option("--owner", metavar="NAME", help="Only what the sessions of this owner have; not with an ID.")
@json_option
@pass_app
def stats_command(
    app: App, session: Wanted | None, checkpoint: Wanted | None, label: str | None, owner: str | None
) -> None:
    """Count what is in the store, or in one session: its active branch, unless told otherwise."""
    place = chosen_place(checkpoint, label)
    if session is None and place is not None:
        raise InvalidArgumentError("a checkpoint is one of a session: give its ID")
    if session is not None and owner is not None:
        raise InvalidArgumentError("give an ID or --owner, not both")
    with app.open_existing() as store:
        backend = store.backend_info()
        if session is None:
            _show(app, backend, store.store_stats(owner=owner))
        else:
            _show_session(app, backend, _of_session(store, session, place))


def _of_session(store: clew.Store, wanted: Wanted, place: Place | None) -> clew.SessionStats:
    session = lookup.session_id(store, wanted)
    point: UUID | Active = ACTIVE if place is None else lookup.find_place(store, session, place).id
    return store.session_stats(session, checkpoint_id=point)


def _show(app: App, backend: clew.BackendInfo, stats: clew.StoreStats) -> None:
    if app.json:
        write_json({**wire.store_stats(stats), "backend": wire.backend_info(backend)})
    else:
        write_lines([backend_line(backend), *_store_lines(stats)])


def _show_session(app: App, backend: clew.BackendInfo, stats: clew.SessionStats) -> None:
    if app.json:
        write_json({**wire.session_stats(stats), "backend": wire.backend_info(backend)})
    else:
        write_lines([backend_line(backend), *_session_lines(stats)])


def _store_lines(stats: clew.StoreStats) -> Iterator[Line]:
    yield f"Sessions:    {stats.sessions:,} ({stats.active_sessions:,} active, {stats.deleted_sessions:,} deleted)"
    yield f"Checkpoints: {stats.checkpoint_count:,}"
    yield f"Messages:    {stats.message_count:,} stored, {size(stats.message_bytes)}"
    yield f"Sharing:     {_saved(stats)}"
    if len(stats.sources) > 1 or any(item.source for item in stats.sources):
        yield from _heading("Sources")
        rows = [(item.source or "(none)", item.sessions, f"{item.sessions:,}") for item in stats.sources]
        yield from bars(rows)
    if stats.days:
        yield from _heading(f"Checkpoints a day (UTC){_last(len(stats.days))}")
        yield from bars(
            [
                (str(day.day), day.checkpoints, f"{day.checkpoints:,} in {counted(day.sessions, 'session')}")
                for day in stats.days[-_DAYS:]
            ]
        )
    if stats.biggest:
        yield from _heading("Biggest sessions")
        for item in stats.biggest:
            yield f"{size(item.bytes):>11}  {item.session_id}  {shorten(item.title)}"


def _saved(stats: clew.StoreStats) -> str:
    if not stats.copied_bytes:
        return "nothing yet"
    part = stats.saved_bytes / stats.copied_bytes
    return f"{size(max(stats.saved_bytes, 0))} saved of {size(stats.copied_bytes)} that copies would take ({part:.1%})"


def _last(days: int) -> str:
    return f", the last {_DAYS} of {days:,} days" if days > _DAYS else ""


def _session_lines(stats: clew.SessionStats) -> Iterator[Line]:
    yield f"Session:     {stats.session_id}"
    yield f"Checkpoint:  {stats.checkpoint_id or '(none)'}, {counted(stats.checkpoint_count, 'step')} from the root"
    roles = ", ".join(f"{one_line(role)} {count:,}" for role, count in stats.messages_by_role.items())
    yield f"Messages:    {stats.message_count:,}{f' ({roles})' if roles else ''}"
    if stats.first_at is not None and stats.last_at is not None:
        yield f"Time:        {moment(stats.first_at)} to {moment(stats.last_at)}, active {_time(stats.active_seconds)}"
    if stats.usage_messages:
        yield f"Tokens:      {stats.input_tokens:,} in, {stats.output_tokens:,} out, {_cached(stats)}"
    if stats.cost is not None:
        yield f"Cost:        {stats.cost:.4f}"
    if stats.models:
        yield f"Models:      {', '.join(f'{one_line(model)} {count:,}' for model, count in stats.models.items())}"
    yield (
        f"Tool calls:  {stats.total_tool_calls:,} ({stats.successful_tool_calls:,} successful, "
        f"{stats.failed_tool_calls:,} failed, {stats.aborted_tool_calls:,} aborted)"
    )
    if stats.tools_usage:
        yield from _heading("Calls by tool")
        yield from bars([_tool(tool) for tool in stats.tools_usage[:_TOOLS]])
        if len(stats.tools_usage) > _TOOLS:
            yield f"and {counted(len(stats.tools_usage) - _TOOLS, 'more tool')}"


def _tool(tool: clew.ToolUsageStats) -> tuple[str, int, str]:
    counts = tool.usage_counts
    ended = [f"{count:,} {name}" for count, name in ((counts.failed, "failed"), (counts.aborted, "aborted")) if count]
    return tool.display_name, counts.total, f"{counts.total:,}" + (f" ({', '.join(ended)})" if ended else "")


def _cached(stats: clew.SessionStats) -> str:
    return f"{stats.cache_read_tokens:,} from the cache, {stats.cache_write_tokens:,} into it"


def _time(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s" if minutes else f"{rest} s"


def _heading(text: str) -> Iterator[Line]:
    yield ""
    yield Styled(text, "bold")


def bars(rows: Sequence[tuple[str, int, str]]) -> Iterator[Line]:
    """A line for each name with its number as a bar; the longest bar is of the greatest number."""
    measure = cell_width()
    names = [fit(one_line(name), _NAME, measure) for name, _, _ in rows]
    width = max(map(measure, names), default=0)
    room = _BAR if terminal_width() is None else min(_BAR, (terminal_width() or 0) - width - _BESIDE_BAR)
    longest, greatest = max(room, _NARROW_BAR), max((number for _, number, _ in rows), default=0)
    block = "█" if can_show("█") else "#"
    for name, (_, number, told) in zip(names, rows, strict=True):
        length = max(round(longest * number / greatest), 1) if number else 0
        yield Styled(f"{name}{' ' * (width - measure(name))}  {block * length:<{longest}}  {told}".rstrip(), "cyan")
