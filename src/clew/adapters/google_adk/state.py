"""The state of a session by its scopes: what keys begin with says who shares them."""

import math
from collections.abc import Mapping
from typing import Any, NamedTuple
from uuid import UUID

from google.adk.sessions import State
from pydantic import TypeAdapter

from clew import CorruptStateError, InvalidRequestError

Values = dict[str, Any]

_ANY: TypeAdapter[Any] = TypeAdapter(Any)


class Delta(NamedTuple):
    """New values of a state, without the prefixes of their keys. What is only for one invocation is in none of them."""

    app: Values
    user: Values
    session: Values


def split(values: Mapping[str, Any] | None) -> Delta:
    """The values by scope, in the form that JSON has for them.

    What pydantic knows (models, times, sets) is converted, as by ADK's own services. InvalidRequestError where it knows
    none.
    """
    delta = Delta({}, {}, {})
    for key, value in (values or {}).items():
        if not isinstance(key, str):
            raise InvalidRequestError(f"a key of the state must be text, not {type(key).__name__}")
        if not key.startswith(State.TEMP_PREFIX):
            scope, name = _place(delta, key)
            scope[name] = _plain(key, value)
    return delta


def merged(app: Values, user: Values, session: Values) -> Values:
    """The state as an agent sees it."""
    return {
        **session,
        **{State.APP_PREFIX + key: value for key, value in app.items()},
        **{State.USER_PREFIX + key: value for key, value in user.items()},
    }


def stored_state(metadata: Any, checkpoint_id: UUID | None = None) -> Values:
    """A state that was stored; CorruptStateError where it is none."""
    if metadata is None:
        return {}
    if not isinstance(metadata, dict):
        raise CorruptStateError("stored state is no JSON object", checkpoint_id)
    return metadata


def _place(delta: Delta, key: str) -> tuple[Values, str]:
    if key.startswith(State.APP_PREFIX):
        return delta.app, key.removeprefix(State.APP_PREFIX)
    if key.startswith(State.USER_PREFIX):
        return delta.user, key.removeprefix(State.USER_PREFIX)
    return delta.session, key


def refuse_silent_loss(value: Any) -> None:
    """ValueError where pydantic would write something else than it is given, without a word: null for a number that is
    none, another character for half of one in a key."""
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError(f"JSON cannot hold {value}")
    elif isinstance(value, dict):
        for key, item in value.items():
            if isinstance(key, str):
                key.encode()
            refuse_silent_loss(item)
    elif isinstance(value, list | tuple | set | frozenset):
        for item in value:
            refuse_silent_loss(item)


def _plain(key: str, value: Any) -> Any:
    try:
        refuse_silent_loss({key: value})
        return _ANY.dump_python(value, mode="json")
    except (ValueError, TypeError, RecursionError) as error:
        raise InvalidRequestError(f"state[{key!r}] cannot be stored: {error}") from error
