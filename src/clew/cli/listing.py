"""`clew list`."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import click

import clew
from clew import wire
from clew.cli.errors import InvalidArgumentError
from clew.cli.options import (
    App,
    absolute,
    json_option,
    limit_option,
    offset_option,
    pass_app,
    visibility_option,
)
from clew.cli.output import (
    Line,
    Styled,
    backend_line,
    cell_width,
    terminal_width,
    write_json,
    write_lines,
)
from clew.cli.text import fit, moment, shorten
from clew.importers.base import read_json
from clew.model import Page, SessionStatus, SessionSummary

DEFAULT_LIMIT = 20
_GAP = "  "
_MIN_TITLE = 5
_MIN_COUNT = 5
_TIME = 20


@click.command("list")
@click.option("--search", metavar="TEXT", help="Only sessions with this in the title, in any case.")
@click.option(
    "--status", type=click.Choice(list(SessionStatus), case_sensitive=False), help="Only sessions of this status."
)
@visibility_option("Only sessions of this visibility.")
@click.option("--cwd", metavar="DIR", help="Only sessions of this working directory.")
@click.option("--source", metavar="NAME", help="Only sessions that came from this program.")
@click.option("--owner", metavar="NAME", help="Only sessions that belong to this owner.")
@click.option(
    "--metadata",
    metavar="KEY=VALUE",
    multiple=True,
    help="Only sessions whose metadata has this key with this value: JSON, or else text. May be given several times.",
)
@limit_option(DEFAULT_LIMIT, "How many sessions to list.")
@offset_option("How many sessions to leave out first.")
@click.option("--cursor", metavar="CURSOR", help="Go on after an earlier page: its next_cursor.")
@json_option
@pass_app
def list_command(
    app: App,
    search: str | None,
    status: str | None,
    visibility: str | None,
    cwd: str | None,
    source: str | None,
    owner: str | None,
    metadata: tuple[str, ...],
    limit: int,
    offset: int,
    cursor: str | None,
) -> None:
    """List sessions, the last changed first, deleted ones too."""
    wanted = _metadata(metadata)
    with app.open() as store:
        page = store.list_sessions(
            search=search,
            status=status,
            visibility=visibility,
            cwd=absolute(cwd),
            source=source,
            owner=owner,
            metadata=wanted,
            limit=limit,
            offset=offset,
            cursor=cursor,
        )
        backend = store.backend_info()
    if app.json:
        write_json(_envelope(page, backend))
    else:
        write_lines(_lines(page, backend, offset, cursor))


def _metadata(given: tuple[str, ...]) -> dict[str, Any] | None:
    wanted: dict[str, Any] = {}
    for text in given:
        key, equals, value = text.partition("=")
        if not equals:
            raise InvalidArgumentError(f"invalid metadata '{text}': expected KEY=VALUE")
        if key in wanted:
            raise InvalidArgumentError(f"metadata '{key}' is given twice, and has one value")
        wanted[key] = _value(value)
    return wanted or None


def _value(text: str) -> Any:
    try:
        return read_json(text.encode())
    except ValueError:  # UnicodeEncodeError too: the store says what is wrong with such a text
        return text


def _envelope(page: Page[SessionSummary], backend: clew.BackendInfo) -> dict[str, Any]:
    return {
        "backend": wire.backend_info(backend),
        "sessions": [wire.session_summary(summary) for summary in page],
        "total": page.total,
        "next_cursor": page.next_cursor,
    }


def _lines(page: Page[SessionSummary], backend: clew.BackendInfo, offset: int, cursor: str | None) -> Iterator[Line]:
    yield backend_line(backend)
    if not page.items:
        yield "No sessions found."
        return
    yield from table(page.items, terminal_width(), cell_width())
    if page.next_cursor is not None:
        yield _footer(page, offset, cursor)


def _footer(page: Page[SessionSummary], offset: int, cursor: str | None) -> str:
    if cursor is not None:
        return f"more sessions follow (use --cursor {page.next_cursor} for an older page)"
    end = offset + len(page)
    total = "" if page.total is None else f" of {page.total}"
    return f"showing sessions {offset + 1}–{end}{total} (use --offset {end} for an older page)"


class Column(NamedTuple):
    """A column with its width; the cells of the narrow ones stand on the right."""

    heading: str
    cells: list[str]
    width: int
    right: bool = False


def table(sessions: Sequence[SessionSummary], width: int | None, measure: Callable[[str], int]) -> Iterator[Line]:
    """A row a session, no wider than `width`: titles are cut, then columns left out from the right; ids stay whole."""
    columns = _fitting(_columns(sessions, measure), width)
    yield Styled(_row([column.heading for column in columns], columns, measure), "bold")
    yield Styled(_GAP.join("-" * column.width for column in columns), "dim")
    for index, session in enumerate(sessions):
        row = _row([column.cells[index] for column in columns], columns, measure)
        yield Styled(row, "dim") if session.status is SessionStatus.DELETED else row


def _columns(sessions: Sequence[SessionSummary], measure: Callable[[str], int]) -> list[Column]:
    titles = [_title(session) for session in sessions]
    counts = [str(session.message_count) for session in sessions]
    times = [moment(session.last_message_at or session.updated_at) for session in sessions]
    return [
        Column("ID", [str(session.id) for session in sessions], 36),
        Column("TITLE", titles, max(_MIN_TITLE, *map(measure, titles))),
        Column("MSGS", counts, max(_MIN_COUNT, *map(len, counts)), right=True),
        Column("LAST ACTIVITY", times, _TIME),
    ]


def _title(session: SessionSummary) -> str:
    title = shorten(session.title)
    if session.damage is not None:
        return f"[damaged] {title}"
    return f"[deleted] {title}" if session.status is SessionStatus.DELETED else title


def _fitting(columns: list[Column], width: int | None) -> list[Column]:
    if width is None:
        return columns
    id, title, *rest = columns
    while rest and _total([id, title._replace(width=_MIN_TITLE), *rest]) > width:
        rest.pop()
    room = width - _total([id, *rest]) - len(_GAP)
    return [id, title._replace(width=min(title.width, room)), *rest] if room >= _MIN_TITLE else [id]


def _total(columns: Sequence[Column]) -> int:
    return sum(column.width for column in columns) + len(_GAP) * (len(columns) - 1)


def _row(cells: Sequence[str], columns: Sequence[Column], measure: Callable[[str], int]) -> str:
    return _GAP.join(_cell(cell, column, measure) for cell, column in zip(cells, columns, strict=True))


def _cell(text: str, column: Column, measure: Callable[[str], int]) -> str:
    text = fit(text, column.width, measure)
    padding = " " * (column.width - measure(text))
    return padding + text if column.right else text + padding
