"""What a run did beside talking: its events, and what became of its tool calls."""

import hashlib
import itertools
from typing import Any
from uuid import UUID, uuid4

from pydantic_ai_harness.step_persistence import StepEvent, ToolEffectRecord

from clew import NotFoundError, Store
from clew.adapters.pydantic_ai.records import from_bytes, from_fields, to_bytes, to_fields
from clew.adapters.pydantic_ai.runs import Runs

_EVENTS = "event/"
_EFFECTS = "tool/"
_MAX_NAME_CHARS = 200


class Ledger:
    """Events and tool effects, attached to the anchor of their run: each is one small write, whatever there is."""

    def __init__(self, runs: Runs) -> None:
        self._runs = runs

    def append_event(self, store: Store, event: StepEvent) -> None:
        fields = to_fields(event, "run_id")
        run = self._runs.ensure(store, event.run_id, event.conversation_id)
        if run.events is None:
            _, before = self._attached(store, event.run_id, _EVENTS)
            # Not how many there are: a repeated one took a place too, and left it empty.
            run.events = itertools.count(max((fields.get("place", 0) for fields in before), default=-1) + 1)
        key = event.idempotency_key
        name = f"at/{uuid4().hex}" if key is None else f"key/{_name(key)}"
        data = to_bytes({"place": next(run.events), **fields})
        store.attach(run.session_id, {_EVENTS + name: data}, checkpoint_id=run.anchor, on_conflict="keep")

    def list_events(self, store: Store, run_id: str) -> list[StepEvent]:
        anchor, found = self._attached(store, run_id, _EVENTS)
        # Two processes that write to one run may have counted alike: then the times decide.
        found.sort(key=lambda fields: (fields.pop("place", 0), str(fields.get("timestamp"))))
        return [from_fields(StepEvent, fields, anchor, run_id=run_id) for fields in found]

    def record_tool_effect(self, store: Store, record: ToolEffectRecord) -> None:
        name, data = _EFFECTS + _name(record.tool_call_id), to_bytes(to_fields(record, "run_id"))
        run = self._runs.ensure(store, record.run_id, None)
        store.attach(run.session_id, {name: data}, checkpoint_id=run.anchor, on_conflict="replace")

    def get_tool_effect(self, store: Store, run_id: str, tool_call_id: str) -> ToolEffectRecord | None:
        anchor = self._runs.anchor_of(run_id)
        try:
            data = store.get_attachment(anchor, _EFFECTS + _name(tool_call_id))
        except NotFoundError:
            return None
        return from_fields(ToolEffectRecord, from_bytes(data, anchor), anchor, run_id=run_id)

    def list_unresolved(self, store: Store, run_id: str) -> list[ToolEffectRecord]:
        anchor, found = self._attached(store, run_id, _EFFECTS)
        effects = [from_fields(ToolEffectRecord, fields, anchor, run_id=run_id) for fields in found]
        return sorted((one for one in effects if one.status == "started"), key=lambda one: one.started_at)

    def _attached(self, store: Store, run_id: str, prefix: str) -> tuple[UUID, list[dict[str, Any]]]:
        anchor = self._runs.anchor_of(run_id)
        try:
            found = store.get_attachments(anchor, prefix=prefix)[anchor]
        except NotFoundError:
            return anchor, []
        return anchor, [from_bytes(data, anchor) for data in found.values()]


def _name(text: str) -> str:
    """A text as the name of an attachment: itself where it is short and printable, else a hash of it."""
    if 0 < len(text) <= _MAX_NAME_CHARS and text.isprintable() and not text.startswith("#"):
        return text
    return "#" + hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
