"""The statements of ``queries.sql`` by name."""

import os
import re
from collections.abc import Callable, Mapping
from operator import itemgetter
from typing import Any, Final, NamedTuple

_PARAMETER = re.compile(r"(?<!:):(\w+)")
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
    pick: Callable[[Mapping[str, Any]], tuple[Any, ...]]


def numbered(text: str) -> Query:
    """A statement with parameters by number instead of by name."""
    names = list(dict.fromkeys(_PARAMETER.findall(text)))
    text = _PARAMETER.sub(lambda match: f"?{names.index(match[1]) + 1}", text)
    if len(names) > 1:
        return Query(text, itemgetter(*names))
    return Query(text, (lambda values: (values[names[0]],)) if names else (lambda _: ()))


SQL: Final = {name: numbered(text) for name, text in parse_queries(read_packaged("queries.sql")).items()}
