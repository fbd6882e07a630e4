"""A checkpoint of a workflow as attachments: small ones, so that what did not change since the last one costs nothing.

Its executors have one each, in the order in which they are; the rest of its state, the messages under way, the requests
that wait for an answer, and everything else, which is small, one each.
"""

import json
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from agent_framework import WorkflowCheckpoint

from clew import Attachment, CorruptStateError
from clew import Message as Stored
from clew.adapters.agent_framework.values import from_json, to_json

HEAD = "checkpoint"
_OWN = ("messages", "pending_request_info_events", "state")
"""Fields that are attachments of their own."""

_EXECUTORS = "_executor_state"
"""The key of the state under which the framework keeps that of the executors."""

_SHOWN_CHARS = 200


def encode(checkpoint: WorkflowCheckpoint) -> dict[str, bytes]:
    """The attachments of a checkpoint by name."""
    fields = checkpoint.to_dict()
    state = fields["state"]
    executors = state.get(_EXECUTORS) if type(state) is dict else None
    head: dict[str, Any] = {key: value for key, value in fields.items() if key not in _OWN}
    parts = {key: fields[key] for key in _OWN}
    if type(executors) is dict:
        parts["state"] = {key: value for key, value in state.items() if key != _EXECUTORS}
        parts |= {_executor(place): list(item) for place, item in enumerate(executors.items())}
    head = {"fields": head, "executors": len(executors) if type(executors) is dict else None}
    return {name: _dumped(value) for name, value in {HEAD: head, **parts}.items()}


def decode(parts: Mapping[str, bytes], allowed: frozenset[str], id: UUID | None) -> WorkflowCheckpoint:
    """The checkpoint of these attachments. CorruptStateError where they are not those of one."""
    head = _read_head(parts, id)
    try:
        values = {name: from_json(json.loads(parts[name]), allowed) for name in _OWN}
        if not all(isinstance(value, dict) for value in values.values()):
            raise TypeError(_OWN)
        count = head["executors"]
        if count is not None:
            found = [from_json(json.loads(parts[_executor(place)]), allowed) for place in range(count)]
            values["state"] = {_EXECUTORS: dict(found), **values["state"]}
        return WorkflowCheckpoint.from_dict({**from_json(head["fields"], allowed), **values})
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise _damaged(id) from error


def name_of(parts: Mapping[str, bytes], id: UUID) -> Any:
    """The framework's id of the checkpoint that these attachments are of."""
    return from_json(_read_head(parts, id)["fields"].get("checkpoint_id"), frozenset())


def _read_head(parts: Mapping[str, bytes], id: UUID | None) -> dict[str, Any]:
    """What is small of a checkpoint: its `fields`, and how many `executors` it has."""
    try:
        head = json.loads(parts[HEAD])
        if isinstance(head["fields"], dict) and "executors" in head:
            return {**head}
    except (KeyError, TypeError, ValueError) as error:
        raise _damaged(id) from error
    raise _damaged(id)


def described(checkpoint: WorkflowCheckpoint) -> Stored:
    """A message that says where the workflow is, for people."""
    lines = [f"Iteration {checkpoint.iteration_count}"]
    for source, sent in checkpoint.messages.items():
        lines += [f"{source} → {_receiver(message)}: {_shown(message)}" for message in sent]
    lines += [f"waits for an answer to request {request}" for request in checkpoint.pending_request_info_events]
    return {"role": "system", "content": "\n".join(lines), "checkpoint_id": checkpoint.checkpoint_id}


def _receiver(message: Any) -> str:
    return getattr(message, "target_id", None) or "all"


def _shown(message: Any) -> str:
    data = getattr(message, "data", message)
    if not isinstance(data, str):
        return type(data).__name__
    return data if len(data) <= _SHOWN_CHARS else data[: _SHOWN_CHARS - 1] + "…"


def _executor(place: int) -> str:
    return f"executor/{place:06}"


def _dumped(value: Any) -> Attachment:
    text = json.dumps(to_json(value), ensure_ascii=False, separators=(",", ":"))
    return Attachment(text.encode(), "application/json")


def _damaged(id: UUID | None) -> CorruptStateError:
    return CorruptStateError(f"the attachments of checkpoint {id} are not those of a workflow's", id)
