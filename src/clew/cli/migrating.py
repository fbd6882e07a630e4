"""`clew migrate`: the schema of a store, whichever version it is of."""

import click

import clew
from clew import wire
from clew.cli import places
from clew.cli.options import App, json_option, pass_app
from clew.cli.output import backend_line, write_json, write_lines
from clew.model import MigrationStatus


@click.group("migrate")
def migrate_group() -> None:
    """Show and change the version of a store's schema.

    Every command that opens a store brings it up to date by itself; these are for whoever wants to do it by hand.
    """


@migrate_group.command("status")
@json_option
@pass_app
def status_command(app: App) -> None:
    """Show which migrations are applied and which are pending."""
    places.require_file(app.store_url)
    with clew.migrations(app.store_url) as migrations:
        _write(app, migrations.status())


@migrate_group.command("up")
@json_option
@pass_app
def up_command(app: App) -> None:
    """Apply the pending migrations."""
    with clew.migrations(app.store_url) as migrations:
        done = migrations.up()
        _write(app, migrations.status(), "applied", done)


@migrate_group.command("rollback")
@click.option(
    "--to", type=click.IntRange(min=0), metavar="N", help="Undo every migration above N, not the newest alone."
)
@click.option("--discard", is_flag=True, help="Do it even where that discards sessions, or something of them.")
@json_option
@pass_app
def rollback_command(app: App, to: int | None, discard: bool) -> None:
    """Undo the newest migration."""
    places.require_file(app.store_url)
    with clew.migrations(app.store_url) as migrations:
        done = migrations.rollback(to, discard=discard)
        _write(app, migrations.status(), "rolled back", done)


def _write(app: App, status: MigrationStatus, verb: str | None = None, versions: list[int] | None = None) -> None:
    backend = places.backend(app.store_url)
    if app.json:
        changed = {} if verb is None else {"changed": versions}
        write_json({**wire.migration_status(status), **changed, "backend": wire.backend_info(backend)})
        return
    lines = [backend_line(backend), f"Schema:  version {status.current} (this clew: {status.latest})"]
    if verb is not None:
        lines.append(f"Changed: {verb} {_listed(versions)}")
    write_lines([*lines, f"Applied: {_listed(status.applied)}", f"Pending: {_listed(status.pending)}"])


def _listed(versions: list[int] | None) -> str:
    return ", ".join(map(str, versions or [])) or "none"
