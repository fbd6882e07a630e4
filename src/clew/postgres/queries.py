"""The statements of ``queries.sql`` by name, and how their parameters are sent."""

import os
import re
import struct
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from clew.postgres.objects import searchable
from clew.relational.statements import parse_queries, read_text

_PARAMETER = re.compile(r"(?<!:):(\w+)::(\w+(?:\[\])?)")
_FILE = os.path.join(os.path.dirname(__file__), "queries.sql")
_ARRAY = struct.Struct(">iiiii")
_OIDS = {"bigint": 20, "smallint": 21, "bytea": 17, "text": 25}


class Packed(bytes):
    """A parameter in PostgreSQL's binary format, whose type the statement says."""


Pack = Callable[[Any], Packed]


def _packed_text(value: str) -> Packed:
    return Packed(value.encode())


def _packed_number(layout: str) -> Pack:
    pack = struct.Struct(layout).pack
    return lambda value: Packed(pack(value))


def _packed_array(of: str) -> Pack:
    pack, oid = _PACK[of], _OIDS[of]

    def packed(values: Sequence[Any]) -> Packed:
        parts = [_ARRAY.pack(1, 1, oid, len(values), 1)]
        for value in values:
            item = None if value is None else pack(value)
            parts.append(b"\xff\xff\xff\xff" if item is None else len(item).to_bytes(4) + item)
        return Packed(b"".join(parts))

    return packed


_PACK: dict[str, Pack] = {
    "bigint": _packed_number(">q"),
    "integer": _packed_number(">i"),
    "smallint": _packed_number(">h"),
    "boolean": _packed_number(">?"),
    "text": _packed_text,
    "json": _packed_text,
    "object": lambda value: Packed(searchable(value)),
    "bytea": Packed,
    "uuid": Packed,
}
_PACK.update({f"{of}[]": _packed_array(of) for of in _OIDS})


class Query(NamedTuple):
    """A statement with numbered parameters, their names and what packs each.

    What a parameter's type is stands in the statement and nowhere else, so that a statement is prepared once, whatever
    it is given, and no value is sent as text.
    """

    text: str
    parameters: tuple[tuple[str, Pack], ...]

    def pick(self, values: Mapping[str, Any]) -> list[Packed | None]:
        """The parameters out of a dict that may hold others too."""
        return [None if (value := values[name]) is None else pack(value) for name, pack in self.parameters]


def numbered(text: str) -> Query:
    """A statement with parameters by number instead of by name and type."""
    found = list(dict.fromkeys(_PARAMETER.findall(text)))

    def number(match: re.Match[str]) -> str:
        kind = "text::jsonb" if match[2] == "object" else match[2]
        return f"${found.index((match[1], match[2])) + 1}::{kind}"

    return Query(_PARAMETER.sub(number, text), tuple((name, _PACK[kind]) for name, kind in found))


SQL: Final = {name: numbered(text) for name, text in parse_queries(read_text(_FILE)).items()}
