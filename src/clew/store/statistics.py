"""The methods of a store that count what is in it, and the one that follows a directory to its new place."""

import os

from clew import checks, limits
from clew.backend import DirectoryMove
from clew.conversation.counting import Counting, active_seconds
from clew.ids import to_id
from clew.model import ACTIVE, Active, CheckpointSummary, Label
from clew.reports import Moved, SessionStats, StoreStats, ToolUsageCounts, ToolUsageStats
from clew.store.base import Id
from clew.store.repairing import RepairMethods
from clew.times import from_micros, to_micros


class StatisticsMethods(RepairMethods):
    """Counting, and moving what stood in a directory."""

    def session_stats(self, session_id: Id, *, checkpoint_id: Id | Label | Active = ACTIVE) -> SessionStats:
        """What is in the conversation of a checkpoint, by default the active one: that branch, and no other.

        Tool calls are counted in every form that messages come in (OpenAI's chat and Responses, Anthropic's blocks),
        and tokens and cost where messages carry them. The messages are read some at a time.
        """
        session = to_id(session_id, "session_id")
        point = self._point(session, checkpoint_id)
        counting = Counting()
        steps: list[CheckpointSummary] = []
        if point is not None:
            for start in range(0, point.message_count, limits.STATS_BATCH):
                counting.add(self._slice(point, start))
            steps = self._backend.list_ancestry(point.id)
        counting.end()
        counting.times.extend(to_micros(step.created_at) for step in steps)
        return _stats(session, point, counting, len(steps))

    def store_stats(self, *, owner: str | None = None) -> StoreStats:
        """What is in the store, or what the sessions of an `owner` have: sessions, sizes, activity by day."""
        return self._backend.store_stats(checks.optional_owner(owner))

    def move_directory(
        self,
        old: str | os.PathLike[str],
        new: str | os.PathLike[str],
        *,
        owner: str | None = None,
        dry_run: bool = False,
    ) -> Moved:
        """Change the `cwd` of every session that is in the directory `old`, or below it, to where that is in `new`.

        All of them or none, whatever their status; with `owner` only those of one. Lists with `cwd` find them by their
        old directory too. Each gets one revision more, and keeps its `updated_at`, and so its place in lists. Names
        are compared as they are written, letter by letter, from one separator to the next; the file system is not
        looked at. With `dry_run` nothing is changed: the result is what would be.
        """
        move = DirectoryMove(
            old=checks.directory(old, "old"),
            new=checks.directory(new, "new"),
            owner=checks.optional_owner(owner),
            dry_run=bool(dry_run),
        )
        return self._backend.move_directory(move)


def _stats(session: Id, point: CheckpointSummary | None, counting: Counting, steps: int) -> SessionStats:
    usage = sorted(counting.ended.items(), key=lambda item: (-item[1].total(), item[0]))
    tools = [
        ToolUsageStats(
            tool_name=name,
            display_name=name,
            usage_counts=ToolUsageCounts(
                total=ended.total(),
                successful=ended["successful"],
                failed=ended["failed"],
                aborted=ended["aborted"],
            ),
        )
        for name, ended in usage
    ]
    counts = [tool.usage_counts for tool in tools]
    tokens, times = counting.tokens, counting.times
    return SessionStats(
        total_sessions=1,
        total_tool_calls=sum(count.total for count in counts),
        successful_tool_calls=sum(count.successful for count in counts),
        failed_tool_calls=sum(count.failed for count in counts),
        aborted_tool_calls=sum(count.aborted for count in counts),
        sessions_with_activity=int(bool(counts)),
        tools_usage=tools,
        session_id=to_id(session, "session_id"),
        checkpoint_id=None if point is None else point.id,
        checkpoint_count=steps,
        message_count=counting.messages,
        messages_by_role=dict(counting.roles.most_common()),
        usage_messages=tokens.messages,
        input_tokens=tokens.input,
        output_tokens=tokens.output,
        cache_read_tokens=tokens.cache_read,
        cache_write_tokens=tokens.cache_write,
        cost=tokens.cost,
        models=dict(counting.models.most_common()),
        active_seconds=active_seconds(times),
        first_at=from_micros(min(times)) if times else None,
        last_at=from_micros(max(times)) if times else None,
    )
