"""The lines of a rollout, whichever version of Codex has written them.

There are three shapes. Since September 2025 a line is `{"timestamp", "type", "payload"}`. Before that the first line
was a header without a type, and each of the others an item of OpenAI's Responses API as it is, or a mark of the state.
And there are the lines that other programs write for Codex's: a role and a content, with or without a type.
"""

from datetime import datetime
from typing import Any

import msgspec

from clew.importers.values import fields, moment, text

META = "session_meta"
ITEM = "response_item"
EVENT = "event_msg"
TURN = "turn_context"
COMPACTED = "compacted"
MAIL = "inter_agent_communication"
STATE = "state"

SILENT = frozenset({META, TURN, STATE, "world_state", "inter_agent_communication_metadata", "rollout_reference"})
"""The kinds of lines that hold no message."""

KINDS = SILENT | {ITEM, EVENT, COMPACTED, MAIL} - {STATE}

_ITEMS = """
    message reasoning function_call function_call_output custom_tool_call custom_tool_call_output local_shell_call
    web_search_call tool_search_call tool_search_output image_generation_call agent_message tool_call tool_result
    compaction compaction_summary compaction_trigger context_compaction ghost_snapshot"""
ITEMS = frozenset(_ITEMS.split())
"""The types of items that are known."""

_EVENTS = """
    user_message agent_message agent_reasoning agent_reasoning_raw_content agent_reasoning_section_break token_count
    task_started task_complete turn_started turn_complete turn_aborted thread_rolled_back thread_name_updated
    thread_goal_updated thread_settings_applied patch_apply_begin patch_apply_end patch_apply_updated
    exec_command_begin exec_command_end mcp_tool_call_begin mcp_tool_call_end dynamic_tool_call_request
    dynamic_tool_call_response web_search_begin web_search_end image_generation_begin image_generation_end
    view_image_tool_call context_compacted item_started item_completed entered_review_mode exited_review_mode
    collab_agent_spawn_begin collab_agent_spawn_end collab_agent_interaction_begin collab_agent_interaction_end
    collab_waiting_begin collab_waiting_end collab_close_begin collab_close_end collab_resume_begin collab_resume_end
    sub_agent_activity guardian_assessment undo_started undo_completed error warning stream_error plan_update
    turn_diff background_event session_configured model_reroute hook_started hook_completed guardian_warning
    model_verification realtime_conversation_started realtime_conversation_closed shutdown_complete
    deprecation_notice"""
EVENTS = frozenset(_EVENTS.split())
"""The types of events that are known. Most of them tell what an item tells too."""


class Line(msgspec.Struct, frozen=True):
    """One line: its `kind` (`session_meta`, `response_item`, …), the `type` of what it holds, when it was written."""

    kind: str
    type: str | None
    payload: dict[str, Any]
    at: datetime | None

    @property
    def unknown(self) -> str | None:
        """What to call it where it is of a type that is not known."""
        known = {ITEM: ITEMS, EVENT: EVENTS}.get(self.kind)
        if known is not None:
            return None if self.type in known else f"{self.kind}/{self.type or '?'}"
        return None if self.kind in KINDS or self.kind == STATE else self.kind or "?"


def line_of(value: Any) -> Line:
    """The line that a record's JSON is."""
    record = fields(value)
    kind, at, payload = text(record.get("type")), moment(record.get("timestamp")), record.get("payload")
    if isinstance(payload, dict) or kind in KINDS:
        inner = fields(payload)
        return Line(kind or "", _type_of(inner), inner, at or moment(inner.get("timestamp")))
    if "record_type" in record:
        return Line(STATE, None, record, at)
    if kind in ITEMS or text(record.get("role")):
        return Line(ITEM, _type_of(record), record, at)
    if is_old_header(record):
        return Line(META, None, record, at)
    return Line(kind or "", None, record, at)


def is_old_header(record: dict[str, Any]) -> bool:
    """Whether this is the first line of a file from before lines had a type."""
    named = text(record.get("id")) is not None and "timestamp" in record
    return named and "type" not in record and "instructions" in record


def _type_of(payload: dict[str, Any]) -> str | None:
    named = text(payload.get("type"))
    return "message" if named is None and text(payload.get("role")) else named
