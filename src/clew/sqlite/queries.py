"""The statements of ``queries.sql`` by name."""

import os
import re
from collections.abc import Callable, Mapping
from operator import itemgetter
from typing import Any, Final, NamedTuple

from clew.relational.statements import parse_queries, read_text

_PARAMETER = re.compile(r"(?<!:):(\w+)")


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


_FILE = os.path.join(os.path.dirname(__file__), "queries.sql")

SQL: Final = {name: numbered(text) for name, text in parse_queries(read_text(_FILE)).items()}
