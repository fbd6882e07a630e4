"""The values of a workflow as JSON: what JSON holds exactly as it is, all else by the framework's own encoding.

That is a pickle, and what is read from one is limited to the types that the framework allows.
"""

import math
from typing import Any

from agent_framework._workflows._checkpoint_encoding import decode_checkpoint_value, encode_checkpoint_value

_ENCODED = "$encoded"


def to_json(value: Any) -> Any:
    """A value that JSON holds, from which `from_json` makes this one again, of the same type."""
    if _is_plain(value):
        return value
    if type(value) is list:
        return [to_json(item) for item in value]
    if type(value) is dict and _ENCODED not in value and all(map(_is_text, value)):
        return {key: to_json(item) for key, item in value.items()}
    # The framework leaves some values as they are that JSON does not hold. None of them is a tuple.
    return {_ENCODED: encode_checkpoint_value((value,))}


def from_json(value: Any, allowed: frozenset[str]) -> Any:
    """The value. The framework's WorkflowCheckpointException where it is of a type that is not allowed."""
    if isinstance(value, list):
        return [from_json(item, allowed) for item in value]
    if not isinstance(value, dict):
        return value
    if _ENCODED in value:
        (decoded,) = decode_checkpoint_value(value[_ENCODED], allowed_types=allowed)
        return decoded
    return {key: from_json(item, allowed) for key, item in value.items()}


def _is_plain(value: Any) -> bool:
    if value is None or type(value) is bool:
        return True
    if type(value) is int:
        return abs(value) < 2**63
    return _is_text(value) or (type(value) is float and math.isfinite(value))


def _is_text(value: Any) -> bool:
    """Whether it is text whose JSON is read back as the same text: of surrogates that is not sure."""
    return type(value) is str and not any("\ud800" <= char <= "\udfff" for char in value)
