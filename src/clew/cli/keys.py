"""`clew key`: the API keys of a server that stands before the store."""

from collections.abc import Iterator, Sequence
from datetime import datetime

import click

from clew import wire
from clew.cli import lookup
from clew.cli.lookup import Wanted
from clew.cli.options import App, IdType, json_option, pass_app
from clew.cli.output import Line, Styled, backend_line, cell_width, write_json, write_lines
from clew.cli.text import moment, shorten
from clew.model import ApiKey, Role

_HEADINGS = ("ID", "NAME", "ROLE", "CREATED", "LAST USED", "REVOKED")
_GAP = "  "


@click.group("key")
def key_group() -> None:
    """Make, list and revoke the API keys of a server that stands before the store.

    Without any key a server listens on this machine only and lets everybody do everything.
    """


@key_group.command("create")
@click.argument("name")
@click.option(
    "--role",
    type=click.Choice(list(Role), case_sensitive=False),
    required=True,
    help="What its holder may do: read, write sessions of their own, or everything.",
)
@json_option
@pass_app
def create_command(app: App, name: str, role: str) -> None:
    """Make a key for NAME, who owns the sessions that are created with it. Its token is shown this once."""
    with app.open() as store:
        made = store.create_key(name, role)
        backend = store.backend_info()
    if app.json:
        write_json({**wire.new_key(made), "backend": wire.backend_info(backend)})
        return
    write_lines(
        [
            backend_line(backend),
            f"Created key {made.key.id} for {shorten(made.key.name)} ({made.key.role})",
            f"Token: {made.token}",
            "Keep the token: it is not stored, and nothing shows it again.",
        ]
    )


@key_group.command("list")
@json_option
@pass_app
def list_command(app: App) -> None:
    """List the keys, revoked ones too, oldest first."""
    with app.open_existing() as store:
        keys, backend = store.list_keys(), store.backend_info()
    if app.json:
        write_json({"backend": wire.backend_info(backend), "keys": [wire.api_key(key) for key in keys]})
    else:
        write_lines([backend_line(backend), *(_table(keys) if keys else ["No keys found."])])


@key_group.command("revoke")
@click.argument("key", metavar="ID", type=IdType("key"))
@json_option
@pass_app
def revoke_command(app: App, key: Wanted) -> None:
    """Let the holder of a key in no more, from now on and for good."""
    with app.open_existing() as store:
        revoked = store.revoke_key(lookup.key_id(store, key))
        backend = store.backend_info()
    if app.json:
        write_json({**wire.api_key(revoked), "backend": wire.backend_info(backend)})
    else:
        write_lines([f"Revoked {revoked.id}"])


def _table(keys: Sequence[ApiKey]) -> Iterator[Line]:
    measure = cell_width()
    rows = [_HEADINGS, *map(_cells, keys)]
    widths = [max(map(measure, column)) for column in zip(*rows, strict=True)]
    heading, *lines = (
        _GAP.join(cell + " " * (width - measure(cell)) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )
    yield Styled(heading, "bold")
    for key, line in zip(keys, lines, strict=True):
        yield line if key.revoked_at is None else Styled(line, "dim")


def _cells(key: ApiKey) -> tuple[str, ...]:
    name = shorten(key.name)
    if key.damage is not None:
        name = f"[damaged] {name}"
    return str(key.id), name, key.role, _moment(key.created_at), _moment(key.last_used_at), _moment(key.revoked_at)


def _moment(value: datetime | None) -> str:
    return "-" if value is None else moment(value)
