"""The JSON forms of the values: what `--json` prints and what crosses the wire.

Names, spellings and the order of keys are fixed. A key that is not there and a key that is null mean the same to those
who read them; new keys come after the old ones.
"""

import json
import re
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import msgspec

from clew.model import (
    ApiKey,
    AttachmentInfo,
    BackendInfo,
    Checkpoint,
    CheckpointSummary,
    Diff,
    Message,
    MigrationStatus,
    NewKey,
    Page,
    SearchHit,
    Session,
    SessionSummary,
    State,
)
from clew.reports import (
    Backup,
    Compaction,
    Finding,
    Flaw,
    Moved,
    Pruned,
    PrunePlan,
    SessionStats,
    StoreStats,
    Thinning,
)
from clew.times import to_rfc3339

# What a terminal could act on and JSON lets stand as it is, and lone surrogates, which UTF-8 cannot hold. Outside of
# strings JSON is ASCII, so whatever of it is found stands in a string, where its escape means the same.
_ESCAPED = re.compile("[\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def session(value: Session) -> dict[str, Any]:
    """A session with the state of its active checkpoint."""
    active = value.active_checkpoint
    return {
        "id": str(value.id),
        "title": value.title,
        "visibility": value.visibility.value,
        "status": value.status.value,
        "cwd": value.cwd,
        "created_at": to_rfc3339(value.created_at),
        "updated_at": to_rfc3339(value.updated_at),
        "active_checkpoint": None if active is None else checkpoint(active),
        **_origin(value),
        "owner": value.owner,
    }


def session_summary(value: SessionSummary) -> dict[str, Any]:
    """A session in a list."""
    return {
        "id": str(value.id),
        "title": value.title,
        "visibility": value.visibility.value,
        "status": value.status.value,
        "cwd": value.cwd,
        "created_at": to_rfc3339(value.created_at),
        "updated_at": to_rfc3339(value.updated_at),
        "message_count": value.message_count,
        "active_checkpoint_id": _text(value.active_checkpoint_id),
        "last_message_at": None if value.last_message_at is None else to_rfc3339(value.last_message_at),
        **_origin(value),
        "checkpoint_count": value.checkpoint_count,
        "damage": value.damage,
        "owner": value.owner,
    }


def session_head(value: Session | SessionSummary, active_checkpoint_id: UUID | None, count: int) -> dict[str, Any]:
    """A session on its own, with `count` messages: the form in which the command line shows one."""
    return {
        "id": str(value.id),
        "title": value.title,
        "status": value.status.value,
        "visibility": value.visibility.value,
        "cwd": value.cwd,
        "created_at": to_rfc3339(value.created_at),
        "updated_at": to_rfc3339(value.updated_at),
        "active_checkpoint_id": _text(active_checkpoint_id),
        "message_count": count,
    }


def session_shown(
    value: Session | SessionSummary,
    active_checkpoint_id: UUID | None,
    count: int,
    backend: BackendInfo,
    messages: Sequence[Message] | None = None,
) -> dict[str, Any]:
    """A session on its own in full, with a window of its messages where there is one."""
    window = {} if messages is None else {"messages": messages}
    return {
        **session_head(value, active_checkpoint_id, count),
        **window,
        "backend": backend_info(backend),
        **_origin(value),
        "owner": value.owner,
    }


def hit(value: SearchHit) -> dict[str, Any]:
    """A message that a search found."""
    return {
        "session_id": str(value.session_id),
        "title": value.title,
        "cwd": value.cwd,
        "source": value.source,
        "checkpoint_id": str(value.checkpoint_id),
        "created_at": to_rfc3339(value.created_at),
        "position": value.position,
        "role": value.role,
        "tool": value.tool,
        "snippet": value.snippet,
        "marks": [list(mark) for mark in value.marks],
        "score": value.score,
        "damage": value.damage,
    }


def hits(page: Page[SearchHit]) -> dict[str, Any]:
    """A page of them."""
    return {"hits": [hit(value) for value in page], "next_cursor": page.next_cursor}


def checkpoint(value: Checkpoint) -> dict[str, Any]:
    """A checkpoint with its state."""
    return {
        "id": str(value.id),
        "session_id": str(value.session_id),
        "parent_id": _text(value.parent_id),
        "state": state(value.state),
        "created_at": to_rfc3339(value.created_at),
        "updated_at": to_rfc3339(value.updated_at),
        "label": value.label,
    }


def checkpoint_summary(value: CheckpointSummary) -> dict[str, Any]:
    """A checkpoint without its state."""
    return {
        "id": str(value.id),
        "session_id": str(value.session_id),
        "parent_id": _text(value.parent_id),
        "message_count": value.message_count,
        "created_at": to_rfc3339(value.created_at),
        "updated_at": to_rfc3339(value.updated_at),
        "label": value.label,
        "damage": value.damage,
    }


def checkpoint_in_tree(
    value: CheckpointSummary, *, active: bool, added: int, preview: str | None, damage: str | None
) -> dict[str, Any]:
    """A checkpoint in the tree of its session; `added` is by how many messages it is longer than its parent."""
    return {**checkpoint_summary(value), "damage": damage, "active": active, "added": added, "preview": preview}


def diff(value: Diff) -> dict[str, Any]:
    """How two checkpoints differ."""
    return {
        "checkpoint_a": str(value.checkpoint_a),
        "checkpoint_b": str(value.checkpoint_b),
        "common": value.common,
        "only_a": value.only_a,
        "only_b": value.only_b,
        "ancestor_id": _text(value.ancestor_id),
        "metadata_a": value.metadata_a,
        "metadata_b": value.metadata_b,
        "metadata_changed": value.metadata_changed,
    }


def attachment_info(value: AttachmentInfo) -> dict[str, Any]:
    """An attachment without its bytes."""
    return {"name": value.name, "size": value.size, "content_type": value.content_type}


def state(value: State) -> dict[str, Any]:
    """A state; without metadata the key is left out."""
    form: dict[str, Any] = {"messages": value.messages}
    if value.metadata is not None:
        form["metadata"] = value.metadata
    return form


def backend_info(value: BackendInfo) -> dict[str, Any]:
    """Where the data is kept; what does not apply is left out."""
    fields = {name: getattr(value, name) for name in ("kind", "profile", "endpoint", "store_path")}
    return {name: text for name, text in fields.items() if text is not None}


def migration_status(value: MigrationStatus) -> dict[str, Any]:
    """The schema of a store."""
    return {
        "current": value.current,
        "latest": value.latest,
        "applied": list(value.applied),
        "pending": list(value.pending),
    }


def finding(value: Finding) -> dict[str, Any]:
    """Something that is wrong in a store."""
    return {
        "kind": value.kind,
        "message": value.message,
        "session_id": _text(value.session_id),
        "checkpoint_id": _text(value.checkpoint_id),
        "position": value.position,
        "attachment": value.attachment,
    }


def flaw(value: Flaw) -> dict[str, Any]:
    """Something in a conversation that providers refuse."""
    return {"code": value.code, "position": value.position, "id": value.id, "message": value.message}


def moved(value: Moved) -> dict[str, Any]:
    """Sessions that are in another directory now."""
    return {
        "sessions": [
            {
                "session_id": str(item.session_id),
                "title": item.title,
                "old_cwd": item.old_cwd,
                "cwd": item.cwd,
            }
            for item in value.sessions
        ],
        "damaged": [str(id) for id in value.damaged],
    }


def session_stats(value: SessionStats) -> dict[str, Any]:
    """What is in a conversation."""
    told: dict[str, Any] = msgspec.to_builtins(value)
    for name in ("first_at", "last_at"):
        moment = getattr(value, name)
        told[name] = None if moment is None else to_rfc3339(moment)
    return told


def store_stats(value: StoreStats) -> dict[str, Any]:
    """What is in a store."""
    told: dict[str, Any] = msgspec.to_builtins(value)
    return {**told, "saved_bytes": value.saved_bytes}


def api_key(value: ApiKey) -> dict[str, Any]:
    """An API key, which has no token."""
    return {
        "id": str(value.id),
        "name": value.name,
        "role": value.role.value,
        "created_at": to_rfc3339(value.created_at),
        "last_used_at": None if value.last_used_at is None else to_rfc3339(value.last_used_at),
        "revoked_at": None if value.revoked_at is None else to_rfc3339(value.revoked_at),
        "damage": value.damage,
    }


def new_key(value: NewKey) -> dict[str, Any]:
    """An API key that has just been made, with the token that nothing shows again."""
    return {**api_key(value.key), "token": value.token}


def backup(value: Backup) -> dict[str, Any]:
    """A copy of a store."""
    return {"path": value.path, "bytes": value.bytes, "sessions": value.sessions, "verified": value.verified}


def compaction(value: Compaction) -> dict[str, Any]:
    """What a store took before and takes now."""
    return {"bytes_before": value.bytes_before, "bytes_after": value.bytes_after}


def prune_plan(value: PrunePlan) -> dict[str, Any]:
    """What would be removed."""
    return {
        "made_at": to_rfc3339(value.made_at),
        "sessions": [session_summary(summary) for summary in value.sessions],
        "thinned": [_thinning(thinning) for thinning in value.thinned],
    }


def pruned(value: Pruned) -> dict[str, Any]:
    """What has been removed."""
    return {
        "sessions": [str(id) for id in value.sessions],
        "checkpoints": value.checkpoints,
        "skipped": [str(id) for id in value.skipped],
        "log_held": value.log_held,
        "left": [str(id) for id in value.left],
    }


def error(text: str, code: str) -> dict[str, str]:
    """What went wrong: the text for people, the code for programs."""
    return {"error": text, "code": code}


def pretty(value: Any) -> bytes:
    """JSON text over several lines, indented by two, with a newline at the end."""
    try:
        text = msgspec.json.format(msgspec.json.encode(value), indent=2).decode()
    except UnicodeEncodeError:  # a lone surrogate, which only the standard library writes
        text = json.dumps(value, indent=2, ensure_ascii=False)
    return _escaped(text).encode() + b"\n"


def compact(value: Any) -> bytes:
    """JSON text in one line, with a newline at the end."""
    return _escaped(json.dumps(value, separators=(",", ":"), ensure_ascii=False)).encode() + b"\n"


def _thinning(value: Thinning) -> dict[str, Any]:
    return {
        "session_id": str(value.session_id),
        "title": value.title,
        "revision": value.revision,
        "checkpoint_ids": [str(id) for id in value.checkpoint_ids],
    }


def _origin(value: Session | SessionSummary) -> dict[str, Any]:
    return {
        "source": value.source,
        "source_id": value.source_id,
        "parent_session_id": _text(value.parent_session_id),
        "forked_from": _text(value.forked_from),
        "metadata": value.metadata,
        "revision": value.revision,
    }


def _text(id: UUID | None) -> str | None:
    return None if id is None else str(id)


def _escaped(text: str) -> str:
    return _ESCAPED.sub(lambda match: f"\\u{ord(match[0]):04x}", text)
