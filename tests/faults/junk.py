"""Arguments that nobody should give, and some that one could, for every method of a store."""

import inspect
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import PurePosixPath
from typing import Any
from uuid import UUID

from hypothesis import strategies as st

import clew

SESSION, CHECKPOINT, OTHER = (UUID(int=number) for number in (1, 2, 3))

METHODS: dict[str, inspect.Signature] = {
    name: inspect.signature(function)
    for name, function in inspect.getmembers(clew.Store, inspect.isfunction)
    if not name.startswith("_") and name != "close"
}
"""Every method of a store but the one that closes it."""

_EXTREMES = [moment.replace(tzinfo=zone) for moment in (datetime.max, datetime.min) for zone in (None, UTC)]  # noqa: DTZ901
_CALLABLES = ("progress",)  # what is called may raise what it likes
_PATHS = ("path",)  # a path from nowhere would be written to
_ENDS = ("idle_timeout",)  # what is gone through goes on for ever without one, and for long with a long one


def texts() -> st.SearchStrategy[str]:
    """Any text at all, with NUL and lone surrogates."""
    return st.text(st.characters(exclude_categories=()), max_size=20)


def values() -> st.SearchStrategy[Any]:
    """Values of every kind, nested too."""
    return st.recursive(_leaves(), lambda inner: st.one_of(*_nested(inner)), max_leaves=6)


def _leaves() -> st.SearchStrategy[Any]:
    return st.one_of(
        st.none(), st.booleans(), st.integers(), st.floats(), texts(), st.binary(max_size=20), st.uuids(),
        st.just(5_000).map(lambda digits: 10**digits),  # more digits than Python converts to text
        st.sampled_from([-(2**63) - 1, 2**63, 2**64, float("nan"), float("inf"), complex(1, 2)]),
        st.datetimes(timezones=st.none() | st.sampled_from([UTC, timezone(timedelta(hours=23, minutes=59))])),
        st.sampled_from([
            object(), object, len, Ellipsis, NotImplemented, Decimal("0.1"), date(2026, 1, 1), timedelta.max,
            PurePosixPath("a"), clew.KEEP, clew.ACTIVE, clew.Visibility.PUBLIC, clew.SessionStatus.DELETED, range(3),
            slice(None), bytearray(b"x"), memoryview(b"x"), clew.State(), *_EXTREMES,
        ]),
    )  # fmt: skip


def _nested(inner: st.SearchStrategy[Any]) -> Iterator[st.SearchStrategy[Any]]:
    hashable = st.none() | st.booleans() | st.integers() | texts() | st.binary(max_size=5)
    yield st.lists(inner, max_size=3)
    yield st.tuples(inner)
    yield st.tuples(inner, inner)
    yield st.dictionaries(hashable, inner, max_size=3)
    yield st.sets(hashable, max_size=3)
    yield st.lists(inner, max_size=3).map(iter)


def arguments(name: str) -> st.SearchStrategy[dict[str, Any]]:
    """Arguments of a method: of each parameter a value that is likely, or any; what has a default may be left out."""
    parameters = [parameter for parameter in METHODS[name].parameters.values() if parameter.name != "self"]
    required = {
        one.name: argument(one.name)
        for one in parameters
        if one.default is inspect.Parameter.empty or one.name in _ENDS
    }
    optional = {one.name: argument(one.name) for one in parameters if one.name not in required}
    return st.fixed_dictionaries(required, optional=optional)


def argument(name: str) -> st.SearchStrategy[Any]:
    """A value for a parameter of this name."""
    likely = st.sampled_from(_likely(name))
    return likely if name in (*_CALLABLES, *_PATHS, *_ENDS) else likely | likely | values()


def _likely(name: str) -> list[Any]:
    ids = [SESSION, str(SESSION), CHECKPOINT, OTHER, UUID(int=99), [CHECKPOINT, OTHER], [SESSION, SESSION]]
    if name == "id" or name.endswith(("_id", "_ids", "ids", "if_active", "checkpoint_a", "checkpoint_b")):
        return ids
    return _LIKELY.get(name, [None, 0, 1, "", "x", {"k": 1}, True, timedelta(days=1)])


def _raise(_: object) -> None:
    raise clew.InvalidRequestError("what is called may refuse to go on")


_NOTHING: Callable[[object], None] = lambda _: None  # noqa: E731 - a value among values

_LIKELY: dict[str, list[Any]] = {
    "messages": [[], [{"role": "user"}], [{}], [{"role": "user"}, 1], ({"n": 1},)],
    "title": ["", "a title", None],
    "metadata": [None, {}, {"k": 1}, [1], clew.KEEP],
    "session_metadata": [None, {}, {"k": 1}],
    "created_at": [None, datetime(2026, 1, 1, tzinfo=UTC), *_EXTREMES],
    "updated_at": [None, datetime(2026, 1, 1, tzinfo=UTC)],
    "source": [None, "tool"],
    "source_id": [None, "1"],
    "status": [None, "ACTIVE", "DELETED", clew.KEEP],
    "visibility": [None, "PRIVATE", "PUBLIC", clew.KEEP],
    "cursor": [None, "", "AAAA", "e30", "x" * 100],
    "limit": [0, 1, 2, 2**63 - 1, 2**63, -1],
    "offset": [0, 1, 2**63 - 1],
    "order": ["created", "-created", "label", "-label"],
    "children": ["reparent", "delete", "refuse"],
    "on_conflict": ["error", "keep", "replace"],
    "items": [{}, {"a": b"x"}, {"a": "x"}, {"": b""}],
    "label": [None, "x", "taken", ""],
    "path": ["copy.db", "none/copy.db", ".", "agent.db"],
    "progress": [None, _NOTHING, _raise],
    "idle_timeout": [0, 0.0, 0.001, -1, float("nan"), True, "1", [], 10**400],
}
