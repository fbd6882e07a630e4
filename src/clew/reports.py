"""What looking after a store tells: findings, plans, and what was done."""

from datetime import date, datetime
from uuid import UUID

import msgspec

from clew.model import SessionSummary

__all__ = [
    "Backup",
    "Compaction",
    "DayActivity",
    "Finding",
    "Flaw",
    "Moved",
    "MovedSession",
    "Progress",
    "PrunePlan",
    "Pruned",
    "SessionSize",
    "SessionStats",
    "SourceCount",
    "StoreStats",
    "Thinning",
    "ToolUsageCounts",
    "ToolUsageStats",
]


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """Something that `verify` found wrong.

    `kind` is a stable name for programs, `message` says it in words. The ids say where, as exactly as is known:
    `position` is the place of a message, `attachment` the name of one.
    """

    kind: str
    message: str
    session_id: UUID | None = None
    checkpoint_id: UUID | None = None
    position: int | None = None
    attachment: str | None = None


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """How far a long call has come: `done` of `total` (None where nobody knows) `unit`, such as sessions or pages."""

    done: int
    total: int | None
    unit: str


class Backup(msgspec.Struct, frozen=True, kw_only=True):
    """A copy that `backup` made: where it is, how large, and what it holds. `verified` where it was read back whole."""

    path: str
    bytes: int
    sessions: int
    verified: bool


class Compaction(msgspec.Struct, frozen=True, kw_only=True):
    """What `compact` did: the bytes the store took before and takes now."""

    bytes_before: int
    bytes_after: int


class Thinning(msgspec.Struct, frozen=True, kw_only=True):
    """Checkpoints of one session that a plan would delete."""

    session_id: UUID
    title: str
    revision: int
    checkpoint_ids: list[UUID]


class PrunePlan(msgspec.Struct, frozen=True, kw_only=True):
    """What `apply_prune` would remove: whole `sessions`, and checkpoints of others (`thinned`). Nothing is done yet."""

    made_at: datetime
    sessions: list[SessionSummary]
    thinned: list[Thinning]


class Pruned(msgspec.Struct, frozen=True, kw_only=True):
    """What `apply_prune` removed. `skipped` are the sessions that had changed since the plan was made: they stay.

    `log_held` where a reader kept the store from emptying its write-ahead log within the time limit: the sessions are
    purged, but their bytes are still in that log. They go with the next purge, or when the last one closes the store.
    `left` are sessions that are purged, while what they shared with others is left, because some of that is damaged.
    """

    sessions: list[UUID]
    checkpoints: int
    skipped: list[UUID]
    log_held: bool = False
    left: list[UUID] = []


class Flaw(msgspec.Struct, frozen=True, kw_only=True):
    """Something in a conversation that model providers refuse.

    `code` is a stable name for programs, `message` says it in words; `position` is the place of the message, and `id`
    that of the tool call, where it is about one.
    """

    code: str
    position: int
    id: str | None = None
    message: str


class MovedSession(msgspec.Struct, frozen=True, kw_only=True):
    """A session whose working directory was, or would be, changed: from `old_cwd` to `cwd`."""

    session_id: UUID
    title: str
    old_cwd: str
    cwd: str


class Moved(msgspec.Struct, frozen=True, kw_only=True):
    """What `move_directory` changed. `damaged` are sessions below the directory that it left, as they are damaged."""

    sessions: list[MovedSession]
    damaged: list[UUID]


class ToolUsageCounts(msgspec.Struct, frozen=True, kw_only=True):
    """How many calls there were, and how they ended. Aborted are those that were cancelled, or have no result."""

    total: int
    successful: int
    failed: int
    aborted: int


class ToolUsageStats(msgspec.Struct, frozen=True, kw_only=True):
    """The calls of one tool. Nobody measures what time they save: these fields are None."""

    tool_name: str
    display_name: str
    usage_counts: ToolUsageCounts
    time_saved_per_call: float | None = None
    time_saved_seconds: int | None = None


class SessionStats(msgspec.Struct, frozen=True, kw_only=True):
    """What is in one conversation: its tool calls, messages, tokens, cost and time.

    `tools_usage` is in the order of the number of calls. Tokens are added up as the messages tell them, each provider
    counting in its own way: Anthropic's `input_tokens` leave out those of the cache, OpenAI's have them. `cost` is in
    the unit in which messages tell it (US dollars, by convention), None where none does. `usage_messages` is how many
    told their usage, and `models` how many messages each model wrote. `active_seconds` is the time from step to step,
    without pauses longer than ``limits.MAX_STEP_SECONDS`` (five minutes); steps are the checkpoints, and messages that
    tell their time.
    """

    total_sessions: int
    total_tool_calls: int
    successful_tool_calls: int
    failed_tool_calls: int
    aborted_tool_calls: int
    sessions_with_activity: int
    total_time_saved_seconds: int | None = None
    tools_usage: list[ToolUsageStats]
    session_id: UUID
    checkpoint_id: UUID | None
    checkpoint_count: int
    message_count: int
    messages_by_role: dict[str, int]
    usage_messages: int
    input_tokens: int
    output_tokens: int
    cache_read_tokens: int
    cache_write_tokens: int
    cost: float | None
    models: dict[str, int]
    active_seconds: float
    first_at: datetime | None
    last_at: datetime | None


class SourceCount(msgspec.Struct, frozen=True, kw_only=True):
    """How many sessions came from a program; `source` is None for those that came from none."""

    source: str | None
    sessions: int


class SessionSize(msgspec.Struct, frozen=True, kw_only=True):
    """A session and the bytes of the messages that its checkpoints have, each of them once."""

    session_id: UUID
    title: str
    bytes: int
    checkpoint_count: int


class DayActivity(msgspec.Struct, frozen=True, kw_only=True):
    """How many checkpoints were created on a day (UTC), and in how many sessions."""

    day: date
    checkpoints: int
    sessions: int


class StoreStats(msgspec.Struct, frozen=True, kw_only=True):
    """What is in a store, or of one owner in it.

    `message_count` and `message_bytes` are of the messages that are stored: each once, however many checkpoints and
    forks have it. `copied_bytes` is what they would take if each checkpoint had a copy of its conversation. Metadata
    and attachments are in neither, nor is what a database adds. `days` are those with activity, oldest first.
    """

    sessions: int
    active_sessions: int
    deleted_sessions: int
    sources: list[SourceCount]
    checkpoint_count: int
    message_count: int
    message_bytes: int
    copied_bytes: int
    biggest: list[SessionSize]
    days: list[DayActivity]

    @property
    def saved_bytes(self) -> int:
        """The bytes that sharing saves."""
        return self.copied_bytes - self.message_bytes
