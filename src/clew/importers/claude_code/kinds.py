"""The types of records that Claude Code is known to write, and what each of them is to a conversation."""

from enum import IntEnum
from typing import Any

from clew.importers.records import Record
from clew.importers.values import fields, objects, text

CHAIN = frozenset({"user", "assistant", "system", "attachment", "progress"})
"""Types of records that name the one before them."""

BESIDE = frozenset(
    [
        "agent-color",
        "agent-name",
        "agent-setting",
        "ai-title",
        "atis-latch",
        "attribution-snapshot",
        "bridge-session",
        "content-replacement",
        "custom-title",
        "file-history-snapshot",
        "frame-link",
        "last-prompt",
        "marble-origami-commit",
        "marble-origami-snapshot",
        "mode",
        "permission-mode",
        "pr-link",
        "queue-operation",
        "relocated",
        "result",
        "saved_hook_context",
        "speculation-accept",
        "started",
        "summary",
        "tag",
        "task-summary",
        "worktree-state",
    ]
)
"""Types of records beside the conversation. Of the same kind later ones replace earlier ones."""

_SYSTEM = frozenset(
    [
        "agents_killed",
        "api_error",
        "api_metrics",
        "api_refusal",
        "away_summary",
        "bridge_status",
        "compact_boundary",
        "error",
        "file_snapshot",
        "informational",
        "init",
        "local_command",
        "memory_saved",
        "microcompact_boundary",
        "model_refusal_fallback",
        "permission_retry",
        "scheduled_task_fire",
        "session_start",
        "snip_boundary",
        "snip_marker",
        "status",
        "stop_hook_summary",
        "thinking",
        "turn_duration",
    ]
)
_ATTACHMENTS = frozenset(
    [
        "agent_listing_delta",
        "agent_mention",
        "already_read_file",
        "async_hook_response",
        "auto_mode",
        "auto_mode_exit",
        "batching_reminder_sent",
        "budget_usd",
        "bughunter_delta",
        "command_permissions",
        "companion_intro",
        "compact_file_reference",
        "compaction_reminder",
        "context_efficiency",
        "critical_system_reminder",
        "date_change",
        "deferred_tools_delta",
        "diagnostics",
        "directory",
        "dynamic_skill",
        "edited_image_file",
        "edited_text_file",
        "file",
        "hook_additional_context",
        "hook_blocking_error",
        "hook_cancelled",
        "hook_error_during_execution",
        "hook_non_blocking_error",
        "hook_permission_decision",
        "hook_stopped_continuation",
        "hook_success",
        "hook_system_message",
        "invoked_skills",
        "mcp_instructions_delta",
        "mcp_resource",
        "nested_memory",
        "new_directories",
        "new_file",
        "opened_file_in_ide",
        "output_style",
        "output_token_usage",
        "pdf_reference",
        "plan_file_reference",
        "plan_mode",
        "plan_mode_exit",
        "plan_mode_reentry",
        "queued_command",
        "read_truncation_notice",
        "relevant_memories",
        "selected_lines_in_ide",
        "silent_turn_reminder",
        "skill_discovery",
        "skill_listing",
        "structured_output",
        "task_progress",
        "task_reminder",
        "task_status",
        "team_context",
        "teammate_mailbox",
        "teammate_shutdown_batch",
        "text_reminder",
        "todo",
        "todo_reminder",
        "token_usage",
        "total_tokens_reminder",
        "ultra_effort_enter",
        "ultra_effort_exit",
        "ultramemory",
        "ultrathink_effort",
        "verify_plan_reminder",
    ]
)


def json_value(record: Record) -> Any:
    """The value of a record, None where it is no JSON: for a look at it, which notes nothing."""
    try:
        return record.value()
    except ValueError:
        return None


class Kind(IntEnum):
    """What a record is in its chain."""

    PASS = 0  # no message: what follows it follows what was before it
    PROMPT = 1
    RESULT = 2  # of tool calls
    ANSWER = 3
    QUEUED = 4  # a prompt that was given while the agent worked
    COMMAND = 5  # one that the program itself has carried out, or what that printed


def kind_of(record: dict[str, Any]) -> Kind:
    """What a record of the chain is."""
    match record.get("type"):
        case "user":
            return _of_user(fields(record.get("message")).get("content"))
        case "assistant":
            is_answer = isinstance(fields(record.get("message")).get("content"), (str, list))
            return Kind.ANSWER if is_answer else Kind.PASS
        case "attachment":
            return Kind.QUEUED if queued_prompt(record) else Kind.PASS
        case "system":
            return Kind.COMMAND if local_command(record) else Kind.PASS
    return Kind.PASS


def _of_user(content: Any) -> Kind:
    if any(block.get("type") == "tool_result" for block in objects(content)):
        return Kind.RESULT
    return Kind.PROMPT if isinstance(content, (str, list)) else Kind.PASS


def queued_prompt(record: dict[str, Any]) -> Any:
    """What the user wrote, text or blocks, while the agent worked; None where the record is another one."""
    attachment = fields(record.get("attachment"))
    prompt = attachment.get("prompt") if attachment.get("type") == "queued_command" else None
    return prompt if isinstance(prompt, (str, list)) else None


def local_command(record: dict[str, Any]) -> Any:
    """A command of the program itself, or what it printed, which later requests tell the model; None for another one.

    Earlier versions have records of the user for that.
    """
    content = record.get("content") if record.get("subtype") == "local_command" else None
    return content if isinstance(content, (str, list)) else None


def content_of(record: dict[str, Any]) -> Any:
    """What a record of the chain says: text, blocks, or None."""
    match kind_of(record):
        case Kind.PASS:
            return None
        case Kind.QUEUED:
            return queued_prompt(record)
        case Kind.COMMAND:
            return local_command(record)
    return record["message"]["content"]


def unknown_type(record: Any) -> str | None:
    """The name of the record's type where this version does not know it."""
    if not isinstance(record, dict):
        return "no object"
    kind, subtype = record.get("type"), record.get("subtype")
    if kind in ("user", "assistant"):
        return None if kind_of(record) is not Kind.PASS else f"{kind} without a message"
    if kind == "system":
        return None if subtype is None or _is_in(_SYSTEM, subtype) else f"system {_name(subtype)}"
    if kind == "attachment":
        name = fields(record.get("attachment")).get("type")
        return None if _is_in(_ATTACHMENTS, name) else f"attachment {_name(name)}"
    return None if _is_in(BESIDE, kind) or _is_in(CHAIN, kind) else _name(kind)


def _is_in(names: frozenset[str], name: Any) -> bool:
    return isinstance(name, str) and name in names


def _name(value: Any) -> str:
    return (text(value) or "without a type")[:60]
