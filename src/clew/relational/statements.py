"""Reading an engine's SQL: ``queries.sql``, and its migrations.

A migration is two files, ``NNNN_name.sql`` and ``NNNN_name.down.sql``; once released it is never edited.
"""

import os
import re
from collections.abc import Sequence
from typing import NamedTuple

from clew.model import MigrationStatus

_HEADER = re.compile(r"^-- name: (\w+)$", re.MULTILINE)
_MIGRATION = re.compile(r"(\d{4})_(\w+)\.sql")
_COMMENT = re.compile(r"^--.*\n| {2,}-- .*$", re.MULTILINE)


class Migration(NamedTuple):
    """One step of a schema."""

    version: int
    name: str
    up: str
    down: str


def parse_queries(text: str) -> dict[str, str]:
    """Statements by name from text in which ``-- name: x`` begins each one.

    Comments and the closing semicolon are dropped: a prepared statement is known by its text.
    """
    parts = _HEADER.split(text)[1:]
    queries: dict[str, str] = {}
    for name, body in zip(parts[::2], parts[1::2], strict=True):
        if name in queries:
            raise ValueError(f"two queries are named {name}")
        lines = [line.strip() for line in body.splitlines() if not line.lstrip().startswith("--")]
        queries[name] = " ".join(line for line in lines if line).removesuffix(";")
    return queries


def read_migrations(folder: str) -> tuple[Migration, ...]:
    """All migrations in a folder, in order."""
    matches = [match for match in map(_MIGRATION.fullmatch, sorted(os.listdir(folder))) if match]
    return tuple(
        Migration(
            version=int(match[1]),
            name=match[2],
            up=_read_script(folder, match[0]),
            down=_read_script(folder, match[0].replace(".sql", ".down.sql")),
        )
        for match in matches
    )


def migration_status(applied: list[int], known: Sequence[Migration]) -> MigrationStatus:
    """What has been applied to a schema, and what of the migrations of this release has not."""
    return MigrationStatus(
        current=max(applied, default=0),
        latest=known[-1].version,
        applied=applied,
        pending=[migration.version for migration in known if migration.version not in applied],
    )


def _read_script(folder: str, name: str) -> str:
    """A script without its comments, which a database may keep with the schema."""
    return _COMMENT.sub("", read_text(os.path.join(folder, name)))


def read_text(path: str) -> str:
    """The text of a packaged file."""
    with open(path, encoding="utf-8") as file:
        return file.read()
