"""Whether a value came back equal, and of the same types all through."""

from collections import Counter, deque
from collections.abc import Callable, Hashable, Iterator
from dataclasses import is_dataclass
from datetime import datetime, time
from enum import Enum
from functools import cache
from typing import Any


def difference(a: Any, b: Any, path: str = "") -> str:
    """What is different about the second value, or of another type in it: "" where nothing is."""
    if a is b:
        return ""
    if type(a) is not type(b):
        return f"{path} is of type {_name(a)} and would come back as {_name(b)}"
    compare = _COMPARED.get(type(a))
    if compare is not None:
        return compare(a, b, path)
    if isinstance(a, dict):
        return _mappings(a, b, path) or _defaults(a, b, path)
    if isinstance(a, list | tuple | deque):
        return _sequences(a, b, path)
    if isinstance(a, set | frozenset):
        same = a == b and Counter(map(type, a)) == Counter(map(type, b))
        return "" if same else f"{path} would come back as another set"
    parts = _attributes(a)
    if parts is not None:
        return _mappings(parts, _attributes(b) or {}, path)
    if isinstance(a, datetime | time) and type(a.tzinfo) is not type(b.tzinfo):
        return f"{path} would come back in another kind of time zone"
    return "" if _equal(a, b) else f"{path} of type {_name(a)} would come back changed"


def _scalars(a: Any, b: Any, path: str) -> str:
    return "" if a == b or (a != a and b != b) else f"{path} would come back as {b!r:.60}"


def _sequences(a: Any, b: Any, path: str) -> str:
    if len(a) != len(b) or getattr(a, "maxlen", None) != getattr(b, "maxlen", None):
        return f"{path} would come back in another length"
    return next(filter(None, (difference(x, y, f"{path}[{n}]") for n, (x, y) in enumerate(zip(a, b, strict=True)))), "")


def _mappings(a: Any, b: Any, path: str) -> str:
    if list(map(type, a)) != list(map(type, b)) or list(a) != list(b):
        return f"{path} would come back with other keys"
    return next(filter(None, (difference(item, b[key], f"{path}[{key!r:.40}]") for key, item in a.items())), "")


def _defaults(a: Any, b: Any, path: str) -> str:
    same = getattr(a, "default_factory", None) is getattr(b, "default_factory", None)
    return "" if same else f"{path} would come back with another default"


_COMPARED: dict[type, Callable[[Any, Any, str], str]] = {
    str: _scalars, int: _scalars, float: _scalars, bool: _scalars, bytes: _scalars,
    list: _sequences, tuple: _sequences, dict: _mappings,
}  # fmt: skip


def _attributes(value: Any) -> dict[str, Any] | None:
    """What an object is made of, where its own comparison would not tell types apart; None where it is all there is."""
    kind: Any = type(value)
    if isinstance(value, type | BaseException | Enum):
        return None
    if not (is_dataclass(value) or hasattr(kind, "__pydantic_fields__") or not _compares(kind)):
        return None
    found = dict(getattr(value, "__dict__", {}))
    found.update((name, getattr(value, name)) for name in slots_of(kind) if hasattr(value, name))
    for name in ("__dict__", "__weakref__", "__pydantic_fields_set__"):
        found.pop(name, None)
    return dict(sorted(found.items())) or None


def _compares(cls: Any) -> bool:
    equal: Any = cls.__eq__
    return equal is not object.__eq__


@cache
def slots_of(cls: Hashable) -> tuple[str, ...]:
    return tuple(_allslots_of(cls))


def _allslots_of(cls: Any) -> Iterator[str]:
    for base in cls.__mro__:
        own = base.__dict__.get("__slots__", ())
        for name in (own,) if isinstance(own, str) else own:
            private = name.startswith("__") and not name.endswith("__")
            yield f"_{base.__name__.lstrip('_')}{name}" if private else name


def _equal(a: Any, b: Any) -> bool:
    """Whether two objects are, by what they say. An array says it of each of its elements, and of its kind besides."""
    same = a == b
    if isinstance(same, bool):
        return same
    shapes = [(getattr(x, "dtype", None), getattr(x, "shape", None)) for x in (a, b)]
    return shapes[0] == shapes[1] and (bool(same.all()) or a.tobytes() == b.tobytes())


def _name(value: Any) -> str:
    kind = type(value)
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
