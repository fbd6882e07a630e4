"""What the framework says of a run beside its messages, as JSON: run records, events, tool effects, snapshots."""

import json
from collections.abc import Mapping
from typing import Any, TypeVar
from uuid import UUID

import pydantic
from pydantic_ai_harness.step_persistence import ContinuableSnapshot, RunRecord, StepEvent, ToolEffectRecord

from clew import CorruptStateError, InvalidRequestError

R = TypeVar("R", RunRecord, StepEvent, ToolEffectRecord, ContinuableSnapshot)

_ADAPTERS: dict[type, pydantic.TypeAdapter[Any]] = {
    kind: pydantic.TypeAdapter(kind) for kind in (RunRecord, StepEvent, ToolEffectRecord, ContinuableSnapshot)
}


def to_fields(record: Any, left_out: str) -> dict[str, Any]:
    """The fields of a record but one, as JSON values, without those that are None or empty.

    InvalidRequestError where a field is of another type than the framework says.
    """
    kind = next(kind for kind in _ADAPTERS if isinstance(record, kind))
    adapter = _ADAPTERS[kind]
    try:
        fields: dict[str, Any] = adapter.dump_python(
            record, mode="json", exclude={left_out}, exclude_none=True, warnings=False
        )
        adapter.validate_python({**fields, left_out: [] if left_out == "messages" else getattr(record, left_out)})
    except ValueError as error:
        raise InvalidRequestError(f"{kind.__name__} has a field that cannot be kept: {error}") from error
    if fields.get("metadata") == {}:
        del fields["metadata"]
    return fields


def from_fields(kind: type[R], fields: Mapping[str, Any], checkpoint_id: UUID, **more: Any) -> R:
    """The record; CorruptStateError where these are not its fields. `more` are those that were left out."""
    try:
        return _ADAPTERS[kind].validate_python({**fields, **more})
    except (pydantic.ValidationError, TypeError) as error:
        raise CorruptStateError(
            f"checkpoint {checkpoint_id} holds no {kind.__name__}: {error}", checkpoint_id
        ) from error


def to_bytes(fields: Mapping[str, Any]) -> bytes:
    """Fields as an attachment has them."""
    return json.dumps(fields, separators=(",", ":")).encode()


def from_bytes(data: bytes, checkpoint_id: UUID) -> dict[str, Any]:
    """The same back; CorruptStateError where it is no JSON object."""
    try:
        fields = json.loads(data)
    except ValueError as error:
        raise CorruptStateError(f"an attachment of checkpoint {checkpoint_id} is no JSON", checkpoint_id) from error
    if not isinstance(fields, dict):
        raise CorruptStateError(f"an attachment of checkpoint {checkpoint_id} is no JSON object", checkpoint_id)
    return fields
