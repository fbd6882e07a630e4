"""The statements of ``queries.sql`` by name, and how they are run."""

import os
import re
from collections.abc import Iterator
from typing import Any, Final

import apsw

_HEADER = re.compile(r"^-- name: (\w+)$", re.MULTILINE)


def parse_queries(text: str) -> dict[str, str]:
    """Statements by name from text in which ``-- name: x`` begins each one.

    Comments and the closing semicolon are dropped: SQLite caches a prepared statement by its text.
    """
    parts = _HEADER.split(text)[1:]
    queries: dict[str, str] = {}
    for name, body in zip(parts[::2], parts[1::2], strict=True):
        if name in queries:
            raise ValueError(f"two queries are named {name}")
        lines = [line.strip() for line in body.splitlines() if not line.lstrip().startswith("--")]
        queries[name] = " ".join(line for line in lines if line).removesuffix(";")
    return queries


def read_packaged(*names: str) -> str:
    """The text of a file beside this module."""
    with open(os.path.join(os.path.dirname(__file__), *names), encoding="utf-8") as file:
        return file.read()


SQL: Final = parse_queries(read_packaged("queries.sql"))

Row = tuple[Any, ...]


def fetch_all(connection: apsw.Connection, name: str, parameters: dict[str, Any]) -> list[Row]:
    """Every row of a query."""
    rows: list[Row] = connection.execute(SQL[name], parameters).fetchall()
    return rows


def fetch_one(connection: apsw.Connection, name: str, parameters: dict[str, Any]) -> Row | None:
    """The first row of a query, None where there is none."""
    row: Row | None = connection.execute(SQL[name], parameters).fetchone()
    return row


def iterate(connection: apsw.Connection, name: str, parameters: dict[str, Any]) -> Iterator[Row]:
    """The rows of a query, one after the other."""
    rows: Iterator[Row] = connection.execute(SQL[name], parameters)
    return rows


def execute(connection: apsw.Connection, name: str, parameters: dict[str, Any]) -> None:
    """Run a statement that returns no rows."""
    connection.execute(SQL[name], parameters)
