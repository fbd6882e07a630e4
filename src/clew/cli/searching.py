"""`clew search`."""

from collections.abc import Iterator
from datetime import UTC, datetime
from difflib import get_close_matches
from typing import Any

import click

import clew
from clew import limits, wire
from clew.cli import lookup
from clew.cli.errors import InvalidArgumentError
from clew.cli.lookup import Wanted
from clew.cli.options import SESSION_ID, App, absolute, json_option, limit_option, pass_app
from clew.cli.output import Line, Marked, Styled, backend_line, write_json, write_lines
from clew.cli.progress import update_search_index
from clew.cli.text import clean, moment, one_line, shorten
from clew.model import Page, SearchHit, SessionStatus

_ID_CHARS = 13  # down to the millisecond in which it was made
_INDENT = " " * 4
_ANY = "ANY"


class MomentType(click.ParamType[datetime]):
    """A day or a moment, in UTC unless it says otherwise."""

    name = "moment"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        try:
            found = datetime.fromisoformat(str(value).strip())
        except ValueError:
            raise InvalidArgumentError(
                f"invalid moment '{value}': expected a day or a time, such as 2026-01-31 or 2026-01-31T12:00"
            ) from None
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found


MOMENT = MomentType()


class SearchCommand(click.Command):
    """A command whose words may begin with one `-`, as what must not be there; what begins with two is an option."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        options = {name: param for param in self.get_params(ctx) for name in param.opts}
        pending = iter(args)
        for arg in pending:
            name, _, value = arg.partition("=")
            option = options.get(name)
            if arg == "--":
                break
            if option is None and name.startswith("--") and " " not in name:
                raise click.NoSuchOption(name, possibilities=get_close_matches(name, options), ctx=ctx)
            if isinstance(option, click.Option) and not option.is_flag and not value:
                next(pending, None)  # its value
        return super().parse_args(ctx, args)


@click.command("search", cls=SearchCommand, context_settings={"ignore_unknown_options": True})
@click.argument("query", nargs=-1, required=True, type=click.UNPROCESSED)
@click.option("--session", metavar="ID", type=SESSION_ID, help="Only in this session.")
@click.option("--role", metavar="ROLE", help="Only messages of this role: user, assistant, tool, system.")
@click.option("--tool", metavar="NAME", help="Only calls of this tool and what came of them.")
@click.option("--cwd", metavar="DIR", help="Only sessions of this working directory.")
@click.option("--source", metavar="NAME", help="Only sessions that came from this program.")
@click.option("--owner", metavar="NAME", help="Only sessions that belong to this owner.")
@click.option("--since", metavar="TIME", type=MOMENT, help="Only what was written at this time (UTC) or later.")
@click.option("--until", metavar="TIME", type=MOMENT, help="Only what was written before this time.")
@click.option(
    "--status",
    type=click.Choice([*SessionStatus, _ANY], case_sensitive=False),
    default=SessionStatus.ACTIVE,
    show_default=True,
    help="Only sessions of this status.",
)
@limit_option(limits.DEFAULT_HITS, "How many messages to show.")
@click.option("--cursor", metavar="CURSOR", help="Go on after an earlier page: its next_cursor.")
@json_option
@pass_app
def search_command(
    app: App,
    query: tuple[str, ...],
    session: Wanted | None,
    role: str | None,
    tool: str | None,
    cwd: str | None,
    source: str | None,
    owner: str | None,
    since: datetime | None,
    until: datetime | None,
    status: str,
    limit: int,
    cursor: str | None,
) -> None:
    """Find messages by what they say, in every session and branch.

    All words of QUERY must be there; "a phrase" in quotes of its own, pre* for how a word begins, OR, NOT or -word.
    Behind -- nothing is an option.
    """
    with app.open() as store:
        update_search_index(app, store)
        page = store.search(
            _text(query),
            session_id=None if session is None else lookup.find_session(store, session).session.id,
            role=role,
            tool=tool,
            cwd=absolute(cwd),
            source=source,
            owner=owner,
            since=since,
            until=until,
            status=None if status == _ANY else status,
            limit=limit,
            cursor=cursor,
        )
        backend = store.backend_info()
    if app.json:
        write_json({"backend": wire.backend_info(backend), **wire.hits(page)})
    else:
        write_lines(_lines(app, page, backend))


def _text(query: tuple[str, ...]) -> str:
    """The words as one query. An argument of several words was in quotes, which the shell has taken away."""
    return query[0] if len(query) == 1 else " ".join(f'"{word}"' if " " in word else word for word in query)


def _lines(app: App, page: Page[SearchHit], backend: clew.BackendInfo) -> Iterator[Line]:
    yield backend_line(backend)
    if not page.items:
        yield "Nothing found."
        return
    for hit in page:
        yield ""
        yield Styled(shorten(hit.title) or "(no title)", "bold")
        yield Styled(_INDENT + _where(hit), "dim")
        yield _snippet(hit)
    yield ""
    first = page.items[0]
    yield f"Show a session: {app.command('show', str(first.session_id), '--checkpoint', str(first.checkpoint_id))}"
    if page.next_cursor is not None:
        yield f"more messages follow (use --cursor {page.next_cursor})"


def _where(hit: SearchHit) -> str:
    id = str(hit.session_id)[:_ID_CHARS]
    said_by = one_line(hit.role) + (f" ({one_line(hit.tool)})" if hit.tool else "")
    damage = "" if hit.damage is None else "  [damaged]"
    return f"{id}  message {hit.position + 1}  {said_by}  {moment(hit.created_at)}{damage}"


def _snippet(hit: SearchHit) -> Line:
    parts: list[tuple[str, bool]] = [(_INDENT, False)]
    end = 0
    for start, stop in hit.marks:
        parts += [(clean(hit.snippet[end:start]), False), (clean(hit.snippet[start:stop]), True)]
        end = stop
    return Marked([*parts, (clean(hit.snippet[end:]), False)])
