"""`clew info`."""

from pathlib import Path
from typing import NamedTuple

import click

import clew
from clew import wire
from clew.cli import places
from clew.cli.options import App, json_option, pass_app
from clew.cli.output import Line, backend_line, write_json, write_lines
from clew.cli.text import size
from clew.model import BackendInfo, MigrationStatus, SessionStatus


class Info(NamedTuple):
    """What there is to say of a store; the sessions of one whose schema is not current are not counted.

    Behind a server the schema is the server's business, and the sessions are those that the API key may see.
    """

    backend: BackendInfo
    schema: MigrationStatus | None
    active: int | None
    deleted: int | None
    file_bytes: int | None
    wal_bytes: int | None


@click.command("info")
@json_option
@pass_app
def info_command(app: App) -> None:
    """Show where the store is, its schema, how many sessions it has and how large it is.

    Neither makes nor migrates a store.
    """
    places.require_store(app.store_url)
    info = _read(app)
    if app.json:
        write_json(_envelope(info))
    else:
        write_lines(_lines(info))


def _read(app: App) -> Info:
    path = places.store_path(app.store_url)
    # Looked at first: opening and closing a store may move what is in the write-ahead log.
    file_bytes, wal_bytes = _bytes(path), _bytes(path and path.with_name(f"{path.name}-wal"))
    schema = _schema(app)
    active = deleted = None
    if schema is None or not schema.pending:
        with app.open() as store:
            active = store.list_sessions(limit=0, status=SessionStatus.ACTIVE, count=True).total
            deleted = store.list_sessions(limit=0, status=SessionStatus.DELETED, count=True).total
    return Info(places.backend(app.store_url), schema, active, deleted, file_bytes, wal_bytes)


def _schema(app: App) -> MigrationStatus | None:
    if places.is_behind_http(app.store_url):
        return None
    with clew.migrations(app.store_url) as migrations:
        return migrations.status()


def _bytes(path: Path | None) -> int | None:
    try:
        return None if path is None else path.stat().st_size
    except FileNotFoundError:
        return 0


def _envelope(info: Info) -> dict[str, object]:
    total = None if info.active is None or info.deleted is None else info.active + info.deleted
    return {
        "backend": wire.backend_info(info.backend),
        "clew_version": clew.__version__,
        "schema": None if info.schema is None else wire.migration_status(info.schema),
        "sessions": {"total": total, "active": info.active, "deleted": info.deleted},
        "file_bytes": info.file_bytes,
        "wal_bytes": info.wal_bytes,
    }


def _lines(info: Info) -> list[Line]:
    schema = info.schema
    lines: list[Line] = [
        backend_line(info.backend),
        f"Clew:     {clew.__version__}",
    ]
    if schema is not None:
        pending = ", migrations pending" if schema.pending else ""
        lines.append(f"Schema:   version {schema.current} of {schema.latest}{pending}")
    if info.active is not None and info.deleted is not None:
        lines.append(f"Sessions: {info.active + info.deleted:,} ({info.active:,} active, {info.deleted:,} deleted)")
    if info.file_bytes is not None:
        lines.append(f"Size:     {size(info.file_bytes)}, and {size(info.wal_bytes or 0)} in the write-ahead log")
    return lines
