"""JSON values to store: what a store must keep whole, and what it must refuse."""

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from types import MappingProxyType
from typing import Any
from uuid import UUID

from hypothesis import strategies as st

_SURROGATE_PAIR = re.compile("[\ud800-\udbff][\udc00-\udfff]")

EDGES: list[Any] = [
    "", "\0", "\x7f", "\u2028", "\ufeff", "\U0001f9f6", "\ud800", "\udfff\ud800", "e\u0301", "\\u0000", '"', "/",
    0, -1, 2**53 + 1, 2**63 - 1, 2**63, -(2**63) - 1, 2**64, 10**100, -(10**400),
    0.0, -0.0, 1.0, 1e16, 1e-7, 5e-324, 1.7976931348623157e308, 0.1, True, False, None, [], {}, [[]], {"": {}},
]  # fmt: skip
"""Values that a careless encoding changes."""


def exact(value: Any) -> str:
    """`value` as text that tells apart what ``==`` does not: 1, 1.0 and True; 0.0 and -0.0; the order of keys."""
    return repr(value)


def texts() -> st.SearchStrategy[str]:
    """Any text, with NUL and lone surrogates; without pairs of surrogates, which JSON text reads as one character."""
    return st.text(st.characters(exclude_categories=()), max_size=12).filter(
        lambda text: _SURROGATE_PAIR.search(text) is None
    )


def json_values() -> st.SearchStrategy[Any]:
    """Any JSON value."""
    leaves = st.sampled_from(EDGES) | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts()
    return st.recursive(
        leaves,
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts(), inner, max_size=4),
        max_leaves=12,
    )


def messages() -> st.SearchStrategy[dict[str, Any]]:
    """Any JSON object."""
    return st.dictionaries(texts(), json_values(), max_size=4)


def nested(levels: int) -> dict[str, Any]:
    """An object of `levels` levels of objects and arrays, itself included."""
    value: Any = {} if levels % 2 else []
    for level in range(levels - 1, 0, -1):
        value = {"down": value} if level % 2 else [value]
    return dict(value)


class _Thing:
    """A value that is nothing of JSON's."""


@dataclass
class _Record:
    role: str = "user"


def _looped_object() -> Any:
    loop: dict[str, Any] = {}
    loop["again"] = loop
    return {"in": loop}


def _looped_array() -> Any:
    loop: list[Any] = []
    loop.append(loop)
    return {"in": loop}


REFUSED: dict[str, tuple[Callable[[], Any], str]] = {
    "NaN": (lambda: {"n": math.nan}, ".n"),
    "infinity": (lambda: {"n": [0, math.inf]}, ".n[1]"),
    "minus infinity": (lambda: {"n": {"m": -math.inf}}, ".n.m"),
    "bytes": (lambda: {"content": b"text"}, ".content"),
    "bytearray": (lambda: {"content": bytearray(b"text")}, ".content"),
    "set": (lambda: {"tags": {"a"}}, ".tags"),
    "frozenset": (lambda: {"tags": frozenset("a")}, ".tags"),
    "object": (lambda: {"a": [{"b": _Thing()}]}, ".a[0].b"),
    "dataclass": (lambda: {"a": _Record()}, ".a"),
    "datetime": (lambda: {"at": datetime(2024, 1, 1, tzinfo=UTC)}, ".at"),
    "UUID": (lambda: {"id": UUID(int=1)}, ".id"),
    "Decimal": (lambda: {"cost": Decimal("1.5")}, ".cost"),
    "complex": (lambda: {"n": 1j}, ".n"),
    "generator": (lambda: {"a": (n for n in range(3))}, ".a"),
    "mapping that is no dict": (lambda: {"a": MappingProxyType({})}, ".a"),
    "whole number as a key": (lambda: {"a": {1: "x"}}, ".a"),
    "None as a key": (lambda: {None: "x"}, ""),
    "tuple as a key": (lambda: {"a": {("b",): 1}}, ".a"),
    "bytes as a key": (lambda: {b"a": 1}, ""),
    "key that is not an identifier": (lambda: {"a key": {"b": math.nan}}, '["a key"].b'),
    "object that contains itself": (_looped_object, ".in"),
    "array that contains itself": (_looped_array, ".in"),
    "more levels than any store takes": (lambda: nested(5_000), ".down"),
    "digits beyond number": (lambda: {"n": 10**5_000}, ".n"),
}
"""By name: what makes a value that no JSON text holds, and the path of it from the value."""

NO_OBJECTS: list[Any] = [None, "text", b"bytes", 1, 1.5, True, ["role", "user"], ("role", "user"), _Thing()]
"""What is no message, because it is no object."""
