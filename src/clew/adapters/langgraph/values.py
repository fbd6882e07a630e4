"""Any value as bytes that give it back, equal and of the same types all through; what cannot be kept so is refused.

Plain JSON is kept as JSON. The rest goes through the graph's serializer, and where that would change a type (a tuple
into a list), as a tree in which the types are written down. A serializer that is not LangGraph's own may be there to
keep secrets: everything goes through it.
"""

import math
from collections import Counter, OrderedDict, defaultdict
from collections.abc import Collection
from datetime import datetime
from functools import cache
from importlib import import_module
from inspect import signature
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
from langgraph.checkpoint.serde.encrypted import EncryptedSerializer
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer

from clew import CorruptStateError, InvalidRequestError
from clew.adapters.langgraph.classes import BY_CLASS, BY_NAME
from clew.adapters.langgraph.differences import difference, slots_of

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode

_JSON, _SERDE, _TREE = b"j", b"s", b"t"
_FACTORIES: dict[str, Any] = {made.__name__: made for made in (list, dict, set, int, float, str, tuple, bool)}
_MAX_DEPTH = 200
_PLAIN = frozenset({str, int, bool, type(None)})
_TEXT = frozenset({str})


class UnkeepableError(InvalidRequestError, TypeError):
    """A value that would not come back as it is: nothing was stored. It is a TypeError, as other savers raise."""


class Values:
    """Values through one serializer."""

    def __init__(self, serde: Any) -> None:
        self.serde = serde
        self.is_open = isinstance(serde, JsonPlusSerializer)
        """Whether what it makes may be read by anybody who can read the store."""

    def dumps(self, value: Any, what: str) -> bytes:
        """The bytes of a value; `what` is what errors call it. UnkeepableError where it would come back changed."""
        plain = plain_json(value) if self.is_open else None
        if plain is not None:
            return _JSON + plain
        body, problem = self._through_serde(value)
        if body is not None:
            return body
        try:
            tree = _packed(value, 0)
            kind, data = self.serde.dumps_typed(tree)
            problem = difference(value, _unpacked(self.serde.loads_typed((kind, data)))) or ""
        except _FAILURES as error:
            raise UnkeepableError(f"{what} cannot be serialized: {error}") from error
        if problem:
            raise UnkeepableError(f"{what}{problem}{self._advice()}")
        return _TREE + kind.encode() + b"\0" + data

    def loads(self, body: bytes) -> Any:
        """The value of these bytes."""
        form = body[:1]
        if form == _JSON:
            return _json_value(body[1:])
        kind, separator, data = bytes(body[1:]).partition(b"\0")
        if form not in (_SERDE, _TREE) or not separator:
            raise CorruptStateError("a value of LangGraph is in no form that clew writes")
        try:
            value = self.serde.loads_typed((kind.decode(), data))
            return value if form == _SERDE else _unpacked(value)
        except _FAILURES as error:
            raise CorruptStateError(f"a value of LangGraph cannot be read: {error}") from error

    def _through_serde(self, value: Any) -> tuple[bytes | None, str]:
        try:
            kind, data = self.serde.dumps_typed(value)
            problem = difference(value, self.serde.loads_typed((kind, data)))
        except _FAILURES as error:
            return None, str(error)
        return (None, problem) if problem else (_SERDE + kind.encode() + b"\0" + data, "")

    def _advice(self) -> str:
        if not isinstance(self.serde, JsonPlusSerializer | EncryptedSerializer):
            return ""
        return (
            "; a type of your own has to be named to the saver (with_allowlist) or its serde (allowed_msgpack_modules)"
        )


_FAILURES = (
    TypeError,
    IndexError,
    KeyError,
    ValueError,
    OverflowError,
    RecursionError,
    NotImplementedError,
    AttributeError,
)


def is_plain(value: Any, depth: int = 0) -> bool:
    """Whether JSON gives it back as it is: exact types, text keys, finite numbers."""
    kind = type(value)
    if kind in _PLAIN:
        return True
    if kind is float:
        return math.isfinite(value)
    if depth > _MAX_DEPTH:
        return False
    held = value
    if kind is dict:
        if not _TEXT.issuperset(map(type, value)):
            return False
        held = value.values()
    elif kind is not list:
        return False
    return _PLAIN.issuperset(map(type, held)) or all(is_plain(item, depth + 1) for item in held)


def plain_json(value: Any) -> bytes | None:
    """The JSON text that gives a value back as it is; None where there is none."""
    if not is_plain(value):
        return None
    try:
        return _encode(value)
    except (msgspec.MsgspecError, ValueError, OverflowError, RecursionError):  # surrogates, and large numbers
        return None


def _json_value(body: bytes) -> Any:
    try:
        return _decode(body)
    except (msgspec.MsgspecError, ValueError) as error:
        raise CorruptStateError("a value of LangGraph cannot be read") from error


def _packed(value: Any, depth: int) -> list[Any]:
    """A tree of lists with the type of each container, and of each object that holds other values."""
    if depth > _MAX_DEPTH:
        raise ValueError(f"nested deeper than {_MAX_DEPTH} levels, or contains itself")
    kind, below = type(value), depth + 1
    if kind is str:
        return ["=", value] if _has_utf8(value) else ["text", value.encode("utf-32-le", "surrogatepass")]
    if kind is int and not -(2**63) <= value < 2**63:
        return ["int", str(value)]
    if kind is bytearray:
        return ["bytearray", bytes(value)]
    if kind is datetime and isinstance(value.tzinfo, ZoneInfo):
        return ["datetime", [value.replace(tzinfo=None).isoformat(), value.fold, value.tzinfo.key]]
    if kind in _SEQUENCES.values():
        return [kind.__name__, [_packed(item, below) for item in value]]
    if kind in _MAPPINGS.values():
        return [kind.__name__, _pairs(value, below)]
    if kind is defaultdict and (value.default_factory is None or value.default_factory in _FACTORIES.values()):
        return ["defaultdict", getattr(value.default_factory, "__name__", ""), _pairs(value, below)]
    found = BY_CLASS.get(kind)
    fields = None if found is None else found.fields(value)
    if found is not None and fields is not None:
        given = sorted(value.__pydantic_fields_set__)
        return ["message", [found.name, given, _pairs(fields, below), _pairs(value.__pydantic_extra__ or {}, below)]]
    parts = _parts(value)
    return ["=", value] if parts is None else [kind.__name__, [_packed(part, below) for part in parts]]


def _unpacked(tree: Any) -> Any:
    kind, held = tree[0], tree[1]
    if kind == "=":
        return held
    if kind == "text":
        return held.decode("utf-32-le", "surrogatepass")
    if kind in _SCALARS:
        return _SCALARS[kind](held)
    if kind in _SEQUENCES:
        return _SEQUENCES[kind](map(_unpacked, held))
    if kind in _MAPPINGS:
        return _MAPPINGS[kind](_unpacked_pairs(held))
    if kind == "defaultdict":
        return defaultdict(_FACTORIES.get(held), _unpacked_pairs(tree[2]))
    if kind == "message":
        name, given, fields, extra = held
        return BY_NAME[name].build(_unpacked_pairs(fields), given, _unpacked_pairs(extra))
    return _rebuilt(kind, [_unpacked(part) for part in held])


def _moment(held: Any) -> datetime:
    text, fold, zone = held
    return datetime.fromisoformat(text).replace(fold=fold, tzinfo=ZoneInfo(zone))


_SCALARS: dict[str, Any] = {"int": int, "bytearray": bytearray, "datetime": _moment}
_SEQUENCES: dict[str, Any] = {made.__name__: made for made in (list, tuple, set, frozenset)}
_MAPPINGS: dict[str, Any] = {made.__name__: made for made in (dict, OrderedDict, Counter)}


def _pairs(value: dict[Any, Any], depth: int) -> list[Any]:
    return [[_packed(key, depth), _packed(item, depth)] for key, item in value.items()]


def _unpacked_pairs(pairs: Any) -> dict[Any, Any]:
    return {_unpacked(key): _unpacked(item) for key, item in pairs}


def _parts(value: Any) -> list[Any] | None:
    """What LangGraph's own holders of other values hold."""
    parts = _holders().get(type(value).__name__)
    if parts is None or type(value) is not parts[0]:
        return None
    return [getattr(value, name) for name in parts[1]]


def _rebuilt(kind: str, parts: list[Any]) -> Any:
    found = _holders().get(kind)
    if found is None:
        raise CorruptStateError(f"a value of LangGraph is of a kind that clew does not write: {kind!r:.60}")
    return found[0](**dict(zip(found[1], parts, strict=False)))


@cache
def _holders() -> dict[str, tuple[Any, list[str]]]:
    """Their classes, and what they are made of."""
    found = {}
    for module, name in (
        ("langgraph.types", "Send"),
        ("langgraph.types", "Interrupt"),
        ("langgraph.checkpoint.serde.types", "_DeltaSnapshot"),
    ):
        try:  # langgraph.types is no part of what a checkpointer needs: it may not be there
            cls = getattr(import_module(module), name)
        except ImportError:
            continue
        taken = [part for part in signature(cls).parameters if part in slots_of(cls) or part in _fields(cls)]
        found[name] = (cls, taken)
    return found


def _fields(cls: Any) -> Collection[str]:
    found: Collection[str] = getattr(cls, "__dataclass_fields__", getattr(cls, "_fields", ()))
    return found


def _has_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
