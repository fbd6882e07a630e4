"""The statements of ``queries.sql`` by name, and how they are run."""

import os
import re
from collections.abc import Callable, Iterable, Iterator
from operator import itemgetter
from typing import Any, Final, NamedTuple

import apsw

_PARAMETER = re.compile(r"(?<!:):(\w+)")
MAX_ROWS = 2**63 - 1
"""The largest LIMIT that SQLite takes."""

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


class Query(NamedTuple):
    """A statement with numbered parameters, and what picks their values from a dict.

    In ``queries.sql`` parameters have names; binding by name looks each one up through SQLite, which for the eleven of
    a checkpoint costs as much as running the statement.
    """

    text: str
    pick: Callable[[dict[str, Any]], tuple[Any, ...]]


def numbered(text: str) -> Query:
    """A statement with parameters by number instead of by name."""
    names = list(dict.fromkeys(_PARAMETER.findall(text)))
    text = _PARAMETER.sub(lambda match: f"?{names.index(match[1]) + 1}", text)
    if len(names) > 1:
        return Query(text, itemgetter(*names))
    return Query(text, (lambda values: (values[names[0]],)) if names else (lambda _: ()))


SQL: Final = {name: numbered(text) for name, text in parse_queries(read_packaged("queries.sql")).items()}

Row = tuple[Any, ...]


def fetch_all(connection: apsw.Connection, name: str, parameters: dict[str, Any]) -> list[Row]:
    """Every row of a query."""
    query = SQL[name]
    rows: list[Row] = connection.execute(query.text, query.pick(parameters)).fetchall()
    return rows


def fetch_one(connection: apsw.Connection, name: str, parameters: dict[str, Any]) -> Row | None:
    """The first row of a query, None where there is none."""
    query = SQL[name]
    row: Row | None = connection.execute(query.text, query.pick(parameters)).fetchone()
    return row


def iterate(connection: apsw.Connection, name: str, parameters: dict[str, Any]) -> Iterator[Row]:
    """The rows of a query, one after the other."""
    query = SQL[name]
    rows: Iterator[Row] = connection.execute(query.text, query.pick(parameters))
    return rows


def execute(connection: apsw.Connection, name: str, parameters: dict[str, Any]) -> None:
    """Run a statement that returns no rows."""
    query = SQL[name]
    connection.execute(query.text, query.pick(parameters))


def execute_many(connection: apsw.Connection, name: str, rows: Iterable[Row]) -> None:
    """Run a statement that returns no rows once for each row of values, which are in the order of its parameters."""
    connection.executemany(SQL[name].text, rows)


def execute_values(connection: apsw.Connection, name: str, values: Row) -> None:
    """Run a statement that returns no rows, with values in the order of its parameters: for those that run often."""
    connection.execute(SQL[name].text, values)
